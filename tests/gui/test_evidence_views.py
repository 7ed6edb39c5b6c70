"""The evidence panel's forms: waterfall, list by size, taps, numbers; taking them elsewhere."""

from __future__ import annotations

import csv
import io
import json
from itertools import pairwise

import numpy as np
import pytest
from panel_fakes import FourLevels, predicted_document
from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QFontMetrics, QGuiApplication, QImage, QPainter
from PySide6.QtTest import QTest
from small_branches import IMAGE, deeplab, fcn, features_of
from small_branches import evidence_of as branch_evidence_of
from small_networks import head_activations, random_features, small_network

from pspgui.evidence.psp import PSPEvidence, mean_bins
from pspgui.geometry import Pixel, Rect
from pspgui.gui.canvas.camera import Camera
from pspgui.gui.canvas.read_marks import ReadMark
from pspgui.gui.document import Document
from pspgui.gui.panels.evidence import EvidencePanel
from pspgui.gui.panels.evidence_bar import EvidenceBar
from pspgui.gui.panels.evidence_ranking import ranking_of
from pspgui.gui.panels.evidence_sums import source_of, sums_of, walk_of
from pspgui.gui.panels.waterfall import ticks
from pspgui.gui.theme import DARK, apply_theme, quiet_font, text_font
from pspgui.inference.activations import Prediction
from pspgui.labels.classes import table

PADDED = (49, 57)
LEFT, NONE = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier


def shown(qtbot, document, width=320):
    panel = EvidencePanel(document)
    qtbot.addWidget(panel)
    panel.resize(width, 700)
    panel.show()
    qtbot.waitExposed(panel)
    return panel


def document_of(activations, evidence, shape):
    document = Document()
    document.set_table(table(*((f"class {i}", (i, i, i)) for i in range(len(activations.scores)))))
    document.set_image(np.zeros((*shape, 3), np.uint8), None, "street")
    said = Prediction(
        np.zeros(shape, np.uint8), activations.scores, shape, activations.padded_shape,
        activations.align_corners, activations.stamp, 0.0,
    )  # fmt: skip
    document.set_prediction(said, (), evidence)
    return document


@pytest.fixture
def made_up(qapp):
    apply_theme(qapp, DARK)
    return predicted_document()


@pytest.fixture
def pyramid(qapp):
    apply_theme(qapp, DARK)
    model = small_network(3, levels=(1, 2, 3))
    activations, head = head_activations(model, random_features(model, (6, 7)), PADDED)
    document = document_of(activations, PSPEvidence(activations, head.weights()), PADDED)
    document.set_pin(Pixel(20, 30))
    return document


@pytest.fixture
def branches(qapp):
    apply_theme(qapp, DARK)
    model = deeplab(rates=(2, 5))
    evidence = branch_evidence_of(model, features_of(model))
    document = document_of(evidence.activations, evidence, IMAGE)
    document.set_pin(Pixel(3, 4))
    return document


# -- the waterfall --------------------------------------------------------------------------------


def test_the_waterfall_ends_at_the_number_shown(made_up, qtbot):
    panel = shown(qtbot, made_up)
    QTest.mouseClick(panel.switch.buttons["waterfall"], LEFT)
    for pixel in ((10, 20), (3, 5), (59, 79)):
        made_up.set_hover(Pixel(*pixel))
        steps = panel.waterfall.walk.steps
        assert [s.part.name for s in steps] == ["constant", "local", "1×1", "2×2", "3×3", "6×6"]
        assert steps[0].before == 0.0
        assert all(a.after == b.before for a, b in pairwise(steps))
        assert steps[-1].after == pytest.approx(made_up.evidence.logit)
        assert steps[-1].running == round(made_up.evidence.logit, 2)
        for index, step in enumerate(steps):
            bar = panel.waterfall.bar_rect(index)
            assert bar.left() >= 0 and bar.right() <= panel.waterfall.width()
            if index:
                before = panel.waterfall.bar_rect(index - 1)
                met = before.right() if steps[index - 1].part.value > 0 else before.left()
                began = bar.left() if step.part.value > 0 else bar.right()
                assert abs(met - began) <= 1.0


