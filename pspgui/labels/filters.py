"""What may be painted over, and what may be painted at all: one rule for every tool."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace

import numpy as np

_COMPARED = 6  # up to so many labels comparing is faster than looking each pixel up


@dataclass(frozen=True)
class PaintFilter:
    """Which labels may be painted over, and which are locked.

    `over` holds the labels that may be painted over, None for all of them; with `under_press`
    only the label under the press may be, of those. Labels in `locked` are never painted over and
    never painted, whatever the rest says.
    """

    over: frozenset[int] | None = None
    under_press: bool = False
    locked: frozenset[int] = frozenset()

    @property
    def is_open(self) -> bool:
        """Whether nothing is spared."""
        return self.over is None and not self.under_press and not self.locked

    def at(self, press_label: int) -> PaintFilter:
        """Return the filter of a press on a pixel of this label: the press is then decided."""
        if not self.under_press:
            return self
        spared = self.over is not None and press_label not in self.over
        return replace(self, over=frozenset(() if spared else (press_label,)), under_press=False)

    def only(self, label: int) -> PaintFilter:
        """Return the filter that paints over this one label only, unless it is locked."""
        return replace(self, over=frozenset((label,)), under_press=False)

    def mask(self, labels: np.ndarray, press_label: int | None = None) -> np.ndarray:
        """Return which of `labels`, any shape, may be painted over, bool of that shape.

        Raises `ValueError` when the press decides and its label is not given.
        """
        if self.under_press:
            if press_label is None:
                raise ValueError("this filter asks for the label under the press")
            return self.at(press_label).mask(labels)
        if self.over is None:
            return ~_members(labels, self.locked)
        return _members(labels, self.over - self.locked)

    def paintable(self, wanted: int | np.ndarray) -> np.ndarray | bool:
        """Return whether `wanted`, a label or an array of labels, may be painted."""
        if isinstance(wanted, np.ndarray):
            return ~_members(wanted, self.locked) if self.locked else True
        return wanted not in self.locked

    def change(self, labels: np.ndarray, wanted: int | np.ndarray) -> np.ndarray | bool:
        """Return where `labels` may become `wanted`, bool; True for everywhere.

        Raises `ValueError` like `mask`.
        """
        if self.is_open:
            return True
        allowed = self.mask(labels)
        allowed &= self.paintable(wanted)
        return allowed


OPEN = PaintFilter()


def _members(labels: np.ndarray, chosen: AbstractSet[int]) -> np.ndarray:
    """Return which labels are among the chosen."""
    most = int(np.iinfo(labels.dtype).max)
    held = sorted(label for label in chosen if 0 <= label <= most)
    if len(held) <= _COMPARED:
        found = np.zeros(labels.shape, bool)
        for label in held:
            found |= labels == label
        return found
    table = np.zeros(most + 1, bool)
    table[held] = True
    return np.asarray(table[labels])
