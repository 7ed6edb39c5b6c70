"""Label maps at half size in which thin things stay: a label that is rare nearby outlives others.

A wire, a pole or a gap between two classes is one pixel wide and covers few pixels of its
neighbourhood. Choosing, of the four pixels that become one, the label that is rarest around them
keeps it, and keeps it one pixel wide, however often the map is halved. Along a straight border
both sides are as frequent as each other, so borders stay where they are to within a pixel.
"""

from __future__ import annotations

import numpy as np

from pspgui.geometry import Rect

_AROUND = tuple((dy, dx) for dy in range(4) for dx in range(4))
_INSIDE = (5, 6, 9, 10)  # the four pixels in the middle of the 4 x 4 around them


def halved_shape(shape: tuple[int, ...]) -> tuple[int, int]:
    """Return (h, w) of a map at half size: an odd row or column counts as one more."""
    return (shape[0] + 1) // 2, (shape[1] + 1) // 2


def halved_rect(changed: Rect, shape: tuple[int, ...]) -> Rect:
    """Return which pixels of the half-size map depend on `changed` of the (H, W) map."""
    wide = Rect(
        (changed.y0 - 1) // 2, (changed.x0 - 1) // 2, changed.y1 // 2 + 1, changed.x1 // 2 + 1
    )
    return wide.intersect(Rect(0, 0, *halved_shape(shape)))


def halve(source: np.ndarray, target: np.ndarray, rect: Rect) -> None:
    """Write `rect` of `target`, the half-size map of `source` (H, W) uint8 or uint16.

    Reads one pixel of `source` more on each side. Time follows the rect, and most the pixels at
    which labels meet. Any thread.
    """
    around = _with_border(source, rect)
    upper, lower = around[1:-1:2, 1:-1], around[2::2, 1:-1]
    made = _first_of_pairs(upper)
    mixed = np.flatnonzero(_pairs_differ(upper, lower))  # far quicker than nonzero in two axes
    if mixed.size:
        ys, xs = np.divmod(mixed, made.shape[1])
        made[ys, xs] = _rarest(around, ys, xs)
        shape, near = halved_shape(source.shape), rect.padded(1)
        if near.intersect(Rect(0, 0, *shape)) != near:
            _redo_at_the_edge(made, around, ys, xs, rect, shape)
    target[rect.slices] = made


def _first_of_pairs(values: np.ndarray) -> np.ndarray:
    """Return every other value of (h, 2w): as pairs in one integer, which is fast."""
    pairs = values.view(f"<u{2 * values.itemsize}")
    return pairs.astype(values.dtype, casting="unsafe")  # keeps the lower half: the first


def _pairs_differ(upper: np.ndarray, lower: np.ndarray) -> np.ndarray:
    """Return (h, w) bool: whether the four values of a pair above and one below are not all one."""
    beside = np.empty(upper.shape, bool)
    np.not_equal(upper[:, :-1], upper[:, 1:], out=beside[:, :-1])
    beside[:, -1] = False  # belongs to no pair
    pairs = beside.view("<u2") & np.uint16(0xFF)
    pairs |= (upper != lower).view("<u2")
    return np.asarray(pairs != 0)


def _redo_at_the_edge(
    made: np.ndarray, around: np.ndarray, ys: np.ndarray, xs: np.ndarray, rect: Rect,
    shape: tuple[int, int],
) -> None:  # fmt: skip
    """Choose again where the 4 x 4 reaches beyond the map: what is not there must not count.

    Repeated, a thin line along the edge would be twice as frequent as it is, and vanish.
    """
    outside = [
        (0, None, ys + rect.y0 == 0), (3, None, ys + rect.y0 == shape[0] - 1),
        (None, 0, xs + rect.x0 == 0), (None, 3, xs + rect.x0 == shape[1] - 1),
    ]  # fmt: skip
    edge = np.any([there for *_, there in outside], axis=0)
    if not edge.any():
        return
    counted = np.ones((len(_AROUND), int(edge.sum())), bool)
    for down, across, there in outside:
        for k, (dy, dx) in enumerate(_AROUND):
            if down == dy or across == dx:
                counted[k] &= ~there[edge]
    made[ys[edge], xs[edge]] = _rarest(around, ys[edge], xs[edge], counted)


def _rarest(
    around: np.ndarray, ys: np.ndarray, xs: np.ndarray, counted: np.ndarray | None = None
) -> np.ndarray:
    """Return which of the inner four is rarest in the 4 x 4 of each pixel; the first if tied.

    `counted` (16, M) bool says which of the sixteen count.
    """
    width = around.shape[1]
    steps = np.array([dy * width + dx for dy, dx in _AROUND])
    near = around.ravel().take((2 * ys * width + 2 * xs) + steps[:, None])

    def count(k: int) -> np.ndarray:
        same = near == near[k]
        if counted is not None:
            same &= counted
        found: np.ndarray = same.sum(axis=0, dtype=np.uint8)
        return found

    best, fewest = near[_INSIDE[0]], count(_INSIDE[0])
    for k in _INSIDE[1:]:
        frequency = count(k)
        rarer = frequency < fewest
        best = np.where(rarer, near[k], best)
        fewest = np.minimum(fewest, frequency)
    return np.asarray(best)


def _with_border(source: np.ndarray, rect: Rect) -> np.ndarray:
    """Return the pixels of `source` under `rect` of the half-size map, and one around them.

    Beyond the map its outermost pixels repeat, as an odd row or column does.
    """
    wide = Rect(2 * rect.y0 - 1, 2 * rect.x0 - 1, 2 * rect.y1 + 1, 2 * rect.x1 + 1)
    inside = wide.intersect(Rect(0, 0, *source.shape))
    missing = (
        (inside.y0 - wide.y0, wide.y1 - inside.y1),
        (inside.x0 - wide.x0, wide.x1 - inside.x1),
    )
    found = source[inside.slices]
    return np.pad(found, missing, mode="edge") if any(map(any, missing)) else (
        np.ascontiguousarray(found)
    )  # fmt: skip
