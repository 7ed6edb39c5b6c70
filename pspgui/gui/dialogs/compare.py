"""Asks which model to compare with: those that come with the app, those used lately, or a file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from PySide6.QtCore import (
    QAbstractListModel,
    QModelIndex,
    QRectF,
    QSize,
    Qt,
    Slot,
)
from PySide6.QtGui import QColor, QPainter
from PySide6.QtWidgets import (
    QDialog,
    QFileDialog,
    QHBoxLayout,
    QPushButton,
    QStyleOptionViewItem,
    QVBoxLayout,
    QWidget,
)

from pspgui import places
from pspgui.durable import printable
from pspgui.gui.panels.drawing import draw_elided
from pspgui.gui.panels.rows import EvenRows, Index, RowList, paint_ground
from pspgui.gui.session import WEIGHT_SUFFIXES
from pspgui.gui.theme import GRID_PX, QuietLabel, current_theme, quiet_font, text_font

if TYPE_CHECKING:
    from pspgui.gui.comparing import Comparing
    from pspgui.gui.session import Session

_ROW: Final = 48


class Candidates(QAbstractListModel):
    """Weights to choose from: (name, path)."""

    def __init__(self, rows: list[tuple[str, Path]], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.rows = rows

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 - Qt's signature
        """Return how many there are."""
        return 0 if parent.isValid() else len(self.rows)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Return the name; the path in the tooltip and, as a Path, under UserRole."""
        if not index.isValid() or index.row() >= len(self.rows):
            return None
        name, path = self.rows[index.row()]
        if role == Qt.ItemDataRole.DisplayRole:
            return name
        if role == Qt.ItemDataRole.UserRole:
            return path
        return printable(path) if role == Qt.ItemDataRole.ToolTipRole else None


class _CandidateDelegate(EvenRows):
    """Paints a name and, quietly below it, where the file is."""

    row_size = QSize(320, _ROW)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        """Paint one row."""
        theme, rect = current_theme(), QRectF(option.rect)
        painter.save()
        paint_ground(painter, option)
        room = rect.adjusted(2 * GRID_PX, 5, -2 * GRID_PX, -5)
        room.setHeight(19)
        painter.setFont(text_font(option.widget))
        painter.setPen(QColor(theme.text))
        draw_elided(painter, room, index.data())
        painter.setFont(quiet_font(option.widget))
        painter.setPen(QColor(theme.quiet))
        path = printable(index.data(Qt.ItemDataRole.UserRole))
        draw_elided(painter, room.translated(0, 19), path, mode=Qt.TextElideMode.ElideMiddle)
        painter.restore()


class CompareDialog(QDialog):
    """A list of weights, and a way to any other file. `path` is what was chosen, or None."""

    def __init__(
        self, rows: list[tuple[str, Path]], folder: str, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.path: Path | None = None
        self._folder = folder
        self.setWindowTitle("Compare with another model")
        self.list = RowList()
        self.list.setModel(Candidates(rows, self.list))
        self.list.setItemDelegate(_CandidateDelegate(self.list))
        self.list.setAccessibleName("Models")
        self.list.doubleClicked.connect(self._take)
        self.other = QPushButton("Another file…")
        self.other.clicked.connect(self._ask)
        self.take = QPushButton("Compare")
        self.take.setDefault(True)
        self.take.clicked.connect(self._take)
        cancel = QPushButton("Cancel")
        cancel.clicked.connect(self.reject)
        foot = QHBoxLayout()
        foot.setSpacing(GRID_PX)
        foot.addWidget(self.other)
        foot.addStretch(1)
        foot.addWidget(self.take)
        foot.addWidget(cancel)
        words = QuietLabel(
            "It reads the image shown beside the model in use, which stays as it is. Classes are "
            "matched by their names."
        )
        words.setWordWrap(True)
        column = QVBoxLayout(self)
        column.setContentsMargins(2 * GRID_PX, 2 * GRID_PX, 2 * GRID_PX, 2 * GRID_PX)
        column.setSpacing(2 * GRID_PX)
        column.addWidget(words)
        column.addWidget(self.list, 1)
        column.addLayout(foot)
        if rows:
            self.list.setCurrentIndex(self.list.model().index(0, 0))
        else:
            self.take.setEnabled(False)
        self.list.setFocus()

    def sizeHint(self) -> QSize:
        """Room for some rows."""
        return QSize(520, 420)

    @Slot()
    def _take(self) -> None:
        index = self.list.currentIndex()
        if index.isValid():
            self.path = index.data(Qt.ItemDataRole.UserRole)
            self.accept()

    @Slot()
    def _ask(self) -> None:
        kinds = " ".join(f"*{suffix}" for suffix in WEIGHT_SUFFIXES)
        name, _ = QFileDialog.getOpenFileName(
            self, "Compare with weights", self._folder, f"Weights ({kinds});;All files (*)"
        )
        if name:
            self.path = Path(name)
            self.accept()


def candidates(recent: tuple[Path, ...], in_use: tuple[Path, ...]) -> list[tuple[str, Path]]:
    """Return (name, weights) to choose from; the models in use now are not among them."""
    known = {
        places.bundled_model(): "The bundled PSPNet (street scenes)",
        places.context_lab_model("fcn"): "Context lab: FCN that cannot see far",
        places.context_lab_model(): "Context lab: PSPNet",
    }
    paths = dict.fromkeys([*recent, *(path for path in known if path.is_file())])
    return [(known.get(p, printable(p.stem)), p) for p in paths if p not in in_use]


def ask_for_model(comparing: Comparing, session: Session, parent: QWidget) -> Path | None:
    """Ask for weights to compare with; None where that was cancelled."""
    in_use = [other.choice.path for other in comparing.others]
    if session.model is not None:
        in_use.append(session.model.path)
    rows = candidates(comparing.recent, tuple(in_use))
    dialog = CompareDialog(rows, str(session.choice.path.parent), parent)
    dialog.exec()
    dialog.deleteLater()
    return dialog.path
