"""Jobs of the model lane: loading weights, predicting, and what is asked of a prediction later.

torch is imported inside the jobs, so that importing this module costs nothing.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np

from pspgui.geometry import Pixel, Rect
from pspgui.imaging.scratch import ScratchError, copied, full_map
from pspgui.jobs.class_tables import Explains, Translation
from pspgui.jobs.following import Following, compare
from pspgui.jobs.messages import Job, JobCancelled, Step, Steps, Turn
from pspgui.jobs.model_choice import ModelChoice, ModelFacts
from pspgui.jobs.readings import cost
from pspgui.jobs.samples import read_samples
from pspgui.jobs.windowed import WindowEvidence, WindowPrediction, window_around
from pspgui.labels.classes import ClassTable
from pspgui.labels.label_map import LabelMap
from pspgui.labels.provenance import MODEL

if TYPE_CHECKING:
    from pspgui.evidence import Evidence
    from pspgui.inference.activations import Activations, Prediction
    from pspgui.inference.modes import InferenceMode
    from pspgui.inference.predictor import Predictor
    from pspgui.inference.views import LevelView

# A first look is taken where the whole pass lasts longer than this by the last one's rate, or,
# while no rate is known, where a CPU reads more pixels than this.
LONG_S = 1.0
LARGE_PIXELS = 1_000_000
_ASKED_AT_ONCE = ("pspgui.evidence.whatif",)  # by the window, which must not wait for imports
_BACKENDS = ("auto", "torch", "openvino")
_SMALL_PIXELS = 256 * 256  # too few to tell a rate by, or to be looked at smaller


@dataclass(frozen=True, eq=False)
class PredictionResult:
    """All the window needs of one image: prediction, strip maps, and the evidence engine.

    Everything is numbered like `labels`, with the model's further classes behind them as in
    `Translation.reading`. preview: from the image at half its size; a better one follows.
    score_class: the class that was wanted for the score map among the views. fresh: a writable
    map that starts as the prediction, and following: where labels that follow the prediction
    differ from it, both made here since large images take their time.
    """

    prediction: Prediction | WindowPrediction
    views: tuple[LevelView, ...]
    evidence: Explains | None
    labels: ClassTable | None = None
    preview: bool = False
    notes: tuple[str, ...] = ()
    score_class: int | None = None
    fresh: LabelMap | None = None
    following: Following | None = None


@dataclass(frozen=True, eq=False)
class Shown:
    """What a prediction is asked for: the pixels (H, W, 3) uint8, and how it will be shown.

    score_class: the class of the strip's score map; labels: the classes of the image's labels,
    None for the model's own; bare: whether the image has no label map yet; standing: one that
    nobody has touched, so that it follows the prediction.
    """

    pixels: np.ndarray
    image_id: str
    score_class: int
    labels: ClassTable | None = None
    bare: bool = False
    standing: LabelMap | None = None


class ModelRoom:
    """What the model lane keeps between jobs. Touched by jobs on that lane only."""

    def __init__(self) -> None:
        self.predictor: Predictor | None = None
        self.mode: InferenceMode | None = None
        self.seconds_a_pixel: float | None = None
        self.forget()

    def forget(self) -> None:
        """Drop what belongs to an image."""
        self.activations: Activations | None = None
        self.evidence: Evidence | None = None
        self.raw: Callable[[Translation], Prediction | WindowPrediction] | None = None
        self.notes: tuple[str, ...] = ()
        self._pixels: np.ndarray | None = None

    def keep(
        self, shown: Shown, raw: Callable[[Translation], Prediction | WindowPrediction]
    ) -> None:
        """Hold what was found in an image until another is predicted."""
        self.raw, self._pixels = raw, shown.pixels

    def holds(self, shown: Shown) -> bool:
        """Say whether what is held was found in this very image."""
        return self.raw is not None and self._pixels is shown.pixels

    def translation(self, labels: ClassTable | None) -> Translation:
        """Return the way from the model's classes to those of labels."""
        model = self.ready.classes
        return Translation(model, model if labels is None else labels)

    @property
    def ready(self) -> Predictor:
        """The model in use; raises `NoModelError` before there is one."""
        if self.predictor is None:
            raise NoModelError("There is no model to predict with; open weights first.")
        return self.predictor


