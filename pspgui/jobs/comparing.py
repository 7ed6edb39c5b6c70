"""Two models on one image: where they differ, who is right there, and what decided the first.

Jobs for a second model beside the one in use. A model's answer is renumbered by name into one
class table that holds the classes of the labels and of all models compared.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

import numpy as np

from pspgui.jobs.class_tables import Explains, Translation, extended, plain_evidence
from pspgui.jobs.messages import Job, Step, Steps, Turn
from pspgui.jobs.modelling import ModelRoom, PredictionResult, Shown, predict, retell
from pspgui.jobs.outcomes import never_failing
from pspgui.jobs.windowed import WindowPrediction
from pspgui.labels.classes import ClassTable
from pspgui.labels.differences import DifferingRegion, DifferingRegions, differing_regions
from pspgui.labels.provenance import is_model
from pspgui.labels.raster import Stamp

if TYPE_CHECKING:
    from pspgui.inference.activations import Prediction

Verdict = Literal["fixed", "broke", "neither", "unknown"]
"""What the person's labels say of a region: the first model is right, the other one is, neither;
or there are none."""
_BAND_PIXELS: Final = 1 << 22


@dataclass(frozen=True, eq=False)
class ModelReading:
    """What one model says about an image, numbered as `table`.

    labels: (H, W), every pixel a class of `table`; evidence answers in the same numbers, and is
    None where the network cannot be explained or the image was read through windows. as_labels:
    the same as labels of the image, (H, W), where that was asked for.
    """

    pixels: np.ndarray
    table: ClassTable
    prediction: Prediction | WindowPrediction
    evidence: Explains | None
    as_labels: np.ndarray | None = None

    @property
    def labels(self) -> np.ndarray:
        """(H, W) ids of `table`."""
        return self.prediction.labels


class NamedImage(NamedTuple):
    """An image to read: (H, W, 3) uint8 RGB, and what to call it."""

    pixels: np.ndarray
    name: str


@dataclass(frozen=True)
class NotCompared:
    """Why a model is not compared: what went wrong with it, and nothing else."""

    error: Exception


class Truth(NamedTuple):
    """What there is of a person's labels: (H, W) labels and provenance, and the ignore label.

    Labels are numbered as the first classes of the readings' table. They may be written meanwhile:
    whoever asks drops an answer about labels that changed.
    """

    labels: np.ndarray
    provenance: np.ndarray
    ignore: int
    classes: int


@dataclass(frozen=True)
class Support:
    """Why a model says its own class in a region and not the other's: means over its pixels.

    margin == local + pyramid + constant, in logits. by: 0 for the first model, 1 for the other.
    Parts are None for a network without a pyramid. versus: the class that the margin is over, an
    id of the readings' table: the other model's, or the runner-up where that is none of its own.
    """

    by: int
    versus: int
    margin: float
    local: float | None = None
    pyramid: float | None = None
    constant: float | None = None

    @property
    def pyramid_share(self) -> float | None:
        """The pyramid's part of the margin; above 1 where local features speak against it.

        None without a pyramid, and where the margin is not the model's own.
        """
        if self.pyramid is None or self.margin <= 0:
            return None
        return self.pyramid / self.margin


@dataclass(frozen=True)
class JudgedRegion:
    """A region in which two models differ: `found` in numbers of the readings' table.

    person: the label that the person's pixels in it mostly bear, None without any; labelled: the
    share of the region that a person labelled.
    """

    found: DifferingRegion
    verdict: Verdict
    person: int | None
    labelled: float
    support: Support | None


@dataclass(frozen=True, eq=False)
class Comparison:
    """Two readings compared.

    agreement: the share of pixels with the same class, 0..1; differs: bool, (H, W) or of every
    `regions.step`-th pixel; judged: the regions, the largest first; left_out: how many regions
    are not among them.
    """

    first: ModelReading
    other: ModelReading
    agreement: float
    differs: np.ndarray
    regions: DifferingRegions
    judged: tuple[JudgedRegion, ...]
    left_out: int


# -- reading ------------------------------------------------------------------------------------


def common_table(labels: ClassTable, models: Sequence[ClassTable]) -> ClassTable:
    """Return a table whose first classes are those of the labels, then those of the models."""
    whole = labels
    for model in models:
        whole = extended(whole, model)
    return whole


def read_beside(
    room: ModelRoom, image: NamedImage, table: ClassTable, labels: ClassTable | None = None
) -> Job:
    """Return a job for the model lane that gives the `ModelReading` of the model in a room.

    What the room holds of this very image is only numbered anew. `labels` are the classes of the
    image's labels, for `as_labels`.
    """
    shown = Shown(image.pixels, image.name, 0, table)

    def job(turn: Turn) -> Steps:
        how = retell if room.holds(shown) else predict
        result: PredictionResult = yield from how(room, shown)(turn)
        reading = ModelReading(image.pixels, table, result.prediction, result.evidence)
        return reading if labels is None else replace(reading, as_labels=labels_of(reading, labels))

    return job


def retell_beside(room: ModelRoom, image: NamedImage, table: ClassTable) -> Job:
    """Return a job that gives the `ModelReading` of what a room holds, in another numbering.

    It predicts nothing: it is cancelled where the room holds another image.
    """
    shown = Shown(image.pixels, image.name, 0, table)

    def job(turn: Turn) -> Steps:
        result: PredictionResult = yield from retell(room, shown)(turn)
        return ModelReading(image.pixels, table, result.prediction, result.evidence)

    return job


def marked(mark: object, job: Job) -> Job:
    """Return a job that gives (mark, result), so that whoever asked knows for whom it was."""

    def known(turn: Turn) -> Steps:
        return mark, (yield from job(turn))

    return known


def forgiving(job: Job) -> Job:
    """Return a job that ends with `NotCompared` where the given one fails."""
    return never_failing(job, NotCompared)


def let_go(rooms: Sequence[ModelRoom]) -> Job:
    """Return a job for the model lane that drops what rooms hold, the networks included."""

    def job(turn: Turn) -> Steps:
        yield Step("Letting go of a model")
        for room in rooms:
            room.forget()
            room.predictor = None

    return job


def agreements(first: ModelReading, others: Sequence[ModelReading]) -> Job:
    """Return a job that gives, for every other reading, the share of pixels alike, 0..1."""

    def job(turn: Turn) -> Steps:
        found = []
        for other in others:
            yield Step("Comparing the models")
            found.append(_share_alike(first.labels, other.labels))
        return tuple(found)

    return job


# -- comparing ----------------------------------------------------------------------------------


def compare(
    first: ModelReading, other: ModelReading, truth: Truth | None = None, least_px: int = 1,
    known: Comparison | None = None,
) -> Job:  # fmt: skip
    """Return a job for the files lane that gives the `Comparison` of two readings.

    Regions have `least_px` pixels at least. `known`: an earlier comparison of these very
    readings and of the same least, whose regions are only judged anew.
    """

    def job(turn: Turn) -> Steps:
        if known is not None:
            yield Step("Comparing the models")
            kept = tuple(region.support for region in known.judged)
            return _judged(known, truth, kept)
        yield Step("Comparing the models", 0.0)
        agreement = _share_alike(first.labels, other.labels)
        yield Step("Comparing the models", 0.1)
        regions = differing_regions(first.labels, other.labels, least_px)
        seen = slice(None, None, regions.step)
        differs = first.labels[seen, seen] != other.labels[seen, seen]
        differs.setflags(write=False)
        plain = Comparison(first, other, agreement, differs, regions, (), regions.left_out)
        asker = _Asker(first, other)
        supports: list[Support | None] = []
        for region in regions.regions:
            if len(supports) % 16 == 0:
                yield Step("Asking what decided", 0.2 + 0.8 * len(supports) / len(regions.regions))
                turn.check()
            supports.append(asker.ask(region, regions, turn.check))
        return _judged(plain, truth, tuple(supports))

    return job


def _share_alike(one: np.ndarray, other: np.ndarray) -> float:
    """Return the share of pixels with the same label; in bands, for maps that lie over files.

    Raises `ValueError` for shapes that differ.
    """
    if one.shape != other.shape:
        raise ValueError(f"one map is {one.shape}, the other {other.shape}")
    rows = max(1, _BAND_PIXELS // max(1, one.shape[1]))
    same = sum(
        int(np.count_nonzero(one[top : top + rows] == other[top : top + rows]))
        for top in range(0, one.shape[0], rows)
    )
    return same / max(1, one.size)


def _judged(
    found: Comparison, truth: Truth | None, supports: tuple[Support | None, ...]
) -> Comparison:
    """Return a comparison with what a person's labels say of its regions."""
    regions = found.regions
    marks = _person_marks(regions, truth)
    judged = []
    for region, support in zip(regions.regions, supports, strict=True):
        counts = marks[region.number]
        total = int(counts.sum())
        person = int(counts.argmax()) if total else None
        verdict: Verdict = "unknown"
        if person is not None:
            right = {region.one: "fixed", region.other: "broke"}
            verdict = right.get(person, "neither")  # type: ignore[assignment]
        share = min(1.0, total * regions.step**2 / region.pixels)
        judged.append(JudgedRegion(region, verdict, person, share, support))
    return Comparison(
        found.first, found.other, found.agreement, found.differs, regions, tuple(judged),
        found.left_out,
    )  # fmt: skip


