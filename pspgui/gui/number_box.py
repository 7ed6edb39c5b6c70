"""A field for a whole number, whose text stands where that of other fields does."""

from __future__ import annotations

from PySide6.QtWidgets import QSpinBox, QWidget

_MARGIN_PX = 4


class NumberBox(QSpinBox):
    """A spin box with room before its number; a style sheet has no say in that."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.lineEdit().setTextMargins(_MARGIN_PX, 0, 0, 0)
