"""Drawing a report in a process of its own, so that the window stays as quick as it was.

A plotting library makes hundreds of thousands of small objects, holding the interpreter for all
threads while it does, and the window's own collector walks them: the pointer would stall.
"""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pspgui
from pspgui.reports.contents import Contents

_POLL_S: Final = 0.1
_START: Final = "from pspgui.reports.apart import draw_for_another; draw_for_another()"


def report_bytes_apart(
    contents: Contents, kind: str, check: Callable[[], None] = lambda: None
) -> bytes:
    """Return what `files.report_bytes` does, drawn by another process where one can be started.

    `check` is called while it draws and may raise, which ends it. Any thread but the GUI's.
    """
    from pspgui.reports.files import report_bytes

    drawn = None if getattr(sys, "frozen", False) else _drawn(contents, kind, check)
    # What went wrong over there is said by its going wrong here.
    return report_bytes(contents, kind) if drawn is None else drawn


def draw_for_another() -> None:
    """Draw what standard input asks for and write it to standard output: the other process."""
    from pspgui.reports.files import report_bytes

    contents, kind = pickle.load(sys.stdin.buffer)
    sys.stdout.buffer.write(report_bytes(contents, kind))


def _drawn(contents: Contents, kind: str, check: Callable[[], None]) -> bytes | None:
    """Return the bytes from another process; None where it could not be started, or failed."""
    package = str(Path(pspgui.__file__).parent.parent)
    known = [p for p in (package, os.environ.get("PYTHONPATH")) if p]
    # Not through a pipe: `communicate` does not go on writing to one after it has timed out.
    with tempfile.TemporaryFile() as asked:
        try:
            pickle.dump((contents, kind), asked, protocol=pickle.HIGHEST_PROTOCOL)
            asked.seek(0)
            process = subprocess.Popen(
                [sys.executable, "-c", _START], stdin=asked, stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL, env={**os.environ, "PYTHONPATH": os.pathsep.join(known)},
                creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
            )  # fmt: skip
        except OSError:
            return None
        with process:
            try:
                return _awaited(process, check)
            except BaseException:
                process.kill()
                raise


def _awaited(process: subprocess.Popen[bytes], check: Callable[[], None]) -> bytes | None:
    """Return what a process writes; None where it fails."""
    while True:
        try:
            found, _ = process.communicate(timeout=_POLL_S)
        except subprocess.TimeoutExpired:
            check()
        else:
            return found if process.returncode == 0 else None
