"""Everything the window can do: one file a topic, each with ROWS; one table of them here."""

from __future__ import annotations

from typing import Final

from pspgui.gui.commands import (
    class_table,
    classes,
    cleaning,
    comparing,
    editing,
    files,
    keeping,
    lab,
    maps,
    pins,
    queue,
    regions,
    strip,
    tools,
    viewing,
    what_if,
)
from pspgui.gui.commands.row import ActionRow

# In the order of menus and of the key list.
TOPICS: Final = (
    files,
    editing,
    regions,
    keeping,
    tools,
    cleaning,
    classes,
    class_table,
    queue,
    comparing,
    viewing,
    pins,
    what_if,
    maps,
    strip,
    lab,
)


# Groups that are menus within another one, which would outgrow the screen.
SUBMENUS: Final = {
    viewing.VIEWS: "View", viewing.AIDS: "View", "Theme": "View", maps.GROUP: "View",
    strip.GROUP: "View", tools.PAINTING_OVER: "Tools",
}  # fmt: skip


def action_rows() -> tuple[ActionRow, ...]:
    """Return the whole table, in the order of menus and of the key list."""
    return tuple(row for topic in TOPICS for row in topic.ROWS)


__all__ = ["SUBMENUS", "TOPICS", "ActionRow", "action_rows"]
