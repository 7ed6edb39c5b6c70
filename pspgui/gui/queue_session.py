"""What the image list shows and does: finding, ordering, statuses, notes, reviews, batches.

The panels propose; everything that touches the index runs on the files lane, and what is already
known of images in sight is kept here.
"""

from __future__ import annotations

import itertools
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from PySide6.QtCore import QObject, Signal, Slot

from pspgui.durable import printable
from pspgui.gui.notices import Notice
from pspgui.jobs.messages import Urgency
from pspgui.jobs.queueing import (
    Before,
    Found,
    Listing,
    Order,
    find,
    look_up,
    make_listing,
    neighbour,
    words_in_use,
)
from pspgui.project.index import IndexedImage, ProjectIndex
from pspgui.project.queries import EVERYTHING, Query

if TYPE_CHECKING:
    from pspgui.gui.document import Document
    from pspgui.gui.model_session import ModelSession
    from pspgui.gui.project_session import ProjectSession

_KEEP: Final = 3000  # images whose details are kept
_FEW: Final = 400  # so many are shown at once, without waiting for the index
_UNDO_STEPS: Final = 50
REVIEWED: Final = ("accepted", "rejected")


class QueueSession(QObject):
    """The list of images as the index knows it. GUI thread only.

    Signals: `found_changed()` when other rows pass the filter, `known_changed(paths)` when more
    or something else is known of images, `project_changed()`, `neighbour_found(Path)` with the
    image to show next, `counts_changed()` when totals may have moved, `status_set(paths, word)`
    when a person set a status, with "" when that was taken back.
    """

    found_changed = Signal()
    known_changed = Signal(object)
    project_changed = Signal()
    neighbour_found = Signal(object)
    counts_changed = Signal()
    status_set = Signal(object, str)

    def __init__(
        self, document: Document, session: ModelSession, projects: ProjectSession,
        parent: QObject | None = None,
    ) -> None:  # fmt: skip
        """Of the session only `ask`, `answer_to` and `notice` are used."""
        super().__init__(parent)
        self._document = document
        self._session = session
        self._projects = projects
        self._shown_index: ProjectIndex | None = None
        self._images: Sequence[Path] = ()
        self._listing: Listing | None = None
        self._found: Found | None = None
        self._query: Query = EVERYTHING
        self._order = Order()
        self._known: OrderedDict[Path, IndexedImage] = OrderedDict()
        self._fresh: set[Path] = set()  # of what is known, what no change of the index outdates
        self._undo: list[Before] = []
        self._by = 0
        self._words: Mapping[str, tuple[str, ...]] = {}
        self._seeds = itertools.count(1)
        for kind, slot in (
            ("queue-list", self._on_listed), ("queue-find", self._on_found),
            ("queue-known", self._on_known), ("queue-next", self._on_neighbour),
            ("queue-words", self._on_words),
        ):  # fmt: skip
            session.answer_to(kind, slot)
        document.history_changed.connect(self._on_edited)
        projects.project_changed.connect(self._on_project)
        projects.index_changed.connect(self.read_anew)

    # -- what there is ------------------------------------------------------------------------

    @property
    def index(self) -> ProjectIndex | None:
        """The index of the project; None before there is one."""
        return self._projects.index

    @property
    def read_only(self) -> bool:
        """Whether statuses and notes cannot be changed here."""
        return self._projects.index is None or self._projects.read_only

    @property
    def images(self) -> Sequence[Path]:
        """All images of the list, in its own order."""
        return self._images

    @property
    def listing(self) -> Listing | None:
        """The images with their ids; None until the index is read."""
        return self._listing

    @property
    def found(self) -> Found | None:
        """What passes the filter; None until the index is read."""
        return self._found

    @property
    def order(self) -> Order:
        """How the list is ordered."""
        return self._order

    @property
    def query(self) -> Query:
        """What the list is filtered by."""
        return self._query

    def known(self, image: Path | None) -> IndexedImage | None:
        """Return what is known of an image; None while it was not looked up."""
        return None if image is None else self._known.get(image)

    def status_of(self, image: Path) -> str:
        """Return the status of an image, "new" while it was not looked up."""
        known = self._known.get(image)
        return "new" if known is None else known.status

    # -- opening ------------------------------------------------------------------------------

    @Slot(object)
    def set_images(self, images: Sequence[Path]) -> None:
        """Take another folder's images."""
        self._images = images
        self._forget()
        self._list_again()

    @Slot(object)
    def _on_project(self, _project: object) -> None:
        if self.index is not self._shown_index:
            self._shown_index = self.index
            self._forget()
            self._undo.clear()
        self.project_changed.emit()
        self._list_again()

    def _forget(self) -> None:
        self._listing = self._found = None
        self._known.clear()
        self._fresh.clear()

    @Slot()
    def read_anew(self) -> None:
        """Note that the index says something else than before; what is in sight is looked up."""
        self._fresh.clear()
        if self._listing is None or 0 in self._listing.ids:
            self._list_again()
        else:
            self.known_changed.emit(())
            self.look_up([p for p in (self._document.image_path,) if p is not None])
        self.counts_changed.emit()

    def _list_again(self) -> None:
        index = self.index
        if index is not None and self._images:
            job = make_listing(index, self._images)
            self._session.ask("files", "queue-list", job, Urgency.MODEL)

    def _on_listed(self, listing: Listing) -> None:
        if listing.images is not self._images:
            return
        self._listing = listing
        self.find_again()
        self.known_changed.emit(())
        self.look_up([p for p in (self._document.image_path,) if p is not None])

    # -- finding ------------------------------------------------------------------------------

    def set_query(self, query: Query) -> None:
        """Filter the list."""
        self._query = query
        self.find_again()

    def set_order(self, sort: str, descending: bool) -> None:
        """Order the list by one of SORTS; choosing "random" again shuffles anew."""
        self._order = Order(sort, descending, next(self._seeds) if sort == "random" else 0)
        self.find_again()

    @Slot()
    def find_again(self) -> None:
        """Look anew which images pass the filter, and in which order."""
        if self.index is not None and self._listing is not None:
            job = find(self.index, self._listing, self._query, self._order)
            self._session.ask("files", "queue-find", job, Urgency.LOOK)

    def _on_found(self, found: Found) -> None:
        if found.listing is self._listing:
            self._found = found
            self.found_changed.emit()

    def look_up(self, images: Iterable[Path]) -> None:
        """Ask what is known of images in sight; `known_changed` tells."""
        if self.index is None or self._listing is None:
            return
        missing = [p for p in images if p not in self._fresh and self._listing.id_of(p)]
        if missing:
            job = look_up(self.index, self._listing, missing)
            self._session.ask("files", "queue-known", job, Urgency.LOOK)

    def _on_known(self, known: dict[Path, IndexedImage]) -> None:
        self._known.update(known)
        self._fresh.update(known)
        for path in known:
            self._known.move_to_end(path)
        while len(self._known) > _KEEP:
            self._fresh.discard(self._known.popitem(last=False)[0])
        self.known_changed.emit(tuple(known))

    def go(self, by: int) -> None:
        """Look for the next (1) or previous (-1) image by doubt; `neighbour_found` tells it."""
        if self.index is None or self._listing is None:
            self._document.message.emit("The images of this folder are still being read.")
            return
        self._by = by
        job = neighbour(self.index, self._listing, self._query, self._document.image_path, by)
        self._session.ask("files", "queue-next", job, Urgency.LOOK)

    def _on_neighbour(self, image: Path | None) -> None:
        if image is not None:
            self.neighbour_found.emit(image)
        elif self._by > 0:
            self._document.message.emit("The end of the queue: what is left is done.")
        else:
            self._document.message.emit("This is the first image of the queue.")

    # -- words in use -------------------------------------------------------------------------

    @Slot()
    def learn_words(self) -> None:
        """Read which classes, tags and reviewers there are, for `words`."""
        if self.index is not None:
            self._session.ask("files", "queue-words", words_in_use(self.index), Urgency.LOOK)

    def _on_words(self, words: Mapping[str, tuple[str, ...]]) -> None:
        self._words = words

    def words(self, field: str) -> Sequence[str]:
        """Return the words in use of the field "class", "tag" or "reviewer"."""
        found = self._words.get(field, ())
        if field == "class":
            names = {name.casefold(): name for name in (*found, *self._document.table.names)}
            return tuple(names.values())
        return found

    # -- what people say ----------------------------------------------------------------------

    def set_status(self, images: Sequence[Path], status: str) -> None:
        """Set the status of images; of several, a notice offers to undo it."""
        if not images or self._listing is None:
            self._needs_index()
            return
        known = [self._known[path].status for path in images if path in self._known]
        if len(known) == len(images) and set(known) == {status}:
            return
        before = self._remember(images)

        def change(index: ProjectIndex) -> None:
            before.fill(index)
            index.set_status(images, status)

        self._change(change, images, status=status)
        if len(images) > 1:
            text = f"{len(images)} images are {_in_words(status)}."
            self._session.notice.emit(
                Notice(text, is_error=False, retry="undo_status", about="status", button="Undo")
            )
        else:
            self._document.message.emit(f"{printable(images[0].name)} is {_in_words(status)}.")
        self.status_set.emit(tuple(images), status)

    @property
    def can_undo_status(self) -> bool:
        """Whether there is a change of status to take back."""
        return bool(self._undo)

    def undo_status(self) -> None:
        """Give the images whose status was changed last the status they had."""
        if not self._undo:
            return
        before = self._undo.pop()
        self._change(before.restore, before.images)
        one = printable(before.images[0].name)
        count = f"{len(before.images)} images" if len(before.images) > 1 else one
        self._document.message.emit(f"The status of {count} is as it was.")
        self.status_set.emit(before.images, "")

    def toggle_flag(self, images: Sequence[Path]) -> None:
        """Flag images, or, when all of them are flagged, give them the status they had."""
        if not images or any(self.status_of(path) != "flagged" for path in images):
            self.set_status(images, "flagged")
            return
        earlier = {path: self._before_the_flag(path) for path in images}
        for status in dict.fromkeys(earlier.values()):
            self.set_status([path for path, said in earlier.items() if said == status], status)

    def _before_the_flag(self, image: Path) -> str:
        for step in reversed(self._undo):
            said = step.statuses.get(image, "flagged")
            if said != "flagged":
                return said
        known = self._known.get(image)
        if known is None:
            return "new"
        return "in work" if known.labels_digest else "new" if known.margin is None else "predicted"

    def _remember(self, images: Sequence[Path]) -> Before:
        """Put on the undo list what statuses these images have; filled in where they change."""
        assert self._listing is not None
        known = {path: self._known[path].status for path in images[:_FEW] if path in self._known}
        before = Before(self._listing, tuple(images), known)
        self._undo.append(before)
        del self._undo[:-_UNDO_STEPS]
        return before

    def set_tags(self, images: Sequence[Path], tags: Sequence[str]) -> None:
        """Give images these tags, in place of those they have."""
        words = tuple(dict.fromkeys(w for tag in tags for w in tag.casefold().split()))

        def change(index: ProjectIndex) -> None:
            for path in images:
                index.set_tags(path, words)

        self._change(change, images, tags=words)

    def set_note(self, images: Sequence[Path], note: str) -> None:
        """Give images this note."""

        def change(index: ProjectIndex) -> None:
            for path in images:
                index.set_note(path, note)

        self._change(change, images, note=note)

    def review(self, image: Path, reviewer: str, comment: str, status: str) -> None:
        """Keep the outcome of a review: who, what was said, and the status that follows."""
        if self._listing is None:
            self._needs_index()
            return
        known = self.known(image)
        moves = known is None or known.status != status
        before = self._remember((image,)) if moves else None

        def change(index: ProjectIndex) -> None:
            if before is not None:
                before.fill(index)
            index.set_review(image, reviewer, comment, status)

        self._change(change, (image,), reviewer=reviewer, comment=comment, status=status)
        if status in REVIEWED:
            self._document.message.emit(f"{printable(image.name)} is {_in_words(status)}.")

    def _change(
        self, change: Callable[[ProjectIndex], object], images: Sequence[Path], **shown: Any
    ) -> None:
        """Show a change at once and have it written; what is refused is shown as it is again."""
        if self._listing is None:
            self._needs_index()
            return
        if shown and len(images) <= _FEW:
            for path in images:
                known = self._known.get(path)
                if known is not None:
                    self._known[path] = replace(known, **shown)
            self.known_changed.emit(tuple(images))
        self._projects.change(change)

    def _needs_index(self) -> None:
        if self._images:
            self._document.message.emit("The images of this folder are still being read.")

    # -- following the document ---------------------------------------------------------------

    @Slot()
    def _on_edited(self) -> None:
        """A reviewed image that is edited needs another look."""
        path = self._document.image_path
        if path is None or not self._document.is_edited:
            return
        if self.status_of(path) in REVIEWED and self._document.can_undo:
            self.set_status((path,), "in work")
            self._document.message.emit(
                f"{printable(path.name)} is in work again: it was changed after its review."
            )


def _in_words(status: str) -> str:
    return {"done": "marked done", "new": "marked new"}.get(status, status)
