"""Samples for training: folders of images with labels, and drawn scenes mixed in."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor
from torchvision import tv_tensors
from torchvision.transforms import v2

from pspgui.durable import printable
from pspgui.formats import Sample
from pspgui.imaging import decode_image
from pspgui.labels.classes import ClassTable

# Training scenes and held-out scenes must never meet.
HELD_OUT_SCENES = 1_000_000_000


class DatasetError(ValueError):
    """A sample that cannot be trained on; the message names the file and the value."""


class LabelledImage(NamedTuple):
    """Pixels (H, W, 3) uint8 RGB and labels (H, W) uint8 or uint16 of one image."""

    pixels: np.ndarray
    labels: np.ndarray


class Source(Protocol):
    """Something that can be read by index: a folder of pairs, or a generator of scenes."""

    def __len__(self) -> int:
        """Number of samples."""

    def read(self, index: int) -> LabelledImage:
        """Return one sample; raises `DatasetError` or `DecodeError`."""


class FolderSource:
    """Pairs of image and label files, checked as they are read."""

    def __init__(self, pairs: Sequence[Sample | tuple[Path, Path]], table: ClassTable) -> None:
        self.pairs = tuple(Sample(*pair) for pair in pairs)
        self.table = table

    def __len__(self) -> int:
        return len(self.pairs)

    def read(self, index: int) -> LabelledImage:
        """Decode both files; raises `DatasetError` for other sizes or unknown labels.

        A value that the data set's coding does not know raises `FormatError`.
        """
        image_path, labels_path, coding = self.pairs[index]
        pixels = decode_image(image_path).pixels
        labels = coding.read(labels_path)
        if labels.shape != pixels.shape[:2]:
            raise DatasetError(
                f"{printable(labels_path.name)} is {labels.shape[1]} x {labels.shape[0]} but its "
                f"image {printable(image_path.name)} is {pixels.shape[1]} x {pixels.shape[0]}"
            )
        known = labels[labels != self.table.ignore]
        if known.size and int(known.max()) >= len(self.table):
            raise DatasetError(
                f"{printable(labels_path.name)} holds the label {int(known.max())}, but the "
                f"classes end at {len(self.table) - 1} (ignore is {self.table.ignore})"
            )
        return LabelledImage(pixels, labels)


class SceneSource:
    """Drawn street scenes in the CamVid classes, one for every index, of one size."""

    def __init__(self, count: int, size: tuple[int, int], first_seed: int) -> None:
        self.count = count
        self.size = size
        self.first_seed = first_seed

    def __len__(self) -> int:
        return self.count

    def read(self, index: int) -> LabelledImage:
        """Draw scene number `index`."""
        from pspgui.scenes import render_scene

        scene = render_scene(self.first_seed + index, *self.size)
        return LabelledImage(scene.image, scene.labels)


class JoinedSource:
    """Several sources read as one, in their order."""

    def __init__(self, *sources: Source) -> None:
        self.sources = sources

    def __len__(self) -> int:
        return sum(len(source) for source in self.sources)

    def read(self, index: int) -> LabelledImage:
        """Return the sample of the source that holds the index."""
        for source in self.sources:
            if index < len(source):
                return source.read(index)
            index -= len(source)
        raise IndexError("no source holds this sample")


def as_tensors(sample: LabelledImage) -> tuple[tv_tensors.Image, tv_tensors.Mask]:
    """Return the sample as a (3, H, W) uint8 image and an (H, W) int64 mask."""
    pixels = torch.tensor(np.moveaxis(sample.pixels, -1, 0))
    labels = torch.tensor(sample.labels.astype(np.int64))
    return tv_tensors.Image(pixels), tv_tensors.Mask(labels)


def batches(
    source: Source,
    scenes: Source | None,
    transform: v2.Transform,
    *,
    batch: int,
    seed: int,
    epoch: int,
    first_batch: int = 0,
) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield (images (B, 3, H, W), labels (B, H, W)) of one epoch; an incomplete batch is dropped.

    Order and augmentation are pure functions of (seed, epoch, position), so that a run resumed at
    any batch sees what the uninterrupted run would have seen.
    """
    total = len(source) + (len(scenes) if scenes else 0)
    order = np.random.default_rng([seed, epoch]).permutation(total)
    for start in range(first_batch * batch, total - batch + 1, batch):
        pairs = []
        for position in order[start : start + batch]:
            index = int(position)
            if index < len(source) or scenes is None:
                sample = source.read(index)
            else:
                sample = scenes.read(epoch * len(scenes) + index - len(source))
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(((seed * 8191 + epoch) * 1_000_003 + index) & 0x7FFFFFFF)
                pairs.append(transform(*as_tensors(sample)))
        yield torch.stack([p[0] for p in pairs]), torch.stack([p[1] for p in pairs])


def label_weights(source: Source, table: ClassTable, mode: str) -> Tensor | None:
    """Return one weight a class, (K,) float32, from how often the labels hold it.

    Median frequency: the median of the classes' frequencies over each one's own, where a frequency
    counts only images in which the class occurs (Eigen & Fergus, arXiv 1411.4734).
    """
    if mode == "none":
        return None
    pixels = np.zeros(len(table))
    images = np.zeros(len(table))
    for index in range(len(source)):
        labels = source.read(index).labels
        counts = np.bincount(labels.ravel(), minlength=len(table))[: len(table)]
        pixels += counts
        images += (counts > 0) * float((labels != table.ignore).sum())
    frequency = np.divide(pixels, images, out=np.zeros_like(pixels), where=images > 0)
    seen = frequency > 0
    weights = np.ones(len(table))
    weights[seen] = np.median(frequency[seen]) / frequency[seen]
    if mode == "sqrt":
        weights = np.sqrt(weights)
    return torch.tensor(weights, dtype=torch.float32)
