"""What tools that fill an area share: press to release, the preview, and how it ends."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from PySide6.QtCore import QEvent, QPointF, QRectF, QSizeF, Qt
from PySide6.QtGui import QColor, QKeyEvent, QKeySequence, QPainter, QPainterPath, QPen

from pspgui.gui.canvas.camera import Camera
from pspgui.gui.canvas.marks import DARK, LIGHT, two_toned
from pspgui.gui.tools.region_preview import paint_path
from pspgui.gui.tools.tool import Tool, ToolEvent
from pspgui.labels.filters import OPEN, PaintFilter
from pspgui.labels.raster import Stamp

if TYPE_CHECKING:
    from pspgui.gui.document import Document

_CTRL = Qt.KeyboardModifier.ControlModifier
_ALT = Qt.KeyboardModifier.AltModifier
_FILL = 0.4
_DOT_AT, _DOT = 14.0, 5.0
_NOTE_AT = QPointF(14.0, -26.0)
_NOTE_HEIGHT = 20.0
_NOTE_REACH = 320.0  # a long one is moved left at the right edge
DRAGGED = 3.0  # a press that moves less than this, in widget units, is a click


class AreaTool(Tool):
    """A tool that outlines an area by a drag; releasing fills it with the active class.

    The right button or Alt erases the area; Ctrl restricts it to the class
    under the press. Esc, or Ctrl+Z before the release, drops it.
    """

    verb: ClassVar[str]
    steps: ClassVar[bool] = False  # whether it stays while the mouse is up, and undo goes by steps
    cursor = Qt.CursorShape.CrossCursor
    marks_pixel = False

    def __init__(self, document: Document) -> None:
        super().__init__(document)
        self.kind = "brush"
        self.allowed: PaintFilter = OPEN
        self.running = False
        self.drop()
        document.image_changed.connect(self.image_changed)

    # -- what a tool of this kind says of itself ----------------------------------------------

    def start(self, event: ToolEvent) -> None:
        """Begin the area at a press."""
        raise NotImplementedError

    def follow(self, event: ToolEvent) -> None:
        """Carry the area on with a move."""
        raise NotImplementedError

    def area(self) -> Stamp:
        """Return the pixels of the area."""
        raise NotImplementedError

    def drop(self) -> None:
        """Forget the area."""
        self.running = False
        if self.document.pending is self:
            self.document.set_pending(None)

    def note(self) -> str:
        """Return what to write beside the mouse."""
        return ""

    def image_changed(self) -> None:
        """Drop the area: it was another image's."""
        self.drop()

    # -- mouse and keys -----------------------------------------------------------------------

    def press(self, event: ToolEvent) -> None:
        """Begin an area, if there is something to paint on."""
        self.drop()
        if self.begin(event, event.holds(_ALT), event.holds(_CTRL)):
            self.start(event)

    def begin(self, event: ToolEvent, erases: bool, to_class: bool) -> bool:
        """Note what the area will do; whether it can."""
        erases = erases or event.button == Qt.MouseButton.RightButton
        self.kind = "erase" if erases else "brush"
        self.running = self.document.can_paint(self.kind)
        self._mark_pending()
        self.allowed = self.document.filter_at(event.y, event.x, to_class)
        return self.running

    def move(self, event: ToolEvent) -> None:
        """Carry the area on."""
        if self.running:
            self.follow(event)

    def release(self, event: ToolEvent) -> None:
        """Fill the area."""
        if self.running:
            stamp = self.area()
            self.drop()
            if not stamp.rect.is_empty:
                self.document.fill(stamp, self.verb, self.kind, self.allowed)

    def abort(self) -> bool:
        """Drop the area."""
        running = self.running
        self.drop()
        return running

    def leave(self) -> None:
        """Drop an area whose release will not come."""
        self.drop()

    def hover(self, event: ToolEvent) -> None:
        """Claim undo for the steps of an area under way."""
        self._mark_pending()

    def _mark_pending(self) -> None:
        if self.steps and self.running:
            self.document.set_pending(self)

    def takes_key(self, event: QKeyEvent) -> bool:
        """Undo while an area is drawn means the area, and not the edit before it."""
        if not self.running or not is_undo(event):
            return False
        if event.type() == QEvent.Type.KeyPress:
            self.take_back()
        return True

    def take_back(self) -> None:
        """Take back the last step of the area: all of it unless it has steps."""
        self.drop()

    # -- painting -----------------------------------------------------------------------------

    @property
    def colour(self) -> QColor | None:
        """The colour that would be painted; None to erase."""
        colour = self.document.colour_of(self.kind if self.running else "brush")
        return None if colour is None else QColor(*colour)

    @property
    def shape(self) -> tuple[int, int]:
        """(height, width) of the image, whose labels another model may have taken away."""
        return self.document.image.shape[:2]

    def outline(self, camera: Camera, at: QPointF) -> QPainterPath:
        """Return the area's outline in the widget."""
        return QPainterPath()

    def cursor_bounds(self, camera: Camera, at: QPointF) -> QRectF:
        """Return the area of outline, dot and note."""
        reach = _DOT_AT + _DOT + 4
        bounds = QRectF(at.x() - reach, at.y() - reach, 2 * reach, 2 * reach)
        if self.running:
            reach = QPointF(_NOTE_REACH, 0)
            note = QRectF(at + _NOTE_AT - reach, at + reach)
            edge = self.outline(camera, at).controlPointRect().adjusted(-8, -8, 8, 8)
            bounds = bounds.united(note).united(edge)
        return bounds.intersected(camera.viewport)

    def paint_cursor(self, painter: QPainter, camera: Camera, at: QPointF) -> None:
        """Draw the area, its note, and a dot in the colour that it would get."""
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if self.running:
            self.paint_area(painter, camera, at)
            paint_note(painter, at, self.note())
        paint_dot(painter, at + QPointF(_DOT_AT, _DOT_AT), self.colour)
        painter.restore()

    def paint_area(self, painter: QPainter, camera: Camera, at: QPointF) -> None:
        """Draw the outline, and inside of it what would change."""
        self.paint_inside(painter, camera, self.outline(camera, at))

    def paint_inside(self, painter: QPainter, camera: Camera, path: QPainterPath) -> None:
        """Draw an outline tinted; where some pixels are spared, stripes over the others."""
        self.paint_tint(painter, camera, path)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        two_toned(painter, lambda: painter.drawPath(path))

    def paint_tint(self, painter: QPainter, camera: Camera, path: QPainterPath) -> None:
        """Tint what is inside of an outline; where some pixels are spared, the others alone."""
        if self.allowed.is_open:
            tint(painter, path, self.colour)
        else:
            paint_path(painter, camera, path, self.colour, self.document, self.allowed, self.kind)


