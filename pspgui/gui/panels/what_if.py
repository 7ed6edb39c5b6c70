"""The What if panel: what is altered, what came of it, and what-ifs saved under a name."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtCore import QPoint, QSize, Qt, Slot
from PySide6.QtGui import QPainter, QPaintEvent, QShowEvent
from PySide6.QtWidgets import (
    QCheckBox,
    QHBoxLayout,
    QInputDialog,
    QLabel,
    QPushButton,
    QScrollArea,
    QStackedLayout,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from pspgui.durable import printable
from pspgui.geometry import Pixel
from pspgui.gui.icons import icon
from pspgui.gui.panels.drawing import draw_empty, grouped, percent, signed
from pspgui.gui.panels.what_if_rows import Gain, GainBars, SourceRow
from pspgui.gui.theme import GRID_PX, ICON_PX, QuietLabel, heading
from pspgui.gui.what_if import LOCAL, Key, WhatIfSession

if TYPE_CHECKING:
    from pspgui.gui.document import Document
    from pspgui.gui.panels.what_if_menu import WhatIfMenu
    from pspgui.gui.what_if_notes import WhatIfNotes
    from pspgui.inference.activations import Prediction
    from pspgui.jobs.what_if_notes import WhatIfNote

_TO_DO = (
    "Mute or scale a part of the pyramid and see what the network would say instead. "
    "Drag a slider here, or double-click a bin in the Evidence panel."
)
_SLOW_S = 0.1  # above which the image visibly lags behind a slider


class _NothingToAlter(QWidget):
    """Why nothing can be altered, and what to do."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.title = self.hint = ""

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint title and hint."""
        with QPainter(self) as p:
            draw_empty(p, self, "head-question-outline", self.title, self.hint)


class NoteRow(QWidget):
    """A saved what-if: a click applies it, the button deletes it."""

    def __init__(self, notes: WhatIfNotes, note: WhatIfNote, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._notes, self._note = notes, note
        self.apply = QToolButton(toolButtonStyle=Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.apply.setIcon(icon("play-outline"))
        self.apply.setIconSize(QSize(ICON_PX, ICON_PX))
        name = printable(note.name)
        shown = self.apply.fontMetrics().elidedText(name, Qt.TextElideMode.ElideRight, 160)
        self.apply.setText(shown)
        self.apply.setAccessibleName(f"Apply the what-if {name}")
        self.away = QToolButton(toolTip="Delete this note")
        self.away.setIcon(icon("trash-can-outline"))
        self.away.setIconSize(QSize(ICON_PX - 2, ICON_PX - 2))
        self.away.setAccessibleName(f"Delete the what-if {name}")
        about = QuietLabel(f"{grouped(note.changed_px)} px")
        if not notes.is_of_this_model(note):
            about.setText("other model")
        self.apply.setToolTip(f"{name}\n{_told(note)}")
        line = QHBoxLayout(self)
        line.setContentsMargins(0, 0, 0, 0)
        line.setSpacing(GRID_PX // 2)
        line.addWidget(self.apply)
        line.addStretch(1)
        line.addWidget(about)
        line.addWidget(self.away)
        self.apply.clicked.connect(self._apply)
        self.away.clicked.connect(self._delete)

    @Slot()
    def _apply(self) -> None:
        self._notes.apply(self._note)

    @Slot()
    def _delete(self) -> None:
        self._notes.delete(self._note)


class WhatIfPanel(QWidget):
    """Shows and changes the what-if of a session. GUI thread only."""

    def __init__(
        self, document: Document, what_if: WhatIfSession, notes: WhatIfNotes,
        parent: QWidget | None = None, by_steps: bool = False,
    ) -> None:  # fmt: skip
        super().__init__(parent)
        self._document, self._what_if, self._notes = document, what_if, notes
        self._rows: dict[Key, SourceRow] = {}
        self.menu: WhatIfMenu | None = None
        self.setObjectName("what_if_panel")
        self.setAutoFillBackground(True)
        self._empty = _NothingToAlter()
        self._build()
        if not by_steps:
            for _ in self.finishing():
                pass

    # -- building -----------------------------------------------------------------------------

    def finishing(self) -> Generator[None, None, None]:
        """Make the rows, one a step, and follow what they show; to be called once."""
        for _ in self._making_rows(self._wanted()):
            yield
        what_if, document = self._what_if, self._document
        what_if.changed.connect(self._show_sources)
        what_if.answered.connect(self._show_answer)
        what_if.look_changed.connect(self._show_look)
        self._notes.changed.connect(self._show_notes)
        document.hover_changed.connect(self._show_pixel)
        document.pin_changed.connect(self._show_pixel)
        document.classes_changed.connect(self._show_answer)
        self._show_sources()
        self._show_answer()
        self._show_notes()

    def _build(self) -> None:
        self.count = heading("")
        self.restore_all = _button("Restore all", "")
        self.on_image = QCheckBox("Show on the image")
        self.on_image.setToolTip("In the views of labels and of the prediction")
        self.before = _button("Before", "Hold to see what there was before (U on the image)")
        page = QWidget()
        rows = QVBoxLayout(page)
        rows.setContentsMargins(0, 0, 0, 0)
        rows.setSpacing(GRID_PX // 2)
        for line in (_line(self.count, self.restore_all), _line(self.on_image, self.before)):
            line.setContentsMargins(2 * GRID_PX, 0, 2 * GRID_PX, 0)
            rows.addLayout(line)
        rows.addSpacing(GRID_PX // 2)
        rows.addWidget(self._build_scrolled(), 1)
        self._pages = QStackedLayout(self)
        self._pages.addWidget(self._empty)
        self._pages.addWidget(page)
        self.setMinimumWidth(248)
        self.restore_all.clicked.connect(self._restore_or_bring_back)
        self.save.clicked.connect(self._save)
        self.on_image.toggled.connect(self._what_if.set_on_image)
        self.before.pressed.connect(lambda: self._what_if.hold_before(True))
        self.before.released.connect(lambda: self._what_if.hold_before(False))

    def _build_scrolled(self) -> QScrollArea:
        """Return the part that scrolls: sources, what came of it, notes."""
        content = QWidget()
        column = QVBoxLayout(content)
        column.setContentsMargins(2 * GRID_PX, 0, 2 * GRID_PX, GRID_PX)
        column.setSpacing(GRID_PX)
        self._hint, self._why_not, self._trouble = _wrapped(_TO_DO), _wrapped(""), _wrapped("")
        column.addWidget(self._hint)
        self._sources = QVBoxLayout()
        self._sources.setSpacing(0)
        column.addLayout(self._sources)
        self._build_result(column)
        self.save = _button("Save as a note…", "")
        column.addWidget(self.save)
        column.addWidget(self._why_not)
        self._notes_heading, self._notes_column = heading("Notes of this image"), QVBoxLayout()
        self._notes_column.setSpacing(2)
        column.addWidget(self._notes_heading)
        column.addLayout(self._notes_column)
        column.addWidget(self._trouble)
        column.addStretch(1)
        area = QScrollArea(widgetResizable=True)
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        area.setWidget(content)
        area.viewport().setAutoFillBackground(False)
        content.setAutoFillBackground(False)
        return area

    def _build_result(self, column: QVBoxLayout) -> None:
        self._result = QWidget()
        inner = QVBoxLayout(self._result)
        inner.setContentsMargins(0, GRID_PX, 0, 0)
        inner.setSpacing(GRID_PX // 2)
        self.bars = GainBars()
        self.confidence = QLabel("")
        self.pixel = QLabel("", wordWrap=True)
        self.confidence.setToolTip(
            "The winning class's probability at the network's cells, mean over the image. Pixels "
            "between cells of two classes are less sure: the map of confidence shows each."
        )
        for label in (self.confidence, self.pixel):
            label.setTextFormat(Qt.TextFormat.PlainText)
        self.slow = _wrapped("")
        for widget in (self.slow, self.bars, self.confidence, self.pixel):
            inner.addWidget(widget)
        column.addWidget(self._result)

    def sizeHint(self) -> QSize:
        """The width of a side panel."""
        return QSize(320, 420)

    # -- showing ------------------------------------------------------------------------------

    @property
    def rows(self) -> dict[Key, SourceRow]:
        """The rows of sources shown, by key."""
        return self._rows

    def showEvent(self, event: QShowEvent) -> None:
        """Catch up with the pixel pointed at while the panel was out of sight."""
        super().showEvent(event)
        self._show_pixel()

    @Slot()
    def _show_sources(self) -> None:
        what_if = self._what_if
        if what_if.evidence is None:
            self._empty.title, self._empty.hint = what_if.reason
            self._empty.update()
            self._pages.setCurrentIndex(0)
            return
        self._pages.setCurrentIndex(1)
        keys = self._wanted()
        if keys != tuple(self._rows):
            for _ in self._making_rows(keys):
                pass
        for row in self._rows.values():
            row.show_state()
        self._hint.setVisible(what_if.is_plain)
        back = what_if.can_bring_back
        self.restore_all.setText("Bring back" if back else "Restore all")
        self.restore_all.setToolTip(
            "Alter again what was restored" if back
            else "Leave everything as it is (Esc on the image)"
        )
        self.restore_all.setEnabled(back or not what_if.is_plain)
        self._show_save()

    def _wanted(self) -> tuple[Key, ...]:
        what_if = self._what_if
        if what_if.evidence is None:
            return ()
        return (LOCAL, *((b,) for b in what_if.levels), *what_if.bins)

    def _making_rows(self, keys: tuple[Key, ...]) -> Iterator[Key]:
        """Keep the rows of sources that stay, so that a slider being dragged is not lost."""
        for key in [key for key in self._rows if key not in keys]:
            row = self._rows.pop(key)
            self._sources.removeWidget(row)
            row.hide()
            row.deleteLater()
        for key in keys:
            if key not in self._rows:
                self._rows[key] = SourceRow(self._what_if, key)
                self._rows[key].menu_wanted.connect(self._open_menu)
            self._sources.addWidget(self._rows[key])
            yield key
        self._rows = {key: self._rows[key] for key in keys}

    @Slot(object, object)
    def _open_menu(self, key: Key, at: QPoint) -> None:
        if self.menu is not None:
            menu = self.menu.menu(key, self)
            menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
            menu.popup(at)

    @Slot()
    def _show_answer(self) -> None:
        told = self._what_if.told
        self._result.setVisible(told is not None)
        self._show_look()
        self._show_save()
        if told is None:
            self.bars.set_gains(())
            self.count.setText("Nothing altered")
            return
        share = percent(told.changed_px / max(1, told.pixels))
        self.count.setText(
            f"{grouped(told.changed_px)} px · {share}" if told.changed_px else "No pixel changed"
        )
        self.count.setToolTip("Pixels of another class than before, of all pixels of the image")
        table = self._document.reading_table
        gains = (
            Gain(table.name_of(i), tuple(table.classes[i].colour), int(told.gained[i]))
            for i in np.flatnonzero(told.gained).tolist() if i < len(table)
        )  # fmt: skip
        self.bars.set_gains(tuple(gains))
        before, after = (f"{100 * share:.2f} %" for share in told.confidence)
        self.confidence.setText(f"Confidence of cells {before} → {after}")
        self.slow.setVisible(told.seconds > _SLOW_S)
        self.slow.setText(
            f"Each answer takes {max(0.1, told.seconds):.1f} s here: the image follows a slider "
            "that much later."
        )
        self._show_pixel()

    @Slot()
    def _show_pixel(self, _pixel: Pixel | None = None) -> None:
        document, told = self._document, self._what_if.told
        if told is None or document.prediction is None or not self.isVisible():
            return
        pixel = document.pin or document.hover
        if pixel is None:
            self.pixel.setText("Point at a pixel to see its class before and after.")
            return
        before, after = (
            self._reading(found, pixel) for found in (document.prediction, told.prediction)
        )
        pinned = " (pinned)" if document.pin is not None else ""
        self.pixel.setText(f"x {pixel.x}, y {pixel.y}{pinned}\n{before}\n→ {after}")

    def _reading(self, found: Prediction, pixel: Pixel) -> str:
        """Return a pixel's class, probability and margin in words."""
        logits = found.logits_at(*pixel)
        winner = int(logits.argmax())
        odds = np.exp(logits - logits[winner])
        second = np.partition(logits, -2)[-2] if len(logits) > 1 else logits[winner]
        name = self._document.reading_table.name_of(winner)
        chance = percent(1 / float(odds.sum()))
        return f"{name} {chance}, margin {signed(float(logits[winner] - second))}"

    @Slot()
    def _show_look(self) -> None:
        what_if = self._what_if
        self.on_image.setChecked(what_if.on_image)
        self.before.setEnabled(what_if.told is not None and what_if.on_image)

    def _show_save(self) -> None:
        why_not = self._notes.why_not
        self.save.setEnabled(not why_not)
        self.save.setToolTip(why_not or "Keep this what-if with the image, in its project")
        self._why_not.setText(why_not)
        self._why_not.setVisible(bool(why_not) and self._what_if.told is not None)

    @Slot()
    def _show_notes(self) -> None:
        while (item := self._notes_column.takeAt(0)) is not None:
            item.widget().hide()
            item.widget().deleteLater()
        for note in self._notes.notes:
            self._notes_column.addWidget(NoteRow(self._notes, note))
        self._notes_heading.setVisible(bool(self._notes.notes))
        self._trouble.setText(self._notes.trouble)
        self._trouble.setVisible(bool(self._notes.trouble))
        self._show_save()

    # -- from the person ----------------------------------------------------------------------

    @Slot()
    def _restore_or_bring_back(self) -> None:
        if self._what_if.can_bring_back:
            self._what_if.bring_back()
        else:
            self._what_if.restore_all()

    @Slot()
    def _save(self) -> None:
        name, accepted = QInputDialog.getText(
            self.window(), "Save this what-if", "Name of the note"
        )
        if accepted and name.strip():
            self._notes.keep(name.strip())


def _button(text: str, tip: str) -> QPushButton:
    button = QPushButton(text)
    button.setToolTip(tip)
    return button


def _wrapped(text: str) -> QuietLabel:
    label = QuietLabel(text)
    label.setWordWrap(True)
    return label


def _line(left: QWidget, right: QWidget) -> QHBoxLayout:
    line = QHBoxLayout()
    line.setSpacing(GRID_PX)
    line.addWidget(left, 1)
    line.addWidget(right)
    return line


def _told(note: WhatIfNote) -> str:
    """Return what a note says, for its tooltip."""
    lines = [f"{grouped(note.changed_px)} of {grouped(note.pixels)} px changed"]
    if note.model_title:
        lines.append(f"with {note.model_title}")
    lines += [f"{name} {'+' if n > 0 else ''}{grouped(n)}" for name, n in note.gained.items()]
    if note.loans:
        lines.append(f"borrows from {', '.join(sorted(map(printable, set(note.loans.values()))))}")
    return "\n".join([*lines, note.saved])


__all__ = ["NoteRow", "WhatIfPanel"]
