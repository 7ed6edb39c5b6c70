"""Whole-image maps: which one a person wants on the canvas, kept true to image, target and bin."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal, Slot

from pspgui.jobs.maps import (
    MAPS,
    MapChoice,
    MapKind,
    MapQuestion,
    MapRoom,
    make_map,
    measure_share,
)
from pspgui.jobs.messages import Urgency

if TYPE_CHECKING:
    from pspgui.evidence.maps import PyramidShare
    from pspgui.evidence.readings import Source
    from pspgui.gui.document import Document
    from pspgui.gui.model_session import ModelSession
    from pspgui.inference.shown_map import ShownMap


class MapsSession(QObject):
    """Asks for maps off the thread and puts them on the canvas. GUI thread only.

    A choice outlives the image: the next one gets the same map, until a person takes it off or
    puts another map on the canvas. `changed` tells of another choice, of other maps on offer, and
    when the pyramid's share of the image is known.
    """

    changed = Signal()

    def __init__(
        self, document: Document, session: ModelSession, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._document, self._session = document, session
        self._choice: MapChoice | None = None
        self._part = "pyramid"
        self._bin: tuple[int, int, int] | None = None
        self._shown: ShownMap | None = None
        self._asked: MapQuestion | None = None
        self._share: PyramidShare | None = None
        self._room = MapRoom(None, None, document.reading_table)
        self._about: tuple[object, ...] = ()  # what the room was made for
        session.answer_to("map", self._on_map)
        session.answer_to("pyramid_share", self._on_share)
        document.prediction_changed.connect(self._on_prediction)
        document.window_changed.connect(self._on_prediction)
        document.target_changed.connect(self._on_target)
        document.classes_changed.connect(self._on_prediction)
        document.hovered_bin_changed.connect(self._on_bin)
        document.evidence_changed.connect(self._on_evidence)
        document.display_changed.connect(self._on_display)

    # -- what there is ------------------------------------------------------------------------

    @property
    def choice(self) -> MapChoice | None:
        """The map wanted; None for none."""
        return self._choice

    @property
    def part(self) -> str:
        """The source that "evidence" shows, or will when it is chosen; see `MapChoice`."""
        names = [name for name, _ in self._room.parts]
        return names[0] if names and self._part not in names else self._part

    @property
    def parts(self) -> tuple[tuple[str, str], ...]:
        """The parts that "evidence" can show for this image, name and title."""
        return self._room.parts

    @property
    def waits_for_bin(self) -> bool:
        """Whether the map wanted is about a bin, none was pointed at yet, and no pixel pinned."""
        return self._choice is not None and self._choice.kind.by_bin and self._bin is None

    @property
    def share(self) -> PyramidShare | None:
        """How much the pyramid matters in this image, once that is known."""
        return self._share

    @property
    def share_text(self) -> str:
        """The same in a sentence; empty while nothing is known."""
        return "" if self._share is None else self._share.sentence()

    def offers(self, kind: MapKind) -> bool:
        """Whether there is what a map needs."""
        return self._room.offers(kind.needs)

    # -- choosing -----------------------------------------------------------------------------

    def choose(self, name: str | None, part: str | None = None) -> None:
        """Put a map of MAPS on the canvas; None takes it off. `part` is the source of "evidence".

        Without what the map needs, a message says so.
        """
        if part is not None:
            self._part = part
        if name is None:
            self._take_off()
            return
        choice = MapChoice(name, self.part)
        if not self.offers(choice.kind):
            self._document.message.emit(self._why_not(choice.kind))
        self._choice = choice
        if self.waits_for_bin:
            self._bin = self._strongest()
        self._document.close_source()  # whose cells would lie over the map
        self._ask()
        if self.waits_for_bin or not self.offers(choice.kind):
            self._shown = None  # nothing else may stand for what was asked for
            self._document.show_map(None)
        self.changed.emit()
        if self.waits_for_bin and self.offers(choice.kind):
            self._document.message.emit(
                "Point at a bin in the Evidence panel to see its map, or pin a pixel: then it is "
                "the bin that adds most there."
            )

    def toggle(self, name: str) -> None:
        """Put a map on the canvas, or take it off if it is there."""
        shown = self._choice is not None and self._choice.name == name
        self.choose(None if shown else name)

    def _take_off(self) -> None:
        mine = self._shown is not None and self._document.canvas_map is self._shown
        self._choice = self._shown = self._asked = None
        if mine:
            self._document.show_map(None)
        self.changed.emit()

    def _why_not(self, kind: MapKind) -> str:
        if self._document.prediction is None:
            return f"{kind.title} comes with the prediction."
        if kind.needs in ("pyramid", "sources") and self._document.by_windows:
            return f"{kind.title} is of one window: pin a pixel to choose it."
        if self._document.by_windows:
            return "Averages over windows have probabilities alone; Confidence shows them."
        if kind.needs == "sources":
            return f"{kind.title} needs the bins of a PSPNet or the score maps of an FCN."
        return f"{kind.title} needs the bins of a PSPNet."

    # -- asking and receiving -----------------------------------------------------------------

    def _ask(self) -> None:
        choice = self._choice
        if choice is None or not self.offers(choice.kind) or self.waits_for_bin:
            return
        kind = choice.kind
        target = self._document.target if kind.by_target else (None, None)
        bin_ = self._bin if kind.by_bin else None
        self._asked = MapQuestion(MapChoice(choice.name, self.part), target, bin_)
        self._session.ask("files", "map", make_map(self._room, self._asked), Urgency.LOOK)

    def _on_map(self, found: tuple[MapRoom, MapQuestion, ShownMap]) -> None:
        room, question, shown = found
        if room is not self._room or question != self._asked or self._choice is None:
            return
        # Noted before it is shown, for showing it tells that what is on display changed.
        self._shown = shown
        self._document.show_map(shown)

    def _on_share(self, found: tuple[MapRoom, PyramidShare | None]) -> None:
        if found[0] is self._room:
            self._share = found[1]
            self.changed.emit()

    # -- following the document ---------------------------------------------------------------

    @Slot()
    def _on_prediction(self) -> None:
        """Begin anew for what is explained now; the map before went with its prediction."""
        document = self._document
        about = document.engine, document.prediction, document.reading_table
        if len(self._about) == 3 and all(a is b for a, b in zip(about, self._about, strict=True)):
            return
        self._about, self._room = about, MapRoom(*about)
        self._share = self._shown = self._asked = None
        if self._bin is not None and self._bin[0] not in self._room.levels:
            self._bin = None
        self._ask()
        if self._room.levels and not self._document.by_windows:
            job = measure_share(self._room)
            self._session.ask("files", "pyramid_share", job, Urgency.BACKGROUND)
        self.changed.emit()

    @Slot()
    def _on_target(self) -> None:
        if self._choice is not None and self._choice.kind.by_target:
            self._ask()

    @Slot(object)
    def _on_bin(self, source: Source | None) -> None:
        """Follow the bin pointed at; the last one stays while none is, to read its map."""
        if source is None or source.kind != "bin":
            return
        self._bin = (source.level, source.row, source.col)
        if self._choice is not None and self._choice.kind.by_bin:
            self._ask()

    @Slot()
    def _on_evidence(self) -> None:
        """Take a pinned pixel's strongest bin where a map waits for any."""
        if self.waits_for_bin:
            self._bin = self._strongest()
            if self._bin is not None:
                self._ask()
                self.changed.emit()

    def _strongest(self) -> tuple[int, int, int] | None:
        """Return the bin that adds most at the pin; None without a pin, or without bins."""
        evidence = self._document.evidence
        if evidence is None or self._document.pin is None:
            return None
        bins = [source for source in evidence.sources if source.kind == "bin" and source.reachable]
        most = max(bins, key=lambda source: source.value, default=None)
        return None if most is None else (most.level, most.row, most.col)

    @Slot()
    def _on_display(self) -> None:
        """Let go of the choice when its map was taken off, or another one shown instead."""
        document = self._document
        if self._about and document.prediction is not self._about[1]:
            return  # nobody took the map off: it went with its prediction, and a new one follows
        other = document.canvas_map is not self._shown
        if self._choice is not None and (
            (self._shown is not None and other)
            or (self._shown is None and document.shown_map is not None)
        ):
            self._choice = self._shown = self._asked = None
            self.changed.emit()


__all__ = ["MAPS", "MapsSession"]
