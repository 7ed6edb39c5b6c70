"""Options that say how images are read, for commands that predict; see `inference.modes`."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from pspgui.durable import printable

if TYPE_CHECKING:
    from pspgui.inference.modes import CellScorer, InferenceMode

Protocol = Literal["whole", "semseg-ss", "semseg-ms", "mmseg-whole", "mmseg-slide"]
CropOption = Annotated[
    str | None,
    typer.Option("--crop", help="windows of N or HEIGHTxWIDTH pixels; none: the whole image"),
]
StrideOption = Annotated[
    str | None,
    typer.Option("--stride", help="between windows: a part of the crop, such as 2/3, or pixels"),
]
ScalesOption = Annotated[
    str | None, typer.Option("--scales", help="sizes to average over, such as 0.5,1,1.5")
]
BaseSizeOption = Annotated[
    int | None,
    typer.Option("--base-size", min=0, help="long side at scale 1; 0: the image's own"),
]
MirrorOption = Annotated[
    bool | None, typer.Option("--mirror/--no-mirror", help="also read every window mirrored")
]
BlendOption = Annotated[
    Literal["softmax", "logits"] | None,
    typer.Option("--blend", help="what is averaged where windows, scales, mirrorings meet"),
]
ShiftOption = Annotated[
    int | None,
    typer.Option("--shift", min=1, help="shift-and-stitch: N x N shifted passes a window"),
]


def chosen_mode(name: Protocol | None, **options: Any) -> InferenceMode | None:
    """Return the mode that the options name; None when it is the whole image in one pass.

    options: crop, stride, scales, base_size, mirror, blend, shift as typed, None where not given;
    with them the protocol `whole` is the start when no other is named. Raises ValueError.
    """
    from pspgui.inference.protocols import protocol

    given = {key: value for key, value in options.items() if value is not None}
    if name in (None, "whole") and not given:
        return None
    readers: dict[str, Callable[[Any], Any]] = {
        "crop": _crop, "stride": _stride, "scales": _scales, "base_size": _base_size,
    }  # fmt: skip
    fields = {k: readers[k](v) if k in readers else v for k, v in given.items()}
    return protocol(name or "whole", **fields)


def announce(
    scorer: CellScorer, shape: tuple[int, int], mode: InferenceMode, image: Path | None = None
) -> None:
    """Say on standard error what an image of this size will take, unless it is a single pass."""
    from pspgui.inference.planning import forecast

    foreseen = forecast(scorer, shape, mode)
    if foreseen.passes > 1:
        named = f"{printable(image)}: " if image else ""
        size = f"{shape[1]} × {shape[0]} pixels"
        print(f"pspgui: {named}{size}: {foreseen.text}", file=sys.stderr)


def _crop(text: str) -> tuple[int, int] | None:
    if text.lower() == "none":
        return None
    height, _, width = text.lower().partition("x")
    try:
        return int(height), int(width or height)
    except ValueError as error:
        raise ValueError(f"--crop {text} is not N, HEIGHTxWIDTH or none") from error


def _stride(text: str) -> float | tuple[int, int]:
    height, _, width = text.lower().partition("x")
    try:
        if width or (text.isdigit() and int(text) > 1):
            return int(height), int(width or height)
        top, _, bottom = text.partition("/")
        # Divided as floats: 2/3 is then the very number that semseg multiplies the crop by.
        return float(top) / float(bottom or 1)
    except (ValueError, ZeroDivisionError) as error:
        raise ValueError(
            f"--stride {text} is not a part such as 2/3, pixels, or HEIGHTxWIDTH"
        ) from error


def _scales(text: str) -> tuple[float, ...]:
    try:
        return tuple(float(scale) for scale in text.split(","))
    except ValueError as error:
        raise ValueError(f"--scales {text} is not a list of numbers such as 0.5,1,1.5") from error


def _base_size(size: int) -> int | None:
    return size or None
