"""Connected regions of an image or label map: flood fill, islands, holes.

cv2 is imported where it is used: it takes a tenth of a second, and few sessions need it at once.
"""

from __future__ import annotations

import numpy as np

from pspgui.geometry import Pixel, Rect
from pspgui.labels.raster import NOTHING, Stamp

_STEPS = ((0, 1), (0, -1), (1, 0), (-1, 0))


def label_region(labels: np.ndarray, seed: Pixel) -> Stamp:
    """Return the 4-connected region of one label around `seed` in a map (H, W) uint8 or uint16."""
    import cv2

    value = int(labels[seed])
    return _flooded(cv2.inRange(labels, value, value), seed)


def colour_region(image: np.ndarray, seed: Pixel, tolerance: int) -> Stamp:
    """Return the 4-connected region around `seed` whose colour is near to that of the seed.

    `image` is (H, W, 3) uint8; near means at most `tolerance` away in each channel, so the region
    cannot creep along a gradient.
    """
    import cv2

    colour = image[seed].astype(int)
    low = tuple(float(v) for v in np.clip(colour - tolerance, 0, 255))
    high = tuple(float(v) for v in np.clip(colour + tolerance, 0, 255))
    return _flooded(cv2.inRange(image, low, high), seed)


def _flooded(same: np.ndarray, seed: Pixel) -> Stamp:
    """Return the region of nonzero pixels of (H, W) uint8 around the seed, which is one of them."""
    import cv2

    height, width = same.shape
    filled = np.zeros((height + 2, width + 2), np.uint8)
    flags = 4 | cv2.FLOODFILL_MASK_ONLY | (1 << 8)
    _, _, _, (x, y, w, h) = cv2.floodFill(same, filled, (seed.x, seed.y), 0, flags=flags)
    rect = Rect(y, x, y + h, x + w)
    return Stamp(rect, filled[y + 1 : y + 1 + h, x + 1 : x + 1 + w].view(bool))


def islands(labels: np.ndarray, label: int, below_px: int) -> tuple[Stamp, np.ndarray]:
    """Return the 8-connected pieces of `label` smaller than `below_px`, and what to make of them.

    The array has the stamp's shape and the map's dtype: each piece gets the label that it borders
    on most, the lower one when tied. A piece without neighbours is left alone.
    """
    pieces, sizes, counts = _parts(labels == label, 8)
    small = counts & (sizes < below_px)
    if not small.any():
        return NOTHING, np.zeros((0, 0), labels.dtype)
    inside = small[pieces]
    ys, xs = np.nonzero(inside)
    piece = pieces[ys, xs].astype(np.int64)
    pairs = [_neighbours(labels, label, ys + dy, xs + dx, piece) for dy, dx in _STEPS]
    met, votes = np.unique(np.concatenate(pairs), return_counts=True)
    winner = np.full(len(small), -1, np.int64)
    by_votes = np.lexsort((-(met & 0xFFFF), votes))  # written last wins: most votes, lowest label
    winner[met[by_votes] >> 16] = met[by_votes] & 0xFFFF
    known = winner[piece] >= 0
    ys, xs, piece = ys[known], xs[known], piece[known]
    if not ys.size:
        return NOTHING, np.zeros((0, 0), labels.dtype)
    rect = Rect(int(ys.min()), int(xs.min()), int(ys.max()) + 1, int(xs.max()) + 1)
    mask = np.zeros((rect.height, rect.width), bool)
    wanted = np.zeros(mask.shape, labels.dtype)
    mask[ys - rect.y0, xs - rect.x0] = True
    wanted[ys - rect.y0, xs - rect.x0] = winner[piece]
    return Stamp(rect, mask), wanted


def holes(labels: np.ndarray, label: int, below_px: int) -> Stamp:
    """Return the pixels of holes in `label` smaller than `below_px`.

    A hole is a 4-connected piece of other labels that does not reach the image's border.
    """
    pieces, sizes, counts = _parts(labels != label, 4, spare_border=True)
    small = counts & (sizes < below_px)
    if not small.any():
        return NOTHING
    inside = small[pieces]
    rows, columns = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
    rect = Rect(int(rows[0]), int(columns[0]), int(rows[-1]) + 1, int(columns[-1]) + 1)
    return Stamp(rect, np.ascontiguousarray(inside[rect.slices]))


def island_sizes(labels: np.ndarray, label: int) -> np.ndarray:
    """Return the pixels of each piece of `label` that has neighbours, (N,) int, in no order."""
    _, sizes, counts = _parts(labels == label, 8)
    return np.asarray(sizes[counts & (sizes < labels.size)])


def hole_sizes(labels: np.ndarray, label: int) -> np.ndarray:
    """Return the pixels of each hole in `label`, (N,) int, in no order."""
    _, sizes, counts = _parts(labels != label, 4, spare_border=True)
    return np.asarray(sizes[counts])


def _parts(
    mask: np.ndarray, connectivity: int, spare_border: bool = False
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return a mask's numbered parts, (H, W) int32, their sizes (N,) and which count, (N,) bool.

    Number 0 is the ground and does not count; nor does a part at the border if those are spared.
    """
    import cv2

    _, parts, stats, _ = cv2.connectedComponentsWithStats(
        mask.view(np.uint8), connectivity=connectivity, ltype=cv2.CV_32S
    )
    counts = np.arange(len(stats)) > 0
    if spare_border:
        left, top = stats[:, cv2.CC_STAT_LEFT], stats[:, cv2.CC_STAT_TOP]
        right, bottom = left + stats[:, cv2.CC_STAT_WIDTH], top + stats[:, cv2.CC_STAT_HEIGHT]
        height, width = mask.shape
        counts &= (left > 0) & (top > 0) & (right < width) & (bottom < height)
    return parts, stats[:, cv2.CC_STAT_AREA], counts


def _neighbours(
    labels: np.ndarray, label: int, ys: np.ndarray, xs: np.ndarray, piece: np.ndarray
) -> np.ndarray:
    """Return piece * 65536 + label for those of the pixels that lie inside and bear another."""
    inside = (ys >= 0) & (xs >= 0) & (ys < labels.shape[0]) & (xs < labels.shape[1])
    ys, xs, piece = ys[inside], xs[inside], piece[inside]
    found = labels[ys, xs].astype(np.int64)
    other = found != label
    return np.asarray((piece[other] << 16) | found[other])
