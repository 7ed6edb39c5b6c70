"""How an image is shown to a network, and what a network must offer for it.

An `InferenceMode` says at which sizes, through which windows, mirrored or not and how finely
shifted an image is read, and how the readings are averaged. `protocols` names the field's own
choices, `running.run_mode` carries one out. Imports no torch.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Protocol

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from pspgui.inference.activations import CellScores
from pspgui.labels.classes import ClassTable

__all__ = ["CellScorer", "CellScores", "InferenceMode", "ModeResult", "ScorerSpec", "Stop"]

# Whether nobody wants the result any more.
Stop = Callable[[], bool]
Side = Annotated[int, Field(ge=1, le=1 << 16)]
Fraction = Annotated[float, Field(gt=0, le=1)]


class _SizeRule(Protocol):
    def padded(self, size: int) -> int: ...


class _Normalisation(Protocol):
    @property
    def mean(self) -> tuple[float, float, float]: ...


class ScorerSpec(Protocol):
    """What modes read of a network's spec; the mean is of RGB in 0..1."""

    @property
    def normalisation(self) -> _Normalisation: ...
    @property
    def size_rule(self) -> _SizeRule: ...
    @property
    def output_stride(self) -> int: ...


class CellScorer(Protocol):
    """One pass over one picture; all that a mode needs of a network. `Predictor` is one."""

    @property
    def classes(self) -> ClassTable: ...
    @property
    def spec(self) -> ScorerSpec: ...
    @property
    def device(self) -> str: ...

    def cell_scores(self, pixels: np.ndarray, cancelled: Stop | None = None) -> CellScores:
        """Return the logits of pixels (H, W, 3), RGB 0..255, uint8 or float32.

        Raises `Cancelled`, and `ImageTooLargeError` for what does not fit the memory.
        """
        ...


class InferenceMode(BaseModel):
    """How an image is read; frozen and JSON-able.

    scales      sizes at which it is read, whose results are averaged at its own size
    base_size   the long side at scale 1, in pixels; None: the image's own
    mirror      whether every window is also read mirrored left to right
    crop        (height, width) of the windows in pixels; None: the whole image at once
    stride      from one window to the next: a fraction of the crop, rounded up, or pixels
    pad         whether an image smaller than the crop is padded to it with the mean, half
                before and half after (semseg), rather than read as it is (mmsegmentation)
    blend       what is averaged where windows, mirrorings and scales meet
    shift       shift-and-stitch: every window is read shift x shift times, moved by a fraction of
                the output stride, which gives shift times as many cells along each side; 1: once
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = "custom"
    scales: tuple[Annotated[float, Field(gt=0, le=16)], ...] = (1.0,)
    base_size: Side | None = None
    mirror: bool = False
    crop: tuple[Side, Side] | None = None
    stride: Fraction | tuple[Side, Side] = 2 / 3
    pad: bool = False
    blend: Literal["softmax", "logits"] = "softmax"
    shift: Annotated[int, Field(ge=1, le=64)] = 1

    @field_validator("scales")
    @classmethod
    def _some_scale(cls, value: tuple[float, ...]) -> tuple[float, ...]:
        if not 1 <= len(value) <= 32:
            raise ValueError("between 1 and 32 scales are needed")
        return value

    @model_validator(mode="after")
    def _no_gaps(self) -> InferenceMode:
        if self.crop is None or not isinstance(self.stride, tuple):
            return self
        if any(s > c for s, c in zip(self.stride, self.crop, strict=True)):
            raise ValueError("a stride above the crop would leave pixels unread")
        return self

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return self.model_dump(mode="json")

    def changed(self, **fields: Any) -> InferenceMode:
        """Return a validated copy with these fields replaced."""
        return InferenceMode.model_validate({**self.model_dump(), **fields})


@dataclass(frozen=True, eq=False)
class ModeResult:
    """What a mode says of an image.

    labels: (H, W) uint8, uint16 above 255 classes; confidence: (H, W) float32 probability of the
    label, if asked for; passes: how often the network ran; notes: sentences for the user about
    what was done otherwise than asked; mode: as it was carried out; preview: a better one follows.
    """

    labels: np.ndarray
    passes: int
    seconds: float
    mode: InferenceMode
    notes: tuple[str, ...] = ()
    confidence: np.ndarray | None = None
    preview: bool = False
