"""Daemon threads of the window: they end by themselves, and are silent once the process ends.

Qt's objects are destroyed then, while such a thread may be in the midst of its work: what it
emitted would end the process by a crash. What it works on is frozen, and it writes no file.
"""

from __future__ import annotations

import atexit
import contextlib
import threading
from collections.abc import Callable

from PySide6.QtCore import SignalInstance

_lock = threading.Lock()
_silent = False


def start_daemon(name: str, work: Callable[..., object], *arguments: object) -> threading.Thread:
    """Run `work(*arguments)` on a thread of its own that nobody waits for."""
    thread = threading.Thread(target=work, args=arguments, name=name, daemon=True)
    thread.start()
    return thread


def emit_late(signal: SignalInstance, *values: object) -> None:
    """Emit a signal from a daemon thread; nothing once its object is gone or the process ends."""
    with _lock, contextlib.suppress(RuntimeError):  # as PySide calls an object that is gone
        if not _silent:
            signal.emit(*values)


# Registered behind PySide's own, which destroys its objects, and so called before it.
@atexit.register
def _fall_silent() -> None:
    global _silent
    with _lock:
        _silent = True
