"""Hugging Face: parquet shards of images and label PNGs, and id2label.json.

Shards are data/<split>-*.parquet with columns `image` and `annotation` (or `label`), each a
structure of bytes and path. Values are class ids, 255 is ignored. Images are unpacked into the
cache folder, once for every state of a shard, for all else here reads images from files.
"""

from __future__ import annotations

import hashlib
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from pspgui import places
from pspgui.durable import printable, write_durably
from pspgui.formats.checked_json import read_json
from pspgui.formats.coding import FileValues
from pspgui.formats.errors import FormatError, plain
from pspgui.formats.named_classes import named_table
from pspgui.formats.samples import Layout, Sample
from pspgui.formats.value_map import ValueMap, written_values
from pspgui.imaging import is_image_name, labels_from_bytes
from pspgui.labels.classes import ClassTable

ID2LABEL = "id2label.json"
IMAGE, LABELS = "image", ("annotation", "label", "mask", "segmentation")
_SHARD = re.compile(r"(.+?)-\d{5}-of-\d{5}.*\.parquet")
_MOST_BYTES = 1 << 30  # of one image


def pyarrow() -> Any:
    """Return pyarrow with its parquet reader; raises `FormatError` where it is not installed."""
    try:
        import pyarrow.parquet
    except ImportError as error:
        raise FormatError(
            "parquet needs the package pyarrow; install pspgui with the extra `huggingface`"
        ) from error
    return pyarrow


class ParquetCoding(NamedTuple):
    """The labels in one row of a shard; `labels` gives them by value, None for all as they are."""

    row: int
    column: str
    values: ValueMap | None
    key: str = ""
    expected: str = f"{ID2LABEL} lists no such class"

    def read(self, path: Path) -> np.ndarray:
        """Return labels (H, W); raises `DecodeError` or `FormatError`."""
        content = _cell(path, self.row, self.column)
        name = path.with_name(f"{path.name}[{self.row}].png")
        labels = labels_from_bytes(name, content).labels
        if self.values is None:
            return labels
        try:
            decoded = self.values.decode(labels)
        except ValueError as error:
            raise FormatError(f"{printable(path)}, row {self.row}: {error}") from error
        return decoded if self.values.table.ignore > 255 else decoded.astype(np.uint8)

    def values_of(self, path: Path) -> FileValues:
        """Return the different labels."""
        return FileValues(tuple(np.unique(self.read(path)).tolist()), False)

    def label_of(self, value: int) -> int | None:
        """Return the value."""
        return value

    def show(self, value: int) -> str:
        """Return `the label 7`."""
        return f"the label {value}"


_open: dict[str, Any] = {}  # the shard read last; rows are asked for one after another
# Label files are checked several at a time, but pyarrow crashes where two threads read one file.
_reading = threading.Lock()


def _cell(path: Path, row: int, column: str) -> bytes:
    """Return the bytes in a cell; raises `FormatError`. Any thread."""
    with _reading, _damage_told(path):
        status = path.stat()
        key = f"{path}:{status.st_size}:{status.st_mtime_ns}:{status.st_ctime_ns}"
        if key not in _open:
            _open.clear()
            _open[key] = _File(path)
        content = _open[key].cell(row, column)
    if not isinstance(content, bytes) or len(content) > _MOST_BYTES:
        raise FormatError(f"{printable(path)}, row {row}: {column} holds no image")
    return content


@contextmanager
def _damage_told(path: Path) -> Iterator[None]:
    """Raise `FormatError` naming the file for whatever pyarrow raises on damage."""
    try:
        yield
    except FormatError:
        raise
    except Exception as error:
        raise FormatError(f"{printable(path)}: it is no parquet ({plain(error)})") from error


