"""Class tables of the published data sets: names and colours, kept as JSON with the resources."""

from __future__ import annotations

from pspgui import places
from pspgui.labels.classes import ClassTable, ClassTableError

PALETTES = ("ade20k150", "camvid", "cityscapes19", "voc2012")


def palette(name: str) -> ClassTable:
    """Return a published class table: one of `PALETTES`, all with 255 as the ignore label.

    Raises `ClassTableError` for another name, or when the shipped file is missing or damaged.
    """
    if name not in PALETTES:
        raise ClassTableError(f"no class table is called {name!r}; there are {', '.join(PALETTES)}")
    return ClassTable.load(places.resources() / "palettes" / f"{name}.json")