def test_the_interaction_is_the_last_step(pyramid):
    pyramid.set_reading("ablate")
    walk = walk_of(sums_of(pyramid.evidence))
    assert walk.steps[-1].part.kind == "interaction"
    assert walk.steps[-1].after == pytest.approx(pyramid.evidence.logit, abs=1e-5)


@pytest.mark.parametrize("build", [deeplab, fcn])
def test_the_walk_of_silenced_branches_ends_at_the_number_shown(build):
    model = build()
    evidence = branch_evidence_of(model, features_of(model))
    found = evidence.at((0, 0), None, "ablate")
    for each_tap in (False, True):
        sums = sums_of(found, each_tap)
        assert sum(part.value for part in sums.parts) == pytest.approx(found.logit, abs=1e-5)
        assert round(sum(amount for _, amount in sums.terms[:-1]), 2) == sums.total
        one = len([part for part in sums.parts if part.kind == "level"]) == 1
        assert ("interaction" in [part.name for part in sums.parts]) != one
    assert "interaction" in [row.name for row in ranking_of(found).rows]


def test_the_list_of_silenced_bins_has_no_interaction_of_levels(pyramid):
    pyramid.set_reading("ablate")
    names = [row.name for row in ranking_of(pyramid.evidence).rows]
    assert "constant" in names and "interaction" not in names


def test_a_sum_of_many_terms_is_said_in_fewer_where_it_is_narrow(qtbot, pyramid):
    pyramid.set_reading("ablate")
    sums, bar = sums_of(pyramid.evidence), EvidenceBar()
    qtbot.addWidget(bar)
    bar.set_sums(sums)
    fonts = QFontMetrics(text_font(bar)), QFontMetrics(quiet_font(bar))
    said = {}
    for width in (900, 200):
        bar.resize(width, bar.sizeHint().height())
        said[width] = bar.terms_for(*fonts)
        *terms, (_, total) = said[width]
        assert round(sum(amount for _, amount in terms), 2) == total == sums.total
    assert said[900] == sums.terms
    assert [name for name, _ in said[200]] == ["sources", "constant", "interaction", "margin"]


def test_each_tap_of_a_convolution_is_a_step_and_its_grid_is_there_too(qapp, qtbot):
    apply_theme(qapp, DARK)
    model = fcn()
    evidence = branch_evidence_of(model, features_of(model))
    document = document_of(evidence.activations, evidence, IMAGE)
    document.set_pin(Pixel(0, 0))
    panel = shown(qtbot, document)
    QTest.mouseClick(panel.switch.buttons["waterfall"], LEFT)
    steps = panel.waterfall.walk.steps
    assert len(steps) == 10 and steps[1].part.name == "above left"
    assert steps[-1].after == pytest.approx(document.evidence.logit)
    assert panel.grids.isVisible()
    qtbot.mouseMove(panel.waterfall, panel.waterfall.row_rect(5).center().toPoint())
    assert document.hovered_bin.title == "centre"
    assert "Point at a tap" in panel.grids.hints[0] and "bin" not in " ".join(panel.grids.hints)
    assert panel.grids.tip_at(panel.grids.bin_rect(3, 0, 2).center()).startswith("tap above right:")


def test_pointing_at_a_step_shows_where_it_looks_and_a_click_opens_it(pyramid, qtbot):
    panel = shown(qtbot, pyramid)
    QTest.mouseClick(panel.switch.buttons["waterfall"], LEFT)
    at = panel.waterfall.row_rect(3).center().toPoint()
    qtbot.mouseMove(panel.waterfall, at)
    found = pyramid.hovered_bin
    assert (found.kind, found.level) == ("level", 2)
    assert found.value == pytest.approx(pyramid.evidence.grid(2).sum())
    with qtbot.waitSignal(pyramid.opening_wanted) as asked:
        QTest.mouseClick(panel.waterfall, LEFT, NONE, at)
    assert asked.args[0] == found
    QTest.mouseMove(panel.waterfall, panel.waterfall.row_rect(6).center().toPoint())
    assert pyramid.hovered_bin is None


