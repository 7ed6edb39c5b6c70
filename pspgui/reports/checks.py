"""Checks of evidence on a person's own model and image, each with its figures and its meaning.

Exact statements (sums, autograd, reruns, cells) pass or fail; curves and shuffled weights say how
far a reading can be trusted, and fail only where it would be no better than chance.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from pspgui.evidence import Evidence, evidence_of, opened
from pspgui.evidence.coalitions import curves, rank_correlation
from pspgui.evidence.readings import PyramidEvidence, Source, Target, level_source
from pspgui.reports.rerun import Rerun, beside_each_other, differences

if TYPE_CHECKING:
    from pspgui.inference.activations import Activations
    from pspgui.inference.predictor import Predictor

LIMIT: Final = 1e-5
"""What exact statements may miss, of the sum of all sources' sizes, or of one logit."""
RELATED: Final = 0.5
"""The rank correlation with shuffled weights above which a reading shows the image, not the net."""
_FEW, _CURVE_PIXELS, _OPENED = 4, 40, 3
_SHUFFLE_PIXELS, _SHUFFLES, _LEAST_SOURCES = 24, 8, 5

Pixels = list[tuple[int, int]]


@dataclass(frozen=True)
class Check:
    """One line of the table: what was checked, whether it holds, figures, and what that means.

    `passed` is None where there is nothing to pass: the line does not apply, or only reports.
    """

    name: str
    passed: bool | None
    figures: str
    meaning: str
    numbers: dict[str, Any] = field(default_factory=dict)

    @property
    def verdict(self) -> str:
        """PASS, FAIL, or a dash."""
        return "—" if self.passed is None else "PASS" if self.passed else "FAIL"

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {
            "check": self.name, "passed": self.passed, "figures": self.figures,
            "meaning": self.meaning, "numbers": self.numbers,
        }  # fmt: skip


@dataclass(frozen=True, eq=False)
class Case:
    """A model on an image: what answers there, and how to run the head anew."""

    predictor: Predictor
    pixels: np.ndarray
    activations: Activations
    evidence: Evidence

    @classmethod
    def of(cls, predictor: Predictor, pixels: np.ndarray, image_id: str = "") -> Case:
        """Read an image (H, W, 3) uint8; raises ValueError for a network without evidence."""
        activations = predictor.set_image(pixels, image_id)
        evidence = evidence_of(activations, predictor.weights)
        if evidence is None:
            raise ValueError(unexplained(predictor))
        return cls(predictor, pixels, activations, evidence)


def unexplained(predictor: Predictor) -> str:
    """Return the sentence that a network has no evidence."""
    return (
        f"{predictor.spec.title} can't be explained yet: evidence is read from PSPNets, FCNs and "
        "DeepLabV3 with its branches"
    )


def run_checks(case: Case, asked: Pixels, count: int = 200, seed: int = 0) -> Iterator[Check]:
    """Yield every check as it is done. `asked` pixels (y, x) are always among those looked at.

    `count` random pixels and the four corners are summed up; fewer where a check is slow.
    """
    rng = np.random.default_rng(seed)
    height, width = case.activations.image_shape
    random = [tuple(p) for p in rng.integers((0, 0), (height, width), (count, 2)).tolist()]
    corners = [(0, 0), (0, width - 1), (height - 1, 0), (height - 1, width - 1)]
    few = [*asked, *corners[:1], *random][: max(_FEW, len(asked))]
    yield from completeness(case.evidence, [*asked, *corners, *random])
    yield children(case.evidence, few)
    rerun = Rerun(case.predictor, case.activations, case.pixels)
    yield gradients(case.evidence, rerun, few)
    yield ablations(case.evidence, rerun, few)
    yield from deletion(case.evidence, [*asked, *random][:_CURVE_PIXELS], rng)
    yield from shuffled(case.evidence, rerun, [*asked, *random][:_SHUFFLE_PIXELS], seed)


