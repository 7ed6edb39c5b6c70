"""The pyramid strip: tiles from views, choosing by mouse and keys, one scale for all levels."""

from __future__ import annotations

import numpy as np
import pytest
from panel_fakes import four_views, predicted_document
from PySide6.QtCore import Qt

from pspgui.gui.colours import sequential_lut
from pspgui.gui.document import Document
from pspgui.gui.panels.pyramid import PyramidPanel
from pspgui.gui.panels.pyramid_tiles import tiles_of
from pspgui.gui.theme import DARK, apply_theme


@pytest.fixture
def document(qapp):
    """A document with views."""
    apply_theme(qapp, DARK)
    return predicted_document()


@pytest.fixture
def panel(document, qtbot):
    """The strip in a window 1100 wide."""
    panel = PyramidPanel(document)
    qtbot.addWidget(panel)
    panel.resize(1100, 130)
    panel.show()
    return panel


def click(qtbot, panel, name):
    qtbot.mouseClick(
        panel.strip, Qt.MouseButton.LeftButton, pos=panel.strip.rect_of(name).center().toPoint()
    )


def test_clicking_a_tile_shows_its_map_and_again_hides_it(document, panel, qtbot):
    click(qtbot, panel, "level-3")
    assert document.shown_map == "level-3"
    click(qtbot, panel, "features")
    assert document.shown_map == "features"
    click(qtbot, panel, "features")
    assert document.shown_map is None


def test_keys_walk_and_choose(document, panel, qtbot):
    qtbot.keyClick(panel.strip, Qt.Key.Key_End)
    qtbot.keyClick(panel.strip, Qt.Key.Key_Left)
    qtbot.keyClick(panel.strip, Qt.Key.Key_Return)
    assert document.shown_map == "score"
    qtbot.keyClick(panel.strip, Qt.Key.Key_Home)
    qtbot.keyClick(panel.strip, Qt.Key.Key_Space)
    assert document.shown_map == "features"


def test_before_the_prediction_tiles_are_there_but_cannot_be_chosen(qtbot, qapp):
    document = Document()
    panel = PyramidPanel(document)
    qtbot.addWidget(panel)
    panel.resize(1100, 130)
    assert [t.name for t in panel.strip.tiles][:2] == ["features", "level-1"]
    click(qtbot, panel, "level-1")
    assert document.shown_map is None


def test_levels_share_one_scale_and_show_bins_as_pooled(qapp):
    views = four_views()
    tiles = {t.name: t for t in tiles_of(views, "Road")}
    top = max(float(v.after.max()) for v in views if v.before is not None)
    six = next(v for v in views if v.name == "level-6")
    assert tiles["level-6"].before.width() == 6
    y, x = np.unravel_index(six.after.argmax(), six.after.shape)
    brightest = tiles["level-6"].after.pixelColor(int(x), int(y)).getRgb()[:3]
    assert float(six.after.max()) == top
    assert brightest == tuple(sequential_lut()[-1].tolist())
    assert tiles["score"].title == "Road score"
    assert tiles["features"].before is None and tiles["score"].value_range.startswith("\u2212")


def test_the_score_tile_names_the_active_class(document, panel):
    assert "Sky" in next(t.title for t in panel.strip.tiles if t.name == "score")
    document.set_active_class(1)
    document.set_views(four_views())
    assert "Building" in next(t.title for t in panel.strip.tiles if t.name == "score")


def test_all_tiles_fit_a_wide_window_and_scroll_in_a_narrow_one(panel, qtbot, qapp):
    panel.resize(1300, 140)
    qapp.processEvents()
    assert panel.strip.rect_of("confidence").right() <= 1300
    panel.resize(500, 140)
    qapp.processEvents()
    assert panel.strip.width() > 500
    qtbot.keyClick(panel.strip, Qt.Key.Key_End)
    offset = -panel.strip.pos().x()
    assert panel.strip.rect_of("confidence").right() - offset <= 500


def test_a_change_of_theme_recolours_signed_maps(panel, qapp, qtbot):
    from pspgui.gui.theme import LIGHT

    def score():
        return next(t for t in panel.strip.tiles if t.name == "score").after

    qtbot.waitUntil(lambda: score() is not None)
    before = score()
    apply_theme(qapp, LIGHT)
    qtbot.waitUntil(lambda: score() != before)
    apply_theme(qapp, DARK)


def test_a_turn_of_the_event_loop_makes_one_picture_at_most(document, panel, qtbot, monkeypatch):
    from pspgui.gui.panels import pyramid_tiles

    made = []
    picture = pyramid_tiles._picture
    monkeypatch.setattr(
        pyramid_tiles, "_picture", lambda *args: made.append(args) or picture(*args)
    )
    document.set_views(four_views())
    assert not made  # titles are there at once
    assert [tile.name for tile in panel.strip.tiles] == [view.name for view in document.views]
    turns = []
    make_next = panel._make_next
    for _ in range(len(document.views) * 2):
        before = len(made)
        make_next()
        turns.append(len(made) - before)
    assert max(turns) == 2  # a level before and after upsampling
    assert all(tile.after is not None and tile.value_range for tile in panel.strip.tiles)


def test_pictures_of_large_maps_are_no_larger_than_a_tile_needs(qapp):
    views = four_views()
    large = views[0]._replace(after=np.arange(2000 * 1000, dtype=np.float32).reshape(2000, 1000))
    tile = tiles_of((large,), "Road")[0]
    assert max(tile.after.width(), tile.after.height()) <= 700
