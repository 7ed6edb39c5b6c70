"""Undo and redo of label map edits: what changed in each tile, counted in bytes.

An edit keeps the bitwise difference (XOR) of every 256-px tile it changed. Undo and redo are the
same act, need no copy of the map, and leave what is kept as it is: it is packed once, and may be
written to a journal by another thread meanwhile.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterable, Iterator
from typing import TypeVar

from pspgui.geometry import Rect
from pspgui.labels.edits import MIB, Change, Edit, OpenTile
from pspgui.labels.label_map import LabelMap
from pspgui.labels.open_edit import OpenEdit, swap

_NOTHING = Rect(0, 0, 0, 0)

_TRIM_S = 0.004

Steps = Generator[None, None, Edit | None]
_Result = TypeVar("_Result")


def at_once(steps: Generator[None, None, _Result]) -> _Result:
    """Carry out a change that comes in steps, and return what it returns."""
    while True:
        try:
            next(steps)
        except StopIteration as done:
            result: _Result = done.value
            return result


class History:
    """The edits of one label map, to undo and redo within a budget of bytes.

    An edit is `begin`, `touch` before each write, then `commit` or `abort`. Everything is on the
    thread that writes the label map. The newest edit can always be undone, whatever its size.
    `listener`, where there is one, hears of every `Change`.

    What takes long for a large edit comes in steps of a tile each: `closing` before `commit`,
    `undoing`, `redoing`, `jumping`. While these are under way the history counts as open.
    """

    def __init__(self, label_map: LabelMap, budget_bytes: int = 256 * MIB) -> None:
        """Keep edits of `label_map` in at most about `budget_bytes`."""
        self._map = label_map
        self._budget = budget_bytes
        self._open: OpenEdit | None = None
        self._moves = False
        self._done: list[Edit] = []
        self._undone: list[Edit] = []
        self._raw: list[Edit] = []
        self.listener: Callable[[Change], None] | None = None

    @property
    def is_open(self) -> bool:
        """Whether an edit was begun and not yet committed or aborted, or is being undone."""
        return self._open is not None or self._moves

    @property
    def open_name(self) -> str:
        """The name of the edit under way; empty without one."""
        return "" if self._open is None else self._open.name

    @property
    def edits(self) -> tuple[Edit, ...]:
        """Edits that stand, oldest first."""
        return tuple(self._done)

    @property
    def undone(self) -> tuple[Edit, ...]:
        """Edits that were taken back, in the order in which `redo` brings them back."""
        return tuple(reversed(self._undone))

    @property
    def undo_names(self) -> tuple[str, ...]:
        """Titles of what `undo` takes back, next first."""
        return tuple(edit.title for edit in reversed(self._done))

    @property
    def redo_names(self) -> tuple[str, ...]:
        """Titles of what `redo` brings back, next first."""
        return tuple(edit.title for edit in reversed(self._undone))

    @property
    def nbytes(self) -> int:
        """Memory held by all edits."""
        return sum(edit.nbytes for edit in (*self._done, *self._undone))

    @property
    def budget_bytes(self) -> int:
        """About how much all edits together may hold."""
        return self._budget

    def set_budget(self, budget_bytes: int) -> None:
        """Keep no more than this from now on, or once `pack` has done its work."""
        self._budget = budget_bytes
        self._trim()

    def restore(self, done: Iterable[Edit], undone: Iterable[Edit]) -> None:
        """Take over edits from an earlier session: `done` oldest first, `undone` next redo first.

        They must fit the label map as it is.
        """
        self._done, self._undone = list(done), list(undone)[::-1]
        self._raw = [*self._done, *self._undone]
        self._trim()

    def begin(self, name: str) -> None:
        """Open an edit; raises `RuntimeError` while another one is open, or is being undone."""
        if self.is_open:
            raise RuntimeError(f"the edit {self.open_name!r} is still open")
        self._open = OpenEdit(name, self._map, self.listener is not None)

    def touch(self, rect: Rect) -> None:
        """Keep what lies under `rect` before it is written; each tile is copied once an edit."""
        self._opened.touch(rect)

    def close(self, rect: Rect) -> None:
        """Take down what changed in the tiles under `rect`, which are probably done with."""
        self._opened.close(rect)

    def closing(self) -> Iterator[None]:
        """Take down what changed in all tiles, one a step; `commit` then has nothing left to do."""
        return self._opened.closing()

    def touched(self, limit: int) -> tuple[OpenTile, ...]:
        """Return up to `limit` tiles written by the edit under way since they were last asked for.

        A journal keeps them, so that a long stroke is not lost in a crash either.
        """
        return () if self._open is None else self._open.touched(limit)

    def commit(self, pack_s: float = 0.0) -> Edit | None:
        """Close the edit and return it; None when nothing changed, which leaves no trace.

        `pack_s` bounds the seconds spent on compression here; `pack` does the rest when idle.
        When memory runs out the edit is taken back, so that the next one can begin.
        """
        try:
            edit, after = self._opened.finish()
        except BaseException:
            self.abort()
            raise
        self._open = None
        if edit is None:
            return None
        self._undone.clear()
        self._done.append(edit)
        self._raw.append(edit)
        self._tell(Change("edit", edit, after))  # first: packing may run out of memory
        self.pack(pack_s)
        self._trim()
        return edit

    def abort(self) -> Rect:
        """Give up the open edit, put everything back, and return the rect to repaint."""
        given_up, self._open = self._open, None
        return _NOTHING if given_up is None else given_up.take_back()

    def undo(self) -> Edit | None:
        """Take back the last edit and return it; None if there is none or one is open."""
        return at_once(self.undoing())

    def redo(self) -> Edit | None:
        """Bring back the edit undone last and return it; None if there is none or one is open."""
        return at_once(self.redoing())

    def undoing(self) -> Steps:
        """Do as `undo`, a tile a step; what is broken off goes back to where it was."""
        return self._moving(self._done, self._undone, "undo")

    def redoing(self) -> Steps:
        """Do as `redo`, a tile a step; what is broken off goes back to where it was."""
        return self._moving(self._undone, self._done, "redo")

    def jumping(self, standing: int) -> Generator[None, None, Rect]:
        """Undo or redo until `standing` edits stand; return all that is to be repainted."""
        rect = _NOTHING
        standing = max(0, min(standing, len(self._done) + len(self._undone)))
        while len(self._done) != standing:
            edit = yield from self.undoing() if len(self._done) > standing else self.redoing()
            if edit is None:
                break
            rect = rect.union(edit.rect)
        return rect

    def jump(self, standing: int) -> Rect:
        """Do as `jumping`, at once."""
        return at_once(self.jumping(standing))

    def pack(self, seconds: float) -> bool:
        """Compress raw tiles, newest edits first, for about `seconds`; True if some remain."""
        end = time.perf_counter() + seconds
        while self._raw:
            if not self._raw[-1].pack(end):
                return True
            self._raw.pop()
        self._forget_oldest()
        return False

    # -- inside -------------------------------------------------------------------------------

    @property
    def _opened(self) -> OpenEdit:
        if self._open is None:
            raise RuntimeError("no edit is open")
        return self._open

    def _moving(self, source: list[Edit], target: list[Edit], kind: str) -> Steps:
        if self.is_open or not source:
            return None
        edit, swapped = source[-1], 0
        self._moves = True
        try:
            for tile in edit.tiles:
                swap(tile, self._map)
                self._map.revision += 1
                swapped += 1
                yield
        except BaseException:  # broken off, or a tile that cannot be unpacked
            for tile in edit.tiles[:swapped]:
                swap(tile, self._map)
            self._map.revision += 1
            raise
        finally:
            self._moves = False
        target.append(source.pop())
        self._tell(Change(kind, edit))
        return edit

    def _tell(self, change: Change) -> None:
        if self.listener is not None:
            self.listener(change)

    def _trim(self) -> None:
        """Hold the budget: pack for a moment; what that does not do is done when `pack` ends."""
        if self.nbytes > self._budget:
            self.pack(_TRIM_S)

    def _forget_oldest(self) -> None:
        """Forget the oldest edits until the budget holds; never the newest one."""
        held = self.nbytes
        while held > self._budget and len(self._done) > 1:
            held -= self._done.pop(0).nbytes
