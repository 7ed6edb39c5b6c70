"""The export job: every image that has labels, into a folder of another program's liking."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from pspgui.durable import printable
from pspgui.imaging import decode_labels
from pspgui.jobs.class_tables import put_together, read_classes, renumbered
from pspgui.jobs.messages import Job, Step, Steps, Turn
from pspgui.jobs.opening import find_labelled
from pspgui.labels.classes import ClassTable
from pspgui.project import LabelStore, StoreError

if TYPE_CHECKING:
    from pspgui.formats import ExportItem, ExportOptions, ExportReport
    from pspgui.project.index import ProjectIndex


class MarkedLabels(NamedTuple):
    """Labels (H, W) and where each came from, (H, W) uint8; None where nobody knows."""

    labels: np.ndarray
    provenance: np.ndarray | None


MarkedLabelsOf = Callable[[Path], MarkedLabels | None]
LabelsOf = Callable[[Path], np.ndarray | None]
TableOf = Callable[[Callable[[], None]], ClassTable]


class LabelSource:
    """The labels of images with the classes they were made with, in one numbering.

    unsaved: labels (H, W) and their classes that count more than files; usual: the classes of
    labels whose own nobody kept; known: classes that count more than what a file tells; marks:
    provenance (H, W) of unsaved labels; any_size: labels of another size than their image are
    given too, instead of being refused. Any thread; `table` comes before `labels_of`.
    """

    def __init__(
        self, store: LabelStore, unsaved: Mapping[Path, tuple[np.ndarray, ClassTable | None]],
        usual: ClassTable, known: Mapping[Path, ClassTable] | None = None,
        marks: Mapping[Path, np.ndarray] | None = None, any_size: bool = False,
    ) -> None:  # fmt: skip
        self._store, self._unsaved, self._usual = store, unsaved, usual
        self._known = known or {}
        self._marks = marks or {}
        self._any_size = any_size
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
        found = self.marked_labels_of(image)
        return None if found is None else found.labels

    def marked_labels_of(self, image: Path) -> MarkedLabels | None:
        """Return labels as `labels_of` does, with where each came from."""
        own = self._classes_of(image)
        if own is None:
            return None
        if image in self._unsaved:
            labels, marks = self._unsaved[image][0], None
        else:
            found = self._stored(image)
            if found is None:
                return None
            labels, marks = found
        marks = self._marks.get(image, marks)
        return MarkedLabels(
            renumbered(labels, own, self._wanted, printable(image.name)), marks
        )  # fmt: skip

    def _stored(self, image: Path) -> tuple[np.ndarray, np.ndarray | None] | None:
        """Return stored labels and provenance, of another size than the image if that may be."""
        try:
            stored = self._store.load(image)
        except StoreError:
            if not self._any_size:
                raise
            return decode_labels(self._store.path_for(image)).labels, None
        return None if stored is None else (stored.labels, stored.provenance)

    def _classes_of(self, image: Path) -> ClassTable | None:
        """Return the classes of an image's labels; None where there are no labels."""
        if image in self._known:
            return self._known[image]
        if image in self._unsaved:
            return self._unsaved[image][1] or self._usual
        path = self._store.path_for(image)
        return (read_classes(path) or self._usual) if path.is_file() else None


class ExportRequest(NamedTuple):
    """What to export where: the form, one split's name (or None), and the further choices.

    `wanted(image)` says on the worker which images are meant, of those that have labels.
    """

    destination: Path
    key: str = "folder"
    split: str | None = None
    options: ExportOptions | None = None
    wanted: Callable[[Path], bool] | None = None


class ExportOutcome(NamedTuple):
    """What came of an export: its report, labels that could not be read, images left aside.

    `unlabelled` images have no labels, `unwanted` ones are not those that were meant.
    """

    report: ExportReport
    unreadable: tuple[str, ...]
    unlabelled: int
    unwanted: int
    seconds: float

    @property
    def failed(self) -> tuple[str, ...]:
        """Every reason for which an image was not exported."""
        return (*(reason for _, reason in self.report.failed), *self.unreadable)

    def lines(self) -> list[str]:
        """Return everything as lines of text."""
        aside = (
            (self.unlabelled, "left out, having no labels"),
            (self.unwanted, "left out, not being accepted"),
        )
        return [
            *self.report.lines(), *(f"not exported: {reason}" for reason in self.unreadable),
            *(f"{what}: {count:,}" for count, what in aside if count),
        ]  # fmt: skip

    def sentence(self) -> str:
        """Return a sentence or two for the person."""
        said = [self.report.lines()[0] + "."]
        if self.failed:
            count = f"{len(self.failed)} image{'s' if len(self.failed) > 1 else ''}"
            said.append(f"{count} could not be exported; the first: {self.failed[0]}")
        return " ".join(said)


