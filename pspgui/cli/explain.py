"""`pspgui explain`: the exact evidence behind pixels, as text, JSON, report, table or checks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pspgui.cli.explaining import (
    Asking,
    Place,
    ReadingOption,
    evidence_from,
    read_image,
    region_option,
    tell_reduction,
)
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

if TYPE_CHECKING:
    from pspgui.evidence import Evidence
    from pspgui.inference.predictor import Predictor

ImageArgument = Annotated[Path, typer.Argument(help="image file; with --points their folder")]
AtOption = Annotated[
    list[str] | None, typer.Option("--at", help="X,Y in image pixels; may be repeated")
]
RegionOption = Annotated[
    list[str] | None,
    typer.Option("--region", help="X0,Y0,X1,Y1: a rectangle's mean; may be repeated"),
]
ClassOption = Annotated[str | None, typer.Option("--class", help="explain the logit of this class")]
VersusOption = Annotated[
    str | None,
    typer.Option(help="explain the margin over this class: of the winner, or of --class"),
]
OpenOption = Annotated[
    str | None,
    typer.Option(
        "--open",
        help="open a source of the split into cells: local, 6x6:ROW,COLUMN counted from 1 as "
        "in the window, or its title",
    ),
]
ReportOption = Annotated[
    Path | None,
    typer.Option(metavar="OUT", help="write a report: .html, .pdf, .png or .svg"),
]
PointsOption = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE.csv", help="explain many points: columns image,x,y[,class][,versus]"
    ),
]
CsvOption = Annotated[
    Path | None,
    typer.Option("--csv", metavar="OUT.csv", help="write every amount, a line each"),
]
CheckOption = Annotated[
    bool, typer.Option("--check", help="check the evidence of this model on this image")
]
PixelsOption = Annotated[
    int, typer.Option(min=1, max=100_000, help="random pixels that --check sums up")
]


def explain(
    image: ImageArgument,
    at: AtOption = None,
    region: RegionOption = None,
    class_name: ClassOption = None,
    versus: VersusOption = None,
    reading: ReadingOption = None,
    open_name: OpenOption = None,
    report: ReportOption = None,
    points: PointsOption = None,
    csv_out: CsvOption = None,
    check: CheckOption = False,
    pixels: PixelsOption = 200,
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
    Rows and columns of bins count from 1; row and col of --json are indices from 0.
    """
    places = tuple(pixel_option(text) for text in at or ())
    rects = tuple(region_option(text) for text in region or ())
    if check and reading is not None:
        raise ValueError("--check tries all readings of the model: leave --reading out")
    asking = Asking(image, places, rects, class_name, versus, reading or "split", open_name)
    _refuse_mixtures(asking, report, points, csv_out, check)
    if report is not None:
        from pspgui.reports.files import check_path

        check_path(report)

    def load() -> Predictor:
        return open_predictor(weights, device, precision, assume, backend)

    if points is not None:
        from pspgui.cli.explain_points import explain_points

        return explain_points(asking, points, csv_out, load, as_json)
    shown = read_image(asking)
    predictor = load()
    if check:
        from pspgui.cli.explain_checks import explain_checks

        return explain_checks(asking, shown, predictor, pixels, as_json)
    if report is not None:
        from pspgui.cli.explain_report import explain_report

        options = {"--weights": weights, "--assume": assume, "--device": device,
                   "--precision": precision, "--backend": backend}  # fmt: skip
        return explain_report(asking, shown, predictor, report, options)
    evidence = evidence_from(predictor, shown, str(image))
    return _tell_all(asking, evidence, predictor, csv_out, as_json)


def _tell_all(
    asking: Asking, evidence: Evidence, predictor: Predictor, csv_out: Path | None, as_json: bool
) -> int:
    """Print the evidence of every place asked for, and write the table if one is wanted."""
    tell_reduction(evidence, str(asking.image))
    for number, place in enumerate(asking.places):
        if number and not as_json:
            print()
        _tell(asking, place, evidence, predictor, as_json)
    if csv_out is not None:
        from pspgui.cli.explain_points import write_table

        write_table(csv_out, asking, evidence, predictor, as_json)
    return 0


def _refuse_mixtures(
    asking: Asking, report: Path | None, points: Path | None, csv_out: Path | None, check: bool
) -> None:
    """Raise ValueError for options that say nothing together."""
    if asking.open_name is not None and asking.reading != "split":
        raise ValueError("--open goes with the split alone: leave --reading out")
    given = {"--report": report, "--points": points, "--check": check or None}
    chosen = [name for name, value in given.items() if value is not None]
    if len(chosen) > 1:
        raise ValueError(f"{' and '.join(chosen)} exclude each other")
    if chosen and asking.open_name is not None:
        raise ValueError(f"{chosen[0]} and --open exclude each other")
    if csv_out is not None and chosen in (["--report"], ["--check"]):
        raise ValueError(f"{chosen[0]} and --csv exclude each other")
    if points is not None and asking.places:
        raise ValueError("--points names the pixels: leave --at and --region out")
    if check and (asking.class_name is not None or asking.versus is not None):
        raise ValueError(
            "--check takes the margin over the runner-up: leave --class and --versus out"
        )
    if asking.rects and check:
        raise ValueError("--region goes with reports and sums; leave --check out")
    if not asking.places and points is None and not check:
        raise ValueError("--at X,Y says which pixel to explain; --points FILE.csv names many")


def _tell(
    asking: Asking, place: Place, evidence: Evidence, predictor: Predictor, as_json: bool
) -> None:
    """Print the evidence of one pixel or region."""
    from pspgui.evidence import opened
    from pspgui.evidence.naming import source_called

    target = asking.target(evidence, place, predictor.classes)
    found, cells = asking.evidence(evidence, place, target), None
    split = asking._replace(reading="split").evidence(evidence, place, found.target)
    if asking.open_name is not None:
        source = source_called(found.sources, asking.open_name)
        cells = opened(evidence, place, source, found.target)
    told = Told(found, split.interaction, predictor.precision, cells)
    if as_json:
        print(json.dumps(told.to_json(predictor.classes, evidence.activations)))
    else:
        told.show(predictor.classes, evidence.activations)
