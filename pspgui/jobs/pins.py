"""Explaining the pins of an image beside the window: pixels and regions, each or by one target."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from pspgui.geometry import Pixel, Rect
from pspgui.jobs.class_tables import Explains, ask, own_target, plain_evidence
from pspgui.jobs.messages import Job, Step, Steps, Turn
from pspgui.jobs.windowed import WindowEvidence, moved_evidence
from pspgui.labels.raster import Stamp

if TYPE_CHECKING:
    from pspgui.evidence.psp import LevelMeans
    from pspgui.evidence.readings import PixelEvidence, Reading, Target
    from pspgui.evidence.regions import RegionEvidence
    from pspgui.inference.activations import Prediction
    from pspgui.jobs.windowed import WindowPrediction

_BATCH_VALUES = 1 << 22


class PinPlace(NamedTuple):
    """A pixel, or a region with the pixel that stands for it."""

    pixel: Pixel
    region: Stamp | None


class PinQuestion(NamedTuple):
    """What is asked of every pin.

    `target` is that of the evidence panel, None for each pin's own winner; `common` one for all
    pins, to compare them by, or None for `target` again.
    """

    target: Target | None
    common: Target | None
    reading: Reading
    baseline: LevelMeans | None


class PinAnswer(NamedTuple):
    """What is known of a pin: nothing where it lies outside the window that is explained.

    `sureness` is the (mean) probability of the class of `own`; None if nobody knows it.
    """

    own: PixelEvidence | None = None
    compared: PixelEvidence | None = None
    sureness: float | None = None


def explain_pins(
    engine: Explains | None,
    prediction: Prediction | WindowPrediction | None,
    places: Sequence[PinPlace],
    question: PinQuestion,
) -> Job:
    """Return a job that gives a tuple of `PinAnswer`, one a place."""

    def job(turn: Turn) -> Steps:
        found = []
        for place in places:
            yield Step("Explaining the pins")
            found.append(_answer(engine, prediction, place, question, turn.check))
        return tuple(found)

    return job


def _answer(
    engine: Explains | None,
    prediction: Prediction | WindowPrediction | None,
    place: PinPlace,
    question: PinQuestion,
    check: Callable[[], None],
) -> PinAnswer:
    if engine is None:
        return PinAnswer()
    own = explain_place(engine, place, question, question.target, check)
    if own is None:
        return PinAnswer()
    compared: PixelEvidence | None = own
    if question.common is not None and question.common != own.target:
        compared = explain_place(engine, place, question, question.common, check)
    sure = None
    if prediction is not None:
        within = _within(engine, place)
        sure = sureness(prediction, within, own.target.class_id)
    return PinAnswer(own, compared, sure)


def _within(engine: Explains, place: PinPlace) -> PinPlace:
    """Return what an engine explains of a place, in pixels of the image."""
    if place.region is None or not isinstance(engine, WindowEvidence):
        return place
    rect, mask = engine.part_of(place.region)
    return place._replace(region=Stamp(rect.moved(engine.frame.y0, engine.frame.x0), mask))


def explain_place(
    engine: Explains,
    place: PinPlace,
    question: PinQuestion,
    target: Target | None,
    check: Callable[[], None] = lambda: None,
) -> PixelEvidence | None:
    """Return the evidence of a pixel or region; None where the engine has none for it.

    An engine that explains one window has none for a place whose pixel lies elsewhere, and of a
    region that reaches beyond the window it explains the pixels within: what is shown there is a
    mean of several windows' probabilities, which no sum of logits makes up. Targets are numbered
    as the engine numbers them.
    """
    if isinstance(engine, WindowEvidence) and not engine.covers(place.pixel):
        return None
    if place.region is None:
        return ask(engine, place.pixel, target, question.reading, question.baseline)
    return _explain_region(engine, place.region, question, target, check)


def _explain_region(
    engine: Explains,
    region: Stamp,
    question: PinQuestion,
    target: Target | None,
    check: Callable[[], None],
) -> RegionEvidence | None:
    from pspgui.evidence import PSPEvidence
    from pspgui.evidence.parts import CellsEvidence
    from pspgui.evidence.regions import region_evidence

    if isinstance(engine, WindowEvidence):
        inner = engine.part_of(region)
        if not inner.mask.any():
            return None
        found = _explain_region(engine.engine, inner, question, target, check)
        if found is None:
            return None
        left_out = int(np.count_nonzero(region.mask)) - found.pixels
        return replace(_moved(found, engine.frame), left_out=left_out)
    plain, translation = plain_evidence(engine)
    if not isinstance(plain, PSPEvidence | CellsEvidence):
        return None
    wanted = target
    if translation is not None:
        wanted = own_target(plain, translation, region, target)
    found = region_evidence(
        plain, region, wanted, question.reading, question.baseline, check
    )
    if translation is None:
        return found
    return replace(found, target=translation.from_model(found.target))


def _moved(found: RegionEvidence, frame: Rect) -> RegionEvidence:
    """Return a window's evidence as that of the image."""
    y, x = found.pixel
    moved = moved_evidence(found, Pixel(y + frame.y0, x + frame.x0), frame.y0, frame.x0)
    return replace(moved, rect=found.rect.moved(frame.y0, frame.x0))  # type: ignore[return-value,call-arg]


def sureness(
    prediction: Prediction | WindowPrediction, place: PinPlace, label: int
) -> float | None:
    """Return the probability of a class at a pixel, or its mean over a region.

    Of an average over windows only the winner's is known: of a region the mean over the pixels
    that the class wins, None where it wins none.
    """
    region = place.region or _single(place.pixel)
    if not hasattr(prediction, "scores"):
        inside = region.mask & (prediction.winners[region.rect.slices] == label)
        known = prediction.confidence[region.rect.slices][inside]
        return float(known.mean()) if known.size else None
    from pspgui.inference.resampling import axis_taps, resample

    scores, rect = prediction.scores, region.rect
    rows, columns = (
        axis_taps(size, cells, prediction.align_corners, scores.dtype)
        for size, cells in zip(prediction.padded_shape, scores.shape[1:], strict=True)
    )
    across, total = columns.at(slice(rect.x0, rect.x1)), 0.0
    step = max(1, _BATCH_VALUES // (len(scores) * rect.width))
    for start in range(0, rect.height, step):
        band = region.mask[start : start + step]
        here = slice(rect.y0 + start, rect.y0 + start + len(band))
        logits = resample(scores, rows.at(here), across)
        weights = np.exp(logits - logits.max(axis=0))
        total += float((weights[label] / weights.sum(axis=0))[band].sum())
    return total / np.count_nonzero(region.mask)


def _single(pixel: Pixel) -> Stamp:
    return Stamp(Rect(pixel.y, pixel.x, pixel.y + 1, pixel.x + 1), np.ones((1, 1), bool))
