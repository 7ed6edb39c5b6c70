"""The strip's modes: what tiles show, what the canvas gets, what is pointed at and remembered."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from channel_case import SHAPE, channel_document, show
from panel_fakes import four_views, predicted_document
from PySide6.QtCore import QEvent, QPointF, QRectF, Qt
from PySide6.QtGui import QMouseEvent
from PySide6.QtWidgets import QApplication

from pspgui.evidence.channels import channel_shares
from pspgui.evidence.readings import Target
from pspgui.geometry import Pixel, Rect
from pspgui.gui.canvas.canvas import Canvas
from pspgui.gui.canvas.mark_set import MarkSet
from pspgui.gui.commands.strip import ROWS
from pspgui.gui.panels.map_numbers import MapNumbers, row_texts
from pspgui.gui.panels.pyramid import PyramidPanel
from pspgui.gui.panels.pyramid_frame import StripFrame
from pspgui.gui.panels.pyramid_painting import Look, value_text
from pspgui.gui.panels.pyramid_tiles import number_words
from pspgui.gui.settings import Settings
from pspgui.gui.theme import DARK, apply_theme
from pspgui.inference.channels import all_statistics, channel_maps, principal_colours
from pspgui.jobs.strip import StripMode
from pspgui.labels.raster import Stamp


class Case:
    """A strip with a canvas, over a small network's real maps."""

    def __init__(self, qtbot, settings=None):
        self.qtbot = qtbot
        self.document, self.evidence = channel_document()
        self.canvas = Canvas(self.document)
        self.panel = PyramidPanel(self.document, None, self.canvas, settings or Settings())
        for widget, size in ((self.canvas, (400, 300)), (self.panel, (1100, 150))):
            qtbot.addWidget(widget)
            widget.resize(*size)
            widget.show()
        self.strip, self.header = self.panel.strip, self.panel.header

    def settle(self):
        """Wait until all tiles have the pictures of the mode."""
        self.qtbot.waitUntil(lambda: not self.panel.maps.is_pending)
        self.qtbot.waitUntil(lambda: not self.panel._making.isActive())

    def choose(self, show_=None, shape=None):
        if show_ is not None:
            self.qtbot.mouseClick(self.header.shows[show_], Qt.MouseButton.LeftButton)
        if shape is not None:
            self.header.shapes[shape].trigger()
        self.settle()

    def tile(self, name):
        return next(tile for tile in self.strip.tiles if tile.name == name)

    def click(self, name):
        at = self.strip.rect_of(name).center().toPoint()
        self.qtbot.mouseClick(self.strip, Qt.MouseButton.LeftButton, pos=at)


def move(widget, point):
    """Move the mouse over a widget, whatever other window lies there."""
    none = Qt.MouseButton.NoButton
    event = QMouseEvent(
        QEvent.Type.MouseMove, point, widget.mapToGlobal(point), none, none,
        Qt.KeyboardModifier.NoModifier,
    )  # fmt: skip
    QApplication.sendEvent(widget, event)


@pytest.fixture
def case(qtbot, qapp):
    apply_theme(qapp, DARK)
    case = Case(qtbot)
    case.settle()
    return case


def test_a_number_shows_that_channel_of_every_map(case):
    case.choose("channel")
    case.header.number.setValue(3)
    case.settle()
    known = case.evidence.activations
    for name in ("features", "level-3", "fused"):
        wide = channel_maps(known, name, "upsampled").channel(3)
        assert np.array_equal(case.tile(name).values[1], wide)
        assert case.tile(name).badge == "· 3"
    bins = channel_maps(known, "level-3", "reduced").channel(3)
    assert np.array_equal(case.tile("level-3").values[0], bins)
    assert case.tile("score").badge == ""
    case.header.number.setValue(7)  # levels have five channels, the hidden layer has eight
    case.settle()
    assert case.tile("level-2").after is None and "only 5" in case.tile("level-2").words
    assert case.tile("fused").after is not None
    case.click("level-2")
    assert case.document.shown_map is None


def test_every_form_of_the_levels_can_be_shown(case):
    known = case.evidence.activations
    for shape in ("pooled", "reduced", "upsampled"):
        case.choose(shape=shape)
        tile = case.tile("level-2")
        assert not tile.two and tile.bins == (shape != "upsampled")
        assert np.array_equal(tile.values[1], channel_maps(known, "level-2", shape).norm())
    case.choose(shape="pair")
    assert case.tile("level-2").two
    assert case.panel.maps.drawn == {}


def test_pooled_norms_share_a_scale(case):
    case.choose(shape="pooled")
    limits = {case.tile(f"level-{b}").limits for b in (1, 2, 3)}
    assert len(limits) == 1


