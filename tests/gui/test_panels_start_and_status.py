"""Start page, key list and status bar, through clicks and keys."""

from __future__ import annotations

from pathlib import Path

import pytest
from fakes import Listener, fake_image
from panel_fakes import predicted_document
from PySide6.QtCore import Qt
from PySide6.QtGui import QKeySequence
from PySide6.QtWidgets import QLineEdit, QPushButton

from pspgui.geometry import Pixel
from pspgui.gui.commands import action_rows
from pspgui.gui.dialogs.shortcuts import ShortcutsDialog, key_groups
from pspgui.gui.document import Document
from pspgui.gui.panels.key_list import KeyGroup, KeyHint, KeyList
from pspgui.gui.panels.start import KEYS, StartPage
from pspgui.gui.panels.status import StatusBar, duration


@pytest.fixture
def page(qtbot, qapp):
    """The start page in a small window."""
    page = StartPage(Document())
    qtbot.addWidget(page)
    page.resize(900, 600)
    page.show()
    return page


def test_three_ways_in(page, qtbot):
    heard = [
        Listener(s)
        for s in (page.sample_requested, page.open_image_requested, page.open_folder_requested)
    ]
    for button in page.findChildren(QPushButton):
        qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    assert [len(h) for h in heard] == [1, 1, 1]


def test_recent_by_mouse_and_by_key(page, qtbot):
    heard = Listener(page.recent_chosen)
    paths = [Path(f"/pictures/{i}.png") for i in range(9)]
    page.set_recent(paths)
    rows = page.recent_rows
    assert [row.path for row in rows] == paths[: len(rows)] and 0 < len(rows) < 9
    qtbot.mouseClick(rows[1], Qt.MouseButton.LeftButton)
    qtbot.keyClick(rows[2], Qt.Key.Key_Return)
    assert heard.heard == [paths[1], paths[2]]
    page.set_recent(())
    assert page.recent_rows == ()


def test_the_keys_it_names_are_keys_of_the_window():
    known = {QKeySequence(key).toString() for row in action_rows() for key in row.keys}
    by_mouse = {"Wheel", "Space + drag", "1 … 9"}
    for hint in KEYS.hints:
        for key in hint.key.split(" / "):
            assert key in known | by_mouse, key


def test_every_action_with_a_key_is_in_the_key_list():
    listed = {h.text for g in key_groups(action_rows()) for h in g.hints}
    for row in action_rows():
        if row.keys and row.group != "Classes":
            assert row.text.rstrip("…") in listed


def test_typing_narrows_the_key_list(qtbot, qapp):
    dialog = ShortcutsDialog(action_rows())
    qtbot.addWidget(dialog)
    dialog.show()
    field = dialog.findChild(QLineEdit)
    qtbot.keyClicks(field, "undo")
    found = {h.text for g in dialog.shown_groups for h in g.hints}
    assert "Undo" in found and all("undo" in text.casefold() for text in found)
    qtbot.keyClicks(field, "zzz")
    assert dialog.shown_groups == ()
    qtbot.keyClick(dialog, Qt.Key.Key_Escape)
    assert not dialog.isVisible()


def test_columns_keep_the_order_and_lose_nothing(qtbot, qapp):
    groups = [
        KeyGroup(f"g{i}", tuple(KeyHint("A", str(j)) for j in range(n)))
        for i, n in enumerate((9, 2, 5, 1, 7))
    ]
    keys = KeyList(groups)
    qtbot.addWidget(keys)
    columns = keys.columns(700)
    assert len(columns) == 2 and [g for c in columns for g in c] == groups
    assert keys.columns(200) == [groups]
    assert keys.heightForWidth(700) < keys.heightForWidth(200)


@pytest.fixture
def document(qapp):
    """A document with a prediction."""
    return predicted_document()


@pytest.fixture
def bar(document, qtbot):
    """The status bar."""
    bar = StatusBar(document)
    qtbot.addWidget(bar)
    bar.resize(1100, 28)
    bar.show()
    return bar


def test_the_pixel_under_the_mouse_in_words(document, bar):
    document.set_hover(Pixel(12, 34))
    assert "x 34, y 12" in bar.pixel.text
    assert "Road" in bar.pixel.text and "margin +2.00 over Pavement" in bar.pixel.text
    document.set_hover(None)
    assert bar.pixel.text == ""


def test_a_correction_is_named_beside_the_prediction(document, bar):
    document.set_active_class(1)
    document.begin_stroke(12.0, 34.0, "brush")
    document.finish_stroke()
    document.set_hover(Pixel(12, 34))
    assert "labelled Building" in bar.pixel.text


def test_a_job_that_shows_moves_nothing(bar, qtbot):
    bar.show()
    bar.job.begin("Predicting")
    qtbot.waitUntil(lambda: bar.job.is_shown)
    assert bar.minimumHeight() == bar.maximumHeight() >= bar.sizeHint().height()
    bar.job.end()


def test_a_message_goes_with_the_image_it_was_about(document, bar):
    document.message.emit("Brush Road, 12 px")
    document.set_image(fake_image(60, 80), None, "another")
    assert bar.pixel.text == ""


def test_a_message_stands_beside_the_pixel(document, bar):
    document.message.emit("Nothing to undo")
    assert bar.pixel.text == "Nothing to undo"
    document.set_hover(Pixel(12, 34))
    assert bar.pixel.text.startswith("x 34, y 12") and bar.pixel.text.endswith("Nothing to undo")


def test_a_short_job_is_never_shown(bar, qtbot):
    bar.job.begin("Predicting")
    assert not bar.job.is_shown
    bar.job.end()
    bar.job.begin("Predicting")
    qtbot.waitUntil(lambda: bar.job.is_shown)
    bar.job.set_progress(0.25, "Reading the pyramid", 75)
    assert bar.job.text == "Reading the pyramid · 1 min 15 s left"
    heard = Listener(bar.job.cancel_requested)
    qtbot.mouseClick(bar.job.cancel_button, Qt.MouseButton.LeftButton)
    assert len(heard) == 1
    bar.job.end()
    assert not bar.job.is_shown


def test_model_and_saved_state(document, bar):
    bar.set_model("PSPNet", "cpu", "fp32")
    assert bar.model.text == "PSPNet · cpu · fp32"
    assert bar.saved.text == document.saved_text


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.4, "0 s"), (59, "59 s"), (75, "1 min 15 s"), (7300, "2 h 01 min")]
)
def test_durations(seconds, words):
    assert duration(seconds) == words