def completeness(evidence: Evidence, pixels: Pixels) -> Iterator[Check]:
    """Check that constant and sources add up to the logit, in every reading that says so."""
    for reading in evidence.readings:
        if reading == "ablate":
            continue
        gaps, shares = [], []
        for pixel in pixels:
            found = evidence.at(pixel, None, reading)
            gaps.append(abs(found.logit - found.total))
            shares.append(gaps[-1] / _size(found.sources))
        yield Check(
            f"completeness, {reading}", max(shares) <= LIMIT,
            f"max |constant + sources - logit| = {max(gaps):.1e} over {len(pixels)} pixels",
            "Nothing is left out and nothing is counted twice: the parts are the shown logit.",
            {"pixels": len(pixels), "worst": max(gaps), "relative": max(shares), "limit": LIMIT},
        )  # fmt: skip


def children(evidence: Evidence, pixels: Pixels) -> Check:
    """Check that a source's cells add up to it."""
    gaps, shares = [0.0], [0.0]
    for pixel in pixels:
        target = evidence.margin_target(pixel)
        sources = evidence.at(pixel, target).sources
        for source in _largest(sources, _OPENED):
            gaps.append(abs(opened(evidence, pixel, source, target).total - source.value))
            shares.append(gaps[-1] / _size(sources))
    return Check(
        "cells add up", max(shares) <= LIMIT,
        f"max |cells + biases - source| = {max(gaps):.1e} over {len(gaps) - 1} opened sources",
        "A heat map's cells are the source that was opened, with sign and size.",
        {"opened": len(gaps) - 1, "worst": max(gaps), "relative": max(shares), "limit": LIMIT},
    )  # fmt: skip


def gradients(evidence: Evidence, rerun: Rerun, pixels: Pixels) -> Check:
    """Check the split against autograd's gradient times input through the network's modules."""
    by_cells = not beside_each_other(rerun.model) and rerun.model.spec.architecture != "fcn_stages"
    gaps, shares = [], []
    for pixel in pixels:
        target = evidence.margin_target(pixel)
        found, products = evidence.at(pixel, target), rerun.products(pixel, target)
        if by_cells:
            cells = sum(opened(evidence, pixel, s, target).values for s in found.sources)
            missed = cells - products.stages[-1]
        else:
            missed = differences(found, products)
        gaps.append(float(np.abs(missed).max()))
        shares.append(gaps[-1] / _size(found.sources))
    where = "the backbone's cells" if by_cells else "the head's inputs"
    return Check(
        "equality to autograd", max(shares) <= LIMIT,
        f"max |split - gradient x input| = {max(gaps):.1e} at {where}, {len(pixels)} pixels",
        "The split is what autograd finds through the network's own modules, only faster.",
        {"pixels": len(pixels), "worst": max(gaps), "relative": max(shares), "limit": LIMIT},
    )  # fmt: skip


def ablations(evidence: Evidence, rerun: Rerun, pixels: Pixels) -> Check:
    """Check the ablation against running the head anew with one source silent."""
    gaps, shares = [], []
    for pixel in pixels:
        target = evidence.margin_target(pixel)
        found = evidence.at(pixel, target, "ablate")
        sources, whole = found.sources, rerun.logit(pixel, target)
        levels: list[Source] = []
        if isinstance(found, PyramidEvidence):
            levels = [level_source(found, level) for level in found.levels]
        for source in (*_largest(sources, _OPENED + 1), *levels):
            try:
                fall = whole - rerun.logit(pixel, target, source)
            except LookupError as error:
                return Check(
                    "equality to reruns", None, "does not apply",
                    f"These sources cannot be silenced in the network's modules: {error}.",
                )  # fmt: skip
            gaps.append(abs(fall - source.value))
            shares.append(gaps[-1] / _size(sources))
    return Check(
        "equality to reruns", max(shares) <= LIMIT,
        f"max |ablation - rerun of the head| = {max(gaps):.1e} over {len(gaps)} silenced sources",
        "What is said to be lost without a source is what the network loses without it.",
        {"silenced": len(gaps), "worst": max(gaps), "relative": max(shares), "limit": LIMIT},
    )  # fmt: skip


