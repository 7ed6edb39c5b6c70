"""Whole networks side by side in one run: `python benchmarks/models.py [--threads 2] [--rounds 5]`.

Times are medians over alternating runs, wall and CPU, of a forward to the logits at the cells, and
of ours everything that evidence needs besides. ResNet-50 networks have random weights, ours and
torchvision's the same ones; agreement with fp32 is measured on the bundled MobileNetV2 model, which
is trained, over drawn street scenes it has not seen. Memory is the most that a forward adds to the
process, sampled every millisecond.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from head import large_network
from torch import Tensor, nn

from pspgui.inference.devices import choose
from pspgui.inference.errors import DeviceError
from pspgui.inference.predictor import Predictor
from pspgui.models.checkpoints import LoadedModel, load_checkpoint
from pspgui.models.light_torchvision import models as _loaded_light  # noqa: F401 - comes first
from pspgui.places import bundled_model
from pspgui.scenes import render_scene

MODES = (
    ("torch", "fp32"),
    ("torch", "bf16"),
    ("openvino", "fp32"),
    ("openvino", "bf16"),
    ("openvino", "int8"),
)
Work = Callable[[], object]


class Timing(NamedTuple):
    """Medians in seconds."""

    wall: float
    cpu: float


def modes() -> list[tuple[str, str]]:
    """Return the backends and precisions that are installed here."""
    found = []
    for backend, precision in MODES:
        try:
            choose("cpu", precision, backend)
        except DeviceError as error:
            print(f"{backend} {precision} left out: {error}")
            continue
        found.append((backend, precision))
    return found


def timings(works: dict[str, Work], rounds: int) -> dict[str, Timing]:
    """Run everything in turns and return the medians; the first turn does not count."""
    taken: dict[str, list[Timing]] = {name: [] for name in works}
    for _ in range(rounds + 1):
        for name, work in works.items():
            wall, cpu = time.perf_counter(), time.process_time()
            work()
            taken[name].append(Timing(time.perf_counter() - wall, time.process_time() - cpu))
    return {
        name: Timing(*(statistics.median(side) for side in zip(*runs[1:], strict=True)))
        for name, runs in taken.items()
    }


def peak_bytes(work: Work) -> int:
    """Return by how much the process grows at most while it works."""
    page, stop, most = 4096, threading.Event(), [0]
    statm = Path("/proc/self/statm")

    def resident() -> int:
        return int(statm.read_text(encoding="ascii").split()[1]) * page

    def watch() -> None:
        while not stop.wait(0.001):
            most[0] = max(most[0], resident())

    before = resident()
    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        work()
    finally:
        stop.set()
        watcher.join()
    return max(0, most[0] - before)


def reads(predictor: Predictor, images: Tensor, *, whole: bool) -> Work:
    """Return a forward of ours: trunk and head, up to the scores."""

    def forward() -> None:
        with torch.inference_mode():
            outputs = predictor.backend.run(images)
            if whole:
                predictor.head.scores(outputs)

    return forward


def logits(output: object) -> Tensor:
    """Return the logits in what a network of ours or of torchvision's gives."""
    found = output["out"] if isinstance(output, dict) else output.main  # type: ignore[attr-defined]
    assert isinstance(found, Tensor)
    return found


def logits_of(predictor: Predictor, images: Tensor) -> Tensor:
    """Return the logits at image size, as the plain network gives them."""
    with torch.inference_mode():
        scores = predictor.head.scores(predictor.backend.run(images))[None]
        return predictor.loaded.model.upsample(scores, images.shape[-2:])


def side_by_side(
    title: str, plain: nn.Module, loaded: LoadedModel, side: int, rounds: int
) -> None:
    """Print one network's table."""
    images = torch.randn((1, 3, side, side), generator=torch.Generator().manual_seed(0))
    picture = np.asarray(render_scene(7, side, side).image)

    def forward() -> object:
        with torch.inference_mode():
            return plain(images)

    works: dict[str, Work] = {"plain torch": forward}
    predictors = {}
    for backend, precision in modes():
        name = f"{backend} {precision}"
        predictors[name] = Predictor.of(
            loaded, "cpu", precision, backend=backend, samples=(picture,)
        )
        works[name] = reads(predictors[name], images, whole=True)
    found = timings(works, rounds)
    base = found["plain torch"]
    exact = logits(forward())
    print(f"\n{title}, {side} x {side}\n")
    print("| | wall ms | CPU ms | wall ratio | CPU ratio | max diff / max logit | memory MB |")
    print("|---|---|---|---|---|---|---|")
    for name, timing in found.items():
        gap = ""
        if name in predictors:
            ours = logits_of(predictors[name], images)
            gap = f"{float((ours - exact).abs().max() / exact.abs().max()):.1e}"
        print(
            f"| {name} | {timing.wall * 1e3:.0f} | {timing.cpu * 1e3:.0f} "
            f"| {timing.wall / base.wall:.2f} | {timing.cpu / base.cpu:.2f} | {gap} "
            f"| {peak_bytes(works[name]) / 1e6:.0f} |",
            flush=True,
        )


def agreements(scenes: int) -> None:
    """Print how many pixels keep their label in every mode, on trained weights."""
    pictures = [render_scene(seed, 360, 480).image for seed in range(100, 100 + scenes)]
    exact = Predictor.load(bundled_model(), "cpu", "fp32")
    wanted = [exact.predict(exact.set_image(p)).labels for p in pictures]
    print(f"\nBundled MobileNetV2 model, {scenes} drawn scenes of 480 x 360\n")
    print("| | agreement with torch fp32 | least of any scene |\n|---|---|---|")
    for backend, precision in modes():
        other = Predictor.load(bundled_model(), "cpu", precision, backend=backend)
        shares = [
            float((other.predict(other.set_image(p)).labels == w).mean())
            for p, w in zip(pictures, wanted, strict=True)
        ]
        print(
            f"| {backend} {precision} | {statistics.mean(shares):.4f} | {min(shares):.4f} |",
            flush=True,
        )


def networks() -> Iterator[tuple[str, nn.Module, LoadedModel]]:
    """Yield PSPNet by its own modules, and torchvision's DeepLabV3 and FCN, with ours."""
    model = large_network()
    yield "PSPNet ResNet-50 /8, 150 classes", model, LoadedModel(
        model, model.spec, "random", Path(), "", ()
    )
    from torchvision.models import segmentation

    for title, name in (("DeepLabV3", "deeplabv3_resnet50"), ("FCN", "fcn_resnet50")):
        torch.manual_seed(0)
        theirs = getattr(segmentation, name)(weights=None, weights_backbone=None, num_classes=21)
        theirs = theirs.eval().requires_grad_(False)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / f"{name}.pth"
            torch.save(theirs.state_dict(), path)
            ours = load_checkpoint(path)
        yield f"torchvision {title} ResNet-50 /8, 21 classes", theirs, ours


def main() -> None:
    """Print every table."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--threads", type=int, default=2)
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--side", type=int, default=473)
    options.add_argument("--scenes", type=int, default=6)
    chosen = options.parse_args()
    torch.set_num_threads(chosen.threads)
    print(f"torch {torch.__version__}, {chosen.threads} threads, {chosen.rounds} rounds")
    for title, plain, loaded in networks():
        side_by_side(title, plain, loaded, chosen.side, chosen.rounds)
    if chosen.scenes:
        agreements(chosen.scenes)


if __name__ == "__main__":
    main()
