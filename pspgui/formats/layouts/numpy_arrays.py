"""Label maps as numpy arrays, as pspgui exports them: images/<split>, arrays/<split>/*.npy.

Classes and values stand in dataset.json.
"""

from __future__ import annotations

import io
import math
import tokenize
from pathlib import Path

import numpy as np

from pspgui.durable import printable
from pspgui.formats.coding import FileValues, LabelCoding
from pspgui.formats.errors import FormatError, plain
from pspgui.formats.samples import Layout, Sample, first_folder, folders_of, images_by_stem, paired
from pspgui.formats.value_map import DESCRIPTION, ValueMap, written_values
from pspgui.imaging import MAX_PIXELS, DecodeError, read_file
from pspgui.labels.classes import ClassTable


def array_from_bytes(path: str | Path, content: bytes) -> np.ndarray:
    """Return the values (H, W) uint8 or uint16 of a .npy file's bytes; nothing is unpickled.

    Raises `DecodeError` for other arrays, and where the header promises another size than there is.
    """
    path, stream = Path(path), io.BytesIO(content)
    try:
        version = np.lib.format.read_magic(stream)
        if version != (1, 0):
            raise ValueError(f"version {version} of the form, not (1, 0)")
        shape, by_column, kind = np.lib.format.read_array_header_1_0(stream)
    except (
        ValueError, TypeError, SyntaxError, OverflowError, MemoryError, RecursionError,
        tokenize.TokenError,
    ) as error:  # fmt: skip
        raise DecodeError(
            path, f"it is no array that numpy saved, or its header is damaged ({plain(error)})"
        ) from error
    wanted = kind.newbyteorder("=") in (np.dtype(np.uint8), np.dtype(np.uint16))
    if len(shape) != 2 or not wanted or min(shape) < 1:
        raise DecodeError(
            path, f"label maps are (H, W) uint8 or uint16, not {shape} {kind}; save them so"
        )
    left, needed = len(content) - stream.tell(), math.prod(shape) * kind.itemsize
    if math.prod(shape) > MAX_PIXELS or left != needed:
        raise DecodeError(path, f"it should hold {needed} bytes of values, but has {left}")
    flat = np.frombuffer(content, kind, offset=stream.tell())
    array = flat.reshape(shape, order="F" if by_column else "C")
    return np.ascontiguousarray(array.astype(kind.newbyteorder("=")))


class ArrayCoding:
    """Values of .npy files, by the map that dataset.json holds."""

    key = "arrays"

    def __init__(self, values: ValueMap) -> None:
        self._values = values
        self._labels = {value: label for label, value in enumerate(values.values)}
        self._labels[values.ignore] = values.table.ignore
        self.expected = f"{DESCRIPTION} does not list that value"

    def read(self, path: Path) -> np.ndarray:
        """Return labels (H, W) uint8 or uint16; raises `DecodeError` or `FormatError`."""
        try:
            labels = self._values.decode(array_from_bytes(path, read_file(path)))
        except DecodeError:
            raise
        except ValueError as error:
            raise FormatError(f"{printable(path)}: {error}; {self.expected}") from error
        return labels.astype(np.uint8) if max(self._labels.values()) <= 255 else labels

    def values_of(self, path: Path) -> FileValues:
        """Return the different values of a file."""
        array = array_from_bytes(path, read_file(path))
        return FileValues(tuple(int(v) for v in np.flatnonzero(np.bincount(array.ravel()))), False)

    def label_of(self, value: int) -> int | None:
        """Return the label of a value, or None."""
        return self._labels.get(value)

    def show(self, value: int) -> str:
        """Return `the value 7`."""
        return f"the value {value}"


def _find(root: Path) -> Path | None:
    return first_folder(root, (), "images", "arrays")


def _splits(root: Path) -> tuple[str, ...]:
    return folders_of(root / "arrays")


def _read(root: Path, split: str | None) -> tuple[tuple[Sample, ...], ClassTable]:
    values = written_values(root)
    if values is None:
        raise FormatError(
            f"{printable(root / DESCRIPTION)}: classes and values are missing; export once more"
        )
    where = root / "arrays" / str(split)
    arrays = {path.stem: path for path in sorted(where.glob("*.npy")) if path.is_file()}
    coding: LabelCoding = ArrayCoding(values)
    images = images_by_stem(root / "images" / str(split))
    return paired(images, arrays, where, coding), values.table


LAYOUT = Layout("npy", "numpy arrays", "images/ and arrays/", _find, _splits, _read)
