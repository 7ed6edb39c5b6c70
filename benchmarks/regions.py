"""How long the evidence of a region takes, and to open its sources, beside asking every pixel.

usage: python benchmarks/regions.py [IMAGE]: on the bundled model; medians of 7 runs, one thread.
"""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from statistics import median
from time import perf_counter

import numpy as np

from pspgui import places
from pspgui.evidence import Evidence, evidence_of, opened
from pspgui.evidence.readings import READINGS, Target, level_source
from pspgui.evidence.regions import region_evidence
from pspgui.geometry import Rect
from pspgui.imaging import decode_image
from pspgui.inference.predictor import Predictor
from pspgui.labels.raster import Stamp

RUNS = 7


def milliseconds(work) -> float:
    """Return the median time of a call."""
    taken = []
    for _ in range(RUNS):
        start = perf_counter()
        work()
        taken.append((perf_counter() - start) * 1e3)
    return median(taken)


def opening(evidence: Evidence, region: Stamp) -> list[float]:
    """Return how long a bin, a whole level and the local features take to open into cells."""
    told = region_evidence(evidence, region, Target(1))
    one = max((s for s in told.sources if s.kind == "bin"), key=lambda s: abs(s.value))
    sources = (one, level_source(told, max(told.levels)), told.sources[0])
    return [milliseconds(partial(opened, evidence, region, s, Target(1))) for s in sources]


def main() -> None:
    """Print a line for every size of region."""
    predictor = Predictor.load(places.bundled_model(), "cpu")
    pixels = (
        decode_image(Path(sys.argv[1])).pixels if len(sys.argv) > 1
        else np.random.default_rng(0).integers(0, 255, (720, 960, 3), np.uint8)
    )
    known = predictor.set_image(pixels)
    evidence, (height, width) = evidence_of(known, predictor.weights), known.image_shape
    print(f"{predictor.spec.title}, {width} x {height} px, {known.grid} cells")
    print(f"{'pixels':>8} {'own winner':>11} " + " ".join(f"{r:>9}" for r in READINGS)
          + f" {'one by one':>11} {'open bin':>9} {'level':>9} {'local':>9}")  # fmt: skip
    for side in (8, 35, 64, 128, 256, min(height, width)):
        rect = Rect(height - side, width - side, height, width)
        region = Stamp(rect, np.ones((side, side), bool))
        own = milliseconds(partial(region_evidence, evidence, region))
        times = [
            milliseconds(partial(region_evidence, evidence, region, Target(1), reading))
            for reading in READINGS
        ]
        each = milliseconds(partial(evidence.at, (height - 5, width - 9), Target(1)))
        print(f"{side * side:>8} {own:>8.1f} ms " + " ".join(f"{t:>6.1f} ms" for t in times)
              + f" {each * side * side:>8.0f} ms " + " ".join(
                  f"{t:>6.1f} ms" for t in opening(evidence, region)
              ))  # fmt: skip


if __name__ == "__main__":
    main()
