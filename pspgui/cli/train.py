"""`pspgui train`: train a network on a folder data set."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple

import typer

from pspgui.cli.options import assumptions
from pspgui.durable import printable

if TYPE_CHECKING:
    from pspgui.labels.classes import ClassTable
    from pspgui.models.segmenter import Segmenter
    from pspgui.models.spec import ModelSpec
    from pspgui.training.loop import Progress, TrainingSet
    from pspgui.training.recipe import Recipe

ArchitectureOption = Literal[
    "pspnet", "psp_upsample", "deeplabv3", "fcn", "fcn_stages", "dilated_fcn"
]
BackboneOption = Literal[
    "mobilenet_v2", "mobilenet_v3_large", "resnet18", "resnet34", "resnet50", "resnet101",
    "resnet152", "vgg16", "shortsighted",
]  # fmt: skip


def train(
    data: Annotated[Path, typer.Option(help="data set: a folder of ours, or one as published")],
    out: Annotated[Path, typer.Option(help="folder of this run; resumed when it holds one")],
    split: Annotated[str, typer.Option(help="training split")] = "train",
    validation: Annotated[str, typer.Option(help="validation split, '' for none")] = "val",
    init: Annotated[
        Path | None, typer.Option(help="weights to start from: a network or a backbone")
    ] = None,
    architecture: Annotated[ArchitectureOption, typer.Option()] = "pspnet",
    backbone: Annotated[
        BackboneOption | None, typer.Option(help="the architecture's usual one if not given")
    ] = None,
    output_stride: Annotated[int | None, typer.Option(help="8, 16 or 32")] = None,
    levels: Annotated[
        str | None, typer.Option(help="bins a side of every level: 1,2,3,6")
    ] = None,
    bottleneck: Annotated[int | None, typer.Option(help="channels of the bottleneck")] = None,
    local_dropout: Annotated[
        float | None, typer.Option(help="share of local features silenced in training")
    ] = None,
    fields: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="KEY=VALUE",
            help="any other field of the network, such as pool=max, rates=6,12,18 or skips=1",
        ),
    ] = None,
    epochs: Annotated[int, typer.Option()] = 30,
    batch: Annotated[int, typer.Option(help="2 or more")] = 8,
    rate: Annotated[
        float | None, typer.Option(help="learning rate of the backbone; usually 0.01")
    ] = None,
    head_factor: Annotated[
        float | None, typer.Option(help="times that for the heads; usually 10")
    ] = None,
    frozen_norms: Annotated[
        bool, typer.Option("--frozen-norms", help="leave batch norms alone, for small batches")
    ] = False,
    crop: Annotated[str, typer.Option(help="HEIGHTxWIDTH; '' for the frame's size")] = "",
    whole_frames: Annotated[float, typer.Option(help="share of samples kept whole")] = 0.5,
    class_weights: Annotated[Literal["none", "sqrt", "median"], typer.Option()] = "none",
    scenes: Annotated[float, typer.Option(help="drawn scenes for each image (CamVid)")] = 0.0,
    normalisation: Annotated[
        Literal["imagenet", "half", "unit"] | None,
        typer.Option(help="half: -1..1, unit: 0..1; imagenet if not given"),
    ] = None,
    precision: Annotated[Literal["fp32", "bf16"], typer.Option()] = "fp32",
    device: Annotated[Literal["auto", "cpu", "cuda", "mps"], typer.Option()] = "auto",
    seed: Annotated[int, typer.Option()] = 1,
    balance: Annotated[
        bool, typer.Option("--balance", help="then fit class biases to mIoU: balanced.safetensors")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="one JSON line a report")] = False,
) -> int:
    """Train a network; writes best.safetensors, last.safetensors and what resuming needs to OUT."""
    recipe = _recipe(
        architecture, rate, head_factor, epochs=epochs, batch=batch, frozen_norms=frozen_norms,
        class_weights=class_weights, crop=_size(crop), whole_frames=whole_frames, scenes=scenes,
        precision=precision, seed=seed,
    )  # fmt: skip
    samples, table = _samples(data, split, validation, recipe)
    chosen = {
        "backbone": backbone, "output_stride": output_stride, "levels": levels,
        "bottleneck_channels": bottleneck, "local_dropout": local_dropout,
        "normalisation": normalisation,
    }  # fmt: skip
    given = {key: value for key, value in chosen.items() if value is not None}
    spec = _spec(architecture, {**given, **assumptions(fields, "--set")}, table)
    _run(_network(spec, init), recipe, samples, _Run(out, _device(device), as_json, balance))
    return 0


class _Run(NamedTuple):
    """Where and how a training runs, whatever it trains."""

    out: Path
    device: str
    as_json: bool
    balance: bool


def _recipe(
    architecture: str, rate: float | None, head_factor: float | None, **fields: Any
) -> Recipe:
    """Return the recipe; rates that were not given are the architecture's usual ones."""
    from pspgui.models.architectures import architecture as known_architecture
    from pspgui.training.recipe import Recipe

    usual_rate, usual_factor = known_architecture(architecture).spec.usual_rate
    return Recipe(
        learning_rate=usual_rate if rate is None else rate,
        head_factor=usual_factor if head_factor is None else head_factor, **fields,
    )  # fmt: skip


