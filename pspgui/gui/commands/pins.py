"""Going back and forth among pins, and removing them."""

from __future__ import annotations

from typing import Final

from pspgui.gui.commands.row import ActionRow, Parts


def _step(parts: Parts, by: int) -> None:
    if not parts.document.pins.step(by):
        side = "before" if by < 0 else "after"
        parts.document.message.emit(f"No pin was looked at {side} this one.")


ROWS: Final = (
    ActionRow("pin_back", "Back to the pin before", ("Alt+Left",), lambda p: _step(p, -1), "Go",
              "mdi6.arrow-left", line=True),
    ActionRow("pin_forth", "Forth to the next pin", ("Alt+Right",), lambda p: _step(p, 1), "Go",
              "mdi6.arrow-right"),
    ActionRow("remove_pins", "Remove all pins of the image", (),
              lambda p: p.document.pins.remove(p.document.pins.all), "Go"),
)  # fmt: skip
