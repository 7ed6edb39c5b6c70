"""The export job: every image that has labels, into a folder of another program's liking."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pspgui.durable import printable
from pspgui.jobs.class_tables import put_together, read_classes, renumbered
from pspgui.jobs.messages import Job, Step, Steps, Turn
from pspgui.labels.classes import ClassTable
from pspgui.project import LabelStore

if TYPE_CHECKING:
    from pspgui.formats import ExportItem

LabelsOf = Callable[[Path], np.ndarray | None]
TableOf = Callable[[Callable[[], None]], ClassTable]


class LabelSource:
    """The labels of images with the classes they were made with, in one numbering.

    unsaved: labels (H, W) and their classes that count more than files; usual: the classes of
    labels whose own nobody kept; known: classes that count more than what a file tells. Any
    thread; `table` comes before `labels_of`.
    """

    def __init__(
        self, store: LabelStore, unsaved: Mapping[Path, tuple[np.ndarray, ClassTable | None]],
        usual: ClassTable, known: Mapping[Path, ClassTable] | None = None,
    ) -> None:  # fmt: skip
        self._store, self._unsaved, self._usual = store, unsaved, usual
        self._known = known or {}
        self._wanted = usual

    def table(self, images: Iterable[Path], check: Callable[[], None]) -> ClassTable:
        """Return, and use from now on, the classes of all labels; `check` may raise to stop."""
        found: dict[ClassTable, None] = {}
        for image in images:
            check()
            try:
                own = self._classes_of(image)
            except ValueError:
                continue  # told when its labels are asked for
            if own is not None:
                found[own] = None
        self._wanted = put_together(found or (self._usual,))
        return self._wanted

    def labels_of(self, image: Path) -> np.ndarray | None:
        """Return labels in the numbers of `table`; None where there are none.

        Raises ValueError for labels or classes that cannot be read.
        """
        own = self._classes_of(image)
        if own is None:
            return None
        if image in self._unsaved:
            labels = self._unsaved[image][0]
        else:
            stored = self._store.load(image)
            if stored is None:
                return None
            labels = stored.labels
        return renumbered(labels, own, self._wanted, printable(image.name))

    def _classes_of(self, image: Path) -> ClassTable | None:
        """Return the classes of an image's labels; None where there are no labels."""
        if image in self._known:
            return self._known[image]
        if image in self._unsaved:
            return self._unsaved[image][1] or self._usual
        path = self._store.path_for(image)
        return (read_classes(path) or self._usual) if path.is_file() else None


def export_labels(
    images: Sequence[Path], labels_of: LabelsOf, destination: Path,
    table: ClassTable | TableOf, format_key: str = "folder",
) -> Job:  # fmt: skip
    """Return a job that exports the images for which `labels_of` gives labels (H, W).

    `labels_of` runs on the worker and may raise ValueError for labels that cannot be read; that
    image is then left out and named. A `table` that can be called is called first, on the worker,
    with what it should call now and then to be cancelled at. The job returns a sentence or two for
    the person; it fails with `FormatError` or `SaveError`.
    """

    def job(turn: Turn) -> Steps:
        yield Step("Exporting", 0.0)
        # Here, for importing every format takes longer than all else the window needs of ours.
        from pspgui.formats import FORMATS, ExportItem, FormatError

        kind = next(form for form in FORMATS if form.key == format_key)
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
            classes = table if isinstance(table, ClassTable) else table(turn.check)
            report = kind.export(items(), destination, classes)
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
