"""Previews of areas: stripes over exactly the pixels that would change."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QColor, QImage, QPainter, QPainterPath

from pspgui.geometry import Rect
from pspgui.gui.canvas.camera import Camera
from pspgui.gui.canvas.screen_labels import sample, sources
from pspgui.labels.filters import PaintFilter
from pspgui.labels.raster import Stamp

if TYPE_CHECKING:
    from pspgui.gui.document import Document

_STRIPE = 4  # device pixels


def paint_region(
    painter: QPainter,
    camera: Camera,
    stamp: Stamp,
    colour: QColor | None,
    changing: Callable[[Rect], np.ndarray] | None = None,
) -> None:
    """Draw the part of a region in view in stripes.

    `changing` tells of device pixels which would change, as `would_change` does; the others are
    left out.
    """
    area = camera.to_widget_rect(stamp.rect).adjusted(-1, -1, 1, 1)
    shown = camera.device_rect(area.intersected(camera.viewport))
    if stamp.rect.is_empty or shown.is_empty:
        return
    inside = seen(stamp, shown, camera)
    if changing is not None:
        inside &= changing(shown)
    _draw(painter, camera, shown, striped(inside, shown, camera, colour))


def paint_path(
    painter: QPainter,
    camera: Camera,
    path: QPainterPath,
    colour: QColor | None,
    document: Document,
    allowed: PaintFilter,
    kind: str,
) -> None:
    """Draw in stripes what of the area in an outline (widget units) would change."""
    area = path.boundingRect().adjusted(-1, -1, 1, 1).intersected(camera.viewport)
    shown = camera.device_rect(area)
    if shown.is_empty:
        return
    inside = _filled(path, shown, camera)
    inside &= would_change(document, allowed, kind, camera, shown)
    _draw(painter, camera, shown, striped(inside, shown, camera, colour))


def would_change(
    document: Document, allowed: PaintFilter, kind: str, camera: Camera, shown: Rect
) -> np.ndarray:
    """Return which device pixels `shown` show a label that "brush" or "erase" may change, bool."""
    rows, columns = sources(camera, shown)
    if document.refusal(kind):  # since the area was begun: another model is in use, say
        return np.zeros((len(rows), len(columns)), bool)
    wanted = document.writes(kind, "").value
    if isinstance(wanted, np.ndarray):
        wanted = sample(wanted, rows, columns)
    labels = sample(document.label_map.labels, rows, columns)
    return np.broadcast_to(allowed.change(labels, wanted), labels.shape) & (labels != wanted)


def seen(stamp: Stamp, shown: Rect, camera: Camera) -> np.ndarray:
    """Return which device pixels `shown` show a pixel of a region, bool."""
    top, left = camera.device_origin
    rows = ((np.arange(shown.y0, shown.y1) + 0.5 - top) / camera.zoom).astype(int)
    columns = ((np.arange(shown.x0, shown.x1) + 0.5 - left) / camera.zoom).astype(int)
    inside = np.zeros((len(rows), len(columns)), bool)
    y0, y1 = np.searchsorted(rows, (stamp.rect.y0, stamp.rect.y1))
    x0, x1 = np.searchsorted(columns, (stamp.rect.x0, stamp.rect.x1))
    picked = rows[y0:y1] - stamp.rect.y0, columns[x0:x1] - stamp.rect.x0
    inside[y0:y1, x0:x1] = stamp.mask[np.ix_(*picked)]
    return inside


def striped(inside: np.ndarray, shown: Rect, camera: Camera, colour: QColor | None) -> QImage:
    """Return device pixels `shown` as a picture: stripes with a light edge where `inside`."""
    places = np.arange(shown.y0, shown.y1)[:, None] + np.arange(shown.x0, shown.x1)
    values = inside.astype(np.uint8)
    values[inside & (places // _STRIPE % 2 == 0)] = 2
    values[edges(inside)] = 3
    height, width = values.shape
    tint = QColor(255, 255, 255, 0) if colour is None else QColor(colour)
    if colour is not None:
        tint.setAlpha(210)
    stripe = QColor(0, 0, 0, 120) if colour is None else QColor(colour).lighter(135)
    picture = QImage(values.tobytes(), width, height, width, QImage.Format.Format_Indexed8)
    picture.setColorTable([0, tint.rgba(), stripe.rgba(), QColor(255, 255, 255).rgba()])
    picture = picture.copy()  # the bytes above are gone once this returns
    picture.setDevicePixelRatio(camera.ratio)
    return picture


def edges(inside: np.ndarray) -> np.ndarray:
    """Return where a mask begins or ends, one pixel wide."""
    edge = np.zeros(inside.shape, bool)
    edge[:, 1:] |= inside[:, 1:] != inside[:, :-1]
    edge[1:] |= inside[1:] != inside[:-1]
    return edge


def _filled(path: QPainterPath, shown: Rect, camera: Camera) -> np.ndarray:
    picture = QImage(shown.width, shown.height, QImage.Format.Format_Grayscale8)
    picture.fill(Qt.GlobalColor.black)
    with QPainter(picture) as painter:
        painter.translate(-shown.x0, -shown.y0)
        painter.scale(camera.ratio, camera.ratio)
        painter.fillPath(path, Qt.GlobalColor.white)
    rows = np.frombuffer(picture.constBits(), np.uint8).reshape(shown.height, -1)
    return rows[:, : shown.width] > 0


def _draw(painter: QPainter, camera: Camera, shown: Rect, picture: QImage) -> None:
    corner = QPointF(shown.x0 / camera.ratio, shown.y0 / camera.ratio)
    painter.drawImage(corner, picture)
