"""What is shown, and how."""

from __future__ import annotations

from typing import Final

from pspgui.gui.commands.row import ActionRow, Parts, has_image
from pspgui.gui.display import VIEW_MODES
from pspgui.gui.settings import THEMES

_VIEW_TEXTS: Final = {
    "image": "Image only",
    "prediction": "Prediction",
    "labels": "Labels",
    "difference": "Difference",
}


def _cycle_view(parts: Parts) -> None:
    mode = VIEW_MODES.index(parts.document.view_mode)
    parts.document.set_view_mode(VIEW_MODES[(mode + 1) % len(VIEW_MODES)])


def _toggle_solo(parts: Parts) -> None:
    document = parts.document
    solo = document.solo == document.active_class
    document.set_solo(None if solo else document.active_class)


ROWS: Final = (
    ActionRow("fit", "Fit to window", ("F", "Ctrl+0"), lambda p: p.canvas.fit(), "View",
              "mdi6.fit-to-screen-outline", enabled=has_image),
    ActionRow("actual", "Actual size", ("Ctrl+1",), lambda p: p.canvas.actual_size(), "View",
              "mdi6.magnify", enabled=has_image),
    ActionRow("zoom_in", "Zoom in", ("Ctrl++", "Ctrl+=", "+"), lambda p: p.canvas.zoom_by(1.25),
              "View", "mdi6.magnify-plus-outline", enabled=has_image, repeats=True),
    ActionRow("zoom_out", "Zoom out", ("Ctrl+-", "-"), lambda p: p.canvas.zoom_by(0.8), "View",
              "mdi6.magnify-minus-outline", enabled=has_image, repeats=True),
    ActionRow("cycle_view", "Next view", ("V",), _cycle_view, "View", line=True),
    *(
        ActionRow(f"view_{mode}", text, (), lambda p, mode=mode: p.document.set_view_mode(mode),
                  "View", checked=lambda p, mode=mode: p.document.view_mode == mode)
        for mode, text in _VIEW_TEXTS.items()
    ),
    ActionRow("outline", "Outlines only", ("\\",),
              lambda p: p.document.set_outline(not p.document.outline), "View",
              "mdi6.vector-square", checked=lambda p: p.document.outline, line=True),
    ActionRow("hide_overlay", "Hide the overlay", (),
              lambda p: p.document.set_overlay_hidden(not p.document.overlay_hidden), "View",
              checked=lambda p: p.document.overlay_hidden),
    ActionRow("fainter", "Fainter overlay", (",",),
              lambda p: p.document.set_opacity(p.document.opacity - 0.1), "View", repeats=True),
    ActionRow("stronger", "Stronger overlay", (".",),
              lambda p: p.document.set_opacity(p.document.opacity + 0.1), "View", repeats=True),
    ActionRow("solo", "Show only the active class", ("O",), _toggle_solo, "View",
              checked=lambda p: p.document.solo is not None),
    *(
        ActionRow(f"theme_{name}", f"{name.title()} theme", (),
                  lambda p, name=name: p.window.choose_theme(name), "Theme",
                  checked=lambda p, name=name: p.window.theme == name)
        for name in THEMES
    ),
    ActionRow("next", "Next image", ("D", "PgDown"), lambda p: p.images.step(1), "Go",
              "mdi6.chevron-right", repeats=True),
    ActionRow("previous", "Previous image", ("A", "PgUp"), lambda p: p.images.step(-1), "Go",
              "mdi6.chevron-left", repeats=True),
    ActionRow("keys", "Keys and mouse", ("F1", "?"), lambda p: p.window.show_keys(), "Help",
              "mdi6.keyboard-outline"),
)  # fmt: skip
