"""What sources are called where a person types or reads them: local, 6x6:1,6, or their title.

People count rows and columns from 1, in the window, reports, tables and what they type alike; JSON
has the indices from 0 that `Source` has.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from pspgui.evidence.readings import Source


def name_of(source: Source) -> str:
    """Return a source's name: its title, `local`, or `BINSxBINS:ROW,COLUMN` counted from 1."""
    if source.title:
        return source.title
    if source.kind == "local":
        return "local"
    if source.kind == "level":
        return f"{source.level}x{source.level}"
    return f"{source.level}x{source.level}:{source.row + 1},{source.col + 1}"


def source_called(sources: Sequence[Source], name: str) -> Source:
    """Return the source of that name, whatever its capitals and spaces, `x` or `×`.

    Raises ValueError that says how bins are counted, or names some of those there are.
    """
    known = {_key(name_of(source)): source for source in sources}
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
