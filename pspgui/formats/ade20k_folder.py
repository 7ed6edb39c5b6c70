"""Writing ADE20K's SceneParsing form: one-based grey PNGs in which 0 is unlabelled."""

from __future__ import annotations

import numpy as np

from pspgui.formats.options import ExportOptions
from pspgui.formats.png_files import grey_png, png_decoder
from pspgui.formats.scheme import LabelFile, Scheme
from pspgui.formats.value_map import ValueMap
from pspgui.labels.classes import ClassTable

_PUBLISHED = {"train": "training", "val": "validation"}


class Ade20kScheme(Scheme):
    """images/{training,validation}/<stem>, annotations/{training,validation}/<stem>.png."""

    key = "ade20k"

    def __init__(self, table: ClassTable, options: ExportOptions) -> None:
        """Raise `FormatError` for more classes than 255."""
        super().__init__(table, options)
        self._values = ValueMap.counted(table, first=1, ignore=0)

    def image_path(self, split: str | None, stem: str, suffix: str) -> str:
        """Return where an image goes."""
        return f"images/{_folder(split)}/{stem}{suffix}"

    def label_files(self, split: str | None, stem: str, labels: np.ndarray) -> list[LabelFile]:
        """Return a grey PNG."""
        path = f"annotations/{_folder(split)}/{stem}.png"
        content = grey_png(self._values.encode(labels))
        return [LabelFile(path, content, png_decoder(path, self._values))]

    def values(self) -> ValueMap:
        """Return the values of the classes."""
        return self._values


def _folder(split: str | None) -> str:
    return _PUBLISHED.get(str(split), str(split))
