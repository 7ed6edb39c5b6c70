"""Painting on a label map: every write goes through its history and marks who made it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np

from pspgui.geometry import Rect
from pspgui.labels.edits import TILE_PX, Edit
from pspgui.labels.filters import OPEN, PaintFilter
from pspgui.labels.history import History, Steps, at_once
from pspgui.labels.label_map import LabelMap
from pspgui.labels.provenance import MODEL, PERSON, is_model
from pspgui.labels.raster import Point, Runs, Stamp, capsules, fresh_runs, pieces
from pspgui.labels.shapes import squares

_LARGE_PX = 96  # larger brushes paint what a move adds, not all that it sweeps


class Painted(NamedTuple):
    """What a write touched: the rect to repaint (empty if none) and the labels that changed."""

    rect: Rect
    pixels: int


UNTOUCHED = Painted(Rect(0, 0, 0, 0), 0)


def paint(
    label_map: LabelMap,
    history: History,
    rect: Rect,
    mask: np.ndarray,
    value: int | np.ndarray,
    provenance: int | None = None,
    allowed: PaintFilter = OPEN,
) -> Painted:
    """Write `value` where `mask` (rect's shape, bool) is True, within an open edit.

    `value` is a label, or an array to copy from: of the whole image (the prediction, for the
    eraser) or of the rect's shape. `provenance` is PERSON for a label and MODEL for an array
    unless given. What `allowed` spares is left alone. Raises `ValueError` for a label that the
    map's dtype cannot hold or an array of another shape.
    """
    labels, marks = label_map.labels, label_map.provenance
    if isinstance(value, np.ndarray):
        if value.shape not in (labels.shape, mask.shape):
            raise ValueError(f"labels are {labels.shape}, what is copied is {value.shape}")
        wanted = value[rect.slices] if value.shape == labels.shape else value
        wanted = wanted.astype(labels.dtype, copy=False)
        mark = MODEL if provenance is None else provenance
    else:
        if not 0 <= value <= np.iinfo(labels.dtype).max:
            raise ValueError(f"label {value} does not fit a map of {labels.dtype}")
        wanted = labels.dtype.type(value)
        mark = PERSON if provenance is None else provenance
    here, marks_here = labels[rect.slices], marks[rect.slices]
    if not allowed.is_open:
        mask = mask & allowed.change(here, wanted if isinstance(value, np.ndarray) else value)
    differs = here != wanted
    differs &= mask
    pixels = int(np.count_nonzero(differs))
    if pixels == 0 and not (mask & (marks_here != mark)).any():
        return Painted(Rect(rect.y0, rect.x0, rect.y0, rect.x0), 0)
    history.touch(rect)
    np.copyto(here, wanted, where=mask)
    np.copyto(marks_here, np.uint8(mark), where=mask)
    label_map.revision += 1
    return Painted(rect, pixels)


def paint_runs(
    label_map: LabelMap,
    history: History,
    runs: Runs,
    value: int | np.ndarray,
    provenance: int | None = None,
    allowed: PaintFilter = OPEN,
) -> Painted:
    """Write like `paint` where runs lie; an array to copy from is one of the whole image."""
    labels, marks = label_map.labels.reshape(-1), label_map.provenance.reshape(-1)
    flat = runs.flat
    if isinstance(value, np.ndarray):
        wanted = value.reshape(-1).take(flat).astype(labels.dtype, copy=False)
        mark = MODEL if provenance is None else provenance
    else:
        wanted = labels.dtype.type(value)
        mark = PERSON if provenance is None else provenance
    here = labels.take(flat)
    differs = here != wanted
    may = differs | (marks.take(flat) != mark)
    if not allowed.is_open:
        may &= allowed.change(here, wanted if isinstance(value, np.ndarray) else value)
    count = int(np.count_nonzero(may))
    if not count:
        return Painted(Rect(runs.rect.y0, runs.rect.x0, runs.rect.y0, runs.rect.x0), 0)
    pixels = int(np.count_nonzero(differs & may))
    history.touch(runs.rect)
    if count < len(flat):  # the usual sweep changes all it covers
        flat = flat[may]
        wanted = wanted[may] if isinstance(value, np.ndarray) else wanted
    labels[flat] = wanted
    marks[flat] = np.uint8(mark)
    label_map.revision += 1
    return Painted(runs.rect, pixels)


class Stroke:
    """One press-to-release of a brush or eraser: `move` for each pointer event, then `finish`.

    `value` is a label, or the prediction (H, W) to erase to. What `allowed` spares is left alone.
    GUI thread only; the history's edit opens with the first `move`.
    """

    def __init__(
        self,
        label_map: LabelMap,
        history: History,
        name: str,
        diameter_px: int,
        value: int | np.ndarray,
        allowed: PaintFilter = OPEN,
        square: bool = False,
        provenance: int | None = None,
    ) -> None:
        """Describe the stroke; nothing is written yet."""
        self._map, self._history, self.name = label_map, history, name
        self.diameter_px = diameter_px
        self._value, self._allowed, self._square = value, allowed, square
        self._provenance = provenance
        self._last: Point | None = None
        self._swept_px = 0  # the diameter of the dab that the last move ended with

    def move(self, y: float, x: float) -> Rect:
        """Sweep the brush from the last point to (y, x), in image pixels; return what to repaint.

        The first call is a dab. Points outside the image are fine.
        """
        if self._last is None:
            self._history.begin(self.name)
            self._swept_px = 0
        start, self._last = self._last or (y, x), (y, x)
        if self._goes_on(start, self._last):
            return self._apply_runs(start, self._last)
        self._swept_px = self.diameter_px
        dirty = Rect(0, 0, 0, 0)
        shape = self._map.shape
        for stamp in capsules(start, self._last, self.diameter_px, shape, self._square):
            dirty = dirty.union(self._apply(stamp))
        return dirty

    def finish(self) -> Edit | None:
        """Close the stroke and return its edit; None if it changed nothing or never began."""
        began, self._last = self._last is not None, None
        return self._history.commit() if began else None

    def abort(self) -> Rect:
        """Take back the whole stroke; return what to repaint."""
        began, self._last = self._last is not None, None
        return self._history.abort() if began else Rect(0, 0, 0, 0)

    def _goes_on(self, start: Point, end: Point) -> bool:
        """Whether a dab at the start is painted already, so that little is left to paint."""
        return (
            self.diameter_px == self._swept_px
            and self.diameter_px >= _LARGE_PX
            and pieces(start, end, self.diameter_px) == 1
        )

    def _apply_runs(self, start: Point, end: Point) -> Rect:
        runs = fresh_runs(start, end, self.diameter_px, self._map.shape, self._square)
        if runs.rect.is_empty:
            return runs.rect
        return paint_runs(
            self._map, self._history, runs, self._value, self._provenance, self._allowed
        ).rect

    def _apply(self, stamp: Stamp) -> Rect:
        return paint(
            self._map, self._history, *stamp, self._value, self._provenance, self._allowed
        ).rect


def writing(history: History, name: str, writes: Iterable[Painted]) -> Steps:
    """Make one edit of writes, a step each; they should meet one tile after another.

    Returns the edit, None when nothing changed. What is broken off, or fails, is taken back.
    """
    history.begin(name)
    try:
        for painted in writes:
            history.close(painted.rect)
            yield
        return history.commit()
    except BaseException:
        history.abort()
        raise


def accepting(
    label_map: LabelMap,
    history: History,
    prediction: np.ndarray,
    provenance: int = PERSON,
    allowed: PaintFilter = OPEN,
) -> Steps:
    """Make the prediction (H, W) the labels wherever no person has set them, as one edit.

    The pixels taken over are marked with `provenance`: accepting is a person's word for them.
    Labels that `allowed` spares stay; where they equal the prediction they are confirmed too.
    Returns None when there was nothing to take over. Raises `ValueError` for another shape.
    """
    labels, marks = label_map.labels, label_map.provenance
    if prediction.shape != labels.shape:
        raise ValueError(f"labels are {labels.shape}, what is copied is {prediction.shape}")

    def taken_over() -> Iterator[Painted]:
        for rect in squares(label_map.rect, TILE_PX):
            here, wanted = labels[rect.slices], prediction[rect.slices]
            free = is_model(marks[rect.slices])
            if not allowed.is_open:
                free &= (here == wanted) | allowed.change(here, wanted)
            yield paint(label_map, history, rect, free, wanted, provenance)

    return writing(history, "Accept prediction", taken_over())


def accept_prediction(
    label_map: LabelMap,
    history: History,
    prediction: np.ndarray,
    provenance: int = PERSON,
    allowed: PaintFilter = OPEN,
) -> Edit | None:
    """Do as `accepting`, at once."""
    return at_once(accepting(label_map, history, prediction, provenance, allowed))
