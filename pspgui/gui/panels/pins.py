"""The pins panel: the list of pins, and those chosen side by side."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from PySide6.QtCore import QPoint, QSize, Qt, Signal, Slot
from PySide6.QtGui import QGuiApplication, QPainter, QPaintEvent
from PySide6.QtWidgets import (
    QComboBox,
    QFileDialog,
    QHBoxLayout,
    QMenu,
    QScrollArea,
    QStackedLayout,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from pspgui.gui.icons import icon
from pspgui.gui.panels.drawing import draw_empty
from pspgui.gui.panels.evidence_sums import target_words
from pspgui.gui.panels.pin_compare import Column, PinCompare
from pspgui.gui.panels.pin_list import PinList
from pspgui.gui.pins import Pin
from pspgui.gui.theme import GRID_PX, ICON_PX, QuietLabel

if TYPE_CHECKING:
    from pspgui.evidence.readings import PixelEvidence, Target
    from pspgui.gui.commands.row import Parts
    from pspgui.gui.document import Document
    from pspgui.gui.pins_session import PinsSession

FORMATS: Final = {"tsv": "Table", "csv": "CSV", "json": "JSON"}
_FILTERS: Final = {
    "csv": "Comma-separated values (*.csv)", "tsv": "Tab-separated values (*.tsv)",
    "json": "JSON (*.json)",
}  # fmt: skip
_OWN: Final = "Each pin's own winner"


class PinsPanel(QWidget):
    """Shows `document.pins`; lets a person choose, name, remove, compare and copy them.

    `centre_wanted(Pin)` asks the canvas to show one.
    """

    centre_wanted = Signal(object)

    def __init__(
        self, document: Document, session: PinsSession, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._document, self._session = document, session
        self.setObjectName("pins_panel")
        self.setAutoFillBackground(True)
        self.list = PinList(document)
        self.compare = PinCompare()
        self.by = QComboBox()
        self.note = QuietLabel("")
        self._empty = _NoPins()
        self._pages = QStackedLayout()
        self._build()
        self._connect()
        self._follow()

    def sizeHint(self) -> QSize:
        """The width of a side panel."""
        return QSize(320, 420)

    # -- building -----------------------------------------------------------------------------

    def _build(self) -> None:
        self.back = _button("arrow-left", "The pin looked at before (Alt+Left)")
        self.forth = _button("arrow-right", "The pin looked at after it (Alt+Right)")
        self.restore = _button("undo", "Bring back the pins removed last")
        self.remove = _button("delete-outline", "Remove the pins chosen (Delete)")
        self.copy = _button("content-copy", "Copy (Ctrl+C) or save the pins chosen, or all")
        self.copy.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self.copy.setStyleSheet("QToolButton::menu-indicator { image: none; width: 0; }")
        menu = QMenu(self.copy)
        for kind, title in FORMATS.items():
            menu.addAction(f"Copy as {title if title.isupper() else title.lower()}").setData(kind)
        menu.addSeparator()
        menu.addAction("Save as…").setData("save")
        menu.triggered.connect(self._on_copy)
        self.copy.setMenu(menu)
        self.by.setAccessibleName("Compare the pins by which target")
        self.by.setSizeAdjustPolicy(
            QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
        )
        self.by.setMinimumContentsLength(8)
        tools = QHBoxLayout()
        tools.setContentsMargins(2 * GRID_PX - 6, 4, GRID_PX, 4)
        tools.setSpacing(0)
        for widget in (self.back, self.forth):
            tools.addWidget(widget)
        tools.addStretch(1)
        for widget in (self.copy, self.restore, self.remove):
            tools.addWidget(widget)
        below = QVBoxLayout()
        below.setContentsMargins(2 * GRID_PX, 0, GRID_PX, GRID_PX)
        below.setSpacing(GRID_PX)
        self.note.setWordWrap(True)
        for widget in (self.by, self.note, self.compare):
            below.addWidget(widget)
        content = QWidget()
        content.setAutoFillBackground(False)
        column = QVBoxLayout(content)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(GRID_PX)
        column.addWidget(self.list)
        column.addLayout(below)
        column.addStretch(1)
        area = QScrollArea()
        area.setWidgetResizable(True)
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        area.setWidget(content)
        area.viewport().setAutoFillBackground(False)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.setSpacing(0)
        outer.addLayout(tools)
        outer.addLayout(self._pages, 1)
        # Only now: the first page of a layout without a widget is shown as a window of its own.
        self._pages.addWidget(self._empty)
        self._pages.addWidget(area)
        self.setMinimumWidth(248)

    def _connect(self) -> None:
        pins = self._document.pins
        pins.changed.connect(self._follow)
        pins.current_changed.connect(self._follow_visits)
        self._session.explained.connect(self._show)
        self._session.common_changed.connect(self._show)
        self._document.target_changed.connect(self._show)
        self._document.classes_changed.connect(self._show)
        self.list.chosen_changed.connect(self._show)
        self.list.centre_wanted.connect(self.centre_wanted)
        self.list.copy_wanted.connect(self._copy)
        self.list.customContextMenuRequested.connect(self._show_menu)
        self.compare.pin_chosen.connect(pins.select)
        self.by.activated.connect(self._on_by)
        self.back.clicked.connect(self._on_back)
        self.forth.clicked.connect(self._on_forth)
        self.remove.clicked.connect(self._on_remove)
        self.restore.clicked.connect(self._on_restore)

    # -- showing ------------------------------------------------------------------------------

    @property
    def compared(self) -> tuple[Pin, ...]:
        """The pins side by side: those chosen, if they are several, else all."""
        chosen = self.list.chosen
        return chosen if len(chosen) > 1 else self._document.pins.all

    @Slot()
    def _follow(self) -> None:
        some = bool(self._document.pins.all)
        self._pages.setCurrentIndex(int(some))
        for button in (self.copy, self.remove):
            button.setEnabled(some)
        self.restore.setEnabled(bool(self._document.pins.removed))
        self._follow_visits()
        self._show()

    @Slot()
    def _follow_visits(self) -> None:
        self.back.setEnabled(self._document.pins.can_step(-1))
        self.forth.setEnabled(self._document.pins.can_step(1))

    @Slot()
    def _show(self) -> None:
        self._fill_targets()
        columns, table = [], self._document.reading_table
        from pspgui.gui.panels.evidence_sums import sums_of

        for pin in self.compared:
            found = self._session.compared(pin)
            if found is not None:
                name = table.name_of(found.target.class_id)
                columns.append(Column(pin, sums_of(found), name, target_words(found, table)))
        self.compare.set_columns(columns)
        note = ""
        if len(self._document.pins) == 1:
            note = "Shift+click another pixel, or drag over a region, to compare it with this one."
        elif self._document.reading == "ablate" and columns:
            note = "Each part is by how much the number falls without it alone."
        self.note.setText(note)
        self.note.setVisible(bool(note))

    def _fill_targets(self) -> None:
        """Offer the targets of the pins; one chosen in the evidence panel holds for all."""
        table, fixed = self._document.reading_table, self._document.evidence_target
        entries: list[tuple[str, Target | None]] = [(_OWN, None)]
        if fixed is not None:
            entries = [(f"{_words(fixed, table)}, as chosen in Evidence", None)]
        else:
            own = (self._document.pins.evidence_of(pin) for pin in self._document.pins)
            found = dict.fromkeys(one.target for one in own if one is not None)
            common = self._session.common
            if common is not None:
                found.setdefault(common)
            entries += [(f"All by {_words(target, table)}", target) for target in found]
        self.by.blockSignals(True)
        self.by.clear()
        for text, target in entries:
            self.by.addItem(text, target)
        chosen = [i for i, (_, target) in enumerate(entries) if target == self._session.common]
        self.by.setCurrentIndex(chosen[-1] if chosen else 0)
        self.by.blockSignals(False)
        self.by.setEnabled(fixed is None)
        self.by.setToolTip(
            f"{self.by.currentText()}\nBy which number the pins are compared: "
            "the margin of each pin's own class, or one for all"
        )

    # -- doing --------------------------------------------------------------------------------

    @Slot()
    def _on_by(self) -> None:
        self._session.set_common(self.by.currentData())

    @Slot()
    def _on_back(self) -> None:
        self._document.pins.step(-1)

    @Slot()
    def _on_forth(self) -> None:
        self._document.pins.step(1)

    @Slot()
    def _on_remove(self) -> None:
        self._document.pins.remove(self.list.chosen or self._document.pins.all)

    @Slot()
    def _on_restore(self) -> None:
        self._document.pins.restore()

    @Slot(QPoint)
    def _show_menu(self, at: QPoint) -> None:
        menu = self.menu_of(self.list.indexAt(at).row())
        menu.exec(self.list.viewport().mapToGlobal(at))
        menu.deleteLater()

    def menu_of(self, row: int) -> QMenu:
        """Return what can be done with the pin of a row, and with all."""
        pins, menu = self._document.pins, QMenu(self)
        if 0 <= row < len(pins):
            pin = pins.all[row]
            menu.addAction("Show in the middle", lambda: self.centre_wanted.emit(pin))
            if not pin.kept:
                menu.addAction("Keep it here", lambda: pins.keep(pin))
            menu.addAction("Rename", lambda: self.list.edit(self.list.index_of(pin)))
            menu.addAction("Remove", lambda: pins.remove([pin]))
            menu.addSeparator()
        all_ = menu.addAction("Remove all", lambda: pins.remove(pins.all))
        all_.setEnabled(len(pins) > 0)
        return menu

    @Slot(object)
    def _on_copy(self, action: object) -> None:
        if action.data() == "save":
            self._save()
        else:
            self._copy(action.data())

    @Slot()
    def _copy(self, kind: str = "tsv") -> None:
        QGuiApplication.clipboard().setText(self.written(kind))
        count = len(self._written_pins())
        pins = "1 pin" if count == 1 else f"{count} pins"
        self._document.message.emit(f"The evidence of {pins} was copied.")

    def _save(self) -> None:
        name, chosen = QFileDialog.getSaveFileName(
            self.window(), "Save the evidence of the pins", f"{self._stem()}_pins.csv",
            ";;".join(_FILTERS.values()),
        )  # fmt: skip
        if name:
            self.save(Path(name), chosen)

    def save(self, path: Path, chosen: str = "") -> None:
        """Write the pins to a file, as its ending says, else as the filter chosen."""
        kind = path.suffix.lower().removeprefix(".")
        if kind not in _FILTERS:
            kind = next((k for k, text in _FILTERS.items() if text == chosen), "csv")
            path = path.with_name(f"{path.name}.{kind}")
        self._session.write(path, self.written(kind).encode())

    def written(self, kind: str) -> str:
        """Return the evidence of the pins chosen, else of all, as "tsv", "csv" or "json"."""
        from pspgui.evidence.tables import Origin, as_csv, as_json, as_tsv, json_of, rows_of

        table, found = self._document.reading_table, self._written_pins()
        named = [(f"{pin.number} {pin.name}".rstrip(), evidence) for pin, evidence in found]
        if kind == "json":
            origin = Origin(str(self._document.image_path or ""), *self._session.model)
            return as_json([json_of(evidence, table, origin, name) for name, evidence in named])
        rows = [row for name, evidence in named for row in rows_of(evidence, table, name)]
        return as_tsv(rows) if kind == "tsv" else as_csv(rows)

    def _written_pins(self) -> list[tuple[Pin, PixelEvidence]]:
        found = ((pin, self._session.compared(pin)) for pin in self.compared)
        return [(pin, evidence) for pin, evidence in found if evidence is not None]

    def _stem(self) -> str:
        path = self._document.image_path
        return "image" if path is None else path.stem


class _NoPins(QWidget):
    """What to do when there is no pin."""

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint title and hint."""
        hint = (
            "Click a pixel with the probe (H); Shift+click keeps it and pins another. Drag a box, "
            "or Alt+drag, for a region: its pixels' mean evidence."
        )
        with QPainter(self) as p:
            p.setRenderHint(QPainter.RenderHint.Antialiasing)
            draw_empty(p, self, "map-marker-multiple-outline", "No pins yet", hint)


def pins_panel(parts: Parts, parent: QWidget) -> QWidget:
    """Return the pins panel of a window."""
    panel = PinsPanel(parts.document, parts.pins, parent)

    def centre(pin: Pin) -> None:
        parts.canvas.centre_on(pin.rect)

    panel.centre_wanted.connect(centre)
    return panel


def _words(target: Target, table: object) -> str:
    name = table.name_of(target.class_id)
    return name if target.versus is None else f"{name} over {table.name_of(target.versus)}"


def _button(name: str, tip: str) -> QToolButton:
    button = QToolButton()
    button.setIcon(icon(name))
    button.setIconSize(QSize(ICON_PX, ICON_PX))
    button.setToolTip(tip)
    button.setAccessibleName(tip)
    return button
