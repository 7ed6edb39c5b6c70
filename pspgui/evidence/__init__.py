"""What drove a pixel's class: exact splits of a logit into local features, bins and constant."""

from __future__ import annotations

from pspgui.evidence.psp import PSPEvidence
from pspgui.inference.activations import Activations, ClassifierWeights, PSPActivations


def evidence_of(
    activations: Activations, weights: ClassifierWeights | None
) -> PSPEvidence | None:
    """Return what answers for one image, or None for a network that has no evidence yet."""
    if weights is None or not isinstance(activations, PSPActivations):
        return None
    return PSPEvidence(activations, weights)


__all__ = ["PSPEvidence", "evidence_of"]
