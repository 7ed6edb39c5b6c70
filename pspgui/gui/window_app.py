"""Running the window: options, theme, the first image, screenshots, and a clean end."""

from __future__ import annotations

import json
import signal
import socket
import sys
import time
from argparse import Namespace
from pathlib import Path

from PySide6.QtCore import QObject, QSocketNotifier, QTimer, Slot
from PySide6.QtWidgets import QApplication

from pspgui.geometry import Pixel
from pspgui.gui.document import Document
from pspgui.gui.engine_thread import Engine
from pspgui.gui.errors import Surprises, start_logging
from pspgui.gui.garbage import GuiGarbage
from pspgui.gui.main_window import MainWindow
from pspgui.gui.remembered import recall
from pspgui.gui.session import Notice, Session
from pspgui.gui.settings import Settings
from pspgui.gui.warming import Warming

DEFAULT_SIZE = (1440, 900)
_SETTLE_MS = 400  # for thumbnails and mip levels, before a picture is taken


class WindowApp(QObject):
    """The running window with everything behind it. GUI thread only; `run` uses one."""

    def __init__(self, options: Namespace, started: float) -> None:
        super().__init__()
        self._options = options
        self._started = started
        self._timings: dict[str, float] = {}
        self.code = 0
        self.garbage = GuiGarbage(self)
        self.settings = Settings(self)
        self.document = Document(self)
        self.engine = Engine(self)
        self.session = Session(self.document, self.engine, self.settings, parent=self)
        self.window = MainWindow(self.document, self.session, self.settings)
        self.window.keeps_layout = options.screenshot is None
        self.window.first_painted.connect(self._begin)
        self.session.predicted.connect(self._predicted)
        self.session.failed.connect(self._failed)
        self.session.model_changed.connect(self.garbage.settle)
        self._warming = Warming(parent=self)
        if options.screenshot is None:
            self.session.predicted.connect(self._warming.begin)

    def show(self) -> None:
        """Show the window; nothing slow has begun before it is painted."""
        options = self._options
        theme = options.theme or self.settings.theme
        self.window.verbs.choose_theme(theme, remember=False)
        self.window.resize(*(options.size or DEFAULT_SIZE))
        self.window.arrange()
        if options.screenshot is None:
            self.window.restore_layout()
            if options.size:
                self.window.resize(*options.size)
        self.window.show()

    def close(self) -> None:
        """Join the threads."""
        self.session.close()
        self.garbage.close()

    @Slot(str)
    def tell(self, text: str) -> None:
        """Show a surprise above the canvas."""
        self.window.banner.tell(Notice(text))

    @Slot()
    def _begin(self) -> None:
        self._timings["visible_s"] = round(time.time() - self._started, 3)
        options = self._options
        self.engine.start()
        choice = recall(
            self.settings, options.weights, options.device, options.backend, options.precision,
            options.mode, options.crop,
        )  # fmt: skip
        if options.path is not None:
            self.session.open_path(Path(options.path))
        elif options.screenshot is not None or options.timings or not self.settings.recent:
            self.session.open_sample()
        # A choice of the command line stands or fails; one remembered may be replaced.
        self.session.load_first_model(None if choice.remember else choice)

    @Slot()
    def _predicted(self) -> None:
        if "first_prediction_s" in self._timings:
            return
        self._timings["first_prediction_s"] = round(time.time() - self._started, 3)
        options = self._options
        if options.timings:
            sys.stdout.write(json.dumps(self._timings) + "\n")
            sys.stdout.flush()
        if options.at is not None:
            self.document.set_pin(Pixel(*options.at))
            if self.document.pin is None:
                height, width = self.document.image.shape[:2]
                self._failed(
                    f"The pixel {options.at[1]},{options.at[0]} lies outside the image of "
                    f"{width} × {height} pixels."
                )
                return
        if options.screenshot is not None:
            QTimer.singleShot(_SETTLE_MS, self._take_picture)
        elif options.timings:
            self.window.close()

    @Slot()
    def _take_picture(self) -> None:
        target = Path(self._options.screenshot)
        if not self.window.grab().save(str(target), "PNG"):
            self._failed(f"{target} could not be written; choose another folder.")
            return
        self._quit(0)

    @Slot(str)
    def _failed(self, text: str) -> None:
        if self._options.screenshot is not None or self._options.timings:
            sys.stderr.write(f"pspgui: {text}\n")
            self._quit(1)

    def _quit(self, code: int) -> None:
        self.code = max(code, self.code)
        self.window.close()
        QApplication.exit(self.code)


class TerminalSignals(QObject):
    """Closes the window, saving included, on Ctrl+C in the terminal and on SIGTERM.

    Python runs its signal handlers between byte codes, of which an idle Qt loop executes none;
    the wake-up socket makes it execute some.
    """

    def __init__(self, window: MainWindow) -> None:
        super().__init__(window)
        self._window = window
        self._read, self._write = socket.socketpair()
        for end in (self._read, self._write):
            end.setblocking(False)
        signal.set_wakeup_fd(self._write.fileno())
        self._notifier = QSocketNotifier(self._read.fileno(), QSocketNotifier.Type.Read, self)
        self._notifier.activated.connect(self._drain)
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._close)

    @Slot()
    def _drain(self) -> None:
        self._read.recv(64)

    def _close(self, *_: object) -> None:
        # From the event loop: a window closed before that runs would be shown all the same.
        QTimer.singleShot(0, self._window.close)


def run(options: Namespace, started: float) -> int:
    """Open the window and return the exit code once it is closed."""
    application = QApplication(sys.argv[:1])
    application.setApplicationName("pspgui")
    application.setApplicationDisplayName("pspgui")
    start_logging()
    surprises = Surprises()
    surprises.install()
    main = WindowApp(options, started)
    surprises.told.connect(main.tell)
    TerminalSignals(main.window)
    main.show()
    code = application.exec()
    main.window.hide()
    application.processEvents()
    main.close()
    surprises.remove()
    return max(code, main.code)