def test_top_channels_are_those_that_add_most_at_the_pin(case):
    case.document.set_target(2)
    case.document.set_pin(Pixel(30, 40))
    case.choose("top")
    case.header.number.setValue(2)
    case.settle()
    shares = channel_shares(case.evidence, "level-2", "upsampled", (30, 40), Target(2)).values
    best = np.argsort(-np.abs(shares), kind="stable")[:2]
    weights = np.zeros((1, len(shares)))
    weights[0, best] = shares[best] / np.abs(shares[best]).sum()
    maps = channel_maps(case.evidence.activations, "level-2", "upsampled")

    assert np.allclose(case.tile("level-2").values[1], maps.mixed(weights)[0], atol=1e-6)
    assert case.tile("level-2").is_signed
    assert str(best[0]) in case.tile("level-2").words
    assert "40,30" in case.header.words.text
    before = case.tile("level-2").words
    case.document.set_pin(Pixel(3, 4))
    case.settle()
    assert case.tile("level-2").words != before
    case.document.set_pin(None)
    case.settle()
    assert "mean over the image" in case.header.words.text


def test_top_channels_of_a_pinned_region_are_its_own(case):
    region = Stamp(Rect(10, 10, 40, 50), np.ones((30, 40), bool))
    case.document.pins.add_region(region)
    case.choose("top")
    shares = channel_shares(case.evidence, "fused", "reduced", region).values
    best = int(np.abs(shares).argmax())
    assert f": {best} (" in case.tile("fused").words
    assert "region of 1200 px" in case.header.words.text
    before = case.tile("fused").words
    case.document.pins.add_region(Stamp(Rect(0, 0, 3, 3), np.ones((3, 3), bool)))
    case.settle()
    assert case.tile("fused").words != before


def test_colours_of_bins_and_of_their_interpolation_correspond(case):
    case.choose("colours")
    known = case.evidence.activations
    wide = channel_maps(known, "level-3", "upsampled")
    picture = principal_colours(wide).picture(wide)
    drawn = case.tile("level-3").after
    y, x = 4, 7
    expected = np.rint(255 * picture[y, x]).astype(int).tolist()
    assert list(drawn.pixelColor(x, y).getRgb()[:3]) == expected
    assert case.tile("level-3").values == (None, None)
    case.click("level-3")
    shown = case.document.canvas_map
    assert shown.kind == "colours" and shown.values.shape == (9, 11, 3)
    assert shown.value_at(3, 3) is None


def test_a_tile_on_the_canvas_follows_the_mode(case):
    case.click("level-2")
    assert case.document.shown_map == "level-2"
    case.choose("channel")
    case.qtbot.waitUntil(lambda: case.document.canvas_map is not None)
    assert case.document.canvas_map.title == "2×2 · 0"
    assert case.strip._marked == "level-2"
    case.header.number.setValue(2)
    shown = case.document
    case.qtbot.waitUntil(lambda: getattr(shown.canvas_map, "title", "") == "2×2 · 2")
    case.choose("norm")
    case.qtbot.waitUntil(lambda: case.document.shown_map == "level-2")
    assert case.document.canvas_map is None
    case.click("level-2")
    assert case.document.shown_map is None


def test_bins_lie_over_what_they_pool_on_the_canvas(case):
    case.choose(shape="pooled")
    case.click("level-2")
    shown = case.document.canvas_map
    assert not shown.interpolates and not shown.lattice.align_corners
    assert shown.value_at(0, 0) == shown.value_at(31, 39) == shown.values[0, 0]
    assert shown.value_at(33, 0) == shown.values[1, 0]


def test_modes_survive_another_image_and_another_start(case, qtbot):
    case.choose("channel", "upsampled")
    case.header.number.setValue(1)
    case.settle()
    evidence = show(case.document, 4)
    case.settle()
    wide = channel_maps(evidence.activations, "level-3", "upsampled").channel(1)
    assert np.array_equal(case.tile("level-3").values[1], wide)

    again = Case(qtbot)
    again.settle()
    assert again.panel.maps.mode == StripMode("channel", "upsampled", 1)
    assert again.header.shows["channel"].isChecked() and again.header.number.value() == 1
    assert again.tile("level-3").badge == "· 1"


def test_text_of_a_mode_is_read_back_and_nonsense_is_not():
    for mode in (StripMode(), StripMode("top", "pooled", 7, 16), StripMode("colours", "reduced")):
        assert StripMode.from_text(mode.to_text()) == mode
    for text in ("", "norm", "huge pair 0 3", "top pair x 3", "norm sideways 1 1"):
        assert StripMode.from_text(text) == StripMode()
    assert StripMode.from_text("top pair 99999 99") == StripMode("top", "pair", 9999, 16)


def test_without_evidence_only_norms_can_be_shown(qtbot, qapp):
    document = predicted_document()
    panel = PyramidPanel(document)
    qtbot.addWidget(panel)
    panel.resize(1100, 150)
    panel.show()
    panel.maps.set_mode(StripMode("channel"))
    assert not panel.header.shows["channel"].isEnabled()
    assert "read whole" in panel.header.words.text
    qtbot.waitUntil(lambda: all(tile.after is not None for tile in panel.strip.tiles))
    assert [tile.name for tile in panel.strip.tiles] == [view.name for view in four_views()]


# -- pointing and zooming -------------------------------------------------------------------------


