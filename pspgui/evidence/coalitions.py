"""What a logit is when only some of its sources speak: the network's own answers, gate by gate.

From these come deletion and insertion curves: how fast a margin falls when its sources are silenced
in an order, and how fast it comes when they speak in it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from pspgui.evidence.parts import CellsEvidence
from pspgui.evidence.readings import Reading, Target
from pspgui.evidence.targets import offset_of, row_of

if TYPE_CHECKING:
    from pspgui.evidence import Evidence

STEPS = 21
"""Points of a curve, from no source to all of them."""


class Curves(NamedTuple):
    """Mean margins while sources go or come, one value for each share of them, (STEPS,).

    `ordered` takes those first that add most to the margin by the reading, `random` any; both
    curves of a kind begin and end at the same margins.
    """

    deleted: np.ndarray
    deleted_at_random: np.ndarray
    inserted: np.ndarray
    inserted_at_random: np.ndarray

    def areas(self) -> tuple[float, float, float, float]:
        """Return the mean height of each curve, in logits."""
        return tuple(float(np.trapezoid(curve, dx=1 / (STEPS - 1))) for curve in self)  # type: ignore[return-value]


def worth(
    evidence: Evidence, pixel: tuple[int, int], target: Target, kept: np.ndarray
) -> np.ndarray:
    """Return the target's logit at a pixel (y, x) with only some sources, (V,) of V variants.

    kept (V, S) bool: which of the reachable sources speak, in the order of `PixelEvidence.sources`.
    All gates are evaluated anew. Raises as `PSPEvidence.at` does.
    """
    if isinstance(evidence, CellsEvidence):
        return evidence.worth(pixel, target, kept)
    terms = evidence.terms(pixel)
    parts = np.concatenate([terms.local[None], terms.shares])
    z = np.tensordot(kept.astype(parts.dtype), parts, axes=1) + terms.base
    pull = terms.cells.pull(row_of(evidence.weights.classifier, target))
    found: np.ndarray = (np.maximum(z, 0) * pull).sum(axis=(1, 2))
    return found + offset_of(evidence.weights.classifier_bias, target)


def curves(
    evidence: Evidence,
    pixels: list[tuple[int, int]],
    rng: np.random.Generator,
    reading: Reading = "split",
    orders: int = 4,
) -> Curves:
    """Return the mean curves of some pixels, each with its own winner's margin.

    `orders` random orders a pixel stand beside the reading's. Raises as `PSPEvidence.at` does.
    """
    total = np.zeros((4, STEPS))
    for pixel in pixels:
        target = evidence.margin_target(pixel)
        sources = [s for s in evidence.at(pixel, target, reading).sources if s.reachable]
        strongest = np.argsort([-source.value for source in sources], kind="stable")
        tried = [strongest, *(rng.permutation(len(sources)) for _ in range(orders))]
        for number, order in enumerate(tried):
            found = _walk(evidence, pixel, target, order)
            if number == 0:
                total[0] += found[0]
                total[2] += found[1]
            else:
                total[1] += found[0] / orders
                total[3] += found[1] / orders
    return Curves(*(total / len(pixels)))


def _walk(
    evidence: Evidence, pixel: tuple[int, int], target: Target, order: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the margins while sources go and while they come in an order, (STEPS,) each."""
    count = len(order)
    spoken = np.zeros((count + 1, count), bool)
    spoken[:, order] = np.tri(count + 1, count, -1, dtype=bool)
    found = worth(evidence, pixel, target, np.concatenate([~spoken, spoken]))
    share, at = np.linspace(0, 1, count + 1), np.linspace(0, 1, STEPS)
    return np.interp(at, share, found[: count + 1]), np.interp(at, share, found[count + 1 :])


def ranks(values: np.ndarray) -> np.ndarray:
    """Return the rank of every value of a flat array, ties sharing their mean."""
    _, place, count = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(count)
    found: np.ndarray = (ends - (count - 1) / 2)[place.reshape(-1)]
    return found


def correlation(one: np.ndarray, other: np.ndarray) -> float:
    """Return Pearson's correlation; NaN where one of them does not vary."""
    a, b = (np.asarray(v, np.float64).ravel() - np.mean(v, dtype=np.float64) for v in (one, other))
    size = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b) / size if size > 0 else float("nan")


def rank_correlation(one: np.ndarray, other: np.ndarray) -> float:
    """Return Spearman's correlation; NaN where one of them does not vary."""
    return correlation(ranks(np.ravel(one)), ranks(np.ravel(other)))

