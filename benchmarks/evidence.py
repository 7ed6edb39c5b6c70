"""Evidence of one pixel beside autograd on the same head: `python benchmarks/evidence.py`.

PSPNet: 2048 feature channels, levels 1, 2, 3 and 6, 512 hidden channels, 150 classes. The other
networks: their own widths, 21 classes, some 513 x 513 pixels. Prints percentiles over random
full-resolution pixels, margin target, all sources built.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Iterator

import numpy as np
import torch
from head import large_network
from torch import Tensor

from pspgui.evidence import Evidence, evidence_of
from pspgui.evidence.psp import PSPEvidence
from pspgui.evidence.readings import PixelEvidence
from pspgui.inference.activations import Activations, FeatureMap, PSPActivations, Stamp
from pspgui.inference.heads import build_head
from pspgui.inference.heads.folding import FoldedHead
from pspgui.labels.classes import table
from pspgui.models.architectures import build_network
from pspgui.models.deeplabv3 import DeepLabV3Spec
from pspgui.models.dilated_fcn import DilatedFCNSpec
from pspgui.models.fcn import FCNSpec
from pspgui.models.fcn_stages import FCNStagesSpec
from pspgui.models.pspnet import PSPNet
from pspgui.models.pspnet_upsample import PSPUpsampleSpec
from pspgui.models.segmenter import Segmenter
from pspgui.models.spec import ModelSpec


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


def other_networks() -> Iterator[tuple[ModelSpec, list[int], int]]:
    """Yield specs, the sides of the square maps of their backbones' stages, and the image's."""
    classes = table(*((f"class {i}", (0, 0, i)) for i in range(21)))
    plain = {"classes": classes, "auxiliary": False}
    yield DeepLabV3Spec(**plain, backbone="resnet50", output_stride=8), [65] * 5, 513
    yield DilatedFCNSpec(**plain, backbone="resnet50", output_stride=8), [65] * 5, 513
    for skips in (0, 1, 2):
        # fc6 and fc7 come before the scores: narrow ones save the time to make them.
        spec = FCNSpec(classes=classes, hidden_channels=64, skips=skips)
        yield spec, [355, 178, 89, 45, 23], 512
    yield FCNStagesSpec(**plain), [256, 128, 64, 32, 16], 512
    yield PSPUpsampleSpec(**plain, backbone="resnet34"), [64] * 5, 512


def activate_other(model: Segmenter, stages: tuple[Tensor, ...], size: tuple[int, int]) -> Evidence:
    """Return the evidence of random stages of a backbone."""
    cells = model.cells(stages, size)
    activations = Activations(
        image_id="random", image_shape=size, padded_shape=size,
        grid=(cells.scores.shape[2], cells.scores.shape[3]),
        align_corners=model.spec.align_corners, features=stages[-1][0].numpy(),
        maps=tuple(FeatureMap(title, m[0].numpy()) for title, m in cells.maps.items()),
        scores=cells.scores[0].numpy(), stamp=Stamp("random", "none"),
    )  # fmt: skip
    evidence = evidence_of(activations, build_head(model).weights())
    assert evidence is not None
    return evidence


def compare(spec: ModelSpec, sides: list[int], side: int, pixels: int, runs: int) -> None:
    """Print a network's times for a pixel in both readings, and autograd's for the same."""
    torch.manual_seed(0)
    model, size = build_network(spec).eval().requires_grad_(False), (side, side)
    torch.nn.init.normal_(getattr(model, "classifier", getattr(model, "score", None)).weight)
    stages = tuple(
        torch.rand(1, channels, wide, wide)
        for channels, wide in zip(model.backbone.channels, sides, strict=False)
    )[-model.keep :]  # fmt: skip
    evidence = activate_other(model, stages, size)
    places = np.random.default_rng(0).integers(0, side, (pixels, 2)).tolist()
    for reading in ("split", "ablate"):
        walls, cpus = [], []
        for y, x in places:
            wall, cpu = time.perf_counter(), time.thread_time()
            found = evidence.at((y, x), None, reading)
            walls.append((time.perf_counter() - wall) * 1e3)
            cpus.append((time.thread_time() - cpu) * 1e3)
        high = np.percentile(cpus, 95)
        print(
            f"{spec.title}: {reading} of {len(found.sources)} sources, wall "
            f"{statistics.median(walls):.2f} ms, CPU {statistics.median(cpus):.2f} ms, p95 "
            f"{high:.2f}"
        )
    times = []
    for y, x in places[:runs]:
        started = time.perf_counter()
        leaves = tuple(stage.clone().requires_grad_(True) for stage in stages)
        logits = model.upsample(model.cells(leaves, size).scores, size)[0, :, y, x]
        best, second = logits.topk(2).values
        (best - second).backward()
        times.append((time.perf_counter() - started) * 1e3)
    if times:
        print(f"{spec.title}: autograd {statistics.median(times):.0f} ms")


def main() -> None:
    """Run PSPNet on both grids, and then the other networks."""
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
    for spec, sides, side in other_networks():
        compare(spec, sides, side, max(20, chosen.pixels // 15), chosen.autograd)


if __name__ == "__main__":
    main()
