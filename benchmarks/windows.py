"""Sliding windows in bands beside full arrays and the whole image: `python benchmarks/windows.py`.

First what putting windows together costs, with a network that returns noise at once: full arrays
over all pixels and classes, as semseg and mmsegmentation keep them, against bands of rows, at a
size that both can hold; then bands alone at --side, next to their forecast. Then the bundled
network, which is all that --network takes: the whole image in one pass against windows.
Every figure is taken in a process of its own: wall and CPU seconds, and how much the resident
memory grew at its fullest. Linux only.
"""

from __future__ import annotations

import argparse
import multiprocessing
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 - the field's own name for it

from pspgui.inference.modes import CellScores, InferenceMode
from pspgui.inference.planning import byte_text, forecast
from pspgui.inference.predictor import Predictor
from pspgui.inference.protocols import protocol
from pspgui.inference.running import run_mode
from pspgui.inference.windows import WindowPlan
from pspgui.labels.classes import ClassTable, LabelClass
from pspgui.models.spec import SizeRule
from pspgui.places import bundled_model


class Measured(NamedTuple):
    """Wall seconds, CPU seconds, and the growth of resident memory in bytes."""

    wall: float
    cpu: float
    peak: int

    def __str__(self) -> str:
        return f"{self.wall:7.1f} s  CPU {self.cpu:7.1f} s  peak {byte_text(self.peak):>8}"


class NoiseScorer:
    """A network of no cost: seeded noise at the cells."""

    device = "cpu"

    def __init__(self, classes: int) -> None:
        self.classes = class_table(classes)
        self.spec = SimpleNamespace(
            normalisation=SimpleNamespace(mean=(0.485, 0.456, 0.406)),
            size_rule=SizeRule(multiple=8, offset=1), output_stride=8,
        )  # fmt: skip
        self._random = np.random.default_rng(0)

    def cell_scores(self, pixels: np.ndarray, cancelled: object = None) -> CellScores:
        """One pass."""
        padded = tuple(self.spec.size_rule.padded(n) for n in pixels.shape[:2])
        grid = (padded[0] - 1) // 8 + 1, (padded[1] - 1) // 8 + 1
        scores = self._random.random((len(self.classes), *grid), np.float32)
        return CellScores(scores, padded, pixels.shape[:2], True)


def class_table(classes: int) -> ClassTable:
    return ClassTable(tuple(LabelClass(i, f"class {i}", (0, 0, i)) for i in range(classes)))


def bundled_network(classes: int) -> Predictor:
    """Return the bundled network; it has its own classes."""
    return Predictor.load(bundled_model(), "cpu", "fp32")


def in_bands(scorer: object, pixels: np.ndarray, mode: InferenceMode) -> None:
    run_mode(scorer, pixels, mode)


def in_full_arrays(scorer: NoiseScorer, pixels: np.ndarray, mode: InferenceMode) -> None:
    """Average softmaxes the plain way: one (N, H, W) array, and a count."""
    plan = WindowPlan.of(pixels.shape[:2], mode, 1.0)
    total = torch.zeros((len(scorer.classes), *pixels.shape[:2]))
    count = torch.zeros(pixels.shape[:2])
    for row in range(len(plan.rows)):
        for column in range(len(plan.columns)):
            ys, xs = plan.rect(row, column).slices
            cells = scorer.cell_scores(pixels[ys, xs])
            logits = F.interpolate(torch.from_numpy(cells.scores)[None], cells.padded,
                                   mode="bilinear", align_corners=True)  # fmt: skip
            height, width = cells.shape
            total[:, ys, xs] += logits[0, :, :height, :width].softmax(0)
            count[ys, xs] += 1
    (total / count).argmax(0)


def measured(
    build: Callable[[int], object],
    work: Callable[[object, np.ndarray, InferenceMode], None],
    classes: int,
    side: int,
    mode: InferenceMode,
    threads: int,
) -> Measured:
    """Run in this process, which should be fresh."""
    torch.set_num_threads(threads)
    scorer = build(classes)
    pixels = np.random.default_rng(1).integers(0, 256, (side, side, 3), np.uint8)
    run_mode(scorer, pixels[:97, :97], InferenceMode())  # what is made once is made before
    Path("/proc/self/clear_refs").write_text("5")
    before, wall, cpu = _resident("VmRSS"), time.perf_counter(), time.process_time()
    work(scorer, pixels, mode)
    spent = time.perf_counter() - wall, time.process_time() - cpu
    return Measured(*spent, _resident("VmHWM") - before)


def _resident(name: str) -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(name + ":"):
            return int(line.split()[1]) * 1024
    raise OSError(f"/proc/self/status has no {name}")


def alone(*arguments: object) -> Measured:
    """Measure in a new process."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        return pool.submit(measured, *arguments).result()


def compare(name: str, plain: Measured, other_name: str, other: Measured) -> None:
    print(f"  {name:<24} {plain}")
    print(f"  {other_name:<24} {other}")
    print(f"  ratio: time {other.wall / plain.wall:.2f}, CPU {other.cpu / plain.cpu:.2f}, "
          f"peak {other.peak / plain.peak:.2f}")  # fmt: skip


def main() -> None:
    """Run all comparisons."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--threads", type=int, default=1)
    options.add_argument("--classes", type=int, default=150)
    options.add_argument("--small", type=int, default=1024, help="side that full arrays can hold")
    options.add_argument("--side", type=int, default=4096)
    options.add_argument("--network", action="store_true", help="compare with a network alone")
    chosen = options.parse_args()
    classes, threads = chosen.classes, chosen.threads
    slide = protocol("whole", crop=(473, 473))
    print(f"torch {torch.__version__}, {threads} threads, {classes} classes, windows of 473, "
          "stride 2/3")  # fmt: skip

    if not chosen.network:
        _without_network(chosen.small, chosen.side, classes, threads, slide)
    print(f"bundled PSPNet MobileNetV2 /8, {chosen.small} x {chosen.small}")
    whole = alone(bundled_network, in_bands, classes, chosen.small, InferenceMode(), threads)
    windows = alone(bundled_network, in_bands, classes, chosen.small, slide, threads)
    compare("whole", whole, "windows", windows)


def _without_network(
    small: int, side: int, classes: int, threads: int, slide: InferenceMode
) -> None:
    print(f"no network, {small} x {small}")
    full = alone(NoiseScorer, in_full_arrays, classes, small, slide, threads)
    bands = alone(NoiseScorer, in_bands, classes, small, slide, threads)
    compare("full arrays", full, "bands", bands)

    print(f"no network, {side} x {side}")
    for mode in (slide, slide.changed(mirror=True)):
        foreseen = forecast(NoiseScorer(classes), (side, side), mode)
        found = alone(NoiseScorer, in_bands, classes, side, mode, threads)
        name = "bands, mirrored" if mode.mirror else "bands"
        print(f"  {name:<24} {found}  forecast {byte_text(foreseen.bytes)}, "
              f"{foreseen.passes} passes")  # fmt: skip


if __name__ == "__main__":
    main()
