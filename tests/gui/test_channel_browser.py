"""The browser of channels: listing, sorting, walking, showing on the image."""

from __future__ import annotations

import numpy as np
import pytest
from channel_case import channel_document, show
from every_kind import predictor
from oracles import picture
from PySide6.QtCore import Qt

from pspgui.evidence import evidence_of
from pspgui.evidence.channels import channel_shares
from pspgui.geometry import Pixel
from pspgui.gui.document import Document
from pspgui.gui.panels.channel_model import thumbnail
from pspgui.gui.panels.pyramid import PyramidPanel
from pspgui.gui.theme import DARK, LIGHT, apply_theme
from pspgui.inference.channels import channel_maps
from pspgui.inference.views import pyramid_views


class Case:
    """A strip whose browser is open at the features."""

    def __init__(self, qtbot, name="features"):
        self.qtbot = qtbot
        self.document, self.evidence = channel_document()
        self.panel = PyramidPanel(self.document)
        qtbot.addWidget(self.panel)
        self.panel.resize(1100, 150)
        self.panel.show()
        qtbot.waitUntil(lambda: bool(self.panel.maps.numbers))
        self.panel.browse(name)
        self.browser = self.panel.browser
        qtbot.addWidget(self.browser)
        self.view, self.model = self.browser.view, self.browser.model
        self.wait(lambda: self.browser.listed is not None)

    def wait(self, condition):
        self.qtbot.waitUntil(condition)

    def order(self):
        return [self.model.number_at(row) for row in range(self.model.rowCount())]

    def key(self, key):
        self.qtbot.keyClick(self.view, key)

    def shown(self):
        found = self.document.canvas_map
        return None if found is None else found.name


@pytest.fixture
def case(qtbot, qapp):
    apply_theme(qapp, DARK)
    return Case(qtbot)


def test_a_double_click_on_a_tile_lists_its_channels(qtbot, qapp):
    document, _ = channel_document()
    panel = PyramidPanel(document)
    qtbot.addWidget(panel)
    panel.resize(1100, 150)
    panel.show()
    at = panel.strip.rect_of("fused").center().toPoint()
    qtbot.mouseDClick(panel.strip, Qt.MouseButton.LeftButton, pos=at)
    browser = panel.browser
    qtbot.addWidget(browser)
    assert browser.isVisible() and browser.tile.value == "fused"
    qtbot.waitUntil(lambda: browser.listed is not None)
    assert browser.model.rowCount() == 8


def test_sorting_by_number_activity_and_what_channels_add(case):
    known = case.evidence.activations
    maps = channel_maps(known, "features")
    assert case.order() == list(range(maps.count))
    case.browser.sort.choose("activity")
    sizes = np.abs(known.features).mean(axis=(1, 2))[case.order()]
    assert (np.diff(sizes) <= 1e-6).all()
    case.browser.sort.choose("share")
    shares = channel_shares(case.evidence, "features").values
    assert (np.diff(np.abs(shares[case.order()])) <= 1e-6).all()
    total = f"{shares.sum():+.2f}".replace("-", "\u2212")
    assert total in case.browser.words.text()
    text, sign = case.model.amount(case.order()[0])
    assert text[0] in "+\u2212" and sign == pytest.approx(shares[case.order()[0]], rel=1e-4)


def test_a_pin_weighs_the_channels_anew_and_keeps_the_one_chosen(case):
    case.browser.sort.choose("share")
    case.view.setCurrentIndex(case.model.index(3))
    number = case.model.number_at(3)
    before = case.browser.listed
    case.document.set_pin(Pixel(20, 30))
    case.wait(lambda: case.browser.listed is not before)
    shares = channel_shares(case.evidence, "features", place=(20, 30)).values
    assert np.allclose(case.browser.listed.shares.values, shares)
    assert case.model.number_at(case.view.currentIndex().row()) == number
    assert "30,20" in case.browser.words.text()


def test_clicks_and_arrow_keys_show_channels_on_the_image(case):
    assert case.shown() is None
    rect = case.view.visualRect(case.model.index(2))
    case.qtbot.mouseClick(case.view.viewport(), Qt.MouseButton.LeftButton, pos=rect.center())
    assert case.shown() == "channel/features/2"
    values = case.document.canvas_map.values
    assert np.array_equal(values, case.evidence.activations.features[2])
    case.key(Qt.Key.Key_Right)
    assert case.shown() == "channel/features/3"
    case.key(Qt.Key.Key_Left)
    case.key(Qt.Key.Key_Left)
    assert case.shown() == "channel/features/1"
    assert case.panel.strip._marked == "features"
    case.key(Qt.Key.Key_Return)
    assert case.panel.maps.mode.show == "channel" and case.panel.maps.mode.channel == 1


