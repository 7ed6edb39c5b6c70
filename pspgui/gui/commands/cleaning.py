"""Cleaning up labels: islands, holes, and the borders of classes."""

from __future__ import annotations

from typing import Final

from pspgui.gui.commands.row import ActionRow, Parts, has_image

# (what, its row's text, keys, icon)
_KINDS: Final = (
    ("islands", "Remove small islands of the class…", ("Ctrl+Shift+I",), "mdi6.island"),
    ("holes", "Fill small holes in the class…", ("Ctrl+Shift+H",), "mdi6.circle-slice-8"),
    ("smooth", "Smooth the class…", (), "mdi6.chart-bell-curve"),
    ("grow", "Grow the class…", (), "mdi6.arrow-expand-all"),
    ("shrink", "Shrink the class…", (), "mdi6.arrow-collapse-all"),
    ("close", "Close gaps in the class…", (), "mdi6.arrow-collapse-horizontal"),
    ("open", "Cut thin parts of the class…", (), "mdi6.content-cut"),
    ("joint", "Smooth all classes together…", ("Ctrl+Shift+J",), "mdi6.blur"),
    ("relabel", "Relabel a class…", ("Ctrl+Shift+L",), "mdi6.swap-horizontal"),
)


def _clean(parts: Parts, what: str) -> None:
    from pspgui.gui.dialogs.clean_up import clean_up

    canvas = parts.canvas
    if canvas.isVisible():
        view = canvas.camera.to_image_rect(canvas.camera.viewport)
        clean_up(parts.document, what, canvas.window(), view)


def _relabel_in_all(parts: Parts) -> None:
    from pspgui.gui.dialogs.relabel_images import relabel_in_all

    relabel_in_all(parts)


ROWS: Final = (
    *(
        ActionRow(what, text, keys, lambda p, what=what: _clean(p, what), "Clean up", icon,
                  enabled=has_image, line=what in ("smooth", "joint", "relabel"))
        for what, text, keys, icon in _KINDS
    ),
    ActionRow("relabel_in_all", "Relabel a class in all images…", (), _relabel_in_all,
              "Clean up", "mdi6.swap-horizontal-bold", enabled=has_image),
)  # fmt: skip
