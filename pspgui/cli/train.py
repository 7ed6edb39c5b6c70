"""`pspgui train`: train a network on a folder data set."""

from __future__ import annotations

import json
import math
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from pspgui.durable import printable

if TYPE_CHECKING:
    from pspgui.labels.classes import ClassTable
    from pspgui.models.segmenter import Segmenter
    from pspgui.models.spec import ModelSpec
    from pspgui.training.loop import Progress, TrainingSet
    from pspgui.training.recipe import Recipe

BackboneOption = Literal[
    "mobilenet_v2", "resnet18", "resnet34", "resnet50", "resnet101", "resnet152"
]


def train(
    data: Annotated[Path, typer.Option(help="folder with images/, labels/, classes.json")],
    out: Annotated[Path, typer.Option(help="folder of this run; resumed when it holds one")],
    split: Annotated[str, typer.Option(help="training split")] = "train",
    validation: Annotated[str, typer.Option(help="validation split, '' for none")] = "val",
    init: Annotated[
        Path | None, typer.Option(help="weights to start from: a network or a backbone")
    ] = None,
    backbone: Annotated[BackboneOption, typer.Option()] = "mobilenet_v2",
    output_stride: Annotated[int, typer.Option(help="8 or 16")] = 16,
    levels: Annotated[str, typer.Option(help="bins a side of every level")] = "1,2,3,6",
    bottleneck: Annotated[int | None, typer.Option(help="channels of the bottleneck")] = None,
    local_dropout: Annotated[
        float, typer.Option(help="share of local features silenced in training")
    ] = 0.0,
    epochs: Annotated[int, typer.Option()] = 30,
    batch: Annotated[int, typer.Option(help="2 or more")] = 8,
    rate: Annotated[float, typer.Option(help="learning rate of the backbone")] = 0.01,
    head_factor: Annotated[float, typer.Option(help="times that for the heads")] = 10.0,
    crop: Annotated[str, typer.Option(help="HEIGHTxWIDTH; '' for the frame's size")] = "",
    whole_frames: Annotated[float, typer.Option(help="share of samples kept whole")] = 0.5,
    class_weights: Annotated[Literal["none", "sqrt", "median"], typer.Option()] = "none",
    scenes: Annotated[float, typer.Option(help="drawn scenes for each image (CamVid)")] = 0.0,
    normalisation: Annotated[
        Literal["imagenet", "half"], typer.Option(help="half: mean and std of .5")
    ] = "imagenet",
    precision: Annotated[Literal["fp32", "bf16"], typer.Option()] = "fp32",
    device: Annotated[Literal["auto", "cpu", "cuda", "mps"], typer.Option()] = "auto",
    seed: Annotated[int, typer.Option()] = 1,
    balance: Annotated[
        bool, typer.Option("--balance", help="then fit class biases to mIoU: balanced.safetensors")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="one JSON line a report")] = False,
) -> int:
    """Train a PSPNet; writes best.safetensors, last.safetensors and what resuming needs to OUT."""
    from pspgui.training.loop import Trainer
    from pspgui.training.recipe import Recipe

    recipe = Recipe(
        epochs=epochs, batch=batch, learning_rate=rate, head_factor=head_factor,
        class_weights=class_weights, crop=_size(crop), whole_frames=whole_frames,
        scenes=scenes, precision=precision, seed=seed,
    )  # fmt: skip
    samples, table = _samples(data, split, validation, recipe)
    spec = _spec(backbone, output_stride, levels, bottleneck, local_dropout, normalisation, table)
    model, started = _network(spec, init)
    trainer = Trainer(model, recipe, samples, out, _device(device))
    resumed = trainer.resume()
    report = _JsonReport() if as_json else _BarReport(trainer.steps)
    report.say(
        f"{spec.title}, {len(samples.train)} images, {trainer.steps} steps, {started}"
        + (f"; resumed at step {trainer.run.step}" if resumed else "")
    )
    try:
        run = trainer.fit(report)
    finally:
        report.close()
    best = run.best if run.best >= 0 else None
    scored = "not validated" if best is None else f"best mIoU {best:.4f}"
    report.say(f"done: {scored}, weights in {printable(out)}", best=best)
    if balance:
        _balance(out, best is not None, samples, report)
    return 0


def _balance(
    out: Path, validated: bool, samples: TrainingSet, report: _BarReport | _JsonReport
) -> None:
    """Balance the best weights over the training images and write them beside."""
    from pspgui.models.checkpoints import load_checkpoint
    from pspgui.models.checkpoints.native import save_checkpoint
    from pspgui.training.balance import shift_biases, tuned_biases
    from pspgui.training.datasets import JoinedSource
    from pspgui.training.evaluation import evaluate, plain_predictor
    from pspgui.training.loop import BEST, LAST

    model = load_checkpoint(out / (BEST if validated else LAST)).model
    seen = samples.train if samples.scenes is None else JoinedSource(samples.train, samples.scenes)
    shifts, before, after = tuned_biases(model, seen)
    shift_biases(model, shifts)
    record = {
        **model.spec.record,
        "class_shifts": {
            name: round(float(shift), 4)
            for name, shift in zip(model.spec.classes.names, shifts, strict=True)
        },
    }
    scored = ""
    if samples.validation is not None:
        miou = evaluate(
            plain_predictor(model), samples.validation, model.spec.classes
        ).confusion.miou
        record["validation_miou"] = round(miou, 4)
        scored = f", on validation {miou:.4f}"
    save_checkpoint(model, out / "balanced.safetensors", model.spec.changed(record=record))
    report.say(f"balanced: mIoU on training images {before:.4f} -> {after:.4f}{scored}")


