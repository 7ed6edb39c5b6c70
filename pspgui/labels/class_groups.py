"""The classes of a table under the headings they stand under, for lists of them."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

from pspgui.labels.classes import ClassTable, name_key


class ClassRow(NamedTuple):
    """A line of the list: one class, or the heading of a group with the classes under it.

    `label` is None for a heading; `labels` are those under it, or the class itself.
    """

    group: str
    label: int | None
    labels: tuple[int, ...]


def class_rows(
    table: ClassTable, folded: Collection[str] = (), wanted: str = ""
) -> tuple[ClassRow, ...]:
    """Return the lines of a list: classes without a group as they come, groups gathered.

    A group stands where its first class does. Classes of `folded` groups are left out, headings
    stay. `wanted` keeps classes whose name, alias or group holds that text, spelt one way or
    another; folded groups that hold some are opened then.
    """
    members: dict[str, list[int]] = {}
    for c in table.classes:
        if c.group:
            members.setdefault(c.group, []).append(c.id)
    rows: list[ClassRow] = []
    told = set()
    for c in table.classes:
        if not c.group:
            rows.append(ClassRow("", c.id, (c.id,)))
        elif c.group not in told:
            told.add(c.group)
            labels = tuple(members[c.group])
            rows.append(ClassRow(c.group, None, labels))
            if wanted or c.group not in folded:
                rows += [ClassRow(c.group, label, (label,)) for label in labels]
    return _matching(table, rows, name_key(wanted)) if wanted.strip() else tuple(rows)


def _matching(table: ClassTable, rows: list[ClassRow], key: str) -> tuple[ClassRow, ...]:
    """Return the rows of classes that `key` is part of, under the headings they have."""
    kept = {c.id for c in table.classes
            if any(key in name_key(text) for text in (c.name, c.group, *c.aliases))}  # fmt: skip
    return tuple(
        row._replace(labels=tuple(label for label in row.labels if label in kept))
        for row in rows
        if kept.intersection(row.labels)
    )
