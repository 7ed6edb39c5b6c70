"""The training loop: one process, exact resume, checkpoints that survive a kill."""

from __future__ import annotations

import io
import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812 - the field's own name for it
from torch import Tensor

from pspgui.durable import write_durably
from pspgui.models.checkpoints.native import save_checkpoint
from pspgui.models.segmenter import Scores, Segmenter
from pspgui.models.spec import ModelSpec
from pspgui.training.augmentation import training_transform
from pspgui.training.datasets import Source, batches, label_weights
from pspgui.training.evaluation import evaluate, plain_predictor
from pspgui.training.frozen_norms import freeze_norms
from pspgui.training.recipe import Recipe

LAST, BEST, STATE = "last.safetensors", "best.safetensors", "state.pt"
_MAX_BAD_STEPS = 20
_SAVE_SECONDS = 300.0


class TrainingError(RuntimeError):
    """Training that cannot start or go on; the message says why and what is kept."""


@dataclass(frozen=True)
class Progress:
    """A report from the loop: where it is, the loss, and seconds left (None at the start)."""

    epoch: int
    epochs: int
    step: int
    steps: int
    loss: float
    seconds_left: float | None
    miou: float | None = None


@dataclass
class Run:
    """What must be kept to go on as if never interrupted."""

    step: int = 0
    best: float = -1.0
    bad_steps: int = 0
    seconds: float = 0.0
    history: list[dict[str, float]] = field(default_factory=list)


@dataclass(frozen=True)
class TrainingSet:
    """Sources for training and validation, with the size (height, width) of the frames."""

    train: Source
    validation: Source | None
    scenes: Source | None
    frame: tuple[int, int]
    name: str


Report = Callable[[Progress], None]