def _samples(
    data: Path, split: str, validation: str, recipe: Recipe
) -> tuple[TrainingSet, ClassTable]:
    from pspgui.formats import read_dataset
    from pspgui.imaging import image_size
    from pspgui.labels.classes import CAMVID
    from pspgui.training.datasets import FolderSource, SceneSource
    from pspgui.training.loop import TrainingSet

    pairs, table = read_dataset(data, split)
    frame = image_size(pairs[0].image)
    scenes = None
    if recipe.scenes:
        if table.names != CAMVID.names:
            raise ValueError("drawn scenes have CamVid's classes; this data set has others")
        scenes = SceneSource(round(len(pairs) * recipe.scenes), frame, recipe.seed * 1_000_000)
    held_out = FolderSource(read_dataset(data, validation)[0], table) if validation else None
    name = printable(data.resolve().name)
    return TrainingSet(FolderSource(pairs, table), held_out, scenes, frame, name), table


def _spec(
    backbone: BackboneOption,
    output_stride: int,
    levels: str,
    bottleneck: int | None,
    local_dropout: float,
    normalisation: str,
    table: ClassTable,
) -> ModelSpec:
    from pspgui.models.pspnet import PSPNetSpec
    from pspgui.models.spec import Normalisation, SizeRule

    half = Normalisation(mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))
    return PSPNetSpec.model_validate(
        {
            "backbone": backbone,
            "output_stride": output_stride,
            "levels": _levels(levels),
            "bottleneck_channels": bottleneck,
            "local_dropout": local_dropout,
            "normalisation": half if normalisation == "half" else Normalisation(),
            "size_rule": SizeRule(multiple=output_stride, offset=1),
            "classes": table,
        }
    )


def _levels(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(bins) for bins in text.split(","))
    except ValueError as error:
        raise ValueError(f"--levels {text} is not a list of numbers such as 1,2,3,6") from error


def _network(spec: ModelSpec, init: Path | None) -> tuple[Segmenter, str]:
    """Return the network and a clause about the weights it starts from."""
    import torch

    from pspgui.models.architectures import build_network
    from pspgui.models.checkpoints import read_container
    from pspgui.training.loop import start_weights

    torch.manual_seed(0)
    model = build_network(spec)
    if init is None:
        return model, "from random weights"
    container = read_container(init)
    copied, wanted = start_weights(model, container.tensors)
    if not copied:
        raise container.error("none of its tensors fit this network")
    name = printable(init.name)
    model.spec = spec.changed(record={"init": name, "init_sha256": container.digest[:16]})
    return model, f"{copied} of {wanted} tensors from {name}"


def _device(wanted: str) -> str:
    from pspgui.inference.devices import choose_device

    chosen = choose_device(wanted)
    # torch pools adaptively on MPS only where the bins divide the map.
    return "cpu" if wanted == "auto" and chosen == "mps" else chosen


def _size(text: str) -> tuple[int, int] | None:
    if not text:
        return None
    height, _, width = text.lower().partition("x")
    try:
        return int(height), int(width)
    except ValueError as error:
        raise ValueError(f"--crop {text} is not HEIGHTxWIDTH") from error


class _BarReport:
    """Progress as a bar with time left, on standard error."""

    def __init__(self, steps: int) -> None:
        from tqdm import tqdm

        self.bar = tqdm(total=steps, unit="step", smoothing=0.02, dynamic_ncols=True)

    def __call__(self, progress: Progress) -> None:
        self.bar.update(progress.step - self.bar.n)
        self.bar.set_description(f"epoch {progress.epoch}/{progress.epochs}")
        self.bar.set_postfix_str(f"loss {progress.loss:.3f}")
        if progress.miou is not None:
            self.say(f"epoch {progress.epoch}: validation mIoU {progress.miou:.4f}")

    def say(self, text: str, **_: Any) -> None:
        self.bar.write(text, file=sys.stderr)

    def close(self) -> None:
        self.bar.close()


class _JsonReport:
    """Progress as JSON lines on standard output, for the window and for scripts."""

    def __call__(self, progress: Progress) -> None:
        loss = progress.loss if math.isfinite(progress.loss) else None  # JSON has no nan
        print(json.dumps({"kind": "progress", **asdict(progress), "loss": loss}), flush=True)

    def say(self, text: str, **more: Any) -> None:
        print(json.dumps({"kind": "said", "text": text, **more}), flush=True)

    def close(self) -> None:
        return None
