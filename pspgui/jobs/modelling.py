"""Jobs of the model lane: loading weights, predicting, and maps of another class.

torch is imported inside the jobs, so that importing this module costs nothing.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pspgui.jobs.messages import Job, JobCancelled, Step, Steps, Turn
from pspgui.labels.classes import ClassTable

if TYPE_CHECKING:
    from pspgui.evidence.psp import PSPEvidence
    from pspgui.inference.activations import Activations, Prediction
    from pspgui.inference.predictor import Predictor
    from pspgui.inference.views import LevelView


@dataclass(frozen=True)
class ModelFacts:
    """What the window tells about the model in use."""

    path: Path
    title: str
    family: str
    device: str
    precision: str
    digest: str
    table: ClassTable
    notes: tuple[str, ...] = ()
    devices: tuple[str, ...] = ("auto", "cpu")


@dataclass(frozen=True, eq=False)
class PredictionResult:
    """All the window needs of one image: prediction, strip maps, and the evidence engine."""

    prediction: Prediction
    views: tuple[LevelView, ...]
    evidence: PSPEvidence | None


class ModelRoom:
    """What the model lane keeps between jobs. Touched by jobs on that lane only."""

    def __init__(self) -> None:
        self.predictor: Predictor | None = None
        self.activations: Activations | None = None
        self.evidence: PSPEvidence | None = None


class NoModelError(RuntimeError):
    """A prediction was asked for before a model was loaded."""


@dataclass(frozen=True)
class ModelChoice:
    """Which weights to load, and where to run them ("auto" lets the machine decide).

    `remember`: whether the choice holds for later runs too.
    """

    path: Path
    device: str = "auto"
    precision: str = "auto"
    remember: bool = field(default=True, compare=False)


def load_model(room: ModelRoom, choice: ModelChoice) -> Job:
    """Return a job that loads weights and, only when all went well, makes them the model in use.

    Fails with `CheckpointError` or `DeviceError`; the model before it then stays.
    """

    def job(turn: Turn) -> Steps:
        yield Step("Starting torch")
        import torch

        from pspgui.inference.predictor import Predictor

        torch.set_num_threads(_threads())
        yield Step(f"Loading {choice.path.name}")
        predictor = Predictor.load(choice.path, choice.device, choice.precision)
        turn.check()
        room.predictor, room.activations, room.evidence = predictor, None, None
        return ModelFacts(
            choice.path, choice.path.stem, predictor.family, predictor.device,
            predictor.precision, predictor.digest, predictor.classes,
            tuple(predictor.loaded.notes), _devices(torch.cuda, torch.backends.mps),
        )  # fmt: skip

    return job


def predict(room: ModelRoom, pixels: np.ndarray, image_id: str, score_class: int) -> Job:
    """Return a job that predicts (H, W, 3) uint8 pixels and gives a `PredictionResult`."""

    def job(turn: Turn) -> Steps:
        yield Step("Predicting", 0.0)
        predictor = room.predictor
        if predictor is None:
            raise NoModelError("There is no model to predict with; open weights first.")
        from pspgui.evidence import evidence_of
        from pspgui.inference.errors import Cancelled as Stopped

        try:
            activations = predictor.set_image(pixels, image_id, turn.report, turn.cancelled)
            yield Step("Labelling every pixel", 0.9)
            prediction = predictor.predict(activations, turn.cancelled)
        except Stopped as stopped:
            raise JobCancelled from stopped
        yield Step("Drawing the pyramid", 0.95)
        room.activations = activations
        room.evidence = evidence_of(activations, predictor.weights)
        views = _views(activations, room.evidence, score_class)
        return PredictionResult(prediction, views, room.evidence)

    return job


def redraw_views(room: ModelRoom, score_class: int) -> Job:
    """Return a job that makes the strip's maps for another class from what is cached."""

    def job(turn: Turn) -> Steps:
        yield Step("Drawing the pyramid")
        if room.activations is None:
            raise JobCancelled
        return _views(room.activations, room.evidence, score_class)

    return job


def _views(
    activations: Activations, evidence: PSPEvidence | None, score_class: int
) -> tuple[LevelView, ...]:
    """Return the strip's maps, and last how much the pyramid decides each cell's winner."""
    from pspgui.inference.views import LevelView, pyramid_views

    views = pyramid_views(activations, score_class)
    if evidence is None:
        return views
    return (*views, LevelView("share", "Share", None, evidence.context_share()))


def _threads() -> int:
    """Return how many cores the model may use: one is left to the window where there are many."""
    cores = os.cpu_count() or 1
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else cores
    return allowed - 1 if allowed > 2 else allowed


def _devices(*accelerators: Any) -> tuple[str, ...]:
    """Return what a person can choose here: auto, cpu, and the accelerators that are there."""
    there = [module.__name__.rsplit(".", 1)[-1] for module in accelerators if module.is_available()]
    return ("auto", "cpu", *there)
