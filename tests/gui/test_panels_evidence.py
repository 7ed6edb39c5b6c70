"""The evidence panel through what a person does: hover, pin, choose, point at bins."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from panel_fakes import SHAPE, predicted_document
from PySide6.QtCore import QObject, QPointF, Qt
from PySide6.QtGui import QColor

from pspgui.geometry import Pixel
from pspgui.gui.document import Document
from pspgui.gui.panels.bin_grids import describe
from pspgui.gui.panels.drawing import percent, short, signed
from pspgui.gui.panels.evidence import EvidencePanel
from pspgui.gui.panels.evidence_empty import what_to_do
from pspgui.gui.panels.evidence_sums import rounded_to_sum, sums_of
from pspgui.gui.theme import DARK, apply_theme


@pytest.fixture
def document(qapp):
    """A document whose every pixel has evidence of four levels."""
    apply_theme(qapp, DARK)
    return predicted_document()


@pytest.fixture
def panel(document, qtbot):
    """The panel at its usual width."""
    panel = EvidencePanel(document)
    qtbot.addWidget(panel)
    panel.resize(320, 480)
    panel.show()
    qtbot.waitExposed(panel)
    return panel


def combos(panel):
    """The two choosers: class and versus."""
    from PySide6.QtWidgets import QComboBox

    return panel.findChildren(QComboBox)


@given(st.lists(st.floats(-50, 50), min_size=1, max_size=8))
def test_printed_amounts_add_up_and_are_moved_by_less_than_a_digit(values):
    total = math.fsum(values)
    shown = rounded_to_sum(values, total)
    assert sum(round(100 * s) for s in shown) == round(total / 0.01)
    assert all(abs(s - v) < 0.01 + 1e-9 for s, v in zip(shown, values, strict=True))


def test_a_true_gap_is_not_hidden_by_rounding():
    assert rounded_to_sum([1.0, 1.0], 3.0) == (1.0, 1.0)


def test_numbers_keep_their_sign_and_zero_has_none_of_minus():
    assert signed(-1.234) == "\u22121.23" and signed(0.5) == "+0.50" and signed(-0.001) == "+0.00"
    assert short(0.15) == "0.15" and short(12.34) == "12.3" and short(-2.0) == "\u22122"
    assert percent(0.0) == "0 %" and percent(0.0001) == "< 0.1 %" and percent(0.5) == "50.0 %"


def test_hovering_shows_the_sums_of_that_pixel(document, panel):
    assert panel.shown is None
    document.set_hover(Pixel(10, 20))
    sums = panel.bar.sums
    assert panel.shown.pixel == (10, 20)
    assert sums.words == "shown margin" and [p.kind for p in sums.parts].count("level") == 4
    parts = round(sums.local + sums.bins + sums.constant, 2)
    assert parts == pytest.approx(sums.total, abs=1e-9)
    assert sums.total == round(document.evidence.logit, 2)


def test_the_reading_stays_when_the_mouse_leaves_and_goes_with_the_image(document, panel):
    document.set_hover(Pixel(10, 20))
    document.set_hover(None)
    assert panel.shown is not None
    document.set_image(np.zeros((*SHAPE, 3), np.uint8), None, "another")
    assert panel.shown is None


def test_pointing_at_a_bin_tells_the_document(document, panel, qtbot):
    document.set_pin(Pixel(10, 20))
    rect = panel.grids.bin_rect(3, 1, 2)
    qtbot.mouseMove(panel.grids, rect.center().toPoint())
    found = document.hovered_bin
    assert (found.level, found.row, found.col) == (3, 1, 2)
    assert found.value == pytest.approx(document.evidence.grid(3)[1, 2])
    assert describe(found).startswith("3×3 row 2, column 3:")
    qtbot.mouseMove(panel.grids, panel.grids.rect().bottomLeft())
    assert document.hovered_bin is None


def test_arrow_keys_walk_through_the_grids_and_escape_lets_go(document, panel, qtbot):
    document.set_pin(Pixel(10, 20))
    panel.grids.setFocus()
    places = []
    for _ in range(4):
        qtbot.keyClick(panel.grids, Qt.Key.Key_Right)
        source = document.hovered_bin
        places.append((source.level, source.row, source.col))
    assert places == [(1, 0, 0), (2, 1, 0), (2, 1, 1), (3, 2, 0)]
    qtbot.keyClick(panel.grids, Qt.Key.Key_Escape)
    assert document.hovered_bin is None


def test_a_bin_pointed_at_follows_to_the_next_pixel(document, panel, qtbot):
    document.set_pin(Pixel(10, 20))
    qtbot.mouseMove(panel.grids, panel.grids.bin_rect(2, 0, 1).center().toPoint())
    document.set_pin(Pixel(30, 40))
    assert document.hovered_bin is document.evidence.sources[1 + 1 + 1]


def test_bins_out_of_reach_say_so_instead_of_a_number(document, panel):
    document.set_hover(Pixel(10, 20))
    source = document.evidence.sources[-1]
    assert not source.reachable
    assert "cannot reach" in describe(source) and "0.00" not in describe(source)


def test_all_grids_have_one_size_and_one_scale(document, panel):
    document.set_hover(Pixel(10, 20))
    sizes = set()
    for level in (1, 2, 3, 6):
        rect = panel.grids.bin_rect(level, 0, 0).united(
            panel.grids.bin_rect(level, level - 1, level - 1)
        )
        sizes.add((round(rect.width()), round(rect.height())))
    assert len(sizes) == 1
    peak = max(np.abs(r.values).max() for r in document.evidence.levels.values())
    assert peak <= panel.grids.limit <= 2 * peak


def test_a_bin_is_painted_in_the_colour_of_its_sign(document, panel):
    document.set_hover(Pixel(10, 20))
    image = panel.grids.grab().toImage()
    values = document.evidence.grid(3)
    for row, col in ((r, c) for r in range(3) for c in range(3)):
        if abs(values[row, col]) > 0.25 * panel.grids.limit:
            corner = panel.grids.bin_rect(3, row, col).topLeft() + QPointF(3, 3)
            colour = image.pixelColor(corner.toPoint())
            assert (colour.red() > colour.blue()) == (values[row, col] > 0)


def test_unpinning_by_the_button(document, panel, qtbot):
    button = panel._pin_button
    document.set_hover(Pixel(5, 6))
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    assert document.pin == (5, 6) and button.isChecked()
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    assert document.pin is None and not button.isChecked()


def test_choosing_what_is_explained(document, panel, qtbot):
    class_box, versus_box = combos(panel)
    document.set_pin(Pixel(5, 6))
    assert not versus_box.isEnabled()
    qtbot.keyClick(class_box, Qt.Key.Key_Down)
    assert document.target == (0, None) and versus_box.isEnabled()
    assert panel.bar.sums.words == "shown logit"
    qtbot.keyClick(versus_box, Qt.Key.Key_End)
    assert document.target == (0, 10)
    assert panel.bar.sums.words == "shown margin"
    qtbot.keyClick(class_box, Qt.Key.Key_Home)
    assert document.target == (None, None) and not versus_box.isEnabled()


def test_the_bar_finds_the_part_under_the_mouse(document, panel):
    document.set_hover(Pixel(10, 20))
    bar, found = panel.bar, set()
    for x in range(bar.width()):
        part = bar.part_at(QPointF(x, 16))
        if part is not None:
            found.add(part.name)
    big = {p.name for p in bar.sums.parts if abs(p.value) > 0.3}
    assert big <= found
    assert bar.part_at(QPointF(10, 200)) is None


def test_a_hover_creates_no_widget(document, panel, qapp):
    document.set_hover(Pixel(0, 0))
    before = panel.findChildren(QObject)
    for i in range(20):
        document.set_hover(Pixel(i, i))
        qapp.processEvents()
    assert panel.findChildren(QObject) == before


def test_sums_of_a_single_class_are_a_logit(document):
    document.set_target(2)
    document.set_hover(Pixel(1, 1))
    assert sums_of(document.evidence).words == "shown logit"


def test_empty_places_say_what_to_do(qtbot, qapp):
    apply_theme(qapp, DARK)
    panel = EvidencePanel(Document())
    qtbot.addWidget(panel)
    panel.resize(320, 400)
    panel.show()
    image = panel.grab().toImage()
    colours = {image.pixelColor(x, y).name() for x in range(320) for y in range(0, 400, 2)}
    assert QColor(DARK.text).name() in colours
    assert "Open an image" in what_to_do(Document())[1]
