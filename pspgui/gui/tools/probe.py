"""The probe: hover to see why a pixel has its class, click to pin it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt

from pspgui.gui.tools.tool import Tool, ToolEvent

if TYPE_CHECKING:
    from pspgui.gui.document import Document

_REACH = 4.0  # a click this near to the pin, in widget units, means the pin

class Probe(Tool):
    """Shows evidence under the mouse; a click pins the pixel, a click on the pin lets go.

    Dragging moves the pin. The hovering itself is the canvas's: it happens with every tool.
    """

    name = "probe"
    text = "Why here?"
    key = "H"
    icon = "mdi6.crosshairs-question"
    cursor = Qt.CursorShape.CrossCursor

    def __init__(self, document: Document) -> None:
        super().__init__(document)
        self._pressed = self._lets_go = False

    def press(self, event: ToolEvent) -> None:
        """Pin the pixel; on the pin itself, wait whether it is dragged or let go."""
        self._pressed = event.button == Qt.MouseButton.LeftButton
        self._lets_go = self._pressed and self._is_on_pin(event)
        if self._pressed and not self._lets_go and event.pixel is not None:
            self.document.set_pin(event.pixel)

    def move(self, event: ToolEvent) -> None:
        """Drag the pin along."""
        if self._pressed and event.pixel is not None and not self._is_on_pin(event):
            self._lets_go = False
            self.document.set_pin(event.pixel)

    def release(self, event: ToolEvent) -> None:
        """Unpin, if the pin was clicked and not dragged."""
        if self._lets_go:
            self.document.set_pin(None)
        self._pressed = self._lets_go = False

    def abort(self) -> bool:
        """Let go of the pin."""
        self._pressed = self._lets_go = False
        pinned = self.document.pin is not None
        self.document.set_pin(None)
        return pinned

    def _is_on_pin(self, event: ToolEvent) -> bool:
        pin = self.document.pin
        if pin is None:
            return False
        off = math.hypot(event.y - pin.y - 0.5, event.x - pin.x - 0.5)
        return event.pixel == pin or off * event.scale <= _REACH
