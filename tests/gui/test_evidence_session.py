"""The evidence panel in its window: mean bins, windows, and what is remembered."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication
from workplace import Workplace

from pspgui import places
from pspgui.geometry import Pixel
from pspgui.gui.map_scale import MapInView, map_of_opened
from pspgui.imaging import encode_png
from pspgui.jobs.model_choice import ModelChoice
from pspgui.scenes import render_scene

LEFT, NONE = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(places, "cache_folder", lambda: tmp_path / "cache")
    images = tmp_path / "street"
    images.mkdir()
    for i in range(3):
        (images / f"{i}.png").write_bytes(encode_png(render_scene(i, 96, 128).image))
    return images


@pytest.fixture
def place(qtbot, folder):
    there = Workplace(qtbot, places.bundled_model())
    there.open(folder / "0.png")
    there.wait(lambda: len(there.session.images) == 3)
    yield there
    there.close()


def test_a_mean_bin_is_computed_used_and_there_again_with_the_model(place):
    document, reading = place.document, place.window.evidence.reading
    document.set_pin(Pixel(40, 60))
    silent = document.evidence
    assert not reading.popover.baselines["mean"].isEnabled()
    assert "3 images of street" in reading.popover.told.text()
    QTest.mouseClick(reading.popover.compute, LEFT)
    assert not reading.popover.compute.isEnabled()
    place.wait(lambda: document.baseline is not None)
    assert document.evidence.baseline == "the mean bin of 3 images of street"
    assert document.evidence.total == pytest.approx(silent.logit, abs=1e-4)
    assert document.evidence.constant != pytest.approx(silent.constant, abs=1e-3)
    assert reading.note() == "Split, against the mean bin of 3 images of street"
    reading.popover.baselines["zero"].click()
    assert document.baseline is None and document.evidence.constant == silent.constant

    # Another model has none; the first one has its own again, from the cache.
    reading.popover.baselines["mean"].click()
    place.session.open_weights(places.context_lab_model())
    place.wait(lambda: place.session.model.path == places.context_lab_model())
    assert document.baseline is None
    place.session.use_bundled_model()
    place.wait(lambda: document.baseline is not None)
    assert reading.popover.baselines["mean"].isChecked()


def test_how_the_panel_was_left_is_remembered(place, qtbot):
    panel = place.window.evidence
    QTest.mouseClick(panel.switch.buttons["list"], LEFT)
    QTest.mouseClick(panel.switch.numbers, LEFT)
    panel.reading.popover.dwell.click()
    again = Workplace(qtbot, places.bundled_model())
    try:
        found = again.window.evidence
        assert found.switch.view == "list" and found.switch.numbers.isChecked()
        assert found.opens_by_pointing and found.reading.popover.dwell.isChecked()
        assert found.bar.isHidden() and not found.list.isHidden()
    finally:
        again.close()


def test_a_source_of_a_window_lies_over_that_window_alone(place):
    document = place.document
    before = place.session.model
    choice = ModelChoice(places.bundled_model(), "cpu", reading="windows", crop_px=65)
    place.session.apply_choice(choice)
    place.wait(lambda: place.session.model is not before and place.predicted())
    place.wait(lambda: document.by_windows)
    document.set_pin(Pixel(80, 110))
    place.wait(lambda: document.evidence is not None)
    frame = document.window_frame
    assert frame.contains(80, 110) and frame.width < 128
    assert place.window.evidence.reading.isEnabled()  # though the window came after the prediction
    local = document.evidence.sources[0]
    document.open_source(local)
    place.wait(lambda: document.opened is not None)
    opened = document.opened
    assert opened.total == pytest.approx(local.value, abs=1e-4)
    assert opened.region.y0 <= frame.y0 and opened.region.x0 <= frame.x0
    assert opened.region.y1 >= frame.y1 and opened.region.x1 >= frame.x1
    # What lies outside the window is left as it was.
    document.set_view_mode("image")
    canvas = place.window.canvas
    veiled = canvas.grab().toImage()
    document.close_source()
    plain = canvas.grab().toImage()
    inside, outside = place.at(frame.y0 + 4, frame.x0 + 4), place.at(2, 2)
    assert not frame.contains(2, 2)
    assert veiled.pixelColor(inside) != plain.pixelColor(inside)
    assert veiled.pixelColor(outside) == plain.pixelColor(outside)


def shown_meaning(document, times):
    """What the legend says of the opened source, had it biases of so many times its cells' sum."""
    opened = document.opened
    other = replace(opened, constant=times * float(opened.values.sum()))
    return map_of_opened(other, document.prediction).meaning


def test_a_level_opened_from_the_waterfall_is_named_and_is_all_its_bins(place):
    document, panel = place.document, place.window.evidence
    document.set_pin(Pixel(40, 60))
    QTest.mouseClick(panel.switch.buttons["waterfall"], LEFT)
    at = panel.waterfall.row_rect(3).center().toPoint()
    QTest.mouseClick(panel.waterfall, LEFT, NONE, at)
    place.wait(lambda: document.opened is not None)
    assert (document.opened.source.kind, document.opened.source.level) == ("level", 2)
    expected = document.evidence.grid(2).sum()
    assert document.opened.total == pytest.approx(expected, abs=1e-4)
    assert np.count_nonzero(document.opened.values) > 0
    title = map_of_opened(document.opened, document.prediction).title
    assert title.startswith("2×2, all bins: ") and "split" not in title
    assert "biases" not in shown_meaning(document, 0.5)
    assert "no cell's" in shown_meaning(document, 2)
    # Cells are of the split: with other amounts beside them the legend says so.
    shown, canvas = MapInView(document), place.window.canvas
    assert shown.shown.title == title
    legend = canvas.grab().toImage()
    document.set_reading("ablate")
    assert document.opened is not None
    assert shown.shown.title == title.replace("bins: ", "bins: split ")
    assert canvas.grab().toImage() != legend


def test_ctrl_c_after_a_click_into_the_panel_copies_its_evidence(place):
    document, panel = place.document, place.window.evidence
    document.set_pin(Pixel(40, 60))
    place.window.activateWindow()
    place.wait(place.window.isActiveWindow)
    QTest.mouseClick(panel._header, LEFT)
    focused = QApplication.focusWidget()
    assert panel.isAncestorOf(focused) or focused is panel
    QGuiApplication.clipboard().setText("before")
    QTest.keyClick(focused, Qt.Key.Key_C, Qt.KeyboardModifier.ControlModifier)
    text = QGuiApplication.clipboard().text()
    assert text.startswith("image\t") and "0.png" in text.splitlines()[0]
    digest = place.session.model.digest
    assert f"weights\t{digest}" in text and "1x1:1,1" in text
