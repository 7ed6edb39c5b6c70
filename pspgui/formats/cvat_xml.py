"""Writing CVAT XML 1.1 ("CVAT for images"): one mask a class and image, run lengths by rows.

Unlabelled pixels are under no mask, and masks never overlap.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from xml.sax.saxutils import quoteattr

import numpy as np

from pspgui.formats.errors import FormatError
from pspgui.formats.layouts.cvat_xml import FILE, LAYOUT
from pspgui.formats.named_classes import hex_of
from pspgui.formats.scheme import LabelFile, Scheme, Written
from pspgui.labels.rle import encode_runs


class CvatXmlScheme(Scheme):
    """images/<split>/<stem> and annotations.xml; splits are its subsets."""

    key = "cvat-xml"
    layout = LAYOUT

    def __init__(self, *args: Any) -> None:
        """Raise `FormatError` for names that XML cannot hold."""
        super().__init__(*args)
        for name in self.table.names:
            if any(ord(c) < 32 or c in "\ufffe\uffff" for c in name) or "\x7f" <= name <= "\x9f":
                raise FormatError(f"the class name {name!r} cannot stand in XML; rename it")
        self._masks: dict[str, list[str]] = {}

    def image_path(self, split: str | None, stem: str, suffix: str) -> str:
        """Return where an image goes."""
        return f"images/{split}/{stem}{suffix}"

    def label_files(self, split: str | None, stem: str, labels: np.ndarray) -> list[LabelFile]:
        """Return nothing: masks are kept for the end."""
        self._masks[stem] = [
            _mask(labels == label, self.table.names[label])
            for label in np.unique(labels).tolist()
            if label != self.table.ignore
        ]
        return []

    def closing_files(self, written: Sequence[Written]) -> Mapping[str, bytes]:
        """Return annotations.xml."""
        subsets = [_text(name) for name in dict.fromkeys(str(entry.split) for entry in written)]
        lines = ['<?xml version="1.0" encoding="utf-8"?>', "<annotations>",
                 "  <version>1.1</version>", "  <meta><project>", "    <tasks>"]  # fmt: skip
        # Subsets belong to projects; readers look for them in its tasks or in its list.
        for number, name in enumerate(subsets):
            task = f"<id>{number}</id><name>{name}</name><subset>{name}</subset>"
            lines.append(f"      <task>{task}</task>")
        lines += ["    </tasks>", "    <labels>"]
        for entry in self.table.classes:
            colour = hex_of(entry.colour)
            lines.append(f"      <label><name>{_text(entry.name)}</name><color>{colour}</color>"
                         "<type>mask</type><attributes></attributes></label>")  # fmt: skip
        listed = "\n".join(subsets)
        lines += ["    </labels>", f"    <subsets>{listed}</subsets>", "  </project></meta>"]
        for number, image in enumerate(written):
            name, subset = quoteattr(image.name), quoteattr(str(image.split))
            size = f'width="{image.shape[1]}" height="{image.shape[0]}"'
            lines.append(f'  <image id="{number}" name={name} subset={subset} {size}>')
            lines += [*self._masks[image.stem], "  </image>"]
        return {FILE: ("\n".join([*lines, "</annotations>"]) + "\n").encode("utf-8")}

    def notes(self, written: Sequence[Written]) -> Sequence[str]:
        """Say where CVAT takes masks."""
        return (
            "in CVAT, make a task of the images and upload annotations.xml to it; "
            "what CVAT imports into a whole project has no masks",
        )


def _mask(mask: np.ndarray, name: str) -> str:
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    top, bottom, left, right = int(rows[0]), int(rows[-1]), int(columns[0]), int(columns[-1])
    runs = encode_runs(mask[top : bottom + 1, left : right + 1].T)
    return (
        f'    <mask label={quoteattr(name)} source="manual" occluded="0" '
        f'rle="{", ".join(map(str, runs))}" left="{left}" top="{top}" '
        f'width="{right - left + 1}" height="{bottom - top + 1}" z_order="0"></mask>'
    )


def _text(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
