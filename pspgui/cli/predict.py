"""`pspgui predict`: label maps for images, without the window."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pspgui.cli.options import (
    DeviceOption,
    JsonOption,
    PrecisionOption,
    WeightsOption,
    expand,
    open_predictor,
)
from pspgui.durable import printable, write_durably
from pspgui.imaging import decode_image, encode_labels, encode_png
from pspgui.labels.metrics import class_shares

if TYPE_CHECKING:
    from pspgui.inference.predictor import Predictor


def predict(
    paths: Annotated[list[Path], typer.Argument(help="images, or folders of images")],
    out: Annotated[Path, typer.Option(help="folder for the label maps")],
    weights: WeightsOption = None,
    device: DeviceOption = "auto",
    precision: PrecisionOption = "auto",
    overlay: Annotated[bool, typer.Option("--overlay", help="also <stem>.overlay.png")] = False,
    as_json: JsonOption = False,
) -> int:
    """Write OUT/<stem>.png, a palette PNG of class indices, for every image.

    An image that can't be read is reported and the rest are still done; the exit code is then 1.
    """
    images = expand(paths)
    predictor = open_predictor(weights, device, precision)
    targets = _targets(images, out)
    failed = 0
    for image, target in zip(images, targets, strict=True):
        try:
            line = _predict_one(predictor, image, target, overlay)
        except (ValueError, OSError) as error:
            failed += 1
            line = {"image": str(image), "error": str(error)}
        _print(line, as_json)
    if failed and not as_json:
        print(f"{failed} of {len(images)} images failed", file=sys.stderr)
    return 1 if failed else 0


def _targets(images: list[Path], out: Path) -> list[Path]:
    """Return where each label map goes; images of one stem keep their suffix to stay apart."""
    taken: set[str] = set()
    targets = []
    for image in images:
        name = image.stem if image.stem.casefold() not in taken else image.name
        number = 2
        while name.casefold() in taken:
            name, number = f"{image.name}.{number}", number + 1
        taken.add(name.casefold())
        targets.append(out / f"{name}.png")
    return targets


def _predict_one(
    predictor: Predictor, image: Path, target: Path, overlay: bool
) -> dict[str, Any]:
    if target.exists() and image.exists() and target.samefile(image):
        raise ValueError(f"{printable(image)} would be overwritten; choose another --out folder")
    decoded = decode_image(image)
    prediction = predictor.predict(predictor.set_image(decoded.pixels, str(image)))
    palette = predictor.classes.palette()
    write_durably(target, encode_labels(prediction.labels, palette))
    if overlay:
        coloured = palette[prediction.labels.astype("uint8")]
        blended = (decoded.pixels.astype("uint16") + coloured) // 2
        write_durably(target.with_suffix(".overlay.png"), encode_png(blended.astype("uint8")))
    return {
        "image": str(image),
        "mask": str(target),
        "classes": {
            name: round(share, 6)
            for name, share in class_shares(prediction.labels, predictor.classes).items()
        },
        "seconds": round(prediction.seconds, 4),
    }


def _print(line: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print(json.dumps(line), flush=True)
    elif "error" in line:
        print(f"pspgui: {line['error']}", file=sys.stderr, flush=True)
    else:
        largest = list(line["classes"].items())[:4]
        shares = ", ".join(f"{name} {share:.0%}" for name, share in largest)
        print(f"{printable(line['mask'])}  {shares}  {line['seconds']:.2f} s", flush=True)
