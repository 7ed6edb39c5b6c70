"""`pspgui explain --report`: what one image's pins say, as a page, a PDF or a picture."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pspgui.cli.explaining import Asking, evidence_from
from pspgui.durable import printable

if TYPE_CHECKING:
    from pspgui.inference.predictor import Predictor


def explain_report(
    asking: Asking, pixels: np.ndarray, predictor: Predictor, out: Path,
    options: Mapping[str, Any],
) -> int:  # fmt: skip
    """Write the report and say where; `options` are those that named the model."""
    from pspgui.reports.contents import Contents, Direct, context_of, facts_of, pins_of
    from pspgui.reports.files import write_report

    evidence = evidence_from(predictor, pixels, str(asking.image))
    known = evidence.activations
    labels = predictor.predict(known).labels
    targets = [asking.target(evidence, pixel, predictor.classes) for pixel in asking.pixels]
    pins = pins_of(Direct(evidence), asking.pixels, targets, asking.reading)
    notes = [note for note in (predictor.precision_note,) if note]
    contents = Contents(
        title=printable(asking.image.name), pixels=pixels, labels=labels,
        padded=known.padded_shape, table=predictor.classes, pins=pins,
        facts=facts_of(
            asking.image, asking.image.read_bytes(), pixels.shape[:2], predictor.spec,
            str(predictor.loaded.path), predictor.digest,
            f"{predictor.device}, {predictor.precision}", asking.reading, "zero",
        ),
        command=_command(asking, out, options), context=context_of(evidence, labels),
        spec=predictor.spec.model_dump_json(indent=1), notes=tuple(notes),
    )  # fmt: skip
    write_report(contents, out)
    print(f"{printable(out)} written")
    return 0


def _command(asking: Asking, out: Path, options: Mapping[str, Any]) -> str:
    """Return the line that makes the report again."""
    words = ["pspgui", "explain", str(asking.image)]
    for y, x in asking.pixels:
        words += ["--at", f"{x},{y}"]
    named = {"--class": asking.class_name, "--versus": asking.versus, "--reading": asking.reading}
    for option, value in {**named, **options}.items():
        given = value if isinstance(value, list) else [value]
        words += [w for v in given if v not in (None, "auto", "split") for w in (option, str(v))]
    return printable(shlex.join([*words, "--report", str(out)]))
