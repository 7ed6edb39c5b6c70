"""The tools of the canvas, one file each; adding one means adding it to TOOLS."""

from __future__ import annotations

from pspgui.gui.tools.brush import Brush
from pspgui.gui.tools.ellipse import Ellipse
from pspgui.gui.tools.eraser import Eraser
from pspgui.gui.tools.fill import Fill
from pspgui.gui.tools.grabcut import GrabCut
from pspgui.gui.tools.lasso import Lasso
from pspgui.gui.tools.live_wire import LiveWire
from pspgui.gui.tools.pick import Pick
from pspgui.gui.tools.polygon import Polygon
from pspgui.gui.tools.probe import Probe
from pspgui.gui.tools.rectangle import Rectangle
from pspgui.gui.tools.select import Select
from pspgui.gui.tools.smooth_brush import SmoothBrush
from pspgui.gui.tools.superpixel_brush import SuperpixelBrush
from pspgui.gui.tools.tool import Tool, ToolEvent

BRUSH_TOOLS: tuple[type[Tool], ...] = (Brush, SuperpixelBrush, SmoothBrush)
AREA_TOOLS: tuple[type[Tool], ...] = (
    Lasso, Polygon, LiveWire, Rectangle, Ellipse, GrabCut, Fill,
)  # fmt: skip
# The toolbar shows each of these behind one button.
TOOL_GROUPS: tuple[tuple[type[Tool], ...], ...] = (BRUSH_TOOLS, AREA_TOOLS, (Select, Pick))
TOOLS: tuple[type[Tool], ...] = (Probe, *BRUSH_TOOLS, Eraser, *AREA_TOOLS, Select, Pick)

__all__ = [
    "AREA_TOOLS", "BRUSH_TOOLS", "TOOLS", "TOOL_GROUPS", "Brush", "Ellipse", "Eraser", "Fill",
    "GrabCut", "Lasso", "LiveWire", "Pick", "Polygon", "Probe", "Rectangle", "Select",
    "SmoothBrush", "SuperpixelBrush", "Tool", "ToolEvent",
]  # fmt: skip
