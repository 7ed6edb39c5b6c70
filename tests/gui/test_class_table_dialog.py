"""The class table editor, used as a person does: what it says, what it asks, what it hands over."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QObject, Qt, QTimer, Signal
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLineEdit, QMessageBox

from pspgui.gui.dialogs.class_rows import AMOUNT, GROUP, NAME
from pspgui.gui.dialogs.class_table import ClassTableDialog
from pspgui.jobs.class_changes import Uses
from pspgui.labels.classes import CAMVID, table

SMALL = table(("Road", (1, 2, 3)), ("Car", (4, 5, 6)), ("Tree", (7, 8, 9)))


class FakeClassSession(QObject):
    """Remembers what is asked; answers when the test says so."""

    counted = Signal(object)
    table_read = Signal(object)
    refused = Signal(str)

    def __init__(self):
        super().__init__()
        self.table, self.model_table = SMALL, CAMVID
        self.read_only_reason = ""
        self.applied, self.read, self.counts = [], [], 0

    @property
    def is_writable(self):
        return not self.read_only_reason

    def count(self):
        self.counts += 1

    def stop(self):
        pass

    def read_table(self, path):
        self.read.append(path)

    def apply(self, draft):
        self.applied.append(draft)


@pytest.fixture
def session():
    return FakeClassSession()


@pytest.fixture
def dialog(qtbot, session):
    made = ClassTableDialog(session)
    qtbot.addWidget(made)
    made.show()
    session.counted.emit(Uses({"Road": 1200, "Car": 30}, {"Road": 2, "Car": 1}))
    return made


def names(dialog):
    return [row.name for row in dialog.model.draft.rows]


def type_into(qtbot, dialog, row, column, text):
    dialog.view.setCurrentIndex(dialog.model.index(row, column))
    dialog.view.edit(dialog.model.index(row, column))
    finish(qtbot, dialog, text)


def finish(qtbot, dialog, text):
    editor = dialog.view.findChildren(QLineEdit)[-1]  # earlier ones may not be gone yet
    editor.selectAll()
    qtbot.keyClicks(editor, text)
    with qtbot.waitSignal(dialog.view.itemDelegate().closeEditor):
        qtbot.keyClick(editor, Qt.Key.Key_Return)


def test_nothing_is_offered_before_something_is_changed(dialog):
    assert not dialog.apply_button.isEnabled()
    assert dialog.effects.text() == "Nothing: every label keeps its class."
    assert dialog.model.index(0, AMOUNT).data() == "1\u2009200 px"


def test_a_name_is_typed_in_place_and_its_effect_is_told(qtbot, dialog, session):
    type_into(qtbot, dialog, 1, NAME, "Vehicle")
    assert names(dialog) == ["Road", "Vehicle", "Tree"]
    assert "Car is called Vehicle from now on (30 px in 1 image keep" in dialog.effects.text()
    type_into(qtbot, dialog, 1, GROUP, "things")
    qtbot.mouseClick(dialog.apply_button, Qt.MouseButton.LeftButton)
    (draft,) = session.applied
    assert draft.table().classes[1].group == "things"


def test_a_twin_is_refused_with_a_sentence(qtbot, dialog):
    type_into(qtbot, dialog, 1, NAME, "road")
    assert names(dialog) == ["Road", "Car", "Tree"]
    assert dialog._message.text() == "There is a class called Road already."


def test_deleting_asks_once_more_and_undo_brings_back(qtbot, dialog, session):
    dialog.select(0)
    qtbot.mouseClick(dialog.buttons["delete"], Qt.MouseButton.LeftButton)
    assert "Road is deleted: 1\u2009200 px in 2 images become unlabelled." in dialog.effects.text()
    seen = []

    def refuse():
        box = QApplication.activeModalWidget()
        assert isinstance(box, QMessageBox)
        seen.append(box.informativeText())
        change = next(b for b in box.buttons() if b.text() == "Change labels")
        assert change.x() < box.button(QMessageBox.StandardButton.Cancel).x()
        QTest.keyClick(box, Qt.Key.Key_Return)  # of both, Enter takes Cancel

    QTimer.singleShot(0, refuse)
    qtbot.mouseClick(dialog.apply_button, Qt.MouseButton.LeftButton)
    assert "A backup is kept" in seen[0]
    assert session.applied == []
    qtbot.mouseClick(dialog.buttons["undo"], Qt.MouseButton.LeftButton)
    assert names(dialog) == ["Road", "Car", "Tree"]
    assert not dialog.apply_button.isEnabled()


def test_merging_moving_and_adding(qtbot, dialog):
    dialog.select(1)
    dialog._fill_merge()
    next(a for a in dialog._merge_menu.actions() if a.text() == "Tree").trigger()
    assert names(dialog) == ["Road", "Tree"]
    assert "Car becomes Tree: 30 px in 1 image change." in dialog.effects.text()
    qtbot.mouseClick(dialog.buttons["up"], Qt.MouseButton.LeftButton)
    assert names(dialog) == ["Tree", "Road"]
    qtbot.mouseClick(dialog.buttons["add"], Qt.MouseButton.LeftButton)
    finish(qtbot, dialog, "Kerb")
    assert names(dialog) == ["Tree", "Road", "Kerb"]


def test_classes_come_from_elsewhere(dialog, session):
    dialog._fill_more()
    first = dialog._more_menu.actions()[0]
    assert first.text() == "The model in use, 11 classes"
    first.trigger()
    assert names(dialog)[:3] == ["Road", "Car", "Tree"]
    assert len(names(dialog)) == 11
    session.table_read.emit(SMALL)
    assert dialog._message.text() == "All of these classes are here already."


def test_a_read_only_project_says_so(qtbot, session):
    session.read_only_reason = "This project is open elsewhere."
    dialog = ClassTableDialog(session)
    qtbot.addWidget(dialog)
    dialog.model.take(lambda d: d.deleted(0))
    assert not dialog.apply_button.isEnabled()
    assert dialog._message.text() == "This project is open elsewhere."
