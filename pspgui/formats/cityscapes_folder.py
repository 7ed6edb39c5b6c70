"""Writing Cityscapes' form: leftImg8bit and gtFine with labelIds and labelTrainIds.

Classes are matched with the 19 evaluated ones by name. Where all of them are among these, trainIds
and ids are the published ones; other classes get trainIds in their own order, and no labelIds,
whose numbers have a fixed meaning.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from pspgui.formats.layouts.cityscapes import EVALUATED_IDS
from pspgui.formats.options import ExportOptions
from pspgui.formats.png_files import grey_png, png_decoder
from pspgui.formats.scheme import LabelFile, Scheme, Written
from pspgui.formats.value_map import ValueMap
from pspgui.labels.classes import ClassTable
from pspgui.labels.palettes import palette

_PUBLISHED_NAME = re.compile(r"[A-Za-z-]+_\d{6}_\d{6}")


class CityscapesScheme(Scheme):
    """leftImg8bit/<split>/<city>/*_leftImg8bit.png and gtFine/<split>/<city>/*_gtFine_*.png.

    Images are PNG, the one form its scripts read. Names that are not city_sequence_frame get
    `_000000_000000` after them and lie in the folder `export`.
    """

    key = "cityscapes"
    png_images = True

    def __init__(self, table: ClassTable, options: ExportOptions) -> None:
        """Raise `FormatError` for more classes than 255."""
        super().__init__(table, options)
        train_ids = _train_ids(table)
        self._label_ids: ValueMap | None = None
        if train_ids is None:
            self._train_ids = ValueMap.counted(table)
        else:
            self._train_ids = ValueMap(table, train_ids, 255)
            self._label_ids = ValueMap(table, tuple(EVALUATED_IDS[t] for t in train_ids), 0)

    def stem_of(self, stem: str) -> str:
        """Return city_sequence_frame: the stem itself where it is of that form."""
        bare = stem.removesuffix("_leftImg8bit")
        if _PUBLISHED_NAME.fullmatch(bare):
            return bare
        city = re.sub(r"[^0-9A-Za-z.]+", "-", bare).strip("-.") or "image"
        return f"{city}_000000_000000"

    def numbered(self, stem: str, number: int) -> str:
        """Return the stem with the number in its first part."""
        city, rest = stem.split("_", 1)
        return f"{city}-{number}_{rest}"

    def image_path(self, split: str | None, stem: str, suffix: str) -> str:
        """Return where an image goes."""
        return f"leftImg8bit/{split}/{_city(stem)}/{stem}_leftImg8bit{suffix}"

    def label_files(self, split: str | None, stem: str, labels: np.ndarray) -> list[LabelFile]:
        """Return grey PNGs: labelTrainIds, and labelIds for the published classes."""
        kinds = {"labelTrainIds": self._train_ids, "labelIds": self._label_ids}
        files = []
        for ending, values in kinds.items():
            if values is not None:
                path = f"gtFine/{split}/{_city(stem)}/{stem}_gtFine_{ending}.png"
                content = grey_png(values.encode(labels))
                files.append(LabelFile(path, content, png_decoder(path, values)))
        return files

    def notes(self, written: Sequence[Written]) -> Sequence[str]:
        """Say when the classes are not those of Cityscapes."""
        if self._label_ids is not None:
            return ()
        return (
            "the classes are not those of Cityscapes: labelTrainIds follow their own order, and "
            "labelIds, whose numbers have a fixed meaning, were not written",
        )

    def values(self) -> ValueMap:
        """Return the trainIds of the classes."""
        return self._train_ids


def _train_ids(table: ClassTable) -> tuple[int, ...] | None:
    """Return the published trainIds of all classes, or None where one has no such name."""
    known = {name.casefold(): number for number, name in enumerate(palette("cityscapes19").names)}
    found = [known.get(name.casefold().strip()) for name in table.names]
    matched = tuple(number for number in found if number is not None)
    return matched if len(set(matched)) == len(found) else None


def _city(stem: str) -> str:
    city, _, frame = stem.partition("_")
    return city if frame != "000000_000000" else "export"