def test_pointing_at_a_tile_points_at_the_image_and_shows_values(case):
    told = []
    case.panel.pointed.connect(told.append)
    picture = case.strip.pictures_of("features")[0]
    move(case.strip, picture.center())
    pixel = case.document.hover
    assert abs(pixel.y - 30) <= 2 and abs(pixel.x - 38) <= 2
    assert told == [pixel] and case.document.evidence.pixel == pixel
    look = Look(DARK, case.strip.frame, True, False, False, False, 8, pixel)
    tile = case.tile("features")
    cell = case.strip.frame.value_at(tile.values[1], False, pixel)
    assert value_text(tile, look).startswith("= ") and cell in tile.values[1]
    mark = case.canvas.findChild(MarkSet)._elsewhere
    assert mark.at == pixel and mark.bounds(case.canvas.camera).contains(
        case.canvas.camera.to_widget(pixel.y, pixel.x)
    )
    before = case.canvas.grab().toImage()
    move(case.strip, QPointF(1, 1))
    assert mark.at is None and case.canvas.grab().toImage() != before
    assert case.document.hover is None and told[-1] is None
    case.document.set_hover(Pixel(5, 5))  # on the canvas
    assert case.strip._pixel == Pixel(5, 5)


def test_tiles_show_the_part_that_the_canvas_shows(case):
    assert case.strip.frame.is_whole
    case.canvas.zoom_to(Rect(10, 20, 25, 40))
    y0, x0, y1, x1 = case.strip.frame.region
    assert not case.strip.frame.is_whole
    assert y0 <= 10 and x0 <= 20 and y1 >= 25 and x1 >= 40
    assert (x1 - x0) / (y1 - y0) == pytest.approx(SHAPE[1] / SHAPE[0])
    case.header.follow.click()
    assert case.strip.frame.is_whole
    again = Case(case.qtbot)
    assert not again.header.follow.isChecked()


def test_a_frame_finds_pixels_and_their_places_again():
    picture = QRectF(10, 20, 76, 60)
    for rect in (None, Rect(10, 20, 30, 40), Rect(0, 0, 5, 70), Rect(55, 70, 60, 76)):
        frame = StripFrame.whole((60, 76), (65, 81), True).showing(rect)
        y0, x0, y1, x1 = frame.region
        assert 0 <= y0 < y1 <= 60 and 0 <= x0 < x1 <= 76
        if rect is not None:
            assert y0 <= rect.y0 and x1 >= rect.x1
        for pixel in (Pixel(int(y0) + 1, int(x0) + 1), Pixel(int(y1) - 1, int(x1) - 2)):
            place = frame.place_of(picture, pixel)
            assert place is None or frame.pixel_at(picture, place) == pixel
        assert frame.pixel_at(picture, QPointF(0, 0)) is None
    assert frame.place_of(picture, Pixel(0, 0)) is None
    values = np.arange(6.0).reshape(2, 3)
    whole = StripFrame.whole((60, 76), (60, 76), True)
    assert whole.value_at(values, True, Pixel(29, 75)) == 2
    assert whole.value_at(values, True, Pixel(30, 0)) == 3
    # With corners aligned, outer cells reach half a pitch less far in: their middles are borders.
    assert whole.value_at(values, False, Pixel(0, 18)) == 0
    assert whole.value_at(values, False, Pixel(0, 20)) == 1


# -- numbers --------------------------------------------------------------------------------------


def test_statistics_are_told_by_tile_and_in_a_table(case, qtbot):
    qtbot.waitUntil(lambda: bool(case.panel.maps.numbers))
    rows = all_statistics(case.evidence.activations)
    assert case.panel.maps.numbers == rows
    case.settle()
    assert "5 channels reduced, 2 × 2" in case.tile("level-2").words
    assert number_words(rows)["level-2"].count("\n") == 1
    popup = MapNumbers(rows, case.panel)
    qtbot.addWidget(popup)
    popup.show_above(case.header.numbers)
    model = popup.table.model()
    assert model.rowCount() == len(rows) == 1 + 3 * 2 + 1
    assert row_texts(rows[0])[:3] == ("Features", str(rows[0].channels), "9 × 11")
    assert row_texts(rows[1])[-1] == "–"


def test_the_menu_chooses_modes_and_opens_the_browser(qtbot, qapp):
    case = Case(qtbot)
    case.panel.setParent(case.canvas)  # as both have one window
    parts = SimpleNamespace(canvas=case.canvas, document=case.document)
    rows = {row.id: row for row in ROWS}
    rows["strip_top"].verb(parts)
    assert case.panel.maps.mode.show == "top" and rows["strip_top"].checked(parts)
    assert not rows["strip_norm"].checked(parts) and rows["strip_channels"].enabled(parts)
    rows["strip_channels"].verb(parts)
    assert case.panel.browser.isVisible()
    case.panel.browser.close()
    alone = SimpleNamespace(canvas=Canvas(case.document))
    qtbot.addWidget(alone.canvas)
    assert not rows["strip_top"].checked(alone)
