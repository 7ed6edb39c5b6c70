"""Edits, undo, saves, switches, kills and restarts in any order, next to copies of whole arrays."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from workbench import Workbench

from pspgui.project import LabelStore, StrokeJournals

IMAGES = ("a.jpg", "b.jpg")
State = tuple[bytes, bytes]


class Keeping(RuleBasedStateMachine):
    """Two images; the model keeps the states that undo and redo lead to as a list and a place.

    A kill loses what no file and no journal has, which is nothing once the journal was drained.
    What is recovered is one edit, so that the model begins its list anew there.
    """

    @initialize()
    def start(self) -> None:
        self.folder = Path(tempfile.mkdtemp())
        for name in IMAGES:
            (self.folder / name).touch()
        self.seed = 0
        self.kept: dict[str, tuple[list[State], int]] = {}
        self.saved: dict[str, bool] = {}
        self.filed: dict[str, tuple[list[State], int]] = {}
        self.begin()

    def begin(self) -> None:
        """Start the program."""
        self.store = LabelStore(self.folder / "elsewhere")
        self.journals = StrokeJournals(self.store.homes)
        self.open(IMAGES[0])

    def open(self, name: str) -> None:
        self.journals.drain()
        self.name = name
        self.bench = Workbench(self.folder / name, self.store, self.journals)
        states, at = self.kept.get(name, ([self.bench.state()], 0))
        if self.bench.found.lost is not None:
            assert not self.saved[name]
            before = self.bench.state()
            self.bench.recover()
            assert self.bench.state() == states[at]
            states, at = [*self.below(before), states[at]], len(self.bench.history.edits)
        else:
            assert self.bench.state() == states[at]
            states, at = self.filed.get(name, ([states[at]], 0))  # of more there is no history
        self.kept[name] = states, at

    def below(self, now: State) -> list[State]:
        """Return the states that undo leads to from what was opened, oldest first."""
        bench = self.bench
        listener, bench.history.listener = bench.history.listener, None
        standing = len(bench.history.edits)
        states = []
        for count in range(standing):
            bench.history.jump(count)
            states.append(bench.state())
        bench.history.jump(standing)
        bench.history.listener = listener
        assert states[-1] == now
        return states

    @property
    def states(self) -> list[State]:
        return self.kept[self.name][0]

    @property
    def at(self) -> int:
        return self.kept[self.name][1]

    @rule()
    def stroke(self) -> None:
        self.seed += 1
        if self.bench.stroke(np.random.default_rng(self.seed)):
            states = [*self.states[: self.at + 1], self.bench.state()]
            self.kept[self.name] = states, self.at + 1
            self.saved[self.name] = False

    @precondition(lambda self: self.at > 0)
    @rule()
    def undo(self) -> None:
        assert self.bench.history.undo() is not None
        self.kept[self.name] = self.states, self.at - 1
        self.saved[self.name] = False

    @precondition(lambda self: self.at + 1 < len(self.states))
    @rule()
    def redo(self) -> None:
        assert self.bench.history.redo() is not None
        self.kept[self.name] = self.states, self.at + 1
        self.saved[self.name] = False

    @rule()
    def save(self) -> None:
        self.bench.save()
        self.saved[self.name] = True
        self.filed[self.name] = self.kept[self.name]

    @rule(name=st.sampled_from(IMAGES))
    def switch(self, name: str) -> None:
        """The window saves before it shows another image."""
        self.save()
        self.open(name)

    @rule()
    def restart(self) -> None:
        self.save()
        assert self.journals.close(20)
        self.begin()

    @rule()
    def kill(self) -> None:
        """End without saving, the journal being some tenths of a second ahead of the files."""
        assert self.journals.close(20)
        self.begin()

    @rule()
    def kill_between_the_files(self) -> None:
        """As a kill, but provenance is waiting for its labels, which did not come."""
        assert self.journals.close(20)
        for image in IMAGES:
            waiting = self.folder / ".pspgui" / "provenance-next" / f"{Path(image).stem}.png"
            waiting.parent.mkdir(parents=True, exist_ok=True)
            waiting.write_bytes(b"half of it")
        self.begin()

    @invariant()
    def agrees(self) -> None:
        if hasattr(self, "bench"):
            assert self.bench.state() == self.states[self.at]
            assert len(self.bench.history.edits) == self.at
            assert len(self.bench.history.undone) == len(self.states) - 1 - self.at

    def teardown(self) -> None:
        if hasattr(self, "bench"):
            self.journals.close(20)
            self.bench.walk_history()
            shutil.rmtree(self.folder)


# PSPGUI_PROFILE=nightly walks longer, and more often.
if settings.get_current_profile_name() == "nightly":
    Keeping.TestCase.settings = settings()
else:
    Keeping.TestCase.settings = settings(max_examples=30, stateful_step_count=25)
TestKeeping = pytest.mark.timeout(3600 if Keeping.TestCase.settings.max_examples > 30 else 300)(
    Keeping.TestCase
)


def test_a_journal_of_nothing_is_never_played_on_later_strokes() -> None:
    """What was recovered and taken back before a crash stays taken back, whatever is painted."""
    state = Keeping()
    state.start()
    state.stroke()
    state.stroke()
    state.kill()
    state.undo()
    state.kill()
    for _ in range(4):
        state.stroke()
    state.restart()
    assert not list((state.folder / ".pspgui" / "strokes" / "lost").glob("*"))
    state.stroke()
    state.kill()
    assert len(state.bench.found.lost.names) == 1
    state.teardown()


def test_strokes_recovered_and_taken_back_are_not_offered_again() -> None:
    state = Keeping()
    state.start()
    state.restart()
    state.stroke()
    state.kill()
    state.undo()
    state.kill()
    state.stroke()
    state.kill()
    state.restart()
    state.teardown()


@pytest.mark.parametrize("acts", [("stroke", "undo", "redo"), ("stroke", "stroke", "undo", "redo")])
def test_a_stroke_taken_back_and_brought_back_is_offered_as_that_stroke(acts) -> None:
    state = Keeping()
    state.start()
    for act in acts:
        getattr(state, act)()
    assert state.journals.close(20)
    found = Workbench(state.bench.image, state.store, StrokeJournals(state.store.homes)).found
    assert found.lost is not None and found.lost.strokes == acts.count("stroke")
    state.begin()  # and it is recovered
    state.teardown()