def test_levels_have_three_forms(case):
    case.browser.tile.choose("level-3")
    for form in ("pooled", "reduced", "upsampled"):
        case.browser.form.choose(form)
        case.wait(lambda form=form: case.browser.listed.maps.form == form)
        maps = channel_maps(case.evidence.activations, "level-3", form)
        assert case.model.rowCount() == maps.count
        case.view.setCurrentIndex(case.model.index(1))
        case.view.setCurrentIndex(case.model.index(2))
        assert np.array_equal(case.document.canvas_map.values, maps.channel(2))
    assert not case.browser.form.isHidden()


def test_another_image_lists_the_same_map_at_the_same_channel(case):
    case.view.setCurrentIndex(case.model.index(4))
    before = case.browser.listed
    evidence = show(case.document, 9)
    case.wait(lambda: case.browser.listed is not None and case.browser.listed is not before)
    features = evidence.activations.features
    assert case.browser.listed.maps.values is features
    assert case.model.number_at(case.view.currentIndex().row()) == 4
    assert case.shown() == "channel/features/4"
    assert np.array_equal(case.document.canvas_map.values, features[4])
    case.document.show_map(None)
    show(case.document, 10)
    case.wait(lambda: case.browser.listed is not None)
    assert case.browser.listed.maps.values is not features
    assert case.shown() is None


def test_only_pictures_in_sight_are_made(case):
    case.browser.resize(400, 300)
    case.wait(lambda: case.model.picture(0) is not None and not case.model._waiting)
    assert 4 <= len(case.model._pictures) < case.model.rowCount() / 4
    case.view.scrollToBottom()
    last = case.model.rowCount() - 1
    case.wait(lambda: last in case.model._pictures)


def test_pictures_change_with_the_theme(case, qapp):
    case.wait(lambda: 0 in case.model._pictures)
    before = case.model._pictures[0]
    apply_theme(qapp, LIGHT)
    try:
        case.wait(lambda: case.model._pictures.get(0, before) is not before)
    finally:
        apply_theme(qapp, DARK)


def test_without_an_image_it_says_what_to_do(case):
    case.document.forget_prediction()
    assert case.browser.listed is None
    assert "once the image is read" in case.browser.empty.text()
    case.document.set_image(None, None, "")
    assert "Open an image" in case.browser.empty.text()


def test_thumbnails_begin_at_zero_or_are_symmetric_about_it():
    plain = thumbnail(np.array([[0.0, 1.0], [2.0, 4.0]], np.float32))
    assert [plain.pixelIndex(x, y) for y in (0, 1) for x in (0, 1)] == [0, 64, 128, 255]
    both = thumbnail(np.array([[-1.0, 0.0], [1.0, 4.0]], np.float32))
    assert [both.pixelIndex(x, y) for y in (0, 1) for x in (0, 1)] == [96, 128, 159, 255]
    assert thumbnail(np.zeros((3, 3), np.float32)).pixelIndex(0, 0) == 0
    assert max(thumbnail(np.ones((400, 300), np.float32)).size().toTuple()) <= 96


def test_a_closed_browser_keeps_no_maps(case):
    case.view.setCurrentIndex(case.model.index(3))
    case.browser.close()
    assert case.browser.listed is None
    case.panel.browse("features")
    case.wait(lambda: case.browser.listed is not None)
    assert case.model.rowCount() == len(case.evidence.activations.features)


def test_channels_of_scores_bear_the_names_of_classes(qtbot, qapp):
    found = predictor("fcn")
    pixels = picture(45, 70)
    activations = found.set_image(pixels)
    document = Document()
    document.set_image(pixels, None, "scores")
    evidence = evidence_of(activations, found.weights)
    document.set_prediction(found.predict(activations), pyramid_views(activations, 0), evidence)
    panel = PyramidPanel(document)
    qtbot.addWidget(panel)
    panel.browse("map-0")
    browser = panel.browser
    qtbot.addWidget(browser)
    qtbot.waitUntil(lambda: browser.listed is not None)
    names = [browser.model.index(row).data() for row in range(browser.model.rowCount())]
    assert names == list(document.reading_table.names[:4])
    browser.view.setCurrentIndex(browser.model.index(2))
    assert names[2] in document.canvas_map.title