class Trainer:
    """One run in a folder: the network, its optimizer, and where it stands. One thread."""

    def __init__(
        self,
        model: Segmenter,
        recipe: Recipe,
        samples: TrainingSet,
        folder: Path,
        device: str = "cpu",
    ) -> None:
        self.recipe = recipe
        self.samples = samples
        self.folder = Path(folder)
        self.device = torch.device(device)
        # Measured on a CPU: channels last is 1.8x faster in fp32 and slower in bf16.
        plain_cpu = self.device.type == "cpu" and recipe.precision == "bf16"
        self.layout = torch.contiguous_format if plain_cpu else torch.channels_last
        self.model = model.to(self.device).to(memory_format=self.layout)
        self.optimizer = _optimizer(model, recipe)
        self.run = Run()
        extra = len(samples.scenes) if samples.scenes else 0
        self.steps_per_epoch = (len(samples.train) + extra) // recipe.batch
        if self.steps_per_epoch < 1:
            raise TrainingError(
                f"{len(samples.train) + extra} images do not fill one batch of {recipe.batch}; "
                "choose a smaller batch"
            )
        self.steps = self.steps_per_epoch * recipe.epochs
        self.transform = training_transform(recipe, model.spec, recipe.crop or samples.frame)
        self.weights: Tensor | None = None
        self._saved = time.monotonic()

    def fit(self, report: Report) -> Run:
        """Train from where the run stands to its end, writing checkpoints after every epoch.

        Raises `TrainingError` when the loss stays not finite; the last good checkpoint is kept.
        """
        weights = label_weights(
            self.samples.train, self.model.spec.classes, self.recipe.class_weights
        )
        self.weights = None if weights is None else weights.to(self.device)
        while self.run.step < self.steps:
            self._epoch(report)
        return self.run

    def _epoch(self, report: Report) -> None:
        self.model.train()
        if self.recipe.frozen_norms:
            freeze_norms(self.model)
        epoch, done = divmod(self.run.step, self.steps_per_epoch)
        started, first = time.perf_counter(), self.run.step
        loss = math.nan
        for images, labels in batches(
            self.samples.train, self.samples.scenes, self.transform,
            batch=self.recipe.batch, seed=self.recipe.seed, epoch=epoch, first_batch=done,
        ):  # fmt: skip
            loss = self._step(images, labels)
            taken = time.perf_counter() - started
            rate = taken / (self.run.step - first)
            report(self._progress(epoch, loss, rate * (self.steps - self.run.step)))
            # Not after the last batch: a run resumed there would go past the epoch's end.
            is_due = time.monotonic() - self._saved > _SAVE_SECONDS
            if is_due and self.run.step % self.steps_per_epoch and self._is_sound():
                self.save_state()
        self.run.seconds += time.perf_counter() - started
        report(self._finish_epoch(epoch, loss))

    def _progress(
        self, epoch: int, loss: float, left: float | None, miou: float | None = None
    ) -> Progress:
        return Progress(
            epoch + 1, self.recipe.epochs, self.run.step, self.steps, loss, left, miou
        )

    def _step(self, images: Tensor, labels: Tensor) -> float:
        factor = self.recipe.rate(self.run.step, self.steps)
        for group in self.optimizer.param_groups:
            group["lr"] = group["base"] * factor
        # Dropout as a function of the step alone: a resumed run draws what it would have drawn.
        torch.manual_seed(self.recipe.seed * 1_000_003 + self.run.step)
        images = images.to(self.device, memory_format=self.layout)
        labels = labels.to(self.device)
        with torch.autocast(
            self.device.type, torch.bfloat16, enabled=self.recipe.precision == "bf16"
        ):
            scores = self.model(images)
        loss = self._whole_loss(scores, labels)
        self.optimizer.zero_grad(set_to_none=True)
        value = float(loss.detach())
        self.run.step += 1
        if not math.isfinite(value):
            self._skip_bad_step()
            return value
        self.run.bad_steps = 0
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()
        return value

    def _whole_loss(self, scores: Scores, labels: Tensor) -> Tensor:
        """Return the loss of the pixels and, weighted, of whatever auxiliary outputs there are."""
        loss = self._loss(scores.main.float(), labels)
        if scores.auxiliary is not None:
            auxiliary = self._loss(scores.auxiliary.float(), labels)
            loss = loss + self.recipe.auxiliary_weight * auxiliary
        if scores.image_level is not None:
            held = classes_held(labels, scores.image_level.shape[1])
            image_level = F.binary_cross_entropy_with_logits(scores.image_level.float(), held)
            loss = loss + self.recipe.image_level_weight * image_level
        return loss

    def _loss(self, logits: Tensor, labels: Tensor) -> Tensor:
        ignore = self.model.spec.classes.ignore
        return F.cross_entropy(logits, labels, self.weights, ignore_index=ignore)

    def _skip_bad_step(self) -> None:
        self.run.bad_steps += 1
        if self.run.bad_steps >= _MAX_BAD_STEPS:
            raise TrainingError(
                f"the loss was not finite {_MAX_BAD_STEPS} times in a row; {LAST} holds the last "
                "good weights. Lower the learning rate and resume."
            )

    def _finish_epoch(self, epoch: int, loss: float) -> Progress:
        miou = self._validate(epoch)
        entry = {"epoch": epoch + 1, "loss": loss}
        if miou is not None:
            entry["miou"] = miou
        self.run.history.append(entry)
        spec = self.described(miou)
        if miou is not None and miou > self.run.best:
            self.run.best = miou
            save_checkpoint(self.model, self.folder / BEST, spec)
        if self._is_sound():
            save_checkpoint(self.model, self.folder / LAST, spec)
            self.save_state()
        left = self.run.seconds / self.run.step * (self.steps - self.run.step)
        return self._progress(epoch, loss, left, miou)

    def _is_sound(self) -> bool:
        """Whether every weight is finite still; others must not replace what was saved."""
        state = self.model.state_dict().values()
        return all(bool(torch.isfinite(t).all()) for t in state if t.is_floating_point())

    def _validate(self, epoch: int) -> float | None:
        """Return mIoU on the validation source, every second epoch and in the last ones."""
        source = self.samples.validation
        due = epoch % 2 == 1 or epoch + 3 >= self.recipe.epochs
        if source is None or not due:
            return None
        self.model.eval()
        table = self.model.spec.classes
        return evaluate(plain_predictor(self.model), source, table).confusion.miou

    def described(self, miou: float | None) -> ModelSpec:
        """Return the spec with the record of this run."""
        record: dict[str, Any] = {
            **self.model.spec.record,
            "data": self.samples.name,
            "recipe": self.recipe.model_dump(mode="json"),
            "images": len(self.samples.train),
            "steps": self.run.step,
            "train_seconds": round(self.run.seconds),
            "finished": datetime.now(UTC).strftime("%Y-%m-%d"),
        }
        if miou is not None:
            record["validation_miou"] = round(miou, 4)
        return self.model.spec.changed(record=record)

    def save_state(self) -> None:
        """Write everything needed to resume, durably."""
        buffer = io.BytesIO()
        torch.save(
            {
                "recipe": self.recipe.model_dump_json(),
                "model": self.model.state_dict(),
                "optimizer": self.optimizer.state_dict(),
                "run": asdict(self.run),
            },
            buffer,
        )
        write_durably(self.folder / STATE, buffer.getvalue())
        self._saved = time.monotonic()

    def resume(self) -> bool:
        """Take up the run found in the folder; return whether there was one.

        Raises `TrainingError` when it was made with another recipe or cannot be read.
        """
        path = self.folder / STATE
        if not path.exists():
            return False
        try:
            state = torch.load(path, map_location="cpu", weights_only=True)
            same = Recipe.model_validate_json(state["recipe"]) == self.recipe
            if same:
                self.model.load_state_dict(state["model"])
                self.optimizer.load_state_dict(state["optimizer"])
                self.run = Run(**state["run"])
        except Exception as error:
            raise TrainingError(
                f"{path} can't be resumed from ({type(error).__name__}); move it away to start anew"
            ) from error
        if not same:
            raise TrainingError(
                f"the run in {self.folder} used another recipe; resume it with the same options, "
                "or train into another folder"
            )
        return True


