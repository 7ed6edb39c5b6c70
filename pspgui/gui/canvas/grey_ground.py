"""The picture without its colours, below a map whose hues mean something."""

from __future__ import annotations

from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QImage, QPainter

from pspgui.geometry import Rect
from pspgui.gui.canvas.camera import Camera
from pspgui.gui.canvas.pyramid_image import PyramidImage


def paint_grey(
    painter: QPainter, picture: PyramidImage, camera: Camera, exposed: QRectF, opacity: float
) -> None:
    """Draw the exposed part of the picture in greys over itself, with a painter in widget units.

    It is the picture as it is shown, toned and sampled alike; no more than the screen is handled.
    """
    area = QRectF(exposed.intersected(camera.viewport).toAlignedRect())
    ratio = camera.ratio
    width, height = round(area.width() * ratio), round(area.height() * ratio)
    if width <= 0 or height <= 0:
        return
    image = QImage(width, height, QImage.Format.Format_RGB32)
    image.setDevicePixelRatio(ratio)
    image.fill(Qt.GlobalColor.black)
    with QPainter(image) as inner:
        inner.translate(-area.topLeft())
        picture.paint(inner, camera, area)
    grey = image.convertToFormat(QImage.Format.Format_Grayscale8)
    painter.save()
    whole = camera.to_widget_rect(Rect(0, 0, *camera.image_shape))
    painter.setClipRect(whole, Qt.ClipOperation.IntersectClip)
    painter.setOpacity(opacity)
    painter.drawImage(area.topLeft(), grey)
    painter.restore()
