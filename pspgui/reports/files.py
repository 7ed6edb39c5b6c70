"""Writing a report to a file, in the form that its suffix names."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

from pspgui.durable import printable, write_durably
from pspgui.reports.contents import Contents
from pspgui.reports.figures import amounts, overview, pin_blocks, words
from pspgui.reports.sheet import Block, encoded

KINDS: Final = (".html", ".pdf", ".png", ".svg")


def check_path(path: Path) -> None:
    """Raise ValueError for a suffix that no report has, before any work is done."""
    if path.suffix.lower() not in KINDS:
        raise ValueError(
            f"{printable(path)} is no report: its name must end in {', '.join(KINDS[:-1])} or "
            f"{KINDS[-1]}"
        )


def report_bytes(contents: Contents, kind: str) -> bytes:
    """Return a report as a file's bytes; kind: "html", "pdf", "png" or "svg". Any thread.

    The same contents give the same bytes.
    """
    if kind == "html":
        from pspgui.reports.pages import html_of

        return html_of(contents).encode("utf-8")
    pins = [[*pin_blocks(contents, pin), amounts(pin)] for pin in contents.pins]
    first, last = overview(contents), words(contents)
    if kind == "pdf":
        return encoded([[*first, last], *pins], "pdf")
    together: list[Block] = [block for blocks in (first, *pins) for block in blocks]
    return encoded([[*together, last]], kind)


def write_report(
    contents: Contents, path: Path, draw: Callable[[Contents, str], bytes] = report_bytes
) -> None:
    """Write a report durably; raises ValueError for another suffix, `SaveError`. Any thread."""
    check_path(path)
    write_durably(path, draw(contents, path.suffix.lower()[1:]))
