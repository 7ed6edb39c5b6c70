"""History that survives closing, strokes recovered after a crash, files that others changed."""

from __future__ import annotations

import threading
import time
from dataclasses import replace

import numpy as np
import pytest
from fakes import Listener
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QFileDialog, QLabel
from slow_engine import Desk, labels_of

from pspgui.durable import SaveError
from pspgui.geometry import Rect
from pspgui.gui.dialogs.conflict import ConflictDialog
from pspgui.gui.dialogs.recovery import RecoveryDialog
from pspgui.gui.panels.history import HistoryPanel
from pspgui.gui.settings import Settings
from pspgui.imaging import decode_labels, encode_labels
from pspgui.inference.activations import Stamp
from pspgui.jobs.messages import Cancelled, Step
from pspgui.labels import raster
from pspgui.labels.edits import Change, Edit
from pspgui.labels.provenance import FIRST_VERSION
from pspgui.project import StrokeJournals, journaling

PALETTE = np.zeros((256, 3), np.uint8)


@pytest.fixture
def desks(qtbot, qapp, tmp_path):
    """Return a function that opens desks on one folder; the last one is closed at the end."""
    open_ones = []

    def build(number=0, **options):
        open_ones.append(Desk(tmp_path, **options))
        open_ones[-1].open(qtbot, number)
        return open_ones[-1]

    yield build
    open_ones[-1].close()


def recovery_told(desk):
    return [notice for notice in desk.notices if notice.about == "recover"]


def conflict_told(desk):
    return [notice for notice in desk.notices if notice.about == "conflict"]


# -- history ----------------------------------------------------------------------------------


def test_undo_comes_back_with_the_image(qtbot, desks):
    desk = desks()
    start = labels_of(desk.document.image)
    desk.stroke(10, 10, 3)
    desk.stroke(20, 20, 4)
    desk.stroke(30, 30, 5)
    desk.document.undo()
    names = desk.document.history.undo_names, desk.document.history.redo_names
    shown = desk.document.label_map.labels.copy()
    desk.show(qtbot, 1)  # at once, before it is saved
    desk.show(qtbot, 0)
    assert (desk.document.history.undo_names, desk.document.history.redo_names) == names
    desk.saved(qtbot)
    desk.close()
    again = desks()
    assert np.array_equal(again.document.label_map.labels, shown)
    assert (again.document.history.undo_names, again.document.history.redo_names) == names
    assert not again.document.is_dirty and not recovery_told(again)
    again.document.undo()
    again.document.undo()
    assert np.array_equal(again.document.label_map.labels, start)
    assert not again.document.can_undo


def test_the_panel_goes_back_and_forth(qtbot, desks):
    desk = desks()
    panel = HistoryPanel(desk.document)
    qtbot.addWidget(panel)
    panel.resize(300, 400)
    panel.show()
    assert panel.model.rowCount() == 0
    states = [desk.document.label_map.labels.copy()]
    for number in range(4):
        desk.stroke(8 + 9 * number, 10, 3 + number)
        states.append(desk.document.label_map.labels.copy())
    assert panel.model.rowCount() == 5 and panel.model.standing == 4
    assert panel.foot_text.startswith("4 edits, ")
    repaints = Listener(desk.document.labels_changed)

    def click(row):
        middle = panel.view.visualRect(panel.model.index(row)).center()
        QTest.mouseClick(panel.view.viewport(), Qt.MouseButton.LeftButton, pos=QPoint(middle))

    click(1)
    assert np.array_equal(desk.document.label_map.labels, states[1])
    assert len(repaints) == 1
    assert panel.model.rowCount() == 5 and panel.model.standing == 1
    assert "undone" in panel.model.data(panel.model.index(2), Qt.ItemDataRole.AccessibleTextRole)
    QTest.keyClick(panel.view, Qt.Key.Key_Down)
    assert np.array_equal(desk.document.label_map.labels, states[2])
    QTest.keyClick(panel.view, Qt.Key.Key_End)
    assert np.array_equal(desk.document.label_map.labels, states[4])
    QTest.keyClick(panel.view, Qt.Key.Key_Home)
    assert np.array_equal(desk.document.label_map.labels, states[0])
    assert not desk.document.can_undo
    click(3)
    desk.stroke(40, 40, 9)
    assert panel.model.rowCount() == 5  # what was undone is gone
    tip = panel.model.data(panel.model.index(4), Qt.ItemDataRole.ToolTipRole)
    assert "Car +" in tip or "+" in tip
    assert panel.model.colours(4)
    panel.grab()
    desk.saved(qtbot)