def _person_marks(regions: DifferingRegions, truth: Truth | None) -> np.ndarray:
    """Return how many pixels of every region a person gave every label, (N + 1, classes)."""
    count = len(regions.regions) + 1
    if truth is None:
        return np.zeros((count, 1), np.int64)
    labels = truth.labels[:: regions.step, :: regions.step]
    provenance = truth.provenance[:: regions.step, :: regions.step]
    own = (regions.parts > 0) & ~is_model(provenance)
    own &= (labels != truth.ignore) & (labels < truth.classes)
    joint = regions.parts[own].astype(np.int64) * truth.classes + labels[own]
    return np.bincount(joint, minlength=count * truth.classes).reshape(count, truth.classes)


# -- what decided -------------------------------------------------------------------------------


class _Asker:
    """Asks one of two models why it says its own class in a region and not the other's.

    It is the first model that has a pyramid, or else the first that has evidence at all.
    """

    def __init__(self, first: ModelReading, other: ModelReading) -> None:
        self._by, self._has_pyramid = 0, False
        self._engine: Any = None
        self._translation: Translation | None = None
        for by, reading in enumerate((first, other)):
            engine, translation = plain_evidence(reading.evidence)
            pyramid = _has_pyramid(engine)
            if _is_whole(engine) and (self._engine is None or (pyramid and not self._has_pyramid)):
                self._by, self._engine, self._translation = by, engine, translation
                self._has_pyramid = pyramid

    def ask(
        self, region: DifferingRegion, regions: DifferingRegions, check: Callable[[], None]
    ) -> Support | None:
        """Return why; None without evidence.

        Of a class that the model does not know its own runner-up takes the place.
        """
        if self._engine is None:
            return None
        from pspgui.evidence.readings import PyramidEvidence, Target
        from pspgui.evidence.regions import reads_of, region_evidence, region_target

        pair = (region.one, region.other)[:: 1 if self._by == 0 else -1]
        own, versus = (self._number(label) for label in pair)
        stamp = _stamp_of(region, regions)
        if own is None or versus is None:
            own, versus = region_target(self._engine.activations, stamp)
        if versus is None:
            return None  # a network of one class
        named = versus if self._translation is None else int(self._translation.ids[versus])
        if not self._has_pyramid:
            activations = self._engine.activations
            rect, weights = reads_of(activations, stamp)
            one, other = (activations.scores[c][rect.slices] for c in (own, versus))
            margin = float(((one - other) * weights).sum(dtype=np.float64))
            return Support(self._by, named, margin)
        found = region_evidence(self._engine, stamp, Target(own, versus), check=check)
        assert isinstance(found, PyramidEvidence)
        return Support(
            self._by, named, found.logit, found.local, sum(found.level_sums.values()),
            found.constant,
        )  # fmt: skip

    def _number(self, label: int) -> int | None:
        return label if self._translation is None else self._translation.model_class(label)


