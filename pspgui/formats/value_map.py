"""One-to-one between labels and the values that stand for them in a format's files."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from pspgui.durable import printable
from pspgui.formats.coding import ValueCoding
from pspgui.formats.errors import FormatError
from pspgui.labels.classes import IGNORE, ClassTable

DESCRIPTION = "dataset.json"


@dataclass(frozen=True)
class ValueMap:
    """The value of every class of a table, in its order, and the value of unlabelled pixels.

    Raises `FormatError` when two labels would share a value, or one is above `highest`.
    """

    table: ClassTable
    values: tuple[int, ...]
    ignore: int
    highest: int = 255

    def __post_init__(self) -> None:
        every = (*self.values, self.ignore)
        if len(self.values) != len(self.table) or min(every) < 0:
            raise FormatError("every class needs one value, 0 or above")
        if max(every) > self.highest:
            raise FormatError(
                f"{len(self.table)} classes and unlabelled pixels do not fit into the values "
                f"0 to {self.highest} of this format; choose npy"
            )
        if len(set(every)) < len(every):
            name = self.table.names[self.values.index(self.ignore)]
            raise FormatError(
                f"the value {self.ignore} would mean {name} and unlabelled both; "
                "choose another ignore value"
            )

    @classmethod
    def counted(
        cls, table: ClassTable, first: int = 0, ignore: int = IGNORE, highest: int = 255
    ) -> ValueMap:
        """Return the map of values that count up from `first` in the order of the classes."""
        return cls(table, tuple(range(first, first + len(table))), ignore, highest)

    @property
    def is_identity(self) -> bool:
        """Whether the values are the labels themselves."""
        return self.ignore == self.table.ignore and self.values == tuple(range(len(self.table)))

    def encode(self, labels: np.ndarray) -> np.ndarray:
        """Return the values of labels (H, W), uint8 where all fit, else uint16.

        Labels are classes of the table or its ignore label, which the caller has checked.
        """
        kind = np.uint8 if max(*self.values, self.ignore) <= 255 else np.uint16
        if self.is_identity and labels.dtype == kind:
            return labels
        lookup: np.ndarray = np.zeros(65536, kind)
        lookup[: len(self.values)] = self.values
        lookup[self.table.ignore] = self.ignore
        encoded: np.ndarray = lookup[labels]
        return encoded

    def decode(self, values: np.ndarray) -> np.ndarray:
        """Return the labels of values (H, W) as uint16; raises `ValueError` for other values."""
        lookup = np.full(65536, -1, np.int32)
        lookup[list(self.values)] = np.arange(len(self.values))
        lookup[self.ignore] = self.table.ignore
        labels: np.ndarray = lookup[values]
        if labels.min() < 0:
            raise ValueError("a value stands for no class")
        return np.asarray(labels, np.uint16)

    def colours(self) -> np.ndarray:
        """Return colours by value, (256, 3) uint8; unlabelled is (224, 224, 192), as in VOC."""
        colours = np.zeros((256, 3), np.uint8)
        for entry, value in zip(self.table.classes, self.values, strict=True):
            colours[value] = entry.colour
        colours[self.ignore] = (224, 224, 192)
        return colours

    def to_json(self) -> dict[str, Any]:
        """Return the map as it stands in `dataset.json`."""
        return {"classes": list(self.values), "ignore": self.ignore}


def written_table(root: Path) -> ClassTable | None:
    """Return the classes that an export of ours described beside its files; None without that.

    Raises `FormatError` naming the file when it is damaged.
    """
    described = _described(root)
    return None if described is None else described[0]


def written_values(root: Path) -> ValueMap | None:
    """Return the values that an export of ours described beside its files; as `written_table`."""
    described = _described(root)
    if described is None or described[1] is None:
        return None
    table, values = described
    try:
        return ValueMap(table, _integers(values["classes"]), int(values["ignore"]), 65535)
    except (ValueError, KeyError, TypeError, OverflowError) as error:
        raise _damaged(root, error) from error


def original_names(root: Path) -> dict[str, str]:
    """Return what images were called before an export of ours renamed them, by name in it.

    Empty where nothing is told: without it images are found by the names that they have now.
    """
    try:
        told = json.loads((root / DESCRIPTION).read_text(encoding="utf-8"))
        if "written_by" not in told:
            return {}
        return {str(name): str(original) for name, original in told["renamed"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return {}


def _described(root: Path) -> tuple[ClassTable, Any] | None:
    path = root / DESCRIPTION
    if not path.is_file():
        return None
    try:
        described = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(described, dict) or "written_by" not in described:
            return None  # another program's file of this common name
        return ClassTable.from_json(described["classes"]), described.get("values")
    except (OSError, ValueError, KeyError, RecursionError) as error:
        raise _damaged(root, error) from error


def _damaged(root: Path, error: Exception) -> FormatError:
    return FormatError(
        f"{printable(root / DESCRIPTION)}: the classes of this export cannot be read ({error}); "
        "restore the file, or export once more"
    )


def written_coding(root: Path) -> tuple[ValueCoding, ClassTable] | None:
    """Return how 8-bit values of our own export become labels, and its classes, or None.

    Raises `FormatError` as `written_values`, and for values that 8 bits do not hold.
    """
    known = written_values(root)
    if known is None:
        return None
    if max(*known.values, known.ignore) > 255:
        raise FormatError(f"{printable(root / DESCRIPTION)}: values above 255 in 8-bit files")
    table = known.table if known.table.ignore <= 255 else replace(known.table, ignore=IGNORE)
    labels = {value: label for label, value in enumerate(known.values)}
    expected = f"{DESCRIPTION} lists the values {_listed(known)}"
    return ValueCoding({**labels, known.ignore: table.ignore}, expected), table


def _listed(known: ValueMap) -> str:
    first, last = known.values[0], known.values[-1]
    counted = known.values == tuple(range(first, last + 1))
    shown = f"{first} to {last}" if counted else ", ".join(map(str, known.values))
    return f"{shown}, and {known.ignore} for unlabelled"


def _integers(values: Sequence[Any]) -> tuple[int, ...]:
    if not isinstance(values, list) or any(type(value) is not int for value in values):
        raise ValueError("values are whole numbers")
    return tuple(values)
