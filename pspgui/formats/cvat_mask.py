"""Writing CVAT's "Segmentation mask 1.1": VOC's folders, colour PNGs and labelmap.txt.

Every class has its own colour; unlabelled pixels are black, which CVAT calls background, unless a
class is black itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from pspgui.formats.coding import Colour, ColourCoding
from pspgui.formats.errors import FormatError
from pspgui.formats.layouts.cvat import colour_labels
from pspgui.formats.options import ExportOptions
from pspgui.formats.scheme import LabelFile, Scheme, Written
from pspgui.formats.voc_folder import split_lists
from pspgui.imaging import encode_png
from pspgui.labels.classes import ClassTable

BLACK: Colour = (0, 0, 0)
UNLABELLED = ("background", "unlabelled", "no class")


class CvatMaskScheme(Scheme):
    """JPEGImages/<stem>, SegmentationClass/<stem>.png, ImageSets/Segmentation, labelmap.txt."""

    key = "cvat-mask"

    def __init__(self, table: ClassTable, options: ExportOptions) -> None:
        """Raise `FormatError` for classes of one colour, or names that labelmap.txt cannot hold."""
        super().__init__(table, options)
        seen: dict[Colour, str] = {}
        for entry in table.classes:
            if entry.colour in seen:
                raise FormatError(
                    f"the classes {seen[entry.colour]} and {entry.name} have one colour, which "
                    "CVAT masks tell apart by; give one of them another"
                )
            if _is_unwritable(entry.name):
                raise FormatError(
                    f"the class name {entry.name!r} cannot stand in labelmap.txt; rename it "
                    "without `:`, a first `#`, line breaks or spaces at its ends"
                )
            seen[entry.colour] = entry.name
        self._ignore = BLACK if BLACK not in seen else _free_colour(seen)
        self._ignore_name = next(name for name in (*UNLABELLED, "") if name not in table.names)
        if not self._ignore_name:
            raise FormatError(f"no name is left for unlabelled pixels; rename {UNLABELLED[2]!r}")
        self._lookup = np.zeros((65536, 3), np.uint8)
        self._lookup[: len(table)] = [entry.colour for entry in table.classes]
        self._lookup[table.ignore] = self._ignore
        self._coding = ColourCoding(
            colour_labels(table, self._ignore), "labelmap.txt lists the colours"
        )

    def image_path(self, split: str | None, stem: str, suffix: str) -> str:
        """Return where an image goes."""
        return f"JPEGImages/{stem}{suffix}"

    def label_files(self, split: str | None, stem: str, labels: np.ndarray) -> list[LabelFile]:
        """Return a colour PNG."""
        path = f"SegmentationClass/{stem}.png"
        content = encode_png(self._lookup[labels])
        return [LabelFile(path, content, lambda back: self._coding.from_bytes(path, back))]

    def closing_files(self, written: Sequence[Written]) -> Mapping[str, bytes]:
        """Return labelmap.txt, unlabelled first, and the lists of stems."""
        rows = [
            (self._ignore_name, self._ignore),
            *((c.name, c.colour) for c in self.table.classes),
        ]
        lines = ["# label:color_rgb:parts:actions"]
        lines += [f"{name}:{red},{green},{blue}::" for name, (red, green, blue) in rows]
        labelmap = {"labelmap.txt": ("\n".join(lines) + "\n").encode("utf-8")}
        return {**labelmap, **split_lists(written)}


def _is_unwritable(name: str) -> bool:
    return ":" in name or name.startswith("#") or name != name.strip() or not name.isprintable()


def _free_colour(taken: Mapping[Colour, str]) -> Colour:
    return next(
        colour for grey in range(224, 256) if (colour := (grey, grey, 192)) not in taken
    )  # fmt: skip
