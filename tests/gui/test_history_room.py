"""How much undo keeps: asked for, used at once, remembered."""

from __future__ import annotations

import numpy as np
import pytest
from PySide6.QtCore import Qt

from pspgui.gui.dialogs.history_room import HistoryRoomDialog
from pspgui.gui.document import Document
from pspgui.gui.engine_thread import Engine
from pspgui.gui.session import Session
from pspgui.gui.settings import Settings
from pspgui.labels.edits import MIB


@pytest.fixture
def session(qapp):
    """A session whose document has one edit to undo."""
    session = Session(Document(), Engine(), Settings())
    document = session._document
    document.set_image(np.zeros((64, 64, 3), np.uint8), None, "drawn")
    document.start_unlabelled()
    document.begin_stroke(8.0, 8.0, "brush")
    document.finish_stroke()
    yield session
    session.autosave.close()


@pytest.fixture
def dialog(session, qtbot):
    dialog = HistoryRoomDialog(session)
    qtbot.addWidget(dialog)
    dialog.show()
    return dialog


def type_number(qtbot, box, number):
    box.setFocus()
    box.selectAll()
    qtbot.keyClicks(box, str(number))
    qtbot.keyClick(box, Qt.Key.Key_Tab)


def press(qtbot, dialog, name):
    button = dialog.buttons.button(getattr(dialog.buttons.StandardButton, name))
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)


def test_it_begins_with_what_is_used(dialog):
    assert (dialog.image_mb.value(), dialog.folder_mb.value()) == (256, 1024)


def test_what_is_chosen_is_used_at_once_and_remembered(session, dialog, qtbot):
    type_number(qtbot, dialog.image_mb, 48)
    type_number(qtbot, dialog.folder_mb, 96)
    press(qtbot, dialog, "Ok")
    assert Settings().history_mb == (48, 96)
    assert session._document.history.budget_bytes == 48 * MIB
    journals = session.autosave.strokes.journals
    assert (journals.budget_bytes, journals.total_bytes) == (48 * MIB, 96 * MIB)


def test_a_folder_keeps_no_less_than_one_image(dialog, qtbot):
    type_number(qtbot, dialog.image_mb, 2000)
    assert dialog.folder_mb.value() == 2000


def test_cancelling_changes_nothing(session, dialog, qtbot):
    type_number(qtbot, dialog.image_mb, 48)
    press(qtbot, dialog, "Cancel")
    assert Settings().history_mb == (256, 1024)
    assert session._document.history.budget_bytes == 256 * MIB
