"""Writing labelme's form: a JSON file beside each image, one mask shape a class, and labels.txt."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from PIL import Image

from pspgui.formats.errors import FormatError
from pspgui.formats.layouts.labelme import BACKGROUND, IGNORED, LABELS, LAYOUT
from pspgui.formats.scheme import LabelFile, Scheme, Written

VERSION = "5.5.0"  # of the form


class LabelmeScheme(Scheme):
    """<split>/<stem> and <split>/<stem>.json, labels.txt; unlabelled pixels are under no shape.

    labels.txt begins with `__ignore__` and `_background_`, which labelme's converters ask for.
    """

    key = "labelme"
    layout = LAYOUT

    def __init__(self, *args: Any) -> None:
        """Raise `FormatError` for names that mean something else to labelme."""
        super().__init__(*args)
        for name in self.table.names:
            if name == IGNORED or name != name.strip() or not name.isprintable():
                raise FormatError(
                    f"the class name {name!r} cannot stand in {LABELS}; rename it without line "
                    "breaks or spaces at its ends"
                )
        self._shapes: dict[str, list[dict[str, Any]]] = {}

    def image_path(self, split: str | None, stem: str, suffix: str) -> str:
        """Return where an image goes."""
        return f"{split}/{stem}{suffix}"

    def label_files(self, split: str | None, stem: str, labels: np.ndarray) -> list[LabelFile]:
        """Return nothing: the shapes stand beside the image's final name."""
        self._shapes[stem] = [
            _shape(labels == label, self.table.names[label])
            for label in np.unique(labels).tolist()
            if label != self.table.ignore
        ]
        return []

    def closing_files(self, written: Sequence[Written]) -> Mapping[str, bytes]:
        """Return the list of labels and the JSON files."""
        known = [name for name in (IGNORED, BACKGROUND) if name not in self.table.names]
        files = {LABELS: ("\n".join([*known, *self.table.names]) + "\n").encode("utf-8")}
        for entry in written:
            told: dict[str, Any] = {
                "version": VERSION, "flags": {}, "shapes": self._shapes[entry.stem],
                "imagePath": entry.name, "imageData": None, "imageHeight": entry.shape[0],
                "imageWidth": entry.shape[1],
            }  # fmt: skip
            text = json.dumps(told, ensure_ascii=False, indent=1)
            files[f"{entry.split}/{entry.stem}.json"] = text.encode("utf-8")
        return files


def _shape(mask: np.ndarray, name: str) -> dict[str, Any]:
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    top, bottom, left, right = int(rows[0]), int(rows[-1]), int(columns[0]), int(columns[-1])
    patch = Image.fromarray(np.ascontiguousarray(mask[top : bottom + 1, left : right + 1]))
    buffer = io.BytesIO()
    patch.save(buffer, "PNG")
    return {
        "label": name, "points": [[left, top], [right, bottom]], "group_id": None,
        "description": "", "shape_type": "mask", "flags": {},
        "mask": base64.b64encode(buffer.getvalue()).decode("ascii"),
    }  # fmt: skip
