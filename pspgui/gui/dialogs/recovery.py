"""Shows strokes that a crash left in the journal, before they are put on the labels."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtCore import QSize, Qt, Slot
from PySide6.QtGui import QColor, QImage, QPainter, QPaintEvent
from PySide6.QtWidgets import (
    QCheckBox,
    QDialog,
    QDialogButtonBox,
    QLabel,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from pspgui.geometry import Rect
from pspgui.gui.dialogs.form import Text
from pspgui.gui.keeping_session import KeepingSession, offer
from pspgui.gui.qimages import rgb_image
from pspgui.gui.theme import GRID_PX, QuietLabel, current_theme, heading

if TYPE_CHECKING:
    from pspgui.gui.document import Document
    from pspgui.project.recovery import Lost

_SIZE = QSize(70 * GRID_PX, 40 * GRID_PX)
_LEAST_PX = 96  # of the image around small strokes
_SHARE = 0.7
_MOST_NAMES = 6
_MOST_COMPARED = 16_000_000  # pixels; more would hold up the window


class RecoveryPane(QWidget):
    """The image around the strokes, with the pixels they change in their colours, edged white."""

    def __init__(self, document: Document, lost: Lost, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._document, self._lost = document, lost
        self._view = _around(lost.rect, document.image.shape[:2])
        self._shown = True
        self._picture: QImage | None = None
        self.setMinimumSize(_SIZE)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setAccessibleName("What the strokes change")

    @Slot(bool)
    def show_strokes(self, shown: bool) -> None:
        """Show the image with or without them."""
        self._shown, self._picture = shown, None
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw the picture in the middle."""
        room = QSize(self._view.width, self._view.height).scaled(
            self.size(), Qt.AspectRatioMode.KeepAspectRatio
        )
        if self._picture is None or self._picture.size() != room:
            self._picture = self._rendered(room)
        with QPainter(self) as painter:
            painter.fillRect(self.rect(), QColor(current_theme().canvas))
            left, top = (self.width() - room.width()) // 2, (self.height() - room.height()) // 2
            painter.drawImage(left, top, self._picture)

    def _rendered(self, size: QSize) -> QImage:
        """Sample image and strokes at the size of the pane."""
        view, lost = self._view, self._lost
        rows = view.y0 + np.arange(size.height()) * view.height // max(1, size.height())
        columns = view.x0 + np.arange(size.width()) * view.width // max(1, size.width())
        image = self._document.image[np.ix_(rows, columns)].astype(np.float32)
        if self._shown:
            y0, y1 = np.searchsorted(rows, (lost.rect.y0, lost.rect.y1))
            x0, x1 = np.searchsorted(columns, (lost.rect.x0, lost.rect.x1))
            picked = np.ix_(rows[y0:y1] - lost.rect.y0, columns[x0:x1] - lost.rect.x0)
            mask = np.zeros(image.shape[:2], bool)
            mask[y0:y1, x0:x1] = lost.mask[picked]
            labels = np.zeros(image.shape[:2], np.intp)
            labels[y0:y1, x0:x1] = np.minimum(lost.labels[picked], 255)
            colours = self._document.table.palette().astype(np.float32)[labels[mask]]
            image[mask] = image[mask] * (1 - _SHARE) + colours * _SHARE
            image[_rim(mask)] = 255
        return rgb_image(np.ascontiguousarray(image.astype(np.uint8))).copy()


class RecoveryDialog(QDialog):
    """Recover, not now, or discard; closing it is "not now"."""

    def __init__(
        self, document: Document, keeping: KeepingSession, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._keeping = keeping
        lost = keeping.lost
        self.setWindowTitle("Recover strokes")
        names = list(dict.fromkeys(lost.names))
        shown = ", ".join(names[:_MOST_NAMES]) + (", …" if len(names) > _MOST_NAMES else "")
        self.pane = RecoveryPane(document, lost)
        self.shown = QCheckBox("Show the strokes")
        self.shown.setChecked(True)
        self.shown.toggled.connect(self.pane.show_strokes)
        self.buttons = self._buttons()
        column = QVBoxLayout(self)
        column.setContentsMargins(*4 * (2 * GRID_PX,))
        column.setSpacing(GRID_PX)
        title = heading(offer(lost))
        title.setTextFormat(Qt.TextFormat.PlainText)
        title.setWordWrap(True)
        column.addWidget(title)
        column.addWidget(self._text(f"{shown}. {what_they_change(document, lost)}"))
        column.addWidget(self.pane, 1)
        column.addWidget(self.shown)
        column.addWidget(QuietLabel(
            "Recovered strokes can be undone as one edit. Later keeps them for the next time."
        ))  # fmt: skip
        column.addWidget(self.buttons)
        # Within the dialog: earlier, Qt would take the first button of the row, Discard.
        self.discard_button.setAutoDefault(False)
        self.accept_button.setDefault(True)

    @staticmethod
    def _text(words: str) -> QLabel:
        label = Text()
        label.setText(words)
        return label

    def _buttons(self) -> QDialogButtonBox:
        box = QDialogButtonBox()
        roles = QDialogButtonBox.ButtonRole
        self.accept_button = box.addButton("Recover", roles.AcceptRole)
        self.later_button = box.addButton("Later", roles.RejectRole)
        self.discard_button = box.addButton("Discard", roles.ResetRole)
        self.discard_button.setToolTip("Offer them no more; their journal goes to the backups")
        box.accepted.connect(self._recover)
        box.rejected.connect(self.reject)
        self.discard_button.clicked.connect(self._discard)
        return box

    @Slot()
    def _recover(self) -> None:
        if self._keeping.lost is None or self._keeping.recover():
            self.accept()
        else:
            self.reject()

    @Slot()
    def _discard(self) -> None:
        self._keeping.discard()
        self.reject()


def what_they_change(document: Document, lost: Lost) -> str:
    """Return, of strokes to recover, how many pixels get another label and how many only an origin.

    Of very many pixels those of another origin are not told apart.
    """
    shown = document.label_map
    fits = shown is not None and lost.rect.intersect(shown.rect) == lost.rect
    if shown is None or not fits or lost.mask.size > _MOST_COMPARED:
        return f"They change {_count(lost.pixels)}."
    differs = lost.labels != shown.labels[lost.rect.slices]
    relabelled = int(np.count_nonzero(differs & lost.mask))
    marks = lost.provenance != shown.provenance[lost.rect.slices]
    marked = int(np.count_nonzero(marks & ~differs & lost.mask))
    if not relabelled:
        return f"They change no label, only who labelled {_count(marked)}."
    more = f", and who labelled {_count(marked)} more" if marked else ""
    return f"They change the label of {_count(relabelled)}{more}."


def _count(pixels: int) -> str:
    return f"{pixels:,} px".replace(",", "\u2009")


def _around(rect: Rect, shape: tuple[int, ...]) -> Rect:
    """Return some of the image around a rect, a quarter of its size on every side at least."""
    down = max(rect.height // 4, (_LEAST_PX - rect.height) // 2, 8)
    across = max(rect.width // 4, (_LEAST_PX - rect.width) // 2, 8)
    wide = Rect(rect.y0 - down, rect.x0 - across, rect.y1 + down, rect.x1 + across)
    return wide.intersect(Rect(0, 0, shape[0], shape[1]))


def _rim(mask: np.ndarray) -> np.ndarray:
    """Return the pixels just outside of a mask."""
    wide = mask.copy()
    wide[1:] |= mask[:-1]
    wide[:-1] |= mask[1:]
    wide[:, 1:] |= mask[:, :-1]
    wide[:, :-1] |= mask[:, 1:]
    return wide & ~mask
