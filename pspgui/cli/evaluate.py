"""`pspgui evaluate`: score a model on a labelled split, or on drawn scenes it never saw."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pspgui.cli.mode_options import (
    BaseSizeOption,
    BlendOption,
    CropOption,
    MirrorOption,
    Protocol,
    ScalesOption,
    ShiftOption,
    StrideOption,
    announce,
    chosen_mode,
)
from pspgui.cli.options import (
    AssumeOption,
    BackendOption,
    DeviceOption,
    JsonOption,
    PrecisionOption,
    WeightsOption,
    open_predictor,
)

if TYPE_CHECKING:
    import numpy as np

    from pspgui.inference.modes import InferenceMode
    from pspgui.inference.predictor import Predictor
    from pspgui.labels.classes import ClassTable
    from pspgui.training.datasets import Source


def evaluate(
    data: Annotated[
        Path | None, typer.Option(help="folder with images/, labels/, classes.json")
    ] = None,
    split: Annotated[str, typer.Option(help="split to score")] = "val",
    scenes: Annotated[
        int, typer.Option(min=0, help="score on this many held-out drawn scenes instead of --data")
    ] = 0,
    weights: WeightsOption = None,
    assume: AssumeOption = None,
    device: DeviceOption = "auto",
    precision: PrecisionOption = "auto",
    backend: BackendOption = "auto",
    silenced: Annotated[
        bool, typer.Option("--silenced", help="also score with every pyramid bin silenced")
    ] = False,
    protocol: Annotated[
        Protocol,
        typer.Option("--protocol", help="how images are read; the options below change it"),
    ] = "whole",
    crop: CropOption = None,
    stride: StrideOption = None,
    scales: ScalesOption = None,
    base_size: BaseSizeOption = None,
    mirror: MirrorOption = None,
    blend: BlendOption = None,
    shift: ShiftOption = None,
    as_json: JsonOption = False,
) -> int:
    """Print mIoU, pixel accuracy and mean accuracy, and both per class.

    A class absent from labels and prediction is null and left out of the means. semseg-ss and
    semseg-ms are semseg's test protocol with ADE20K's crop of 473 and base size of 512; for
    Cityscapes add --crop 713 --base-size 2048.
    """
    from pspgui.inference.protocols import PROTOCOLS
    from pspgui.models.pspnet import PSPNet
    from pspgui.training.evaluation import evaluate as score
    from pspgui.training.evaluation import pyramid_use

    mode = chosen_mode(
        protocol, crop=crop, stride=stride, scales=scales, base_size=base_size,
        mirror=mirror, blend=blend, shift=shift,
    )  # fmt: skip
    predictor = open_predictor(weights, device, precision, assume, backend)
    source = _source(data, split, scenes, predictor.classes)
    notes: dict[str, int] = {}
    predict = _labels_of(predictor) if mode is None else _labels_by(predictor, mode, notes, as_json)
    bar = _bar(len(source), as_json)
    result = score(predict, source, predictor.classes, bar)
    values: dict[str, Any] = result.to_json()
    values["protocol"] = (mode or PROTOCOLS["whole"]).to_json()
    if notes:
        values["notes"] = notes
    if silenced:
        model = predictor.loaded.model
        if not isinstance(model, PSPNet):
            raise ValueError(f"{predictor.spec.title} has no pyramid to silence")
        use = pyramid_use(model, source, predictor.classes)
        values["silenced"] = {
            "miou": round(use.miou_silenced, 6), "cells_changed": round(use.cells_changed, 6),
        }  # fmt: skip
    if as_json:
        print(json.dumps(values))
    else:
        _print(values)
    return 0


def _source(data: Path | None, split: str, scenes: int, table: ClassTable) -> Source:
    from pspgui.formats import read_dataset
    from pspgui.labels.classes import CAMVID
    from pspgui.training.datasets import HELD_OUT_SCENES, FolderSource, SceneSource

    if scenes:
        if table.names != CAMVID.names:
            raise ValueError("drawn scenes have CamVid's classes; this model has others")
        return SceneSource(scenes, (360, 480), HELD_OUT_SCENES)
    if data is None:
        raise ValueError("name a data set with --data, or a number of --scenes")
    pairs, found = read_dataset(data, split)
    if found.names != table.names:
        raise ValueError(
            f"the model tells {len(table)} classes apart ({', '.join(table.names[:4])} …) and the "
            f"data set has {len(found)} ({', '.join(found.names[:4])} …); they must be the same"
        )
    return FolderSource(pairs, found)


def _labels_of(predictor: Predictor) -> Any:
    def predict(pixels: np.ndarray) -> np.ndarray:
        return predictor.predict(predictor.set_image(pixels)).labels

    return predict


def _labels_by(
    predictor: Predictor, mode: InferenceMode, notes: dict[str, int], quiet: bool
) -> Any:
    """Return the function that reads images in a mode and counts what had to be done otherwise."""
    from pspgui.inference.running import run_mode

    announced: list[tuple[int, int]] = []

    def predict(pixels: np.ndarray) -> np.ndarray:
        if not quiet and not announced:
            announced.append((pixels.shape[0], pixels.shape[1]))
            announce(predictor, announced[0], mode)
        result = run_mode(predictor, pixels, mode)
        for note in result.notes:
            notes[note] = notes.get(note, 0) + 1
        return result.labels

    return predict


def _bar(total: int, quiet: bool) -> Any:
    if quiet:
        return None
    from tqdm import tqdm

    bar = tqdm(total=total, unit="image")

    def show(done: int, _: int) -> None:
        bar.update(done - bar.n)
        if done == total:
            bar.close()

    return show


def _print(values: dict[str, Any]) -> None:
    for note, count in values.get("notes", {}).items():
        print(f"pspgui: {count} of {values['images']} images: {note}", file=sys.stderr)
    print(f"mIoU {values['miou']:.4f}  pixel accuracy {values['pixel_accuracy']:.4f}  "
          f"mean accuracy {values['mean_accuracy']:.4f}  ({values['images']} images, "
          f"{values['seconds']:.1f} s)")  # fmt: skip
    for c in values["classes"]:
        iou, accuracy = (
            "      n/a" if c[k] is None else f"{c[k]:9.4f}" for k in ("iou", "accuracy")
        )
        print(f"  {c['name']:<14} IoU {iou}  accuracy {accuracy}  {c['pixels']:>10} px")
    if "silenced" in values:
        s = values["silenced"]
        print(f"with every bin silenced: mIoU {s['miou']:.4f}, "
              f"{s['cells_changed']:.1%} of cells change")  # fmt: skip
