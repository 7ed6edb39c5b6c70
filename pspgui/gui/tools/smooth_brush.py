"""The smoothing brush: smooths, grows, shrinks or closes the labels under it."""

from __future__ import annotations

from typing import Final

from pspgui.gui.tools.painting import PaintingTool
from pspgui.labels.morphology import Operation
from pspgui.labels.smoothing_stroke import SmoothingStroke

_RADIUS_SHARE: Final = 8  # the radius is this part of the brush's diameter
_MOST_RADIUS_PX: Final = 24
_NAMES: Final = {
    "joint": "Smooth all classes", "smooth": "Smooth {}", "grow": "Grow {}",
    "shrink": "Shrink {}", "close": "Close gaps in {}",
}  # fmt: skip


class SmoothBrush(PaintingTool):
    """Smooths what it sweeps, by `document.smooth_mode`; a larger brush smooths more.

    One stroke does it once: rubbing the same place does no more, another stroke does. The right
    button erases as with any brush.
    """

    name = "smooth"
    text = "Smoothing brush"
    key = ""  # each of its modes is a row of its own
    icon = "mdi6.blur"

    def begin(self, y: float, x: float, kind: str, to_class: bool) -> None:
        """Begin smoothing; the right button erases."""
        document = self.document
        if kind == "erase":
            super().begin(y, x, kind, to_class)
            return
        mode = document.smooth_mode
        fine = document.may_change() and document.has_labels()
        if not fine or (mode != "joint" and not document.can_paint("brush")):
            return
        label = document.active_class
        operation = Operation(
            mode, radius_px(document.brush_diameter), label, document.table.ignore
        )
        name = _NAMES[mode].format(document.table.name_of(label))
        allowed = document.filter_at(y, x, to_class)
        document.start_stroke(
            SmoothingStroke(
                document.label_map, document.history, name, document.brush_diameter, operation,
                allowed, document.square_brush,
            ), y, x,
        )  # fmt: skip


def radius_px(diameter_px: int) -> int:
    """Return by how much a brush of this diameter smooths, grows or shrinks."""
    return max(1, min(_MOST_RADIUS_PX, round(diameter_px / _RADIUS_SHARE)))
