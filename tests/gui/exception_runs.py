"""A window in which everything fails once, in a process of its own: `exception_runs FOLDER`.

Every slot, event handler, tool callback and painting of pspgui.gui raises at its first call while
a person works; then everything works again. Prints one JSON line with what failed, what was told,
and what was wrong.
"""

from __future__ import annotations

import functools
import importlib
import inspect
import json
import os
import pkgutil
import random
import sys
import traceback
from pathlib import Path

from closing_runs import Run, make_images
from PySide6.QtCore import QEvent, QObject, QPoint, QPointF, QSize, Qt, QTimer
from PySide6.QtGui import QKeyEvent, QPainter, QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QWidget

import pspgui.gui
from pspgui.gui.errors import Surprises, log_file, start_logging
from pspgui.gui.notices import Notice
from pspgui.gui.theme import choose_theme
from pspgui.gui.tools import TOOLS, Brush

# Beside slots: what Qt calls, and what the canvas calls of tools and layers.
_CALLBACKS = {
    "press", "move", "release", "hover", "abort", "leave", "takes_key", "paint", "paint_cursor",
    "paint_area", "data",
}  # fmt: skip
# These end the program, or are Qt's while an object is made or ended. When one of the next two
# raises, PySide 6.11 lets go of the widget once too often, whatever it does; and of errors in
# many widgets that change at once it passes on only one.
_SPARED = {
    "closeEvent", "event", "eventFilter", "close", "showEvent", "sizeHint", "resizeEvent",
    "changeEvent",
}  # fmt: skip


# What no run may do without: one of every sort.
NEEDED = {
    "Canvas.mousePressEvent", "Session.show_image", "Autosave._settle", "StrokeKeeper._record",
    "RowDelegate.paint", "PyramidStrip.paintEvent", "PaintingTool.release", "Engine._pass_on",
}  # fmt: skip
_OF_THE_CANVAS = (Qt.Key.Key_Escape, Qt.Key.Key_Space, Qt.Key.Key_Return, Qt.Key.Key_Backspace)
_FAILS_ALWAYS = "Canvas.paintEvent"


class Injected(Exception):  # noqa: N818 - it is told by this name
    """What every callback raises once."""


class Faults:
    """Everything that may fail, which of it still will, and what did."""

    def __init__(self) -> None:
        self.keys: set[str] = set()
        self.armed: set[str] = set()
        self.always = ""
        self.failed: list[str] = []

    def plant(self) -> None:
        """Wrap every slot and callback of the window's classes."""
        for module in _modules():
            for owner in vars(module).values():
                if inspect.isclass(owner) and owner.__module__ == module.__name__:
                    self._plant_in(owner, module)

    def _plant_in(self, owner: type, module: object) -> None:
        for name, function in list(vars(owner).items()):
            if not inspect.isfunction(function) or name in _SPARED or owner is Surprises:
                continue
            called_by_qt = name.endswith("Event") and issubclass(owner, QObject)
            if called_by_qt or name in _CALLBACKS or hasattr(function, "_slots"):
                key = f"{owner.__name__}.{name}"
                self.keys.add(key)
                setattr(owner, name, self._failing(key, function, module))

    def _failing(self, key, function, module):
        takes = function.__code__.co_argcount

        @functools.wraps(function)
        def failing(*args, **options):
            if key == self.always:
                raise Injected(key)
            if key not in self.armed:
                return function(*args[:takes], **options)
            self.armed.discard(key)
            self.failed.append(key)
            if function.__name__ == "paintEvent" and hasattr(module, "QPainter"):
                try:
                    _fail_while_painting(key, function, module, args)
                except Injected as error:
                    if str(error) != key:  # something below it failed first: its turn comes yet
                        self.failed.remove(key)
                        self.armed.add(key)
                    raise
            raise Injected(key)

        return failing


def _fail_while_painting(key, function, module, args):
    """Raise while a painter is open, which ends the process if the painter stays so."""

    class FailingPainter(QPainter):
        """Raises at the first thing it is to draw."""

    def fail(*_args, **_options):
        raise Injected(key)

    for name in dir(QPainter):
        if name.startswith(("draw", "fill", "setPen", "setBrush", "save", "translate")):
            setattr(FailingPainter, name, fail)
    real, module.QPainter = module.QPainter, FailingPainter
    try:
        function(*args)
    finally:
        module.QPainter = real
    raise Injected(key)  # it had nothing to draw


def _modules():
    for found in pkgutil.walk_packages(pspgui.gui.__path__, "pspgui.gui."):
        yield importlib.import_module(found.name)


