"""What benchmarks of the bundled model begin with: an image it has read, and a median of runs."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import NamedTuple

import numpy as np

from pspgui import places
from pspgui.evidence import Evidence, evidence_of
from pspgui.imaging import decode_image
from pspgui.inference.activations import Activations
from pspgui.inference.predictor import Predictor

RUNS = 7


class Read(NamedTuple):
    """An image (H, W, 3) uint8, what the bundled model made of it, and its evidence."""

    predictor: Predictor
    pixels: np.ndarray
    known: Activations
    evidence: Evidence


def read_image() -> Read:
    """Read the image that the command line names, else noise of 960 x 720, and say so."""
    predictor = Predictor.load(places.bundled_model(), "cpu")
    pixels = (
        decode_image(Path(sys.argv[1])).pixels if len(sys.argv) > 1
        else np.random.default_rng(0).integers(0, 255, (720, 960, 3), np.uint8)
    )  # fmt: skip
    known = predictor.set_image(pixels)
    height, width = known.image_shape
    print(f"{predictor.spec.title}, {width} x {height} px, {known.grid} cells")
    return Read(predictor, pixels, known, evidence_of(known, predictor.weights))


def milliseconds(work: Callable[[], object]) -> float:
    """Return the median time of a call."""
    taken = []
    for _ in range(RUNS):
        start = perf_counter()
        work()
        taken.append((perf_counter() - start) * 1e3)
    return median(taken)
