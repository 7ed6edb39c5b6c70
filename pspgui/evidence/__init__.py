"""What drove a pixel's class: exact splits of a logit into its sources and a constant."""

from __future__ import annotations

from pspgui.evidence.branches import ASPPEvidence, SplitEvidence, TapEvidence
from pspgui.evidence.psp import PSPEvidence
from pspgui.inference.activations import (
    Activations,
    ClassifierWeights,
    HeadWeights,
    PSPActivations,
)
from pspgui.inference.heads.aspp import ASPPWeights
from pspgui.inference.heads.dilated import ConvolutionWeights

Evidence = PSPEvidence | SplitEvidence


def evidence_of(activations: Activations, weights: HeadWeights | None) -> Evidence | None:
    """Return what answers for one image, or None for a network that has no evidence yet."""
    if isinstance(weights, ClassifierWeights) and isinstance(activations, PSPActivations):
        return PSPEvidence(activations, weights)
    if isinstance(weights, ASPPWeights):
        return ASPPEvidence(activations, weights)
    if isinstance(weights, ConvolutionWeights):
        return TapEvidence(activations, weights)
    return None


__all__ = ["Evidence", "PSPEvidence", "evidence_of"]
