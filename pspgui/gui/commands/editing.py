"""Undo, accepting, the brush."""

from __future__ import annotations

from typing import Final

from pspgui.gui.commands.row import ActionRow, Parts, has_prediction


def _undo_text(parts: Parts) -> str:
    if parts.document.pending is not None:
        return "Undo the last step of the tool"
    names = parts.document.history.undo_names if parts.document.can_undo else ()
    return f"Undo {names[0]}" if names else "Undo"


def _ask_for_room(parts: Parts) -> None:
    from pspgui.gui.dialogs.history_room import HistoryRoomDialog

    HistoryRoomDialog(parts.session, parts.canvas.window()).exec()


def _redo_text(parts: Parts) -> str:
    names = parts.document.history.redo_names if parts.document.can_redo else ()
    return f"Redo {names[0]}" if names else "Redo"


ROWS: Final = (
    ActionRow("undo", "Undo", ("Ctrl+Z",), lambda p: p.document.undo(), "Edit", "mdi6.undo",
              enabled=lambda p: p.document.can_undo or p.document.pending is not None,
              live=_undo_text, repeats=True),
    ActionRow("redo", "Redo", ("Ctrl+Shift+Z", "Ctrl+Y"), lambda p: p.document.redo(), "Edit",
              "mdi6.redo", enabled=lambda p: p.document.can_redo, live=_redo_text, repeats=True),
    ActionRow("accept", "Accept the prediction as labels", ("Return", "Enter"),
              lambda p: p.document.accept_prediction(), "Edit", "mdi6.check",
              enabled=has_prediction, line=True),
    ActionRow("add_classes", "Add the model's classes to the labels", (),
              lambda p: p.session.add_model_classes(), "Edit",
              enabled=lambda p: p.session.can_add_classes),
    ActionRow("swap_classes", "Swap the last two classes", ("X",),
              lambda p: p.document.swap_classes(), "Edit", line=True),
    ActionRow("smaller", "Smaller brush", ("[",), lambda p: p.document.scale_brush(1 / 1.2),
              "Edit", repeats=True),
    ActionRow("larger", "Larger brush", ("]",), lambda p: p.document.scale_brush(1.2), "Edit",
              repeats=True),
    ActionRow("smaller_px", "Brush 1 px smaller", ("Shift+[", "{"),
              lambda p: p.document.set_brush_diameter(p.document.brush_diameter - 1), "Edit",
              repeats=True),
    ActionRow("larger_px", "Brush 1 px larger", ("Shift+]", "}"),
              lambda p: p.document.set_brush_diameter(p.document.brush_diameter + 1), "Edit",
              repeats=True),
    ActionRow("square", "Square brush", ("Q",),
              lambda p: p.document.set_square_brush(not p.document.square_brush), "Edit",
              checked=lambda p: p.document.square_brush),
    ActionRow("history_room", "How much undo keeps…", (), _ask_for_room, "Edit", line=True),
)  # fmt: skip
