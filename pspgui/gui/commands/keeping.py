"""Going back and forth in the history, recovering strokes, settling conflicts."""

from __future__ import annotations

from typing import Final

from pspgui.gui.commands.row import ActionRow, Parts


def _recover(parts: Parts) -> None:
    from pspgui.gui.dialogs.recovery import RecoveryDialog

    RecoveryDialog(parts.document, parts.session.keeping, parts.canvas.window()).exec()


def _settle(parts: Parts) -> None:
    from pspgui.gui.dialogs.conflict import ConflictDialog

    image = parts.session.keeping.conflict
    if image is not None:
        ConflictDialog(parts.session.keeping, image, parts.canvas.window()).exec()


ROWS: Final = (
    ActionRow("recover", "Recover strokes of an earlier session…", (), _recover, "Edit",
              "mdi6.restore", enabled=lambda p: p.session.keeping.lost is not None, line=True),
    ActionRow("conflict", "Labels changed elsewhere…", (), _settle, "Edit",
              "mdi6.file-alert-outline",
              enabled=lambda p: p.session.keeping.conflict is not None),
)  # fmt: skip
