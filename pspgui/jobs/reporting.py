"""Writing a report of the pins of the image shown, beside the window."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pspgui.durable import printable
from pspgui.jobs.class_tables import Explains, plain_evidence
from pspgui.jobs.messages import Job, Step, Steps, Turn
from pspgui.jobs.opening_sources import opened_by
from pspgui.jobs.pins import PinPlace, PinQuestion, explain_place
from pspgui.labels.classes import ClassTable
from pspgui.labels.raster import Stamp

if TYPE_CHECKING:
    from pspgui.evidence.readings import OpenedSource, Source, Target
    from pspgui.geometry import Rect
    from pspgui.inference.activations import Prediction
    from pspgui.jobs.model_choice import ModelFacts
    from pspgui.jobs.windowed import WindowPrediction
    from pspgui.reports.contents import Context, Pin


@dataclass(frozen=True, eq=False)
class ReportWanted:
    """What a report is asked of: the image and its prediction, the pins by name, the question.

    pixels (H, W, 3) uint8; `image` is its file, None for what has none; targets are numbered as
    `table` and the engine number them.
    """

    image: Path | None
    pixels: np.ndarray
    engine: Explains
    prediction: Prediction | WindowPrediction
    table: ClassTable
    pins: tuple[tuple[str, PinPlace], ...]
    question: PinQuestion
    model: ModelFacts


def write_report_of(wanted: ReportWanted, path: Path, apart: bool = False) -> Job:
    """Return a job that writes a report and gives the sentence that it is there.

    `apart`: drawn by another process, where a window must stay quick. It fails with ValueError for
    another suffix or where no pin can be explained, and `SaveError`.
    """

    def job(turn: Turn) -> Steps:
        from pspgui.reports.apart import report_bytes_apart
        from pspgui.reports.contents import Contents, facts_of
        from pspgui.reports.files import check_path, report_bytes, write_report

        check_path(path)
        found: list[Pin] = []
        for number, (name, place) in enumerate(wanted.pins):
            yield Step("Explaining the pins", number / (len(wanted.pins) + 2))
            pin = _pin(wanted, name, place, turn)
            found += [] if pin is None else [pin]
        if not found:
            raise ValueError("No pin lies in the window that is explained: pin a pixel there.")
        yield Step("Weighing the pyramid", len(wanted.pins) / (len(wanted.pins) + 2))
        context = _context(wanted)
        yield Step("Drawing the report", (len(wanted.pins) + 1) / (len(wanted.pins) + 2))
        image, model = wanted.image, wanted.model
        contents = Contents(
            title=printable(image.name) if image else "Image without a file",
            pixels=wanted.pixels, labels=wanted.prediction.labels, table=wanted.table,
            pins=tuple(found),
            facts=facts_of(
                image or "no file", _content(image), wanted.pixels.shape[:2], model.spec,
                model.path, model.digest, f"{model.device}, {model.running}",
                wanted.question.reading, getattr(found[0].found, "baseline", "zero"),
            ),
            command=_command(wanted, path), context=context,
            spec="" if model.spec is None else model.spec.model_dump_json(indent=1),
            notes=tuple(_notes(wanted, found)),
        )  # fmt: skip
        apart_here = partial(report_bytes_apart, check=turn.check)
        write_report(contents, path, apart_here if apart else report_bytes)
        return f"The report was written to {printable(path)}."

    return job


def _pin(wanted: ReportWanted, name: str, place: PinPlace, turn: Turn) -> Pin | None:
    """Return a pin; None for one that the engine cannot explain, outside its window."""
    from pspgui.reports.contents import pin_of

    question = wanted.question
    found = explain_place(wanted.engine, place, question, question.target, turn.check)
    if found is None:
        return None
    plain = question._replace(reading="split", baseline=None)
    split = explain_place(wanted.engine, place, plain, found.target, turn.check)
    assert split is not None

    def cells(source: Source) -> OpenedSource:
        turn.check()
        return _opened(wanted.engine, place, found.target, source, turn)

    return pin_of(name, found, split, cells, place.region)


def _opened(
    engine: Explains, place: PinPlace, target: Target, source: Source, turn: Turn
) -> OpenedSource:
    """Return a source's cells with their region; an engine of a window tells it already."""
    from pspgui.reports.contents import placed

    cells = opened_by(engine, place.region or place.pixel, source, target, turn.check)
    plain, _ = plain_evidence(engine)
    known = getattr(plain, "activations", None)
    return cells if known is None else placed(cells, known)


