"""Made-up evidence and maps of four levels, for panels that need no network."""

from __future__ import annotations

import numpy as np

from pspgui.evidence.readings import LevelReading, PyramidEvidence, Target
from pspgui.geometry import Pixel, Rect
from pspgui.gui.document import Document
from pspgui.inference.activations import Prediction, Stamp
from pspgui.inference.views import LevelView

SHAPE = (60, 80)
LEVELS = (1, 2, 3, 6)


class FourLevels:
    """Evidence that differs from pixel to pixel and adds up; the last row of 6 x 6 is far off."""

    def at(self, pixel, target=None):
        """Answer from the pixel's own random numbers."""
        rng = np.random.default_rng(1000 * pixel[0] + pixel[1])
        levels = {}
        for b in LEVELS:
            values = rng.normal(0.0, 0.5, (b, b))
            reachable = np.ones((b, b), bool)
            if b == 6:
                reachable[5] = False
                values[5] = 0.0
            levels[b] = LevelReading(values, reachable * 0.5, reachable, _regions(b))
        local, constant = rng.normal(0.0, 2.0, 2)
        total = local + constant + sum(float(r.values.sum()) for r in levels.values())
        return PyramidEvidence(
            Pixel(*pixel), target or Target(3, 4), total, constant, local,
            Rect(0, 0, 8, 8), levels,
        )  # fmt: skip


def _regions(bins):
    height, width = SHAPE[0] // bins, SHAPE[1] // bins
    return tuple(
        tuple(Rect(r * height, c * width, (r + 1) * height, (c + 1) * width) for c in range(bins))
        for r in range(bins)
    )


def scored_prediction(classes=11):
    """Return a prediction in which class 3 wins everywhere, class 4 second."""
    scores = np.zeros((classes, 6, 8), np.float32)
    scores[3], scores[4] = 5.0, 3.0
    return Prediction(
        labels=np.full(SHAPE, 3, np.uint8), scores=scores, shape=SHAPE, padded_shape=(64, 80),
        align_corners=True, stamp=Stamp("fake", "none"), seconds=0.0,
    )  # fmt: skip


def four_views():
    """Return views of features, every level, and a signed score."""
    rng = np.random.default_rng(5)
    cells = rng.random((6, 8), np.float32)
    levels = [LevelView(f"level-{b}", f"{b}×{b}", rng.random((b, b)), cells * b) for b in LEVELS]
    return (
        LevelView("features", "Features", None, cells),
        *levels,
        LevelView("score", "Score", None, cells - 0.5),
        LevelView("confidence", "Confidence", None, cells),
    )


def predicted_document():
    """Return a document of a black image whose every pixel is class 3, with maps and evidence."""
    document = Document()
    document.set_image(np.zeros((*SHAPE, 3), np.uint8), None, "made up")
    document.set_prediction(scored_prediction(), four_views(), FourLevels())
    return document
