"""Choosing a tool, and what it may paint over."""

from __future__ import annotations

from pspgui.gui.area_session import PAINT_OVER, PAINT_OVER_TEXTS
from pspgui.gui.commands.row import ActionRow, Parts
from pspgui.gui.tools import TOOLS


def _tool_rows() -> tuple[ActionRow, ...]:
    return tuple(
        ActionRow(
            f"tool_{tool.name}", tool.text, (tool.key,),
            lambda p, tool=tool: p.canvas.set_tool(tool), "Tools", tool.icon,
            checked=lambda p, tool=tool: p.canvas.tool is tool,
        )
        for tool in TOOLS
    )  # fmt: skip


def _next_rule(parts: Parts) -> None:
    rule = PAINT_OVER.index(parts.document.paint_over)
    parts.document.set_paint_over(PAINT_OVER[(rule + 1) % len(PAINT_OVER)])


def _paint_over_rows() -> tuple[ActionRow, ...]:
    return (
        *(
            ActionRow(
                f"over_{rule}", text, (), lambda p, rule=rule: p.document.set_paint_over(rule),
                "Tools", checked=lambda p, rule=rule: p.document.paint_over == rule,
                line=rule == PAINT_OVER[0],
            )
            for rule, text in PAINT_OVER_TEXTS.items()
        ),
        ActionRow("next_over", "Next rule of painting over", ("M",), _next_rule, "Tools"),
    )  # fmt: skip


ROWS = (*_tool_rows(), *_paint_over_rows())
