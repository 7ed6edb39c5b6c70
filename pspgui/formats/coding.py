"""How the values that stand in label files become labels of the class table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np

from pspgui.durable import printable
from pspgui.formats.errors import FormatError
from pspgui.imaging import (
    DecodedImage,
    DecodeError,
    decode_image,
    decode_labels,
    image_from_bytes,
)
from pspgui.labels.classes import IGNORE

Colour = tuple[int, int, int]


class FileValues(NamedTuple):
    """The different values of one label file, ascending, and whether it is grey (no palette)."""

    values: tuple[int, ...]
    is_grey: bool


class LabelCoding(Protocol):
    """What the values of a data set's label files mean.

    `key` names the kind of value (for the cache of what was seen; "" where one file holds many
    images, which is not cached), `expected` is a clause that
    says which values there should be; it is empty where the class table alone decides.
    """

    @property
    def key(self) -> str:
        """Name the kind of value that `values_of` gives."""

    @property
    def expected(self) -> str:
        """Say which values there should be."""

    def read(self, path: Path) -> np.ndarray:
        """Return labels (H, W) uint8 or uint16; raises `DecodeError` or `FormatError`."""

    def values_of(self, path: Path) -> FileValues:
        """Return the values of a file as they stand in it; raises `DecodeError`."""

    def label_of(self, value: int) -> int | None:
        """Return the label of a value, or None where it has no meaning."""

    def show(self, value: int) -> str:
        """Return a value as a person would write it."""


class PlainCoding:
    """Values are labels already; which of them exist is for the class table to say."""

    key = "values"
    expected = ""

    def read(self, path: Path) -> np.ndarray:
        """Return the file's values, (H, W) uint8 or uint16."""
        return decode_labels(path).labels

    def values_of(self, path: Path) -> FileValues:
        """Return the different values of a file."""
        decoded = decode_labels(path)
        return FileValues(_different(decoded.labels), decoded.palette is None)

    def label_of(self, value: int) -> int | None:
        """Return the value."""
        return value

    def show(self, value: int) -> str:
        """Return `the value 7`."""
        return f"the value {value}"


class ValueCoding(PlainCoding):
    """Values 0..255 with another meaning than labels, by a lookup table; exact.

    `labels` gives the label of every value that may occur.
    """

    def __init__(self, labels: Mapping[int, int], expected: str) -> None:
        self.expected = expected
        self._lookup = np.full(257, -1, np.int32)  # the last stands for all values above 255
        self._kind = np.uint16 if max(labels.values(), default=0) > 255 else np.uint8
        for value, label in labels.items():
            self._lookup[value] = label

    def read(self, path: Path) -> np.ndarray:
        """Return labels, (H, W) uint8, uint16 where some are above 255; raises `FormatError`."""
        values = decode_labels(path).labels
        within = values if values.dtype == np.uint8 else np.minimum(values, 256)
        labels: np.ndarray = self._lookup[within]
        if labels.min() < 0:
            raise unknown_value(path, int(values[labels < 0][0]), self)
        return np.asarray(labels, self._kind)

    def label_of(self, value: int) -> int | None:
        """Return the label of a value, or None."""
        label = int(self._lookup[min(value, 256)])
        return label if label >= 0 else None


class ColourCoding:
    """Colours instead of values: every colour that may occur, and its label. No colour is guessed.

    A value is the colour as one number, red * 65536 + green * 256 + blue.
    """

    key = "colours"

    def __init__(self, labels: Mapping[Colour, int], expected: str) -> None:
        self.expected = expected
        self._labels = {_packed(colour): label for colour, label in labels.items()}
        ordered = sorted(self._labels.items())
        self._colours = np.array([colour for colour, _ in ordered], np.uint32)
        kind = np.uint8 if max(labels.values()) <= 255 else np.uint16
        self._by_rank: np.ndarray = np.array([label for _, label in ordered], kind)

    def read(self, path: Path) -> np.ndarray:
        """Return labels, (H, W) uint8; raises `FormatError` naming a colour that is not listed.

        They are uint16 where the ignore label is above 255.
        """
        return self._labels_of(path, _colours_of(decode_image(path)))

    def from_bytes(self, path: str | Path, content: bytes) -> np.ndarray:
        """Return labels as `read`, from a file's bytes; `path` serves the messages."""
        return self._labels_of(Path(path), _colours_of(image_from_bytes(path, content)))

    def _labels_of(self, path: Path, values: np.ndarray) -> np.ndarray:
        ranks = np.searchsorted(self._colours, values)
        known = self._colours[np.minimum(ranks, len(self._colours) - 1)] == values
        if not known.all():
            raise unknown_value(path, int(values[~known][0]), self)
        labels: np.ndarray = self._by_rank[ranks]
        return labels

    def values_of(self, path: Path) -> FileValues:
        """Return the different colours of a file as numbers."""
        return FileValues(tuple(int(v) for v in np.unique(_colours_of(decode_image(path)))), False)

    def label_of(self, value: int) -> int | None:
        """Return the label of a colour, or None."""
        return self._labels.get(value)

    def show(self, value: int) -> str:
        """Return `the colour (64, 128, 64)`."""
        return f"the colour {(value >> 16, value >> 8 & 255, value & 255)}"


PLAIN = PlainCoding()


def identity_and(ignored: Iterable[int], classes: int) -> dict[int, int]:
    """Return the lookup of values that are labels 0..classes-1, with others that mean ignore."""
    return {**{value: value for value in range(classes)}, **dict.fromkeys(ignored, IGNORE)}


def unknown_value(path: Path, value: int, coding: LabelCoding) -> FormatError:
    """Return the error of a value without a meaning: file, value, and what was expected."""
    return FormatError(f"{printable(path)} holds {coding.show(value)}; {coding.expected}")


def _packed(colour: Colour) -> int:
    red, green, blue = colour
    return red << 16 | green << 8 | blue


def _colours_of(decoded: DecodedImage) -> np.ndarray:
    """Return the colours of a file as numbers, (H, W) uint32."""
    if decoded.format == "JPEG":
        raise DecodeError(
            decoded.path, "a JPEG changes the colours that stand for classes; use the PNG"
        )
    pixels = decoded.pixels.astype(np.uint32)
    packed: np.ndarray = pixels[..., 0] << 16 | pixels[..., 1] << 8 | pixels[..., 2]
    return packed


def _different(labels: np.ndarray) -> tuple[int, ...]:
    counts = np.bincount(labels.ravel())
    return tuple(int(v) for v in np.flatnonzero(counts))
