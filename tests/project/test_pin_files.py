"""What a project keeps of pins comes back as it was; damage is told and left alone."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pspgui.geometry import Pixel, Rect
from pspgui.labels.raster import Stamp
from pspgui.project.pins import (
    KeptPin,
    PinFileError,
    has_project,
    pins_beside,
    read_pins,
    write_pins,
)


@pytest.fixture
def label_file(tmp_path):
    return tmp_path / ".pspgui" / "labels" / "street.png"


def region(seed, height, width):
    mask = np.random.default_rng(seed).random((height, width)) < 0.5
    mask[0, 0] = True
    return Stamp(Rect(3, 5, 3 + height, 5 + width), mask)


@given(
    names=st.lists(st.text(max_size=20), min_size=1, max_size=4),
    seed=st.integers(0, 99), height=st.integers(1, 9), width=st.integers(1, 9),
)  # fmt: skip
def test_pins_come_back_as_they_were(tmp_path_factory, names, seed, height, width):
    label_file = tmp_path_factory.mktemp("p") / ".pspgui" / "labels" / "street.png"
    pins = [
        KeptPin(i + 1, Pixel(3, 5), region(seed + i, height, width) if i % 2 else None, name)
        for i, name in enumerate(names)
    ]
    write_pins(label_file, pins)
    found = read_pins(label_file)
    assert [(p.number, p.pixel, p.name) for p in found] == [
        (p.number, p.pixel, p.name) for p in pins
    ]
    for mine, its in zip(pins, found, strict=True):
        assert (mine.region is None) == (its.region is None)
        if mine.region is not None:
            assert its.region.rect == mine.region.rect
            assert np.array_equal(its.region.mask, mine.region.mask)


def test_without_pins_there_is_no_file(label_file):
    assert not has_project(label_file)
    write_pins(label_file, [])
    assert read_pins(label_file) == () and not pins_beside(label_file).exists()
    write_pins(label_file, [KeptPin(1, Pixel(1, 2), None, "")])
    write_pins(label_file, [])
    assert read_pins(label_file) == () and pins_beside(label_file).exists()
    assert pins_beside(label_file).name == "street.json" and has_project(label_file)


@pytest.mark.parametrize(
    "change",
    [
        lambda told: told.pop("pins"),
        lambda told: told.update(version=2),
        lambda told: told["pins"][0].update(x=-1),
        lambda told: told["pins"][0].update(x=True),
        lambda told: told["pins"][0].update(name=3),
        lambda told: told["pins"][0].update(runs="\x00"),
        lambda told: told["pins"][0].update(region=[0, 0, 1 << 20, 1 << 20]),
        lambda told: told["pins"][0].update(region=[5, 3, 5, 3]),
        lambda told: told["pins"][0].update(region="here"),
        lambda told: told.update(pins=[7]),
        lambda told: told.update(pins=3),
    ],
)
def test_a_damaged_file_is_told_and_left_as_it_is(label_file, change):
    write_pins(label_file, [KeptPin(1, Pixel(3, 5), region(0, 4, 4), "kerb")])
    path = pins_beside(label_file)
    told = json.loads(path.read_bytes())
    change(told)
    path.write_text(json.dumps(told))
    before = path.read_bytes()
    with pytest.raises(PinFileError, match=r"street\.json cannot be read"):
        read_pins(label_file)
    path.write_bytes(before[:-7])
    with pytest.raises(PinFileError):
        read_pins(label_file)
