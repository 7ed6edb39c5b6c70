"""A click on a bin opens it into cells over the picture; Esc puts them away."""

from __future__ import annotations

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from workplace import Workplace

from pspgui import places
from pspgui.evidence.readings import OpenedSource
from pspgui.geometry import Pixel
from pspgui.gui.panels.evidence_sums import Part
from pspgui.imaging import encode_png
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


def test_a_bin_is_opened_closed_and_let_go(place):
    document, grids = place.document, place.window.evidence.grids
    document.set_hover(Pixel(40, 60))
    middle = grids.bin_rect(1, 0, 0).center().toPoint()
    before = place.window.canvas.grab().toImage()
    QTest.mouseClick(grids, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, middle)
    found = opened(place)
    assert document.pin == Pixel(40, 60)
    assert found.total == pytest.approx(document.evidence.sources[1].value, abs=1e-4)
    assert place.window.canvas.grab().toImage() != before

    QTest.mouseClick(grids, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, middle)
    assert document.opened is None  # a second click closes it
    QTest.mouseClick(grids, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, middle)
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
