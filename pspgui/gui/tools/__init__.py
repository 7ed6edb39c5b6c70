"""The tools of the canvas, one file each; adding one means adding it to TOOLS."""

from __future__ import annotations

from pspgui.gui.tools.brush import Brush
from pspgui.gui.tools.eraser import Eraser
from pspgui.gui.tools.pick import Pick
from pspgui.gui.tools.probe import Probe
from pspgui.gui.tools.tool import Tool, ToolEvent

TOOLS: tuple[type[Tool], ...] = (Probe, Brush, Eraser, Pick)

__all__ = ["TOOLS", "Brush", "Eraser", "Pick", "Probe", "Tool", "ToolEvent"]