class NoModelError(RuntimeError):
    """A prediction was asked for before a model was loaded."""


Remembered = Mapping[str, Mapping[str, Any]]


def load_model(room: ModelRoom, choice: ModelChoice, remembered: Remembered | None = None) -> Job:
    """Return a job that loads weights and, only when all went well, makes them the model in use.

    `remembered` holds overrides by the digest of weights, for a choice that names none. Fails
    with `CheckpointError` or `DeviceError`; the model before it then stays.
    """

    def job(turn: Turn) -> Steps:
        yield Step("Starting torch")
        import torch

        torch.set_num_threads(_threads())
        for name in _ASKED_AT_ONCE:
            import_module(name)
        yield Step(f"Loading {choice.path.name}")
        overrides = choice.overrides or {}
        predictor = _predictor(choice, overrides, turn)
        known = (remembered or {}).get(predictor.digest)
        if choice.overrides is None and known:
            overrides = known
            predictor = _predictor(choice, overrides, turn)
        turn.check()
        room.predictor, room.mode, room.seconds_a_pixel = predictor, choice.mode, None
        room.forget()
        devices = _devices(torch.cuda, torch.backends.mps)
        return _facts(predictor, replace(choice, overrides=dict(overrides)), devices)

    return job


def _predictor(choice: ModelChoice, overrides: Mapping[str, Any], turn: Turn) -> Predictor:
    """Return the predictor of a choice; the one place that knows how it is made."""

    def tell(share: float, text: str) -> None:
        turn.report(share, text)
        turn.check()

    from pspgui.inference.devices import choose
    from pspgui.inference.predictor import Predictor
    from pspgui.labels.classes import ClassTable
    from pspgui.models.checkpoints import load_checkpoint

    choose(choice.device, choice.precision, choice.backend)  # before a large file is read in vain
    fields = dict(overrides)
    if isinstance(fields.get("classes"), Mapping):
        fields["classes"] = ClassTable.from_json(fields["classes"])
    loaded = load_checkpoint(choice.path, fields)
    samples = read_samples(choice.samples) if choice.precision == "int8" else ()
    return Predictor.of(
        loaded, choice.device, choice.precision, backend=choice.backend, samples=samples,
        progress=tell,
    )  # fmt: skip


def _facts(predictor: Predictor, choice: ModelChoice, devices: tuple[str, ...]) -> ModelFacts:
    loaded = predictor.loaded
    return ModelFacts(
        choice.path, choice.path.stem, predictor.family, predictor.device, predictor.precision,
        predictor.digest, predictor.classes,
        tuple(n for n in (*loaded.notes, predictor.precision_note) if n), devices,
        backend=predictor.backend.name,
        backends=_BACKENDS if _has_openvino() else _BACKENDS[:2],
        precisions=_precisions(devices),
        parameters=sum(p.numel() for p in loaded.model.parameters()),
        assumed=tuple(loaded.assumed),
        spec=loaded.spec,
        choice=choice,
    )  # fmt: skip


def _has_openvino() -> bool:
    return find_spec("openvino") is not None


def _precisions(devices: tuple[str, ...]) -> tuple[str, ...]:
    """Return what can be asked for here."""
    on_cuda = ("fp16",) if "cuda" in devices else ()
    return ("auto", "fp32", "bf16", *on_cuda, *(("int8",) if _has_openvino() else ()))


# -- predicting ---------------------------------------------------------------------------------


