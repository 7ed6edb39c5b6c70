"""A canvas over a small picture, for tests that use it as a person does."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QImage, QWheelEvent
from PySide6.QtWidgets import QApplication

from pspgui.gui.canvas.canvas import Canvas
from pspgui.gui.document import Document
from pspgui.inference.activations import Prediction, Stamp
from pspgui.labels.classes import ClassTable, LabelClass

SKY, ROAD, CAR = (20, 120, 220), (200, 40, 60), (240, 220, 10)
TABLE = ClassTable(
    (LabelClass(0, "Sky", SKY), LabelClass(1, "Road", ROAD), LabelClass(2, "Car", CAR))
)
HEIGHT, WIDTH = 60, 80


def labelled(height: int = HEIGHT, width: int = WIDTH) -> np.ndarray:
    """Sky above, road below, a column of unlabelled pixels at the right."""
    labels = np.zeros((height, width), np.uint8)
    labels[height // 2 :] = 1
    labels[:, -1] = 255
    return labels


def prediction_of(labels: np.ndarray, padded: tuple[int, int] | None = None) -> Prediction:
    """A prediction with these labels; its scores are of no interest."""
    scores = np.zeros((len(TABLE), 8, 10), np.float32)
    shape = labels.shape
    return Prediction(labels, scores, shape, padded or shape, True, Stamp("i", "m"), 0.0)


def open_canvas(qtbot, image=None, labels=None, prediction=None, size=(400, 300)) -> Canvas:
    """Return a shown canvas at zoom 4 with the picture's middle in its middle.

    At 400 x 300 and 80 x 60, device pixel (4x + 40, 4y + 30) is where image pixel (y, x) begins.
    """
    document = Document()
    document.set_table(TABLE)
    canvas = Canvas(document)
    canvas.document = document  # for the tests' convenience
    qtbot.addWidget(canvas)
    canvas.resize(*size)
    canvas.show()
    qtbot.waitExposed(canvas)
    if image is None:
        image = np.full((HEIGHT, WIDTH, 3), 100, np.uint8)
    document.set_image(image, None, "picture", labelled() if labels is None else labels)
    if prediction is not None:
        document.set_prediction(prediction_of(prediction))
    canvas.zoom_by(4.0 / canvas.zoom)
    on_screen(canvas)
    canvas.leaveEvent(None)  # the mouse of the test before may lie over the new window
    return canvas


def at(canvas: Canvas, y: float, x: float) -> QPoint:
    """Return the widget point over the middle of image pixel (y, x)."""
    return canvas.camera.to_widget(y + 0.5, x + 0.5).toPoint()


def rendered(canvas: Canvas) -> np.ndarray:
    """Return what the canvas paints, (h, w, 3) uint8 RGB."""
    QApplication.processEvents()
    image = canvas.grab().toImage().convertToFormat(QImage.Format.Format_RGB888)
    rows = np.frombuffer(image.constBits(), np.uint8).reshape(image.height(), -1)
    return rows[:, : 3 * image.width()].reshape(image.height(), image.width(), 3).copy()


def on_screen(canvas: Canvas) -> QImage:
    """Return what the window shows now: painted piece by piece, not anew as by `rendered`."""
    for _ in range(3):
        QApplication.processEvents()
    return canvas.screen().grabWindow(canvas.winId()).toImage()


def pixel(canvas: Canvas, y: float, x: float) -> tuple[int, int, int]:
    """Return the colour painted in the middle of image pixel (y, x)."""
    point = at(canvas, y, x)
    return tuple(int(v) for v in rendered(canvas)[point.y(), point.x()])


def wheel(canvas: Canvas, point: QPoint, angle: int, modifiers=None) -> None:
    """Turn the wheel by eighths of a degree over the canvas; 120 is one notch."""
    event = QWheelEvent(
        QPointF(point), QPointF(canvas.mapToGlobal(point)), QPoint(), QPoint(0, angle),
        Qt.MouseButton.NoButton, modifiers or Qt.KeyboardModifier.NoModifier,
        Qt.ScrollPhase.NoScrollPhase, False,
    )  # fmt: skip
    QApplication.sendEvent(canvas, event)


def blended(over: tuple[int, int, int], opacity: float, ground: int = 100) -> np.ndarray:
    """Return a colour over the grey ground."""
    alpha = round(255 * opacity) / 255
    return np.array(over) * alpha + ground * (1 - alpha)
