"""What sources are called where a person types or reads them: local, 6x6:1,6, or their title.

People count rows and columns from 1, in the window, reports, tables and what they type alike; JSON
has the indices from 0 that `Source` has.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from pspgui.evidence.readings import Source, tap_title


def name_of(source: Source) -> str:
    """Return a source's name: its title, `local`, or `BINSxBINS:ROW,COLUMN` counted from 1."""
    if source.title:
        return source.title
    if source.kind == "local":
        return "local"
    if source.kind == "level":
        return f"{source.level}x{source.level}"
    return f"{source.level}x{source.level}:{source.row + 1},{source.col + 1}"


def tap_words(row: int, column: int, kernel: int, dilation: int = 1) -> str:
    """Return which way a tap of a convolution looks: "centre", "above left", "2 cells right".

    How far is said in cells where it is more than one.
    """
    down, across = ((at - kernel // 2) * dilation for at in (row, column))
    ways = [
        (abs(by), one if by < 0 else other)
        for by, one, other in ((down, "above", "below"), (across, "left", "right"))
        if by
    ]
    if not ways:
        return "centre"
    if all(by == 1 for by, _ in ways):
        return " ".join(way for _, way in ways)
    if len({by for by, _ in ways}) == 1:
        return f"{ways[0][0]} cells {' and '.join(way for _, way in ways)}"
    return ", ".join(f"{by} {way}" for by, way in ways)


def source_called(sources: Sequence[Source], name: str) -> Source:
    """Return the source of that name, whatever its capitals and spaces, `x` or `×`.

    A tap goes by its title in JSON, too. Raises ValueError that says how bins are counted, or
    names some of those there are.
    """
    known = {_key(tap_title(source)): source for source in sources if tap_title(source)}
    known |= {_key(name_of(source)): source for source in sources}
    found = known.get(_key(name))
    if found is None:
        asked = re.fullmatch(r"(\d+)x\1:-?\d+,-?\d+", _key(name))
        level = int(asked[1]) if asked else 0
        if any(source.kind == "bin" and source.level == level for source in sources):
            raise ValueError(
                f"there is no bin {name!r} to open: rows and columns of {level}x{level} are "
                f"counted from 1 to {level}, from the upper left"
            )
        names = [name_of(source) for source in sources]
        some = ", ".join(names[:6]) + (f", … {names[-1]}" if len(names) > 6 else "")
        raise ValueError(f"there is no source {name!r} to open: they are {some}")
    return found


def _key(name: str) -> str:
    return "".join(name.lower().replace("×", "x").split())