def test_the_keyboard_walks_through_the_steps(pyramid, qtbot):
    panel = shown(qtbot, pyramid)
    QTest.mouseClick(panel.switch.buttons["waterfall"], LEFT)
    panel.waterfall.setFocus()
    qtbot.keyClick(panel.waterfall, Qt.Key.Key_Down)
    assert pyramid.hovered_bin is None  # the constant lies nowhere
    qtbot.keyClick(panel.waterfall, Qt.Key.Key_Down)
    assert pyramid.hovered_bin.kind == "local"
    with qtbot.waitSignal(pyramid.opening_wanted):
        qtbot.keyClick(panel.waterfall, Qt.Key.Key_Return)


def test_ticks_are_round_and_hold_zero():
    assert ticks(-1.3, 6.8) == (0.0, 5.0)
    assert ticks(-1.81, 0.25) == (-1.0, 0.0)
    assert ticks(-0.1, 7.2) == (0.0, 2.0, 4.0, 6.0)
    assert 0.0 in ticks(-0.02, 0.01) and 0.0 in ticks(-9, -0.0)


# -- the list -------------------------------------------------------------------------------------


def test_the_list_holds_everything_once_and_its_shares_add_up(made_up):
    made_up.set_pin(Pixel(10, 20))
    evidence = made_up.evidence
    ranking = ranking_of(evidence)
    sizes = [abs(row.value) for row in ranking.rows]
    assert sizes == sorted(sizes, reverse=True)
    assert ranking.unreachable == 6  # the last row of 6 x 6
    assert len(ranking.rows) + ranking.unreachable == len(evidence.sources) + 1
    assert sum(row.value for row in ranking.rows) == pytest.approx(evidence.logit)
    assert sum(row.share for row in ranking.rows) == pytest.approx(1)
    assert ranking.rows[-1].so_far == pytest.approx(1)


def test_rows_are_pointed_at_and_opened(made_up, qtbot):
    made_up.set_pin(Pixel(10, 20))
    panel = shown(qtbot, made_up)
    QTest.mouseClick(panel.switch.buttons["list"], LEFT)
    for index, row in enumerate(panel.list.ranking.rows[:4]):
        at = panel.list.row_rect(index).center().toPoint()
        qtbot.mouseMove(panel.list, at)
        assert made_up.hovered_bin is row.source
        is_bin = row.source is not None and row.source.kind == "bin"
        assert panel.grids.pointed == (row.source if is_bin else None)
        if row.source is not None:
            with qtbot.waitSignal(made_up.opening_wanted):
                QTest.mouseClick(panel.list, LEFT, NONE, at)
    last = panel.list.row_rect(len(panel.list.ranking.rows))
    assert panel.list.source_at(last.center()) is None


def test_local_is_unfolded_into_taps_that_add_up_to_it(pyramid, qtbot):
    panel = shown(qtbot, pyramid)
    QTest.mouseClick(panel.switch.buttons["list"], LEFT)
    before = panel.list.sizeHint().height()
    for reading in ("split", "ig"):
        panel.reading.choices[reading].click()
        if not panel.list.is_unfolded:
            QTest.mouseClick(panel.list, LEFT, NONE, panel.list.chevron_rect().center().toPoint())
        qtbot.waitUntil(lambda: bool(panel.list.taps))
        assert len(panel.list.taps) == 9
        total = sum(tap.value for tap in panel.list.taps)
        assert total == pytest.approx(pyramid.evidence.local, abs=1e-4)
    assert panel.list.sizeHint().height() > before
    tap = panel.list.taps[4]
    qtbot.mouseMove(panel.list, panel.list.tap_rect(4).center().toPoint())
    assert pyramid.hovered_bin is tap and tap.region.contains(20, 30)
    panel.reading.choices["ablate"].click()
    assert panel.list.chevron_rect().isEmpty()  # there they would not add up


