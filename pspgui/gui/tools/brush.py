"""The brush: paints the active class."""

from __future__ import annotations

from pspgui.gui.tools.painting import PaintingTool


class Brush(PaintingTool):
    """Paints the active class; see PaintingTool for lines, restriction and resizing."""

    name = "brush"
    text = "Brush"
    key = "B"
    icon = "mdi6.brush-outline"
    kind = "brush"
