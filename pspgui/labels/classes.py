"""The class table: which integer means what, and in which colour."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pspgui.durable import printable

IGNORE = 255


def name_key(name: str) -> str:
    """Return a class name as it is compared: case, underscores and hyphens do not count."""
    return " ".join(name.replace("_", " ").replace("-", " ").split()).casefold()


class ClassTableError(ValueError):
    """A class table that cannot be used; the message names what is wrong with it."""


@dataclass(frozen=True)
class LabelClass:
    """One class: its label (id), its name, and its colour as (red, green, blue) in 0..255.

    `group` is a heading it stands under, such as "vehicle"; it changes no label. `aliases` are
    names of classes that became this one: who still uses them means this class.
    """

    id: int
    name: str
    colour: tuple[int, int, int]
    group: str = ""
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True)
class ClassTable:
    """The classes of a model or data set, ordered by id 0..K-1, and the ignore label.

    Raises `ClassTableError` when ids are not 0..K-1 in order, names repeat or are empty, a colour
    is not three integers in 0..255, or no label file can hold the ignore label.
    """

    classes: tuple[LabelClass, ...]
    ignore: int = IGNORE

    def __post_init__(self) -> None:
        if not self.classes:
            raise ClassTableError("the class table is empty")
        if [c.id for c in self.classes] != list(range(len(self.classes))):
            raise ClassTableError(
                f"class ids must be 0..{len(self.classes) - 1} in order, "
                f"not {[c.id for c in self.classes][:12]}"
            )
        names = [c.name for c in self.classes]
        if any(not name.strip() for name in names) or len(set(names)) != len(names):
            raise ClassTableError("class names must be filled in and differ from each other")
        if not 0 <= self.ignore <= 65535:
            raise ClassTableError(f"the ignore label {self.ignore} is not one of 0..65535")
        if self.ignore < len(self.classes):
            raise ClassTableError(f"the ignore label {self.ignore} is also a class id")
        for c in self.classes:
            if len(c.colour) != 3 or any(not 0 <= v <= 255 for v in c.colour):
                raise ClassTableError(f"class {c.name}: colour {c.colour} is not three of 0..255")

    def __len__(self) -> int:
        return len(self.classes)

    @property
    def names(self) -> tuple[str, ...]:
        """Class names by id."""
        return tuple(c.name for c in self.classes)

    def find(self, name: str) -> LabelClass:
        """Return the class of that name, letter case ignored.

        Raises `ClassTableError` that lists the names there are.
        """
        for c in self.classes:
            if c.name.casefold() == name.strip().casefold():
                return c
        raise ClassTableError(f"no class is called {name!r}; there are {', '.join(self.names)}")

    def ids_by_key(self) -> dict[str, int]:
        """Return the id of every name and alias by its `name_key`; a name outranks an alias."""
        aliases = {name_key(alias): c.id for c in self.classes for alias in c.aliases}
        return aliases | {name_key(c.name): c.id for c in self.classes}

    def name_of(self, label: int) -> str:
        """Return the name of a label; the ignore label and unknown ids are named too."""
        if 0 <= label < len(self.classes):
            return self.classes[label].name
        return "unlabelled" if label == self.ignore else f"label {label}"

    def palette(self) -> np.ndarray:
        """Return colours by label, (256, 3) uint8; labels without a class are black."""
        table = np.zeros((256, 3), np.uint8)
        for c in self.classes[:256]:
            table[c.id] = c.colour
        return table

    def to_json(self) -> dict[str, Any]:
        """Return the table as the JSON object of `classes.json`."""
        return {
            "ignore": self.ignore,
            "classes": [
                {"id": c.id, "name": c.name, "colour": list(c.colour)}
                | ({"group": c.group} if c.group else {})
                | ({"aliases": list(c.aliases)} if c.aliases else {})
                for c in self.classes
            ],
        }

    @classmethod
    def from_json(cls, value: object) -> ClassTable:
        """Build a table from the JSON object of `classes.json`; raises `ClassTableError`."""
        try:
            entries = value["classes"]  # type: ignore[index]
            ignore = int(value.get("ignore", IGNORE))  # type: ignore[attr-defined]
            classes = tuple(
                LabelClass(
                    int(e["id"]), str(e["name"]), tuple(int(v) for v in e["colour"]),  # type: ignore[arg-type]
                    str(e.get("group", "")), tuple(str(name) for name in e.get("aliases", ())),
                )
                for e in entries
            )
        except (KeyError, TypeError, AttributeError, ValueError, OverflowError) as error:
            absent = isinstance(error, KeyError) and f"{error.args[0]!r:.40} is missing"
            raise ClassTableError(
                'expected {"ignore": 255, "classes": [{"id", "name", "colour"}]}, but '
                f"{absent or 'something in it is of another kind'}"
            ) from error
        return cls(classes, ignore)

    @classmethod
    def load(cls, path: Path) -> ClassTable:
        """Read `classes.json`; raises `ClassTableError` naming the file and the reason."""
        try:
            return cls.from_json(json.loads(Path(path).read_text(encoding="utf-8")))
        except json.JSONDecodeError as error:
            reason = f"it is damaged, or no JSON (line {error.lineno})"
            raise ClassTableError(f"{printable(path)}: {reason}") from error
        except (OSError, ValueError, RecursionError) as error:
            told = getattr(error, "strerror", None) or error
            raise ClassTableError(f"{printable(path)}: {told}") from error


def table(*rows: tuple[str, tuple[int, int, int]], ignore: int = IGNORE) -> ClassTable:
    """Build a class table from (name, colour) rows in the order of their ids."""
    return ClassTable(tuple(LabelClass(i, n, c) for i, (n, c) in enumerate(rows)), ignore)


# The eleven classes of CamVid as prepared for SegNet, with the data set's own colours.
CAMVID = table(
    ("Sky", (128, 128, 128)),
    ("Building", (128, 0, 0)),
    ("Pole", (192, 192, 128)),
    ("Road", (128, 64, 128)),
    ("Pavement", (60, 40, 222)),
    ("Tree", (128, 128, 0)),
    ("SignSymbol", (192, 128, 128)),
    ("Fence", (64, 64, 128)),
    ("Car", (64, 0, 128)),
    ("Pedestrian", (64, 64, 0)),
    ("Bicyclist", (0, 128, 192)),
)
