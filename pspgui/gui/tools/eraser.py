"""The eraser: gives pixels back to the prediction, not to nothing."""

from __future__ import annotations

from pspgui.gui.tools.painting import PaintingTool


class Eraser(PaintingTool):
    """Returns painted pixels to what the model said there."""

    name = "eraser"
    text = "Eraser (back to the prediction)"
    key = "E"
    icon = "mdi6.eraser"
    kind = "erase"
