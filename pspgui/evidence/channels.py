"""What every channel of a map adds to a logit: the sources of the split, opened by channels.

With the gates as they are, gradient times value at any map adds up to what passes through it. So
the channels of a level add up to that level's evidence, those of a PSPNet's features to the local
evidence, and those of the hidden layer, with the classifier's bias, to the logit. At one pixel, or
on average over the image. numpy only, any thread.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from pspgui.evidence.parts import CellsEvidence
from pspgui.evidence.psp import PSPEvidence
from pspgui.evidence.psp_reads import LevelReads, around, checked_pixel, extent, kernel_taps
from pspgui.evidence.readings import ChannelShares, Target
from pspgui.evidence.regions import middle_of, reads_of, region_target, tiles_of
from pspgui.evidence.targets import aim, offset_of, row_of
from pspgui.evidence.winograd import channel_sums
from pspgui.geometry import Pixel, Rect
from pspgui.inference.activations import Activations
from pspgui.inference.channels import Form, pooled
from pspgui.inference.shown_map import Lattice
from pspgui.labels.raster import Stamp

# Cells from which on fewer multiplications outweigh what they take to prepare.
_MANY_CELLS = 256
# Pixels a side that stand for an image where not every cell is computed.
LATTICE = 8


class _Pull(NamedTuple):
    """Rows and columns of some cells, d target / d hidden there (r, c, K), and the bias."""

    rows: np.ndarray
    columns: np.ndarray
    hidden: np.ndarray
    offset: float


def channel_shares(
    evidence: PSPEvidence | CellsEvidence,
    name: str,
    form: Form = "reduced",
    place: tuple[int, int] | Stamp | None = None,
    target: Target | None = None,
    check: Callable[[], None] = lambda: None,
) -> ChannelShares:
    """Return what every channel of a tile of the strip adds to the target, in logits.

    place: a pixel (y, x), a region, to whose mean logit they add, or None for the image: of a
    PSPNet the mean over all its cells, of other networks over a lattice of pixels. Without a
    target the margin of the pixel or region, of the image each place's own. `check` is called now
    and then and may raise. Raises KeyError for a map whose channels nothing is known of, else as
    `at`.
    """
    if isinstance(evidence, PSPEvidence):
        return _of_pyramid(evidence, name, form, _pull(evidence, place, target), check)
    title = "" if name == "features" else _title_of(evidence.activations, name)
    if isinstance(place, Stamp):
        return _in_region(evidence, title, place, target, check)
    if place is not None:
        return evidence.channels(place, title, target)
    found = []
    for pixel in lattice(evidence.activations.image_shape):
        check()
        found.append(evidence.channels(pixel, title, target))
    return ChannelShares(
        np.mean([one.values for one in found], axis=0),
        float(np.mean([one.constant for one in found])),
    )


def lattice(shape: tuple[int, int]) -> list[Pixel]:
    """Return some pixels spread evenly over an image (H, W)."""
    rows, columns = (
        sorted({int((i + 0.5) * size / LATTICE) for i in range(LATTICE)}) for size in shape
    )
    return [Pixel(y, x) for y in rows for x in columns]


def _title_of(known: Activations, name: str) -> str:
    kind, _, index = name.partition("-")
    if kind != "map" or not index.isdecimal() or int(index) >= len(known.maps):
        raise KeyError(f"there are no channels of {name}")
    return known.maps[int(index)].title


def _in_region(
    evidence: CellsEvidence, title: str, region: Stamp, target: Target | None,
    check: Callable[[], None],
) -> ChannelShares:  # fmt: skip
    """Add up what channels bring through one tile of cells after another."""
    known = evidence.activations
    reads = reads_of(known, region)
    question = (middle_of(region), target or region_target(known, region, reads), 0.0)
    found: list[ChannelShares] = []
    for places, weights in tiles_of(reads, known.grid):
        check()
        found.append(evidence.channels_at(places, weights, question, title))
    values = np.sum([one.values for one in found], axis=0)
    return ChannelShares(values, float(sum(one.constant for one in found)))


# -- a pyramid ------------------------------------------------------------------------------------


def _pull(
    evidence: PSPEvidence, place: tuple[int, int] | Stamp | None, target: Target | None
) -> _Pull:
    if isinstance(place, Stamp):
        return _over_region(evidence, place, target)
    return _at(evidence, place, target) if place else _over_image(evidence, target)


def _at(evidence: PSPEvidence, pixel: tuple[int, int], target: Target | None) -> _Pull:
    place = checked_pixel(evidence.activations, pixel)
    goal, _ = aim(evidence.activations, place, target)
    cells = evidence.cells(place)
    shape = (len(cells.rows), len(cells.columns), -1)
    pull = cells.pull(row_of(evidence.weights.classifier, goal)).reshape(shape)
    offset = offset_of(evidence.weights.classifier_bias, goal)
    return _Pull(np.array(cells.rows), np.array(cells.columns), pull, offset)


def _over_region(evidence: PSPEvidence, region: Stamp, target: Target | None) -> _Pull:
    """Return the mean over a region's pixels, of one target."""
    known = evidence.activations
    reads = reads_of(known, region)
    goal = target or region_target(known, region, reads)
    row = row_of(evidence.weights.classifier, goal)
    weights = np.zeros(known.grid, row.dtype)
    weights[reads.cells.slices] = reads.weights
    hidden = np.zeros(known.fused_cells.shape, known.fused_cells.dtype)
    for tap in kernel_taps(evidence.kernel, known.grid, slice(None)):
        hidden[tap.there] += weights[tap.here][..., None] * row[:, tap.row, tap.column]
    offset = offset_of(evidence.weights.classifier_bias, goal)
    return _Pull(np.arange(known.grid[0]), np.arange(known.grid[1]), hidden, offset)


