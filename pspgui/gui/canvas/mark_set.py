"""All marks of a canvas: each is repainted where it was and where it is when it changes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QRect, Slot

from pspgui.gui.canvas.camera import Camera
from pspgui.gui.canvas.elsewhere_mark import ElsewhereMark
from pspgui.gui.canvas.marks import BinMark, HoverMark, Mark, ToolMark, WindowMark
from pspgui.gui.canvas.pin_marks import PinMark, PinNumber
from pspgui.gui.canvas.read_marks import ReadMark
from pspgui.gui.pins import MOST_PINS

if TYPE_CHECKING:
    from pspgui.geometry import Pixel
    from pspgui.gui.canvas.canvas import Canvas
    from pspgui.gui.document import Document
    from pspgui.gui.tools import Tool


class MarkSet(QObject):
    """The marks, bottom to top in `marks`, following the document. GUI thread only."""

    def __init__(self, document: Document, canvas: Canvas, camera: Camera, tool: Tool) -> None:
        super().__init__(canvas)
        self._canvas = canvas
        self._camera = camera
        self._bin = BinMark(document)
        self._pins = [
            kind(document, number)
            for kind in (PinMark, PinNumber) for number in range(MOST_PINS, 0, -1)
        ]  # fmt: skip
        self._pin_states = [mark.state for mark in self._pins]
        self._window, self._read = WindowMark(document), ReadMark(document)
        self.hover, self.tool = HoverMark(document), ToolMark(tool)
        self._elsewhere = ElsewhereMark()
        self.marks: tuple[Mark, ...] = (
            self._read, self._window, self._bin, self.hover, *self._pins, self._elsewhere,
            self.tool,
        )  # fmt: skip
        self._bounds: dict[Mark, QRect] = {mark: QRect() for mark in self.marks}
        document.pins.changed.connect(self._pins_changed)
        document.pins.current_changed.connect(self._pins_changed)
        document.hover_changed.connect(self._hover_changed)
        document.hovered_bin_changed.connect(self._bin_changed)
        document.window_changed.connect(self._window_changed)
        document.brush_changed.connect(self._brush_changed)
        document.active_class_changed.connect(self._brush_changed)

    def place(self) -> None:
        """Note where all marks lie; for when everything is repainted anyway."""
        for mark in self.marks:
            self._bounds[mark] = mark.bounds(self._camera).toAlignedRect()

    def refresh(self, mark: Mark) -> None:
        """Repaint a mark where it was and where it is now."""
        before = self._bounds[mark]
        self._bounds[mark] = mark.bounds(self._camera).toAlignedRect()
        for area in (before, self._bounds[mark]):
            if not area.isEmpty():
                self._canvas.repaint_soon(area)

    @Slot(object)
    def point_at(self, pixel: Pixel | None) -> None:
        """Mark the pixel that is pointed at in another widget; None for none."""
        self._elsewhere.at = pixel
        self.refresh(self._elsewhere)

    @Slot()
    def _pins_changed(self) -> None:
        states = [mark.state for mark in self._pins]
        for mark, before, now in zip(self._pins, self._pin_states, states, strict=True):
            if before != now:
                self.refresh(mark)
        self._pin_states = states

    @Slot(object)
    def _hover_changed(self, _pixel: object) -> None:
        self.refresh(self.hover)

    @Slot(object)
    def _bin_changed(self, _source: object) -> None:
        self.refresh(self._bin)
        self.refresh(self._read)

    @Slot()
    def _window_changed(self) -> None:
        self.refresh(self._window)

    @Slot()
    def _brush_changed(self) -> None:
        self.refresh(self.tool)
