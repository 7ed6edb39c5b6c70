"""Writing Label Studio's tasks: one brush region a class and image, and the labelling config."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote
from xml.sax.saxutils import quoteattr

import numpy as np

from pspgui.formats.layouts.label_studio import LAYOUT, PREFIX
from pspgui.formats.named_classes import hex_of
from pspgui.formats.scheme import LabelFile, Scheme, Written
from pspgui.labels.brush_rle import encode_brush

CONFIG = "label_config.xml"


class LabelStudioScheme(Scheme):
    """images/<split>/<stem>, label_studio_<split>.json, label_config.xml.

    Addresses of images are those of Label Studio's local storage: serve the folder from its root.
    """

    key = "label-studio"
    layout = LAYOUT

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._regions: dict[str, list[dict[str, Any]]] = {}

    def image_path(self, split: str | None, stem: str, suffix: str) -> str:
        """Return where an image goes."""
        return f"images/{split}/{stem}{suffix}"

    def label_files(self, split: str | None, stem: str, labels: np.ndarray) -> list[LabelFile]:
        """Return nothing: regions are kept for the end."""
        self._regions[stem] = [
            _region(labels == label, self.table.names[label], number)
            for number, label in enumerate(np.unique(labels).tolist(), 1)
            if label != self.table.ignore
        ]
        return []

    def closing_files(self, written: Sequence[Written]) -> Mapping[str, bytes]:
        """Return the tasks of every split, and the config."""
        files = {CONFIG: self._config().encode("utf-8")}
        for split in dict.fromkeys(entry.split for entry in written):
            tasks = [
                {"id": number, "data": {"image": _address(entry)},
                 "annotations": [{"result": self._regions[entry.stem]}]}
                for number, entry in enumerate(written, 1) if entry.split == split
            ]  # fmt: skip
            text = json.dumps(tasks, ensure_ascii=False, separators=(",", ":"))
            files[f"{PREFIX}{split}.json"] = text.encode("utf-8")
        return files

    def notes(self, written: Sequence[Written]) -> Sequence[str]:
        """Say how the images are found."""
        return (
            f"paste {CONFIG} into the project's labelling interface; tasks look for images in "
            "local storage, so set LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT to this folder",
        )

    def _config(self) -> str:
        labels = "".join(
            f"    <Label value={quoteattr(entry.name)} "
            f"background={quoteattr(hex_of(entry.colour))}/>\n"
            for entry in self.table.classes
        )
        return (
            '<View>\n  <Image name="image" value="$image" zoom="true"/>\n'
            f'  <BrushLabels name="tag" toName="image">\n{labels}  </BrushLabels>\n</View>\n'
        )


def _address(entry: Written) -> str:
    path = entry.image or f"images/{entry.split}/{entry.name}"
    return f"/data/local-files/?d={quote(path)}"


def _region(mask: np.ndarray, name: str, number: int) -> dict[str, Any]:
    height, width = mask.shape
    return {
        "id": f"region{number}", "type": "brushlabels", "from_name": "tag", "to_name": "image",
        "original_width": width, "original_height": height, "image_rotation": 0,
        "value": {"format": "rle", "rle": list(encode_brush(mask)), "brushlabels": [name]},
    }  # fmt: skip