def is_undo(event: QKeyEvent) -> bool:
    """Whether a key, or Qt's question whether a shortcut is wanted, is that of undo."""
    return event.matches(QKeySequence.StandardKey.Undo)


def tint(painter: QPainter, path: QPainterPath, colour: QColor | None) -> None:
    """Tint the inside of an outline; hatch it where it erases."""
    if colour is None:
        painter.fillPath(path, Qt.BrushStyle.BDiagPattern)
    else:
        paint = QColor(colour)
        paint.setAlphaF(_FILL)
        painter.fillPath(path, paint)


def paint_dot(painter: QPainter, centre: QPointF, colour: QColor | None) -> None:
    """Draw the dot in the colour that would be painted; hollow where it erases."""
    painter.setPen(Qt.PenStyle.NoPen)
    for ground, radius in ((DARK, _DOT + 2), (LIGHT, _DOT + 1), (colour or DARK, _DOT)):
        painter.setBrush(ground)
        painter.drawEllipse(centre, radius, radius)
    if colour is None:
        painter.setBrush(LIGHT)
        painter.drawEllipse(centre, _DOT - 2, _DOT - 2)


def paint_note(painter: QPainter, at: QPointF, text: str) -> None:
    """Write a few words beside the mouse, light on dark."""
    if not text:
        return
    width = painter.fontMetrics().horizontalAdvance(text) + 12
    corner = at + _NOTE_AT
    edge = painter.device().width()  # of a widget: in its own units
    corner.setX(max(0.0, min(corner.x(), edge - width - 4)))
    box = QRectF(corner, QSizeF(width, _NOTE_HEIGHT))
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(DARK)
    painter.drawRoundedRect(box, 4, 4)
    painter.setPen(QPen(LIGHT))
    painter.drawText(box, int(Qt.AlignmentFlag.AlignCenter), text)
