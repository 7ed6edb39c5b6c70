"""Evidence beside autograd and captum on one head: `python benchmarks/evidence.py [--quick]`.

PSPNet: 2048 feature channels, levels 1, 2, 3 and 6, 512 hidden channels, 150 classes. The other
networks: their own widths, 21 classes, some 513 x 513 pixels. Prints percentiles over random
full-resolution pixels, margin target; and what opening a bin, maps and a what-if take.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable, Iterator

# As in the window: waking BLAS's other threads costs a hover more than it gains.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
import torch
from head import large_network
from torch import Tensor, nn

from pspgui.evidence import Evidence, evidence_of, opened
from pspgui.evidence.maps import LevelStack
from pspgui.evidence.psp import PSPEvidence
from pspgui.evidence.readings import READINGS, PixelEvidence, PyramidEvidence, Target
from pspgui.evidence.whatif import LiveWhatIf, WhatIf, answer_if
from pspgui.inference.activations import Activations, FeatureMap, PSPActivations, Stamp
from pspgui.inference.argmax import full_resolution_labels
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


def by_autograd(model: PSPNet, features: Tensor, found: PyramidEvidence) -> tuple[float, float]:
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


class _Copy(nn.Module):
    """A layer of its own for the features, so that the pyramid's part does not count as theirs."""

    def forward(self, features: Tensor) -> Tensor:
        return features.clone()


class _Head(nn.Module):
    """A PSPNet's head to the two classes of a margin at one pixel, for captum.

    Only those two are interpolated, which is less work than the network does.
    """

    def __init__(self, model: PSPNet, found: PixelEvidence) -> None:
        super().__init__()
        self.model, self.local = model, _Copy()
        self.classes = [found.target.class_id, found.target.versus]
        self.pixel = found.pixel

    def forward(self, features: Tensor) -> Tensor:
        model = self.model
        joint = model.concatenate(self.local(features), model.pyramid(features))
        scores = model.classifier(model.bottleneck(joint))[:, self.classes]
        cells = features.shape[2] - 1, features.shape[3] - 1
        full = model.upsample(scores, (8 * cells[0] + 1, 8 * cells[1] + 1))
        pair = full[:, :, self.pixel.y, self.pixel.x]
        return pair[:, 0] - pair[:, 1]


def by_captum(model: PSPNet, features: Tensor, found: PyramidEvidence) -> tuple[float, float]:
    """Return the seconds captum takes for the same numbers, and the largest difference."""
    from captum.attr import LayerGradientXActivation

    head = _Head(model, found)
    layers = [*model.pyramid.branches, head.local]
    started = time.perf_counter()
    inputs = features.clone().requires_grad_(True)
    given = LayerGradientXActivation(head, layers).attribute(inputs)
    *levels, local = (g[0] if isinstance(g, tuple) else g for g in given)
    products = [level.detach().sum(dim=1)[0].numpy() for level in levels]
    worst = abs(float(local.detach().sum()) - found.local)
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


