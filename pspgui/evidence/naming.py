"""What sources are called where a person types or reads them: local, 6x6:0,5, or their title."""

from __future__ import annotations

from collections.abc import Sequence

from pspgui.evidence.readings import Source


def name_of(source: Source) -> str:
    """Return a source's name: its title, `local`, or `BINSxBINS:ROW,COLUMN`."""
    if source.title:
        return source.title
    if source.kind == "local":
        return "local"
    if source.kind == "level":
        return f"{source.level}x{source.level}"
    return f"{source.level}x{source.level}:{source.row},{source.col}"


def source_called(sources: Sequence[Source], name: str) -> Source:
    """Return the source of that name, whatever its capitals and spaces, `x` or `×`.

    Raises ValueError that names some of those there are.
    """
    known = {_key(name_of(source)): source for source in sources}
    found = known.get(_key(name))
    if found is None:
        names = [name_of(source) for source in sources]
        some = ", ".join(names[:6]) + (f", … {names[-1]}" if len(names) > 6 else "")
        raise ValueError(f"there is no source {name!r} to open: they are {some}")
    return found


def _key(name: str) -> str:
    return "".join(name.lower().replace("×", "x").split())
