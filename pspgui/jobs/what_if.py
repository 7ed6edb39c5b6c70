"""What-if beside the window: answers while a slider is dragged, and images that lend bins."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING

import numpy as np

from pspgui.durable import printable
from pspgui.imaging import decode_image
from pspgui.jobs.messages import Job, JobCancelled, Step, Steps, Turn

if TYPE_CHECKING:
    from pspgui.evidence.whatif import Alterable, LiveWhatIf, WhatIf, WhatIfAnswer
    from pspgui.inference.activations import Activations, Prediction
    from pspgui.jobs.class_tables import Translation
    from pspgui.jobs.modelling import ModelRoom


@dataclass(frozen=True, eq=False)
class ToldWhatIf:
    """An answer as it is shown, numbered as `Translation.reading` numbers classes.

    prediction: labels (H, W) of the labels' classes, and scores, both altered; changed_px: pixels
    of another class than before; gained (R,) pixels that every class won, negative where it lost;
    confidence: the winner's mean probability before and after; seconds that the answer took.
    """

    what: WhatIf
    prediction: Prediction
    changed_px: int
    gained: np.ndarray
    confidence: tuple[float, float]
    seconds: float = 0.0

    @property
    def pixels(self) -> int:
        """All pixels of the image."""
        return self.prediction.labels.size


class WhatIfRoom:
    """What one image's answers share; touched by the jobs of `answering` only, one at a time."""

    def __init__(self, evidence: Alterable) -> None:
        self.evidence = evidence
        self._live: LiveWhatIf | None = None

    @property
    def live(self) -> LiveWhatIf:
        """What answers, made when it is first asked for."""
        if self._live is None:
            from pspgui.evidence.whatif import LiveWhatIf

            self._live = LiveWhatIf(self.evidence)
        return self._live


@dataclass(frozen=True, eq=False)
class Answered:
    """What came of a question: whose it was, and the answer or what went wrong."""

    room: WhatIfRoom
    translation: Translation | None
    told: ToldWhatIf | None
    error: Exception | None = None


def answering(room: WhatIfRoom, what: WhatIf, translation: Translation | None) -> Job:
    """Return a job that gives an `Answered`. Numpy only: any lane.

    Some 5 to 50 ms; up to a second where stages of upsampling have to be run again. It has no
    steps, so that nothing is shown in the status bar sixty times a second.
    """

    def job(turn: Turn) -> Steps:
        yield from ()
        try:
            live = room.live
            known = room.evidence.activations
            began = perf_counter()
            found = told(live.answer(what), live.confidence, known, translation)
            found = replace(found, seconds=perf_counter() - began)
        except Exception as error:
            return Answered(room, translation, None, error)
        return Answered(room, translation, found)

    return job


def told(
    answer: WhatIfAnswer, sure: float, known: Activations, translation: Translation | None
) -> ToldWhatIf:
    """Return an answer numbered like the labels; `sure` is the confidence of nothing altered."""
    from pspgui.inference.activations import Prediction

    found = Prediction(
        answer.labels, answer.scores, known.image_shape, known.padded_shape,
        known.align_corners, known.stamp, 0.0, known.reduction,
    )  # fmt: skip
    moved = answer.moved
    if translation is not None:
        found = translation.prediction(found)
        classes = len(translation.reading)
        renamed = np.zeros((classes, classes), moved.dtype)
        np.add.at(renamed, (translation.ids[:, None], translation.ids[None]), moved)
        moved = renamed
    gained = moved.sum(axis=0) - moved.sum(axis=1)
    changed = int(moved.sum() - np.trace(moved))
    return ToldWhatIf(answer.what, found, changed, gained, (sure, answer.confidence))


@dataclass(frozen=True, eq=False)
class Lent:
    """An image that lends its bins, or the error that kept it from being read."""

    image: Path
    activations: Activations | None
    error: Exception | None = None


def lend(room: ModelRoom, image: Path) -> Job:
    """Return a job of the model lane that runs the model on an image and gives what it lends."""

    def job(turn: Turn) -> Steps:
        from pspgui.evidence.whatif import lendable
        from pspgui.inference.errors import Cancelled

        yield Step(f"Reading {printable(image.name)} to borrow its bins", 0.0)
        try:
            pixels = decode_image(image).pixels
            yield Step(f"Reading {printable(image.name)} to borrow its bins", 0.1)
            predictor = room.ready
            found = predictor.set_image(pixels, str(image), turn.report, turn.cancelled)
        except Cancelled as stopped:
            raise JobCancelled from stopped
        except Exception as error:
            return Lent(image, None, error)
        return Lent(image, lendable(found, predictor.weights))

    return job
