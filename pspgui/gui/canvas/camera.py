"""The camera: the only place where image (y, x) and widget (x, y) coordinates meet."""

from __future__ import annotations

import math
from typing import Final

from PySide6.QtCore import QPointF, QRectF
from PySide6.QtGui import QTransform

from pspgui.geometry import Pixel, Rect

MAX_ZOOM: Final = 64.0
_FIT_MARGIN: Final = 16.0  # widget units around a fitted picture: two steps of the 8-px grid


class Camera:
    """Where the picture lies in the widget. GUI thread only; knows no widget.

    Image coordinates are continuous: pixel (i, j) covers [i, i+1) x [j, j+1). `zoom` counts
    device pixels per image pixel, so that zoom 1 is one to one on any screen; `scale` counts
    widget units per image pixel. The image point in the middle of the widget never leaves the
    picture, so the picture cannot be lost. While `fitted`, resizing keeps the picture fitted.
    """

    def __init__(self) -> None:
        self._image = (1, 1)
        self._viewport = (1.0, 1.0)
        self._ratio = 1.0
        self._zoom = 1.0
        self._centre = (0.5, 0.5)
        self._fitted = True

    # -- what it is ---------------------------------------------------------------------------

    @property
    def zoom(self) -> float:
        """Device pixels per image pixel."""
        return self._zoom

    @property
    def scale(self) -> float:
        """Widget units per image pixel."""
        return self._zoom / self._ratio

    @property
    def ratio(self) -> float:
        """Device pixels per widget unit."""
        return self._ratio

    @property
    def fitted(self) -> bool:
        """Whether the whole picture is kept in view when the widget is resized."""
        return self._fitted

    @property
    def image_shape(self) -> tuple[int, int]:
        """(height, width) of the picture in pixels."""
        return self._image

    @property
    def viewport(self) -> QRectF:
        """The widget's rectangle in widget units."""
        return QRectF(0, 0, self._viewport[1], self._viewport[0])

    @property
    def min_zoom(self) -> float:
        """The smallest zoom: half of what fits, and never more than 1."""
        return min(1.0, 0.5 * self._fit_zoom())

    @property
    def frame(self) -> tuple[object, ...]:
        """Everything but the place: while it is equal, views differ by whole device pixels."""
        return (self._image, self._viewport, self._ratio, self._zoom)

    def _fit_zoom(self) -> float:
        height, width = self._image
        room = [max(1.0, side - 2 * _FIT_MARGIN) * self._ratio for side in self._viewport]
        return min(room[0] / height, room[1] / width, MAX_ZOOM)

    # -- moving it ----------------------------------------------------------------------------

    def set_image_shape(self, height: int, width: int) -> None:
        """Show another picture, fitted; one of the same size keeps zoom and place."""
        if (height, width) != self._image:
            self._image = (max(1, height), max(1, width))
            self.fit()

    def resize(self, height: float, width: float, ratio: float) -> None:
        """Follow the widget: its size in widget units and its device pixel ratio."""
        self._viewport, self._ratio = (max(1.0, height), max(1.0, width)), ratio
        if self._fitted:
            self.fit()
        else:
            self._place(self._zoom, self._centre)

    def fit(self) -> None:
        """Show the whole picture, in the middle."""
        height, width = self._image
        self._place(self._fit_zoom(), (height / 2, width / 2))
        self._fitted = True

    def zoom_at(self, point: QPointF, factor: float) -> None:
        """Multiply the zoom within its limits; the image point under `point` stays there."""
        before = self.to_image(point)
        self._place(self._zoom * factor, self._centre)
        after = self.to_image(point)
        y, x = self._centre
        self._place(self._zoom, (y + before[0] - after[0], x + before[1] - after[1]))

    def zoom_to(self, rect: Rect) -> None:
        """Show this image rect as large as fits, in the middle."""
        height, width = max(1, rect.height), max(1, rect.width)
        room = [max(1.0, side - 2 * _FIT_MARGIN) * self._ratio for side in self._viewport]
        centre = ((rect.y0 + rect.y1) / 2, (rect.x0 + rect.x1) / 2)
        self._place(min(room[0] / height, room[1] / width), centre)

    def centre_on(self, y: float, x: float) -> None:
        """Bring an image point to the middle of the widget, at the same zoom."""
        self._place(self._zoom, (y, x))

    def pan(self, dx: float, dy: float) -> None:
        """Move the picture by widget units, right and down."""
        y, x = self._centre
        self._place(self._zoom, (y - dy / self.scale, x - dx / self.scale))

    def _place(self, zoom: float, centre: tuple[float, float]) -> None:
        self._zoom = max(self.min_zoom, min(MAX_ZOOM, zoom))
        height, width = self._image
        self._centre = (max(0.0, min(height, centre[0])), max(0.0, min(width, centre[1])))
        self._fitted = False

    # -- crossing between the two worlds ------------------------------------------------------

    @property
    def device_origin(self) -> tuple[int, int]:
        """(y, x) of the picture's top left corner in device pixels: whole, so pixels are crisp."""
        height, width = self._viewport
        return (
            round(height * self._ratio / 2 - self._centre[0] * self._zoom),
            round(width * self._ratio / 2 - self._centre[1] * self._zoom),
        )

    def to_widget(self, y: float, x: float) -> QPointF:
        """Return where an image point lies in the widget."""
        top, left = self.device_origin
        return QPointF((left + x * self._zoom) / self._ratio, (top + y * self._zoom) / self._ratio)

    def to_image(self, point: QPointF) -> tuple[float, float]:
        """Return the continuous image point (y, x) under a widget point; it may lie outside."""
        top, left = self.device_origin
        return (
            (point.y() * self._ratio - top) / self._zoom,
            (point.x() * self._ratio - left) / self._zoom,
        )

    def pixel_at(self, point: QPointF) -> Pixel | None:
        """Return the image pixel under a widget point, None outside the picture."""
        y, x = (math.floor(v) for v in self.to_image(point))
        inside = 0 <= y < self._image[0] and 0 <= x < self._image[1]
        return Pixel(y, x) if inside else None

    def to_widget_rect(self, rect: Rect) -> QRectF:
        """Return where an image rect lies in the widget."""
        return QRectF(self.to_widget(rect.y0, rect.x0), self.to_widget(rect.y1, rect.x1))

    def to_image_rect(self, area: QRectF) -> Rect:
        """Return the pixels that a widget area shows, whole ones, clipped to the picture."""
        y0, x0 = self.to_image(area.topLeft())
        y1, x1 = self.to_image(area.bottomRight())
        shown = Rect(math.floor(y0), math.floor(x0), math.ceil(y1), math.ceil(x1))
        return shown.intersect(Rect(0, 0, *self._image))

    def transform(self) -> QTransform:
        """Return the transform from image (x, y) to widget (x, y)."""
        corner = self.to_widget(0, 0)
        return QTransform(self.scale, 0, 0, self.scale, corner.x(), corner.y())

    @property
    def shows_all(self) -> bool:
        """Whether the whole picture lies inside the widget."""
        shown = self.to_widget_rect(Rect(0, 0, *self._image))
        return self.viewport.adjusted(-0.5, -0.5, 0.5, 0.5).contains(shown)

    @property
    def device_picture(self) -> Rect:
        """The device pixels that the whole picture covers, those outside the widget included."""
        top, left = self.device_origin
        height, width = self._image
        return Rect(
            top, left, math.ceil(top + height * self._zoom), math.ceil(left + width * self._zoom)
        )

    def device_rect(self, area: QRectF) -> Rect:
        """Return the device pixels of a widget area that lie on the picture."""
        ratio = self._ratio
        asked = Rect(
            math.floor(area.top() * ratio), math.floor(area.left() * ratio),
            math.ceil(area.bottom() * ratio), math.ceil(area.right() * ratio),
        )  # fmt: skip
        return asked.intersect(self.device_picture)
