"""What is remembered of a model between runs: which weights, where, how, and read in what way."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from pspgui import places
from pspgui.gui.settings import Settings
from pspgui.inference.errors import DeviceError
from pspgui.jobs.model_choice import ModelChoice, ModelFacts


def recall(
    settings: Settings,
    weights: Path | None = None,
    device: str | None = None,
    backend: str | None = None,
    precision: str | None = None,
    reading: str | None = None,
    crop_px: int | None = None,
) -> ModelChoice:
    """Return the choice of the last run; what is given replaces it, for this run alone."""
    path = settings.weights
    if path is None or not path.is_file():
        path = places.bundled_model()
    kept_reading, kept_crop = settings.reading
    given = (weights, device, backend, precision, reading, crop_px)
    return ModelChoice(
        weights or path,
        device or settings.device,
        precision or settings.precision,
        backend or settings.backend,
        reading or kept_reading,
        crop_px or kept_crop,
        remember=all(value is None for value in given),
    )


def keep(settings: Settings, facts: ModelFacts, choice: ModelChoice) -> None:
    """Remember the model in use and what was decided for its weights."""
    settings.weights = None if facts.path == places.bundled_model() else facts.path
    settings.device = choice.device
    settings.backend, settings.precision = choice.backend, choice.precision
    settings.reading = choice.reading, choice.crop_px
    settings.remember_overrides(facts.digest, choice.overrides or {})


def fall_back(asked: ModelChoice, error: Exception) -> tuple[ModelChoice, str]:
    """Return what to load where what was remembered is there no more, and a sentence on it."""
    if isinstance(error, DeviceError) and asked.path != places.bundled_model():
        # Such as a graphics card or a backend that is gone: the weights are still there.
        choice = replace(asked, device="auto", backend="auto", precision="auto", remember=False)
        return choice, f"{asked.path.stem} runs as this machine can instead."
    return ModelChoice(places.bundled_model(), remember=False), "The bundled model is used instead."
