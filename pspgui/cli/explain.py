"""`pspgui explain`: the exact evidence behind one pixel."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

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
from pspgui.cli.told_evidence import Told
from pspgui.imaging import decode_image

if TYPE_CHECKING:
    from pspgui.evidence import Evidence
    from pspgui.evidence.readings import Target
    from pspgui.labels.classes import ClassTable

ReadingOption = Annotated[
    Literal["split", "ig", "ablate"],
    typer.Option(
        help="split: gates as they are; ig: integrated gradients; ablate: what the logit falls by "
        "when a source alone is silent"
    ),
]


def explain(
    image: Annotated[Path, typer.Argument(help="image file")],
    at: Annotated[str, typer.Option(help="X,Y in image pixels")],
    class_name: Annotated[
        str | None, typer.Option("--class", help="explain the logit of this class")
    ] = None,
    versus: Annotated[
        str | None, typer.Option(help="explain the winner's margin over this class")
    ] = None,
    reading: ReadingOption = "split",
    open_name: Annotated[
        str | None,
        typer.Option(
            "--open",
            help="open a source of the split into cells: local, 6x6:ROW,COLUMN, or its title",
        ),
    ] = None,
    weights: WeightsOption = None,
    assume: AssumeOption = None,
    device: DeviceOption = "auto",
    precision: PrecisionOption = "auto",
    backend: BackendOption = "auto",
    as_json: JsonOption = False,
) -> int:
    """Split a pixel's logit, or the winner's margin, into its sources and a constant.

    Of a PSPNet the sources are local features and bins, of DeepLabV3 branches, of FCN score maps.
    They add up to the logit. Without --class and --versus: the margin over the runner-up.
    """
    from pspgui.evidence import evidence_of, opened, residual
    from pspgui.evidence.naming import source_called

    pixel = pixel_option(at)
    if class_name is not None and versus is not None:
        raise ValueError("--class and --versus exclude each other")
    if open_name is not None and reading != "split":
        raise ValueError("--open goes with the split alone: leave --reading out")
    pixels = decode_image(image).pixels
    height, width = pixels.shape[:2]
    if not (0 <= pixel[0] < height and 0 <= pixel[1] < width):
        raise ValueError(f"--at {at} lies outside the image of {width} x {height} pixels")
    predictor = open_predictor(weights, device, precision, assume, backend)
    evidence = evidence_of(predictor.set_image(pixels, str(image)), predictor.weights)
    if evidence is None:
        raise ValueError(
            f"{predictor.spec.title} can't be explained yet: evidence is read from PSPNets, FCNs "
            "and DeepLabV3 with its branches"
        )
    target = _target(evidence, pixel, predictor.classes, class_name, versus)
    found, cells = evidence.at(pixel, target, reading), None
    if open_name is not None:
        cells = opened(evidence, pixel, source_called(found.sources, open_name), target)
    told = Told(found, residual(evidence, pixel, target), predictor.precision, cells)
    if as_json:
        print(json.dumps(told.to_json(predictor.classes, evidence.activations)))
    else:
        told.show(predictor.classes, evidence.activations)
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
