"""The tools of the canvas, one file each; adding one means adding it to TOOLS."""

from __future__ import annotations

from pspgui.gui.tools.brush import Brush
from pspgui.gui.tools.ellipse import Ellipse
from pspgui.gui.tools.eraser import Eraser
from pspgui.gui.tools.fill import Fill
from pspgui.gui.tools.lasso import Lasso
from pspgui.gui.tools.pick import Pick
from pspgui.gui.tools.polygon import Polygon
from pspgui.gui.tools.probe import Probe
from pspgui.gui.tools.rectangle import Rectangle
from pspgui.gui.tools.tool import Tool, ToolEvent

AREA_TOOLS: tuple[type[Tool], ...] = (Lasso, Polygon, Rectangle, Ellipse, Fill)
# The toolbar shows each of these behind one button.
TOOL_GROUPS: tuple[tuple[type[Tool], ...], ...] = (AREA_TOOLS,)
TOOLS: tuple[type[Tool], ...] = (Probe, Brush, Eraser, *AREA_TOOLS, Pick)

__all__ = [
    "AREA_TOOLS", "TOOLS", "TOOL_GROUPS", "Brush", "Ellipse", "Eraser", "Fill", "Lasso", "Pick",
    "Polygon", "Probe", "Rectangle", "Tool", "ToolEvent",
]  # fmt: skip
