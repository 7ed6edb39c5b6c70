"""Whole networks side by side in one run: `python benchmarks/models.py [--threads 2] [--rounds 5]`.

Times are medians over alternating runs, wall and CPU, of a forward to the logits at the cells, and
of ours everything that evidence needs besides. ResNet-50 networks have random weights, ours and
torchvision's the same ones. Agreement with fp32 is measured on trained models, the bundled one or
`--weights`, over drawn street scenes they have not seen or `--images`. Random networks turn any
rounding into other labels, so int8's search would leave none of their layers in eight bits: theirs
are timed with made-up ranges instead, in every layer and with a given part of the work in float.
Memory is the most that a forward adds to the process, sampled every millisecond.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from head import large_network
from torch import Tensor, nn

from pspgui.imaging import decode_image, list_images
from pspgui.inference.backends.quantising import Fitted, Layer
from pspgui.inference.devices import choose
from pspgui.inference.errors import DeviceError
from pspgui.inference.heads import build_head
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
# The part of the multiplications that is left in float, and what that float is.
MIXTURES = ((0.0, "f32"), (0.0, "bf16"), (0.2, "f32"), (0.2, "bf16"), (0.4, "f32"))
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


def cells_of(graph: Any, images: Tensor) -> dict[str, int]:
    """Return how many cells each convolution gives of the images, by its name."""
    still = graph.clone()
    still.reshape(list(images.shape))
    return {
        op.get_friendly_name(): int(np.prod(op.get_output_shape(0)[2:]))
        for op in still.get_ordered_ops()
        if op.get_type_name() == "Convolution"
    }


def made_up(layer: Layer, cells: int) -> Fitted:
    """Return a layer in eight bits whose input is taken to lie in 0..6."""
    out, channels = layer.weight.shape[:2]
    steps = np.abs(layer.weight).reshape(out, -1).max(1) / 127
    codes = np.round(layer.weight / steps[:, None, None, None]).astype(np.int8)
    low, high = np.zeros(channels, np.float32), np.full(channels, 6, np.float32)
    return Fitted(low, high, 0.0, 6.0, codes, steps, np.zeros(out, np.float32), cells)


def with_ranges_made_up(predictor: Predictor, images: Tensor, share: float, rest: str) -> Work:
    """Return a forward with all but a share of the work in eight bits, right in time alone.

    The share is taken from the first layers and the last, where trained models need it.
    """
    import openvino

    from pspgui.inference.backends.openvino_graphs import converted
    from pspgui.inference.backends.quantising import layers_of, quantised

    sides = tuple(images.shape[-2:])
    graph = converted(build_head(predictor.loaded.model).trunk, sides)
    cells = cells_of(graph, images)
    fitted = {layer.name: made_up(layer, cells[layer.name]) for layer in layers_of(graph)}
    names, total = list(fitted), sum(f.cost for f in fitted.values())
    left = 0.0
    for name in [*names[:14], *names[-2::-1]]:
        if name in fitted and left + fitted[name].cost <= share * total:
            left += fitted.pop(name).cost
    options = {
        "INFERENCE_PRECISION_HINT": rest,
        "INFERENCE_NUM_THREADS": torch.get_num_threads(),
        "PERFORMANCE_HINT": "LATENCY",
    }
    compiled = openvino.compile_model(quantised(graph, fitted), "CPU", options)

    def forward() -> None:
        found = compiled(images.numpy())
        with torch.inference_mode():
            predictor.head.scores(tuple(torch.from_numpy(found[o]) for o in compiled.outputs))

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


def side_by_side(title: str, plain: nn.Module, loaded: LoadedModel, side: int, rounds: int) -> None:
    """Print one network's table."""
    images = torch.randn((1, 3, side, side), generator=torch.Generator().manual_seed(0))

    def forward() -> object:
        with torch.inference_mode():
            return plain(images)

    works: dict[str, Work] = {"plain torch": forward}
    predictors = {}
    installed = modes()
    for backend, precision in installed:
        if precision == "int8":
            continue
        name = f"{backend} {precision}"
        predictors[name] = Predictor.of(loaded, "cpu", precision, backend=backend)
        works[name] = reads(predictors[name], images, whole=True)
    if ("openvino", "int8") in installed:
        for share, rest in MIXTURES:
            works[f"openvino int8, {share:.0%} of the work in {rest}"] = with_ranges_made_up(
                predictors["openvino fp32"], images, share, rest
            )
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


def agreements(weights: Path, pictures: list[np.ndarray], samples: list[np.ndarray]) -> None:
    """Print how many pixels keep their label in every mode, and which time that takes."""
    exact = Predictor.load(weights, "cpu", "fp32")
    wanted = [exact.predict(exact.set_image(p)).labels for p in pictures]
    print(f"\n{weights.name}, {len(pictures)} images\n")
    print("| | agreement with torch fp32 | least of any image | |\n|---|---|---|---|")
    for backend, precision in modes():
        other = Predictor.load(weights, "cpu", precision, backend=backend, samples=samples)
        shares = [
            float((other.predict(other.set_image(p)).labels == w).mean())
            for p, w in zip(pictures, wanted, strict=True)
        ]
        print(
            f"| {backend} {precision} | {statistics.mean(shares):.4f} | {min(shares):.4f} "
            f"| {other.precision_note} |",
            flush=True,
        )


def pictures_of(folder: Path | None, count: int, seed: int) -> list[np.ndarray]:
    """Return images spread over a folder, or drawn scenes."""
    if folder is None:
        return [render_scene(seed + i, 360, 480).image for i in range(count)]
    paths = list_images(folder)
    return [decode_image(path).pixels for path in paths[:: max(1, len(paths) // count)][:count]]


def networks() -> Iterator[tuple[str, nn.Module, LoadedModel]]:
    """Yield PSPNet by its own modules, and torchvision's DeepLabV3 and FCN, with ours."""
    model = large_network()
    yield (
        "PSPNet ResNet-50 /8, 150 classes",
        model,
        LoadedModel(model, model.spec, "random", Path(), "", ()),
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
    options.add_argument("--scenes", type=int, default=6, help="images that modes are compared on")
    options.add_argument("--weights", type=Path, default=bundled_model())
    options.add_argument("--images", type=Path, help="a folder instead of drawn scenes")
    options.add_argument("--samples", type=Path, help="a folder that int8 is fitted to")
    options.add_argument("--agreement-only", action="store_true")
    chosen = options.parse_args()
    torch.set_num_threads(chosen.threads)
    print(f"torch {torch.__version__}, {chosen.threads} threads, {chosen.rounds} rounds")
    for title, plain, loaded in () if chosen.agreement_only else networks():
        side_by_side(title, plain, loaded, chosen.side, chosen.rounds)
    if chosen.scenes:
        pictures = pictures_of(chosen.images, chosen.scenes, 100)
        # Drawn scenes are what is taken where none are given.
        samples = pictures_of(chosen.samples, 12, 0) if chosen.samples else []
        agreements(chosen.weights, pictures, samples)


if __name__ == "__main__":
    main()