def test_lists_of_branches_name_what_cannot_reach(branches, qtbot):
    panel = shown(qtbot, branches)
    QTest.mouseClick(panel.switch.buttons["list"], LEFT)
    names = {row.name for row in panel.list.ranking.rows}
    assert {"ASPP rate 2", "constant"} <= names
    assert panel.list.chevron_rect().isEmpty()


# -- readings, numbers, targets -------------------------------------------------------------------


def test_shapley_shows_local_and_levels_and_says_why_there_are_no_bins(pyramid, qtbot):
    panel = shown(qtbot, pyramid)
    panel.reading.choices["shapley"].click()
    assert pyramid.evidence.reading == "shapley" and not panel.grids.isVisible()
    assert panel.aside.isVisible() and "whole levels" in panel.aside.text()
    sums = panel.bar.sums
    assert sum(part.value for part in sums.parts) == pytest.approx(pyramid.evidence.logit, abs=1e-5)
    assert source_of(pyramid.evidence, sums.parts[2]).kind == "level"
    panel.reading.choices["split"].click()
    assert panel.grids.isVisible() and not panel.aside.isVisible()


def test_a_mean_bin_is_named_and_never_of_another_network(pyramid, qtbot):
    panel = shown(qtbot, pyramid)
    means = mean_bins([pyramid.engine.activations], "the mean bin of 7 images of street")
    pyramid.set_baseline(means)
    assert pyramid.evidence.baseline == means.name
    assert means.name in panel.reading.note()
    assert panel.reading.popover.baselines["mean"].isChecked()
    sums = panel.bar.sums
    assert sum(part.value for part in sums.parts) == pytest.approx(pyramid.evidence.logit, abs=1e-5)
    other = small_network(3, levels=(1, 2))
    activations, head = head_activations(other, random_features(other, (6, 7)), PADDED)
    pyramid.set_prediction(pyramid.prediction, (), PSPEvidence(activations, head.weights()))
    assert pyramid.baseline is None and pyramid.evidence.baseline == "zero"


def test_numbers_on_demand_give_fine_levels_a_row_of_their_own(made_up, qtbot):
    made_up.set_pin(Pixel(10, 20))
    panel = shown(qtbot, made_up)
    high = panel.grids.sizeHint().height()
    small = panel.grids.bin_rect(6, 0, 0)
    QTest.mouseClick(panel.switch.numbers, LEFT)
    assert panel.grids.sizeHint().height() > high
    assert panel.grids.bin_rect(6, 0, 0).width() > 3 * small.width()
    tops = {level: panel.grids.bin_rect(level, 0, 0).top() for level in (1, 2, 3, 6)}
    assert tops[1] == tops[2] == tops[3] < tops[6]
    QTest.mouseClick(panel.switch.numbers, LEFT)
    assert panel.grids.bin_rect(6, 0, 0) == small


def test_the_one_bin_of_the_whole_picture_has_the_amount_of_its_level(pyramid):
    from pspgui.gui.panels.bin_grids import _as_in_sums

    moved = 0
    for x in range(PADDED[1]):
        pyramid.set_pin(Pixel(20, x))
        evidence = pyramid.evidence
        value = float(evidence.grid(1)[0, 0])
        level = next(part for part in sums_of(evidence).parts if part.level == 1)
        assert _as_in_sums(evidence, value) == level.shown
        moved += round(value, 2) != level.shown
    assert moved  # else nothing was tried: printed amounts are moved so that they add up


