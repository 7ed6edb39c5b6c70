"""Writing Hugging Face's form: parquet shards of images and lossless label PNGs, id2label.json."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pspgui.durable import SaveError, printable
from pspgui.formats.layouts.parquet import ID2LABEL, IMAGE, LABELS, LAYOUT, pyarrow
from pspgui.formats.options import ExportOptions
from pspgui.formats.png_files import grey_png
from pspgui.formats.scheme import LabelFile, Scheme, Written
from pspgui.formats.value_map import ValueMap
from pspgui.labels.classes import ClassTable

SHARD_BYTES = 400 << 20
_ROWS = 32  # a row group, which readers hold in memory
_PART = ".saving-{}.part"


class ParquetScheme(Scheme):
    """data/<split>-NNNNN-of-NNNNN.parquet with `image` and `annotation`, id2label.json, README.md.

    Values are the labels, 255 for unlabelled. One image at a time, so that rows keep their order;
    rows are written as they come and shards get their names when all are there.
    """

    key = "parquet"
    needs_images = True
    holds_images = True
    threads = 1
    layout = LAYOUT

    def __init__(self, table: ClassTable, options: ExportOptions) -> None:
        """Raise `FormatError` for more classes than 255, and where pyarrow is missing."""
        super().__init__(table, options)
        self._arrow = pyarrow()
        self._values = ValueMap.counted(table)
        self._image: tuple[str, bytes] = ("", b"")
        self._labels = b""
        self._shards: dict[str, list[_Shard]] = {}
        self._root = Path()

    def image_path(self, split: str | None, stem: str, suffix: str) -> str:
        """Return the image's name in its row."""
        return f"{stem}{suffix}"

    def label_files(self, split: str | None, stem: str, labels: np.ndarray) -> list[LabelFile]:
        """Return nothing: the PNG goes into the row."""
        self._labels = grey_png(self._values.encode(labels))
        return []

    def write_image(self, root: Path, path: str, content: bytes) -> None:
        """Keep the image for its row."""
        self._root, self._image = root, (path, content)

    def place(self, written: Written) -> None:
        """Add the row; raises `SaveError`."""
        path, content = self._image
        shards = self._shards.setdefault(str(written.split), [])
        try:
            if not shards or shards[-1].bytes > SHARD_BYTES:
                if shards:
                    shards[-1].close()
                name = _PART.format(f"{written.split}-{len(shards)}")
                shards.append(_Shard(self._root / "data" / name, self._arrow))
            shards[-1].add(path, content, self._labels)
        except OSError as error:
            raise _not_saved(self._root, error) from error

    def finish(self, root: Path, written: Sequence[Written]) -> None:
        """Give the shards their names; raises `SaveError`."""
        try:
            for split, shards in self._shards.items():
                for number, shard in enumerate(shards):
                    shard.close()
                    name = f"{split}-{number:05}-of-{len(shards):05}.parquet"
                    shard.path.replace(shard.path.with_name(name))
        except OSError as error:
            raise _not_saved(root, error) from error

    def closing_files(self, written: Sequence[Written]) -> Mapping[str, bytes]:
        """Return id2label.json and the card, which says where the splits are."""
        names = {str(entry.id): entry.name for entry in self.table.classes}
        text = json.dumps(names, ensure_ascii=False, indent=1) + "\n"
        lines = ["---", "task_categories:", "- image-segmentation", "configs:",
                 "- config_name: default", "  data_files:"]  # fmt: skip
        for split in self._shards:
            lines += [f"  - split: {json.dumps(split)}",
                      f"    path: {json.dumps(f'data/{split}-*')}"]  # fmt: skip
        lines += ["---", "", f"Label maps of class ids ({ID2LABEL}); 255 is not labelled.", ""]
        return {ID2LABEL: text.encode("utf-8"), "README.md": "\n".join(lines).encode("utf-8")}

    def values(self) -> ValueMap:
        """Return the values of the classes."""
        return self._values


class _Shard:
    """A parquet file being written, in row groups."""

    def __init__(self, path: Path, arrow: Any) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path, self._arrow = path, arrow
        self.bytes = 0
        cell = arrow.struct([("bytes", arrow.binary()), ("path", arrow.string())])
        feature = {name: {"_type": "Image"} for name in (IMAGE, LABELS[0])}
        told = json.dumps({"info": {"features": feature}})
        self._schema = arrow.schema(
            [(IMAGE, cell), (LABELS[0], cell)], metadata={"huggingface": told}
        )
        self._rows: list[dict[str, Any]] = []
        self._file = path.open("wb")
        # The PNGs and JPEGs inside are packed already.
        self._writer = arrow.parquet.ParquetWriter(
            self._file, self._schema, compression="none", use_dictionary=False
        )

    def add(self, name: str, image: bytes, labels: bytes) -> None:
        """Add a row."""
        label_name = name.rpartition(".")[0] + ".png"
        self._rows.append({
            IMAGE: {"bytes": image, "path": name}, LABELS[0]: {"bytes": labels, "path": label_name},
        })  # fmt: skip
        self.bytes += len(image) + len(labels)
        if len(self._rows) >= _ROWS:
            self._flush()

    def close(self) -> None:
        """Write what is left and sync; calling it again does nothing."""
        if self._file.closed:
            return
        self._flush()
        self._writer.close()
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()

    def _flush(self) -> None:
        if self._rows:
            self._writer.write_table(self._arrow.Table.from_pylist(self._rows, self._schema))
            self._rows = []


def _not_saved(root: Path, error: OSError) -> SaveError:
    failed = SaveError(
        f"{printable(root)}: the parquet files were not saved ({error.strerror or error}); free "
        "some space or choose another folder, then export once more"
    )
    failed.__cause__ = error
    return failed
