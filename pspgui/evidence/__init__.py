"""What drove a pixel's class: exact splits of a logit into its sources and a constant."""

from __future__ import annotations

from pspgui.evidence.branches import ASPPEvidence, TapEvidence
from pspgui.evidence.drill import open_source
from pspgui.evidence.parts import CellsEvidence
from pspgui.evidence.psp import PSPEvidence
from pspgui.evidence.readings import OpenedSource, Source, Target
from pspgui.evidence.scores import ScoreEvidence
from pspgui.evidence.upsampling import UpsamplingEvidence
from pspgui.inference.activations import (
    Activations,
    ClassifierWeights,
    HeadWeights,
    PSPActivations,
)
from pspgui.inference.heads.aspp import ASPPWeights
from pspgui.inference.heads.dilated import ConvolutionWeights
from pspgui.inference.heads.fcn import ScoreWeights
from pspgui.inference.heads.upsampling import UpsamplingWeights

Evidence = PSPEvidence | CellsEvidence


def evidence_of(activations: Activations, weights: HeadWeights | None) -> Evidence | None:
    """Return what answers for one image, or None for a network that has no evidence yet."""
    if isinstance(weights, ClassifierWeights) and isinstance(activations, PSPActivations):
        return PSPEvidence(activations, weights)
    if isinstance(weights, ASPPWeights):
        return ASPPEvidence(activations, weights)
    if isinstance(weights, ConvolutionWeights):
        return TapEvidence(activations, weights)
    if isinstance(weights, ScoreWeights):
        return ScoreEvidence(activations, weights)
    if isinstance(weights, UpsamplingWeights):
        return UpsamplingEvidence(activations, weights)
    return None


def opened(
    evidence: Evidence, pixel: tuple[int, int], source: Source, target: Target | None = None
) -> OpenedSource:
    """Open a source of the split at a pixel (y, x) into the cells it was made of.

    Raises as `at` does, and KeyError for a level that there is not.
    """
    if isinstance(evidence, PSPEvidence):
        return open_source(evidence, pixel, source, target)
    return evidence.open(pixel, source, target)


def residual(evidence: Evidence, pixel: tuple[int, int], target: Target | None = None) -> float:
    """Return by how much the split of a pixel (y, x) misses the logit; see `PixelEvidence`."""
    return evidence.at(pixel, target).interaction


__all__ = ["Evidence", "PSPEvidence", "evidence_of", "opened", "residual"]
