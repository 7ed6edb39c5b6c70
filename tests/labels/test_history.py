"""Undo and redo against a model that keeps whole copies."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from pspgui.geometry import Rect
from pspgui.labels.areas import ClassAreas
from pspgui.labels.editing import Stroke, accept_prediction, paint, writing
from pspgui.labels.edits import TILE_PX, Edit
from pspgui.labels.filters import OPEN
from pspgui.labels.history import History, at_once
from pspgui.labels.label_map import LabelMap
from pspgui.labels.provenance import MODEL, PERSON
from pspgui.labels.shapes import squares

SHAPE = (300, 530)  # three by two tiles, the last ones cut
State = tuple[bytes, bytes]


def prediction() -> np.ndarray:
    return np.random.default_rng(7).integers(0, 4, SHAPE).astype(np.uint8)


class Editing(RuleBasedStateMachine):
    """Strokes, undo, redo and packing in any order, next to lists of copies."""

    def __init__(self) -> None:
        super().__init__()
        self.prediction = prediction()
        self.map = LabelMap(self.prediction.copy())
        self.history = History(self.map)
        self.areas = ClassAreas(self.map.labels)
        self.past: list[State] = []
        self.future: list[State] = []
        self.arrays = (self.map.labels, self.map.provenance)

    def state(self) -> State:
        return self.map.labels.tobytes(), self.map.provenance.tobytes()

    def committed(self, before: State, edit: Edit | None) -> None:
        if edit is None:
            assert self.state() == before
            return
        old, old_marks = (np.frombuffer(part, np.uint8).reshape(SHAPE) for part in before)
        changed = old != self.map.labels
        moved = changed | (old_marks != self.map.provenance)
        assert edit.pixels_changed == np.count_nonzero(changed)
        assert edit.pixels_confirmed == np.count_nonzero(moved & ~changed)
        outside = moved.copy()
        outside[edit.rect.slices] = False
        assert not outside.any()
        rows, columns = np.flatnonzero(moved.any(axis=1)), np.flatnonzero(moved.any(axis=0))
        assert edit.rect == Rect(rows[0], columns[0], rows[-1] + 1, columns[-1] + 1)
        self.areas.apply(edit)
        self.past.append(before)
        self.future.clear()

    strokes = st.lists(st.tuples(st.floats(-20, 320), st.floats(-20, 550)), min_size=1, max_size=4)

    @rule(path=strokes, diameter=st.integers(1, 70), label=st.integers(0, 4), erase=st.booleans(),
          square=st.booleans(), only=st.sampled_from([None, 1]), keep=st.booleans(),
          closes=st.booleans())  # fmt: skip
    def stroke(
        self, path: list[tuple[float, float]], diameter: int, label: int, erase: bool,
        square: bool, only: int | None, keep: bool, closes: bool,
    ) -> None:  # fmt: skip
        before = self.state()
        value = self.prediction if erase else label
        rule = OPEN if only is None else OPEN.only(only)
        stroke = Stroke(self.map, self.history, "Brush", diameter, value, rule, square)
        dirty = Rect(0, 0, 0, 0)
        for y, x in path:
            moved = stroke.move(y, x)
            dirty = dirty.union(moved)
            if closes:  # the next move opens again what it meets
                self.history.close(moved)
        if keep:
            edit = stroke.finish()
            assert edit is None or dirty.union(edit.rect) == dirty
            self.committed(before, edit)
        else:
            stroke.abort()
            assert self.state() == before

    @rule()
    def accept(self) -> None:
        before = self.state()
        self.committed(before, accept_prediction(self.map, self.history, self.prediction))

    @rule(label=st.integers(0, 4), stop=st.integers(0, 8))
    def fill(self, label: int, stop: int) -> None:
        """Writing all tiles, perhaps broken off: that leaves no trace."""
        before, done = self.state(), len(self.history.edits)
        everywhere = np.ones((TILE_PX, TILE_PX), bool)
        writes = (
            paint(self.map, self.history, rect, everywhere[: rect.height, : rect.width], label)
            for rect in squares(self.map.rect, TILE_PX)
        )
        steps = writing(self.history, "Fill", writes)
        for _ in itertools.islice(steps, stop):
            assert self.history.is_open
        if stop < 6:  # the map has six tiles
            steps.close()
            assert self.state() == before and len(self.history.edits) == done
        else:
            at_once(steps) if stop == 6 else None
            edits = self.history.edits
            self.committed(before, edits[-1] if len(edits) > done else None)
        assert not self.history.is_open

    @precondition(lambda self: self.past)
    @rule(steps=st.integers(0, 3))
    def break_an_undo_off(self, steps: int) -> None:
        before, names = self.state(), self.history.undo_names
        undoing = self.history.undoing()
        for _ in itertools.islice(undoing, steps):
            assert self.history.is_open and self.history.undo() is None
        if not self.history.is_open and steps:  # it has come to its end
            assert self.history.redo() is not None
        undoing.close()
        assert self.state() == before and self.history.undo_names == names

    @precondition(lambda self: self.past)
    @rule()
    def undo(self) -> None:
        now = self.state()
        edit = self.history.undo()
        assert edit is not None
        self.areas.revert(edit)
        self.future.append(now)
        assert self.state() == self.past.pop()

    @precondition(lambda self: self.future)
    @rule()
    def redo(self) -> None:
        now = self.state()
        edit = self.history.redo()
        assert edit is not None
        self.areas.apply(edit)
        self.past.append(now)
        assert self.state() == self.future.pop()

    @rule()
    def pack(self) -> None:
        assert not self.history.pack(float("inf"))

    @invariant()
    def stacks_agree(self) -> None:
        assert len(self.history.undo_names) == len(self.past)
        assert len(self.history.redo_names) == len(self.future)
        assert self.map.labels is self.arrays[0]
        assert self.map.provenance is self.arrays[1]
        counted = np.bincount(self.map.labels.ravel(), minlength=256)
        assert np.array_equal(self.areas.counts, counted)


Editing.TestCase.settings = settings(max_examples=25, stateful_step_count=15, deadline=None)
TestEditing = Editing.TestCase


def painted(history: History, label_map: LabelMap, at: tuple[float, float], label: int) -> Edit:
    stroke = Stroke(label_map, history, f"Brush {label}", 11, label)
    stroke.move(*at)
    edit = stroke.finish()
    assert edit is not None
    return edit


def blank() -> tuple[LabelMap, History]:
    label_map = LabelMap(np.zeros((1000, 1000), np.uint8))
    return label_map, History(label_map)


def test_a_stroke_that_changes_nothing_leaves_no_trace() -> None:
    label_map, history = blank()
    edit = painted(history, label_map, (50, 50), 3)
    revision = label_map.revision
    stroke = Stroke(label_map, history, "Brush", 11, 3)
    assert stroke.move(50, 50).is_empty
    assert stroke.finish() is None
    assert history.edits == (edit,)
    assert label_map.revision == revision
    assert Stroke(label_map, history, "Brush", 11, 3).finish() is None


def test_painting_back_within_one_stroke_is_no_edit() -> None:
    label_map, history = blank()
    history.begin("there and back")
    history.touch(Rect(0, 0, 5, 5))
    label_map.labels[0, 0] = 9
    label_map.labels[0, 0] = 0
    assert history.commit() is None


def test_a_no_op_keeps_what_can_be_redone() -> None:
    label_map, history = blank()
    painted(history, label_map, (50, 50), 3)
    history.undo()
    history.begin("nothing")
    assert history.commit() is None
    assert history.redo() is not None


def test_confirming_counts_as_an_edit() -> None:
    label_map, history = blank()
    edit = painted(history, label_map, (50, 50), 0)
    assert edit.pixels_changed == 0
    assert edit.pixels_confirmed == np.count_nonzero(label_map.provenance == PERSON) > 80
    assert edit.title.endswith(" px confirmed")
    history.undo()
    assert (label_map.provenance == MODEL).all()


def test_titles_tell_name_and_size() -> None:
    edit = Edit("Brush Road", Rect(0, 0, 1, 1), 3412, 5, (), 0.0, ())
    assert edit.title == "Brush Road, 3\u2009412 px"


def test_the_budget_is_in_bytes_and_spares_the_newest() -> None:
    rng = np.random.default_rng(8)
    label_map = LabelMap(rng.integers(0, 256, (1024, 1024)).astype(np.uint8))
    history = History(label_map, budget_bytes=600)
    for i in range(8):
        painted(history, label_map, (i * 120 + 60, 100), 3)
        assert history.nbytes <= 600
    assert 1 < len(history.edits) < 8
    history.begin("everything")
    history.touch(label_map.rect)
    label_map.labels[:] = 7
    edit = history.commit()
    assert not history.pack(float("inf"))
    assert history.edits == (edit,)
    before = label_map.labels.copy()
    history.undo()
    history.redo()
    assert np.array_equal(label_map.labels, before)


def test_only_touched_tiles_are_kept() -> None:
    label_map, history = blank()
    edit = painted(history, label_map, (256, 256), 3)
    assert len(edit.tiles) == 4
    history.pack(float("inf"))
    assert edit.nbytes < 5000


def test_nothing_is_undone_during_a_stroke() -> None:
    label_map, history = blank()
    painted(history, label_map, (50, 50), 3)
    history.begin("open")
    assert history.undo() is None
    assert history.redo() is None
    with pytest.raises(RuntimeError, match="still open"):
        history.begin("another")
    history.abort()
    with pytest.raises(RuntimeError, match="no edit is open"):
        history.commit()
    with pytest.raises(RuntimeError, match="no edit is open"):
        history.touch(Rect(0, 0, 1, 1))


def test_uint16_maps_are_edited_too() -> None:
    label_map = LabelMap(np.zeros((300, 300), np.uint16))
    history = History(label_map)
    edit = painted(history, label_map, (150, 150), 40_000)
    areas = ClassAreas(np.zeros((300, 300), np.uint16))
    areas.apply(edit)
    assert areas.counts[40_000] == edit.pixels_changed
    history.pack(float("inf"))
    history.undo()
    assert not label_map.labels.any()


def run_out(*_: object) -> None:
    raise MemoryError


def test_an_edit_that_memory_runs_out_for_is_taken_back(monkeypatch: pytest.MonkeyPatch) -> None:
    label_map, history = blank()
    before = label_map.labels.copy()

    with monkeypatch.context() as patch:
        patch.setattr("pspgui.labels.open_edit._compared", run_out)
        with pytest.raises(MemoryError):
            painted(history, label_map, (10, 10), 3)

    assert not history.is_open and (label_map.labels == before).all()
    assert painted(history, label_map, (10, 10), 3).pixels_changed > 0


def test_what_a_large_edit_keeps_is_packed_as_it_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pspgui.labels.open_edit._RAW_BYTES", 2 * TILE_PX**2)
    label_map, history = blank()
    told = []
    history.listener = told.append
    history.begin("Fill")
    history.touch(label_map.rect)
    label_map.labels[:] = 3
    edit = history.commit()
    assert edit is not None
    packed = [tile.labels.is_packed for tile in edit.tiles]
    assert packed == [False] * 2 + [True] * 14
    assert [after.labels.is_packed for after in told[0].after] == packed
    assert all((after.labels.values() == 3).all() for after in told[0].after)
    assert edit.nbytes < 4 * TILE_PX**2 + 14 * 2000
    history.undo()
    assert not label_map.labels.any()


@pytest.mark.parametrize("plane", ["labels", "provenance"])
def test_a_tile_that_cannot_be_unpacked_leaves_the_map_as_it_is(plane: str) -> None:
    label_map, history = blank()
    edit = painted(history, label_map, (256, 256), 3)
    history.pack(float("inf"))
    getattr(edit.tiles[-1], plane)._content = b"torn"
    before, marks = label_map.labels.copy(), label_map.provenance.copy()
    undoing = history.undoing()
    next(undoing)
    revision = label_map.revision
    with pytest.raises(ValueError, match="unpacked"):
        at_once(undoing)
    assert label_map.revision > revision  # who read meanwhile read what was not to stay
    assert np.array_equal(label_map.labels, before)
    assert np.array_equal(label_map.provenance, marks)
    assert history.edits == (edit,) and not history.is_open


def test_an_edit_is_told_though_memory_runs_out_as_it_is_packed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    label_map, history = blank()
    told = []
    history.listener = told.append
    history.set_budget(1)

    with monkeypatch.context() as patch:
        patch.setattr("pspgui.labels.edits.zlib.compress", run_out)
        with pytest.raises(MemoryError):
            painted(history, label_map, (10, 10), 3)
    assert [change.edit for change in told] == list(history.edits)