def test_small_numbers_keep_their_decimals_where_bins_are_narrow(qapp):
    from PySide6.QtGui import QFontMetrics

    from pspgui.gui.panels.bin_grids import _writer

    metrics = QFontMetrics(qapp.font())
    high = metrics.height()

    def written(text, limit, least):
        write = _writer(metrics, (metrics.horizontalAdvance(text) + 1, high), limit, least)
        return None if write is None else write(-0.05)

    assert written("−0.50", 0.5, 1) == "−0.05"
    assert written("−.50", 0.5, 1) == "−.05"
    assert written("−.50", 0.5, 2) is None  # where numbers are not asked for
    assert written("−5.0", 5.0, 1) == "−0.1"
    assert written("−", 0.5, 1) is None


@pytest.mark.parametrize(("width", "whole"), [(320, True), (248, False)])
def test_what_does_not_fit_is_elided_and_told_by_the_tooltip(made_up, qtbot, width, whole):
    panel = shown(qtbot, made_up, width)
    box = panel.targets.versus_box
    assert box.currentText() == "over runner-up"
    assert (box.shown_text() == box.currentText()) == whole
    assert ("over runner-up" in box.toolTip()) == (not whole)
    assert panel.targets.class_box.geometry().right() < box.geometry().left()
    assert box.geometry().right() <= panel.width()


# -- taking it elsewhere --------------------------------------------------------------------------


def test_the_evidence_is_copied_as_table_csv_and_json(pyramid, qtbot):
    panel = shown(qtbot, pyramid)
    evidence, clipboard = pyramid.evidence, QGuiApplication.clipboard()
    panel.copying.choices["csv"].trigger()
    rows = list(csv.DictReader(io.StringIO(clipboard.text())))
    assert sum(float(row["value"]) for row in rows) == pytest.approx(evidence.logit, abs=1e-5)
    assert {row["reading"] for row in rows} == {"split"}
    panel.copying.choices["json"].trigger()
    found = json.loads(clipboard.text())
    told = evidence.to_json(pyramid.reading_table)
    assert {key: found[key] for key in told} == told
    assert (found["image"], found["x"], found["y"]) == ("street", 30, 20)
    assert found["model_digest"] == "none"
    panel.copying.choices["table"].trigger()
    lines = clipboard.text().splitlines()
    assert lines[0] == "image\tstreet" and lines[5].startswith("pin\tx\ty\t")
    assert len(lines) == 6 + 1 + len(evidence.sources)


def test_ctrl_c_copies_and_there_may_be_nothing_to_copy(made_up, qtbot):
    panel = shown(qtbot, made_up)
    assert not panel.copying.isEnabled() and not panel.copying.copy()
    made_up.set_hover(Pixel(10, 20))
    QGuiApplication.clipboard().setText("before")
    panel.setFocus()
    with qtbot.waitSignal(made_up.message):
        qtbot.keyClick(panel, Qt.Key.Key_C, Qt.KeyboardModifier.ControlModifier)
    assert "6x6:1,1" in QGuiApplication.clipboard().text()


# -- what is read where ---------------------------------------------------------------------------


def test_pointing_for_a_moment_opens_only_if_so_wished(pyramid, qtbot):
    panel = shown(qtbot, pyramid)
    middle = panel.grids.bin_rect(2, 0, 0).center().toPoint()
    qtbot.mouseMove(panel.grids, middle)
    assert not panel._dwell_timer.isActive()
    qtbot.mouseMove(panel.grids, panel.grids.rect().bottomLeft())
    panel.opens_by_pointing = True
    panel._dwell_timer.setInterval(1)
    with qtbot.waitSignal(pyramid.opening_wanted):
        qtbot.mouseMove(panel.grids, middle)


