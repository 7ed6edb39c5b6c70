"""What the evidence panel needs from outside: the mean bin of a folder, and its memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from PySide6.QtCore import QObject, Slot

from pspgui.jobs.mean_bins import (
    LEAST_IMAGES,
    MOST_IMAGES,
    average_bins,
    folder_of,
    read_means,
    spread_over,
)
from pspgui.jobs.messages import Urgency

if TYPE_CHECKING:
    from pspgui.evidence.psp import LevelMeans
    from pspgui.gui.document import Document
    from pspgui.gui.notices import Notice
    from pspgui.gui.panels.evidence import EvidencePanel
    from pspgui.gui.session import Session
    from pspgui.gui.settings import Settings
    from pspgui.jobs.modelling import ModelFacts

_VIEW, _NUMBERS, _DWELL = "evidence/view", "evidence/numbers", "evidence/opens_by_pointing"
_KIND: Final = "mean bins"
_KEPT: Final = "kept mean bins"


class EvidenceSession(QObject):
    """Computes and keeps the mean bin a model; remembers how the panel was left. GUI thread only.

    A mean bin is only ever used with the weights it was computed with.
    """

    def __init__(
        self, document: Document, session: Session, settings: Settings, panel: EvidencePanel
    ) -> None:
        super().__init__(panel)
        self._document, self._session = document, session
        self._settings, self._panel = settings, panel
        self._means: LevelMeans | None = None
        self._digest = ""
        self._wanted = False  # whether sources are to be compared with a mean bin
        self._computing = False
        self._restore()
        self._connect()
        self._tell()

    def _restore(self) -> None:
        choice, panel = self._settings.choice, self._panel
        panel.switch.set_view(choice(_VIEW))
        panel.switch.numbers.setChecked(choice(_NUMBERS) == "on")
        panel.opens_by_pointing = choice(_DWELL) == "on"
        panel.reading.popover.dwell.setChecked(panel.opens_by_pointing)

    def _connect(self) -> None:
        session, panel = self._session, self._panel
        panel.switch.chosen.connect(self._keep_view)
        panel.switch.numbers_chosen.connect(self._keep_numbers)
        panel.reading.popover.dwell_changed.connect(self._keep_dwell)
        panel.reading.popover.means_wanted.connect(self.compute)
        panel.reading.baseline_wanted.connect(self.choose)
        session.answer_to(_KIND, self._on_means)
        session.answer_to(_KEPT, self._on_kept)
        session.model_changed.connect(self._on_model)
        session.images_changed.connect(self._tell)
        session.cancelled.connect(self._on_cancelled)
        session.notice.connect(self._on_notice)

    # -- the mean bin -------------------------------------------------------------------------

    @Slot()
    def compute(self) -> None:
        """Average the bins of the images listed; sources are compared with it once it is there."""
        images = spread_over(self._session.images)
        if len(images) < LEAST_IMAGES or self._computing:
            return
        self._computing, self._wanted = True, True
        job = average_bins(self._session.room, images, folder_of(images))
        self._session.ask("model", _KIND, job, Urgency.BACKGROUND)
        self._tell()

    @Slot(str)
    def choose(self, baseline: str) -> None:
        """Compare sources with "zero" or with the "mean" bin at hand."""
        self._wanted = baseline == "mean"
        self._document.set_baseline(self._means if self._wanted else None)

    @Slot(object)
    def _on_model(self, facts: ModelFacts | None) -> None:
        digest = "" if facts is None else facts.digest
        if digest == self._digest:
            return
        self._digest, self._means = digest, None
        self._document.set_baseline(None)
        if digest:
            self._session.ask("files", _KEPT, read_means(digest), Urgency.BACKGROUND)
        self._tell()

    def _on_kept(self, found: tuple[str, LevelMeans | None]) -> None:
        digest, means = found
        if digest == self._digest and self._means is None:
            self._take(means)

    def _on_means(self, means: LevelMeans) -> None:
        self._computing = False
        if means.digest == self._digest:
            self._take(means)
            self._document.message.emit(f"Sources are compared with {means.name} now.")
        self._tell()

    def _take(self, means: LevelMeans | None) -> None:
        self._means = means
        if self._wanted:
            self._document.set_baseline(means)
        self._tell()

    @Slot(str)
    def _on_cancelled(self, kind: str) -> None:
        if kind == _KIND:
            self._computing = False
            self._tell()

    @Slot(object)
    def _on_notice(self, notice: Notice) -> None:
        self._on_cancelled(notice.about)

    @Slot()
    def _tell(self) -> None:
        """Say in the popover what there is to compare with, and what could be computed."""
        images = self._session.images
        count = min(MOST_IMAGES, len(images))
        if self._computing:
            offer = "Under way behind other work; the status bar says how far."
        elif count < LEAST_IMAGES:
            offer = "Open a folder of images to average over."
        else:
            offer = f"over {count} images of {folder_of(images)}"
        name = "" if self._means is None else self._means.name
        ready = count >= LEAST_IMAGES and not self._computing and bool(self._digest)
        self._panel.reading.show_means(name, ready, offer)

    # -- memory -------------------------------------------------------------------------------

    @Slot(str)
    def _keep_view(self, view: str) -> None:
        self._settings.set_choice(_VIEW, view)

    @Slot(bool)
    def _keep_numbers(self, on: bool) -> None:
        self._settings.set_choice(_NUMBERS, "on" if on else "off")

    @Slot(bool)
    def _keep_dwell(self, on: bool) -> None:
        self._panel.opens_by_pointing = on
        self._settings.set_choice(_DWELL, "on" if on else "off")
