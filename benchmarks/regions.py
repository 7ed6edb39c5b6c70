"""How long the evidence of a region takes, and to open its sources, beside asking every pixel.

usage: python benchmarks/regions.py [IMAGE]: on the bundled model; medians of 7 runs, one thread.
"""

from __future__ import annotations

from functools import partial

import numpy as np
from bundled import milliseconds, read_image

from pspgui.evidence import Evidence, opened
from pspgui.evidence.readings import READINGS, Target, level_source
from pspgui.evidence.regions import region_evidence
from pspgui.geometry import Rect
from pspgui.labels.raster import Stamp


def opening(evidence: Evidence, region: Stamp) -> list[float]:
    """Return how long a bin, a whole level and the local features take to open into cells."""
    told = region_evidence(evidence, region, Target(1))
    one = max((s for s in told.sources if s.kind == "bin"), key=lambda s: abs(s.value))
    sources = (one, level_source(told, max(told.levels)), told.sources[0])
    return [milliseconds(partial(opened, evidence, region, s, Target(1))) for s in sources]


def main() -> None:
    """Print a line for every size of region."""
    read = read_image()
    evidence, (height, width) = read.evidence, read.known.image_shape
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
