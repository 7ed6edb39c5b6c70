"""What a press may do: the rule of painting over, locked classes, and what the eraser leaves."""

from __future__ import annotations

import math
from typing import Final, NamedTuple

import numpy as np
from PySide6.QtCore import QObject, Signal

from pspgui.gui.label_session import LabelSession
from pspgui.gui.pen import Pen
from pspgui.labels.editing import Stroke, accepting
from pspgui.labels.edits import Edit
from pspgui.labels.filters import OPEN, PaintFilter
from pspgui.labels.provenance import IGNORED

PAINT_OVER: Final = ("everything", "class", "chosen", "unlabelled")
PAINT_OVER_TEXTS: Final = {
    "everything": "Paint over everything",
    "class": "Paint over the class under the press only",
    "chosen": "Paint over the chosen classes only",
    "unlabelled": "Paint over unlabelled pixels only",
}
ERASE_TO: Final = ("prediction", "unlabelled", "first")
_NO_EFFECT: Final = {
    "everything": "it was so already.",
    "class": "only the class under the press is painted over.",
    "chosen": "only the chosen classes are painted over.",
    "unlabelled": "only unlabelled pixels are painted over.",
}
_LOOK: Final = "This is a first look; painting begins with the full prediction."
_NO_LABELS: Final = "There are no labels to paint on before the image is predicted."
_NO_PREDICTION: Final = (
    "Erasing needs a prediction to go back to; Shift+E erases to unlabelled instead."
)


class Writes(NamedTuple):
    """What a press writes: a label or the prediction (H, W), its provenance, its name."""

    value: int | np.ndarray
    provenance: int | None
    name: str


