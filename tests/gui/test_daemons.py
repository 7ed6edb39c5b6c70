"""Threads that nobody waits for: what they tell after the end is not heard, and harms nobody."""

from __future__ import annotations

import shiboken6
from PySide6.QtCore import QObject, Signal
from test_closing import begin, ended

from pspgui.gui import daemons
from pspgui.gui.daemons import emit_late, start_daemon

_AT_WORK_AT_THE_END = """
import sys
from PySide6.QtWidgets import QApplication
from pspgui.gui.errands import Errands
from pspgui.jobs.messages import Step

application = QApplication([])
errands = [Errands() for _ in range(8)]

def endless(turn):
    while True:
        yield Step("at work")

for one in errands:
    one.ask("endless", endless, print)
for _ in range(50):
    application.processEvents()
"""


class Teller(QObject):
    told = Signal(int)


def test_a_program_ends_well_while_errands_are_at_work(tmp_path):
    script = tmp_path / "at_work.py"
    script.write_text(_AT_WORK_AT_THE_END)
    for _ in range(3):
        running = begin(script, home=tmp_path)
        _, err = ended(running, 240)
        assert running.returncode == 0, err


def test_what_is_told_of_an_object_that_is_gone_is_let_go(qtbot):
    teller, heard = Teller(), []
    teller.told.connect(heard.append)
    start_daemon("teller", emit_late, teller.told, 3)
    qtbot.waitUntil(lambda: heard == [3])
    signal = teller.told
    shiboken6.delete(teller)
    emit_late(signal, 4)
    assert heard == [3]


def test_at_the_end_of_the_process_nothing_is_told(qtbot, monkeypatch):
    monkeypatch.setattr(daemons, "_silent", False)
    teller, heard = Teller(), []
    teller.told.connect(heard.append)
    daemons._fall_silent()
    thread = start_daemon("teller", emit_late, teller.told, 3)
    thread.join(60)
    qtbot.wait(1)
    assert not heard
