"""The whole window with everything behind it, for tests that use it as a person does."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QPointF, Qt
from PySide6.QtGui import QMouseEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from pspgui.geometry import Pixel
from pspgui.gui.document import Document
from pspgui.gui.engine_thread import Engine
from pspgui.gui.main_window import MainWindow
from pspgui.gui.session import Session
from pspgui.gui.settings import Settings
from pspgui.jobs.modelling import ModelChoice

WAIT_MS = 60_000


class Workplace:
    """A window with everything behind it, as `window_app` builds it."""

    def __init__(self, qtbot, weights, store=None):
        self.qtbot = qtbot
        self.settings = Settings()
        self.document = Document()
        self.engine = Engine()
        self.session = Session(self.document, self.engine, self.settings, store)
        self.window = MainWindow(self.document, self.session, self.settings)
        self.window.resize(1100, 700)
        self.window.show()
        self.engine.start()
        self.session.load_first_model(ModelChoice(weights, "cpu"))

    def open(self, path):
        self.session.open_path(path)
        self.wait(self.predicted)

    def predicted(self):
        """Whether the full prediction of the image shown is there."""
        document = self.document
        return document.prediction is not None and not document.is_preview

    def wait(self, condition):
        self.qtbot.waitUntil(condition, timeout=WAIT_MS)

    def at(self, y, x):
        """Return the widget point of the middle of an image pixel."""
        return self.window.canvas.camera.to_widget(y + 0.5, x + 0.5).toPoint()

    def hover(self, y, x):
        """Move the mouse onto an image pixel, again if the window was still being laid out."""

        def there():
            QTest.mouseMove(self.window.canvas, self.at(y, x))
            # The platform says nothing of a mouse that was there already, over another picture.
            self.move(QPointF(self.at(y, x)))
            return self.document.hover == Pixel(y, x)

        self.wait(there)

    def move(self, point, buttons=Qt.MouseButton.NoButton):
        """Tell the canvas of a move of the mouse to a widget point."""
        canvas, self.mouse = self.window.canvas, point
        event = QMouseEvent(
            QEvent.Type.MouseMove, point, canvas.mapToGlobal(point),
            Qt.MouseButton.NoButton, buttons, Qt.KeyboardModifier.NoModifier,
        )  # fmt: skip
        QApplication.sendEvent(canvas, event)

    def drag(self, start, end, button=Qt.MouseButton.LeftButton):
        canvas = self.window.canvas
        QTest.mouseMove(canvas, self.at(*start))  # which lets a layout still to come be made
        a, b = self.at(*start), self.at(*end)
        QTest.mousePress(canvas, button, Qt.KeyboardModifier.NoModifier, a)
        for point in (QPointF((a + b) / 2), QPointF(b)):
            self.move(point, button)
        QTest.mouseRelease(canvas, button, Qt.KeyboardModifier.NoModifier, b)

    def key(self, key, modifier=Qt.KeyboardModifier.NoModifier):
        QTest.keyClick(self.window.canvas, key, modifier)

    def close(self):
        self.window.close()
        self.session.close()
