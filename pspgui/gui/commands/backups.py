"""Putting labels back as they were before a large change."""

from __future__ import annotations

from typing import Final

from pspgui.gui.commands.row import ActionRow, Parts, has_image


def _put_back(parts: Parts) -> None:
    from pspgui.gui.dialogs.backups import ask_for_backup

    ask_for_backup(parts)


ROWS: Final = (
    ActionRow("backups", "Backups…", (), _put_back, "File", "mdi6.backup-restore",
              enabled=has_image),
)  # fmt: skip