def deletion(evidence: Evidence, pixels: Pixels, rng: np.random.Generator) -> Iterator[Check]:
    """Compare margins while sources are silenced in each reading's order with a random order."""
    for reading in evidence.readings:
        found = curves(evidence, pixels, rng, reading)
        gone, gone_random, come, come_random = found.areas()
        few = max(sum(s.reachable for s in evidence.at(p).sources) for p in pixels) < 2
        yield Check(
            f"deletion and insertion, {reading}",
            None if few else gone <= gone_random and come >= come_random,
            f"mean margin while deleting {gone:.3f}, at random {gone_random:.3f}; while inserting "
            f"{come:.3f}, at random {come_random:.3f}; {len(pixels)} pixels",
            "Silencing the largest sources first takes the margin down sooner than a random order.",
            {"pixels": len(pixels)} | {k: v.tolist() for k, v in found._asdict().items()}
            | {"areas": [gone, gone_random, come, come_random]},
        )  # fmt: skip


def shuffled(
    evidence: Evidence, rerun: Rerun, pixels: Pixels, seed: int, times: int = _SHUFFLES
) -> Iterator[Check]:
    """Compare the evidence with that of the same network with shuffled weights, `times` times."""
    targets = [evidence.margin_target(pixel) for pixel in pixels]
    asked = list(zip(pixels, targets, strict=True))
    own = [_reached(evidence, pixel, target) for pixel, target in asked]
    for what in ("classifier", "head"):
        related, maps, size = [], [], 0.0
        for number in range(times):
            other = rerun.shuffled(what, seed + number)
            for (pixel, target), values in zip(asked, own, strict=True):
                others = _reached(other, pixel, target)
                related.append(rank_correlation(values, others))
                size += float(np.abs(others).sum()) / times
            maps += [_maps_related(evidence, other, *question) for question in asked[:_FEW]]
        rho, drilled = _mean(related), _mean(maps)
        ratio = size / max(1e-12, sum(float(np.abs(values).sum()) for values in own))
        yield Check(
            f"shuffled {what}",
            abs(rho) <= RELATED if min(map(len, own)) >= _LEAST_SOURCES else None,
            f"rank correlation {rho:+.2f} over sources, {drilled:+.2f} over cells of the largest; "
            f"size {ratio:.2f} of the model's; {len(pixels)} pixels, {times} shuffles",
            "Evidence of other weights must be other evidence; cells may still follow strong "
            "features, so a heat map is read by its logits.",
            {"pixels": len(pixels), "shuffles": times, "sources": rho, "cells": drilled,
             "size": ratio, "limit": RELATED},
        )  # fmt: skip


def _mean(values: list[float]) -> float:
    """Return the mean of those that are numbers; NaN where none is."""
    known = [value for value in values if np.isfinite(value)]
    return float(np.mean(known)) if known else float("nan")


def _maps_related(one: Evidence, other: Evidence, pixel: tuple[int, int], target: Target) -> float:
    """Return the rank correlation of a pixel's largest source, opened by two networks."""
    sources = one.at(pixel, target).sources
    found = one.at(pixel, target)
    spatial = found.sources[1:] if isinstance(found, PyramidEvidence) else sources
    largest = _largest(spatial, 1)
    if not largest:
        return float("nan")
    cells = [opened(e, pixel, largest[0], target).values for e in (one, other)]
    used = (cells[0] != 0) | (cells[1] != 0)
    return rank_correlation(cells[0][used], cells[1][used]) if used.sum() > 2 else float("nan")


def _reached(evidence: Evidence, pixel: tuple[int, int], target: Target) -> np.ndarray:
    sources = evidence.at(pixel, target).sources
    return np.array([source.value for source in sources if source.reachable])


def _largest(sources: tuple[Source, ...], count: int) -> list[Source]:
    return sorted((s for s in sources if s.reachable), key=lambda s: -abs(s.value))[:count]


def _size(sources: tuple[Source, ...]) -> float:
    """Return what differences are measured by: all sources' sizes, and one logit at least."""
    return max(1.0, sum(abs(source.value) for source in sources))
