"""Evidence asked beside the window: what comes of a question that cannot be answered."""

from __future__ import annotations

from PySide6.QtCore import QObject

from pspgui.gui.slow_evidence import SlowEvidence


class FakeQuestion:
    """A question that is answered, or raises what it is to raise."""

    def __init__(self, answer):
        self._answer = answer

    def answer(self):
        """Return or raise."""
        if isinstance(self._answer, Exception):
            raise self._answer
        return self._answer


def test_a_question_that_fails_is_told_and_waited_for_no_longer(qtbot):
    parent = QObject()
    later = SlowEvidence(parent)
    answers, waits, failures = [], [], []
    later.answered.connect(answers.append)
    later.waits.connect(waits.append)
    later.failed.connect(failures.append)
    later.ask(FakeQuestion(ValueError("no such class")))
    qtbot.waitUntil(lambda: bool(failures))
    assert answers == [None] and waits == [True, False]

    later.ask(FakeQuestion("evidence"))
    qtbot.waitUntil(lambda: len(answers) == 2)
    assert answers[1] == "evidence" and waits == [True, False, True, False]
