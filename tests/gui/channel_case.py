"""A document of a small PSPNet's real activations, for widgets that show channels."""

from __future__ import annotations

import numpy as np
from small_networks import head_activations, random_features, small_network

from pspgui.evidence.psp import PSPEvidence
from pspgui.gui.document import Document
from pspgui.inference.activations import Prediction, Stamp
from pspgui.inference.views import pyramid_views

SHAPE = (60, 76)
PADDED = (65, 81)


def real_evidence(seed=0, grid=(9, 11)):
    """Return the evidence of random features of an image of SHAPE."""
    model = small_network(seed, levels=(1, 2, 3), classes=5)
    features = random_features(model, grid, seed + 1) - 0.2
    activations, head = head_activations(model, features, PADDED, SHAPE)
    return PSPEvidence(activations, head.weights())


def show(document, seed=0):
    """Let a document show another image with the prediction of a small network."""
    evidence = real_evidence(seed)
    known = evidence.activations
    document.set_image(np.full((*SHAPE, 3), seed, np.uint8), None, f"image {seed}")
    labels = np.zeros(SHAPE, np.uint8)
    prediction = Prediction(
        labels, known.scores, SHAPE, PADDED, known.align_corners, Stamp("made up", "small"), 0.0
    )
    document.set_prediction(prediction, pyramid_views(known, 1), evidence)
    return evidence


def channel_document(seed=0):
    """Return a document that shows such an image, and its evidence."""
    document = Document()
    return document, show(document, seed)
