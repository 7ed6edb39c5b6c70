"""Review mode: going through finished images, accepting or rejecting each with a comment."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from PySide6.QtCore import QObject, Signal, Slot

from pspgui.durable import printable
from pspgui.jobs.messages import Urgency
from pspgui.jobs.queueing import Comments, commented
from pspgui.project.queries import Match, text_of

if TYPE_CHECKING:
    from pspgui.gui.document import Document
    from pspgui.gui.panels.images import ImagesPanel
    from pspgui.gui.queue_session import QueueSession
    from pspgui.gui.session import Session
    from pspgui.gui.settings import Settings
    from pspgui.project.index import IndexedImage

TO_REVIEW: Final = text_of(Match("status", "done"))
_KEPT_NAME: Final = "review/reviewer"


class ReviewSession(QObject):
    """Who reviews, and what is said. GUI thread only.

    Signals: `active_changed(bool)`; `comments_changed()` when more or other comments are known;
    `comment_wanted(str)` asks the panel to show a text as the comment.
    """

    active_changed = Signal(bool)
    comments_changed = Signal()
    comment_wanted = Signal(str)

    def __init__(
        self, document: Document, session: Session, queue: QueueSession, images: ImagesPanel,
        settings: Settings,
    ) -> None:  # fmt: skip
        super().__init__(queue)
        self._document, self._session, self._queue = document, session, queue
        self._images, self._settings = images, settings
        self._active = False
        self._before = ("", "labels")
        self._comment = ""
        self._said = Comments((), {})
        session.answer_to("review-comments", self._on_comments)
        queue.counts_changed.connect(self.read_comments)
        document.image_changed.connect(self._show_comment)
        queue.known_changed.connect(self._on_known)

    @property
    def active(self) -> bool:
        """Whether images are being reviewed."""
        return self._active

    @property
    def reviewer(self) -> str:
        """Who reviews; remembered between runs."""
        return self._settings.choice(_KEPT_NAME)

    @reviewer.setter
    def reviewer(self, name: str) -> None:
        self._settings.set_choice(_KEPT_NAME, name.strip())

    @property
    def comment(self) -> str:
        """What is about to be said of the image shown."""
        return self._comment

    @comment.setter
    def comment(self, text: str) -> None:
        self._comment = text

    @property
    def comments(self) -> Sequence[IndexedImage]:
        """Images with a comment, the latest first."""
        return self._said.images

    @property
    def counts(self) -> dict[str, int]:
        """Images by status."""
        return self._said.counts

    @property
    def can_review(self) -> bool:
        """Whether the image shown can be accepted or rejected."""
        image = self._document.image_path
        return image is not None and self._queue.index is not None and not self._queue.read_only

    def set_active(self, active: bool) -> None:
        """Begin or end reviewing: done images only, seen as labels against prediction."""
        if active == self._active:
            return
        self._active = active
        if active:
            self._before = (self._images.filter_field.text(), self._document.view_mode)
            if self._queue.status_of(self._document.image_path or Path()) != "done":
                self._go_when_found()
            self._images.ask_for(TO_REVIEW)
            self._queue.find_again()
            self._document.set_view_mode("difference")
            self.read_comments()
        else:
            text, mode = self._before
            if self._images.filter_field.text().strip() == TO_REVIEW:
                self._images.ask_for(text)
            if self._document.view_mode == "difference":
                self._document.set_view_mode(mode)
        self.active_changed.emit(active)

    def _go_when_found(self) -> None:
        """Show the first image to review once they are found."""

        def first() -> None:
            self._queue.found_changed.disconnect(first)
            if self._active:
                self._images.step(1)

        self._queue.found_changed.connect(first)

    def accept(self) -> None:
        """Accept the image shown and go to the next."""
        self._decide("accepted")

    def reject(self) -> None:
        """Reject the image shown and go to the next; saying why is asked for."""
        self._decide("rejected")

    def say(self) -> None:
        """Keep the comment without deciding."""
        image = self._document.image_path
        if image is not None:
            self._keep(image, self._queue.status_of(image))
            self._document.message.emit(f"The comment on {printable(image.name)} is kept.")

    def _decide(self, status: str) -> None:
        image = self._document.image_path
        if image is None or not self.can_review:
            return
        self._session.save_now()
        self._keep(image, status)
        went_round = self._images.go_round(self._is_to_review)
        if self._active and went_round is not False:
            rest = "from the top again" if went_round else "that was the last one to review"
            self._document.message.emit(f"{printable(image.name)} is {status}; {rest}.")

    def _is_to_review(self, image: Path) -> bool:
        """Whether an image of the list still waits: those decided stay in it until it is made anew.

        An image that was not looked up yet is in the list because it waits.
        """
        known = self._queue.known(image)
        return known is None or not self._active or known.status == "done"

    def _keep(self, image: Path, status: str) -> None:
        self._queue.review(image, self.reviewer, self._comment.strip(), status)

    # -- comments -----------------------------------------------------------------------------

    @Slot()
    def read_comments(self) -> None:
        """Read what was said of images lately."""
        index = self._queue.index
        if index is not None:
            self._session.ask("files", "review-comments", commented(index), Urgency.PREDICT)

    def _on_comments(self, said: Comments) -> None:
        self._said = said
        self.comments_changed.emit()

    @Slot(object)
    def _on_known(self, paths: Sequence[Path]) -> None:
        if self._document.image_path in paths and not self._comment:
            self._show_comment()

    @Slot()
    def _show_comment(self) -> None:
        known = self._queue.known(self._document.image_path)
        self._comment = "" if known is None else known.comment
        self.comment_wanted.emit(self._comment)
