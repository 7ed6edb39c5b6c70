"""Class tables of formats that list names, with or without colours."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from pspgui.durable import printable
from pspgui.formats.coding import Colour
from pspgui.formats.errors import FormatError
from pspgui.formats.value_map import written_table
from pspgui.labels.classes import IGNORE, ClassTable, ClassTableError, table

_HEX = re.compile(r"#?([0-9a-fA-F]{2})([0-9a-fA-F]{2})([0-9a-fA-F]{2})")
MOST_CLASSES = 65_534


def named_table(root: Path, rows: Sequence[tuple[str, Colour | None]], where: Path) -> ClassTable:
    """Return the table of names with colours; None stands for one of our own choice.

    Where an export of ours in `root` describes classes of the same names, its table is returned,
    in its order. Raises `FormatError` naming the file `where` for names that repeat or are empty.
    """
    own = written_table(root)
    if own is not None and {name for name, _ in rows} <= set(own.names):
        return own
    if len(rows) > MOST_CLASSES:
        raise FormatError(f"{printable(where)}: {len(rows):,} classes are more than labels hold")
    try:
        return table(
            *((name, colour or colour_of(i)) for i, (name, colour) in enumerate(rows)),
            ignore=IGNORE if len(rows) <= IGNORE else 65535,
        )
    except ClassTableError as error:
        raise FormatError(f"{printable(where)}: {error}") from error


def colour_of(number: int) -> Colour:
    """Return a colour for a class that has none: VOC's, its bits spread over the channels."""
    value, shift = number + 1, 7
    red = green = blue = 0
    while value and shift >= 0:
        red |= (value & 1) << shift
        green |= (value >> 1 & 1) << shift
        blue |= (value >> 2 & 1) << shift
        value, shift = value >> 3, shift - 1
    return red, green, blue


def colour_from_hex(text: object) -> Colour | None:
    """Return the colour of `#rrggbb`, None for anything else."""
    found = _HEX.fullmatch(text.strip()) if isinstance(text, str) else None
    if found is None:
        return None
    red, green, blue = (int(part, 16) for part in found.groups())
    return red, green, blue


def hex_of(colour: Colour) -> str:
    """Return `#rrggbb`."""
    return "#" + bytes(colour).hex()


def number_of(classes: ClassTable) -> dict[str, int]:
    """Return labels by class name."""
    return {name: label for label, name in enumerate(classes.names)}