def classes_held(labels: Tensor, classes: int) -> Tensor:
    """Return (B, classes) float32: 1 where a label map (B, H, W) int64 holds the class.

    Labels outside 0..classes-1, as the ignore label is, count for nothing.
    """
    flat = labels.flatten(1)
    inside = (flat >= 0) & (flat < classes)
    held = torch.zeros(len(labels), classes + 1, device=labels.device)
    return held.scatter_(1, torch.where(inside, flat, classes), 1.0)[:, :classes]


def _optimizer(model: Segmenter, recipe: Recipe) -> torch.optim.SGD:
    """Return SGD with the backbone at the base rate and every head at `head_factor` times it."""
    backbone = list(model.backbone.parameters())
    known = {id(p) for p in backbone}
    heads = [p for p in model.parameters() if id(p) not in known]
    rate = recipe.learning_rate
    groups = [
        {"params": backbone, "lr": rate, "base": rate},
        {"params": heads, "lr": rate, "base": rate * recipe.head_factor},
    ]
    return torch.optim.SGD(
        groups, lr=rate, momentum=recipe.momentum, weight_decay=recipe.weight_decay
    )


def start_weights(model: Segmenter, tensors: dict[str, Tensor]) -> tuple[int, int]:
    """Copy every tensor that fits into `model`; return (copied, wanted).

    Takes whole networks and bare backbones (torchvision's key names) alike, so that another
    output stride or class table starts from what is common.
    """
    wanted = model.state_dict()
    found = {}
    for key, tensor in tensors.items():
        for name in (key, f"backbone.{key}"):
            if name in wanted and wanted[name].shape == tensor.shape:
                found[name] = tensor
    model.load_state_dict({**wanted, **found})
    return len(found), len(wanted)
