"""The class table."""

from __future__ import annotations

from typing import Final

from pspgui.gui.commands.row import ActionRow, Parts, has_image


def _edit(parts: Parts) -> None:
    from pspgui.gui.dialogs.class_table import edit_classes

    edit_classes(parts)


ROWS: Final = (
    ActionRow("edit_classes", "Edit classes…", ("Ctrl+Shift+C",), _edit, "Classes",
              "mdi6.format-list-bulleted", enabled=has_image, line=True),
)  # fmt: skip
