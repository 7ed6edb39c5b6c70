"""Bringing two class tables together by name, so that labels keep their meaning. numpy only.

A model may tell other classes apart than the labels of an image do. Its answers are then renumbered
into the labels' classes; what the labels have no class for is appended behind them, where
it can be named without being a label.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Protocol

import numpy as np

from pspgui.imaging.scratch import LARGE_BYTES, let_go, room_for, strips
from pspgui.labels.classes import ClassTable, ClassTableError, name_key
from pspgui.labels.raster import Stamp
from pspgui.project.class_files import (
    classes_beside,
    folder_classes_beside,
    read_classes,
    read_folder_classes,
    write_classes,
    write_folder_classes,
)

if TYPE_CHECKING:
    from pspgui.evidence.psp import LevelMeans
    from pspgui.evidence.readings import OpenedSource, PixelEvidence, Reading, Source, Target
    from pspgui.inference.activations import Prediction

Place = tuple[int, int] | Stamp
"""A pixel (y, x), or a region."""

_MOST_LABELS = 255
_NEVER = -1e4  # the logit of a class that the model does not know; no probability is left of it


class Explains(Protocol):
    """Answers for the pixels of one image; `PSPEvidence` does."""

    @property
    def readings(self) -> tuple[Reading, ...]:
        """The ways in which it can be read."""

    def at(
        self, pixel: tuple[int, int], target: Target | None = None, reading: Reading = "split",
    ) -> PixelEvidence:  # fmt: skip
        """Return the evidence of a pixel.

        Those that say so by `takes` (a `PSPEvidence`) take a baseline behind the reading.
        """


def same_classes(one: ClassTable, other: ClassTable) -> bool:
    """Say whether the labels of both mean the same, whatever the colours."""
    return [name_key(n) for n in one.names] == [name_key(n) for n in other.names]


def extended(own: ClassTable, other: ClassTable) -> ClassTable:
    """Return `own` with the classes of `other` that it lacks appended; ids of `own` stay."""
    if same_classes(own, other):
        return own
    known = own.ids_by_key()
    further = [c for c in other.classes if name_key(c.name) not in known]
    classes = [*own.classes, *(replace(c, id=len(own) + i) for i, c in enumerate(further))]
    ignore = own.ignore if own.ignore >= len(classes) else 65535
    return ClassTable(tuple(classes), ignore)


def class_called(table: ClassTable, name: str) -> int | None:
    """Return the id of the class of that name, spelt one way or another; None for no such one."""
    return table.ids_by_key().get(name_key(name))


def put_together(tables: Iterable[ClassTable]) -> ClassTable:
    """Return one table for labels of several: ids of the first stay, others follow by name.

    A table whose classes are too many for what 8 bits hold is left out: its labels are then
    refused by `renumbered` where they use such a class. Raises ValueError for no table at all.
    """
    every = dict.fromkeys(tables)
    if not every:
        raise ValueError("there is no class table")
    whole, *others = every
    for other in others:
        wider = extended(whole, other)
        whole = wider if len(wider) <= max(_MOST_LABELS, len(whole)) else whole
    return whole


def can_hold(table: ClassTable, labels: np.ndarray | None) -> bool:
    """Say whether all classes of a table can be labels in an array of this kind."""
    return len(table) <= (_MOST_LABELS if labels is None or labels.dtype == np.uint8 else 65535)


@dataclass(frozen=True)
class Translation:
    """From a model's classes to those of an image's labels; equal ones cost nothing.

    `reading` is `labels` with the model's further classes behind: the numbering of scores,
    evidence and winners. Label maps hold `labels` alone, and its ignore label elsewhere.
    """

    model: ClassTable
    labels: ClassTable

    @cached_property
    def reading(self) -> ClassTable:
        """The classes of both."""
        return extended(self.labels, self.model)

    @cached_property
    def ids(self) -> np.ndarray:
        """The id in `reading` of every class of the model, (N,) intp."""
        by_name = self.reading.ids_by_key()
        return np.array([by_name[name_key(name)] for name in self.model.names], np.intp)

    @property
    def is_identity(self) -> bool:
        """Whether both tables number the same classes alike."""
        return same_classes(self.model, self.labels)

    @property
    def shared(self) -> int:
        """How many of the labels' classes the model knows, some of them as several of its own."""
        return len(set(self.ids[self.ids < len(self.labels)].tolist()))

    def model_class(self, label: int) -> int | None:
        """Return the model's id of a class of `reading`; None if the model does not know it."""
        found = np.flatnonzero(self.ids == label)
        return int(found[0]) if len(found) else None

    @cached_property
    def merges(self) -> bool:
        """Whether some of the model's classes are one class of `reading`."""
        return len(set(self.ids.tolist())) < len(self.ids)

    def to_model(self, target: Target | None, logits: np.ndarray | None = None) -> Target | None:
        """Return a target of `reading` in the model's numbers.

        None, each place's own winner, for a class that the model does not know; of a margin over
        a class that it does not know the logit alone is left. Of the model's classes that became
        one the best by `logits` (N,) is meant, those of a place, or the first.
        """
        from pspgui.evidence.readings import Target

        def known(label: int) -> int | None:
            same = np.flatnonzero(self.ids == label)
            best = 0 if logits is None or not len(same) else int(logits[same].argmax())
            return int(same[best]) if len(same) else None

        one = None if target is None else known(target.class_id)
        if target is None or one is None:
            return None
        return Target(one, None if target.versus is None else known(target.versus))

    def margin(self, logits: np.ndarray, winner: int | None = None) -> Target:
        """Return the margin of a place's winner over the best class that is another in `reading`.

        In the model's numbers, by the logits (N,) of the place.
        """
        from pspgui.evidence.readings import Target

        best = int(logits.argmax()) if winner is None else winner
        others = np.flatnonzero(self.ids != self.ids[best])
        return Target(best, int(others[logits[others].argmax()]) if len(others) else None)

    def from_model(self, target: Target) -> Target:
        """Return a target of the model in the numbers of `reading`."""
        from pspgui.evidence.readings import Target

        one, versus = target
        return Target(int(self.ids[one]), None if versus is None else int(self.ids[versus]))

    def to_labels(self, predicted: np.ndarray) -> np.ndarray:
        """Return (H, W) labels for the model's ids; classes without a label become ignored."""
        if self.is_identity:
            return predicted
        ids = np.where(self.ids < len(self.labels), self.ids, self.labels.ignore)
        kind = np.uint8 if max(len(self.labels) - 1, self.labels.ignore) <= 255 else np.uint16
        return self._looked_up(predicted, ids.astype(kind))

    def to_reading(self, predicted: np.ndarray) -> np.ndarray:
        """Return (H, W) ids of `reading` for the model's ids."""
        kind = np.uint8 if len(self.reading) <= 256 else np.uint16
        return self._looked_up(predicted, self.ids.astype(kind))

    def prediction(self, found: Prediction) -> Prediction:
        """Return a prediction whose labels and scores are numbered like the labels."""
        if self.is_identity:
            return found
        scores = np.full((len(self.reading), *found.scores.shape[1:]), _NEVER, np.float32)
        if len(set(self.ids.tolist())) == len(self.ids):
            scores[self.ids] = found.scores
        else:  # classes that became one: it scores what the best of them does
            np.maximum.at(scores, self.ids, found.scores)
        return replace(found, labels=self.to_labels(found.labels), scores=scores)

    def evidence(self, engine: Explains | None) -> Explains | None:
        """Return what answers in the numbering of `reading`."""
        if engine is None or self.is_identity:
            return engine
        return _Translated(engine, self)

    def _looked_up(self, predicted: np.ndarray, ids: np.ndarray) -> np.ndarray:
        if predicted.nbytes < LARGE_BYTES:
            result: np.ndarray = ids[predicted]
        else:
            result = room_for(predicted.shape, ids.dtype)
            for rows in strips(predicted.shape, ids.dtype):
                result[rows] = ids[predicted[rows]]
                let_go(result)
                let_go(predicted)
        result.setflags(write=False)
        return result


