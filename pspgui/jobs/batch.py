"""Predicting many images, one after another, behind everything a person asks for meanwhile.

Of each image the doubt is written down (`inference.doubt`), and, where the person asked for it, the
prediction is kept as labels to start from; never over labels that exist. A batch that was stopped
goes on where it was: images that this very model has read are passed over.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np

from pspgui.durable import SaveError, printable
from pspgui.imaging import DecodeError, decode_image
from pspgui.jobs.class_tables import Translation, write_classes
from pspgui.jobs.messages import Job, JobCancelled, Step, Steps, Turn
from pspgui.labels.classes import ClassTable
from pspgui.labels.provenance import MODEL
from pspgui.project import LabelStore
from pspgui.project.statistics import Reading, measure_labels

if TYPE_CHECKING:
    from pspgui.inference.doubt import Doubt
    from pspgui.inference.predictor import Predictor
    from pspgui.jobs.modelling import ModelRoom
    from pspgui.project.index import ProjectIndex

_MOST_TOLD = 3


class Ledger(Protocol):
    """Where is written down what a model said of images; called on the model lane."""

    def read_by(self, digest: str) -> Collection[Path]:
        """Return the images that the model with this digest has read."""

    def record(self, image: Path, doubt: Doubt, size: tuple[int, int], digest: str) -> None:
        """Keep the doubt of an image of (H, W) pixels that the model has read."""


class Kept(NamedTuple):
    """Labels that were kept for an image: the file, labels (H, W) and their classes."""

    image: Path
    file: Path
    labels: np.ndarray
    table: ClassTable


@dataclass(frozen=True)
class StartingLabels:
    """Keeps predictions as labels where there are none yet.

    is_taken(image): whether a person is at work on it, asked last thing before writing. classes(
    image): the classes that labels of its folder have, None for those of the model. kept(Kept) is
    told of every file written.
    """

    store: LabelStore
    is_taken: Callable[[Path], bool]
    classes: Callable[[Path], ClassTable | None]
    kept: Callable[[Kept], None]

    def has_labels(self, image: Path) -> bool:
        """Whether labels exist for an image, or are being made."""
        return self.store.path_for(image).exists() or self.is_taken(image)

    def keep(self, image: Path, labels: np.ndarray, model: ClassTable, name: str = "") -> bool:
        """Save labels (H, W) in the model's numbering; False where there are labels already.

        `name` is that of the model, for their provenance. Raises `SaveError`, and ValueError for
        classes that cannot be read.
        """
        table = self.classes(image) or model
        labels = Translation(model, table).to_labels(labels)
        if self.has_labels(image):
            return False
        marks = np.full(labels.shape, MODEL, np.uint8)
        palette, models = np.ascontiguousarray(table.palette()), {MODEL: name} if name else {}
        path = self.store.save(image, labels, marks, palette, models)
        write_classes(path, table)
        self.kept(Kept(image, path, labels, table))
        return True


@dataclass
class BatchReport:
    """What became of a batch: images read, passed over, with labels kept; and what failed.

    `waiting` counts images left unread, as another model is in use now.
    """

    read: int = 0
    passed_over: int = 0
    kept: int = 0
    waiting: int = 0
    failed: list[str] = field(default_factory=list)

    def text(self) -> str:
        """Return a sentence or two for the person."""
        parts = [f"The model has read {_images(self.read)}"]
        if self.kept:
            parts.append(f"kept its labels of {self.kept}")
        if self.passed_over:
            parts.append(f"passed over {self.passed_over} it had read before")
        told = (
            parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
        ) + "."
        if self.waiting:
            waits = "waits" if self.waiting == 1 else "wait"
            told += f" {_images(self.waiting)} {waits}: another model was loaded meanwhile."
        if self.failed:
            shown = "; ".join(reason.rstrip(".") for reason in self.failed[:_MOST_TOLD])
            more = len(self.failed) - _MOST_TOLD
            rest = f"; and {more} more" if more > 0 else ""
            told += f" {_images(len(self.failed))} could not be read: {shown}{rest}."
        return told


class _Reading(NamedTuple):
    doubt: Doubt
    labels: np.ndarray


def predict_images(
    room: ModelRoom,
    images: Sequence[Path],
    ledger: Ledger,
    starting: StartingLabels | None = None,
    again: bool = False,
) -> Job:
    """Return a job that reads images and gives a `BatchReport`.

    With `starting`, predictions are kept as labels where there are none. `again` reads also what
    this model has read before. An image under way is begun anew after something more urgent. The
    job ends by itself, having told so, when other weights are loaded meanwhile; it fails with
    `SaveError` when labels cannot be saved, and `NoModelError` before there is a model.
    """

    def job(turn: Turn) -> Steps:
        yield Step("Looking for images that are not read yet", None)
        predictor, report = room.ready, BatchReport()
        known = set() if again else set(ledger.read_by(predictor.digest))
        wanted = [image for image in images if image not in known or _lacks(image, starting)]
        report.passed_over = len(images) - len(wanted)
        for number, image in enumerate(wanted):
            while True:
                place = f"{number + 1} of {len(wanted)}"
                yield Step(f"Predicting {place}: {printable(image.name)}", number / len(wanted))
                if room.predictor is not predictor:
                    report.waiting = len(wanted) - number
                    return report
                if _take(room, predictor, image, ledger, starting, report, turn):
                    break
        return report

    return job


def _lacks(image: Path, starting: StartingLabels | None) -> bool:
    """Say whether labels are wanted for an image that has been read before."""
    return starting is not None and not starting.has_labels(image)


def _take(
    room: ModelRoom, predictor: Predictor, image: Path, ledger: Ledger,
    starting: StartingLabels | None, report: BatchReport, turn: Turn,
) -> bool:  # fmt: skip
    """Read one image and write down what was found; False when something more urgent came."""
    from pspgui.inference.errors import ImageTooLargeError

    try:
        pixels = decode_image(image).pixels
        reading = _read(room, predictor, pixels, turn)
    except (DecodeError, ImageTooLargeError) as error:
        report.failed.append(f"{printable(image.name)}: {error}")
        return True
    if reading is None:
        return False
    ledger.record(image, reading.doubt, reading.labels.shape, predictor.digest)
    report.read += 1
    if starting is not None:
        try:
            name = f"{predictor.spec.title} {predictor.digest[:8]}"
            report.kept += starting.keep(image, reading.labels, predictor.classes, name)
        except SaveError as error:
            raise SaveError(
                f"{str(error).rstrip('.')}. {_images(report.read)} had been read; predict "
                "again to go on from there."
            ) from error
        except ValueError as error:
            report.failed.append(f"{printable(image.name)}: {error}")
    return True


def _read(
    room: ModelRoom, predictor: Predictor, pixels: np.ndarray, turn: Turn
) -> _Reading | None:
    """Return what the model says of pixels; None when something more urgent waits."""
    from pspgui.inference.doubt import doubt_of, doubt_of_windows
    from pspgui.inference.errors import Cancelled as Stopped

    def stop() -> bool:
        return turn.cancelled() or turn.outranked()

    try:
        if room.mode is None:
            found = predictor.predict(predictor.set_image(pixels, cancelled=stop), stop)
            return _Reading(doubt_of(found), found.labels)
        from pspgui.inference.running import run_mode

        result = run_mode(predictor, pixels, room.mode, cancelled=stop, confidence=True)
        assert result.confidence is not None
        doubt = doubt_of_windows(result.labels, result.confidence, len(predictor.classes))
        return _Reading(doubt, result.labels)
    except Stopped as stopped:
        if turn.cancelled():
            raise JobCancelled from stopped
        return None


def _images(count: int) -> str:
    return f"{count} image{'' if count == 1 else 's'}"


@dataclass(frozen=True)
class IndexLedger:
    """The ledger kept in a project's index; raises `ProjectError` where it cannot be written."""

    index: ProjectIndex

    def read_by(self, digest: str) -> Collection[Path]:
        """Return the images that the model with this digest has read."""
        return self.index.predicted_by(digest)

    def record(self, image: Path, doubt: Doubt, size: tuple[int, int], digest: str) -> None:
        """Keep the doubt of an image of (H, W) pixels that the model has read."""
        self.index.record_prediction(image, *doubt, size=size, model=digest)

    def kept(self, kept: Kept) -> None:
        """Count labels that were kept; an image that nobody worked on is predicted, no more."""
        known = self.index.image_of(kept.image)
        reading = Reading(kept.labels, kept.table)
        measure_labels(self.index, kept.image, kept.file, kept.table, reading)
        if known is None or known.status in ("new", "predicted"):
            self.index.set_status((kept.image,), "predicted")
