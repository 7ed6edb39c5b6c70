"""The lanes: answers arrive on the GUI thread, the latest wins, and closing joins."""

from __future__ import annotations

import os
import sys
import threading

import numpy as np
import pytest
from PySide6.QtCore import QObject, QThread, Slot

from pspgui.gui import engine_thread
from pspgui.gui.engine_thread import Engine
from pspgui.jobs.messages import Cancelled, Done, Failed, Progress, Step

pytestmark = pytest.mark.usefixtures("no_qthreads_left")


class Answers(QObject):
    """Collects replies and the thread they arrive on."""

    def __init__(self, engine):
        super().__init__()
        self.replies, self.threads = [], set()
        engine.replied.connect(self.take)

    @Slot(object)
    def take(self, reply):
        self.threads.add(QThread.currentThread())
        self.replies.append(reply)

    def ends(self):
        return [r for r in self.replies if not isinstance(r, Progress)]


@pytest.fixture
def engine(qapp):
    engine = Engine()
    yield engine
    engine.close()


def test_answers_come_to_the_gui_thread_with_the_very_object(engine, qtbot):
    answers = Answers(engine)
    array = np.arange(6)
    worked_on = []

    def job(turn):
        worked_on.append(threading.get_ident())
        yield Step("working")
        return array

    engine.ask("model", "predict", job, revisions=(1, 2))
    engine.start()
    qtbot.waitUntil(lambda: len(answers.ends()) == 1)

    (end,) = answers.ends()
    assert isinstance(end, Done) and end.result is array and end.revisions == (1, 2)
    assert answers.threads == {QThread.currentThread()}
    assert worked_on != [threading.get_ident()]


def test_five_hundred_questions_end_with_the_last_one(engine, qtbot):
    answers = Answers(engine)

    def look(number):
        def job(turn):
            yield Step("looking")
            return number

        return job

    engine.start()
    for number in range(500):
        engine.ask("model", "look", look(number))
    qtbot.waitUntil(lambda: len(answers.ends()) == 500)

    done = [r.result for r in answers.ends() if isinstance(r, Done)]
    assert done[-1] == 499 and done == sorted(done)


def test_an_image_opens_while_a_prediction_is_at_work(engine, qtbot):
    answers = Answers(engine)
    gate = threading.Event()

    def slow(turn):
        yield Step("predicting")
        gate.wait(30)

    def quick(turn):
        yield Step("opening")
        return "image"

    engine.start()
    engine.ask("model", "predict", slow)
    engine.ask("files", "open", quick)
    qtbot.waitUntil(lambda: len(answers.ends()) == 1)
    assert answers.ends()[0].result == "image"
    gate.set()
    qtbot.waitUntil(lambda: len(answers.ends()) == 2)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux counts niceness by threads")
def test_the_model_lets_the_window_go_first_and_files_do_not_wait(engine, qtbot, monkeypatch):
    monkeypatch.setattr(engine_thread, "_NICENESS", 10)
    answers = Answers(engine)

    def job(turn):
        yield Step("looking")
        return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())

    own = os.getpriority(os.PRIO_PROCESS, threading.get_native_id())
    engine.start()
    for lane in ("model", "files"):
        engine.ask(lane, lane, job)
    qtbot.waitUntil(lambda: len(answers.ends()) == 2)

    nice = {end.kind: end.result for end in answers.ends()}
    assert nice["files"] == own
    assert nice["model"] == min(19, max(own, 10))


def test_a_job_that_fails_answers_and_the_thread_lives(engine, qtbot):
    answers = Answers(engine)

    def bad(turn):
        yield Step("trying")
        raise ValueError("the reason")

    def good(turn):
        yield Step("trying")

    engine.start()
    engine.ask("model", "a", bad)
    engine.ask("model", "b", good)
    qtbot.waitUntil(lambda: len(answers.ends()) == 2)

    assert isinstance(answers.ends()[0], Failed) and isinstance(answers.ends()[1], Done)


def test_closing_cancels_what_runs_and_joins(qapp):
    engine = Engine()
    answers = Answers(engine)
    begun = threading.Event()

    def endless(turn):
        while True:
            begun.set()
            yield Step("again")

    engine.start()
    engine.ask("model", "predict", endless)
    assert begun.wait(30)
    engine.close()
    engine.close()
    qapp.processEvents()

    assert isinstance(answers.ends()[-1], Cancelled)


def test_cancelling_is_told_while_the_job_is_still_within_one_long_call(engine, qtbot):
    answers = Answers(engine)
    begun, gate = threading.Event(), threading.Event()

    def job(turn):
        yield Step("one long call")
        begun.set()
        gate.wait(30)
        return "late"

    engine.start()
    ticket = engine.ask("model", "predict", job, revisions=7)
    assert begun.wait(30)
    engine.cancel("predict")
    assert answers.ends() == []  # not within the call that cancels
    qtbot.waitUntil(lambda: len(answers.ends()) == 1)
    assert answers.ends() == [Cancelled(ticket, "predict", 7)]
    assert not gate.is_set()  # the worker is still at it

    engine.ask("model", "next", lambda turn: iter(()))
    gate.set()
    qtbot.waitUntil(lambda: answers.replies[-1].kind == "next")
    assert [r.kind for r in answers.ends()] == ["predict", "next"]


def test_cancelling_reaches_a_job_between_its_yields(engine, qtbot):
    answers = Answers(engine)
    begun = threading.Event()

    def job(turn):
        yield Step("one long call")
        begun.set()
        while not turn.cancelled():
            pass
        turn.check()

    engine.start()
    engine.ask("model", "predict", job)
    assert begun.wait(30)
    engine.cancel("predict")
    qtbot.waitUntil(lambda: bool(answers.ends()))

    assert isinstance(answers.ends()[0], Cancelled)