def test_how_much_undo_keeps_can_be_set(qtbot, desks):
    settings = Settings()
    assert settings.history_mb == (256, 1024)
    settings.history_mb = (64, 2000)
    desk = desks()
    journals = desk.session.autosave.strokes.journals
    assert desk.document.history.budget_bytes == journals.budget_bytes == 64 << 20
    assert journals.total_bytes == 2000 << 20
    settings.history_mb = (4096, 10)
    assert settings.history_mb == (4096, 4096)


# -- recovering -------------------------------------------------------------------------------


def crashed(qtbot, desks, save_first=True):
    """Leave two strokes in the journal that no label file has; return what was shown."""
    desk = desks()
    if save_first:
        desk.stroke(5, 5, 1)
        desk.saved(qtbot)
    desk.stroke(20, 20, 6, 14)
    desk.stroke(34, 30, 7, 6)
    shown = desk.document.label_map.labels.copy()
    desk.crash()
    return shown


@pytest.mark.parametrize("save_first", [True, False])
def test_strokes_are_offered_shown_and_recovered(qtbot, desks, save_first):
    shown = crashed(qtbot, desks, save_first)
    desk = desks()
    (notice,) = recovery_told(desk)
    assert "Recover 2 strokes of image00.png, painted" in notice.text
    assert notice.retry == "recover"
    before = desk.document.label_map.labels.copy()
    assert not np.array_equal(before, shown)
    dialog = RecoveryDialog(desk.document, desk.keeping)
    qtbot.addWidget(dialog)
    dialog.show()
    with_strokes = dialog.pane.grab().toImage()
    dialog.shown.setChecked(False)
    assert dialog.pane.grab().toImage() != with_strokes
    dialog.accept_button.click()
    assert np.array_equal(desk.document.label_map.labels, shown)
    assert desk.keeping.lost is None
    desk.document.undo()
    assert np.array_equal(desk.document.label_map.labels, before)
    desk.document.redo()
    desk.saved(qtbot)
    desk.close()
    again = desks()
    assert np.array_equal(again.document.label_map.labels, shown)
    assert not recovery_told(again)


def test_recovery_counts_as_the_edit_did_and_names_what_changes_its_origin_alone(qtbot, desks):
    desk = desks()
    area = raster.Stamp(Rect(8, 8, 40, 40), np.ones((32, 32), bool))
    desk.document.label_map.labels[8:40, 8:24] = 6  # as the model said: half of it stays so
    desk.document.label_map.labels[8:40, 24:40] = 2
    desk.stroke(2, 2, 1, 2)
    desk.saved(qtbot)
    desk.document.set_active_class(6)
    desk.document.fill(area, "Rectangle", "paint")
    edit = desk.document.history.undo_names[-1]
    desk.crash()
    again = desks()
    dialog = RecoveryDialog(again.document, again.keeping)
    qtbot.addWidget(dialog)
    words = " ".join(label.text() for label in dialog.findChildren(QLabel))
    assert "They change the label of 512 px, and who labelled 512 px more." in words, edit


