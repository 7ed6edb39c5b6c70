"""What is shown, and how."""

from __future__ import annotations

from typing import Final

from pspgui.gui.canvas.zooming import region_around, with_room
from pspgui.gui.commands.row import ActionRow, Parts, has_image
from pspgui.gui.display import OUTLINE_WIDTHS, VIEW_MODES, VIEW_TEXTS
from pspgui.gui.settings import THEMES
from pspgui.imaging.adjusting import NEUTRAL

VIEWS: Final = "Views"
AIDS: Final = "Aids"
_AID_TEXTS: Final = (
    ("split", "Split view: image | labels", ("Shift+V",), "mdi6.arrow-split-vertical"),
    ("minimap", "Minimap while zoomed in", ("N",), "mdi6.map-outline"),
    ("rulers", "Rulers", (), "mdi6.ruler-square"),
)


def _cycle_view(parts: Parts) -> None:
    modes = [mode for mode in VIEW_MODES if _can_view(parts, mode)]
    mode = modes.index(parts.document.view_mode)
    parts.document.set_view_mode(modes[(mode + 1) % len(modes)])


def _can_view(parts: Parts, mode: str) -> bool:
    return mode != "other" or parts.document.is_comparing


def _zoom_to_region(parts: Parts) -> None:
    document = parts.document
    labels, pixel = document.labels_in_view(), document.hover
    if labels is None or pixel is None:
        document.message.emit("Point at a region of the labels, then press Z to zoom to it.")
        return
    parts.canvas.zoom_to(with_room(region_around(labels, pixel)))


def _zoom_to_last_edit(parts: Parts) -> None:
    history = parts.document.history
    edits = history.edits if history is not None else ()
    if not edits:
        parts.document.message.emit("Nothing was changed in this image yet.")
        return
    parts.canvas.zoom_to(with_room(edits[-1].rect))


def _next_outline_width(parts: Parts) -> None:
    document = parts.document
    width = OUTLINE_WIDTHS[document.outline_px % len(OUTLINE_WIDTHS)]
    document.set_outline_px(width)
    document.set_outline(True)
    document.message.emit(f"Outlines are {width} px wide.")


def _toggle_solo(parts: Parts) -> None:
    document = parts.document
    solo = document.solo == document.active_class
    document.set_solo(None if solo else document.active_class)


ROWS: Final = (
    ActionRow("fit", "Fit to window", ("Ctrl+0",), lambda p: p.canvas.fit(), "View",
              "mdi6.fit-to-screen-outline", enabled=has_image),
    ActionRow("actual", "Actual size", ("Ctrl+1",), lambda p: p.canvas.actual_size(), "View",
              "mdi6.magnify", enabled=has_image),
    ActionRow("zoom_in", "Zoom in", ("Ctrl++", "Ctrl+=", "+"), lambda p: p.canvas.zoom_by(1.25),
              "View", "mdi6.magnify-plus-outline", enabled=has_image, repeats=True),
    ActionRow("zoom_out", "Zoom out", ("Ctrl+-", "-"), lambda p: p.canvas.zoom_by(0.8), "View",
              "mdi6.magnify-minus-outline", enabled=has_image, repeats=True),
    ActionRow("zoom_region", "Zoom to the region under the mouse", ("Z",), _zoom_to_region,
              "View", "mdi6.image-filter-center-focus", enabled=has_image),
    ActionRow("zoom_edit", "Zoom to the last edit", ("Shift+Z",), _zoom_to_last_edit, "View",
              enabled=has_image),
    ActionRow("cycle_view", "Next view", ("V",), _cycle_view, "View", line=True),
    *(
        ActionRow(f"view_{mode}", texts[1], (),
                  lambda p, mode=mode: p.document.set_view_mode(mode),
                  VIEWS, checked=lambda p, mode=mode: p.document.view_mode == mode,
                  enabled=lambda p, mode=mode: _can_view(p, mode))
        for mode, texts in VIEW_TEXTS.items()
    ),
    *(
        ActionRow(aid, text, keys,
                  lambda p, aid=aid: p.document.set_aid(aid, not p.document.has_aid(aid)), AIDS,
                  icon, checked=lambda p, aid=aid: p.document.has_aid(aid))
        for aid, text, keys, icon in _AID_TEXTS
    ),
    ActionRow("outline", "Outlines only", ("\\",),
              lambda p: p.document.set_outline(not p.document.outline), "View",
              "mdi6.vector-square", checked=lambda p: p.document.outline, line=True),
    ActionRow("outline_width", "Next width of outlines", ("Shift+\\", "|"),
              _next_outline_width, "View",
              live=lambda p: f"Outlines {p.document.outline_px} px wide: next width"),
    ActionRow("hide_overlay", "Hide the overlay", (),
              lambda p: p.document.set_overlay_hidden(not p.document.overlay_hidden), "View",
              checked=lambda p: p.document.overlay_hidden),
    ActionRow("fainter", "Fainter overlay", (",",),
              lambda p: p.document.set_opacity(p.document.opacity - 0.1), "View", repeats=True),
    ActionRow("stronger", "Stronger overlay", (".",),
              lambda p: p.document.set_opacity(p.document.opacity + 0.1), "View", repeats=True),
    ActionRow("solo", "Show only the active class", ("O",), _toggle_solo, "View",
              checked=lambda p: p.document.solo is not None),
    ActionRow("reset_adjust", "Show the picture as it is", (),
              lambda p: p.document.set_adjustment(NEUTRAL), "View", "mdi6.tune-vertical",
              enabled=lambda p: not p.document.adjustment.is_neutral),
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
