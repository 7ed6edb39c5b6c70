"""The review panel: accept or reject what is done, say why, and see what was said."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import (
    QAbstractListModel,
    QEvent,
    QModelIndex,
    QRectF,
    QSize,
    Qt,
    Signal,
    Slot,
)
from PySide6.QtGui import QColor, QPainter
from PySide6.QtWidgets import (
    QHBoxLayout,
    QLineEdit,
    QListView,
    QPlainTextEdit,
    QPushButton,
    QStyleOptionViewItem,
    QVBoxLayout,
    QWidget,
)

from pspgui.durable import printable
from pspgui.gui.icons import draw_icon, icon
from pspgui.gui.panels.drawing import draw_elided
from pspgui.gui.panels.image_delegate import STATUS_ICONS, status_colour
from pspgui.gui.panels.rows import EvenRows, Index, RowList, paint_ground
from pspgui.gui.theme import GRID_PX, QuietLabel, current_theme, quiet_font, text_font
from pspgui.project.index import IndexedImage

if TYPE_CHECKING:
    from pspgui.gui.document import Document
    from pspgui.gui.queue_session import QueueSession
    from pspgui.gui.review_session import ReviewSession

_ROW = 44
_NO_COMMENTS = "comment-outline", "No comments yet", "What is said in a review is listed here."


class CommentModel(QAbstractListModel):
    """Images with a comment."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._images: tuple[IndexedImage, ...] = ()

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 - Qt's signature
        """Return how many there are."""
        return 0 if parent.isValid() else len(self._images)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Return the comment in words; the image under UserRole."""
        if not index.isValid() or index.row() >= len(self._images):
            return None
        image = self._images[index.row()]
        who = image.reviewer or "somebody"
        if role == Qt.ItemDataRole.UserRole:
            return image
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.ToolTipRole):
            return f"{printable(image.path.name)}, {image.status}\n{who}: {image.comment}"
        return None

    def set_images(self, images: tuple[IndexedImage, ...]) -> None:
        """Show other comments."""
        if images != self._images:
            self.beginResetModel()
            self._images = images
            self.endResetModel()


class _CommentDelegate(EvenRows):
    """Paints a comment: status and name, below them who said what."""

    row_size = QSize(160, _ROW)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        """Paint one comment."""
        image: IndexedImage = index.data(Qt.ItemDataRole.UserRole)
        theme, rect = current_theme(), QRectF(option.rect)
        painter.save()
        paint_ground(painter, option)
        mark = QRectF(rect.left() + 12, rect.top() + 6, 16, 16)
        draw_icon(painter, STATUS_ICONS[image.status], mark, status_colour(image.status, theme))
        room = QRectF(rect.left() + 36, rect.top() + 4, rect.width() - 48, 20)
        painter.setFont(text_font(option.widget))
        painter.setPen(QColor(theme.text))
        draw_elided(painter, room, printable(image.path.name), mode=Qt.TextElideMode.ElideMiddle)
        painter.setFont(quiet_font(option.widget))
        painter.setPen(QColor(theme.quiet))
        who = f"{image.reviewer}: " if image.reviewer else ""
        draw_elided(painter, room.translated(0, 18), who + " ".join(image.comment.split()))
        painter.restore()


class ReviewPanel(QWidget):
    """Who reviews, the comment, the decision, and all comments. `image_chosen(Path)`."""

    image_chosen = Signal(object)

    def __init__(
        self, document: Document, queue: QueueSession, review: ReviewSession,
        parent: QWidget | None = None,
    ) -> None:  # fmt: skip
        super().__init__(parent)
        self._document, self._queue, self._review = document, queue, review
        self.setObjectName("review_panel")
        self.setAutoFillBackground(True)
        self._mode = QPushButton(" Begin the review", checkable=True)
        self._counts = QuietLabel()
        self._name = QLineEdit()
        self._comment = QPlainTextEdit()
        self._accept, self._reject = QPushButton(" Accept"), QPushButton(" Reject")
        self._model = CommentModel(self)
        self._view = RowList()
        self._build()
        self._connect()
        self._refresh()

    def _build(self) -> None:
        self._mode.setIcon(icon("playlist-check"))
        self._mode.setToolTip(
            "Go through the images that are done, labels against prediction (Ctrl+Alt+R)"
        )
        self._counts.setWordWrap(True)
        self._name.setPlaceholderText("Your name")
        self._name.setAccessibleName("Reviewer")
        self._name.setText(self._review.reviewer)
        leading = QLineEdit.ActionPosition.LeadingPosition
        self._name.addAction(icon("account-outline", "quiet"), leading)
        self._comment.setPlaceholderText("Comment on this image")
        self._comment.setAccessibleName("Comment")
        self._comment.setTabChangesFocus(True)
        self._comment.setFixedHeight(64)
        self._accept.setIcon(icon("check-decagram"))
        self._accept.setToolTip("Accept and go on (Y)")
        self._reject.setIcon(icon("close-octagon-outline"))
        self._reject.setToolTip("Reject and go on (Shift+Y)")
        self._view.setModel(self._model)
        self._view.setItemDelegate(_CommentDelegate(self._view))
        self._view.hint = _NO_COMMENTS
        self._view.setAccessibleName("Comments")
        buttons = QHBoxLayout()
        buttons.setSpacing(GRID_PX)
        buttons.addWidget(self._reject, 1)
        buttons.addWidget(self._accept, 1)
        top = QVBoxLayout()
        top.setContentsMargins(2 * GRID_PX, GRID_PX // 2, 2 * GRID_PX, GRID_PX)
        top.setSpacing(GRID_PX)
        for widget in (self._mode, self._counts, self._name, self._comment):
            top.addWidget(widget)
        top.addLayout(buttons)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addLayout(top)
        column.addWidget(self._view, 1)
        self.setMinimumWidth(200)

    def _connect(self) -> None:
        review = self._review
        self._mode.toggled.connect(review.set_active)
        self._name.editingFinished.connect(self._keep_name)
        self._comment.textChanged.connect(self._keep_comment)
        self._comment.installEventFilter(self)
        self._accept.clicked.connect(review.accept)
        self._reject.clicked.connect(review.reject)
        self._view.clicked.connect(self._on_clicked)
        review.active_changed.connect(self._refresh)
        review.comments_changed.connect(self._refresh)
        review.comment_wanted.connect(self._show_comment)
        self._queue.known_changed.connect(self._refresh)
        self._document.image_changed.connect(self._refresh)

    def sizeHint(self) -> QSize:
        """The width of a side panel."""
        return QSize(280, 420)

    @property
    def comment_field(self) -> QPlainTextEdit:
        """The field of the comment."""
        return self._comment

    @property
    def buttons(self) -> tuple[QPushButton, QPushButton, QPushButton]:
        """The buttons that begin, accept and reject."""
        return self._mode, self._accept, self._reject

    @property
    def comments(self) -> QListView:
        """The list of comments."""
        return self._view

    @property
    def counts_text(self) -> str:
        """How many images wait, and how many were decided."""
        return self._counts.text()

    @Slot()
    def _refresh(self) -> None:
        review = self._review
        self._mode.setChecked(review.active)
        self._mode.setText(" End the review" if review.active else " Begin the review")
        counts = review.counts
        self._counts.setText(
            f"{counts.get('done', 0)} to review · {counts.get('accepted', 0)} accepted · "
            f"{counts.get('rejected', 0)} rejected"
        )
        for widget in (self._comment, self._accept, self._reject):
            widget.setEnabled(review.can_review)
        self._model.set_images(tuple(review.comments))

    @Slot(str)
    def _show_comment(self, text: str) -> None:
        if self._comment.toPlainText() != text:
            self._comment.blockSignals(True)
            self._comment.setPlainText(text)
            self._comment.blockSignals(False)

    @Slot()
    def _keep_comment(self) -> None:
        self._review.comment = self._comment.toPlainText()

    @Slot()
    def _keep_name(self) -> None:
        self._review.reviewer = self._name.text()

    @Slot(QModelIndex)
    def _on_clicked(self, index: QModelIndex) -> None:
        image = index.data(Qt.ItemDataRole.UserRole)
        if image is not None:
            self.image_chosen.emit(Path(image.path))

    def eventFilter(self, watched: object, event: QEvent) -> bool:
        """Keep the comment when its field is left, decided or not."""
        if watched is self._comment and event.type() == QEvent.Type.FocusOut:
            known = self._queue.known(self._document.image_path)
            said = "" if known is None else known.comment
            if known is not None and self._review.comment.strip() != said:
                self._review.say()
        return super().eventFilter(watched, event)