@pytest.mark.parametrize("key", [Qt.Key.Key_Return, Qt.Key.Key_Escape])
def test_enter_recovers_and_esc_keeps_strokes_for_later(qtbot, desks, key):
    shown = crashed(qtbot, desks)
    desk = desks()
    dialog = RecoveryDialog(desk.document, desk.keeping)
    qtbot.addWidget(dialog)
    dialog.show()
    qtbot.waitExposed(dialog)
    qtbot.keyClick(dialog, key)
    assert not dialog.isVisible()
    recovered = np.array_equal(desk.document.label_map.labels, shown)
    assert recovered == (key == Qt.Key.Key_Return)
    assert (desk.keeping.lost is None) == recovered


def test_later_keeps_them_and_discard_puts_them_away(qtbot, desks, tmp_path):
    shown = crashed(qtbot, desks)
    desk = desks()
    dialog = RecoveryDialog(desk.document, desk.keeping)
    qtbot.addWidget(dialog)
    dialog.later_button.click()
    desk.stroke(40, 50, 2)
    desk.saved(qtbot)
    desk.close()
    desk = desks()
    assert recovery_told(desk)
    RecoveryDialog(desk.document, desk.keeping)._discard()
    assert desk.keeping.lost is None
    assert not np.array_equal(desk.document.label_map.labels, shown)
    desk.session.autosave.strokes.journals.drain(None, 60)
    desk.close()
    assert list((tmp_path / ".pspgui" / "backups").glob("*.strokes"))
    assert not recovery_told(desks())


def test_strokes_of_another_window_are_not_offered(qtbot, desks):
    desk = desks()
    desk.stroke(20, 20, 6, 14)
    desk.session.autosave.strokes.journals.drain(None, 60)
    desk.session.autosave.abandon(desk.document.image_path)
    other = Desk(desk.folder)
    other.open(qtbot)
    other.session.project.project.read_only = True
    other.session.project._show_state()
    other.notices.clear()
    other.keeping._offer()
    assert other.keeping.lost is not None and not recovery_told(other)
    assert not other.keeping.recover()
    other.close()


# -- conflicts --------------------------------------------------------------------------------


@pytest.fixture
def conflict(qtbot, desks):
    """Paint, let another program replace the label file, paint again; nothing is overwritten."""
    desk = desks()
    desk.stroke(10, 10, 3)
    desk.saved(qtbot)
    path = desk.store.path_for(desk.images[0])
    theirs = np.full(desk.document.label_map.shape, 5, np.uint8)
    content = encode_labels(theirs, PALETTE)
    path.write_bytes(content)
    desk.stroke(30, 30, 4)
    mine = desk.document.label_map.labels.copy()
    qtbot.waitUntil(lambda: bool(conflict_told(desk)))
    assert path.read_bytes() == content
    assert desk.document.is_dirty and desk.keeping.conflict == desk.images[0]
    dialog = ConflictDialog(desk.keeping, desk.images[0])
    qtbot.addWidget(dialog)
    dialog.show()
    return desk, dialog, mine, theirs


def backups(desk):
    folder = desk.folder / ".pspgui" / "backups"
    return [decode_labels(path).labels for path in folder.glob("*.png")]


def test_keeping_mine_backs_up_theirs(qtbot, conflict):
    desk, dialog, mine, theirs = conflict
    dialog.mine.click()
    desk.saved(qtbot)
    assert desk.keeping.conflict is None
    assert np.array_equal(desk.store.load(desk.images[0]).labels, mine)
    assert any(np.array_equal(kept, theirs) for kept in backups(desk))
    desk.stroke(5, 40, 8)  # and saving goes on
    desk.saved(qtbot)


def test_taking_theirs_backs_up_mine(qtbot, desks, conflict):
    desk, dialog, mine, theirs = conflict
    dialog.theirs.click()
    qtbot.waitUntil(lambda: np.array_equal(desk.document.label_map.labels, theirs))
    assert not desk.document.is_dirty and not desk.session.autosave.unsaved
    assert any(np.array_equal(kept, mine) for kept in backups(desk))
    assert not desk.document.can_undo
    # What was given up is not offered again, now or at the next start; it is said where it is.
    assert any("-mine-" in notice.text for notice in desk.notices) and not recovery_told(desk)
    assert desk.keeping.lost is None
    desk.stroke(5, 40, 8)
    desk.saved(qtbot)
    desk.close()
    again = desks()
    assert not recovery_told(again) and again.document.label_map.labels[20, 20] == 5


