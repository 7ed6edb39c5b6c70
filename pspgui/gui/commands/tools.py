"""Choosing a tool, what it may paint over, and what the eraser leaves."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Final

from pspgui.gui.commands.row import ActionRow, Parts
from pspgui.gui.document import Document
from pspgui.gui.paint_rules import PAINT_OVER, PAINT_OVER_TEXTS
from pspgui.gui.tools import TOOLS, Eraser, SmoothBrush, Tool

_ERASERS: Final = {
    "prediction": ("Eraser (back to the prediction)", ("E",), "mdi6.eraser"),
    "unlabelled": ("Eraser (to unlabelled)", ("Shift+E",), "mdi6.eraser-variant"),
    "first": ("Eraser (to the first class)", (), "mdi6.numeric-0-box-outline"),
}
_SMOOTHERS: Final = {
    "joint": ("Smoothing brush (all classes)", ("Shift+B",), "mdi6.blur"),
    "smooth": ("Smoothing brush (the class)", (), "mdi6.chart-bell-curve"),
    "grow": ("Growing brush", (), "mdi6.arrow-expand-all"),
    "shrink": ("Shrinking brush", (), "mdi6.arrow-collapse-all"),
    "close": ("Gap-closing brush", (), "mdi6.arrow-collapse-horizontal"),
}
PAINTING_OVER: Final = "Painting over"


def action_ids(tool: type[Tool]) -> tuple[str, ...]:
    """Return the rows that choose a tool: one, or one for each of its variants."""
    if tool is Eraser:
        return tuple(f"erase_{target}" for target in _ERASERS)
    if tool is SmoothBrush:
        return tuple(f"smooth_{mode}" for mode in _SMOOTHERS)
    return (f"tool_{tool.name}",)


def _tool_rows() -> tuple[ActionRow, ...]:
    rows: list[ActionRow] = []
    for tool in TOOLS:
        if tool is Eraser:
            rows.extend(_variant_rows("erase", tool, _ERASERS, Document.set_erase_to,
                                      lambda d: d.erase_to))  # fmt: skip
        elif tool is SmoothBrush:
            rows.extend(_variant_rows("smooth", tool, _SMOOTHERS, Document.set_smooth_mode,
                                      lambda d: d.smooth_mode))  # fmt: skip
        else:
            rows.append(
                ActionRow(
                    f"tool_{tool.name}", tool.text, (tool.key,),
                    lambda p, tool=tool: p.canvas.set_tool(tool), "Tools", tool.icon,
                    checked=lambda p, tool=tool: p.canvas.tool is tool,
                )
            )  # fmt: skip
    return tuple(rows)


def _variant_rows(
    prefix: str,
    tool: type[Tool],
    variants: Mapping[str, tuple[str, tuple[str, ...], str]],
    choose: Callable[[Document, str], None],
    chosen: Callable[[Document], str],
) -> Iterator[ActionRow]:
    """Yield a row for each variant of a tool; it chooses tool and variant together."""

    def use(variant: str) -> Callable[[Parts], None]:
        def verb(parts: Parts) -> None:
            choose(parts.document, variant)
            parts.canvas.set_tool(tool)

        return verb

    for variant, (text, keys, icon) in variants.items():
        yield ActionRow(
            f"{prefix}_{variant}", text, keys, use(variant), "Tools", icon,
            checked=lambda p, variant=variant: p.canvas.tool is tool
            and chosen(p.document) == variant,
        )  # fmt: skip


def _next_rule(parts: Parts) -> None:
    rule = PAINT_OVER.index(parts.document.paint_over)
    parts.document.set_paint_over(PAINT_OVER[(rule + 1) % len(PAINT_OVER)])


def _toggle_chosen(parts: Parts) -> None:
    document = parts.document
    name = document.table.name_of(document.active_class)
    document.choose_over(name, name not in document.chosen_names)


def _toggle_lock(parts: Parts) -> None:
    document = parts.document
    document.set_locked(document.active_class, not document.is_locked(document.active_class))


def _rule_rows() -> tuple[ActionRow, ...]:
    return (
        *(
            ActionRow(
                f"over_{rule}", text, (), lambda p, rule=rule: p.document.set_paint_over(rule),
                PAINTING_OVER, checked=lambda p, rule=rule: p.document.paint_over == rule,
            )
            for rule, text in PAINT_OVER_TEXTS.items()
        ),
        ActionRow("next_over", "Next rule of painting over", ("M",), _next_rule,
                  PAINTING_OVER, line=True),
        ActionRow("choose_over", "Choose the active class to paint over", ("Shift+M",),
                  _toggle_chosen, PAINTING_OVER,
                  checked=lambda p: p.document.table.name_of(p.document.active_class)
                  in p.document.chosen_names),
        ActionRow("lock", "Lock the active class", ("K",), _toggle_lock, "Tools",
                  "mdi6.lock-outline", line=True,
                  checked=lambda p: p.document.is_locked(p.document.active_class)),
        ActionRow("pen_pressure", "Pen pressure sizes the brush", (),
                  lambda p: p.document.set_pen_sizes(not p.document.pen_sizes), "Tools",
                  "mdi6.pen", checked=lambda p: p.document.pen_sizes),
    )  # fmt: skip


ROWS: Final = (*_tool_rows(), *_rule_rows())
