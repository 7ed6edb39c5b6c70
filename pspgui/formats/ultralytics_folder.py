"""Writing Ultralytics' semantic form: images, masks of class ids with 255 ignored, and a YAML."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

import numpy as np

from pspgui.formats.options import ExportOptions
from pspgui.formats.png_files import grey_png, png_decoder
from pspgui.formats.scheme import LabelFile, Scheme, Written
from pspgui.formats.value_map import ValueMap
from pspgui.labels.classes import ClassTable


class UltralyticsScheme(Scheme):
    """images/<split>/<stem>, masks/<split>/<stem>.png, data.yaml with `masks_dir`."""

    key = "ultralytics"

    def __init__(self, table: ClassTable, options: ExportOptions) -> None:
        """Raise `FormatError` for more classes than 255."""
        super().__init__(table, options)
        self._values = ValueMap.counted(table)

    def image_path(self, split: str | None, stem: str, suffix: str) -> str:
        """Return where an image goes."""
        return f"images/{split}/{stem}{suffix}"

    def label_files(self, split: str | None, stem: str, labels: np.ndarray) -> list[LabelFile]:
        """Return a grey PNG."""
        path = f"masks/{split}/{stem}.png"
        content = grey_png(self._values.encode(labels))
        return [LabelFile(path, content, png_decoder(path, self._values))]

    def closing_files(self, written: Sequence[Written]) -> Mapping[str, bytes]:
        """Return data.yaml."""
        return {"data.yaml": described(written, self.table, 'masks_dir: "masks"')}

    def values(self) -> ValueMap:
        """Return the values of the classes."""
        return self._values


def described(written: Sequence[Written], table: ClassTable, *further: str) -> bytes:
    """Return data.yaml; both splits must stand in it, so one stands in for the other."""
    splits = list(dict.fromkeys(str(entry.split) for entry in written))
    places = {name: name if name in splits else splits[0] for name in ("train", "val", *splits)}
    lines = [f"{json.dumps(name)}: {json.dumps(f'images/{place}')}"
             for name, place in places.items()]  # fmt: skip
    lines += [*further, "names:", *(f"  {c.id}: {json.dumps(c.name)}" for c in table.classes)]
    return ("\n".join(lines) + "\n").encode("ascii")