def predict(room: ModelRoom, shown: Shown) -> Job:
    """Return a job that predicts an image and gives a `PredictionResult`."""

    def job(turn: Turn) -> Steps:
        room.forget()  # before anything may ask for it in the name of the new image
        yield Step("Predicting", 0.0)
        predictor = room.ready
        with _stoppable():
            if room.mode is None:
                yield from _read_whole(room, predictor, shown, turn)
            else:
                _read_windows(room, predictor, shown, turn)
        yield Step("Drawing the pyramid", 0.95)
        if not room.holds(shown):  # other weights were loaded meanwhile
            raise JobCancelled
        return _told(room, shown)

    return job


def _read_whole(room: ModelRoom, predictor: Predictor, shown: Shown, turn: Turn) -> Steps:
    from pspgui.evidence import evidence_of

    activations = predictor.set_image(shown.pixels, shown.image_id, turn.report, turn.cancelled)
    yield Step("Labelling every pixel", 0.9)
    found = predictor.predict(activations, turn.cancelled)
    if room.predictor is not predictor:  # other weights were loaded at the yield above
        raise JobCancelled
    read = shown.pixels.size // 3 // activations.reduction**2
    if read >= _SMALL_PIXELS:
        room.seconds_a_pixel = activations.seconds / read
    room.activations = activations
    room.evidence = evidence_of(activations, predictor.weights)
    room.keep(shown, lambda translation: translation.prediction(found))


def _read_windows(room: ModelRoom, predictor: Predictor, shown: Shown, turn: Turn) -> None:
    from pspgui.inference.activations import Stamp
    from pspgui.inference.running import run_mode

    assert room.mode is not None
    result = run_mode(
        predictor, shown.pixels, room.mode, turn.report, turn.cancelled, confidence=True
    )
    crop = result.mode.crop
    if crop is not None:
        room.seconds_a_pixel = result.seconds / max(1, result.passes * crop[0] * crop[1])
    stamp = Stamp(shown.image_id, predictor.digest)
    room.keep(shown, lambda translation: WindowPrediction.of(result, translation, stamp))
    room.notes = result.notes


def _told(room: ModelRoom, shown: Shown) -> PredictionResult:
    """Return what the room holds, numbered as the labels are."""
    assert room.raw is not None
    translation = room.translation(shown.labels)
    prediction = room.raw(translation)
    if isinstance(prediction, WindowPrediction):
        views = prediction.views()
    else:
        assert room.activations is not None
        score_class = translation.model_class(shown.score_class)
        views = _views(room.activations, room.evidence, score_class)
    engine = translation.evidence(room.evidence)
    labels, standing = prediction.labels, shown.standing
    return PredictionResult(
        prediction, views, engine, translation.labels, notes=room.notes,
        score_class=shown.score_class, fresh=_fresh(labels) if shown.bare else None,
        following=None if standing is None else compare(standing, labels),
    )  # fmt: skip


def _fresh(labels: np.ndarray) -> LabelMap:
    """Return a label map of its own that holds the same labels, all of them the model's."""
    return LabelMap(copied(labels), full_map((labels.shape[0], labels.shape[1]), np.uint8, MODEL))