class Exportable(NamedTuple):
    """Of some images those that have labels, and of these those that were accepted.

    `accepted` is None without a project.
    """

    labelled: tuple[Path, ...]
    accepted: frozenset[Path] | None


def find_exportable(
    images: Sequence[Path], unsaved: Collection[Path], store: LabelStore,
    index: ProjectIndex | None,
) -> Job:  # fmt: skip
    """Return a job that gives `Exportable` of images."""

    def job(turn: Turn) -> Steps:
        there = yield from find_labelled(images, store.path_for)(turn)
        labelled = tuple(image for image in images if image in there or image in unsaved)
        return Exportable(labelled, None if index is None else accepted_images(index))

    return job


def accepted_images(index: ProjectIndex) -> frozenset[Path]:
    """Return the images of a project that were accepted; any thread."""
    return frozenset(index.paths(index.select("status = ?", ("accepted",))))


def run_export(
    images: Sequence[Path], labels_of: MarkedLabelsOf, table: ClassTable | TableOf,
    request: ExportRequest,
) -> Job:  # fmt: skip
    """Return a job that exports the images for which `labels_of` gives labels.

    `labels_of` runs on the worker and may raise ValueError for labels that cannot be read; that
    image is then left out and named. A `table` that can be called is called first, on the worker,
    with what it should call now and then to be cancelled at. The job returns an `ExportOutcome`;
    it fails with `FormatError` or `SaveError`.
    """

    def job(turn: Turn) -> Steps:
        yield Step("Exporting", 0.0)
        # Here, for importing every format takes longer than all else the window needs of ours.
        from pspgui.formats import FORMATS, ExportItem, FormatError

        began = time.monotonic()
        kind = next(form for form in FORMATS if form.key == request.key)
        unreadable: list[str] = []
        aside = {"unlabelled": 0, "unwanted": 0}

        def items() -> Iterator[ExportItem]:
            for number, image in enumerate(images):
                turn.check()
                turn.report(number / len(images), f"Exporting {printable(image.name)}")
                try:
                    found = labels_of(image)
                except ValueError as error:
                    unreadable.append(str(error))
                    continue
                if found is None:
                    aside["unlabelled"] += 1
                elif request.wanted is not None and not request.wanted(image):
                    aside["unwanted"] += 1
                else:
                    yield ExportItem(image, found.labels, None, found.provenance)

        try:
            classes = table if isinstance(table, ClassTable) else table(turn.check)
            report = kind.export(
                items(), request.destination, classes, split=request.split, options=request.options
            )
        except FormatError:
            if aside["unlabelled"] + aside["unwanted"] < len(images) or unreadable:
                raise
            raise FormatError(
                "There are no labels to export yet: paint some, or accept the prediction (Enter)."
                if not aside["unwanted"]
                else "None of the labelled images was accepted yet."
            ) from None
        seconds = time.monotonic() - began
        return ExportOutcome(report, tuple(unreadable), **aside, seconds=seconds)

    return job


def export_labels(
    images: Sequence[Path], labels_of: LabelsOf, destination: Path,
    table: ClassTable | TableOf, format_key: str = "folder",
) -> Job:  # fmt: skip
    """Return a job that exports labels (H, W) as `run_export`, and returns a sentence or two."""

    def marked(image: Path) -> MarkedLabels | None:
        labels = labels_of(image)
        return None if labels is None else MarkedLabels(labels, None)

    def job(turn: Turn) -> Steps:
        request = ExportRequest(destination, format_key)
        outcome = yield from run_export(images, marked, table, request)(turn)
        return outcome.sentence()

    return job
