"""The pins of the image shown: pixels and regions whose evidence stays to be compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from PySide6.QtCore import QObject, Signal

from pspgui.geometry import Pixel, Rect
from pspgui.labels.raster import Stamp

if TYPE_CHECKING:
    from pspgui.evidence.readings import PixelEvidence

MOST_PINS: Final = 8
MOST_VISITS: Final = 100
NO_ROOM: Final = (
    f"There are {MOST_PINS} pins, which is the most; remove one first (Delete, or in Pins)."
)
_THIN_SPACE: Final = "\u2009"


@dataclass(frozen=True, eq=False)
class Pin:
    """One place that is explained: a pixel, or the pixels of a region.

    `number` is 1..8 and never changes; `pixel` is that of the pin, or the one of the region
    nearest its middle; `name` is what a person calls it. A pin that is not `kept` follows the
    next click and is forgotten with the image.
    """

    number: int
    pixel: Pixel
    region: Stamp | None = None
    name: str = ""
    kept: bool = True

    @cached_property
    def pixels(self) -> int:
        """How many pixels it has."""
        return 1 if self.region is None else int(np.count_nonzero(self.region.mask))

    @property
    def rect(self) -> Rect:
        """The rectangle around it, in image pixels."""
        y, x = self.pixel
        return Rect(y, x, y + 1, x + 1) if self.region is None else self.region.rect

    @property
    def place(self) -> str:
        """Where it is, in a few words."""
        if self.region is not None:
            return f"region of {grouped(self.pixels)} px"
        return f"x {self.pixel.x}, y {self.pixel.y}"

    @property
    def title(self) -> str:
        """Its name, else where it is."""
        return self.name or self.place

    @cached_property
    def anchor(self) -> Pixel:
        """The pixel that its number stands beside: its own, or the region's topmost."""
        if self.region is None:
            return self.pixel
        mask = self.region.mask
        top = int(mask.argmax()) // mask.shape[1]  # finding the first is quick, unlike any(axis=1)
        across = np.flatnonzero(mask[top])
        return Pixel(self.region.rect.y0 + top, self.region.rect.x0 + int(across[len(across) // 2]))


class Pins(QObject):
    """All pins of the image, the one that is explained, and which were looked at before it.

    GUI thread only. `changed` comes when pins came, went, moved or were renamed, `current_changed
    (Pin or None)` when another one is explained, `evidence_changed` when `set_evidence` was called.
    A click sets one loose pin, which the next click moves; pins that are kept stay where they
    are, and come back with their image. At most MOST_PINS at once: adding returns None beyond.
    """

    changed = Signal()
    current_changed = Signal(object)
    evidence_changed = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._pins: tuple[Pin, ...] = ()
        self._current: Pin | None = None
        self._kept: dict[Path, tuple[Pin, ...]] = {}
        self._image: Path | None = None
        self._shape = (0, 0)
        self._visits: list[Pin] = []
        self._visit = -1
        self._removed: tuple[Pin, ...] = ()
        self._evidence: Mapping[Pin, PixelEvidence | None] = {}
        self._sureness: Mapping[Pin, float] = {}

    def __iter__(self):
        return iter(self._pins)

    def __len__(self) -> int:
        return len(self._pins)

    @property
    def all(self) -> tuple[Pin, ...]:
        """All pins, by number."""
        return self._pins

    @property
    def kept(self) -> tuple[Pin, ...]:
        """Those that come back with their image."""
        return tuple(pin for pin in self._pins if pin.kept)

    @property
    def current(self) -> Pin | None:
        """The pin that is explained; None while the mouse is followed."""
        return self._current

    @property
    def image(self) -> Path | None:
        """The file of the image that they are in."""
        return self._image

    @property
    def is_full(self) -> bool:
        """Whether there is room for no other pin."""
        return len(self._pins) >= MOST_PINS

    def numbered(self, number: int) -> Pin | None:
        """Return the pin of a number; None for none."""
        return next((pin for pin in self._pins if pin.number == number), None)

    # -- setting pins -------------------------------------------------------------------------

    def set_loose(self, pixel: Pixel) -> Pin | None:
        """Move the loose pin to a pixel and explain it; it is set if there is none."""
        loose = self._loose()
        if loose is None:
            return self._add(pixel, None, kept=False)
        if loose.pixel == pixel:
            self.select(loose)
            return loose
        return self._replace(loose, replace(loose, pixel=pixel), select=True)

    def add(self, pixel: Pixel) -> Pin | None:
        """Keep a pin at a pixel and explain it; the loose one stays as well."""
        there = next((p for p in self._pins if p.region is None and p.pixel == pixel), None)
        self._keep_loose()
        if there is None:
            return self._add(pixel, None)
        self.select(self.numbered(there.number))
        return self._current

    def add_region(self, region: Stamp) -> Pin | None:
        """Keep a region and explain it; None if there is no pixel in it, or no room for it."""
        if not region.mask.any():
            return None
        self._keep_loose()
        if region.mask.all():  # a box, which may be large
            y0, x0, y1, x1 = region.rect
            return self._add(Pixel((y0 + y1) // 2, (x0 + x1) // 2), region)
        from pspgui.evidence.regions import middle_of

        return self._add(middle_of(region), region)

    def move(self, pin: Pin, pixel: Pixel) -> Pin:
        """Move a pixel's pin elsewhere; regions stay."""
        if pin.region is not None or pin not in self._pins or pin.pixel == pixel:
            return pin
        moved = replace(pin, pixel=pixel)
        self._visits = [moved if one is pin else one for one in self._visits]
        return self._replace(pin, moved, pin is self._current, visited=True)

    def rename(self, pin: Pin, name: str) -> None:
        """Call a pin by a name, which keeps it; without one by its place."""
        name = " ".join(name.split())
        if pin in self._pins and name != pin.name:
            self._replace(pin, replace(pin, name=name, kept=True), pin is self._current)

    def keep(self, pin: Pin) -> None:
        """Let a loose pin stay where it is."""
        if pin in self._pins and not pin.kept:
            self._replace(pin, replace(pin, kept=True), pin is self._current)

    def remove(self, pins: Sequence[Pin]) -> None:
        """Take pins away."""
        gone = [pin for pin in pins if pin in self._pins]
        if not gone:
            return
        self._pins = tuple(pin for pin in self._pins if pin not in gone)
        self._removed = tuple(pin for pin in gone if pin.kept) or self._removed
        if self._current in gone:
            self._explain(None)
        self._told()

    @property
    def removed(self) -> tuple[Pin, ...]:
        """The pins taken away last, which `restore` brings back."""
        return self._removed

    def restore(self) -> None:
        """Bring back what was taken away last, as far as there is room."""
        back, self._removed = self._removed, ()
        self._add_kept(back)

    # -- which is explained -------------------------------------------------------------------

    def select(self, pin: Pin | None) -> None:
        """Explain a pin; None follows the mouse again, which the loose pin does not outlive."""
        if pin is None:
            loose = self._loose()
            if loose is not None:
                self.remove([loose])
            self._explain(None)
        elif pin in self._pins:
            self._explain(pin)

    def step(self, by: int) -> bool:
        """Go `by` visits back (-1) or forth (+1); return whether there was one to go to.

        A loose pin that was moved on is moved back, a pin that was removed is passed over.
        """
        place = self._visit + by
        while 0 <= place < len(self._visits):
            found = self._visits[place]
            pin = self.numbered(found.number)
            if pin is None or pin.region is not found.region or pin.pixel != found.pixel:
                pin = None if found.kept else self._moved_back(found)
            if pin is not None and pin is not self._current:
                self._visit = place
                self._explain(pin, visited=True)
                return True
            place += by
        return False

    def can_step(self, by: int) -> bool:
        """Whether there was a visit before (-1) or after (+1) the one now."""
        return 0 <= self._visit + by < len(self._visits)

    # -- evidence -----------------------------------------------------------------------------

    def evidence_of(self, pin: Pin) -> PixelEvidence | None:
        """Return what speaks for the target at a pin, as far as it is known by now."""
        return self._evidence.get(pin)

    def sureness_of(self, pin: Pin) -> float | None:
        """Return the mean probability of a region's class over its pixels; None if unknown."""
        return self._sureness.get(pin)

    def set_evidence(
        self, found: Mapping[Pin, PixelEvidence | None], sureness: Mapping[Pin, float]
    ) -> None:
        """Take the evidence of all pins; of those without any it is None."""
        self._evidence, self._sureness = found, sureness
        self.evidence_changed.emit()

    # -- images -------------------------------------------------------------------------------

    def open(self, image: Path | None, shape: tuple[int, int]) -> None:
        """Turn to another image of (H, W); its pins of this session are there again."""
        before = self._pins
        self._remember()
        self._image, self._shape = image, shape
        self._visits, self._visit, self._removed = [], -1, ()
        self._pins = () if image is None else self._fitting(self._kept.get(image, ()))
        self._evidence, self._sureness = {}, {}
        self._explain(None)
        if before or self._pins:
            self.changed.emit()

    def install(self, image: Path, pins: Sequence[Pin]) -> None:
        """Take the pins that a project kept for an image, beside those that are there already."""
        if image == self._image:
            self._add_kept(self._fitting(pins))
        else:  # it was left before this came
            self._kept[image] = _together(self._kept.get(image, ()), pins)

    def kept_in(self, image: Path) -> tuple[Pin, ...]:
        """Return the pins kept in an image that was opened in this session."""
        return self.kept if image == self._image else self._kept.get(image, ())

    def _remember(self) -> None:
        if self._image is not None:
            self._kept[self._image] = self.kept

    def _fitting(self, pins: Sequence[Pin]) -> tuple[Pin, ...]:
        """Return those of some pins that lie in the image as it is now."""
        whole = Rect(0, 0, *self._shape)
        return tuple(pin for pin in pins if pin.rect.intersect(whole) == pin.rect)

    # -- inside -------------------------------------------------------------------------------

    def _loose(self) -> Pin | None:
        return next((pin for pin in self._pins if not pin.kept), None)

    def _add_kept(self, pins: Sequence[Pin]) -> None:
        """Set pins beside those there are."""
        if pins:
            self._pins = _together(self._pins, pins)
            self._told()

    def _keep_loose(self) -> None:
        loose = self._loose()
        if loose is not None:
            self._replace(loose, replace(loose, kept=True), loose is self._current)

    def _moved_back(self, found: Pin) -> Pin | None:
        loose = self._loose()
        if loose is not None:
            return self._replace(loose, replace(loose, pixel=found.pixel), select=False)
        return self._new(found.pixel, None, kept=False)

    def _new(self, pixel: Pixel, region: Stamp | None, kept: bool) -> Pin | None:
        if self.is_full:
            return None
        pin = Pin(_free_number(self._pins), pixel, region, kept=kept)
        self._pins = _by_number((*self._pins, pin))
        self._told()
        return pin

    def _add(self, pixel: Pixel, region: Stamp | None, kept: bool = True) -> Pin | None:
        pin = self._new(pixel, region, kept)
        if pin is not None:
            self._explain(pin)
        return pin

    def _replace(self, pin: Pin, by: Pin, select: bool, visited: bool = False) -> Pin:
        self._pins = tuple(by if one is pin else one for one in self._pins)
        if self._current is pin and not select:
            self._current = by
        moved = by.pixel != pin.pixel
        if not moved:  # renamed or kept: what is known of it stays known, and so does the visit
            self._visits = [by if one is pin else one for one in self._visits]
            if pin in self._evidence:
                self._evidence = {**self._evidence, by: self._evidence[pin]}
            if pin in self._sureness:
                self._sureness = {**self._sureness, by: self._sureness[pin]}
        self._told()
        if select:
            self._explain(by, visited=visited or not moved)
        return by

    def _explain(self, pin: Pin | None, visited: bool = False) -> None:
        if pin is self._current:
            return
        self._current = pin
        if pin is not None and not visited:
            self._visits = [*self._visits[: self._visit + 1], pin][-MOST_VISITS:]
            self._visit = len(self._visits) - 1
        self.current_changed.emit(pin)

    def _told(self) -> None:
        self._remember()
        self.changed.emit()


def _together(there: tuple[Pin, ...], more: Sequence[Pin]) -> tuple[Pin, ...]:
    """Return pins and more of them, under their own numbers where those are free."""
    for pin in more[: MOST_PINS - len(there)]:
        taken = any(one.number == pin.number for one in there)
        there = (*there, replace(pin, number=_free_number(there)) if taken else pin)
    return _by_number(there)


def _free_number(pins: Sequence[Pin]) -> int:
    taken = {pin.number for pin in pins}
    return next(n for n in range(1, MOST_PINS + 2) if n not in taken)


def _by_number(pins: Sequence[Pin]) -> tuple[Pin, ...]:
    return tuple(sorted(pins, key=lambda pin: pin.number))


def grouped(number: int) -> str:
    """Return a whole number with thin spaces between thousands."""
    return f"{number:,}".replace(",", _THIN_SPACE)