def _is_whole(engine: Explains | None) -> bool:
    """Whether an engine explains the whole image, cell by cell."""
    return hasattr(engine, "activations")


def _has_pyramid(engine: Explains | None) -> bool:
    from pspgui.evidence.readings import PyramidEvidence

    return _is_whole(engine) and isinstance(engine.at((0, 0)), PyramidEvidence)  # type: ignore[union-attr]


def _stamp_of(region: DifferingRegion, regions: DifferingRegions) -> Stamp:
    """Return a region's pixels, of very large maps those that were looked at."""
    step, rect = regions.step, region.rect
    mask = np.zeros((rect.height, rect.width), bool)
    seen = mask[::step, ::step]
    top, left = rect.y0 // step, rect.x0 // step
    part = regions.parts[top : top + seen.shape[0], left : left + seen.shape[1]]
    seen[...] = part == region.number
    return Stamp(rect, mask)


def labels_of(reading: ModelReading, labels: ClassTable) -> np.ndarray:
    """Return a reading's (H, W) ids as labels of an image; classes without one become ignored."""
    found = reading.labels
    if len(reading.table) == len(labels):
        return found
    kind = np.uint8 if max(len(labels) - 1, labels.ignore) <= 255 else np.uint16
    ids = np.arange(max(len(reading.table), int(found.max(initial=0)) + 1))
    ids[len(labels) :] = labels.ignore
    result: np.ndarray = ids.astype(kind)[found]
    result.setflags(write=False)
    return result
