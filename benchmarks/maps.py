"""Whole-image maps, once per image and then per class: `python benchmarks/maps.py`.

PSPNet: 2048 feature channels, levels 1, 2, 3 and 6, 512 hidden channels, 150 classes; grids of
60 x 60 cells (473 x 473 pixels) and 90 x 90 (713 x 713). Medians of wall and CPU time on one
thread, beside what the network's own last layers take for one pass, as a measure of the machine.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np
import torch
from evidence import activate
from head import large_network

from pspgui.evidence.maps import (
    LevelStack,
    confidence,
    entropy,
    margin,
    pyramid_share,
    read_pixels,
)
from pspgui.evidence.psp import PSPEvidence
from pspgui.evidence.readings import Target
from pspgui.inference.activations import CellScores
from pspgui.inference.heads.folding import FoldedHead


def told(name: str, run: Callable[[], object], times: int) -> None:
    """Print the median time of `run`."""
    walls, cpus = [], []
    for _ in range(times):
        wall, cpu = time.perf_counter(), time.thread_time()
        run()
        walls.append((time.perf_counter() - wall) * 1e3)
        cpus.append((time.thread_time() - cpu) * 1e3)
    print(f"  {name:36} wall {np.median(walls):7.1f} ms, CPU {np.median(cpus):7.1f}")


def measure(evidence: PSPEvidence, times: int) -> None:
    """Print what every map of one grid takes."""
    known = evidence.activations
    told("stack, once", lambda: LevelStack(evidence), times)
    stack = LevelStack(evidence)
    pixels = CellScores(known.scores, known.padded_shape, known.image_shape, known.align_corners)
    classes = iter(np.random.default_rng(0).permutation(150).tolist() * 9)
    told("one class, all parts", lambda: stack.maps(Target(next(classes))), times)
    told("one class over another", lambda: stack.maps(Target(next(classes), 3)), times)
    told("each cell's margin, all parts", lambda: stack.maps(), times)
    told("strongest source of a class", lambda: stack.maps(Target(7)).strongest(), times)
    told("what a bin adds", lambda: stack.bin(6, 2, 3, Target(7)), times)
    told("reach of a bin", lambda: evidence.reach_map(6, 2, 3), times)
    for score in (confidence, margin, entropy):
        told(f"{score.__name__} of cells", lambda s=score: s(known.scores), times)
    told("entropy of every pixel", lambda: read_pixels(pixels, entropy), max(1, times // 10))
    told("the pyramid's share of the image", lambda: pyramid_share(stack), max(1, times // 10))


def main() -> None:
    """Measure both grids."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--runs", type=int, default=31)
    times = options.parse_args().runs
    torch.set_num_threads(1)
    model = large_network()
    for cells in (60, 90):
        features = torch.rand(1, 2048, cells, cells)
        _, evidence = activate(model, features)
        print(f"{cells} x {cells} cells")
        head = FoldedHead.fold(model)
        told("the network's own last layers", lambda h=head, f=features: h.run(f), 3)
        measure(evidence, times)


if __name__ == "__main__":
    main()
