"""`pspgui explain --report`: what one image's pins say, as a page, a PDF or a picture."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pspgui.cli.explaining import Asking, Place, evidence_from
from pspgui.cli.writing import write_and_tell
from pspgui.durable import printable
from pspgui.labels.raster import Stamp

if TYPE_CHECKING:
    from pspgui.evidence import Evidence
    from pspgui.evidence.readings import OpenedSource, Source, Target
    from pspgui.inference.predictor import Predictor
    from pspgui.reports.contents import Pin


def explain_report(
    asking: Asking, pixels: np.ndarray, predictor: Predictor, out: Path,
    options: Mapping[str, Any],
) -> int:  # fmt: skip
    """Write the report and say where; `options` are those that named the model."""
    from pspgui.reports.contents import Contents, context_of, facts_of, reduction_notes
    from pspgui.reports.files import write_report

    evidence = evidence_from(predictor, pixels, str(asking.image))
    known = evidence.activations
    labels = predictor.predict(known).labels
    pins = _pins(asking, evidence, predictor)
    notes = [note for note in (predictor.precision_note, *reduction_notes(known)) if note]
    contents = Contents(
        title=printable(asking.image.name), pixels=pixels, labels=labels,
        table=predictor.classes, pins=pins,
        facts=facts_of(
            asking.image, asking.image.read_bytes(), pixels.shape[:2], predictor.spec,
            predictor.loaded.path, predictor.digest,
            f"{predictor.device}, {predictor.precision}", asking.reading, "zero",
        ),
        command=_command(asking, out, options), context=context_of(evidence),
        spec=predictor.spec.model_dump_json(indent=1), notes=tuple(notes),
    )  # fmt: skip
    write_and_tell(out, lambda: write_report(contents, out))
    return 0


def _pins(asking: Asking, evidence: Evidence, predictor: Predictor) -> tuple[Pin, ...]:
    """Return the pins: pixels, and then regions."""
    from pspgui.evidence import opened
    from pspgui.reports.contents import pin_of, placed

    found: list[Pin] = []
    for place in asking.places:
        target = asking.target(evidence, place, predictor.classes)
        one = asking.evidence(evidence, place, target)
        split = asking._replace(reading="split").evidence(evidence, place, one.target)

        def cells(source: Source, at: Place = place, to: Target = one.target) -> OpenedSource:
            return placed(opened(evidence, at, source, to), evidence.activations)

        region = place if isinstance(place, Stamp) else None
        name = str(len(found) + 1)
        found.append(pin_of(name, one, split, cells, region))
    return tuple(found)


def _command(asking: Asking, out: Path, options: Mapping[str, Any]) -> str:
    """Return the line that makes the report again."""
    words = ["pspgui", "explain", str(asking.image)]
    for y, x in asking.pixels:
        words += ["--at", f"{x},{y}"]
    for y0, x0, y1, x1 in asking.rects:
        words += ["--region", f"{x0},{y0},{x1},{y1}"]
    named = {"--class": asking.class_name, "--versus": asking.versus, "--reading": asking.reading}
    for option, value in {**named, **options}.items():
        given = value if isinstance(value, list) else [value]
        words += [w for v in given if v not in (None, "auto", "split") for w in (option, str(v))]
    return printable(shlex.join([*words, "--report", str(out)]))
