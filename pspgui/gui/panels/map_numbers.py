"""What the maps of the strip are like, in numbers: a table that comes up over the strip."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from PySide6.QtCore import QPoint, Qt
from PySide6.QtWidgets import QAbstractItemView, QFrame, QTableView, QVBoxLayout, QWidget

from pspgui.gui.dialogs.plain_table import PlainTable, style_table
from pspgui.gui.panels.drawing import short
from pspgui.gui.theme import GRID_PX, QuietLabel, heading

if TYPE_CHECKING:
    from pspgui.inference.channels import MapStatistics

HEADINGS: Final = (
    "Map", "Channels", "Size", "Dead", "Zero", "Mean", "Deviation", "Least", "Largest", "Norm²"
)  # fmt: skip
_COLUMN_PX: Final = 66
_NAME_PX: Final = 150
_ROW_PX: Final = 24
_MEANING: Final = (
    "Dead channels are nowhere above zero. Zero: the share of values that are not above zero. "
    "Norm²: the share of the squared norm that the bottleneck reads."
)


class MapNumbers(QFrame):
    """The statistics of all maps; closes when something else is clicked."""

    def __init__(self, rows: Sequence[MapStatistics], parent: QWidget | None = None) -> None:
        super().__init__(parent, Qt.WindowType.Popup)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setFrameShape(QFrame.Shape.StyledPanel)
        self.setAutoFillBackground(True)
        self.table = QTableView()
        self.table.setModel(PlainTable(HEADINGS, [row_texts(row) for row in rows], self))
        style_table(self.table)
        header = self.table.horizontalHeader()
        header.setMinimumSectionSize(_COLUMN_PX)
        self.table.verticalHeader().setDefaultSectionSize(_ROW_PX)
        self.table.setSelectionMode(QAbstractItemView.SelectionMode.NoSelection)
        self.table.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.table.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        width = _NAME_PX + _COLUMN_PX * (len(HEADINGS) - 1) + 3 * GRID_PX
        height = 30 + _ROW_PX * min(16, len(rows))
        self.table.setFixedSize(width, height)
        meaning = QuietLabel(
            _MEANING if rows else "The numbers are still being counted; open this again."
        )
        meaning.setWordWrap(True)
        column = QVBoxLayout(self)
        column.setContentsMargins(2 * GRID_PX, GRID_PX, 2 * GRID_PX, GRID_PX)
        column.setSpacing(GRID_PX)
        column.addWidget(heading("Maps in numbers"))
        column.addWidget(self.table)
        column.addWidget(meaning)

    def show_above(self, button: QWidget) -> None:
        """Come up with the lower right corner at a button's upper right one, on its screen."""
        self.adjustSize()
        corner = button.mapToGlobal(QPoint(button.width(), 0))
        screen = button.screen().availableGeometry()
        x = max(screen.left(), corner.x() - self.width())
        self.move(x, max(screen.top(), corner.y() - self.height() - 4))
        self.show()


def row_texts(row: MapStatistics) -> tuple[str, ...]:
    """Return one line of the table."""
    name = row.title if row.form is None else f"{row.title} {row.form}"
    share = "–" if row.share is None else _percent(row.share)
    return (
        name, str(row.channels), f"{row.shape[0]} × {row.shape[1]}", str(row.dead),
        _percent(row.zeros), short(row.mean), short(row.std), short(row.low), short(row.high),
        share,
    )  # fmt: skip


def _percent(share: float) -> str:
    percent = 100 * share
    return "0 %" if not share else "< 1 %" if percent < 1 else f"{percent:.0f} %"
