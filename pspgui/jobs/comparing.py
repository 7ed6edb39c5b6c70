"""Two models on one image: where they differ, who is right there, and what decided the first.

Jobs for a second model beside the one in use. A model's answer is renumbered by name into one
class table that holds the classes of the labels and of all models compared.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

import numpy as np

from pspgui.geometry import interpolation_taps
from pspgui.jobs.class_tables import Explains, extended, plain_evidence
from pspgui.jobs.messages import Job, JobCancelled, Step, Steps, Turn
from pspgui.jobs.modelling import ModelRoom, PredictionResult, Shown, predict, retell
from pspgui.jobs.windowed import WindowPrediction
from pspgui.labels.classes import ClassTable
from pspgui.labels.differences import DifferingRegion, DifferingRegions, differing_regions
from pspgui.labels.provenance import is_model

if TYPE_CHECKING:
    from pspgui.evidence.maps import EvidenceMaps
    from pspgui.evidence.psp import PSPEvidence
    from pspgui.inference.activations import Prediction

Verdict = Literal["fixed", "broke", "neither", "unknown"]
"""What the person's labels say of a region: the first model is right, the other one is, neither;
or there are none."""
_SAMPLES: Final = 5
_PAIRS_KEPT: Final = 16


@dataclass(frozen=True, eq=False)
class ModelReading:
    """What one model says about an image, numbered as `table`.

    labels: (H, W), every pixel a class of `table`; evidence answers in the same numbers, and is
    None where the network cannot be explained or the image was read through windows.
    """

    pixels: np.ndarray
    table: ClassTable
    prediction: Prediction | WindowPrediction
    evidence: Explains | None

    @property
    def labels(self) -> np.ndarray:
        """(H, W) ids of `table`."""
        return self.prediction.labels


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
    Parts are None for a network without a pyramid. pixels: over how many the mean is; all of the
    region where that is None.
    """

    by: int
    margin: float
    local: float | None = None
    pyramid: float | None = None
    constant: float | None = None
    pixels: int | None = None

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

    agreement: the share of pixels with the same class, 0..1; differs: (H, W) bool; judged: the
    regions, the largest first; left_out: how many regions are not among them.
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


def read_beside(room: ModelRoom, pixels: np.ndarray, image_id: str, table: ClassTable) -> Job:
    """Return a job for the model lane that gives the `ModelReading` of the model in a room.

    What the room holds of this very image is only numbered anew. It gives `NotCompared` for
    whatever goes wrong, so that it can be told which model is meant.
    """
    shown = Shown(pixels, image_id, 0, table)

    def job(turn: Turn) -> Steps:
        how = retell if room.holds(shown) else predict
        result: PredictionResult = yield from how(room, shown)(turn)
        return ModelReading(pixels, table, result.prediction, result.evidence)

    return forgiving(job)


def retell_beside(room: ModelRoom, pixels: np.ndarray, image_id: str, table: ClassTable) -> Job:
    """Return a job that gives the `ModelReading` of what a room holds, in another numbering.

    It predicts nothing: it is cancelled where the room holds another image.
    """
    shown = Shown(pixels, image_id, 0, table)

    def job(turn: Turn) -> Steps:
        result: PredictionResult = yield from retell(room, shown)(turn)
        return ModelReading(pixels, table, result.prediction, result.evidence)

    return job


def forgiving(job: Job) -> Job:
    """Return a job that ends with `NotCompared` where the given one fails."""

    def forgiven(turn: Turn) -> Steps:
        try:
            return (yield from job(turn))
        except JobCancelled:
            raise
        except Exception as error:
            return NotCompared(error)

    return forgiven


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
            same = np.count_nonzero(first.labels == other.labels)
            found.append(same / max(1, first.labels.size))
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
        differs = first.labels != other.labels
        differs.setflags(write=False)
        agreement = 1 - np.count_nonzero(differs) / max(1, differs.size)
        yield Step("Comparing the models", 0.1)
        regions = differing_regions(first.labels, other.labels, least_px)
        plain = Comparison(first, other, agreement, differs, regions, (), regions.left_out)
        read = _reader(first, other)
        supports: list[Support | None] = []
        for region in regions.regions:
            if len(supports) % 16 == 0:
                yield Step("Asking what decided", 0.2 + 0.8 * len(supports) / len(regions.regions))
                turn.check()
            supports.append(read(region, regions))
        return _judged(plain, truth, tuple(supports))

    return job


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

_Reader = Callable[[DifferingRegion, DifferingRegions], Support | None]


def _reader(first: ModelReading, other: ModelReading) -> _Reader:
    """Return what tells why a region is as it is: by the first model that has a pyramid."""
    from pspgui.evidence.psp import PSPEvidence

    readings = (first, other)
    for by, reading in enumerate(readings):
        engine = plain_evidence(reading.evidence)[0]
        if isinstance(engine, PSPEvidence):
            return _PyramidReader(by, reading, engine)
    for by, reading in enumerate(readings):
        if reading.evidence is not None:
            return _SampleReader(by, reading.evidence)
    return lambda _region, _regions: None