def _over_image(evidence: PSPEvidence, target: Target | None) -> _Pull:
    """Return the mean over the image's cells, each with its own margin where none is asked for."""
    known, classifier = evidence.activations, evidence.weights.classifier
    height, width = known.grid
    rows, columns = (inside.stop for inside in Lattice.of(known).visible(known.grid))
    weight = 1 / (rows * columns)
    hidden = np.zeros(known.fused_cells.shape, known.fused_cells.dtype)
    for band in (slice(y, y + 1) for y in range(rows)):
        row = evidence.rows_of(band, target)
        for tap in kernel_taps(evidence.kernel, known.grid, band):
            part = row[..., tap.row, tap.column]
            inside = np.arange(width)[tap.here[1]] < columns
            scaled = (part if part.ndim == 1 else part[tap.here]) * inside[:, None] * weight
            hidden[tap.there] += scaled.astype(hidden.dtype)
    goal = target or (Target(0) if len(classifier) < 2 else None)
    if goal is not None:
        offset = offset_of(evidence.weights.classifier_bias, goal)
    else:
        scores = known.scores[:, :rows, :columns]
        order = np.argpartition(scores, -2, axis=0)
        biases = evidence.weights.classifier_bias
        offset = float((biases[order[-1]] - biases[order[-2]]).mean())
    return _Pull(np.arange(height), np.arange(width), hidden, offset)


def _of_pyramid(
    evidence: PSPEvidence, name: str, form: Form, pull: _Pull, check: Callable[[], None]
) -> ChannelShares:
    z = evidence.activations.fused_cells[pull.rows][:, pull.columns]
    gradient = pull.hidden * (z > 0)
    if name == "fused":
        return ChannelShares(np.einsum("rck,rck->k", gradient, z), pull.offset)
    if name == "features":
        return ChannelShares(_local(evidence, pull, gradient, check), 0.0)
    kind, _, bins = name.partition("-")
    if kind != "level" or not bins.isdecimal():
        raise KeyError(f"there are no channels of {name}")
    return _of_level(evidence, evidence.level(int(bins)), form, pull, gradient)


def _local(
    evidence: PSPEvidence, pull: _Pull, gradient: np.ndarray, check: Callable[[], None]
) -> np.ndarray:
    """Return what every channel of the features adds through the bottleneck, (C,)."""
    weight, features = evidence.weights.local_weight, evidence.activations.features
    if weight is None:
        raise KeyError("the weights of the bottleneck are not known")
    reach, found = weight.shape[2] // 2, np.zeros(len(features), gradient.dtype)
    height, width = evidence.activations.grid
    if weight.shape[2] == 3 and gradient[..., 0].size >= _MANY_CELLS:
        return _of_many(features, pull, gradient, weight, check)
    for down in range(weight.shape[2]):
        for across in range(weight.shape[3]):
            check()
            rows, columns = pull.rows + down - reach, pull.columns + across - reach
            y, x = (rows >= 0) & (rows < height), (columns >= 0) & (columns < width)
            if y.any() and x.any():
                read = features[:, rows[y]][:, :, columns[x]].reshape(len(features), -1)
                own = gradient[y][:, x].reshape(read.shape[1], -1)
                found += np.einsum("ck,kc->c", read @ own, weight[:, :, down, across])
    return found


def _of_many(
    features: np.ndarray, pull: _Pull, gradient: np.ndarray, weight: np.ndarray,
    check: Callable[[], None],
) -> np.ndarray:  # fmt: skip
    """Return the same through a 3x3 bottleneck; cells around those that anything is passed to."""
    spoken: np.ndarray = np.any(gradient, axis=2)
    if not spoken.any():
        return np.zeros(len(features), gradient.dtype)
    rows, columns = (extent(np.asarray(np.any(spoken, axis=axis))) for axis in (1, 0))
    box = Rect(rows.start, columns.start, rows.stop, columns.stop)
    box = box.moved(int(pull.rows[0]), int(pull.columns[0]))
    return channel_sums(around(features, box, 1), gradient[rows, columns], weight, check)


def _of_level(
    evidence: PSPEvidence, level: LevelReads, form: Form, pull: _Pull, gradient: np.ndarray
) -> ChannelShares:
    """Return what every channel of a level adds through all its bins."""
    known = evidence.activations
    index = known.levels.index(level.bins)
    prior = known.level_priors[index]
    if not evidence.weights.levels:
        raise KeyError("the weights of the levels are not known")
    weights = evidence.weights.levels[index]
    read = np.tensordot(level.rows[pull.rows], gradient, axes=(0, 0))  # (k, b, c, K)
    read = np.tensordot(read, level.columns[pull.columns], axes=(2, 0))  # (k, b, K, k, b)
    at_bins = np.tensordot(weights.taps, read, axes=([1, 2, 3], [0, 3, 2]))  # (C_l, b, b)
    if form != "pooled":
        return ChannelShares(np.einsum("cij,cij->c", at_bins, prior), 0.0)
    flat, constant = at_bins.reshape(len(prior), -1), 0.0
    if weights.rectified:
        flat = flat * (prior.reshape(len(prior), -1) > 0)
    if weights.weight is not None:
        assert weights.bias is not None
        constant, flat = float(flat.sum(axis=1) @ weights.bias), weights.weight.T @ flat
    means = pooled(known.features, level.bins, evidence.weights.pool)
    return ChannelShares((flat * means.reshape(len(means), -1)).sum(axis=1), constant)
