"""What a faster way of running a model costs: how often it says the same as fp32."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pspgui.jobs.messages import Job, JobCancelled, Step, Steps, Turn

if TYPE_CHECKING:
    from pspgui.inference.predictor import Predictor
    from pspgui.jobs.modelling import ModelRoom


@dataclass(frozen=True)
class Agreement:
    """How much of one image is labelled as plain torch in fp32 labels it, and both times.

    share: of the image's pixels; exact: whether what is in use is that reference itself.
    """

    share: float
    pixels: int
    seconds: float
    reference_seconds: float
    exact: bool = False

    @property
    def text(self) -> str:
        """The result in words."""
        if self.exact:
            return "In use is fp32 itself: nothing is lost."
        differ = round((1 - self.share) * self.pixels)
        gain = self.reference_seconds / self.seconds if self.seconds > 0 else 1.0
        pace = f"{gain:.1f} × as fast" if gain >= 1 else f"{1 / gain:.1f} × as slow"
        # Rounded down, so that a difference never reads as none.
        percent = np.floor(self.share * 1e5) / 1e3
        return (
            f"{percent:.3f} % of this image's pixels get the same label as in fp32 "
            f"({differ} differ), {pace}."
        )


def measure_agreement(room: ModelRoom, pixels: np.ndarray) -> Job:
    """Return a job that labels (H, W, 3) uint8 pixels both ways and gives an `Agreement`.

    The whole image is read at once, whatever the mode in use.
    """

    def job(turn: Turn) -> Steps:
        yield Step("Comparing with fp32")
        predictor = room.ready
        count = pixels.size // 3
        if predictor.exact:
            return Agreement(1.0, count, 0.0, 0.0, exact=True)
        from pspgui.inference.errors import Cancelled as Stopped
        from pspgui.inference.predictor import Predictor

        try:
            own = _labels(predictor, pixels, turn)
            yield Step("Comparing with fp32", 0.5)
            reference = Predictor.of(predictor.loaded, predictor.device, "fp32", backend="torch")
            exact = _labels(reference, pixels, turn)
        except Stopped as stopped:
            raise JobCancelled from stopped
        share = float((own[0] == exact[0]).mean())
        return Agreement(share, count, own[1], exact[1])

    return job


def _labels(predictor: Predictor, pixels: np.ndarray, turn: Turn) -> tuple[np.ndarray, float]:
    activations = predictor.set_image(pixels, cancelled=turn.cancelled)
    found = predictor.predict(activations, turn.cancelled)
    return found.labels, found.seconds