class Person:
    """Works through everything once, whatever fails meanwhile."""

    def __init__(self, run: Run) -> None:
        self.run, self.chance = run, random.Random(7)

    def do(self, act, *values, seconds: float = 0.0) -> None:
        """Do something from the event loop, so that what fails ends there; note what was painted.

        What is sent from Python would raise where it was sent.
        """
        QTimer.singleShot(0, lambda: act(*values))
        QApplication.processEvents()
        QApplication.processEvents()
        self.run.go_on(seconds)
        self.run.note()

    def key(self, key: Qt.Key, modifier=Qt.KeyboardModifier.NoModifier, seconds=0.02) -> None:
        """Press and let go of a key over the canvas."""
        canvas = self.run.window.canvas
        if key in _OF_THE_CANVAS:
            for kind in (QEvent.Type.KeyPress, QEvent.Type.KeyRelease):
                QApplication.postEvent(canvas, QKeyEvent(kind, key, modifier))
            self.do(self.run.note, seconds=seconds)
        else:  # shortcuts
            self.do(lambda: QTest.keyClick(canvas, key, modifier), seconds=seconds)

    def work(self) -> None:
        """Use tools, keys, wheel, panels, views and images."""
        canvas, keys = self.run.window.canvas, Qt.Key
        for tool in TOOLS:
            self.do(canvas.set_tool, tool)
            self._drag()
            for key in _OF_THE_CANVAS:
                self.key(key)
        for key in (keys.Key_V, keys.Key_Backslash, keys.Key_N, keys.Key_5, keys.Key_K):
            self.key(key)
        self.key(keys.Key_K)
        for key in (keys.Key_Z, keys.Key_Y, keys.Key_S):
            self.key(key, Qt.KeyboardModifier.ControlModifier)
        for turn in (120, -120):
            self.do(self._wheel, turn)
        self._look_at_everything()
        self.do(canvas.set_tool, Brush)
        for key in (keys.Key_D, keys.Key_A):
            self._drag()
            self.key(key, seconds=0.2)

    def _drag(self) -> None:
        y, x = self.chance.uniform(10, 60), self.chance.uniform(10, 90)
        kinds = QEvent.Type

        def mouse(kind, y, x):
            QApplication.postEvent(self.run.window.canvas, self.run.mouse_event(kind, y, x))

        self.do(mouse, kinds.MouseMove, y, x)
        self.do(mouse, kinds.MouseButtonPress, y, x)
        for step in range(1, 5):
            self.do(mouse, kinds.MouseMove, y + 4 * step, x + 6 * step)
        self.do(mouse, kinds.MouseButtonRelease, y + 16, x + 24, seconds=0.03)

    def _wheel(self, turn: int) -> None:
        canvas = self.run.window.canvas
        middle = QPointF(canvas.rect().center())
        event = QWheelEvent(
            middle, canvas.mapToGlobal(middle), QPoint(), QPoint(0, turn),
            Qt.MouseButton.NoButton, Qt.KeyboardModifier.NoModifier,
            Qt.ScrollPhase.NoScrollPhase, False,
        )  # fmt: skip
        QApplication.postEvent(canvas, event)

    def _look_at_everything(self) -> None:
        window = self.run.window
        for dock in window.more.values():
            self.do(dock.setVisible, True, seconds=0.02)
        for widget in window.findChildren(QWidget):
            if widget.isVisible():
                QApplication.postEvent(widget, QEvent(QEvent.Type.Leave))
                widget.update()
                QApplication.processEvents()
        for size in (QSize(1000, 700), QSize(900, 600)):
            self.do(window.resize, size, seconds=0.02)
        for theme in ("light", "dark"):
            self.do(choose_theme, QApplication.instance(), theme, seconds=0.03)


def main() -> None:
    """Let everything fail, work on, close; the report goes to standard output."""
    folder = Path(sys.argv[1])
    make_images(folder)
    application = QApplication([])
    start_logging()
    faults = Faults()
    faults.plant()
    run = Run(folder, None)
    surprises, told = Surprises(), []
    surprises.install()
    surprises.told.connect(told.append)
    surprises.told.connect(lambda text: run.window.banner.tell(Notice(text)))
    run.session.open_path(folder)
    run.until(lambda: run.can_paint)
    person = Person(run)
    for dock in run.window.more.values():
        dock.widget()  # else it would be built, and fail, within showEvent, which is spared
    faults.armed = faults.keys - {_FAILS_ALWAYS}
    for times in range(10):
        if times >= 3 and set(faults.failed) >= NEEDED:  # what others answer may come later
            break
        person.work()
    faults.armed = set()
    run.until(lambda: run.can_paint)
    run.go_on(0.05)  # what failed last is told at the next turn
    once = len(told)
    faults.always = _FAILS_ALWAYS
    for _ in range(5):
        run.window.canvas.update()
        QApplication.processEvents()
    person.do(run.note)
    faults.always = ""
    after = len(told)
    painted = len(run.document.history.edits)
    run.brush(random.Random(1))
    if len(run.document.history.edits) != painted + 1:
        run.problems.append("the brush does not paint any more")
    run.close()
    log = log_file().read_text(encoding="utf-8") if log_file().exists() else ""
    report = {
        "failed": sorted(faults.failed), "untouched": sorted(faults.keys - set(faults.failed)),
        "told": told[:once], "told_of_one_that_always_fails": after - once,
        "not_in_log": [k for k in faults.failed if f": {k}\n" not in log],
        "tracebacks": log.count("Traceback (most recent call last)"), "problems": run.problems,
        "images_painted": len(run.work),
    }  # fmt: skip
    application.processEvents()
    surprises.remove()
    sys.stdout.write(json.dumps(report) + "\n")
    sys.stdout.flush()
    # The session has ended and joined its threads. PySide itself does not survive taking apart the
    # widgets of so many failures.
    os._exit(0)


if __name__ == "__main__":
    try:
        main()
    except Exception:  # which the hook for surprises would keep to itself
        traceback.print_exc()
        sys.stderr.flush()
        os._exit(1)
