"""What an export or import did, for people and programs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from pspgui.durable import printable
from pspgui.formats.scheme import Loss
from pspgui.labels.classes import ClassTable
from pspgui.labels.provenance import name_of


@dataclass(frozen=True)
class ExportReport:
    """What an export wrote: images, labelled pixels by class name, remarks, and what was refused.

    `pixels` lists every class of the table, and `unlabelled` last; `read_back` the same as counted
    in the written files. `losses` tells of lossy formats what they could not hold, by class;
    `provenance` the pixels by where their labels came from. `failed` holds (image, reason), and
    `skipped` images that were left out as wished.
    """

    destination: Path
    images: int
    pixels: dict[str, int]
    notes: tuple[str, ...] = ()
    failed: tuple[tuple[Path, str], ...] = ()
    read_back: dict[str, int] = field(default_factory=dict)
    losses: Mapping[str, Loss] = field(default_factory=dict)
    provenance: dict[str, int] = field(default_factory=dict)
    skipped: tuple[Path, ...] = ()
    format: str = ""

    @property
    def is_equal(self) -> bool:
        """Whether the files hold exactly what was exported."""
        return not self.losses and self.read_back == self.pixels

    def proof(self) -> str:
        """Return a sentence about the reading back."""
        if self.is_equal:
            return f"All {self.images} label maps were read back and equal what was exported."
        lost = sum(loss.pixels for loss in self.losses.values())
        holes = sum(loss.holes for loss in self.losses.values())
        return (
            f"Read back, the files differ in {lost:,} labelled px and {holes:,} filled holes, as "
            "this format cannot hold more."
        )

    def rows(self) -> list[tuple[str, int, float, int, Loss]]:
        """Return (class, pixels, share, pixels read back, loss) of every class."""
        total = sum(self.pixels.values()) or 1
        return [
            (name, count, count / total, self.read_back.get(name, 0),
             self.losses.get(name, Loss(0, 0)))
            for name, count in self.pixels.items()
        ]  # fmt: skip

    def lines(self) -> list[str]:
        """Return the report as lines of text: a headline, a table of classes, then remarks."""
        width = max(len(name) for name in self.pixels)
        rows = []
        for name, count, share, back, loss in self.rows():
            row = f"  {name:<{width}}  {count:>13,} px  {share:7.2%}"
            if self.losses:
                row += f"  read back {back:>13,} px  lost {loss.pixels:,} px, {loss.holes:,} holes"
            rows.append(row)
        head = f"{self.images} images with labels written to {printable(self.destination)}"
        from_ = shares(self.provenance)
        told = ", ".join(f"{name} {share:.1%}" for name, share in from_.items())
        where = [f"labels come from: {told}"] if from_ else []
        left = [f"left out, sizes differing: {len(self.skipped)}"] if self.skipped else []
        refused = [f"not exported: {why}" for _, why in self.failed]
        return [head, *rows, *([self.proof()] if self.read_back else []), *where, *left,
                *self.notes, *refused]  # fmt: skip

    def to_json(self) -> dict[str, Any]:
        """Return the report for programs."""
        return {
            "out": str(self.destination), "format": self.format, "images": self.images,
            "pixels": self.pixels, "read_back": self.read_back, "equal": self.is_equal,
            "losses": {n: loss._asdict() for n, loss in self.losses.items()},
            "provenance": shares(self.provenance), "skipped": len(self.skipped),
            "notes": list(self.notes), "failed": [reason for _, reason in self.failed],
        }  # fmt: skip


def shares(pixels: Mapping[str, int]) -> dict[str, float]:
    """Return the parts of all pixels, 0..1, of those that are there; largest first."""
    total = sum(pixels.values())
    ordered = sorted(pixels.items(), key=lambda entry: -entry[1])
    return {name: count / total for name, count in ordered if count} if total else {}


def by_class(counts: np.ndarray, table: ClassTable) -> dict[str, int]:
    """Return pixels by class name in the order of the table, the ignore label last."""
    labels = [*range(len(table)), table.ignore]
    return {table.name_of(label): int(counts[label]) for label in labels}


def by_source(counts: np.ndarray) -> dict[str, int]:
    """Return pixels by the name of their provenance; later models count as one."""
    named: dict[str, int] = {}
    for value in np.flatnonzero(counts).tolist():
        name = name_of(value)
        named[name] = named.get(name, 0) + int(counts[value])
    return named
