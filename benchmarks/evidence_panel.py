"""How long a hover takes up to the evidence panel's picture: `python benchmarks/evidence_panel.py`.

The bundled PSPNet on a drawn street of 480 x 360 pixels. Prints, for each reading, the time to
answer for a pixel, and for each form of the panel the time to take the answer in and to paint.
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable
from functools import partial

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from PySide6.QtWidgets import QApplication

from pspgui import places
from pspgui.evidence import evidence_of
from pspgui.evidence.psp import mean_bins
from pspgui.geometry import Pixel
from pspgui.gui.document import Document
from pspgui.gui.panels.evidence import EvidencePanel
from pspgui.gui.theme import DARK, apply_theme
from pspgui.inference.predictor import Predictor
from pspgui.models.checkpoints import load_checkpoint
from pspgui.scenes import render_scene

PIXELS = 300


def told(name: str, times: list[float]) -> None:
    """Print the median and the 95th percentile of some milliseconds."""
    print(f"{name:<34} {statistics.median(times):6.2f} ms, p95 {np.percentile(times, 95):6.2f}")


def timed(work: Callable[[], object]) -> float:
    """Return the milliseconds that this thread computes."""
    started = time.thread_time()
    work()
    return (time.thread_time() - started) * 1e3


def main() -> None:
    """Measure and print."""
    app = QApplication([])
    apply_theme(app, DARK)
    predictor = Predictor.of(load_checkpoint(places.bundled_model(), {}), "cpu", "fp32")
    image = render_scene(5, 360, 480).image
    activations = predictor.set_image(image)
    evidence = evidence_of(activations, predictor.weights)
    means = mean_bins([activations], "the mean bin of 1 image")
    places_yx = np.random.default_rng(0).integers(0, (360, 480), (PIXELS, 2)).tolist()
    pixels = [Pixel(y, x) for y, x in places_yx]
    for reading in ("split", "ig", "ablate", "shapley"):
        for baseline in (None, means):
            name = f"{reading}, against {'silence' if baseline is None else 'the mean bin'}"
            ask = partial(evidence.at, target=None, reading=reading, baseline=baseline)
            told(name, [timed(lambda p=p, ask=ask: ask(p).sources) for p in pixels])

    document = Document()
    document.set_table(predictor.classes)
    document.set_image(image, None, "street")
    document.set_prediction(predictor.predict(activations), (), evidence)
    panel = EvidencePanel(document)
    panel.resize(320, 700)
    panel.show()
    for view, button in panel.switch.buttons.items():
        button.click()
        takes, paints = [], []
        for pixel in pixels:
            takes.append(timed(lambda p=pixel: document.set_hover(p)))
            paints.append(timed(app.processEvents))
        told(f"{view}: answer and take in", takes)
        told(f"{view}: paint", paints)


if __name__ == "__main__":
    main()
