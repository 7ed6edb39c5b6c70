"""What if a part of the pyramid were silent: showing the answer, going back."""

from __future__ import annotations

from typing import Final

from pspgui.gui.commands.row import ActionRow, Parts


def _back_and_forth(parts: Parts) -> None:
    if parts.what_if.can_bring_back:
        parts.what_if.bring_back()
    else:
        parts.what_if.restore_all()


ROWS: Final = (
    ActionRow("what_if_shown", "What-if on the image", (),
              lambda p: p.what_if.set_on_image(not p.what_if.on_image), "View",
              "mdi6.head-question-outline", checked=lambda p: p.what_if.on_image, line=True,
              enabled=lambda p: p.what_if.evidence is not None),
    ActionRow("what_if_restore", "Restore all of the what-if", (), _back_and_forth, "View",
              enabled=lambda p: not p.what_if.is_plain or p.what_if.can_bring_back,
              live=lambda p: "Bring the what-if back" if p.what_if.can_bring_back
              else "Restore all of the what-if"),
)  # fmt: skip