class _PyramidReader:
    """Sums a PSPNet's margin and its parts over all pixels of a region, exactly.

    Pixels are interpolated from cells, so the sum over a region is one over cells, each with what
    the region's pixels read of it.
    """

    def __init__(self, by: int, reading: ModelReading, engine: PSPEvidence) -> None:
        from pspgui.evidence.maps import LevelStack

        self._by, self._known = by, engine.activations
        self._translation = plain_evidence(reading.evidence)[1]
        stack = LevelStack(engine)
        self._maps = lru_cache(maxsize=_PAIRS_KEPT)(lambda pair: self._maps_of(stack, pair))

    def _maps_of(self, stack: Any, pair: tuple[int, int]) -> EvidenceMaps:
        from pspgui.evidence.readings import Target

        found: EvidenceMaps = stack.maps(Target(*pair))
        return found

    def __call__(self, region: DifferingRegion, regions: DifferingRegions) -> Support | None:
        pair = (region.one, region.other)[:: 1 if self._by == 0 else -1]
        if self._translation is not None:
            known = tuple(self._translation.model_class(label) for label in pair)
            if None in known:
                return None  # the model does not know the other's class
            pair = known  # type: ignore[assignment]
        weights, (rows, columns) = self._weights(region, regions)
        maps = self._maps(pair)

        def mean(values: np.ndarray) -> float:
            return float((weights * values[rows, columns]).sum(dtype=np.float64))

        pyramid = sum(mean(level) for level in maps.levels.values())
        return Support(
            self._by, mean(maps.logit), mean(maps.local), pyramid, mean(maps.constant)
        )

    def _weights(
        self, region: DifferingRegion, regions: DifferingRegions
    ) -> tuple[np.ndarray, tuple[slice, slice]]:
        """Return what the region's mean pixel reads of cells, (h, w), and which cells they are."""
        mask, (ys, xs) = _cut(region, regions)
        known = self._known
        down, rows = _reads(ys, known.padded_shape[0], known.grid[0], known.align_corners)
        across, columns = _reads(xs, known.padded_shape[1], known.grid[1], known.align_corners)
        weights = down.T @ mask.astype(np.float32) @ across
        return weights / np.count_nonzero(mask), (rows, columns)


def _reads(
    positions: np.ndarray, padded: int, cells: int, align_corners: bool
) -> tuple[np.ndarray, slice]:
    """Return what pixels of one axis read of cells, (n, m) float32, and which m cells these are."""
    low, high, weight = interpolation_taps(positions, padded, cells, align_corners)
    first, beyond = int(low[0]), int(high[-1]) + 1
    found = np.zeros((len(positions), beyond - first), np.float32)
    at = np.arange(len(positions))
    np.add.at(found, (at, low - first), 1 - weight)
    np.add.at(found, (at, high - first), weight)
    return found, slice(first, beyond)


class _SampleReader:
    """Asks the evidence of a few pixels of a region, spread evenly over it."""

    def __init__(self, by: int, engine: Explains) -> None:
        self._by, self._engine = by, engine

    def __call__(self, region: DifferingRegion, regions: DifferingRegions) -> Support | None:
        from pspgui.evidence.readings import Target

        pair = (region.one, region.other)[:: 1 if self._by == 0 else -1]
        found = [self._engine.at(pixel, Target(*pair)) for pixel in _spread(region, regions)]
        if any(e.target != Target(*pair) for e in found):
            return None  # a class that the model does not know gave way to its winner
        margin = float(np.mean([e.logit for e in found]))
        sums = [getattr(e, "level_sums", None) for e in found]
        if any(s is None for s in sums):
            return Support(self._by, margin, pixels=len(found))
        return Support(
            self._by, margin, float(np.mean([e.local for e in found])),  # type: ignore[attr-defined]
            float(np.mean([sum(s.values()) for s in sums if s is not None])),
            float(np.mean([e.constant for e in found])), len(found),
        )  # fmt: skip


def _spread(region: DifferingRegion, regions: DifferingRegions) -> list[tuple[int, int]]:
    """Return a few pixels (y, x) of a region, the deepest first."""
    mask, (ys, xs) = _cut(region, regions)
    rows, columns = np.nonzero(mask)
    count = min(len(rows), _SAMPLES - 1)
    picked = np.linspace(0, len(rows) - 1, count + 2).astype(int)[1:-1].tolist()
    return [region.deepest, *((int(ys[rows[i]]), int(xs[columns[i]])) for i in picked)]


def _cut(
    region: DifferingRegion, regions: DifferingRegions
) -> tuple[np.ndarray, tuple[np.ndarray, np.ndarray]]:
    """Return a region's mask, (n, m) bool, and the rows and columns of the image it stands for."""
    step, rect = regions.step, region.rect
    ys, xs = np.arange(rect.y0, rect.y1, step), np.arange(rect.x0, rect.x1, step)
    top, left = rect.y0 // step, rect.x0 // step
    mask = regions.parts[top : top + len(ys), left : left + len(xs)] == region.number
    return mask, (ys, xs)


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