class PaintRules(LabelSession):
    """The labels with rules of what may be painted over. GUI thread only.

    `paint_over` is one of PAINT_OVER: everything, only the class under the press, only the chosen
    classes, or only unlabelled pixels. A locked class is never painted and never painted over,
    whatever the tool. Chosen and locked classes are kept by name, so that they hold in every
    image. `erase_to` is one of ERASE_TO: the prediction, unlabelled, or the first class.
    `rules_changed` and `brush_changed` come when any of it changes.
    """

    rules_changed = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._paint_over: str = PAINT_OVER[0]
        self._erase_to: str = ERASE_TO[0]
        self._chosen: frozenset[str] = frozenset()
        self._locked: frozenset[str] = frozenset()
        self.pen = Pen()

    # -- the rules ----------------------------------------------------------------------------

    @property
    def paint_over(self) -> str:
        """What strokes and areas may paint over, one of PAINT_OVER."""
        return self._paint_over

    @property
    def erase_to(self) -> str:
        """What the eraser leaves behind, one of ERASE_TO."""
        return self._erase_to

    @property
    def chosen_names(self) -> frozenset[str]:
        """The classes that the rule "chosen" may paint over; "unlabelled" is one to choose."""
        return self._chosen

    def set_paint_over(self, rule: str) -> None:
        """Choose what may be painted over; raises `ValueError` for a rule that there is not."""
        if rule not in PAINT_OVER:
            raise ValueError(f"painting over {rule!r} is none of {', '.join(PAINT_OVER)}")
        if rule == "chosen" and not self._chosen:
            self._chosen = frozenset((self._table.name_of(self._active_class),))
        if rule != self._paint_over:
            self._paint_over = rule
            self._rules_changed(self.rule_text())

    def set_erase_to(self, target: str) -> None:
        """Choose what the eraser leaves; raises `ValueError` for what is none of ERASE_TO."""
        if target not in ERASE_TO:
            raise ValueError(f"erasing to {target!r} is none of {', '.join(ERASE_TO)}")
        if target != self._erase_to:
            self._erase_to = target
            self._rules_changed(f"The eraser leaves {self.erased_name()}.")

    def choose_over(self, name: str, chosen: bool) -> None:
        """Let the rule "chosen" paint over a class, or no more; the rule is then in force."""
        names = self._chosen | {name} if chosen else self._chosen - {name}
        self._chosen = names
        self._paint_over = "chosen" if names else PAINT_OVER[0]
        self._rules_changed(self.rule_text())

    def rule_text(self) -> str:
        """Return the rule of painting over in a few words."""
        if self._paint_over != "chosen":
            return PAINT_OVER_TEXTS[self._paint_over]
        return f"Paint over {_listed(self._chosen)} only"

    def is_locked(self, label: int) -> bool:
        """Whether a class is locked."""
        return bool(self._locked) and self._table.name_of(label) in self._locked

    def set_locked(self, label: int, locked: bool) -> None:
        """Lock a class, so that nothing paints it or paints over it, or open it again."""
        if self.is_locked(label) == locked:
            return
        name = self._table.name_of(label)
        self._locked = self._locked | {name} if locked else self._locked - {name}
        self._rules_changed(
            f"{name} is locked: no tool paints it or paints over it until it is unlocked (K)."
            if locked
            else f"{name} is open to painting again."
        )

    def set_pen_sizes(self, sizes: bool) -> None:
        """Let a pen's pressure size the brush, or not."""
        if sizes != self.pen.sizes:
            self.pen.sizes = sizes
            self._rules_changed(
                "A pen's pressure sizes the brush; its eraser end erases."
                if sizes
                else "A pen's pressure no longer sizes the brush."
            )

    @property
    def pen_sizes(self) -> bool:
        """Whether a pen's pressure sizes the brush."""
        return self.pen.sizes

    @property
    def paint_filter(self) -> PaintFilter:
        """The rule and the locks in labels of the image's class table."""
        ids = {c.name: c.id for c in self._table.classes}
        ids[self._table.name_of(self._table.ignore)] = self._table.ignore
        locked = frozenset(ids[name] for name in self._locked if name in ids)
        if self._paint_over == "chosen":
            chosen = frozenset(ids[name] for name in self._chosen if name in ids)
            return PaintFilter(chosen, locked=locked)
        if self._paint_over == "unlabelled":
            return PaintFilter(frozenset((self._table.ignore,)), locked=locked)
        return PaintFilter(None, self._paint_over == "class", locked)

    @property
    def locks(self) -> PaintFilter:
        """The locks alone: what accepting and cleaning go by."""
        held = self.paint_filter.locked
        return PaintFilter(locked=held) if held else OPEN

    def filter_at(self, y: float, x: float, to_class: bool = False) -> PaintFilter:
        """Return what a press at (y, x) may paint over.

        `to_class` asks for the class under the press whatever the rule is. A press outside of the
        image counts as one on the pixel next to it.
        """
        rule, label_map = self.paint_filter, self._label_map
        if label_map is None:
            return rule
        height, width = label_map.shape
        row = min(max(math.floor(y), 0), height - 1)
        label = int(label_map.labels[row, min(max(math.floor(x), 0), width - 1)])
        return rule.only(label) if to_class else rule.at(label)

    # -- what a press writes ------------------------------------------------------------------

    def can_paint(self, kind: str) -> bool:
        """Whether "brush" or "erase" can be used now; if not, say why in the status bar."""
        if not self.may_change():
            return False
        reason = self.refusal(kind)
        if reason:
            self.message.emit(reason)
        return not reason

    def has_labels(self) -> bool:
        """Whether there are labels to change; if not, say why in the status bar."""
        if self._label_map is None:
            self.message.emit(_LOOK if self._is_preview else _NO_LABELS)
        return self._label_map is not None

    def erased_name(self) -> str:
        """Return what the eraser leaves, such as "prediction" or "unlabelled"."""
        return self._table.name_of(0) if self._erase_to == "first" else self._erase_to

    def writes(self, kind: str, verb: str) -> Writes:
        """Return what "brush" or "erase" writes; `can_paint` must have said yes."""
        if kind != "erase":
            name = f"{verb} {self._table.name_of(self._active_class)}"
            return Writes(self._active_class, None, name)
        name = f"{verb} to {self.erased_name()}"
        if self._erase_to == "unlabelled":
            return Writes(self._table.ignore, IGNORED, name)
        if self._erase_to == "first":
            return Writes(0, None, name)
        return Writes(self._prediction.labels, self.model_mark(), name)

    def colour_of(self, kind: str) -> tuple[int, int, int] | None:
        """Return the colour that "brush" or "erase" leaves; None for prediction or unlabelled."""
        if kind != "erase":
            return self._table.classes[self._active_class].colour
        return self._table.classes[0].colour if self._erase_to == "first" else None

    def refusal(self, kind: str) -> str:
        """Return why "brush" or "erase" has nothing to paint on or with; empty where it has."""
        if self._label_map is None:
            return _LOOK if self._is_preview else _NO_LABELS
        if kind != "erase":
            return self._lock_refusal(self._active_class)
        if self._erase_to == "first":
            return self._lock_refusal(0)
        if self._erase_to == "prediction" and (self._prediction is None or self._is_preview):
            return _LOOK if self._is_preview else _NO_PREDICTION
        return ""

    def _lock_refusal(self, label: int) -> str:
        if not self.is_locked(label):
            return ""
        name = self._table.name_of(label)
        return f"{name} is locked, so it is not painted; unlock it (K) or choose another class."

    # -- strokes ------------------------------------------------------------------------------

    def begin_stroke(self, y: float, x: float, kind: str, to_class: bool = False) -> None:
        """Press the "brush" (active class) or the "erase" tool at a point of the image.

        `to_class` restricts the stroke to the class under the press, whatever the rule is. What
        cannot be done is said in the status bar.
        """
        self.finish_stroke()
        if not self.can_paint(kind):
            return
        value, provenance, name = self.writes(kind, "Erase" if kind == "erase" else "Brush")
        diameter_px = self.pen.diameter(self._brush_diameter)
        stroke = Stroke(
            self._label_map, self._history, name, diameter_px, value,
            self.filter_at(y, x, to_class), self._square_brush, provenance,
        )  # fmt: skip
        self.start_stroke(stroke, y, x)

    def start_stroke(self, stroke: Stroke, y: float, x: float) -> None:
        """Press a tool that made its own stroke over this label map and history."""
        self.finish_stroke()
        self._stroke = stroke
        self._announce(stroke.move(y, x))

    def move_stroke(self, y: float, x: float) -> None:
        """Sweep the pressed tool to the point (image pixels); a pen may change its width."""
        if self._stroke is not None:
            if self.pen.sizes:
                self._stroke.diameter_px = self.pen.diameter(self._brush_diameter)
            self._announce(self._stroke.move(y, x))

    def accept_prediction(self) -> None:
        """Make the prediction the labels wherever no person has set them, as one edit.

        Locked classes stay as they are.
        """
        prediction = self._prediction
        if not self.may_change():
            return
        if self._is_preview:
            self.message.emit("This is a first look; accept once the full prediction is there.")
            return
        if prediction is None or self._label_map is None or self._history is None:
            self.message.emit("There is no prediction to accept yet.")
            return
        self.finish_stroke()
        steps = accepting(self._label_map, self._history, prediction.labels, allowed=self.locks)
        self._changing.run(steps, self._accepted, may_take_back=True)

    # -- inside -------------------------------------------------------------------------------

    def _accepted(self, edit: Edit | None) -> None:
        if edit is not None:
            self._edited(edit, edit.title)
            return
        locked = " but those of locked classes" if self._locked else ""
        self.message.emit(f"All labels are accepted already{locked}.")

    def _stroke_ended(self, edit: Edit | None) -> None:
        """Say so when the rules left nothing to change."""
        super()._stroke_ended(edit)
        if edit is None and not self.paint_filter.is_open:
            self.message.emit(self._nothing_changed())

    def _nothing_changed(self) -> str:
        why = _NO_EFFECT[self._paint_over]
        if self._locked and self._paint_over == PAINT_OVER[0]:
            verb = "is" if len(self._locked) == 1 else "are"
            why = f"{_listed(self._locked)} {verb} locked (K unlocks)."
        return f"Nothing changed: {why}"

    def _rules_changed(self, text: str) -> None:
        self.rules_changed.emit()
        self.brush_changed.emit()
        self.message.emit(text)


def _listed(names: frozenset[str]) -> str:
    """Return a few names in a sentence; many are counted."""
    if len(names) > 3:
        return f"{len(names)} classes"
    *first, last = sorted(names, key=str.casefold) or ["nothing"]
    return f"{', '.join(first)} and {last}" if first else last
