"""What Esc takes back on the canvas: one thing a press, what lies on top of the picture first."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pspgui.gui.canvas.what_if_layer import WhatIfLayer
    from pspgui.gui.document import Document
    from pspgui.gui.tools import Tool


def step_back(document: Document, tool: Tool, stand_in: WhatIfLayer | None) -> bool:
    """Take one thing back; return whether there was anything.

    In this order: the stroke, drag or area under way; an opened source; the map on the canvas,
    which hides a what-if; the what-if; what the tool has chosen (a selection); the pin, which
    stays in the list if it is one that is kept. GUI thread only.
    """
    steps = (
        tool.abort, document.close_source, lambda: _take_map_off(document),
        lambda: stand_in is not None and stand_in.step_back(),
        tool.let_go, lambda: _let_pin_go(document),
    )  # fmt: skip
    return any(step() for step in steps)


def _take_map_off(document: Document) -> bool:
    shown = document.shown_map is not None
    document.set_shown_map(None)
    return shown


def _let_pin_go(document: Document) -> bool:
    pinned = document.pin is not None
    document.set_pin(None)
    return pinned


__all__ = ["step_back"]
