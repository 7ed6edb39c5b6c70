"""The export job: every image that has labels, into a folder of another program's liking."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from pspgui.durable import printable
from pspgui.formats import FORMATS, ExportItem, FormatError
from pspgui.jobs.messages import Job, Step, Steps, Turn
from pspgui.labels.classes import ClassTable

LabelsOf = Callable[[Path], np.ndarray | None]


def export_labels(
    images: Sequence[Path], labels_of: LabelsOf, destination: Path, table: ClassTable,
    format_key: str = "folder",
) -> Job:  # fmt: skip
    """Return a job that exports the images for which `labels_of` gives labels (H, W).

    `labels_of` runs on the worker and may raise ValueError for labels that cannot be read; that
    image is then left out and named. The job returns a sentence or two for the person; it fails
    with `FormatError` or `SaveError`.
    """
    kind = next(form for form in FORMATS if form.key == format_key)

    def job(turn: Turn) -> Steps:
        yield Step("Exporting", 0.0)
        unreadable: list[str] = []
        has_none = False

        def items() -> Iterator[ExportItem]:
            nonlocal has_none
            labelled = 0
            for number, image in enumerate(images):
                turn.check()
                turn.report(number / len(images), f"Exporting {printable(image.name)}")
                try:
                    labels = labels_of(image)
                except ValueError as error:
                    unreadable.append(str(error))
                    continue
                if labels is not None:
                    labelled += 1
                    yield ExportItem(image, labels)
            has_none = not labelled and not unreadable

        try:
            report = kind.export(items(), destination, table)
        except FormatError:
            if not has_none:
                raise
            raise FormatError(
                "There are no labels to export yet: paint some, or accept the prediction (Enter)."
            ) from None
        return " ".join([report.lines()[0] + ".", *_left_out(report.failed, unreadable)])

    return job


def _left_out(failed: Sequence[tuple[Path, str]], unreadable: Sequence[str]) -> list[str]:
    reasons = [*(reason for _, reason in failed), *unreadable]
    if not reasons:
        return []
    count = f"{len(reasons)} image{'s' if len(reasons) > 1 else ''}"
    return [f"{count} could not be exported; the first: {reasons[0]}"]
