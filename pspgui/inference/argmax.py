"""The label of every pixel, exactly, without interpolating every class at every pixel.

Between the same four cells a bilinear logit is a convex mix of theirs. Where the four share their
winner, it wins throughout; elsewhere a class that stays below one of the corners' winners at
all four corners cannot win anywhere in between, so few classes are left to interpolate.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from pspgui.geometry import Rect
from pspgui.imaging.scratch import LARGE_BYTES, let_go, room_for, strips
from pspgui.inference.resampling import Taps, axis_taps

# Long runs between two cells are cut, so that the work on a block stays bounded.
_MAX_RUN_PX = 32
# About how many numbers one batch of mixed blocks may hold at once.
_BATCH_VALUES = 1 << 21


class _Runs(NamedTuple):
    """Stretches of one axis whose positions interpolate between the same two cells.

    low, high: (R,) cells; positions: (R, P) output positions, the last one repeated to the longest
    run's length; weight: (R, P) of `high` there.
    """

    low: np.ndarray
    high: np.ndarray
    positions: np.ndarray
    weight: np.ndarray


def full_resolution_labels(
    scores: np.ndarray,
    padded_shape: tuple[int, int],
    image_shape: tuple[int, int],
    align_corners: bool,
    stop: Callable[[], None] | None = None,
) -> np.ndarray:
    """Return argmax over classes of the scores upsampled to `padded_shape`, cropped to the image.

    scores: (N, h, w) float32; result (H, W) uint8, or uint16 above 255 classes, C-contiguous.
    Equal to torch's bilinear interpolation followed by argmax wherever the two best logits differ
    by more than float32 rounding; exactly tied cells go to the lower class. Memory beyond the
    result is bounded, and a large result lies over a file. `stop` is called between pieces of
    work, beginning before the first, and may raise; so may `ScratchError` be.
    """
    kind = label_kind(len(scores))
    if image_shape[0] * image_shape[1] * kind.itemsize < LARGE_BYTES:
        return labels_within(scores, padded_shape, Rect(0, 0, *image_shape), align_corners, stop)
    labels = room_for(image_shape, kind)
    for rows in strips(image_shape, kind):
        band = Rect(rows.start, 0, rows.stop, image_shape[1])
        labels[rows] = labels_within(scores, padded_shape, band, align_corners, stop)
        let_go(labels)
    return labels


def label_kind(classes: int) -> np.dtype[Any]:
    """Return what holds the labels of so many classes, and one more that says unlabelled."""
    return np.dtype(np.uint8 if classes <= 255 else np.uint16)


def labels_within(
    scores: np.ndarray,
    padded_shape: tuple[int, int],
    area: Rect,
    align_corners: bool,
    stop: Callable[[], None] | None = None,
) -> np.ndarray:
    """Return the labels of some pixels of the upsampled scores, as `full_resolution_labels` does.

    Reads and works on nothing but the cells that those pixels mix.
    """
    stop = stop or (lambda: None)
    stop()
    (classes, height, width), kind = scores.shape, scores.dtype
    down, across = area.slices
    rows, top = _cut(axis_taps(padded_shape[0], height, align_corners, kind).at(down))
    columns, left = _cut(axis_taps(padded_shape[1], width, align_corners, kind).at(across))
    scores = scores[:, top : top + int(rows.high.max()) + 1]
    scores = scores[:, :, left : left + int(columns.high.max()) + 1]
    winners = scores.argmax(axis=0).astype(label_kind(classes))
    stop()
    # Indexing by [:, columns] would give the transpose of a C-contiguous array.
    labels: np.ndarray = winners[rows.low].take(columns.low, axis=1)
    stop()
    row_runs, column_runs = _runs(rows), _runs(columns)
    mixed = _mixed_blocks(winners, row_runs, column_runs)
    stop()
    cells = np.ascontiguousarray(scores.transpose(1, 2, 0))
    area = row_runs.positions.shape[1] * column_runs.positions.shape[1]
    batch = max(1, _BATCH_VALUES // max(4 * classes, 4 * area))
    for start in range(0, len(mixed), batch):
        stop()
        chosen = mixed[start : start + batch]
        _resolve(cells, winners, row_runs, column_runs, chosen, labels, stop)
    return labels


def _cut(taps: Taps) -> tuple[Taps, int]:
    """Return taps counted from the first cell that they read, and that cell."""
    first = int(taps.low.min())
    return Taps(taps.low - first, taps.high - first, taps.weight), first


def _runs(taps: Taps) -> _Runs:
    """Cut an axis into runs of one pair of cells each."""
    count = len(taps.low)
    starts = np.flatnonzero(np.r_[True, np.diff(taps.low) != 0])
    lengths = np.diff(np.r_[starts, count])
    pieces = -(-lengths // _MAX_RUN_PX)
    # Piece p of a run begins p * _MAX_RUN_PX after it.
    offsets = np.arange(pieces.sum()) - np.repeat(np.cumsum(pieces) - pieces, pieces)
    begin = np.repeat(starts, pieces) + offsets * _MAX_RUN_PX
    end = np.minimum(begin + _MAX_RUN_PX, np.repeat(starts + lengths, pieces))
    longest = int((end - begin).max())
    positions = np.minimum(begin[:, None] + np.arange(longest), end[:, None] - 1)
    return _Runs(taps.low[begin], taps.high[begin], positions, taps.weight[positions])


def _mixed_blocks(winners: np.ndarray, rows: _Runs, columns: _Runs) -> np.ndarray:
    """Return (M, 2) indices (row run, column run) of blocks whose corners disagree."""
    top, bottom = winners[rows.low], winners[rows.high]
    first = top[:, columns.low]
    same = first == top[:, columns.high]
    same &= first == bottom[:, columns.low]
    same &= first == bottom[:, columns.high]
    return np.argwhere(~same)


def _resolve(
    cells: np.ndarray,
    winners: np.ndarray,
    rows: _Runs,
    columns: _Runs,
    blocks: np.ndarray,
    labels: np.ndarray,
    stop: Callable[[], None],
) -> None:
    """Write the labels of mixed blocks, interpolating only classes that can win there."""
    row, column = blocks[:, 0], blocks[:, 1]
    ys = np.stack([rows.low[row], rows.low[row], rows.high[row], rows.high[row]], axis=1)
    low, high = columns.low[column], columns.high[column]
    xs = np.stack([low, high, low, high], axis=1)
    corners = cells[ys, xs]  # (M, 4, N)
    candidates, counts = _candidates(corners, winners[ys, xs])
    # Blocks with many candidates first: round j then concerns a prefix of the blocks.
    order = np.argsort(-counts, kind="stable")
    row, column, corners = row[order], column[order], corners[order]
    candidates, counts = candidates[order], counts[order]
    wx = columns.weight[column][:, None, :]
    wy = rows.weight[row][:, :, None]
    best = _interpolate(corners, candidates[:, 0], wy, wx)
    found = np.broadcast_to(
        candidates[:, 0].astype(labels.dtype)[:, None, None], best.shape
    ).copy()
    for j in range(1, candidates.shape[1]):
        stop()
        live = int(np.searchsorted(-counts, -j, side="left"))
        rival = _interpolate(corners[:live], candidates[:live, j], wy[:live], wx[:live])
        # Strictly above: a tie stays with the lower class, as argmax has it.
        better = rival > best[:live]
        np.copyto(best[:live], rival, where=better)
        name = candidates[:live, j].astype(labels.dtype)[:, None, None]
        np.copyto(found[:live], np.broadcast_to(name, better.shape), where=better)
    labels[rows.positions[row][:, :, None], columns.positions[column][:, None, :]] = found


def _candidates(corners: np.ndarray, winners: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return (M, n) class ids, ascending and padded, that can win in each block, and counts (M,).

    corners: (M, 4, N) logits; winners: (M, 4), the corners' best classes.
    """
    blocks = np.arange(len(corners))
    possible = np.ones(corners[:, 0].shape, bool)
    for corner in range(4):
        rival = corners[blocks, :, winners[:, corner]][:, :, None]
        # Beaten: nowhere above the rival, and somewhere below (so no class beats itself).
        beaten = (corners <= rival).all(axis=1)
        beaten &= (corners < rival).any(axis=1)
        possible &= ~beaten
    counts = possible.sum(axis=1)
    block, ids = np.nonzero(possible)
    place = np.arange(len(ids)) - np.repeat(np.cumsum(counts) - counts, counts)
    candidates = np.zeros((len(corners), int(counts.max())), np.int64)
    candidates[block, place] = ids
    return candidates, counts


def _interpolate(
    corners: np.ndarray, classes: np.ndarray, wy: np.ndarray, wx: np.ndarray
) -> np.ndarray:
    """Return the logits (M, rows, columns) of one class a block.

    wy (M, rows, 1) and wx (M, 1, columns) are the weights of the lower and the right cells.
    Columns first and then rows, as torch does it, so that rounding falls alike.
    """
    values = corners[np.arange(len(corners)), :, classes][:, :, None, None]
    top = values[:, 0] * (1 - wx) + values[:, 1] * wx
    bottom = values[:, 2] * (1 - wx) + values[:, 3] * wx
    result: np.ndarray = top * (1 - wy) + bottom * wy
    return result