def _run(
    begun: tuple[Segmenter, str], recipe: Recipe, samples: TrainingSet, options: _Run
) -> None:
    """Train a network, or go on where it stopped; tell what comes of it and balance the best."""
    from pspgui.training.loop import Trainer

    model, started = begun
    trainer = Trainer(model, recipe, samples, options.out, options.device)
    resumed = trainer.resume()
    report = _JsonReport() if options.as_json else _BarReport(trainer.steps)
    report.say(
        f"{model.spec.title}, {len(samples.train)} images, {trainer.steps} steps, {started}"
        + (f"; resumed at step {trainer.run.step}" if resumed else "")
    )
    try:
        run = trainer.fit(report)
    finally:
        report.close()
    best = run.best if run.best >= 0 else None
    scored = "not validated" if best is None else f"best mIoU {best:.4f}"
    report.say(f"done: {scored}, weights in {printable(options.out)}", best=best)
    if options.balance:
        _balance(options.out, best is not None, samples, report)


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


def _spec(architecture: str, fields: Mapping[str, object], table: ClassTable) -> ModelSpec:
    """Return the architecture's spec with these fields; raises `AssumptionError`."""
    from pspgui.models import architectures
    from pspgui.models.checkpoints.overrides import override
    from pspgui.models.spec import SizeRule

    usual = architectures.architecture(architecture).spec.model_validate({"classes": table})
    asked = override(usual, fields)
    # From what was given alone, so that what follows from it does: rates from an output stride.
    given = {key: getattr(asked, key) for key in fields}
    spec = type(asked).model_validate({"classes": table, **given})
    if "size_rule" not in fields and spec.align_corners and usual.size_rule == SizeRule():
        # Aligned corners put cells at multiples of the stride, the last one at the image's end.
        return spec.changed(size_rule=SizeRule(multiple=spec.output_stride, offset=1))
    return spec


def _network(spec: ModelSpec, init: Path | None) -> tuple[Segmenter, str]:
    """Return the network and a clause about the weights it starts from."""
    import torch

    from pspgui.models.architectures import build_network
    from pspgui.models.checkpoints.starting import starting_tensors
    from pspgui.training.loop import start_weights

    torch.manual_seed(0)
    model = build_network(spec)
    if init is None:
        return model, "from random weights"
    tensors, sentence, digest = starting_tensors(init, model)
    start_weights(model, tensors)
    name = printable(init.name)
    model.spec = spec.changed(record={"init": name, "init_sha256": digest[:16]})
    return model, f"{name}: {sentence}"


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
