"""Telling of a file that a command wrote, and of the folder that was made for it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

from pspgui.durable import printable


def write_and_tell(path: Path, write: Callable[[], None], aside: bool = False) -> None:
    """Write a file, and print a line that names it, and its folder where that was not there.

    aside: on standard error, where standard output is for programs. Whatever `write` raises goes
    on, and nothing is told.
    """
    is_new = not path.parent.exists()
    write()
    folder = f"; its folder {printable(path.parent)} is new" if is_new else ""
    print(f"{printable(path)} written{folder}", file=sys.stderr if aside else sys.stdout)
