"""The maps panel: one map of the whole image on the canvas, chosen from a short list."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Final

from PySide6.QtCore import QSize, Qt, Slot
from PySide6.QtWidgets import (
    QComboBox,
    QFormLayout,
    QHBoxLayout,
    QScrollArea,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from pspgui.gui.icons import icon
from pspgui.gui.theme import GRID_PX, QuietLabel
from pspgui.jobs.maps import MAPS, MapKind

if TYPE_CHECKING:
    from pspgui.gui.document import Document
    from pspgui.gui.maps_session import MapsSession

_ICONS: Final = {
    "context": "image-multiple-outline", "strongest": "podium-gold",
    "evidence": "plus-minus-variant", "bin": "target", "reach": "arrow-expand-all",
}  # fmt: skip
_HINT: Final = "Esc takes a map off; , and . make it fainter or stronger."
_WAITS: Final = (
    "Point at a bin in the Evidence panel to see its map, or pin a pixel to see that of the bin "
    "that adds most there."
)


class MapsPanel(QWidget):
    """What there is to see of the whole image; what needs bins is grey for other networks.

    GUI thread only. It proposes to the `MapsSession` and shows what that says.
    """

    def __init__(
        self, document: Document, maps: MapsSession, parent: QWidget | None = None,
        by_steps: bool = False,
    ) -> None:  # fmt: skip
        super().__init__(parent)
        self._document, self._maps = document, maps
        self.setObjectName("maps_panel")
        self._target, self._part = QComboBox(), QComboBox()
        self._buttons = {kind.name: self._button(kind) for kind in MAPS}
        self._words = QuietLabel()
        self._words.setWordWrap(True)
        if not by_steps:
            for _ in self.finishing():
                pass

    def finishing(self) -> Generator[None, None, None]:
        """Lay out what there is and follow the document; to be called once."""
        inner = self._lay_out()
        yield
        area = QScrollArea()
        area.setWidgetResizable(True)
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        area.setWidget(inner)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.addWidget(area)
        maps, document = self._maps, self._document
        maps.changed.connect(self._show)
        document.target_changed.connect(self._show_target)
        document.classes_changed.connect(self._show_target)
        document.prediction_changed.connect(self._show_target)
        document.prediction_changed.connect(self._show)
        self._target.activated.connect(self._target_chosen)
        self._part.activated.connect(self._part_chosen)
        self._show_target()
        self._show()

    def _lay_out(self) -> QWidget:
        """Return all of it in a column."""
        inner = QWidget()
        column = QVBoxLayout(inner)
        column.setContentsMargins(2 * GRID_PX, GRID_PX, 2 * GRID_PX, GRID_PX)
        column.setSpacing(2)
        column.addWidget(self._words)
        column.addSpacing(GRID_PX)
        column.addWidget(QuietLabel("What decides"))
        beside = QHBoxLayout()
        beside.setSpacing(2)
        for kind in MAPS:
            of_sources = kind.needs in ("pyramid", "sources")
            (column if of_sources else beside).addWidget(self._buttons[kind.name])
        column.addSpacing(4)
        column.addLayout(self._form())
        column.addSpacing(GRID_PX)
        column.addWidget(QuietLabel("How sure"))
        column.addLayout(beside)
        column.addStretch(1)
        return inner

    # -- what is there ------------------------------------------------------------------------

    def button(self, name: str) -> QToolButton:
        """Return the button of a map."""
        return self._buttons[name]

    @property
    def target_box(self) -> QComboBox:
        """Chooses the target, as in the Evidence panel."""
        return self._target

    @property
    def part_box(self) -> QComboBox:
        """Chooses the source of "Evidence by source"."""
        return self._part

    @property
    def words(self) -> str:
        """What stands above the list."""
        return self._words.text()

    def sizeHint(self) -> QSize:
        """As wide as the panels beside it."""
        return QSize(320, 400)

    # -- parts --------------------------------------------------------------------------------

    def _button(self, kind: MapKind) -> QToolButton:
        button = QToolButton()
        button.setAccessibleName(kind.title)
        button.setToolTip(f"{kind.meaning}.")
        if kind.name in _ICONS:  # a row of its own; those that share one have no room for icons
            button.setIcon(icon(_ICONS[kind.name]))
            button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        button.setText(f" {kind.title}" if kind.name in _ICONS else kind.title)
        button.setCheckable(True)
        button.setFixedHeight(26)
        button.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        button.clicked.connect(lambda _=False, name=kind.name: self._maps.toggle(name))
        return button

    def _form(self) -> QFormLayout:
        form = QFormLayout()
        form.setContentsMargins(0, 0, 0, 0)
        form.setHorizontalSpacing(GRID_PX)
        form.setVerticalSpacing(4)
        for words, box in (("Target", self._target), ("Source", self._part)):
            box.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
            box.setSizeAdjustPolicy(
                QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
            )
            box.setAccessibleName(words)
            label = QuietLabel(words)
            label.setMinimumHeight(box.sizeHint().height())  # forms put labels at the top
            form.addRow(label, box)
        self._target.setToolTip("Which class the evidence is for, as in the Evidence panel")
        self._part.setToolTip("Which source “Evidence by source” shows")
        return form

    # -- what a person does -------------------------------------------------------------------

    @Slot(int)
    def _target_chosen(self, index: int) -> None:
        self._document.set_target(*self._target.itemData(index))

    @Slot(int)
    def _part_chosen(self, index: int) -> None:
        self._maps.choose("evidence", self._part.itemData(index))

    # -- following ----------------------------------------------------------------------------

    @Slot()
    def _show(self) -> None:
        """Follow the choice, and what is on offer."""
        maps = self._maps
        chosen = None if maps.choice is None else maps.choice.name
        for kind in MAPS:
            button = self._buttons[kind.name]
            button.setChecked(kind.name == chosen)
            button.setEnabled(maps.offers(kind) or kind.name == chosen)
        self._show_parts()
        text = maps.share_text
        if maps.waits_for_bin:
            text = f"{text} {_WAITS}".lstrip()
        self._words.setText(text or self._hint())

    def _hint(self) -> str:
        """Return what to know where nothing is measured."""
        document = self._document
        if document.prediction is None or self._maps.parts:
            return _HINT
        if document.is_preview:
            return "What decides comes with the full prediction."
        if document.by_windows:
            return "Pin a pixel to see what decides in its window."
        if document.engine is not None:
            return "What decides here is told pixel by pixel, in the Evidence panel."
        return _HINT

    def _show_parts(self) -> None:
        parts = self._maps.parts
        if parts and [self._part.itemData(i) for i in range(self._part.count())] != [
            name for name, _ in parts
        ]:
            self._part.clear()
            for name, title in parts:
                self._part.addItem(title, name)
        self._part.setCurrentIndex(max(0, self._part.findData(self._maps.part)))
        self._part.setEnabled(bool(parts))
        self._target.setEnabled(bool(parts))

    @Slot()
    def _show_target(self) -> None:
        """List the classes; a class over another one stands first while it is the target."""
        document, target = self._document, self._document.target
        table = document.reading_table
        items = [("Winner over runner-up", (None, None))]
        if target[0] is not None and target[1] is not None:
            words = f"{table.name_of(target[0])} over {table.name_of(target[1])}"
            items.append((words, target))
        items += [(c.name, (c.id, None)) for c in table.classes]
        self._target.clear()
        for text, wanted in items:
            self._target.addItem(text, wanted)
        self._target.setCurrentIndex([wanted for _, wanted in items].index(target))
