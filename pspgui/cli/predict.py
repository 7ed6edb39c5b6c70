"""`pspgui predict`: label maps for images, without the window."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
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
    expand,
    open_predictor,
)
from pspgui.durable import printable, write_durably
from pspgui.imaging import decode_image, encode_labels, encode_png
from pspgui.labels.metrics import class_shares

if TYPE_CHECKING:
    from pspgui.inference.activations import Prediction
    from pspgui.inference.modes import InferenceMode
    from pspgui.inference.predictor import Predictor

# What may be written for an image, by the end of its name.
_MASK, _OVERLAY, _MAPS = ".png", ".overlay.png", ".maps.npz"


def predict(
    paths: Annotated[list[Path], typer.Argument(help="images, or folders of images")],
    out: Annotated[Path, typer.Option(help="folder for the label maps")],
    weights: WeightsOption = None,
    assume: AssumeOption = None,
    device: DeviceOption = "auto",
    precision: PrecisionOption = "auto",
    backend: BackendOption = "auto",
    overlay: Annotated[bool, typer.Option("--overlay", help="also <stem>.overlay.png")] = False,
    maps: Annotated[
        bool, typer.Option("--maps", help="also <stem>.maps.npz: confidence, margin, entropy")
    ] = False,
    mode: Annotated[
        Protocol | None,
        typer.Option("--mode", help="how images are read; the options below change it"),
    ] = None,
    crop: CropOption = None,
    stride: StrideOption = None,
    scales: ScalesOption = None,
    base_size: BaseSizeOption = None,
    mirror: MirrorOption = None,
    blend: BlendOption = None,
    shift: ShiftOption = None,
    as_json: JsonOption = False,
) -> int:
    """Write OUT/<stem>.png, a palette PNG of class indices, for every image.

    An image that can't be read is reported and the rest are still done; the exit code is then 1.
    """
    reading = chosen_mode(
        mode, crop=crop, stride=stride, scales=scales, base_size=base_size, mirror=mirror,
        blend=blend, shift=shift,
    )  # fmt: skip
    if maps and reading is not None:
        raise ValueError("--maps shows one pass over the whole image; leave the mode away")
    images, refused = expand(paths)
    predictor = open_predictor(weights, device, precision, assume, backend, images)
    for folder, reason in refused.items():
        _print({"image": str(folder), "error": reason}, as_json)
    originals = {_identity(image) for image in images} - {None}
    failed = len(refused)
    kinds = [_MASK, *[_OVERLAY] * overlay, *[_MAPS] * maps]
    for image, files in zip(images, _targets(images, out, kinds), strict=True):
        try:
            _refuse_overwriting(originals, files.values())
            if reading is None:
                line = _predict_one(predictor, image, files)
            else:
                line = _read_in_mode(predictor, image, files, reading, as_json)
        except (ValueError, OSError) as error:
            failed += 1
            line = {"image": str(image), "error": _naming(image, error)}
        _print(line, as_json)
    if failed and not as_json:
        print(f"{failed} of {len(images) + len(refused)} failed", file=sys.stderr)
    return 1 if failed else 0


def _targets(images: list[Path], out: Path, kinds: list[str]) -> list[dict[str, Path]]:
    """Return the files to write for each image, by kind (the end of the name).

    Images of one stem keep their suffix to stay apart.
    """
    taken: set[str] = set()
    targets = []
    for image in images:
        name, number = image.stem, 1
        while taken & (names := {(name + kind).casefold() for kind in kinds}):
            name, number = image.name if number == 1 else f"{image.name}.{number}", number + 1
        taken |= names
        targets.append({kind: out / (name + kind) for kind in kinds})
    return targets


def _predict_one(predictor: Predictor, image: Path, files: dict[str, Path]) -> dict[str, Any]:
    from pspgui.inference.activations import reduction_note

    decoded = decode_image(image)
    prediction = predictor.predict(predictor.set_image(decoded.pixels, str(image)))
    if prediction.reduction > 1:
        print(f"pspgui: {printable(image)}: {reduction_note(prediction.reduction)}",
              file=sys.stderr)  # fmt: skip
    line = _written(predictor, image, decoded.pixels, prediction.labels, files, prediction.seconds)
    if _MAPS in files:
        write_durably(files[_MAPS], _encoded_maps(prediction))
    return line


def _read_in_mode(
    predictor: Predictor, image: Path, files: dict[str, Path], mode: InferenceMode, quiet: bool
) -> dict[str, Any]:
    from pspgui.inference.running import run_mode

    pixels = decode_image(image).pixels
    if not quiet:
        announce(predictor, pixels.shape[:2], mode, image)
    result = run_mode(predictor, pixels, mode)
    for note in result.notes:
        print(f"pspgui: {printable(image)}: {note}", file=sys.stderr)
    line = _written(predictor, image, pixels, result.labels, files, result.seconds)
    return line | {
        "protocol": result.mode.to_json(), "passes": result.passes, "notes": list(result.notes),
    }  # fmt: skip


def _written(
    predictor: Predictor,
    image: Path,
    pixels: np.ndarray,
    labels: np.ndarray,
    files: dict[str, Path],
    seconds: float,
) -> dict[str, Any]:
    """Write the label map, and the overlay where wished; return what is said of the image."""
    palette = predictor.classes.palette()
    write_durably(files[_MASK], encode_labels(labels, palette))
    if _OVERLAY in files:
        coloured = palette[labels.astype("uint8")]
        blended = (pixels.astype("uint16") + coloured) // 2
        write_durably(files[_OVERLAY], encode_png(blended.astype("uint8")))
    return {
        "image": str(image),
        "mask": str(files[_MASK]),
        "classes": {
            name: round(share, 6) for name, share in class_shares(labels, predictor.classes).items()
        },
        "seconds": round(seconds, 4),
    }


def _encoded_maps(prediction: Prediction) -> bytes:
    """Return an .npz of (H, W) float32 maps: probability, logit margin, entropy in nats."""
    from pspgui.inference.maps import confidence_map, entropy_map, margin_map

    buffer = io.BytesIO()
    np.savez_compressed(
        buffer, confidence=confidence_map(prediction), margin=margin_map(prediction),
        entropy=entropy_map(prediction),
    )  # fmt: skip
    return buffer.getvalue()


def _refuse_overwriting(originals: set[tuple[int, int] | None], files: Iterable[Path]) -> None:
    """Raise ValueError when a file to write is one of the images to read."""
    for file in files:
        if _identity(file) in originals:
            raise ValueError(
                f"{printable(file)}, an image, would be overwritten; choose another --out folder"
            )


def _identity(path: Path) -> tuple[int, int] | None:
    """Return what tells a file apart, links followed; None if it is not there."""
    try:
        status = path.stat()
    except (OSError, ValueError):
        return None
    return status.st_dev, status.st_ino


def _naming(image: Path, error: Exception) -> str:
    """Return the error's sentence, with the image's name before it unless it is there already."""
    name = printable(image.name)
    return str(error) if name in str(error) else f"{name}: {error}"


def _print(line: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print(json.dumps(line), flush=True)
    elif "error" in line:
        print(f"pspgui: {line['error']}", file=sys.stderr, flush=True)
    else:
        largest = list(line["classes"].items())[:4]
        shares = ", ".join(f"{name} {share:.0%}" for name, share in largest)
        print(f"{printable(line['mask'])}  {shares}  {line['seconds']:.2f} s", flush=True)
