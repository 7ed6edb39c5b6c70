"""What is pointed at in the image, and what speaks for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtCore import QObject, Signal, Slot

from pspgui.geometry import Pixel, Rect
from pspgui.gui.display import Display
from pspgui.gui.pins import NO_ROOM, Pins
from pspgui.gui.slow_evidence import Question, SlowEvidence
from pspgui.jobs.opening_sources import can_open
from pspgui.labels.raster import Stamp

if TYPE_CHECKING:
    from pspgui.evidence.psp import LevelMeans
    from pspgui.evidence.readings import OpenedSource, PixelEvidence, Reading, Source, Target
    from pspgui.jobs.class_tables import Explains


class Pointing(Display):
    """Hover, pin, target and evidence of one image. GUI thread only.

    `score_class_changed` asks the session for the pyramid's maps of another class, and
    `window_wanted` for what explains the window around a pixel. Setters are silent when nothing
    changes.
    """

    score_class_changed = Signal(int)
    target_changed = Signal()
    hover_changed = Signal(object)
    pin_changed = Signal(object)
    evidence_changed = Signal(object)
    hovered_bin_changed = Signal(object)
    reading_changed = Signal(str)
    window_wanted = Signal(object)
    window_changed = Signal()
    opening_wanted = Signal(object)
    opened_changed = Signal(object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._image: np.ndarray | None = None
        self._engine: Explains | None = None
        self._windows_are_mute = False
        self._frame: Rect | None = None
        self._evidence: PixelEvidence | None = None
        self._hover: Pixel | None = None
        self.pins = Pins(self)
        self.later = SlowEvidence(self)
        self._hovered_bin: Source | None = None
        self._target: tuple[int | None, int | None] = (None, None)
        self._reading: Reading = "split"
        self._baseline: LevelMeans | None = None
        self._explained: int | None = None
        self._scored = 0
        self._opened: OpenedSource | None = None
        self._opened_at: Pixel | Stamp | None = None
        self.later.answered.connect(self._set_evidence)
        self.later.failed.connect(self.message)
        self.pins.current_changed.connect(self._pin_chosen)
        self.pins.evidence_changed.connect(self._pins_explained)

    # -- what can be explained ----------------------------------------------------------------

    @property
    def by_windows(self) -> bool:
        """Whether the image was read through windows, each of which is explained by itself."""
        return getattr(self._prediction, "windows", None) is not None

    @property
    def can_explain(self) -> bool:
        """Whether there is evidence for this image, or may be once a window is chosen."""
        return self._engine is not None or (self.by_windows and not self._windows_are_mute)

    @property
    def window_frame(self) -> Rect | None:
        """The window that evidence explains, in image pixels; None where it is the whole image."""
        return getattr(self._engine, "frame", None)

    @property
    def score_class(self) -> int:
        """The class whose score map the pyramid strip shows: the evidence target, if one is chosen.

        Else the one that the pinned place is explained for, else the active class. It does not
        follow the hover, for all tiles would be drawn anew under a moving mouse.
        """
        chosen = self._explained if self._target[0] is None else self._target[0]
        return self._active_class if chosen is None else chosen

    # -- pointing and evidence ----------------------------------------------------------------

    @property
    def hover(self) -> Pixel | None:
        """The image pixel under the mouse."""
        return self._hover

    @property
    def pin(self) -> Pixel | None:
        """The pixel of the pin that is explained, see `pins`; it outranks the hover."""
        return None if self.pins.current is None else self.pins.current.pixel

    @property
    def place(self) -> Pixel | Stamp | None:
        """The pixel or region of the pin that is explained."""
        pin = self.pins.current
        return None if pin is None else pin.region or pin.pixel

    @property
    def evidence(self) -> PixelEvidence | None:
        """What speaks for the target at the pinned, else hovered, pixel."""
        return self._evidence

    @property
    def hovered_bin(self) -> Source | None:
        """The pyramid bin pointed at in the evidence panel."""
        return self._hovered_bin

    @property
    def target(self) -> tuple[int | None, int | None]:
        """(class, versus) to explain; (None, None) is the margin of winner over runner-up."""
        return self._target

    @property
    def evidence_target(self) -> Target | None:
        """The target as evidence is asked for it; None for the winner's margin."""
        class_id, versus = self._target
        if class_id is None:
            return None
        from pspgui.evidence.readings import Target

        return Target(class_id, versus)

    def set_hover(self, pixel: Pixel | None) -> None:
        """Move the mouse's pixel; outside the image it is None."""
        pixel = self._inside(pixel)
        if pixel != self._hover:
            self._hover = pixel
            self.hover_changed.emit(pixel)
            if self.pin is None:
                self._refresh_evidence()

    def set_pin(self, pixel: Pixel | None) -> None:
        """Pin a pixel, so that its evidence stays; None follows the mouse again."""
        pixel = self._inside(pixel)
        if pixel is None:
            self.pins.select(None)
        elif not _same(pixel, self.place) and self.pins.set_loose(pixel) is None:
            self.message.emit(NO_ROOM)

    def set_hovered_bin(self, source: Source | None) -> None:
        """Point at a bin, so that the canvas outlines its region."""
        if source is not self._hovered_bin:
            self._hovered_bin = source
            self.hovered_bin_changed.emit(source)

    def set_target(self, class_id: int | None, versus: int | None = None) -> None:
        """Choose what to explain; a class against itself is that class alone."""
        target = (class_id, None if class_id is None or versus == class_id else versus)
        if target != self._target:
            self._target = target
            self.target_changed.emit()
            self._refresh_evidence()
            self._follow_score_class()

    @property
    def readings(self) -> tuple[Reading, ...]:
        """The ways in which this network's evidence can be read."""
        readings = getattr(self._engine, "readings", ("split",))
        return (*readings, *getattr(self._engine, "whole_readings", ()))

    @property
    def reading(self) -> Reading:
        """How evidence is read; the split where the network cannot be read as chosen."""
        return self._reading if self._reading in self.readings else "split"

    def set_reading(self, reading: Reading) -> None:
        """Choose how evidence is read."""
        if reading != self._reading:
            self._reading = reading
            self.reading_changed.emit(self.reading)
            self._refresh_evidence()

    @property
    def can_compare(self) -> bool:
        """Whether sources can be compared with a mean bin, for which there must be bins."""
        return bool(getattr(self._engine, "compares", False))

    @property
    def baseline(self) -> LevelMeans | None:
        """What sources are compared with; None for silence, and where it is another network's."""
        takes = getattr(self._engine, "takes", None)
        known = self._baseline is not None and takes is not None and takes(self._baseline)
        return self._baseline if known else None

    def set_baseline(self, baseline: LevelMeans | None) -> None:
        """Choose what sources are compared with; None is silence."""
        if baseline is not self._baseline:
            self._baseline = baseline
            self.reading_changed.emit(self.reading)
            self._refresh_evidence()

    # -- a source opened into cells -----------------------------------------------------------

    @property
    def opened(self) -> OpenedSource | None:
        """The source whose cells lie over the picture."""
        return self._opened

    @property
    def engine(self) -> Explains | None:
        """What answers for this image, for jobs that ask it beside the window."""
        return self._engine

    def open_source(self, source: Source) -> None:
        """Ask for the cells that a source of the place explained was made of; a pixel is pinned.

        The source that lies open already is closed.
        """
        if self._evidence is None or not can_open(self._engine):
            return
        shown = self._opened
        if shown is not None and places_of(shown.source) == places_of(source):
            self.close_source()
            return
        if not self.shows_region:
            self.set_pin(self._evidence.pixel)
        self.opening_wanted.emit(source)

    def set_opened(self, place: Pixel | Stamp, opened: OpenedSource) -> None:
        """Take the cells of a source; too late if another place or target is explained now."""
        found = self._evidence
        if found is not None and found.target == opened.target and _same(self.place, place):
            self._opened, self._opened_at = opened, place
            self.opened_changed.emit(opened)

    def close_source(self) -> bool:
        """Take the cells off the picture; return whether there were any."""
        was_open, self._opened = self._opened is not None, None
        if was_open:
            self.opened_changed.emit(None)
        return was_open

    # -- inside -------------------------------------------------------------------------------

    def _frame_changed(self) -> None:
        if self.window_frame != self._frame:
            self._frame = self.window_frame
            self.window_changed.emit()

    @property
    def shows_region(self) -> bool:
        """Whether the evidence shown is the mean of a region's pixels."""
        return self.pins.current is not None and self.pins.current.region is not None

    @Slot(object)
    def _pin_chosen(self, _pin: object) -> None:
        self.pin_changed.emit(self.pin)
        self._refresh_evidence()
        self._follow_score_class()
        self._ask_for_window()

    @Slot()
    def _pins_explained(self) -> None:
        if self.shows_region:
            self._refresh_evidence()

    def _ask_for_window(self) -> None:
        pin = self.pin
        if pin is not None and self._needs_window(pin):
            self.window_wanted.emit(pin)

    def _needs_window(self, pixel: Pixel) -> bool:
        frame = self.window_frame
        return self.by_windows and self.can_explain and (
            frame is None or not frame.contains(*pixel)
        )

    def _inside(self, pixel: Pixel | None) -> Pixel | None:
        if pixel is None or self._image is None:
            return None
        height, width = self._image.shape[:2]
        return pixel if Rect(0, 0, height, width).contains(*pixel) else None

    def _refresh_evidence(self) -> None:
        self.later.forget()
        pixel = self._hover if self.pin is None else self.pin
        if self._engine is None or pixel is None or self._needs_window(pixel):
            self._set_evidence(None)
            return
        if self.shows_region:
            self._set_evidence(self.pins.evidence_of(self.pins.current))
            return
        target = self.evidence_target
        question = Question(self._engine, pixel, target, self.reading, self.baseline)
        if question.is_slow:
            self.later.ask(question)  # what is shown stays until the answer comes
        else:
            self._set_evidence(question.answer())

    @Slot(object)
    def _set_evidence(self, evidence: PixelEvidence | None) -> None:
        if evidence is not self._evidence:
            self._evidence = evidence
            self._follow_opened()
            self.evidence_changed.emit(evidence)
            self._follow_score_class()

    def _follow_score_class(self) -> None:
        """Take up the class that the pinned place is explained for; tell of another map wanted."""
        found = self._evidence
        if self.pin is None:
            self._explained = None
        elif found is not None:
            if self.shows_region or found.pixel == self.pin:  # else the answer is still to come
                self._explained = found.target.class_id
        elif not self.by_windows:  # where the evidence of another window is on its way
            self._explained = None
        if self.score_class != self._scored:
            self._scored = self.score_class
            self.score_class_changed.emit(self._scored)

    def _follow_opened(self) -> None:
        """Close the source that lies open with its pixel; open it anew for another target."""
        opened, evidence = self._opened, self._evidence
        stays = evidence is not None and _same(self.place, self._opened_at)
        if opened is None or (stays and evidence.target == opened.target):
            return
        self.close_source()
        if stays:
            wanted = places_of(opened.source)
            for source in evidence.sources:
                if places_of(source) == wanted:
                    self.opening_wanted.emit(source)
                    return


def _same(one: Pixel | Stamp | None, other: Pixel | Stamp | None) -> bool:
    """Say whether two places are one: the same pixel, or one and the same region."""
    return one is other or (isinstance(one, Pixel) and isinstance(other, Pixel) and one == other)


def places_of(source: Source) -> tuple[str, int, int, int]:
    """Return what tells a source apart from the others of a network."""
    return source.kind, source.level, source.row, source.col
