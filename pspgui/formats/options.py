"""What a person may choose about an export, whatever the format."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

_LAST_NUMBER = re.compile(r"[^0-9A-Za-z]*\d+\D*$")


class ExportOptions(BaseModel):
    """Choices that every export takes; a format refuses those that its convention fixes.

    train_share: part of the images that goes to `train`, the rest to `val`; group: what stays in
    one split, single images or the frames of one video; images: copy the files, link to them, or
    write labels alone; first_value: the value of the first class, ignore_value: that of unlabelled
    pixels, both None for the format's own; misfits: what becomes of images whose labels have
    another size, refuse them, resize the labels to the nearest pixel, or skip them; model: digest
    of the model whose answers were corrected.
    Raises pydantic's `ValidationError`, a ValueError.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    train_share: float | None = Field(default=None, gt=0, lt=1)
    group: Literal["image", "sequence"] = "image"
    images: Literal["copy", "link", "none"] = "copy"
    first_value: Literal[0, 1] | None = None
    ignore_value: int | None = Field(default=None, ge=0, le=65535)
    misfits: Literal["refuse", "resize", "skip"] = "refuse"
    model: str | None = None


class SplitChooser:
    """Sorts images into `train` and `val` as they come, without knowing how many there will be.

    A group goes to `train` while that split has no more than its share so far, so the shares come
    out right to within one group. The same images in the same order give the same splits.
    """

    def __init__(self, train_share: float, group: Literal["image", "sequence"]) -> None:
        self._share, self._by_sequence = train_share, group == "sequence"
        self._chosen: dict[tuple[Path, str], str] = {}
        self.counts = {"train": 0, "val": 0}

    def choose(self, image: Path) -> str:
        """Return the split of an image; the choice holds for its whole group."""
        if self._by_sequence and sequence_of(image) in self._chosen:
            return self._chosen[sequence_of(image)]
        total = sum(self.counts.values())
        return "train" if self.counts["train"] <= self._share * total else "val"

    def count(self, image: Path, split: str) -> None:
        """Take note that an image goes to a split."""
        self.counts[split] += 1
        if self._by_sequence:
            self._chosen[sequence_of(image)] = split

    def forget(self, split: str) -> None:
        """Take note that an image of a split could not be written."""
        self.counts[split] -= 1


def sequence_of(image: Path) -> tuple[Path, str]:
    """Return what frames of one video share: their folder, and the name before the last number."""
    return image.parent, _LAST_NUMBER.sub("", image.stem.removesuffix("_leftImg8bit"))