class _Translated:
    """Evidence whose targets are numbered like the labels."""

    def __init__(self, engine: Explains, translation: Translation) -> None:
        self._engine, self._translation = engine, translation

    @property
    def behind(self) -> tuple[Explains, Translation]:
        """What answers in the model's own numbers, and how those become the labels'."""
        return self._engine, self._translation

    @property
    def readings(self) -> tuple[Reading, ...]:
        """The ways in which it can be read."""
        return self._engine.readings

    @property
    def whole_readings(self) -> tuple[Reading, ...]:
        """The ways of reading whole levels alone."""
        return getattr(self._engine, "whole_readings", ())

    @property
    def compares(self) -> bool:
        """Whether sources can be compared with a mean bin."""
        return getattr(self._engine, "compares", False)

    def takes(self, baseline: LevelMeans) -> bool:
        """Say whether sources can be compared with a baseline."""
        takes = getattr(self._engine, "takes", None)
        return takes is not None and bool(takes(baseline))

    def at(
        self, pixel: tuple[int, int], target: Target | None = None, reading: Reading = "split",
        baseline: LevelMeans | None = None,
    ) -> PixelEvidence:  # fmt: skip
        """Explain a class; one that the model does not know gives way to the winner."""
        own = own_target(self._engine, self._translation, pixel, target)
        found = ask(self._engine, pixel, own, reading, baseline)
        return replace(found, target=self._translation.from_model(found.target))

    def open_source(
        self, place: Place, source: Source, target: Target | None = None,
        check: Callable[[], None] = lambda: None,
    ) -> OpenedSource:  # fmt: skip
        """Open a source into cells; the target is numbered like the labels."""
        from pspgui.evidence import opened

        own = own_target(self._engine, self._translation, place, target)
        found = opened(self._engine, place, source, own, check)  # type: ignore[arg-type]
        return replace(found, target=self._translation.from_model(found.target))


