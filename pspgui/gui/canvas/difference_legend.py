"""The legend of the comparing views: how many pixels differ, or that none does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from PySide6.QtCore import QRectF, QSizeF, Qt
from PySide6.QtGui import QColor, QFontMetricsF, QPainter
from PySide6.QtWidgets import QWidget

from pspgui.gui.canvas.difference_count import COMPARING, DifferenceCount
from pspgui.gui.panels.drawing import draw_elided, grouped, percent
from pspgui.gui.theme import current_theme, heading_font, quiet_font

if TYPE_CHECKING:
    from pspgui.gui.document import Document

_TITLE: Final = 20.0
_WRAP: Final = int(Qt.AlignmentFlag.AlignLeft) | int(Qt.TextFlag.TextWordWrap)


class _Words(NamedTuple):
    differs: str
    same: str
    wanting: str


_WORDS: Final = {
    "difference": _Words(
        "from the prediction",
        "Labels and prediction agree everywhere.",
        "There is no prediction of this image to compare with yet.",
    ),
    "other": _Words(
        "from the other model",
        "The labels are what the other model says, everywhere.",
        "The other model has not answered for this image yet.",
    ),
    "changes": _Words(
        "since the image was opened",
        "The labels are as they were when the image was opened.",
        "There are no labels of before to compare with.",
    ),
}


class DifferenceLegend:
    """How many pixels differ, or a sentence why the picture shows none. GUI thread only."""

    def __init__(self, document: Document, count: DifferenceCount, canvas: QWidget) -> None:
        self._document, self._count, self._canvas = document, count, canvas

    def words(self) -> tuple[str, str]:
        """Return a heading and a sentence; both empty while nothing is compared."""
        document, count = self._document, self._count
        if (
            document.view_mode not in COMPARING or document.shown_map is not None
            or document.opened is not None
        ):  # fmt: skip
            return "", ""
        words = _WORDS[document.view_mode]
        if not count.is_possible:
            return "Nothing to compare", words.wanting
        found = count.found
        if found is None:
            return "Counting what differs…", ""
        if not found.pixels:
            return f"No pixel differs {words.differs}", words.same
        size = document.image.shape[0] * document.image.shape[1]
        share = percent(found.pixels / size)
        heading = f"{grouped(found.pixels)} px differ ({share})"
        where = words.differs[0].upper() + words.differs[1:]
        if not found.drawn:
            return heading, f"{where}; all are unlabelled, or of classes that are hidden."
        text = f"{where}. In the colour of their label; all else is dark."
        if found.drawn < found.pixels:
            hidden = grouped(found.pixels - found.drawn)
            text += f" {hidden} unlabelled or of hidden classes are dark, too."
        return heading, text

    def size(self, widest: float) -> QSizeF:
        """Return the room it takes; empty while nothing is compared."""
        heading, text = self.words()
        if not heading:
            return QSizeF()
        title = QFontMetricsF(heading_font(self._canvas)).horizontalAdvance(heading) + 2
        width = min(widest, max(title, 200.0))
        return QSizeF(width, _TITLE + self._text_height(text, width))

    def paint(self, painter: QPainter, inner: QRectF) -> None:
        """Draw it."""
        theme = current_theme()
        heading, text = self.words()
        painter.setFont(heading_font(self._canvas))
        painter.setPen(QColor(theme.text))
        line = QRectF(inner.left(), inner.top() - 2, inner.width(), _TITLE)
        draw_elided(painter, line, heading)
        painter.setFont(quiet_font(self._canvas))
        painter.setPen(QColor(theme.quiet))
        painter.drawText(inner.adjusted(0, _TITLE, 0, 40), _WRAP, text)

    def _text_height(self, text: str, width: float) -> float:
        if not text:
            return 0.0
        metrics = QFontMetricsF(quiet_font(self._canvas))
        return float(metrics.boundingRect(QRectF(0, 0, width, 1000), _WRAP, text).height())


__all__ = ["DifferenceLegend"]
