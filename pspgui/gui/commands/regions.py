"""Copying a selected region's labels within and between images."""

from __future__ import annotations

from typing import Final

from pspgui.gui.commands.row import ActionRow, Parts


def _copy_to_next(parts: Parts) -> None:
    document = parts.document
    if not parts.canvas.isVisible() or not document.clipboard.copy():
        return
    image = parts.images.beside(1)
    if image is None:
        document.message.emit("No image comes after this one; the region is copied (Ctrl+V).")
        return
    document.clipboard.paste_into(image)
    parts.images.step(1)


def _selected(parts: Parts) -> bool:
    return parts.document.selection is not None


ROWS: Final = (
    ActionRow("copy_region", "Copy the selected region", ("Ctrl+C",),
              lambda p: p.document.clipboard.copy(), "Edit", "mdi6.content-copy",
              enabled=_selected, line=True),
    ActionRow("paste_region", "Paste the region", ("Ctrl+V",),
              lambda p: p.document.clipboard.paste(), "Edit", "mdi6.content-paste",
              enabled=lambda p: p.document.clipboard.can_paste),
    ActionRow("copy_to_next", "Copy the region to the next image", ("Ctrl+Shift+V",),
              _copy_to_next, "Edit", "mdi6.page-next-outline", enabled=_selected),
)  # fmt: skip
