"""What is altered in a what-if: factors and loans, told in JSON and read back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from pspgui.inference.activations import Activations

Bin = tuple[int, int, int]
"""Bins a side of the level, row, column."""


@dataclass(frozen=True, eq=False)
class WhatIf:
    """What is altered: factors of the local features, of levels and of single bins; loans.

    A bin's factor is its own times its level's; 0 mutes, 1 leaves alone. `borrowed` replaces bins
    by those at the same place of another image that the same network read; `note` names it all.
    """

    local: float = 1.0
    levels: Mapping[int, float] = field(default_factory=dict)
    bins: Mapping[Bin, float] = field(default_factory=dict)
    borrowed: Mapping[Bin, Activations] = field(default_factory=dict)
    note: str = ""

    @property
    def is_plain(self) -> bool:
        """Whether nothing is altered."""
        factors = (self.local, *self.levels.values(), *self.bins.values())
        return not self.borrowed and all(factor == 1 for factor in factors)

    @property
    def altered(self) -> int:
        """How many sources are altered: local features, levels, bins."""
        bins = {place for place, factor in self.bins.items() if factor != 1} | set(self.borrowed)
        levels = sum(factor != 1 for factor in self.levels.values())
        return (self.local != 1) + levels + len(bins)

    def with_bin(self, place: Bin, factor: float) -> WhatIf:
        """Return the same with one bin scaled; 1 forgets it."""
        bins = {**self.bins, place: factor}
        return replace(self, bins={p: f for p, f in bins.items() if f != 1})

    def with_level(self, level: int, factor: float) -> WhatIf:
        """Return the same with one level scaled; 1 forgets it."""
        levels = {**self.levels, level: factor}
        return replace(self, levels={b: f for b, f in levels.items() if f != 1})

    def with_loan(self, place: Bin, lender: Activations | None) -> WhatIf:
        """Return the same with one bin borrowed from another image; None gives it back."""
        loans = {p: a for p, a in self.borrowed.items() if p != place}
        return replace(self, borrowed=loans if lender is None else {**loans, place: lender})

    def factors(self, level: int) -> np.ndarray:
        """Return the factor of every bin of a level, (b, b) float32."""
        found = np.full((level, level), self.levels.get(level, 1.0), np.float32)
        for (bins, row, column), factor in self.bins.items():
            if bins == level:
                found[row, column] *= factor
        return found

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values that say what is altered."""
        return {
            "note": self.note, "local": self.local,
            "levels": {str(level): factor for level, factor in self.levels.items()},
            "bins": [[*place, factor] for place, factor in self.bins.items()],
            "borrowed": [[*place, lender.image_id] for place, lender in self.borrowed.items()],
        }  # fmt: skip

    @classmethod
    def from_json(cls, told: Any) -> tuple[WhatIf, dict[Bin, str]]:
        """Return what `to_json` told, and which bins are to be borrowed from which image.

        Images are only named there, so the loans are left to the caller. Raises ValueError, one
        clause, for anything else.
        """
        try:
            levels = {int(level): _factor(f) for level, f in told.get("levels", {}).items()}
            bins = {_place(row[:3]): _factor(row[3]) for row in told.get("bins", [])}
            loans = {_place(row[:3]): str(row[3]) for row in told.get("borrowed", [])}
            note, local = str(told.get("note", "")), _factor(told.get("local", 1.0))
        except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
            raise ValueError("it does not say what is altered") from error
        return cls(local, levels, bins, note=note), loans

    def differs(self, other: WhatIf, level: int) -> np.ndarray:
        """Return which bins of a level the two alter otherwise, (b, b) bool."""
        found: np.ndarray = self.factors(level) != other.factors(level)
        for place in {*self.borrowed, *other.borrowed}:
            if place[0] == level:
                lenders = self.borrowed.get(place), other.borrowed.get(place)
                found[place[1:]] |= lenders[0] is not lenders[1]
        return found


def _factor(value: object) -> float:
    """Return a factor from JSON; raises TypeError or ValueError for what is none."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError("a factor is a number")
    if not 0 <= value <= 100:
        raise ValueError("a factor lies between 0 and 100")
    return float(value)


def _place(row: Any) -> Bin:
    """Return a bin from JSON; raises TypeError or ValueError for what is none."""
    level, first, second = row
    if not all(type(value) is int for value in (level, first, second)):
        raise TypeError("a bin is three whole numbers")
    return level, first, second
