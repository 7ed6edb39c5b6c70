"""Cityscapes as published: leftImg8bit and gtFine (or gtCoarse), a folder a city.

`*_gtFine_labelIds.png` hold ids 0..33, of which 19 are evaluated; they become trainIds 0..18 and
the rest 255. `*_gtFine_labelTrainIds.png`, which the data set's own scripts write, are taken as
they are where there are no labelIds.
"""

from __future__ import annotations

from pathlib import Path

from pspgui.durable import printable
from pspgui.formats.coding import LabelCoding, ValueCoding, identity_and
from pspgui.formats.errors import FormatError
from pspgui.formats.samples import Layout, Sample, first_folder, folders_of, images_by_stem, paired
from pspgui.formats.value_map import written_coding
from pspgui.labels.classes import IGNORE, ClassTable
from pspgui.labels.palettes import palette

# The ids of the evaluated classes in the order of their trainIds: road, sidewalk ... bicycle.
EVALUATED_IDS = (7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33)

# License plates have id -1, which 8 bits hold as 255.
LABEL_IDS = ValueCoding(
    {
        **dict.fromkeys((*range(34), 255), IGNORE),
        **{value: label for label, value in enumerate(EVALUATED_IDS)},
    },
    "labelIds of Cityscapes are 0 to 33",
)
TRAIN_IDS = ValueCoding(
    identity_and([IGNORE], 19),
    "labelTrainIds of Cityscapes are 0 to 18 and 255. Are these labelIds under another name?",
)
_Codings = tuple[tuple[str, LabelCoding], ...]
_CODINGS: _Codings = (
    ("labelIds", LABEL_IDS),
    ("labelTrainIds", TRAIN_IDS),
)


def _find(root: Path) -> Path | None:
    for labels in ("gtFine", "gtCoarse"):
        found = first_folder(root, ("cityscapes", "Cityscapes"), "leftImg8bit", labels)
        if found is not None:
            return found
    return None


def _splits(root: Path) -> tuple[str, ...]:
    return folders_of(root / "leftImg8bit")


def _read(root: Path, split: str | None) -> tuple[tuple[Sample, ...], ClassTable]:
    images = root / "leftImg8bit" / str(split)
    kinds = [kind for kind in ("gtFine", "gtCoarse") if (root / kind / str(split)).is_dir()]
    if not kinds:
        raise FormatError(f"{printable(root / 'gtFine' / str(split))}: there is no such folder")
    own = written_coding(root)
    codings = _CODINGS if own is None else (("labelTrainIds", own[0]),)
    samples: list[Sample] = []
    for city in folders_of(images):
        samples += _city(images / city, root / kinds[0] / str(split) / city, kinds[0], codings)
    if not samples:
        raise FormatError(f"{printable(images)}: no city in it has images")
    return tuple(samples), palette("cityscapes19") if own is None else own[1]


def _city(
    images: Path, labels: Path, kind: str, codings: _Codings
) -> tuple[Sample, ...]:  # fmt: skip
    """Return the samples of one city; raises `FormatError`."""
    found = images_by_stem(images, "_leftImg8bit")
    if not found:
        raise FormatError(f"{printable(images)}: no image here is called *_leftImg8bit.png")
    for ending, coding in codings:
        present = images_by_stem(labels, f"_{kind}_{ending}")
        if present:
            return paired(found, present, labels, coding)
    raise FormatError(f"{printable(labels)}: neither *_{kind}_labelIds.png nor labelTrainIds.png")


LAYOUT = Layout(
    "cityscapes", "Cityscapes", "leftImg8bit/ and gtFine/", _find, _splits, _read
)  # fmt: skip