def spent(act: Callable[[], object], times: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the milliseconds of wall and of CPU time that an act takes each time."""
    walls, cpus = np.empty(times), np.empty(times)
    for i in range(times):
        wall, cpu = time.perf_counter(), time.thread_time()
        act()
        walls[i] = (time.perf_counter() - wall) * 1e3
        cpus[i] = (time.thread_time() - cpu) * 1e3
    return walls, cpus


def told(title: str, times: tuple[np.ndarray, np.ndarray], limit: float | None = None) -> None:
    """Print medians and 95th percentiles, and what they are held to."""
    (wall, cpu), (wall95, cpu95) = (np.median(times, axis=1), np.percentile(times, 95, axis=1))
    held = "" if limit is None else f"   (to hold: {limit:g})"
    print(
        f"{title:<44} wall {wall:9.3f} p95 {wall95:9.3f}   CPU {cpu:9.3f} p95 {cpu95:9.3f}{held}",
        flush=True,
    )


def hover(evidence: PSPEvidence, title: str, pixels: int) -> float:
    """Print the times of a pixel in each reading and in all; return the split's median wall."""
    shape, rng = evidence.activations.image_shape, np.random.default_rng(0)
    places = rng.integers((0, 0), shape, (pixels, 2)).tolist()
    gap = max(abs(f.total - f.logit) for f in (evidence.at(tuple(p)) for p in places[:200]))
    first = 0.0
    for name, readings in (
        ("split", ("split",)), ("ig", ("ig",)), ("ablate", ("ablate",)), ("shapley", ("shapley",)),
        ("split, ig and ablate", READINGS),
    ):  # fmt: skip
        at = iter(places)
        times = spent(
            lambda readings=readings, at=at: evidence.at_all(tuple(next(at)), None, readings),
            len(places),
        )
        told(f"{title} hover, {name}", times, 0.5 if len(readings) > 1 else None)
        first = first or float(np.median(times[0]))
    print(f"{title} |sum - logit| at most {gap:.1e}")
    return first


def whole_images(evidence: PSPEvidence, title: str, runs: int) -> None:
    """Print the times of drill-downs, maps of the whole image, and frames of a what-if."""
    known, rng = evidence.activations, np.random.default_rng(1)
    count = len(known.scores)

    def drill() -> None:
        pixel = tuple(rng.integers((0, 0), known.image_shape).tolist())
        found = evidence.at(pixel)
        reached = [s for s in found.sources[1:] if s.reachable]
        opened(evidence, pixel, reached[int(rng.integers(len(reached)))], found.target)

    told(f"{title} a bin opened into cells", spent(drill, 3 * runs), 100)
    # All are kept: each takes memory that nobody used before, as an image's first does.
    stacks: list[LevelStack] = []
    told(f"{title} maps, once an image", spent(lambda: stacks.append(LevelStack(evidence)), 3), 40)
    stack, turn = stacks[-1], iter(range(10**6))
    del stacks[:]
    told(f"{title} maps of one class", spent(lambda: stack.maps(Target(next(turn) % count)), runs),
         10)  # fmt: skip
    told(f"{title} maps of each cell's own margin", spent(stack.maps, runs), 10)
    told(f"{title} context share", spent(lambda: evidence.context_share(), 3))
    before = full_resolution_labels(
        known.scores, known.padded_shape, known.image_shape, known.align_corners
    )
    level = known.levels[-1]

    def frame() -> None:
        row, column = rng.integers(0, level, 2).tolist()
        answer_if(evidence, before, WhatIf().with_bin((level, row, column), 0.0))

    told(f"{title} a what-if anew: answer and labels", spent(frame, runs), 66)
    live, at = LiveWhatIf(evidence), iter(range(10**6))
    for name, alter in (
        ("a small bin", lambda factor: WhatIf().with_bin((level, 2, 2), factor)),
        ("a whole level", lambda factor: WhatIf().with_level(level, factor)),
        ("the local part", lambda factor: WhatIf(local=factor)),
    ):

        def drag(alter: Callable[[float], WhatIf] = alter) -> None:
            live.answer(alter(next(at) % 9 / 10))

        told(f"{title} a what-if dragged: {name}", spent(drag, runs), 66)


def main() -> None:
    """Run PSPNet on both grids, and then the other networks."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--pixels", type=int, default=1500)
    options.add_argument("--runs", type=int, default=12, help="of what takes tens of milliseconds")
    options.add_argument("--rivals", type=int, default=3, help="pixels done by the rivals too")
    options.add_argument("--quick", action="store_true", help="one grid, few of everything")
    chosen = options.parse_args()
    if chosen.quick:
        chosen.pixels, chosen.runs, chosen.rivals = 200, 4, 1
    torch.set_num_threads(1)
    model = large_network()
    print("milliseconds; one thread but for the rivals, which get all cores")
    for cells in (60,) if chosen.quick else (60, 90):
        title, features = f"{cells} x {cells}", torch.rand((1, 2048, cells, cells))
        activations, evidence = activate(model, features)
        median = hover(evidence, title, chosen.pixels)
        whole_images(evidence, title, chosen.runs)
        pixels = np.random.default_rng(2).integers((0, 0), activations.image_shape, (99, 2))
        for name, rival in (("autograd", by_autograd), ("captum", by_captum)):
            torch.set_num_threads(os.cpu_count() or 1)
            runs = [
                rival(model, features, evidence.at(tuple(p)))
                for p in pixels[: chosen.rivals].tolist()
            ]
            torch.set_num_threads(1)
            best = min(run[0] for run in runs) * 1e3
            print(
                f"{title} {name}: {best:.0f} at best, {best / median:.0f} times as long as the "
                f"split; largest difference {max(run[1] for run in runs):.1e}", flush=True,
            )  # fmt: skip
    for spec, sides, side in other_networks():
        compare(spec, sides, side, max(20, chosen.pixels // 15), min(chosen.rivals, 1))


if __name__ == "__main__":
    main()
