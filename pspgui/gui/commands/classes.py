"""Choosing the class to paint."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtWidgets import QWidget

from pspgui.gui.commands.row import ActionRow, Parts


def _class_rows() -> tuple[ActionRow, ...]:
    def choose(label: int) -> Callable[[Parts], None]:
        return lambda p: p.document.set_active_class(label)

    return tuple(
        ActionRow(f"class_{label}", f"Class {label + 1}", (str((label + 1) % 10),), choose(label),
                  "Classes", live=lambda p, label=label: p.document.table.name_of(label),
                  enabled=lambda p, label=label: label < len(p.document.table))
        for label in range(10)
    )  # fmt: skip


def _find(parts: Parts) -> None:
    panel = parts.canvas.window().findChild(QWidget, "classes_panel")
    dock = panel.parentWidget()
    dock.show()
    dock.raise_()
    panel.find_class()


ROWS = (
    *_class_rows(),
    ActionRow("find_class", "Find a class by name", ("Shift+C",), _find, "Classes",
              "mdi6.magnify", line=True),
)  # fmt: skip