def test_what_was_painted_while_a_choice_was_due_is_in_the_copy_too(qtbot, conflict):
    desk, dialog, mine, theirs = conflict
    desk.stroke(40, 10, 9)
    latest = desk.document.label_map.labels.copy()
    dialog.theirs.click()
    qtbot.waitUntil(lambda: np.array_equal(desk.document.label_map.labels, theirs))
    assert not np.array_equal(latest, mine)
    assert any(np.array_equal(kept, latest) for kept in backups(desk))
    assert desk.keeping.lost is None and not recovery_told(desk)


def test_reading_an_image_anew_keeps_what_no_file_may_hold_yet(qtbot, conflict):
    desk, _dialog, _mine, theirs = conflict
    desk.stroke(40, 10, 9)
    latest, label_map = desk.document.label_map.labels.copy(), desk.document.label_map
    desk.session.reopen()
    qtbot.waitUntil(lambda: desk.document.label_map is not label_map)
    assert np.array_equal(desk.document.label_map.labels, latest)
    assert desk.document.is_dirty and desk.keeping.lost is None
    assert np.array_equal(desk.store.load(desk.images[0]).labels, theirs)
    desk.session.autosave.abandon(desk.images[0])


def test_nothing_is_painted_that_would_be_in_neither_copy_nor_file(qtbot, conflict):
    desk, dialog, mine, theirs = conflict
    dialog.theirs.click()
    desk.stroke(40, 10, 9)  # before the copy is there
    assert np.array_equal(desk.document.label_map.labels, mine)
    qtbot.waitUntil(lambda: np.array_equal(desk.document.label_map.labels, theirs))
    assert any(np.array_equal(kept, mine) for kept in backups(desk))
    desk.stroke(40, 10, 9)
    desk.saved(qtbot)


@pytest.mark.parametrize("end", ["fails", "is cancelled"])
def test_mine_stay_and_can_be_painted_where_no_copy_was_made(qtbot, conflict, monkeypatch, end):
    desk, dialog, mine, _theirs = conflict

    def refuse(*_asked):
        raise SaveError("The disk is full.")

    monkeypatch.setattr(desk.store, "save_copy", refuse)
    dialog.theirs.click()
    if end == "is cancelled":
        ticket, kind, _job, revisions = desk.engine._files[-1]
        desk.engine._files[-1] = (ticket, "nobody's", waiting, revisions)
        desk.engine.replied.emit(Cancelled(ticket, kind, revisions))
    qtbot.waitUntil(lambda: not desk.document.read_only_reason)
    assert np.array_equal(desk.document.label_map.labels, mine)
    assert desk.keeping.conflict == desk.images[0]
    told = [notice.text for notice in desk.notices if "The disk is full" in notice.text]
    assert len(told) == (end == "fails")
    desk.stroke(40, 10, 9)
    assert not np.array_equal(desk.document.label_map.labels, mine)
    desk.session.autosave.abandon(desk.images[0])


def waiting(turn):
    """A job of no interest."""
    yield Step("Waiting")


def test_saving_a_copy_writes_mine_where_asked(qtbot, conflict, tmp_path, monkeypatch):
    desk, dialog, mine, theirs = conflict
    target = tmp_path / "mine.png"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(target), ""))
    dialog.copy.click()
    qtbot.waitUntil(lambda: np.array_equal(desk.document.label_map.labels, theirs))
    assert np.array_equal(decode_labels(target).labels, mine)


def test_deciding_later_overwrites_nothing(qtbot, conflict):
    desk, dialog, _mine, theirs = conflict
    dialog.later.click()
    desk.stroke(40, 10, 9)
    assert not desk.session.flush(20)
    assert np.array_equal(desk.store.load(desk.images[0]).labels, theirs)
    assert desk.keeping.conflict == desk.images[0]
    desk.session.autosave.abandon(desk.images[0])


