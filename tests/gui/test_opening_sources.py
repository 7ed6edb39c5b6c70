"""A click on a bin opens it into cells over the picture; Esc puts them away."""

from __future__ import annotations

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from workplace import Workplace

from pspgui import places
from pspgui.evidence.readings import OpenedSource
from pspgui.geometry import Pixel, Rect
from pspgui.gui.panels.evidence_sums import Part
from pspgui.imaging import encode_png
from pspgui.labels.raster import Stamp
from pspgui.scenes import render_scene


@pytest.fixture
def place(qtbot, tmp_path):
    (tmp_path / "street.png").write_bytes(encode_png(render_scene(5, 96, 128).image))
    there = Workplace(qtbot, places.bundled_model())
    there.open(tmp_path / "street.png")
    yield there
    there.close()


def opened(place) -> OpenedSource:
    place.wait(lambda: place.document.opened is not None)
    return place.document.opened


def click(grids, key):
    """Click a bin where it is now: the panel may have been laid out anew."""
    middle = grids.bin_rect(*key).center().toPoint()
    QTest.mouseClick(grids, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, middle)


def test_a_bin_is_opened_closed_and_let_go(place):
    document, grids = place.document, place.window.evidence.grids
    document.set_hover(Pixel(40, 60))
    before = place.window.canvas.grab().toImage()
    click(grids, (1, 0, 0))
    found = opened(place)
    assert document.pin == Pixel(40, 60)
    assert found.total == pytest.approx(document.evidence.sources[1].value, abs=1e-4)
    assert place.window.canvas.grab().toImage() != before

    click(grids, (1, 0, 0))
    assert document.opened is None  # a second click closes it
    click(grids, (1, 0, 0))
    opened(place)
    place.key(Qt.Key.Key_Escape)
    assert document.opened is None and document.pin == Pixel(40, 60)
    place.key(Qt.Key.Key_Escape)
    assert document.pin is None


def test_local_features_are_opened_from_the_legend_and_closed_with_the_pixel(place):
    document = place.document
    document.set_pin(Pixel(30, 30))
    place.window.evidence.bar.part_chosen.emit(Part("local", "local", 0.0, 0.0))
    found = opened(place)
    assert found.source.kind == "local"
    assert np.count_nonzero(found.values) <= 16
    document.set_pin(Pixel(70, 90))
    assert document.opened is None


def test_an_opened_source_follows_the_target(place):
    """The cells over the picture never speak for another class than the panel beside it."""
    document = place.document
    document.set_pin(Pixel(40, 60))
    document.open_source(document.evidence.sources[1])
    first = opened(place)
    document.set_target((first.target.class_id + 1) % len(document.table))
    assert document.opened is None
    again = opened(place)
    assert again.target == document.evidence.target != first.target
    assert again.total == pytest.approx(document.evidence.sources[1].value, abs=1e-4)

    document.set_opened(Pixel(40, 60), first)  # what comes too late is let go of
    assert document.opened is again


def test_a_bin_of_a_region_is_opened_followed_and_let_go(place):
    """A brushed region's bins open like a pixel's: exactly, and closed with the region."""
    document = place.document
    mask = np.random.default_rng(0).random((20, 30)) < 0.6
    mask[10, 15] = True
    pin = document.pins.add_region(Stamp(Rect(30, 40, 50, 70), mask))
    place.wait(lambda: document.evidence is not None)
    grids = place.window.evidence.grids
    middle = grids.bin_rect(1, 0, 0).center().toPoint()
    QTest.mouseClick(grids, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, middle)
    first = opened(place)
    assert document.pins.current is pin and document.place is pin.region
    assert first.total == pytest.approx(document.evidence.sources[1].value, abs=1e-4)

    document.set_target((first.target.class_id + 1) % len(document.table))
    place.wait(lambda: document.opened is not None and document.opened is not first)
    again = document.opened
    assert again.target == document.evidence.target != first.target
    assert again.total == pytest.approx(document.evidence.sources[1].value, abs=1e-4)

    panel = place.window.evidence
    panel.switch.set_view("list")
    place.wait(lambda: not panel.list.chevron_rect().isEmpty())
    chevron = panel.list.chevron_rect().center().toPoint()
    QTest.mouseClick(panel.list, Qt.MouseButton.LeftButton, pos=chevron)
    place.wait(lambda: panel.list.taps is not None)
    assert sum(tap.value for tap in panel.list.taps) == pytest.approx(
        document.evidence.local, abs=1e-4
    )
    document.set_pin(pin.pixel)  # the pixel in its middle is another place
    assert document.opened is None
    document.set_opened(pin.region, again)
    assert document.opened is None


def test_a_map_that_is_asked_for_is_not_hidden_under_opened_cells(place):
    document, maps = place.document, place.window.maps
    document.set_pin(Pixel(40, 60))
    for choose in (
        lambda: maps.choose("confidence"),
        lambda: place.window.pyramid.strip.tile_chosen.emit("features"),
    ):
        document.show_map(None)
        document.open_source(document.evidence.sources[1])
        opened(place)
        choose()
        place.wait(lambda: document.shown_map is not None)
        assert document.opened is None and document.pin == Pixel(40, 60)
