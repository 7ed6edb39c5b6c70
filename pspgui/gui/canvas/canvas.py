"""The canvas: paints the layers, moves the camera, and hands mouse events to the tool in use."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from PySide6.QtCore import QEvent, QPointF, QRect, QRectF, Qt, QTimer, Signal, Slot
from PySide6.QtGui import (
    QColor,
    QEnterEvent,
    QFocusEvent,
    QKeyEvent,
    QMouseEvent,
    QNativeGestureEvent,
    QPainter,
    QPaintEvent,
    QResizeEvent,
    QWheelEvent,
)
from PySide6.QtWidgets import QAbstractSpinBox, QApplication, QLineEdit, QSizePolicy, QWidget

from pspgui.geometry import Rect
from pspgui.gui.canvas.aids import ViewAids
from pspgui.gui.canvas.camera import Camera
from pspgui.gui.canvas.difference_count import DifferenceCount
from pspgui.gui.canvas.difference_legend import DifferenceLegend
from pspgui.gui.canvas.heat_layer import HeatLayer
from pspgui.gui.canvas.layers import GridLayer, LabelLayer, PictureLayer
from pspgui.gui.canvas.legends import LegendStack
from pspgui.gui.canvas.map_layer import MapLayer
from pspgui.gui.canvas.map_legend import MapLegend
from pspgui.gui.canvas.mark_set import MarkSet
from pspgui.gui.canvas.overlay_key import OverlayKey
from pspgui.gui.canvas.pyramid_image import PyramidImage
from pspgui.gui.canvas.stepping_back import step_back
from pspgui.gui.theme import current_theme
from pspgui.gui.tools import TOOLS, Tool, ToolEvent

if TYPE_CHECKING:
    from pspgui.gui.canvas.what_if_layer import WhatIfLayer
    from pspgui.gui.document import Document

_NOTCH: Final = 120.0  # Qt's angle of one wheel notch
_ZOOM_STEP: Final = 1.25
_BRUSH_STEP: Final = 1.2
_FRAME_MS: Final = 16
_TOOL_BUTTONS: Final = (Qt.MouseButton.LeftButton, Qt.MouseButton.RightButton)


class Canvas(QWidget):
    """The picture with everything over it. GUI thread only.

    Space or the middle button pans with every tool, during a stroke too; the wheel zooms at the
    cursor; Shift+wheel sizes the brush; Esc steps back. `tool` is the member of TOOLS in use.
    The document's hover follows the mouse at most once a frame; strokes get every event.
    """

    zoom_changed = Signal(float)
    tool_changed = Signal(object)

    def __init__(self, document: Document, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._document = document
        self._camera = Camera()
        self._picture = PyramidImage(self)
        self._tools = {kind: kind(document) for kind in TOOLS}
        self._tool = self._tools[TOOLS[0]]
        self._pressed = Qt.MouseButton.NoButton
        self._pan_from: QPointF | None = None
        self._pan_button = Qt.MouseButton.NoButton
        self._space = False
        self._size_notches = 0.0
        self._at: QPointF | None = None
        self._hover_waits = False
        self._waiting = QRect()
        self._frame = QTimer(self, singleShot=True, interval=_FRAME_MS)
        self._aids = ViewAids(document, self._picture, self)
        self._aid_held = False
        self._differing = DifferenceCount(document, self)
        self._labels = LabelLayer(document, self._aids.divider, self._differing)
        self._overlay_key = OverlayKey(document)
        self._marks = MarkSet(document, self, self._camera, self._tool)
        self.legends = LegendStack(document, self, self._camera)
        self.legends.add(
            MapLegend(document, self), DifferenceLegend(document, self._differing, self)
        )
        self._layers = (
            PictureLayer(self._picture), MapLayer(document, self._aids.divider, self._picture),
            self._labels, HeatLayer(document), GridLayer(), *self._marks.marks, self.legends,
            self._aids,
        )  # fmt: skip
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumSize(160, 120)
        self.setAccessibleName("Image")
        self._listen()
        self._image_changed()

    def _listen(self) -> None:
        document = self._document
        document.image_changed.connect(self._image_changed)
        document.labels_changed.connect(self._labels_changed)
        document.picture_changed.connect(self._picture_changed)
        document.aids_changed.connect(self._look_changed)
        for signal in (
            document.display_changed, document.classes_changed, document.prediction_changed,
            document.views_changed, document.opened_changed, document.reading_changed,
        ):  # fmt: skip
            signal.connect(self._look_changed)
        self._differing.changed.connect(self.legends.refresh)
        self._differing.shows_some_changed.connect(self._look_changed)
        self._picture.levels_ready.connect(self._picture_ready)
        self._labels.mips.ready.connect(self.update)
        self._frame.timeout.connect(self._frame_passed)

    # -- camera -------------------------------------------------------------------------------

    @property
    def camera(self) -> Camera:
        """Where the picture lies; move it by the canvas's methods."""
        return self._camera

    @property
    def zoom(self) -> float:
        """Device pixels per image pixel."""
        return self._camera.zoom

    @property
    def has_levels(self) -> bool:
        """Whether zoomed-out views are drawn from averaged levels already."""
        return self._picture.is_ready

    @Slot()
    def fit(self) -> None:
        """Show the whole picture."""
        self._camera.fit()
        self._camera_moved()

    @Slot()
    def actual_size(self) -> None:
        """Show one image pixel as one device pixel, around the mouse or the middle."""
        self.zoom_by(1.0 / self._camera.zoom)

    def zoom_by(self, factor: float) -> None:
        """Zoom around the mouse if it is over the canvas, else around the middle."""
        self._zoom_at(self._at or self._camera.viewport.center(), factor)

    def zoom_to(self, rect: Rect) -> None:
        """Show this image rect as large as fits."""
        self._camera.zoom_to(rect)
        self._camera_moved()

    def centre_on(self, rect: Rect) -> None:
        """Bring an image rect to the middle, at the same zoom."""
        self._camera.centre_on((rect.y0 + rect.y1) / 2, (rect.x0 + rect.x1) / 2)
        self._camera_moved()

    def _zoom_at(self, point: QPointF, factor: float) -> None:
        if self._document.image is not None:
            self._camera.zoom_at(point, factor)
            self._camera_moved()

    def _camera_moved(self) -> None:
        self._marks.place()
        self.update()
        self.zoom_changed.emit(self._camera.zoom)
        self._hover_soon()

    def let_stand_in(self, layer: WhatIfLayer) -> None:
        """Draw a layer in place of the labels whenever it wants to be."""
        self._labels.stand_in = layer

    # -- tools --------------------------------------------------------------------------------

    @property
    def tool(self) -> type[Tool]:
        """The tool in use, a member of TOOLS."""
        return type(self._tool)

    def set_tool(self, tool: type[Tool]) -> None:
        """Use another tool of TOOLS; a running stroke is finished first."""
        if tool is self.tool:
            return
        self._document.finish_stroke()
        self._tool.leave()
        self._pressed = Qt.MouseButton.NoButton
        self._tool = self._marks.tool.tool = self._tools[tool]
        self._marks.hover.shown = tool.marks_pixel
        self._follow_mouse()
        self._marks.refresh(self._marks.hover)
        self.tool_changed.emit(tool)

    # -- mouse and keys -----------------------------------------------------------------------

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Begin panning, or give the press to the tool; a second button waits for the first."""
        self._at = event.position()
        button = event.button()
        if self._document.image is None or self._pan_from is not None:
            return
        if button == Qt.MouseButton.MiddleButton or (self._space and button in _TOOL_BUTTONS):
            self._pan_from, self._pan_button = event.position(), button
        elif button == Qt.MouseButton.LeftButton and self._aids.press(self._at, self._camera):
            self._aid_held = True
            self._camera_moved()
        elif button in _TOOL_BUTTONS and self._pressed == Qt.MouseButton.NoButton:
            self._hover_now()
            self._pressed = button
            self._tool.press(self._tool_event(event))
        self._follow_mouse()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Pan, or give the move to the tool; the document's hover follows once a frame."""
        self._at = event.position()
        if self._document.image is None:
            return
        if self._aid_held:
            if self._aids.drag(self._at, self._camera):
                self._camera_moved()
        elif self._pan_from is not None:
            step = event.position() - self._pan_from
            self._pan_from = event.position()
            self._camera.pan(step.x(), step.y())
            self._camera_moved()
        else:
            pressed = self._pressed != Qt.MouseButton.NoButton
            (self._tool.move if pressed else self._tool.hover)(self._tool_event(event))
            self._hover_soon()
        self._follow_mouse()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """End panning, dragging an aid, or the tool's press."""
        self._at = event.position()
        if self._aid_held and event.button() == Qt.MouseButton.LeftButton:
            self._aid_held = False
            self._aids.release()
            self.update()
        if event.button() == self._pan_button:
            self._pan_from, self._pan_button = None, Qt.MouseButton.NoButton
        if event.button() == self._pressed:
            self._pressed = Qt.MouseButton.NoButton
            self._tool.release(self._tool_event(event))
        self._follow_mouse()

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Zoom at the cursor; with Shift, size the brush by whole notches."""
        # Some systems turn the wheel sideways while Shift or Alt is held.
        notches = (event.angleDelta().y() or event.angleDelta().x()) / _NOTCH
        if not notches:
            return
        if event.modifiers() & Qt.KeyboardModifier.ShiftModifier:
            self._size_notches += notches  # a trackpad sends fractions of a notch
            steps = int(self._size_notches)
            self._size_notches -= steps
            if steps:
                self._document.scale_brush(_BRUSH_STEP**steps)
        else:
            self._zoom_at(event.position(), _ZOOM_STEP**notches)
            self._follow_mouse()
        event.accept()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Space pans while held; Esc takes back one thing, see `stepping_back`."""
        if event.key() == Qt.Key.Key_Space:
            if not event.isAutoRepeat():
                self._space = True
                if self._pressed != Qt.MouseButton.NoButton:
                    self._pan_from = self._at  # a running stroke goes on where the pan ends
                self._follow_mouse()
        elif event.key() == Qt.Key.Key_Escape and self.step_back():
            self._follow_mouse()
        else:
            super().keyPressEvent(event)

    def keyReleaseEvent(self, event: QKeyEvent) -> None:
        """Stop panning when Space is let go."""
        if event.key() != Qt.Key.Key_Space:
            super().keyReleaseEvent(event)
        elif not event.isAutoRepeat():
            self._release_space()

    def step_back(self) -> bool:
        """Take back what lies on top of the picture; return whether there was anything."""
        return step_back(self._document, self._tool, self._labels.stand_in)

    def enterEvent(self, event: QEnterEvent) -> None:
        """Take the keyboard, so that Space and Esc work, unless something is being typed."""
        typing = isinstance(QApplication.focusWidget(), QLineEdit | QAbstractSpinBox)
        if self.isActiveWindow() and not typing:
            self.setFocus(Qt.FocusReason.MouseFocusReason)
        self._at = event.position()
        self._follow_mouse()

    def leaveEvent(self, event: QEvent) -> None:
        """Forget the mouse: no hover, no ring."""
        self._at = None
        self._hover_now()
        self._follow_mouse()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        """Forget a held Space, whose release would go elsewhere."""
        self._release_space()
        self._overlay_key.let_go()
        if self._labels.stand_in is not None:
            self._labels.stand_in.let_go()
        super().focusOutEvent(event)

    def _release_space(self) -> None:
        self._space = False
        if self._pan_button == Qt.MouseButton.NoButton:
            self._pan_from = None
        self._follow_mouse()

    def _tool_event(self, event: QMouseEvent) -> ToolEvent:
        at = event.position()
        y, x = self._camera.to_image(at)
        return ToolEvent(
            y, x, self._camera.pixel_at(at), event.button(), event.modifiers(), at,
            self._camera.scale,
        )  # fmt: skip

    # -- following the mouse ------------------------------------------------------------------

    def _follow_mouse(self) -> None:
        """Bring the pointer's shape and the tool's mark up to where the mouse is."""
        pans = self._pan_from is not None
        pressed = self._pressed != Qt.MouseButton.NoButton
        aid = None if pressed or pans else self._aids.cursor(self._at, self._camera)
        if self._document.image is None:
            shape = Qt.CursorShape.ArrowCursor
        elif aid is not None:
            shape = aid
        elif pans:
            shape = Qt.CursorShape.ClosedHandCursor
        else:
            shape = Qt.CursorShape.OpenHandCursor if self._space else self._tool.cursor
        if self.cursor().shape() != shape:
            self.setCursor(shape)
        hidden = pans or self._space or aid is not None or self._document.image is None
        self.legends.set_mouse(self._at)
        self._marks.tool.at = None if hidden else self._at
        self._marks.refresh(self._marks.tool)

    def _hover_soon(self) -> None:
        if self._frame.isActive():
            self._hover_waits = True
        else:
            self._hover_now()
            self._frame.start()

    def _hover_now(self) -> None:
        self._hover_waits = False
        self._document.set_hover(None if self._at is None else self._camera.pixel_at(self._at))

    @Slot()
    def _frame_passed(self) -> None:
        if self._hover_waits:
            self._hover_soon()

    # -- following the document ---------------------------------------------------------------

    @Slot()
    def _image_changed(self) -> None:
        image = self._document.image
        self._picture.set_pixels(image, self._document.deep)
        self._aids.minimap.forget()
        if image is not None:
            self._camera.set_image_shape(*image.shape[:2])
        self._labels.forget()
        self._camera_moved()
        self._follow_mouse()

    @Slot(object)
    def _labels_changed(self, changed: Rect) -> None:
        self._labels.touch(changed)
        margin = self._labels.margin(self._camera)
        area = self._camera.to_widget_rect(changed).adjusted(-margin, -margin, margin, margin)
        self.repaint_soon(area.toAlignedRect())

    @Slot()
    def _picture_changed(self) -> None:
        self._picture.set_adjustment(self._document.adjustment)
        self._picture_ready()

    @Slot()
    def _picture_ready(self) -> None:
        self._aids.minimap.forget()
        self.update()

    @Slot()
    def _look_changed(self) -> None:
        self._labels.restyle()
        self.update()

    # -- painting -----------------------------------------------------------------------------

    def repaint_soon(self, area: QRect) -> None:
        """Repaint an area; with one that meets it as a single rectangle, which Qt clips faster."""
        meets = area.intersects(self._waiting)
        self._waiting = area.united(self._waiting) if meets else area
        self.update(self._waiting)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint the layers from the bottom up, only where something changed."""
        if not math.isclose(self._camera.ratio, self.devicePixelRatioF()):
            self._resize_camera()  # the window moved to another screen
        self._waiting = QRect()
        exposed = QRectF(event.rect())
        with QPainter(self) as painter:
            painter.fillRect(event.rect(), QColor(current_theme().canvas))
            if self._document.image is not None:
                for layer in self._layers:
                    layer.paint(painter, self._camera, exposed)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Keep a fitted picture fitted, any other where it is."""
        self._resize_camera()
        self._camera_moved()

    def changeEvent(self, event: QEvent) -> None:
        """Repaint for another theme."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange:
            self._look_changed()

    def event(self, event: QEvent) -> bool:
        """Zoom by the pinch of a trackpad, too; Tab hides the overlay, Shift+Tab goes on."""
        if isinstance(event, QKeyEvent):
            stand_in = self._labels.stand_in
            if self._overlay_key.takes(event):
                return True
            if stand_in is not None and stand_in.takes_key(event):
                return True
            if self._tool.takes_key(event):
                event.accept()
                self._follow_mouse()
                return True
        if isinstance(event, QNativeGestureEvent) and (
            event.gestureType() == Qt.NativeGestureType.ZoomNativeGesture
        ):
            self._zoom_at(event.position(), 1.0 + event.value())
            return True
        return super().event(event)

    def _resize_camera(self) -> None:
        self._camera.resize(self.height(), self.width(), self.devicePixelRatioF())