# -- how old what is on disk may be -------------------------------------------------------------


def test_the_newest_durable_stroke_is_young_while_brushing_goes_on(monkeypatch):
    class Clock:
        now = 100.0

        @classmethod
        def monotonic(cls):
            return cls.now

        time = staticmethod(time.time)

    monkeypatch.setattr(journaling, "time", Clock)
    monkeypatch.setattr(threading.Thread, "start", lambda self: None)
    journals = StrokeJournals(lambda image: ())
    journals.follow("x", (4, 4), np.dtype(np.uint8), None)
    edit = Edit("stroke", Rect(0, 0, 1, 1), 1, 0, (), 0.0, ())
    count = 0

    def brush(timeout=None):
        """A stroke every 20 ms, so that there is never a pause."""
        nonlocal count
        count += 1
        Clock.now += 0.02
        journals._lines["x"].items.append(journaling._Item(count, at=Clock.now))

    journals.record("x", 1, Change("edit", edit))
    monkeypatch.setattr(journals._changed, "wait", brush)
    for _ in range(50):
        with journals._changed:
            line = journals._next()
        assert Clock.now - line.items[0].at <= 0.2
        line.items.clear()
        brush()
    assert count > 100


def test_files_follow_at_leisure_but_never_late(qtbot, desks, monkeypatch):
    from pspgui.gui import autosave as module

    class Clock:
        now = 100.0
        monotonic = staticmethod(lambda: Clock.now)

    desk = desks()
    autosave = desk.session.autosave
    monkeypatch.setattr(module, "time", Clock)
    begun = Clock.now
    for number in range(60):
        desk.stroke(number % 40, number % 50, number % 11)
        due = Clock.now + autosave._timer.interval() / 1000
        assert due <= max(begun + 5.001, Clock.now)
        Clock.now += 0.1
    monkeypatch.undo()
    desk.saved(qtbot)


def test_a_long_stroke_is_in_the_journal_before_it_ends(qtbot, desks):
    desk = desks()
    document, strokes = desk.document, desk.session.autosave.strokes
    document.set_active_class(4)
    document.begin_stroke(10, 10, "brush")
    document.move_stroke(20, 30)
    assert strokes._timer.isActive()
    strokes._write_part()
    document.move_stroke(30, 50)
    strokes._write_part()
    shown = document.label_map.labels.copy()
    strokes.journals.drain(None, 60)
    other = Desk(desk.folder)
    other.open(qtbot)
    lost = other.keeping.lost
    assert lost.strokes == 1
    found = other.document.label_map.labels.copy()
    np.copyto(found[lost.rect.slices], lost.labels, where=lost.mask)
    assert np.array_equal(found, shown)
    other.close()
    document.abort_stroke()
    strokes.journals.drain(None, 60)
    desk.session.autosave.abandon(document.image_path)
    desk.close()
    assert desks().keeping.lost is None  # what was taken back is not offered


def test_erasing_to_another_model_says_so_in_the_provenance(qtbot, desks):
    desk = desks()
    document = desk.document
    assert document.label_map.models[0]
    desk.stroke(10, 10, 3)
    document.begin_stroke(10, 10, "erase")
    document.finish_stroke()
    assert document.label_map.provenance[10, 10] == 0
    other = document.prediction
    document.set_prediction(replace(other, stamp=Stamp("fake", "0123456789")))
    desk.stroke(30, 30, 3)
    document.begin_stroke(30, 30, "erase")
    document.finish_stroke()
    assert document.label_map.provenance[30, 30] == FIRST_VERSION
    assert "01234567" in document.label_map.models[FIRST_VERSION]
    models = dict(document.label_map.models)
    desk.saved(qtbot)
    desk.close()
    assert desks().document.label_map.models == models
