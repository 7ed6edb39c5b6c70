"""Two or three models side by side: linked views, and under each why it says what it says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from PySide6.QtCore import QEvent, QRectF, QSize, Qt, QTimer, Signal, Slot
from PySide6.QtGui import QColor, QKeyEvent, QPainter, QPaintEvent, QResizeEvent, QShowEvent
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QSizePolicy, QToolButton, QWidget

from pspgui.durable import printable
from pspgui.geometry import Pixel, Rect
from pspgui.gui.canvas.camera import Camera
from pspgui.gui.canvas.pyramid_image import PyramidImage
from pspgui.gui.canvas.screen_labels import Difference, Fill, Look, Maps
from pspgui.gui.canvas.zooming import with_room
from pspgui.gui.comparing import Comparing, OtherModel
from pspgui.gui.comparing_reading import PixelWords, ReadingStrip, extent_of, words_of
from pspgui.gui.comparing_view import CompareView, class_colours
from pspgui.gui.icons import ICON_PX, icon
from pspgui.gui.panels.drawing import draw_elided, percent
from pspgui.gui.qimages import premultiplied
from pspgui.gui.theme import GRID_PX, current_theme, heading_font, quiet_font

if TYPE_CHECKING:
    from pspgui.gui.document import Document
    from pspgui.jobs.comparing import ModelReading

_BAR_PX: Final = 40
_HEAD_PX: Final = 32
_VEIL: Final = 0xA6000000
_NARROW_PX: Final = 216
_AGREES: Final = "agrees "
_LOOKS: Final = (
    ("predictions", "Predictions"), ("differences", "Only where they differ"),
    ("agreement", "Agree or differ"), ("picture", "Picture alone"),
)  # fmt: skip
_AGREE, _DIFFER = (0, 0, 0, 150), (224, 85, 159, 170)


class _Head(QWidget):
    """The name of a model, and how far it agrees with the first; the others can be closed."""

    closed = Signal()

    def __init__(self, closable: bool, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._name = self._words = ""
        self.setFixedHeight(_HEAD_PX)
        self._close = QToolButton(self, toolTip="Compare with this model no longer")
        self._close.setIcon(icon("close"))
        self._close.setIconSize(QSize(14, 14))
        self._close.setVisible(closable)
        self._close.clicked.connect(self.closed)

    def show_text(self, name: str, words: str, tooltip: str) -> None:
        """Show another name and what is known of the model."""
        self._name, self._words = name, words
        self.setToolTip(tooltip)
        self._close.setAccessibleName(f"Close {name}")
        self.setAccessibleName(f"{name}, {words}")
        self.update()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Keep the button at the right."""
        side = 24
        self._close.setGeometry(self.width() - side - 4, (_HEAD_PX - side) // 2, side, side)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint the name, and the words right of it."""
        theme = current_theme()
        left = 2.0 * GRID_PX
        right = self.width() - (4 + 24 + 4.0 if self._close.isVisibleTo(self) else left)
        with QPainter(self) as p:
            p.fillRect(self.rect(), QColor(theme.base))
            p.setFont(quiet_font(self))
            p.setPen(QColor(theme.quiet))
            text = self._words if self.width() > _NARROW_PX else self._words.removeprefix(_AGREES)
            wide = p.fontMetrics().horizontalAdvance(text) + 2.0
            words = QRectF(max(left, right - wide), 0, min(wide, right - left), _HEAD_PX)
            draw_elided(p, words, text, Qt.AlignmentFlag.AlignRight)
            p.setFont(heading_font(self))
            p.setPen(QColor(theme.text))
            name = QRectF(left, 0, words.left() - GRID_PX - left, _HEAD_PX)
            draw_elided(p, name, self._name, mode=Qt.TextElideMode.ElideMiddle)


class _Column:
    """One model: its head, its view, and the words under it."""

    def __init__(self, page: ComparePage, other: OtherModel | None) -> None:
        self.other = other
        self.head = _Head(other is not None, page)
        self.view = CompareView(page.document, page.camera, page.picture, page)
        self.strip = ReadingStrip(page)
        for widget in self.widgets:
            widget.show()

    @property
    def widgets(self) -> tuple[QWidget, ...]:
        """Top to bottom."""
        return self.head, self.view, self.strip


class ComparePage(QWidget):
    """Linked views of the models compared. GUI thread only.

    One camera moves all of them; the picture is the canvas's, whose levels are made but once.
    Under each stand its class for the pinned, else the hovered pixel, and the evidence for it
    over the class of the model it is compared with.
    """

    def __init__(
        self, document: Document, comparing: Comparing, picture: PyramidImage,
        parent: QWidget | None = None,
    ) -> None:  # fmt: skip
        super().__init__(parent)
        self.document, self._comparing = document, comparing
        self.camera, self.picture = Camera(), picture
        self.columns: list[_Column] = []
        self._look = _LOOKS[0][0]
        self._pixel: Pixel | None = None
        self._told: dict[int, PixelWords | None] = {}
        self.setObjectName("compare_page")
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAccessibleName("Models side by side")
        self._build_bar()
        self._reading = QTimer(self, singleShot=True, interval=0)
        self._reading.timeout.connect(self._read_next)
        comparing.models_changed.connect(self._build_columns)
        comparing.readings_changed.connect(self._show_readings)
        comparing.region_chosen.connect(self._frame)
        for signal in (document.display_changed, document.classes_changed):
            signal.connect(self._show_readings)
        for signal in (document.hover_changed, document.pin_changed):
            signal.connect(self._point)
        document.image_changed.connect(self._image_changed)
        document.picture_changed.connect(self._repaint)
        self.picture.levels_ready.connect(self._repaint)
        self._image_changed()
        self._build_columns()

    def _build_bar(self) -> None:
        self._bar = QWidget(self)
        row = QHBoxLayout(self._bar)
        row.setContentsMargins(2 * GRID_PX, 0, GRID_PX // 2, 0)
        row.setSpacing(GRID_PX)
        self.looks = QComboBox(toolTip="What lies over the picture")
        self.looks.setAccessibleName("What lies over the picture")
        self.looks.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.looks.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
        self.looks.addItems([text for _, text in _LOOKS])
        self.looks.activated.connect(self._look_chosen)
        row.addWidget(self.looks)
        row.addStretch(1)
        for name, tip, verb in (
            ("fit-to-screen-outline", "Fit to the views (Ctrl+0, double click)", self.fit),
            ("arrow-left", "Back to the canvas (Esc)", self._leave),
        ):
            button = QToolButton(toolTip=tip)
            button.setAccessibleName(tip.partition(" (")[0])
            button.setIcon(icon(name))
            button.setIconSize(QSize(ICON_PX, ICON_PX))
            button.clicked.connect(verb)
            row.addWidget(button)

    # -- models -------------------------------------------------------------------------------

    @Slot()
    def _build_columns(self) -> None:
        wanted = [None, *self._comparing.others]
        if [column.other for column in self.columns] != wanted:
            for column in self.columns:
                for widget in column.widgets:
                    widget.hide()
                    widget.deleteLater()
            self.columns = [_Column(self, other) for other in wanted]
            for column in self.columns:
                column.view.moved.connect(self._moved)
                column.head.closed.connect(lambda other=column.other: self._close(other))
            self._lay_out()
        self._show_readings()

    def _close(self, other: OtherModel) -> None:
        # Not from within the click of a button that goes with it.
        QTimer.singleShot(0, self, lambda: self._comparing.remove(other))

    @Slot()
    def _show_readings(self) -> None:
        """Bring heads, maps and words up to what is known, while they can be seen."""
        if not self.isVisible():
            return
        comparing = self._comparing
        for column in self.columns:
            reading = self._reading_of(column.other)
            column.view.show_maps(*self._drawn(column.other, reading))
            column.view.say("" if reading is not None else self._awaited(column.other))
            column.head.show_text(
                comparing.name_of(column.other), self._state(column.other),
                self._tooltip(column.other),
            )  # fmt: skip
        self._point(None, anew=True)

    def _reading_of(self, other: OtherModel | None) -> ModelReading | None:
        return self._comparing.first if other is None else other.reading

    def _awaited(self, other: OtherModel | None) -> str:
        if other is None:
            known = self.document.prediction is not None and not self.document.is_preview
            return "Matching the classes…" if known else "Waiting for the prediction…"
        if other.fault:
            return other.fault
        return "Loading the model…" if other.facts is None else "Reading the image…"

    def _state(self, other: OtherModel | None) -> str:
        if other is None:
            return "in use"
        if other.facts is None:
            return "loading…"
        return "" if other.agreement is None else _AGREES + percent(other.agreement)

    def _tooltip(self, other: OtherModel | None) -> str:
        facts = self._comparing.facts_of(other)
        if facts is None:
            return "" if other is None else printable(other.choice.path)
        lines = [facts.network, printable(facts.path), facts.running]
        if other is not None and other.agreement is not None:
            lines.append(f"{percent(other.agreement)} of the pixels have the first model's class")
        return "\n".join(lines)

    def _drawn(
        self, other: OtherModel | None, reading: ModelReading | None
    ) -> tuple[Maps, Look | None]:
        """Return the maps and the look of a view."""
        if reading is None or self._look == "picture":
            return (), None
        beside = self._beside(other)
        opacity = self.document.opacity
        colours = class_colours(reading.table, len(self.document.table), self.document.visible)
        colours[:, 3] = np.round(colours[:, 3] * opacity)
        if self._look == "predictions" or beside is None:
            return (reading.labels,), Fill(premultiplied(colours))
        if self._look == "differences":
            strong = colours.copy()
            strong[strong[:, 3] > 0, 3] = round(255 * max(opacity, 0.85))
            drawn = premultiplied(strong)
            drawn[strong[:, 3] == 0] = _VEIL
            return (reading.labels, beside.labels), Difference(drawn, _VEIL)
        flat = premultiplied(np.array([_AGREE, _DIFFER], np.uint8))
        every = np.full(len(colours), flat[1], np.uint32)
        return (reading.labels, beside.labels), Difference(every, int(flat[0]))

    def _beside(self, other: OtherModel | None) -> ModelReading | None:
        """Return what a model is compared with: the first one, and that with the chosen one."""
        chosen = self._comparing.chosen
        if other is not None:
            return self._comparing.first
        return None if chosen is None else chosen.reading

    @Slot(int)
    def _look_chosen(self, index: int) -> None:
        self._look = _LOOKS[index][0]
        self._show_readings()

    # -- the pixel ----------------------------------------------------------------------------

    @Slot(object)
    def _point(self, _pixel: object = None, anew: bool = False) -> None:
        """Follow the hovered or pinned pixel; what is said of it comes model by model."""
        if not self.isVisible():
            return
        for column in self.columns:
            column.view.update()
        document = self.document
        pixel = document.hover if document.pin is None else document.pin
        if pixel != self._pixel or anew:
            self._pixel, self._told = pixel, {}
            self._reading.start()

    @Slot()
    def _read_next(self) -> None:
        """Ask one model, so that the window may paint between them; show them together."""
        for number, column in enumerate(self.columns):
            if number not in self._told:
                self._told[number] = self._ask(column.other)
                self._reading.start()
                return
        reach = max((extent_of(w.sums) for w in self._told.values() if w is not None), default=1.0)
        for number, column in enumerate(self.columns):
            column.strip.show_words(self._told[number], self._comparing.table, reach)

    def _ask(self, other: OtherModel | None) -> PixelWords | None:
        reading, beside, pixel = self._reading_of(other), self._beside(other), self._pixel
        if reading is None or pixel is None:
            return None
        return words_of(reading, pixel, None if beside is None else int(beside.labels[pixel]))

    # -- the camera ---------------------------------------------------------------------------

    @Slot()
    def fit(self) -> None:
        """Show the whole picture in every view."""
        self.camera.fit()
        self._moved()

    def zoom_to(self, rect: Rect) -> None:
        """Show a part of the picture, and some of what is around it, in every view."""
        self.camera.zoom_to(with_room(rect))
        self._moved()

    def zoom_by(self, factor: float) -> None:
        """Zoom around the middle."""
        self.camera.zoom_at(self.camera.viewport.center(), factor)
        self._moved()

    @Slot()
    def _moved(self) -> None:
        self._repaint()

    @Slot()
    def _repaint(self) -> None:
        for column in self.columns:
            column.view.update()

    @Slot(object)
    def _frame(self, rect: Rect) -> None:
        for column in self.columns:
            column.view.set_box(rect)

    @Slot()
    def _image_changed(self) -> None:
        image = self.document.image
        if image is not None:
            self.camera.set_image_shape(*image.shape[:2])
        for column in self.columns:
            column.view.set_box(None)
        self._repaint()

    # -- laying out ---------------------------------------------------------------------------

    def _lay_out(self) -> None:
        """Give all views the same size, so that one camera fits them all."""
        count, gap = len(self.columns), 2
        self._bar.setGeometry(0, 0, self.width(), _BAR_PX)
        if not count:
            return
        wide = max(1, (self.width() - gap * (count - 1)) // count)
        below = self.columns[0].strip.sizeHint().height()
        high = max(1, self.height() - _BAR_PX - _HEAD_PX - below)
        for number, column in enumerate(self.columns):
            left = number * (wide + gap)
            column.head.setGeometry(left, _BAR_PX, wide, _HEAD_PX)
            column.view.setGeometry(left, _BAR_PX + _HEAD_PX, wide, high)
            column.strip.setGeometry(left, self.height() - below, wide, below)
        self.camera.resize(high, wide, self.devicePixelRatioF())
        self._repaint()

    def minimumSizeHint(self) -> QSize:
        """Room for two views."""
        return QSize(320, 280)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Share the room out anew."""
        self._lay_out()

    def showEvent(self, event: QShowEvent) -> None:
        """Catch up with what happened meanwhile."""
        super().showEvent(event)
        self._show_readings()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint the ground behind bar and words."""
        with QPainter(self) as painter:
            painter.fillRect(event.rect(), QColor(current_theme().panel))

    def changeEvent(self, event: QEvent) -> None:
        """Repaint for another theme."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange and hasattr(self, "_reading"):
            self._show_readings()

    # -- keys ---------------------------------------------------------------------------------

    def event(self, event: QEvent) -> bool:
        """Keep the keys of zooming from the canvas, which is out of sight."""
        override = event.type() == QEvent.Type.ShortcutOverride and isinstance(event, QKeyEvent)
        if override and self._verb_of(event) is not None:
            event.accept()
            return True
        return super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Zoom, fit; Esc lets go of the pin, then leaves the page."""
        verb = self._verb_of(event)
        if verb is None:
            super().keyPressEvent(event)
        else:
            verb()

    def _verb_of(self, event: QKeyEvent):
        keys = Qt.Key
        control = bool(event.modifiers() & Qt.KeyboardModifier.ControlModifier)
        if event.key() == keys.Key_Escape:
            return self.step_back
        if control and event.key() in (keys.Key_0, keys.Key_1):
            actual = event.key() == keys.Key_1
            return (lambda: self.zoom_by(1.0 / self.camera.zoom)) if actual else self.fit
        if event.key() in (keys.Key_Plus, keys.Key_Equal):
            return lambda: self.zoom_by(1.25)
        return (lambda: self.zoom_by(0.8)) if event.key() == keys.Key_Minus else None

    def step_back(self) -> None:
        """Let go of the pin, else leave the page."""
        if self.document.pin is not None:
            self.document.set_pin(None)
            self._frame(None)
        else:
            self._leave()

    @Slot()
    def _leave(self) -> None:
        self._comparing.set_side_by_side(False)