def test_a_branch_pointed_at_shows_its_taps_and_says_which_are_lost(branches, qtbot):
    panel = shown(qtbot, branches)
    mark = ReadMark(branches)
    camera = Camera()
    camera.set_image_shape(*IMAGE)
    camera.resize(200, 300, 1.0)
    assert mark.found is None
    wide = next(p for p in panel.bar.sums.parts if p.name == "ASPP rate 5")
    panel.bar.part_pointed.emit(wide)
    found = mark.found
    inside, outside = branches.engine.constellation((3, 4), branches.hovered_bin)
    assert (len(found.points), len(found.missed)) == (len(inside), len(outside))
    assert mark.bounds(camera).contains(camera.to_widget_rect(Rect(0, 0, *IMAGE)))
    image = QImage(300, 200, QImage.Format.Format_ARGB32)
    image.fill(0)
    with QPainter(image) as painter:
        mark.paint(painter, camera, QRectF(0, 0, 300, 200))
    # Dots are light and lie in the picture, rings have the colour of warnings.
    seen = {image.pixelColor(x, y).name() for x in range(300) for y in range(200)}
    assert "#ffffff" in seen and DARK.warning in seen
    assert panel.reads.isVisible()
    assert f"{found.lost} of {found.reads} reads fall into the padding" in panel.reads.text()
    panel.bar.part_pointed.emit(None)
    assert mark.found is None and not panel.reads.isVisible()


def test_what_reads_a_bin_follows_the_bin_pointed_at(pyramid):
    mark = ReadMark(pyramid)
    for source in pyramid.evidence.sources:
        pyramid.set_hovered_bin(source)
        if source.kind == "bin":
            expected = pyramid.engine.reach_map(source.level, source.row, source.col)
            assert np.array_equal(mark.found.weights, expected)
        else:
            assert mark.found is None


def test_made_up_evidence_has_no_footprints(made_up):
    made_up.set_pin(Pixel(3, 3))
    made_up.set_hovered_bin(made_up.evidence.sources[3])
    assert isinstance(made_up.engine, FourLevels) and ReadMark(made_up).found is None
    assert made_up.evidence.sources[3].region != Rect(0, 0, 0, 0)


# -- what takes longer than a hover ---------------------------------------------------------------


class Slow(PSPEvidence):
    """A pyramid whose ablation is said to be slow; writes down what it was asked."""

    slow_readings = ("ablate",)

    def __init__(self, *parts):
        super().__init__(*parts)
        self.asked = []

    def at(self, pixel, target=None, reading="split", baseline=None):
        self.asked.append((tuple(pixel), reading))
        return super().at(pixel, target, reading, baseline)


@pytest.fixture
def slow(qapp):
    apply_theme(qapp, DARK)
    model = small_network(3, levels=(1, 2, 3))
    activations, head = head_activations(model, random_features(model, (6, 7)), PADDED)
    return document_of(activations, Slow(activations, head.weights()), PADDED)


def test_a_slow_reading_comes_later_and_only_that_of_the_last_pixel(slow, qtbot):
    panel = shown(qtbot, slow)
    slow.set_hover(Pixel(5, 5))
    assert slow.evidence.reading == "split"  # at once
    slow.engine.asked.clear()
    slow.set_reading("ablate")
    for x in range(10, 20):
        slow.set_hover(Pixel(5, x))
    assert slow.engine.asked == [] and slow.evidence.pixel == (5, 5)
    assert panel._header._waiting
    qtbot.waitUntil(lambda: slow.evidence.pixel == (5, 19))
    assert slow.engine.asked == [((5, 19), "ablate")]
    assert slow.evidence.reading == "ablate" and not panel._header._waiting


def test_a_slow_answer_that_nobody_wants_any_more_is_let_go(slow, qtbot):
    slow.set_reading("ablate")
    slow.set_hover(Pixel(5, 5))
    with qtbot.waitSignal(slow.later.waits) as told:
        slow.set_reading("split")
    assert told.args == [False] and slow.evidence.reading == "split"
    slow.set_reading("ablate")
    slow.set_prediction(slow.prediction, (), None)
    assert slow.evidence is None
    qtbot.wait(80)
    assert slow.evidence is None
