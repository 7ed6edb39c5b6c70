"""Errors on their way to the person: one sentence each, the traceback goes to a log file."""

from __future__ import annotations

import logging
import re
import sys
import threading
import traceback
from logging.handlers import RotatingFileHandler
from pathlib import Path
from types import TracebackType
from typing import NamedTuple

from PySide6.QtCore import (
    QMessageLogContext,
    QObject,
    Qt,
    QtMsgType,
    Signal,
    Slot,
    qInstallMessageHandler,
)

from pspgui import places
from pspgui.durable import printable
from pspgui.jobs.messages import Job
from pspgui.jobs.outcomes import never_failing

_log = logging.getLogger("pspgui.gui")

# PySide writes before a message through which of Qt's calls it came, which helps nobody.
_BY_WAY_OF = re.compile(r"(Error calling Python override of \S+: )+")
_NUMBER = re.compile(r"\d+")


def log_file() -> Path:
    """Return where tracebacks are written."""
    return places.user_folder() / "pspgui.log"


def start_logging() -> None:
    """Write warnings and errors to the log file; without one they go to standard error."""
    path = log_file()
    handler: logging.Handler
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handler = RotatingFileHandler(path, maxBytes=1 << 20, backupCount=1, encoding="utf-8",
                                      errors="backslashreplace", delay=True)  # fmt: skip
    except OSError:
        handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(logging.WARNING)
    qInstallMessageHandler(_log_qt)


def _log_qt(kind: QtMsgType, _context: QMessageLogContext, text: str) -> None:
    """Send Qt's own messages to the log; the offscreen platform's standing remark is dropped."""
    if kind == QtMsgType.QtDebugMsg or "propagateSizeHints" in text:
        return
    fatal = kind in (QtMsgType.QtCriticalMsg, QtMsgType.QtFatalMsg)
    logging.getLogger("qt").log(logging.ERROR if fatal else logging.WARNING, text)


def sentence(error: BaseException) -> str:
    """Return an error as one sentence for the person, and log the traceback of a surprise.

    Errors of this package are written for the person already.
    """
    if type(error).__module__.split(".")[0] == "pspgui":
        return str(error)
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return "The memory ran out. Close other programs, or work on a smaller image."
    _log.error("something unexpected went wrong", exc_info=error)
    return (
        f"Something unexpected went wrong ({type(error).__name__}: {_first_line(error)}). "
        f"Your labels are kept; details are in {printable(log_file())}."
    )


class Failure(NamedTuple):
    """What a job of `telling` gives instead of failing."""

    sentence: str


def telling(job: Job) -> Job:
    """Return a job that gives a `Failure` instead of failing."""
    return never_failing(job, lambda error: Failure(sentence(error)))


class Surprises(QObject):
    """Catches exceptions that nobody else did, on any thread, and tells each of them once.

    `told(str)` arrives on the GUI thread. The app goes on.
    """

    told = Signal(str)
    _caught = Signal(object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._seen: set[tuple[str, str]] = set()
        self._caught.connect(self._tell, Qt.ConnectionType.QueuedConnection)

    def install(self) -> None:
        """Become the handler of uncaught exceptions."""
        sys.excepthook = self.catch
        threading.excepthook = lambda caught: self.catch(
            caught.exc_type, caught.exc_value, caught.exc_traceback
        )

    def remove(self) -> None:
        """Give the hooks back to Python and Qt."""
        qInstallMessageHandler(None)
        sys.excepthook = sys.__excepthook__
        threading.excepthook = threading.__excepthook__

    def catch(
        self, kind: type[BaseException], error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Log the traceback and pass the error on; Ctrl+C in a terminal still ends the app."""
        if issubclass(kind, KeyboardInterrupt):
            sys.__excepthook__(kind, error or kind(), trace)
            return
        self._caught.emit(error or kind())

    @Slot(object)
    def _tell(self, error: BaseException) -> None:
        text = sentence(error)
        # A mistake that comes with every move of the mouse differs in its numbers alone.
        key = (type(error).__name__, f"{_origin(error)}{_NUMBER.sub('#', _first_line(error))}")
        if key not in self._seen:
            self._seen.add(key)
            self.told.emit(text)


def _origin(error: BaseException) -> str:
    """Return the line that raised, which one error shares however it was come by."""
    frames = traceback.extract_tb(error.__traceback__, limit=-1)
    return f"{frames[0].filename}:{frames[0].lineno}" if frames else ""


def _first_line(error: BaseException) -> str:
    lines = _BY_WAY_OF.sub("", str(error)).strip().splitlines()
    return lines[0][:160] if lines else "no message"
