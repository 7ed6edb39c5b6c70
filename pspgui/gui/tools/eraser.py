"""The eraser: gives pixels back to the prediction, to unlabelled, or to the first class."""

from __future__ import annotations

from pspgui.gui.tools.painting import PaintingTool


class Eraser(PaintingTool):
    """Takes painted pixels back to what `document.erase_to` says; the right button does so too."""

    name = "eraser"
    text = "Eraser"
    key = ""  # E and Shift+E choose what it leaves, too
    icon = "mdi6.eraser"
    kind = "erase"
