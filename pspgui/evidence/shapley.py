"""Shapley values of the parts of a logit: exact over local and levels, sampled over every bin.

Shapley (1953): the mean over all orders of what a part adds when it comes. Unlike integrated
gradients it needs the network's answer for every coalition, which the terms of z give at once.
"""

from __future__ import annotations

from functools import cache
from math import factorial

import numpy as np

from pspgui.evidence.psp import LevelMeans, PSPEvidence, Terms
from pspgui.evidence.readings import ZERO, GroupShapley, Target, around
from pspgui.evidence.targets import aim, offset_of, row_of
from pspgui.geometry import Pixel, Rect

MOST_PARTS = 12
"""Coalitions double with every part: 4096 of them take some ten milliseconds."""
_AT_ONCE = 1 << 22


def group_shapley(
    evidence: PSPEvidence,
    pixel: tuple[int, int],
    target: Target | None = None,
    baseline: LevelMeans | None = None,
) -> GroupShapley:
    """Return the exact Shapley values of the local features and of every level.

    Raises ValueError for more than `MOST_PARTS - 1` levels, else as `PSPEvidence.at` does.
    """
    levels = evidence.activations.levels
    if len(levels) >= MOST_PARTS:
        raise ValueError(f"{len(levels)} levels are too many for all their coalitions")
    place = Pixel(int(pixel[0]), int(pixel[1]))
    terms = evidence.terms(place, baseline)
    goal, logit = aim(evidence.activations, place, target)
    parts = [terms.local]
    for bins in levels:
        here = [i for i, (level, _, _) in enumerate(terms.bins) if level == bins]
        parts.append(terms.shares[here].sum(axis=0))
    mixed = terms.cells.pull(row_of(evidence.weights.classifier, goal))
    worth = coalitions(terms.base, np.stack(parts), mixed)
    values = exact_values(worth, len(parts))
    constant = offset_of(evidence.weights.classifier_bias, goal) + float(worth[0])
    return GroupShapley(
        place, goal, logit, constant, float(values[0]),
        dict(zip(levels, values[1:].tolist(), strict=True)),
        ZERO if baseline is None else baseline.name,
        evidence.reads.local_region(terms.cells), _read_regions(evidence, terms),
    )  # fmt: skip


def _read_regions(evidence: PSPEvidence, terms: Terms) -> dict[int, Rect]:
    """Return of every level what its bins that reach the cells pool, in image pixels."""
    return {
        level.bins: around(
            level.regions[row][column] for bins, row, column in terms.bins if bins == level.bins
        )
        for level in evidence.reads.levels
    }


def sampled_shapley(
    evidence: PSPEvidence, pixel: tuple[int, int], target: Target | None, orders: int, seed: int = 0
) -> np.ndarray:
    """Return Shapley values of local and of every reachable bin from random orders, (1 + B,).

    Each order and its reverse are walked, which halves the error at equal cost; the values add up
    to the logit less the constant for any number of orders.
    """
    terms = evidence.terms(pixel)
    goal, _ = aim(evidence.activations, Pixel(*pixel), target)
    mixed = terms.cells.pull(row_of(evidence.weights.classifier, goal))
    parts = np.concatenate([terms.local[None], terms.shares])
    rng = np.random.default_rng(seed)
    values = np.zeros(len(parts))
    for _ in range(max(1, orders // 2)):
        order = rng.permutation(len(parts))
        for walk in (order, order[::-1]):
            sums = terms.base + np.concatenate([parts[:1] * 0, parts[walk]]).cumsum(axis=0)
            worth = np.einsum("smk,mk->s", np.maximum(sums, 0), mixed)
            values[walk] += np.diff(worth)
    return values / (2 * max(1, orders // 2))


def coalitions(base: np.ndarray, parts: np.ndarray, mixed: np.ndarray) -> np.ndarray:
    """Return what every subset of parts (P, m, K) gives, (2 ** P,), indexed by its bits.

    base and mixed (m, K): z without any part, and the gradient of the logit behind the gates.
    """
    if parts.size << len(parts) > _AT_ONCE * len(parts):
        return _one_by_one(base, parts, mixed)
    sums = base[None]
    for part in parts:  # with each part come all subsets so far once more, with it
        sums = np.concatenate([sums, sums + part])
    found: np.ndarray = np.maximum(sums, 0, out=sums).reshape(len(sums), -1) @ mixed.ravel()
    return found


def _one_by_one(base: np.ndarray, parts: np.ndarray, mixed: np.ndarray) -> np.ndarray:
    """Return the same where all subsets at once would take much memory."""
    worth = np.empty(1 << len(parts))
    sums = {0: base}
    for subset in range(1 << len(parts)):
        if subset:
            lowest = (subset & -subset).bit_length() - 1
            sums[subset] = sums[subset & (subset - 1)] + parts[lowest]
        worth[subset] = float((mixed * np.maximum(sums[subset], 0)).sum())
    return worth


def exact_values(worth: np.ndarray, count: int) -> np.ndarray:
    """Return the Shapley value of every part from the worth of all coalitions."""
    values: np.ndarray = _weights(count) @ worth
    return values


@cache
def _weights(count: int) -> np.ndarray:
    """Return what the worth of every coalition counts in every part's value, (P, 2 ** P)."""
    subsets = np.arange(1 << count)
    sizes = np.array([bin(s).count("1") for s in subsets.tolist()])
    share = np.array(
        [factorial(size) * factorial(count - size - 1) / factorial(count) for size in range(count)]
    )
    found = np.zeros((count, 1 << count))
    for part in range(count):
        without = subsets[(subsets >> part) & 1 == 0]
        found[part, without | (1 << part)] = share[sizes[without]]
        found[part, without] = -share[sizes[without]]
    found.flags.writeable = False
    return found