def _context(wanted: ReportWanted) -> Context | None:
    """Return how much the pyramid decides in the whole image, where that is explained."""
    from pspgui.reports.contents import context_of

    plain, _ = plain_evidence(wanted.engine)
    return context_of(plain)


def _notes(wanted: ReportWanted, told: Sequence[Pin]) -> list[str]:
    """Return what a reader must know of windows, baselines and pins left out."""
    from pspgui.reports.contents import reduction_notes

    frame: Rect | None = getattr(wanted.engine, "frame", None)
    plain, _ = plain_evidence(wanted.engine)
    notes = list(reduction_notes(getattr(plain, "activations", None)))
    if frame is not None:
        notes.append(
            f"The prediction is an average over windows; the evidence is of the one window from "
            f"{frame.x0},{frame.y0} to {frame.x1},{frame.y1} alone, as if it were an image of its "
            "own, and the command reads the whole image in one pass."
        )
    left = len(wanted.pins) - len(told)
    if left:
        pins = "1 pin lies" if left == 1 else f"{left} pins lie"
        notes.append(f"{pins} outside that window: left out.")
    for pin in told:
        beyond = getattr(pin.found, "left_out", 0)
        if beyond:
            notes.append(
                f"{beyond} pixels of the region {pin.name} lie outside that window: left out of "
                "its mean."
            )
    if wanted.question.baseline is not None:
        notes.append("The command takes silence for its baseline.")
    if any(p.region is not None and not p.region.mask.all() for _, p in wanted.pins):
        notes.append("The command takes the rectangle around a region that is none.")
    return notes


def _content(image: Path | None) -> bytes | None:
    try:
        return None if image is None else image.read_bytes()
    except OSError:  # gone since it was opened; what was read stays on screen
        return None


def _command(wanted: ReportWanted, path: Path) -> str:
    """Return the line that makes the report again."""
    from pspgui.reports.contents import is_bundled

    words = ["pspgui", "explain", str(wanted.image or "IMAGE")]
    for _, place in wanted.pins:
        if isinstance(place.region, Stamp):
            y0, x0, y1, x1 = place.region.rect
            words += ["--region", f"{x0},{y0},{x1},{y1}"]
        else:
            words += ["--at", f"{place.pixel.x},{place.pixel.y}"]
    reading = wanted.question.reading
    words += _target_words(wanted)
    words += ["--reading", reading] if reading != "split" else []
    if not is_bundled(wanted.model.path):
        words += ["--weights", str(wanted.model.path)]
    choice = wanted.model.choice
    if choice is not None:  # how it was asked to run; what it came to is among the facts
        how = {"device": choice.device, "precision": choice.precision, "backend": choice.backend}
        words += [w for k, v in how.items() if v != "auto" for w in (f"--{k}", v)]
    return printable(shlex.join([*words, "--report", str(path)]))


def _target_words(wanted: ReportWanted) -> list[str]:
    """Return the options that name the target as the model does; none for the winner's margin."""
    target, engine = wanted.question.target, wanted.engine
    _, translation = plain_evidence(getattr(engine, "engine", engine))
    if target is not None and translation is not None:
        own = translation.to_model(target)
        target = None if own is None else translation.from_model(own)
    if target is None:
        return []
    words = ["--class", wanted.table.name_of(target.class_id)]
    return words if target.versus is None else [
        *words, "--versus", wanted.table.name_of(target.versus)
    ]
