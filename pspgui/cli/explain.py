"""`pspgui explain`: the exact evidence behind one pixel."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pspgui.cli.options import (
    AssumeOption,
    BackendOption,
    DeviceOption,
    JsonOption,
    PrecisionOption,
    WeightsOption,
    open_predictor,
    pixel_option,
)
from pspgui.imaging import decode_image

if TYPE_CHECKING:
    from pspgui.evidence import Evidence
    from pspgui.evidence.readings import PixelEvidence, Target
    from pspgui.labels.classes import ClassTable


def explain(
    image: Annotated[Path, typer.Argument(help="image file")],
    at: Annotated[str, typer.Option(help="X,Y in image pixels")],
    class_name: Annotated[
        str | None, typer.Option("--class", help="explain the logit of this class")
    ] = None,
    versus: Annotated[
        str | None, typer.Option(help="explain the winner's margin over this class")
    ] = None,
    weights: WeightsOption = None,
    assume: AssumeOption = None,
    device: DeviceOption = "auto",
    precision: PrecisionOption = "auto",
    backend: BackendOption = "auto",
    as_json: JsonOption = False,
) -> int:
    """Split a pixel's logit, or the winner's margin, into local features, bins and a constant.

    The parts add up to the logit. Without --class and --versus: the margin over the runner-up.
    """
    from pspgui.evidence import evidence_of

    pixel = pixel_option(at)
    if class_name is not None and versus is not None:
        raise ValueError("--class and --versus exclude each other")
    pixels = decode_image(image).pixels
    height, width = pixels.shape[:2]
    if not (0 <= pixel[0] < height and 0 <= pixel[1] < width):
        raise ValueError(f"--at {at} lies outside the image of {width} x {height} pixels")
    predictor = open_predictor(weights, device, precision, assume, backend)
    evidence = evidence_of(predictor.set_image(pixels, str(image)), predictor.weights)
    if evidence is None:
        raise ValueError(
            f"{predictor.spec.title} can't be explained yet: evidence is read from PSPNets with a "
            "1x1 classifier, DeepLabV3 and dilated FCNs"
        )
    target = _target(evidence, pixel, predictor.classes, class_name, versus)
    found = evidence.at(pixel, target)
    if as_json:
        print(json.dumps(found.to_json(predictor.classes)))
    else:
        _print(found, predictor.classes)
    return 0


def _target(
    evidence: Evidence,
    pixel: tuple[int, int],
    table: ClassTable,
    class_name: str | None,
    versus: str | None,
) -> Target | None:
    from pspgui.evidence.readings import Target

    if class_name is not None:
        return Target(table.find(class_name).id)
    if versus is None:
        return None
    winner = evidence.margin_target(pixel).class_id
    other = table.find(versus)
    if other.id == winner:
        raise ValueError(f"{other.name} is the winner at this pixel; name another class")
    return Target(winner, other.id)


def _print(found: PixelEvidence, table: ClassTable) -> None:
    """Print the split for people: sums of levels first, then the bins that matter most."""
    shown = found.to_json(table)
    print(f"{shown['class']} ({shown['target']}) at {found.pixel.x},{found.pixel.y}: "
          f"{found.logit:+.4f}")  # fmt: skip
    for name, value in _sums(found):
        print(f"  {name:<14} {value:+9.4f}")
    print(f"  {'constant':<14} {found.constant:+9.4f}")
    strongest = sorted(found.sources[found.first_bin :], key=lambda s: -abs(s.value))[:6]
    if not found.grids:
        return
    print("  strongest:")
    for s in strongest:
        y0, x0, y1, x1 = s.region
        name = s.title or f"{s.level}x{s.level} row {s.row} column {s.col}"
        print(f"    {name}  {s.value:+9.4f}  pixels {x0},{y0} to {x1},{y1}")


def _sums(found: PixelEvidence) -> list[tuple[str, float]]:
    """Return what is printed first: local and levels of a pyramid, or every branch."""
    from pspgui.evidence.readings import PyramidEvidence

    if isinstance(found, PyramidEvidence):
        levels = [(f"{level}x{level}", total) for level, total in found.level_sums.items()]
        return [("local", found.local), *levels]
    return [(source.title, source.value) for source in found.sources]
