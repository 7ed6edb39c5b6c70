"""Writing PASCAL VOC's form: JPEGImages, SegmentationClass as palette PNGs, lists of stems.

Class 0 stays value 0, unlabelled pixels become 255, VOC's border.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from pspgui.formats.options import ExportOptions
from pspgui.formats.png_files import png_decoder
from pspgui.formats.scheme import LabelFile, Scheme, Written
from pspgui.formats.value_map import ValueMap
from pspgui.imaging import encode_labels
from pspgui.labels.classes import ClassTable


class VocScheme(Scheme):
    """JPEGImages/<stem>, SegmentationClass/<stem>.png, ImageSets/Segmentation/<split>.txt."""

    key = "voc"

    def __init__(self, table: ClassTable, options: ExportOptions) -> None:
        """Raise `FormatError` for more classes than 255."""
        super().__init__(table, options)
        self._values = ValueMap.counted(table)

    def image_path(self, split: str | None, stem: str, suffix: str) -> str:
        """Return where an image goes."""
        return f"JPEGImages/{stem}{suffix}"

    def label_files(self, split: str | None, stem: str, labels: np.ndarray) -> list[LabelFile]:
        """Return a palette PNG."""
        path = f"SegmentationClass/{stem}.png"
        content = encode_labels(self._values.encode(labels), self._values.colours())
        return [LabelFile(path, content, png_decoder(path, self._values))]

    def closing_files(self, written: Sequence[Written]) -> Mapping[str, bytes]:
        """Return the lists of stems by split."""
        return split_lists(written)

    def notes(self, written: Sequence[Written]) -> Sequence[str]:
        """Say when images are no JPEGs: many readers of VOC look for .jpg alone."""
        others = sum(bool(w.image) and not w.image.endswith(".jpg") for w in written)
        if not others:
            return ()
        return (
            f"{others} images in JPEGImages are not .jpg files, which some readers of VOC insist "
            "on; they were not converted, since that changes pixels",
        )

    def values(self) -> ValueMap:
        """Return the values of the classes."""
        return self._values


def split_lists(written: Sequence[Written]) -> dict[str, bytes]:
    """Return ImageSets/Segmentation/<split>.txt with one stem a line, UTF-8."""
    stems: dict[str | None, list[str]] = {}
    for entry in written:
        stems.setdefault(entry.split, []).append(entry.stem)
    return {
        f"ImageSets/Segmentation/{split}.txt": ("\n".join(lines) + "\n").encode("utf-8")
        for split, lines in stems.items()
    }
