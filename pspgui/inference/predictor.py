"""Predictor: load once, set an image once, then ask as often as you like."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 - the field's own name for it
from torch import Tensor

from pspgui.inference.activations import (
    Activations,
    CellScores,
    Frame,
    HeadWeights,
    Prediction,
    Stamp,
)
from pspgui.inference.argmax import full_resolution_labels
from pspgui.inference.backends import Backend, TrunkRequest, Watch, build_backend
from pspgui.inference.devices import choose
from pspgui.inference.errors import Cancelled, ImageTooLargeError
from pspgui.inference.heads import Head, build_head
from pspgui.inference.memory import available_bytes, forecast_bytes
from pspgui.inference.reducing import reduced
from pspgui.labels.classes import ClassTable
from pspgui.models.checkpoints import LoadedModel, load_checkpoint
from pspgui.models.spec import ModelSpec

MAX_PIXELS = 16 << 20
_MAX_REDUCTION = 64
# Scenes drawn where a backend must see images and none are given: enough that ranges settle.
_DRAWN, _DRAWN_SHAPE = 12, (289, 385)

Progress = Callable[[float, str], None]
# How torch's CPU allocator (on Linux and elsewhere), oneDNN and OpenVINO say that memory ran out:
# in plain runtime errors.
_NO_MEMORY = ("allocate memory", "not enough memory", "out of memory", "bad_alloc")
# The share of the whole that the bar shows for the trunk; the rest of the head is quick.
_TRUNK_SHARE = 0.9


@dataclass(frozen=True, eq=False)
class Predictor:
    """A network ready to read images; build with `load` or `of`.

    One thread at a time may call `set_image`; `predict` and everything in the `Activations` are
    free of the network and may be used on any thread.
    """

    loaded: LoadedModel
    head: Head
    backend: Backend
    max_pixels: int = MAX_PIXELS

    @classmethod
    def load(
        cls,
        path: Path,
        device: str = "auto",
        precision: str = "auto",
        max_pixels: int = MAX_PIXELS,
        backend: str = "auto",
        samples: Sequence[np.ndarray] = (),
        progress: Progress | None = None,
    ) -> Predictor:
        """Read a checkpoint and place it on a device.

        device: auto (CUDA, then MPS, then CPU), cpu, cuda, cuda:1, mps; backend: auto (torch, or
        OpenVINO for int8), torch, openvino, compile; precision: auto (bf16 on CUDA where
        supported, else fp32), fp32, bf16, fp16 (CUDA), int8 (OpenVINO), which concerns the heavy
        part alone. samples: images (H, W, 3) uint8 RGB that int8 is fitted to and compared with
        fp32 on; drawn street scenes if there are none. That is done once for a network, or twice:
        for scenes and for the first images given. progress(share, text) is told while it lasts.
        Raises `CheckpointError`, `DeviceError`.
        """
        choose(device, precision, backend)  # before a large file is read in vain
        loaded = load_checkpoint(Path(path))
        return cls.of(loaded, device, precision, max_pixels, backend, samples, progress)

    @classmethod
    def of(
        cls,
        loaded: LoadedModel,
        device: str = "auto",
        precision: str = "auto",
        max_pixels: int = MAX_PIXELS,
        backend: str = "auto",
        samples: Sequence[np.ndarray] = (),
        progress: Progress | None = None,
    ) -> Predictor:
        """Place a copy of a loaded network as `load` does; the network itself stays as it is."""
        choice = choose(device, precision, backend)
        head, spec = build_head(loaded.model, choice.device), loaded.spec
        request = TrunkRequest(
            head.trunk,
            choice.device,
            choice.precision,
            f"{type(head).__name__} {spec.model_dump_json(exclude={'record', 'classes'})}"
            + (" fitted to photographs" if len(samples) else ""),
            spec.size_rule.padded,
            lambda: _sample_inputs(spec, samples),
            head.scores,
            lambda share, text: _report(progress, share, text),
        )
        return cls(loaded, head, build_backend(choice.backend, request), max_pixels)

    @property
    def device(self) -> str:
        """Where it runs."""
        return self.backend.device

    @property
    def precision(self) -> str:
        """What its heavy part computes in."""
        return self.backend.precision

    @property
    def precision_note(self) -> str:
        """A sentence on what the precision came to, for a person; may be empty."""
        note = getattr(self.backend, "note", "")
        return f"{self.precision}: {note}." if note else ""

    @property
    def exact(self) -> bool:
        """Whether it is plain torch in float32, which the others are compared with."""
        return (self.backend.name, self.precision) == ("torch", "fp32")

    @property
    def spec(self) -> ModelSpec:
        """What the network is."""
        return self.loaded.spec

    @property
    def classes(self) -> ClassTable:
        """The classes it tells apart."""
        return self.loaded.spec.classes

    @property
    def digest(self) -> str:
        """The checkpoint's SHA-256."""
        return self.loaded.digest

    @property
    def family(self) -> str:
        """The checkpoint's family."""
        return self.loaded.family

    @cached_property
    def weights(self) -> HeadWeights | None:
        """The last layer in numpy, which evidence needs; None where there is no evidence yet."""
        return self.head.weights()

    def set_image(
        self,
        pixels: np.ndarray,
        image_id: str = "",
        progress: Progress | None = None,
        cancelled: Callable[[], bool] | None = None,
    ) -> Activations:
        """Run the network over one image and keep what later questions need.

        pixels: (H, W, 3) uint8 RGB. `progress(fraction, text)` and `cancelled()` are called on
        this thread, between the backbone's layers. An image above the limit or the free memory is
        seen at a half, a third and so on of its size; labels are full size all the same.
        Raises `Cancelled`, `ImageTooLargeError`, and ValueError for an array that is no image.
        """
        started = time.perf_counter()
        height, width = _checked_shape(pixels)
        reduction, seen = self._plan((height, width))
        frame = Frame(
            image_id,
            (height, width),
            (seen[0] * reduction, seen[1] * reduction),
            Stamp(image_id, self.digest),
            reduction,
        )
        with self._memory_guarded((height, width)), torch.inference_mode():
            outputs = self._run(reduced(pixels, reduction), seen, progress, cancelled)
            _report(progress, _TRUNK_SHARE, "Reading the pyramid")
            found = self.head.activations(outputs, frame)
        _stop_if(cancelled)
        _report(progress, 1.0, "Done")
        return replace(found, seconds=time.perf_counter() - started)

    def cell_scores(
        self, pixels: np.ndarray, cancelled: Callable[[], bool] | None = None
    ) -> CellScores:
        """Return the logits at the cells and nothing else; for passes over windows and scales.

        pixels: (H, W, 3) RGB in 0..255, uint8 or float32. Never reduces: raises
        `ImageTooLargeError`, `Cancelled`.
        """
        height, width = _checked_shape(pixels)
        rule = self.spec.size_rule
        seen = rule.padded(height), rule.padded(width)
        with self._memory_guarded((height, width)), torch.inference_mode():
            outputs = self._run(pixels, seen, None, cancelled)
            scores = self.head.scores(outputs).cpu().numpy()
        return CellScores(scores, seen, (height, width), self.spec.align_corners)

    def predict(
        self, activations: Activations, cancelled: Callable[[], bool] | None = None
    ) -> Prediction:
        """Return the label of every pixel; `seconds` holds the time since the image came in.

        Raises `Cancelled`.
        """
        started = time.perf_counter()
        labels = full_resolution_labels(
            activations.scores,
            activations.padded_shape,
            activations.image_shape,
            activations.align_corners,
            stop=lambda: _stop_if(cancelled),
        )
        return Prediction(
            labels=labels,
            scores=activations.scores,
            shape=activations.image_shape,
            padded_shape=activations.padded_shape,
            align_corners=activations.align_corners,
            stamp=activations.stamp,
            seconds=activations.seconds + time.perf_counter() - started,
            reduction=activations.reduction,
        )

    def agreement(
        self, pixels_list: Iterable[np.ndarray], cancelled: Callable[[], bool] | None = None
    ) -> float:
        """Return the share of pixels that get the label which torch in float32 gives them.

        pixels_list: images as for `set_image`. Loads the network a second time for as long as it
        takes, on the same device. Raises `Cancelled`, `ImageTooLargeError`, and ValueError without
        an image.
        """
        images = list(pixels_list)
        if not images:
            raise ValueError("there are no images to compare on")
        if self.exact:
            return 1.0
        plain = Predictor.of(self.loaded, self.device, "fp32", self.max_pixels, "torch")
        same = total = 0
        for pixels in images:
            one, other = (
                p.predict(p.set_image(pixels, cancelled=cancelled), cancelled).labels
                for p in (self, plain)
            )
            same += int(np.count_nonzero(one == other))
            total += one.size
        return same / total

    def _run(
        self,
        pixels: np.ndarray,
        padded: tuple[int, int],
        progress: Progress | None,
        cancelled: Callable[[], bool] | None,
    ) -> tuple[Tensor, ...]:
        """Normalise, pad with the mean (zero once normalised) and run the trunk."""
        watch = Watch(
            lambda share: _report(progress, _TRUNK_SHARE * share, "Reading the image"),
            lambda: _stop_if(cancelled),
        )
        watched = progress is not None or cancelled is not None
        return self.backend.run(self._input(pixels, padded), watch if watched else None)

    def _input(self, pixels: np.ndarray, padded: tuple[int, int]) -> Tensor:
        """Return the (1, 3, H, W) float32 input on the device."""
        # A copy: torch warns about arrays that are read-only, as decoded images are.
        image = torch.tensor(pixels)
        if self.device.startswith("cuda"):
            image = image.pin_memory()  # else the copy to the device would wait for itself
        return normalised(image.to(self.device, non_blocking=True), self.spec, padded)

    @contextmanager
    def _memory_guarded(self, shape: tuple[int, int]) -> Iterator[None]:
        """Turn every way of running out of memory into `ImageTooLargeError`."""
        try:
            yield
        except (torch.OutOfMemoryError, MemoryError) as error:
            raise self._too_large(shape, "the memory ran out") from error
        except RuntimeError as error:
            if not any(words in str(error) for words in _NO_MEMORY):
                raise
            raise self._too_large(shape, "the memory ran out") from error

    def _plan(self, shape: tuple[int, int]) -> tuple[int, tuple[int, int]]:
        """Return by how much to reduce an image, and the padded size the network will see."""
        rule, free = self.spec.size_rule, available_bytes(self.device)
        for reduction in range(1, _MAX_REDUCTION + 1):
            seen = rule.padded(-(-shape[0] // reduction)), rule.padded(-(-shape[1] // reduction))
            if seen[0] * seen[1] > self.max_pixels:
                continue
            needed = forecast_bytes(self.spec, seen)
            if free is None or needed <= free:
                return reduction, seen
        raise self._too_large(shape, "even much reduced it does not fit the free memory")

    def _too_large(self, shape: tuple[int, int], reason: str) -> ImageTooLargeError:
        where = "" if self.device == "cpu" else " or run on the CPU"
        return ImageTooLargeError(
            f"The image of {shape[1]} × {shape[0]} pixels is too large to predict: {reason}. "
            f"Make a smaller copy{where}."
        )


def normalised(image: Tensor, spec: ModelSpec, padded: tuple[int, int]) -> Tensor:
    """Return (H, W, 3) RGB in 0..255 as a network's (1, 3, H', W') float32 input, where it lies."""
    norm = spec.normalisation
    scale = torch.tensor([1 / (255 * s) for s in norm.std])
    shift = torch.tensor([-m / s for m, s in zip(norm.mean, norm.std, strict=True)])
    scale, shift = (t.to(image.device, non_blocking=True)[:, None, None] for t in (scale, shift))
    planes = image.permute(2, 0, 1).float() * scale + shift
    if norm.channels == "bgr":
        planes = planes.flip(0)
    height, width = image.shape[:2]
    return F.pad(planes, (0, padded[1] - width, 0, padded[0] - height))[None]


def _sample_inputs(spec: ModelSpec, samples: Sequence[np.ndarray]) -> Iterator[Tensor]:
    """Yield inputs of the given images, or of drawn scenes."""
    pictures: Iterable[np.ndarray] = samples
    if not len(samples):
        from pspgui.scenes import render_scene

        pictures = (render_scene(seed, *_DRAWN_SHAPE).image for seed in range(_DRAWN))
    for pixels in pictures:
        height, width = pixels.shape[:2]
        padded = spec.size_rule.padded(height), spec.size_rule.padded(width)
        yield normalised(torch.tensor(pixels), spec, padded)


def _checked_shape(pixels: np.ndarray) -> tuple[int, int]:
    plain = pixels.dtype in (np.uint8, np.float32)
    if pixels.ndim != 3 or pixels.shape[2] != 3 or not plain or pixels.size == 0:
        raise ValueError(
            "an image is (H, W, 3), uint8 or float32, and not empty; "
            f"this is {pixels.shape} {pixels.dtype}"
        )
    return pixels.shape[0], pixels.shape[1]


def _report(progress: Progress | None, fraction: float, text: str) -> None:
    if progress is not None:
        progress(fraction, text)


def _stop_if(cancelled: Callable[[], bool] | None) -> None:
    if cancelled is not None and cancelled():
        raise Cancelled
