"""What drove a pixel's class: exact splits of a logit into its sources and a constant."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from pspgui.evidence.branches import ASPPEvidence, JointEvidence, TapEvidence
from pspgui.evidence.direct import DirectEvidence
from pspgui.evidence.drill import open_source
from pspgui.evidence.parts import CellsEvidence
from pspgui.evidence.psp import PSPEvidence, bins_on_average
from pspgui.evidence.readings import OpenedSource, Source, Target
from pspgui.evidence.scores import ScoreEvidence
from pspgui.evidence.stages import StageEvidence
from pspgui.evidence.upsampling import UpsamplingEvidence
from pspgui.inference.activations import (
    Activations,
    ClassifierWeights,
    HeadWeights,
    PSPActivations,
)
from pspgui.inference.head_weights import (
    ASPPWeights,
    ConvolutionWeights,
    DirectWeights,
    JointWeights,
    ScoreWeights,
    StageWeights,
    UpsamplingWeights,
)
from pspgui.labels.raster import Stamp

Evidence = PSPEvidence | CellsEvidence

# What answers for each kind of last layers, besides a pyramid's own.
_ANSWERS: dict[type[HeadWeights], Callable[[Activations, Any], CellsEvidence]] = {
    ASPPWeights: ASPPEvidence,
    ConvolutionWeights: TapEvidence,
    DirectWeights: DirectEvidence,
    JointWeights: JointEvidence,
    ScoreWeights: ScoreEvidence,
    StageWeights: StageEvidence,
    UpsamplingWeights: UpsamplingEvidence,
}


def evidence_of(activations: Activations, weights: HeadWeights | None) -> Evidence | None:
    """Return what answers for one image, or None for a network that has no evidence yet."""
    if isinstance(weights, ClassifierWeights) and isinstance(activations, PSPActivations):
        return PSPEvidence(activations, weights)
    answer = _ANSWERS.get(type(weights)) if weights is not None else None
    return None if answer is None else answer(activations, weights)


def opened(
    evidence: Evidence, place: tuple[int, int] | Stamp, source: Source,
    target: Target | None = None, check: Callable[[], None] = lambda: None,
) -> OpenedSource:  # fmt: skip
    """Open a source of the split at a pixel (y, x), or of a region, into the cells it was made of.

    Of a region `check` is called between pieces of work and may raise. Raises as `at` does, and
    KeyError for a level that there is not.
    """
    if isinstance(place, Stamp):
        from pspgui.evidence.region_cells import open_in_region

        return open_in_region(evidence, place, source, target, check)
    if isinstance(evidence, PSPEvidence):
        return open_source(evidence, place, source, target)
    return evidence.open(place, source, target)


def averaged_bins(
    activations: Activations, weights: HeadWeights | None
) -> tuple[np.ndarray, ...] | None:
    """Return the mean over all bins of each level of one image, as `LevelMeans` has them.

    None for a network without bins.
    """
    if isinstance(activations, PSPActivations):
        return bins_on_average(activations)
    if isinstance(weights, UpsamplingWeights):
        return UpsamplingEvidence(activations, weights).bins_on_average()
    return None


def residual(evidence: Evidence, pixel: tuple[int, int], target: Target | None = None) -> float:
    """Return by how much the split of a pixel (y, x) misses the logit; see `PixelEvidence`."""
    return evidence.at(pixel, target).interaction


__all__ = ["Evidence", "PSPEvidence", "averaged_bins", "evidence_of", "opened", "residual"]
