"""What brush and eraser share: strokes, straight lines, restriction, resizing, the ring."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QPainter

from pspgui.gui.canvas.camera import Camera
from pspgui.gui.tools.ring import paint_ring, ring_bounds
from pspgui.gui.tools.tool import Tool, ToolEvent

_SHIFT = Qt.KeyboardModifier.ShiftModifier
_CTRL = Qt.KeyboardModifier.ControlModifier
_ALT = Qt.KeyboardModifier.AltModifier


class PaintingTool(Tool):
    """A tool that paints strokes of `kind`; the right button always erases.

    Shift-click draws a straight line from where the last stroke ended. Ctrl restricts the
    stroke to the class under the press. Alt-click picks the class, Alt with the right button
    drags the size.
    """

    kind = "brush"
    cursor = Qt.CursorShape.BlankCursor
    marks_pixel = False

    def __init__(self, document: object) -> None:
        super().__init__(document)
        self._last: tuple[float, float] | None = None
        self._sizing: tuple[QPointF, int] | None = None
        self._running_kind: str | None = None
        document.image_changed.connect(self._forget_last)

    def press(self, event: ToolEvent) -> None:
        """Begin a stroke, pick a class, or begin resizing."""
        left = event.button == Qt.MouseButton.LeftButton
        if event.holds(_ALT):
            if left:
                self._pick(event)
            else:
                self._sizing = (event.at, self.document.brush_diameter)
            return
        kind = self.kind if left and not self.document.pen.erases else "erase"
        start = (event.y, event.x)
        if event.holds(_SHIFT) and self._last is not None:
            start = self._last
        self._running_kind = kind
        self.begin(*start, kind, event.holds(_CTRL))
        if start != (event.y, event.x):
            self.document.move_stroke(event.y, event.x)
        self._last = (event.y, event.x)

    def begin(self, y: float, x: float, kind: str, to_class: bool) -> None:
        """Begin a stroke; tools with strokes of their own begin those instead."""
        self.document.begin_stroke(y, x, kind, to_class)

    def move(self, event: ToolEvent) -> None:
        """Carry the stroke on, or resize."""
        if self._sizing is not None:
            start, diameter = self._sizing
            self.document.set_brush_diameter(round(diameter * 1.01 ** (event.at.x() - start.x())))
        elif self.document.stroke_active:
            self.document.move_stroke(event.y, event.x)
            self._last = (event.y, event.x)

    def release(self, event: ToolEvent) -> None:
        """Finish the stroke: it becomes one edit."""
        self._sizing = self._running_kind = None
        self.document.release_stroke()

    def abort(self) -> bool:
        """Take back the running stroke."""
        active = self.document.stroke_active
        self._sizing = self._running_kind = None
        if active:
            self.document.abort_stroke()
        return active

    def cursor_bounds(self, camera: Camera, at: QPointF) -> QRectF:
        """Return the ring's area."""
        return ring_bounds(camera, self._anchor(at), self.document.brush_diameter)

    def paint_cursor(self, painter: QPainter, camera: Camera, at: QPointF) -> None:
        """Draw the ring: the active class's colour is its dot; hollow while it erases."""
        document = self.document
        colour = document.colour_of(self._running_kind or self.kind)
        paint_ring(
            painter, camera, self._anchor(at), document.brush_diameter, document.square_brush,
            None if colour is None else QColor(*colour),
        )  # fmt: skip

    def _anchor(self, at: QPointF) -> QPointF:
        """Return where the ring stands: it stays put while its size is dragged."""
        return at if self._sizing is None else self._sizing[0]

    def _pick(self, event: ToolEvent) -> None:
        labels = self.document.labels_in_view()
        if event.pixel is not None and labels is not None:
            self.document.set_active_class(int(labels[event.pixel]))

    def _forget_last(self) -> None:
        self._last = None