def own_target(
    engine: Explains, translation: Translation, place: Place, target: Target | None
) -> Target | None:
    """Return what a target at a pixel or of a region is in the numbers of the engine.

    None for the place's own winner. Where classes of the model became one, that is settled by the
    logits of the pixel, or the region's mean ones: a class is never compared with itself. Raises
    IndexError for a place outside the image.
    """
    known = getattr(engine, "activations", None)
    if known is None or not translation.merges:
        return translation.to_model(target)
    if isinstance(place, Stamp):
        from pspgui.evidence.regions import mean_logits, region_target

        logits = mean_logits(known, place)
        return translation.to_model(target, logits) or translation.margin(
            logits, region_target(known, place).class_id
        )
    from pspgui.evidence.psp_reads import checked_pixel
    from pspgui.inference.resampling import sample

    pixel = checked_pixel(known, place)
    logits = sample(known.scores, *pixel, known.padded_shape, known.align_corners)
    return translation.to_model(target, logits) or translation.margin(logits)


def ask(
    engine: Explains, pixel: tuple[int, int], target: Target | None,
    reading: Reading = "split", baseline: LevelMeans | None = None,
) -> PixelEvidence:  # fmt: skip
    """Return the evidence of a pixel; engines hear of no more than they are asked for."""
    if baseline is not None:
        return engine.at(pixel, target, reading, baseline)  # type: ignore[call-arg]
    return engine.at(pixel, target) if reading == "split" else engine.at(pixel, target, reading)


def plain_evidence(engine: Explains | None) -> tuple[Explains | None, Translation | None]:
    """Return what answers in the model's own numbers, and the translation to the labels'.

    The translation is None where both number their classes alike. For jobs that ask more of the
    engine than `Explains` has, and translate what they send back.
    """
    return engine.behind if isinstance(engine, _Translated) else (engine, None)


def renumbered(
    labels: np.ndarray, own: ClassTable, wanted: ClassTable, name: str,
    remedy: str = "open it and export it by itself",
) -> np.ndarray:  # fmt: skip
    """Return labels (H, W) of one table with the numbers of another, matched by name.

    Raises `ClassTableError`, which names the image and the remedy, where a class in use has no
    counterpart.
    """
    if same_classes(own, wanted) and own.ignore == wanted.ignore:
        return labels
    by_name = wanted.ids_by_key()
    present = np.flatnonzero(np.bincount(labels.ravel(), minlength=len(own)))
    missing = [
        own.name_of(i) for i in present.tolist()
        if i != own.ignore and name_key(own.name_of(i)) not in by_name
    ]  # fmt: skip
    if missing:
        raise ClassTableError(
            f"{name} has labels that are not among the classes of this export "
            f"({', '.join(missing[:3])}{' …' if len(missing) > 3 else ''}); {remedy}."
        )
    kind = np.uint8 if wanted.ignore <= 255 else np.uint16
    ids = np.full(int(present[-1]) + 1, wanted.ignore, kind)
    for i in present.tolist():
        if i != own.ignore:
            ids[i] = by_name[name_key(own.name_of(i))]
    result: np.ndarray = ids[labels]
    return result


def difference_text(translation: Translation) -> str:
    """Return the sentences that tell a person how labels and model differ, and what was done."""
    labels, shared = translation.labels, translation.shared
    others = len(translation.reading) - len(labels)
    own = f"These labels keep their own {len(labels)} classes. The model knows {shared or 'none'} "
    if not others:
        return f"{own}of them, and no others."
    count = f"{others} other{'s' if others > 1 else ''}"
    return f"{own}of them and {count}; where it sees those, pixels stay unlabelled."


__all__ = [
    "Explains",
    "Translation",
    "ask",
    "can_hold",
    "class_called",
    "classes_beside",
    "difference_text",
    "extended",
    "folder_classes_beside",
    "own_target",
    "plain_evidence",
    "put_together",
    "read_classes",
    "read_folder_classes",
    "renumbered",
    "same_classes",
    "write_classes",
    "write_folder_classes",
]