def preview(room: ModelRoom, shown: Shown) -> Job:
    """Return a job that predicts an image at half its size, if all of it will take long.

    It gives a `PredictionResult` without evidence, or None where a first look is not worth it.
    """

    def job(turn: Turn) -> Steps:
        yield Step("Taking a first look")
        predictor = room.ready
        if not _takes_long(room, predictor, shown.pixels):
            return None
        from pspgui.inference.errors import ImageTooLargeError

        height, width = (-(-side // 2) for side in shown.pixels.shape[:2])
        rule = predictor.spec.size_rule
        # One pixel fewer than all of them makes the predictor see the image reduced.
        limit = min(rule.padded(height) * rule.padded(width), 4 * LARGE_PIXELS)
        small = replace(predictor, max_pixels=limit)
        with _stoppable():
            try:
                activations = small.set_image(
                    shown.pixels, shown.image_id, cancelled=turn.cancelled
                )
            except ImageTooLargeError:
                return None  # the prediction itself says why
            found = small.predict(activations, turn.cancelled)
        translation = room.translation(shown.labels)
        views = _views(activations, None, translation.model_class(shown.score_class))
        return PredictionResult(
            translation.prediction(found), views, None, translation.labels, preview=True,
            score_class=shown.score_class,
        )  # fmt: skip

    return job


def retell(room: ModelRoom, shown: Shown) -> Job:
    """Return a job that gives the last prediction again, in the numbering of other labels."""

    def job(turn: Turn) -> Steps:
        yield Step("Matching the classes")
        if not room.holds(shown):
            raise JobCancelled
        return _told(room, shown)

    return job


def redraw_views(room: ModelRoom, shown: Shown) -> Job:
    """Return a job that makes the strip's maps for another class from what is cached."""

    def job(turn: Turn) -> Steps:
        yield Step("Drawing the pyramid")
        if room.activations is None or not room.holds(shown):
            raise JobCancelled
        score_class = room.translation(shown.labels).model_class(shown.score_class)
        return _views(room.activations, room.evidence, score_class)

    return job


def explain_window(room: ModelRoom, shown: Shown, pixel: Pixel) -> Job:
    """Return a job that gives the `WindowEvidence` around a pixel; None without a pyramid."""

    def job(turn: Turn) -> Steps:
        yield Step("Explaining the window")
        predictor, mode = room.ready, room.mode
        if mode is None:
            raise JobCancelled
        from pspgui.evidence import evidence_of

        frame: Rect = window_around(pixel, shown.pixels.shape[:2], mode)
        pixels = np.ascontiguousarray(shown.pixels[frame.slices])
        with _stoppable():
            activations = predictor.set_image(pixels, shown.image_id, cancelled=turn.cancelled)
        engine = evidence_of(activations, predictor.weights)
        told = room.translation(shown.labels).evidence(engine)
        return None if told is None else WindowEvidence(told, frame)

    return job


@contextmanager
def _stoppable() -> Iterator[None]:
    """Turn the core's way of stopping into the lane's, and a full disk into words."""
    from pspgui.inference.errors import Cancelled as Stopped
    from pspgui.inference.errors import ImageTooLargeError

    try:
        yield
    except Stopped as stopped:
        raise JobCancelled from stopped
    except ScratchError as error:
        raise ImageTooLargeError(
            f"There is no room for the prediction of so large an image: {error.strerror}."
        ) from error


def _takes_long(room: ModelRoom, predictor: Predictor, pixels: np.ndarray) -> bool:
    """Say whether a person would wait long enough to want a first look."""
    read = pixels.size // 3
    if read < _SMALL_PIXELS:
        return False
    if room.mode is not None:
        read = cost(room.mode, (pixels.shape[0], pixels.shape[1]))[1]
    if room.seconds_a_pixel is not None:
        return read * room.seconds_a_pixel > LONG_S
    return predictor.device == "cpu" and read > LARGE_PIXELS


def _views(
    activations: Activations, evidence: Evidence | None, score_class: int | None
) -> tuple[LevelView, ...]:
    """Return the strip's maps, and last how much the pyramid decides each cell's winner."""
    from pspgui.evidence.psp import PSPEvidence
    from pspgui.inference.views import LevelView, pyramid_views

    views = pyramid_views(activations, score_class)
    if score_class is None:  # the model does not know the class: the map is the winner's
        views = tuple(v._replace(title="Best score") if v.name == "score" else v for v in views)
    if not isinstance(evidence, PSPEvidence):
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


__all__ = [
    "ModelChoice",
    "ModelFacts",
    "ModelRoom",
    "NoModelError",
    "PredictionResult",
    "Shown",
    "explain_window",
    "load_model",
    "predict",
    "preview",
    "redraw_views",
    "retell",
]
