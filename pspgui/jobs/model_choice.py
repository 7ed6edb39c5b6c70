"""Which model to load and how to run it, and what is known of the model in use. No torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pspgui.jobs.readings import has_windows, mode_of
from pspgui.labels.classes import ClassTable

if TYPE_CHECKING:
    from pspgui.inference.modes import InferenceMode
    from pspgui.models.spec import ModelSpec

DEFAULT_CROP = 473
LEAST_CROP = 129


@dataclass(frozen=True)
class ModelChoice:
    """Which weights to load, and where and how to run them ("auto" lets the machine decide).

    overrides: values for fields of the spec that the file does not tell, as `load_checkpoint`
    assumes them; None takes what is remembered for these weights. reading: one of `READINGS`, with
    square windows of `crop_px` two thirds apart where it has windows. remember: whether the choice
    holds for later runs too. samples: images that int8 may be fitted to.
    """

    path: Path
    device: str = "auto"
    precision: str = "auto"
    backend: str = "auto"
    reading: str = "whole"
    crop_px: int = DEFAULT_CROP
    overrides: Mapping[str, Any] | None = field(default=None, hash=False)
    remember: bool = field(default=True, compare=False)
    samples: tuple[Path, ...] = field(default=(), compare=False)

    @property
    def mode(self) -> InferenceMode | None:
        """How images are read; None for the whole image in one pass."""
        return mode_of(self.reading, self.crop_px)


@dataclass(frozen=True)
class ModelFacts:
    """What the window tells about the model in use.

    assumed: fields of the spec that the file does not tell; choice: what was asked for, its
    overrides included; parameters: how many numbers were learnt.
    """

    path: Path
    title: str
    family: str
    device: str
    precision: str
    digest: str
    table: ClassTable
    notes: tuple[str, ...] = ()
    devices: tuple[str, ...] = ("auto", "cpu")
    backend: str = "torch"
    backends: tuple[str, ...] = ("auto",)
    precisions: tuple[str, ...] = ("auto", "fp32", "bf16")
    parameters: int = 0
    assumed: tuple[str, ...] = ()
    spec: ModelSpec | None = field(default=None, hash=False)
    choice: ModelChoice | None = None

    @property
    def network(self) -> str:
        """The network in a few words, such as "PSPNet ResNet-50 /8"."""
        return self.title if self.spec is None else self.spec.title

    @property
    def running(self) -> str:
        """How it runs in a few words, such as "openvino int8, windows of 473 px"."""
        choice = self.choice
        if choice is None or choice.reading == "whole":
            return f"{self.backend} {self.precision}"
        side = f" of {choice.crop_px} px" if has_windows(choice.reading) else ""
        return f"{self.backend} {self.precision}, {choice.reading}{side}"
