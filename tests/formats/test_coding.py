"""Values and colours become labels exactly, and one without a meaning is named."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from pspgui.formats import FormatError
from pspgui.formats.coding import ColourCoding, ValueCoding
from pspgui.formats.layouts import ade20k, camvid, cityscapes
from pspgui.imaging import DecodeError

BITS = ValueCoding({0: 255, 1: 0, 7: 1, 255: 255}, "expected 0, 1, 7")
COLOURS = {(0, 0, 0): 255, (64, 128, 64): 0, (255, 0, 255): 1, (64, 128, 65): 2}


def png(path: Path, values: np.ndarray) -> Path:
    Image.fromarray(values).save(path)
    return path


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_values_are_looked_up(tmp_path: Path, dtype: type) -> None:
    values = np.array([[0, 1, 7], [255, 7, 1]], dtype)
    labels = BITS.read(png(tmp_path / "a.png", values))

    assert labels.dtype == np.uint8
    assert labels.tolist() == [[255, 0, 1], [255, 1, 0]]


@pytest.mark.parametrize(("value", "dtype"), [(2, np.uint8), (300, np.uint16)])
def test_a_value_without_a_meaning_is_named(tmp_path: Path, value: int, dtype: type) -> None:
    values = np.array([[0, 1], [1, value]], dtype)

    with pytest.raises(FormatError, match=rf"a\.png holds the value {value}; expected 0, 1, 7"):
        BITS.read(png(tmp_path / "a.png", values))
    assert BITS.label_of(value) is None


@given(st.lists(st.sampled_from(sorted(COLOURS)), min_size=6, max_size=6))
def test_colours_are_looked_up(tmp_path_factory: pytest.TempPathFactory, colours: list) -> None:
    path = tmp_path_factory.mktemp("colours") / "a.png"
    pixels = np.array(colours, np.uint8).reshape(2, 3, 3)
    coding = ColourCoding(COLOURS, "no class")

    labels = coding.read(png(path, pixels))

    assert labels.ravel().tolist() == [COLOURS[c] for c in colours]
    found = coding.values_of(path).values
    assert {coding.label_of(v) for v in found} == {COLOURS[c] for c in colours}


@pytest.mark.parametrize("colour", [(64, 128, 63), (255, 255, 255), (0, 0, 1)])
def test_a_colour_that_is_not_listed_is_named(tmp_path: Path, colour: tuple) -> None:
    path = png(tmp_path / "a.png", np.array([[(0, 0, 0), colour]], np.uint8))
    shown = ", ".join(map(str, colour))

    with pytest.raises(FormatError, match=rf"a\.png holds the colour \({shown}\); no class"):
        ColourCoding(COLOURS, "no class").read(path)


def test_colours_are_not_read_from_a_jpeg(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    Image.fromarray(np.zeros((2, 2, 3), np.uint8)).save(path)

    with pytest.raises(DecodeError, match="JPEG"):
        ColourCoding(COLOURS, "").read(path)


def test_the_published_codings() -> None:
    ade, city = ade20k.CODING, cityscapes.LABEL_IDS

    assert [ade.label_of(v) for v in (0, 1, 150, 151, 255)] == [255, 0, 149, None, None]
    assert [city.label_of(v) for v in (7, 8, 11, 26, 33)] == [0, 1, 2, 13, 18]
    assert [city.label_of(v) for v in (0, 9, 10, 29, 30, 255)] == [255] * 6
    assert city.label_of(34) is None
    assert sorted(v for v in map(city.label_of, range(34)) if v != 255) == list(range(19))
    assert [cityscapes.TRAIN_IDS.label_of(v) for v in (0, 18, 19, 255)] == [0, 18, None, 255]
    assert [camvid.PREPARED.label_of(v) for v in (0, 10, 11, 12)] == [0, 10, 255, None]


def test_camvids_32_colours_fall_into_its_eleven_classes(tmp_path: Path) -> None:
    colours = [c for group in camvid._GROUPS.values() for c in group] + [(0, 0, 0)]
    labels = camvid.COLOURED.read(png(tmp_path / "a_L.png", np.array([colours], np.uint8)))

    assert len(set(colours)) == 32
    assert set(labels.ravel().tolist()) == {*range(11), 255}
    by_colour = dict(zip(colours, labels.ravel().tolist(), strict=True))
    names = {
        (64, 192, 0): "Building", (64, 128, 192): "Car", (192, 128, 64): "Pedestrian",
        (128, 0, 192): "Road", (0, 0, 192): "Pavement", (192, 0, 192): "Bicyclist",
    }  # fmt: skip
    for colour, name in names.items():
        assert camvid.CAMVID.names[by_colour[colour]] == name
