"""Evidence of one pixel beside autograd on the same head: `python benchmarks/evidence.py`.

2048 feature channels, levels 1, 2, 3 and 6, 512 hidden channels, 150 classes. Prints percentiles
over random full-resolution pixels, margin target, all 51 sources built.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
import torch
from head import large_network
from torch import Tensor

from pspgui.evidence.psp import PSPEvidence
from pspgui.evidence.readings import PixelEvidence
from pspgui.inference.activations import PSPActivations, Stamp
from pspgui.inference.heads.folding import FoldedHead
from pspgui.models.pspnet import PSPNet


def activate(model: PSPNet, features: Tensor) -> tuple[PSPActivations, PSPEvidence]:
    """Return the activations of random features, and their evidence."""
    head = FoldedHead.fold(model)
    outputs = head.run(features)
    grid = features.shape[2], features.shape[3]
    size = 8 * (grid[0] - 1) + 1, 8 * (grid[1] - 1) + 1
    activations = PSPActivations(
        image_id="random", image_shape=size, padded_shape=size, grid=grid,
        levels=model.spec.levels, align_corners=model.spec.align_corners,
        features=features[0].numpy(),
        level_priors=tuple(p.numpy() for p in outputs.level_priors),
        level_taps=tuple(t.numpy() for t in outputs.level_taps),
        local_cells=outputs.local_cells.numpy(), fused_cells=outputs.fused_cells.numpy(),
        scores=outputs.scores.numpy(), stamp=Stamp("random", "none"),
    )  # fmt: skip
    return activations, PSPEvidence(activations, head.weights())


def by_autograd(model: PSPNet, features: Tensor, found: PixelEvidence) -> tuple[float, float]:
    """Return the seconds autograd takes for the same numbers, and the largest difference."""
    started = time.perf_counter()
    local = features.clone().requires_grad_(True)
    with torch.no_grad():
        priors = model.pyramid(features)
    levels = [p.requires_grad_(True) for p in priors]
    scores = model.classifier(model.bottleneck(model.concatenate(local, levels)))
    cells = features.shape[2] - 1, features.shape[3] - 1
    full = model.upsample(scores, (8 * cells[0] + 1, 8 * cells[1] + 1))
    y, x = found.pixel
    (full[0, found.target.class_id, y, x] - full[0, found.target.versus, y, x]).backward()
    products = [(p.grad * p.detach()).sum(dim=1)[0].numpy() for p in levels]
    worst = abs(float((local.grad * features).sum()) - found.local)
    seconds = time.perf_counter() - started
    for bins, product in zip(model.spec.levels, products, strict=True):
        worst = max(worst, float(np.abs(product - found.grid(bins)).max()))
    return seconds, worst


def main() -> None:
    """Run both grids."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--pixels", type=int, default=1500)
    options.add_argument("--autograd", type=int, default=3, help="pixels done by autograd too")
    chosen = options.parse_args()
    torch.set_num_threads(1)
    model, rng = large_network(), np.random.default_rng(0)
    for cells in (60, 90):
        features = torch.rand((1, 2048, cells, cells))
        activations, evidence = activate(model, features)
        walls, cpus, gap = [], [], 0.0
        for y, x in rng.integers((0, 0), activations.image_shape, (chosen.pixels, 2)).tolist():
            wall, cpu = time.perf_counter(), time.thread_time()
            found = evidence.at((y, x))
            count = len(found.sources)
            walls.append(time.perf_counter() - wall)
            cpus.append(time.thread_time() - cpu)
            gap = max(gap, abs(found.total - found.logit))
        for name, times in (("wall", walls), ("CPU", cpus)):
            median, high = np.percentile(times, (50, 95)) * 1e3
            print(f"{cells} x {cells}  {name:4}  {count} sources: {median:.3f} ms, p95 {high:.3f}")
        print(f"{cells} x {cells}  |sum - logit| at most {gap:.1e}")
        runs = [by_autograd(model, features, found) for _ in range(chosen.autograd)]
        if runs:
            best = min(r[0] for r in runs)
            print(
                f"{cells} x {cells}  autograd {best * 1e3:.0f} ms, {best / np.median(walls):.0f} "
                f"times as long; largest difference {max(r[1] for r in runs):.1e}"
            )


if __name__ == "__main__":
    main()
