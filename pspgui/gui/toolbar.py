"""The toolbar: tools, brush size, overlay, view, accept, undo; at the right model and device."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

from PySide6.QtCore import QSize, Qt, Slot
from PySide6.QtGui import QAction, QActionGroup, QResizeEvent
from PySide6.QtWidgets import (
    QComboBox,
    QHBoxLayout,
    QLabel,
    QMenu,
    QSizePolicy,
    QSlider,
    QToolBar,
    QToolButton,
    QWidget,
)

from pspgui.durable import printable
from pspgui.gui.actions import Actions
from pspgui.gui.commands.tools import action_ids
from pspgui.gui.display import VIEW_MODES, VIEW_TEXTS
from pspgui.gui.document import Document
from pspgui.gui.icons import ICON_PX, icon
from pspgui.gui.label_session import MAX_BRUSH_PX
from pspgui.gui.number_box import NumberBox
from pspgui.gui.session import Session
from pspgui.gui.theme import GRID_PX, QuietLabel
from pspgui.gui.tool_buttons import RuleButton, ToolGroup
from pspgui.gui.tools import TOOL_GROUPS, TOOLS, Tool
from pspgui.jobs.modelling import ModelFacts

_SIZE_STEPS = 1000  # the size slider is logarithmic: 1 px to 2048 px over this many steps
_SHORTEST_NAME_PX = 52


class MainToolBar(QToolBar):
    """Follows the document; everything in it is also in the menus or has a key."""

    def __init__(
        self, document: Document, session: Session, actions: Actions, parent: QWidget
    ) -> None:
        super().__init__("Toolbar", parent)
        self.setObjectName("toolbar")
        self.setMovable(False)
        self.setIconSize(QSize(ICON_PX, ICON_PX))
        self._document = document
        self._session = session
        self._add_tools(actions)
        self.addSeparator()
        self._add_size()
        self.addSeparator()
        self._add_overlay(actions)
        self.addSeparator()
        for name in ("accept", "undo", "redo"):
            self.addAction(actions[name])
        self._add_space()
        self._add_model(actions)
        self._name_parts()
        document.brush_changed.connect(self._show_size)
        document.display_changed.connect(self._show_display)
        session.model_changed.connect(self._show_model)
        self._show_size()
        self._show_display()

    # -- parts --------------------------------------------------------------------------------

    def _add_tools(self, actions: Actions) -> None:
        """Add the tools; those of a kind share a button."""
        group = QActionGroup(self)
        self._groups: dict[type[Tool], ToolGroup] = {}
        for tool in TOOLS:
            members = [actions[name] for name in action_ids(tool)]
            for action in members:
                group.addAction(action)
            kind = next((k for k in TOOL_GROUPS if tool in k), (tool,))
            if tool is not kind[0]:
                continue
            every = [actions[name] for t in kind for name in action_ids(t)]
            if len(every) == 1:
                self.addAction(every[0])
            else:
                self._add_group(kind, every)
        self._rule = RuleButton(self._document, actions)
        self.addWidget(self._rule)

    def _add_group(self, tools: Sequence[type[Tool]], members: list[QAction]) -> None:
        button = ToolGroup(members)
        self.addWidget(button)
        for tool in tools:
            self._groups[tool] = button

    def _add_size(self) -> None:
        self._size = QSlider(Qt.Orientation.Horizontal)
        self._size.setRange(0, _SIZE_STEPS)
        self._size.setFixedWidth(64)
        self._size.setToolTip("Brush size ([ and ], Shift+wheel)")
        self._size.valueChanged.connect(self._size_slid)
        self._diameter = NumberBox()
        self._diameter.setRange(1, MAX_BRUSH_PX)
        self._diameter.setSuffix(" px")
        self._diameter.setKeyboardTracking(False)
        self._diameter.setToolTip("Brush diameter in image pixels")
        self._diameter.valueChanged.connect(self._document.set_brush_diameter)
        self._diameter.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
        self._diameter.lineEdit().returnPressed.connect(self._diameter.clearFocus)
        self._size_caption = self._labelled("Size", self._size, self._diameter)

    def _add_overlay(self, actions: Actions) -> None:
        self._opacity = QSlider(Qt.Orientation.Horizontal)
        self._opacity.setRange(0, 100)
        self._opacity.setFixedWidth(56)
        self._opacity.setToolTip("Opacity of the overlay (, and .)")
        self._opacity.valueChanged.connect(self._opacity_slid)
        self._percent = QuietLabel("100 %")
        self._percent.setFixedWidth(self._percent.fontMetrics().horizontalAdvance("100 %") + 4)
        self._opacity_caption = self._labelled("Opacity", self._opacity, self._percent)
        self.addAction(actions["outline"])
        self._view = QComboBox()
        self._view.addItems([VIEW_TEXTS[mode][0] for mode in VIEW_MODES])
        self._view.setToolTip("What lies over the image (V)")
        self._view.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self._view.activated.connect(self._view_chosen)
        self.addWidget(self._view)

    def _add_space(self) -> None:
        space = QWidget()
        space.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        self.addWidget(space)

    def _add_model(self, actions: Actions) -> None:
        self._model = QToolButton()
        self._model.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self._model.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self._model.setIcon(actions["open_weights"].icon())
        self._title = "Loading the model…"
        self._model.setText(self._title)
        menu = QMenu(self._model)
        menu.addAction(actions["model"])
        menu.addAction(actions["open_weights"])
        menu.addAction(actions["bundled_model"])
        menu.addAction(actions["compare_add"])
        self._model.setMenu(menu)
        self.addWidget(self._model)
        self._device = QComboBox()
        self._device.addItem("auto")
        self._device.setToolTip("Where the model runs")
        self._device.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self._device.activated.connect(self._device_chosen)
        self.addWidget(self._device)

    def _name_parts(self) -> None:
        """Name what has no text of its own, for screen readers and for the dark theme."""
        for widget in (self._size, self._diameter, self._opacity, self._view, self._device):
            widget.setAccessibleName(widget.toolTip().partition(" (")[0])
        more = self.findChild(QToolButton, "qt_toolbar_ext_button")
        if more is not None:
            more.setIcon(icon("chevron-double-right"))
            more.setToolTip("More tools")

    def _labelled(self, text: str, *widgets: QWidget) -> QLabel:
        holder = QWidget()
        holder.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Preferred)
        row = QHBoxLayout(holder)
        row.setContentsMargins(GRID_PX // 2, 0, GRID_PX // 2, 0)
        row.setSpacing(GRID_PX)
        label: QLabel = QuietLabel(text)
        label.setBuddy(widgets[0])
        for widget in (label, *widgets):
            row.addWidget(widget)
        self.addWidget(holder)
        return label

    # -- from the person ----------------------------------------------------------------------

    @Slot(int)
    def _size_slid(self, step: int) -> None:
        self._document.set_brush_diameter(round(MAX_BRUSH_PX ** (step / _SIZE_STEPS)))

    @Slot(int)
    def _opacity_slid(self, percent: int) -> None:
        self._document.set_opacity(percent / 100)

    @Slot(int)
    def _view_chosen(self, index: int) -> None:
        self._document.set_view_mode(VIEW_MODES[index])

    @Slot(int)
    def _device_chosen(self, index: int) -> None:
        self._session.set_device(self._device.itemText(index))

    # -- from the document --------------------------------------------------------------------

    @Slot()
    def _show_size(self) -> None:
        diameter = self._document.brush_diameter
        step = round(_SIZE_STEPS * math.log(diameter) / math.log(MAX_BRUSH_PX))
        for widget, value in ((self._size, step), (self._diameter, diameter)):
            widget.blockSignals(True)
            widget.setValue(value)
            widget.blockSignals(False)

    @Slot()
    def _show_display(self) -> None:
        percent = round(100 * self._document.opacity)
        self._opacity.blockSignals(True)
        self._opacity.setValue(percent)
        self._opacity.blockSignals(False)
        self._percent.setText(f"{percent} %")
        self._opacity.setToolTip(f"Opacity of the overlay: {percent} % (, and .)")
        self._view.setCurrentIndex(VIEW_MODES.index(self._document.view_mode))
        other = self._view.model().item(VIEW_MODES.index("other"))
        other.setEnabled(self._document.is_comparing)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Keep the device in sight and the model's name readable."""
        super().resizeEvent(event)
        self._fit_title()

    def _fit_title(self) -> None:
        """Leave out what tooltips and other widgets say too, then shorten the model's name."""
        metrics = self._model.fontMetrics()
        longest = metrics.elidedText(self._title, Qt.TextElideMode.ElideMiddle, 240)
        self._model.setText(longest)
        captions = (self._opacity_caption, self._size_caption)
        spared: tuple[tuple[QWidget, ...], ...] = ((self._percent,), captions, (self._size,))
        for widget in itertools.chain(*spared):
            widget.setVisible(True)
        lacking = self._lacking()
        for widgets in spared:
            for widget in widgets if lacking > 0 else ():
                widget.setVisible(False)
            lacking = self._lacking()
        if lacking > 0:
            room = max(_SHORTEST_NAME_PX, metrics.horizontalAdvance(longest) - lacking)
            self._model.setText(metrics.elidedText(longest, Qt.TextElideMode.ElideMiddle, room))
        self._lacking()

    def _lacking(self) -> int:
        """Return by how many pixels everything is wider than the toolbar."""
        # A widget that the toolbar has just hidden for want of room does not say that it shrank.
        self.layout().invalidate()
        return self.layout().sizeHint().width() - self.width()

    @Slot(object)
    def _show_model(self, facts: ModelFacts | None) -> None:
        if facts is None:
            self._title = "No model"
            self._fit_title()
            return
        self._title = facts.title
        self._fit_title()
        self._model.setToolTip(f"{printable(facts.path)}\n{facts.network}, {facts.running}")
        self._device.clear()
        self._device.addItems(facts.devices)
        self._device.setCurrentText(self._session.device)
