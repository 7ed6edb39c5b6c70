"""What a tool is: it gets mouse events in image coordinates and proposes to the document."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QKeyEvent, QPainter

from pspgui.geometry import Pixel
from pspgui.gui.canvas.camera import Camera

if TYPE_CHECKING:
    from pspgui.gui.document import Document


@dataclass(frozen=True)
class ToolEvent:
    """One mouse event in the image.

    y, x are continuous image coordinates, pixel i covering i..i+1; `pixel` is None outside the
    picture. `button` is the one that was pressed or released, none for moves. `at` is the place
    in the widget, `scale` the widget units per image pixel.
    """

    y: float
    x: float
    pixel: Pixel | None
    button: Qt.MouseButton
    modifiers: Qt.KeyboardModifier
    at: QPointF
    scale: float

    def holds(self, modifier: Qt.KeyboardModifier) -> bool:
        """Whether a modifier key is held."""
        return bool(self.modifiers & modifier)


class Tool:
    """The base of all tools: one instance a canvas; every method may be left out.

    name: identifier; text: what a person reads; key: the default key; icon: its outline icon;
    marks_pixel: whether the pixel under the mouse is outlined at high zoom
    """

    name: ClassVar[str]
    text: ClassVar[str]
    key: ClassVar[str]
    icon: ClassVar[str]
    cursor: ClassVar[Qt.CursorShape] = Qt.CursorShape.ArrowCursor
    marks_pixel: ClassVar[bool] = True

    def __init__(self, document: Document) -> None:
        self.document = document

    def press(self, event: ToolEvent) -> None:
        """The left or right button went down."""

    def move(self, event: ToolEvent) -> None:
        """The mouse moved with that button down; every event comes, none is dropped."""

    def release(self, event: ToolEvent) -> None:
        """That button went up."""

    def hover(self, event: ToolEvent) -> None:
        """The mouse moved with no button down."""

    def abort(self) -> bool:
        """Esc was pressed: drop what is under way, and return whether anything was."""
        return False

    def let_go(self) -> bool:
        """Esc was pressed with nothing else to take back: let go of what the tool has chosen."""
        return False

    def leave(self) -> None:
        """Another tool was chosen."""

    def takes_key(self, event: QKeyEvent) -> bool:
        """Handle a key, or Qt's question whether it is wanted more than a shortcut; say whether."""
        return False

    def cursor_bounds(self, camera: Camera, at: QPointF) -> QRectF:
        """Return the widget area of what `paint_cursor` draws with the mouse at `at`."""
        return QRectF()

    def paint_cursor(self, painter: QPainter, camera: Camera, at: QPointF) -> None:
        """Draw what goes with the mouse: a brush ring, a swatch."""
