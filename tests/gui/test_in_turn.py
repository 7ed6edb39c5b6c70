"""Files asked for one after another: all are written, in order, or it is said why one was not."""

from __future__ import annotations

import threading

import pytest
from PySide6.QtWidgets import QMessageBox

from pspgui.durable import SaveError
from pspgui.gui.document import Document
from pspgui.gui.engine_thread import Engine
from pspgui.gui.main_window import MainWindow
from pspgui.gui.session import Session
from pspgui.gui.settings import Settings
from pspgui.jobs.messages import Step


class Bench:
    """A session without a model, whose jobs wait for a gate."""

    def __init__(self, qtbot, folder):
        self.qtbot, self.folder = qtbot, folder
        self.document, self.engine = Document(), Engine()
        self.session = Session(self.document, self.engine, Settings())
        self.engine.start()
        self.gate = threading.Event()
        self.said, self.notices, self.order = [], [], []
        self.document.message.connect(self.said.append)
        self.session.notice.connect(self.notices.append)

    def ask(self, name, kind="report", error=None):
        path = self.folder / name

        def job(turn):
            while not self.gate.wait(0.01):
                yield Step("Waiting")
            yield Step("Writing")
            if error is not None:
                raise error
            path.write_text(name)
            self.order.append(name)
            return f"It was written to {name}."

        self.session.in_turn.ask(kind, f"The report {name}", job)

    def finish(self):
        self.gate.set()
        self.qtbot.waitUntil(lambda: not self.session.in_turn.open)


@pytest.fixture
def bench(qtbot, tmp_path):
    found = Bench(qtbot, tmp_path)
    yield found
    found.gate.set()
    found.session.close()


def test_all_are_written_in_the_order_they_were_asked_for(bench):
    for name in ("a", "b", "c"):
        bench.ask(name)
    assert bench.session.in_turn.open == ("The report a", "The report b", "The report c")
    assert bench.said == [
        "The report b is written as soon as the report a is there.",
        "The report c is written as soon as the report b is there.",
    ]
    bench.finish()
    assert bench.order == ["a", "b", "c"]
    last = bench.notices[-1]
    assert all(f"written to {name}." in last.text for name in "abc") and not last.is_error


def test_failures_are_told_and_hold_up_none_behind_them(bench):
    bench.ask("a", error=SaveError("There was no room for a."))
    bench.ask("b")
    bench.ask("c", error=SaveError("There was no room for c."))
    bench.finish()
    assert bench.order == ["b"]
    told = [(notice.is_error, notice.text) for notice in bench.notices]
    assert told == [
        (True, "There was no room for a."), (False, "It was written to b."),
        (True, "There was no room for a. There was no room for c."),
    ]  # fmt: skip


def test_one_that_is_cancelled_is_named_and_the_next_goes_on(bench):
    bench.ask("a")
    bench.ask("b")
    bench.session.cancel("report")
    bench.qtbot.waitUntil(lambda: len(bench.session.in_turn.open) == 1)
    assert "The report a was cancelled." in bench.said
    bench.finish()
    assert bench.order == ["b"]


def test_another_row_of_files_tells_of_itself_alone(bench):
    bench.ask("a")
    bench.finish()
    bench.ask("b")
    bench.finish()
    assert bench.notices[-1].text == "It was written to b."


def test_kinds_do_not_wait_for_one_another(bench):
    bench.ask("a")
    done = []

    def quick(turn):
        yield Step("Writing")
        return "quick"

    bench.session.in_turn.ask("export", "The export", quick, done.append)
    bench.gate.set()
    bench.qtbot.waitUntil(lambda: done == ["quick"])
    assert not bench.said


def test_closing_asks_before_files_under_way_are_given_up(bench, qtbot, monkeypatch):
    window = MainWindow(bench.document, bench.session, bench.session.settings)
    qtbot.addWidget(window)
    window.show()
    bench.ask("a")
    bench.ask("b")
    asked = []
    buttons = QMessageBox.StandardButton

    def answer(box):
        asked.append(box.text())
        return buttons.Cancel if len(asked) == 1 else buttons.Discard

    monkeypatch.setattr(QMessageBox, "exec", answer)
    assert not window.close() and window.isVisible()
    assert asked[0].startswith("The report a and 1 more would not be written")
    assert window.close()
    bench.finish()
    assert window.close() and len(asked) == 2