class _File:
    """One shard; a row group is in memory at a time."""

    def __init__(self, path: Path) -> None:
        self._file = pyarrow().parquet.ParquetFile(path)
        groups = self._file.metadata
        sizes = [groups.row_group(i).num_rows for i in range(groups.num_row_groups)]
        self.starts = np.concatenate(([0], np.cumsum(sizes))).tolist()
        self._held: tuple[int, str] | None = None
        self._column: Any = None

    @property
    def names(self) -> list[str]:
        """The columns."""
        return list(self._file.schema_arrow.names)

    def cell(self, row: int, column: str) -> Any:
        """Return the bytes of a structure, or the plain bytes."""
        group = int(np.searchsorted(self.starts, row, side="right")) - 1
        if self._held != (group, column):
            self._column = self._file.read_row_group(group, columns=[column])[column]
            self._held = (group, column)
        value = self._column[row - self.starts[group]].as_py()
        return value.get("bytes") if isinstance(value, dict) else value

    def path(self, row: int) -> str:
        """Return the file name that a row's image has, "" for none."""
        group = int(np.searchsorted(self.starts, row, side="right")) - 1
        if self._held != (group, IMAGE):
            self.cell(row, IMAGE)
        value = self._column[row - self.starts[group]].as_py()
        return str(value.get("path") or "") if isinstance(value, dict) else ""


def _shards(root: Path) -> dict[str, list[Path]]:
    found: dict[str, list[Path]] = {}
    for path in sorted((*(root / "data").glob("*.parquet"), *root.glob("*.parquet"))):
        named = _SHARD.fullmatch(path.name)
        found.setdefault(named[1] if named else path.stem, []).append(path)
    return found


def _find(root: Path) -> Path | None:
    return root if _shards(root) else None


def _splits(root: Path) -> tuple[str, ...]:
    return tuple(_shards(root))


def _read(root: Path, split: str | None) -> tuple[tuple[Sample, ...], ClassTable]:
    classes, values = _classes(root)
    samples: list[Sample] = []
    for path in _shards(root)[str(split)]:
        with _damage_told(path):
            shard = _File(path)
            names = shard.names
        column = next((name for name in LABELS if name in names), None)
        if column is None or IMAGE not in names:
            raise FormatError(
                f"{printable(path)}: there are no columns `{IMAGE}` and `{LABELS[0]}` in it"
            )
        taken: set[str] = set()
        for row in range(shard.starts[-1]):
            image = _unpacked(path, shard, row, taken)
            samples.append(Sample(image, path, ParquetCoding(row, column, values)))
    return tuple(samples), classes


def _classes(root: Path) -> tuple[ClassTable, ValueMap | None]:
    values = written_values(root)
    if values is not None:
        return values.table, None if values.is_identity else values
    path = root / ID2LABEL
    told = read_json(path)
    try:
        named = {int(number): str(name) for number, name in told.items()}
    except (AttributeError, ValueError, TypeError) as error:
        raise FormatError(f"{printable(path)}: expected {{id: name}}") from error
    ordered = sorted(number for number in named if number != 255)
    if not ordered or ordered != list(range(len(ordered))):
        raise FormatError(f"{printable(path)}: its ids do not count 0, 1, 2 …")
    return named_table(root, [(named[number], None) for number in ordered], path), None


def _unpacked(shard: Path, opened: _File, row: int, taken: set[str]) -> Path:
    """Return the image of a row as a file, written now unless it is there.

    A name that a row before it has taken, whatever its case, gets the row's number.
    """
    status = shard.stat()
    mark = f"{shard.absolute()}:{status.st_size}:{status.st_mtime_ns}"
    folder = places.cache_folder() / "parquet" / hashlib.sha256(mark.encode()).hexdigest()[:24]
    with _damage_told(shard):
        name = opened.path(row).replace("\\", "/").rpartition("/")[2]
    safe = re.sub(r"[^\w.\-]+", "_", name).lstrip(".") or f"row{row:06}.png"
    path = folder / (safe if is_image_name(safe) else f"{safe}.png")
    while path.name.casefold() in taken:
        path = path.with_stem(f"{path.stem}_row{row:06}")
    taken.add(path.name.casefold())
    if not path.is_file():
        write_durably(path, _cell(shard, row, IMAGE))
    return path


LAYOUT = Layout(
    "parquet", "Hugging Face parquet", "data/<split>-*.parquet and id2label.json", _find, _splits,
    _read,
)  # fmt: skip
