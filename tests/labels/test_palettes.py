"""The published class tables: counts, names, and colours against their formulas and sources."""

from __future__ import annotations

import pytest

from pspgui.labels.classes import CAMVID, ClassTableError
from pspgui.labels.palettes import PALETTES, palette


@pytest.mark.parametrize(
    ("name", "count"), [("ade20k150", 150), ("camvid", 11), ("cityscapes19", 19), ("voc2012", 21)]
)
def test_a_palette_has_its_classes_and_ignores_255(name: str, count: int) -> None:
    table = palette(name)

    assert name in PALETTES
    assert len(table) == count
    assert table.ignore == 255


def test_colours_differ_but_for_the_two_that_ade20k_published_alike() -> None:
    alike = {}
    for name in PALETTES:
        names: dict[tuple[int, ...], list[str]] = {}
        for c in palette(name).classes:
            names.setdefault(c.colour, []).append(c.name)
        alike[name] = [same for same in names.values() if len(same) > 1]

    assert alike.pop("ade20k150") == [["road", "skyscraper"]]
    assert not any(alike.values())


def bit_interleaved(label: int) -> tuple[int, int, int]:
    """VOC's colour of a label: its bits dealt to red, green, blue, highest bit first."""
    colour = [0, 0, 0]
    for bit in range(24):
        colour[bit % 3] |= (label >> bit & 1) << (7 - bit // 3)
    return colour[0], colour[1], colour[2]


def test_vocs_colours_follow_its_formula() -> None:
    table = palette("voc2012")

    assert [c.colour for c in table.classes] == [bit_interleaved(i) for i in range(21)]
    assert table.find("aeroplane").colour == (128, 0, 0)
    assert (table.find("person").id, table.find("tvmonitor").id) == (15, 20)


def test_known_entries() -> None:
    city, ade = palette("cityscapes19"), palette("ade20k150")

    assert city.find("road") == city.classes[0]
    assert city.find("road").colour == (128, 64, 128)
    assert (city.find("bicycle").id, city.find("bicycle").colour) == (18, (119, 11, 32))
    assert (ade.names[0], ade.classes[0].colour) == ("wall", (120, 120, 120))
    assert (ade.names[12], ade.classes[12].colour) == ("person", (150, 5, 61))
    assert (ade.names[149], ade.classes[149].colour) == ("flag", (92, 0, 255))
    assert palette("camvid") == CAMVID


def test_an_unknown_name_lists_those_there_are() -> None:
    with pytest.raises(ClassTableError, match="'coco'; there are ade20k150, camvid"):
        palette("coco")
