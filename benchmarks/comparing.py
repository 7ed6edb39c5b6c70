"""How long comparing two models takes: the regions, what decided them, and a hover over both.

usage: python benchmarks/comparing.py [IMAGE]: the bundled model against itself with its pyramid
silent, which differs as another model would; medians of 7 runs, one thread.
"""

from __future__ import annotations

import numpy as np
from bundled import milliseconds, read_image

from pspgui.inference.activations import Prediction, Stamp
from pspgui.inference.argmax import full_resolution_labels
from pspgui.jobs.comparing import ModelReading, Truth, compare
from pspgui.jobs.messages import Job, Turn
from pspgui.labels.differences import differing_regions
from pspgui.labels.provenance import PERSON


def run(job: Job):
    """Run a job to its end and return what it gives."""
    steps = job(Turn(lambda step: None, lambda: False))
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value


def main() -> None:
    """Print what each part takes."""
    predictor, pixels, known, evidence = read_image()
    found = predictor.predict(known)
    scores = evidence.scores_without()
    labels = full_resolution_labels(
        scores, known.padded_shape, known.image_shape, known.align_corners
    )
    other = Prediction(
        labels, scores, known.image_shape, known.padded_shape, known.align_corners,
        Stamp("image", "silent"), 0.0,
    )  # fmt: skip
    table = predictor.classes
    first = ModelReading(pixels, table, found, evidence)
    second = ModelReading(pixels, table, other, None)
    height, width = known.image_shape
    for least in (1, 64):
        result = run(compare(first, second, None, least))
        regions = milliseconds(lambda px=least: differing_regions(found.labels, labels, px))
        whole = milliseconds(lambda px=least: run(compare(first, second, None, px)))
        truth = Truth(found.labels, np.full(labels.shape, PERSON, np.uint8), 255, len(table))
        judged = milliseconds(
            lambda px=least, known=result, truth=truth: run(
                compare(first, second, truth, px, known)
            )
        )
        print(
            f"regions of {least} px and more: {len(result.judged)}, agreement "
            f"{result.agreement:.3f}; finding {regions:.0f} ms, with evidence {whole:.0f} ms, "
            f"judged anew {judged:.0f} ms"
        )
    rng = np.random.default_rng(1)
    places_ = [(int(rng.integers(height)), int(rng.integers(width))) for _ in range(200)]

    def hover() -> None:
        for pixel in places_:
            evidence.at(pixel)
            found.probability_at(*pixel)

    print(f"one model's words at a pixel: {milliseconds(hover) / len(places_):.2f} ms")


if __name__ == "__main__":
    main()
