"""Everything the window can do, in one table: id, text, keys, verb."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from PySide6.QtCore import QObject, Qt, Slot
from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtWidgets import QAbstractButton, QAbstractSpinBox, QComboBox, QLineEdit, QWidget

from pspgui.gui.area_session import PAINT_OVER, PAINT_OVER_TEXTS
from pspgui.gui.dialogs.clean_up import clean_up
from pspgui.gui.display import VIEW_MODES
from pspgui.gui.icons import icon
from pspgui.gui.panels.pyramid import PyramidStrip
from pspgui.gui.panels.start import RecentRow
from pspgui.gui.settings import THEMES
from pspgui.gui.tools import TOOLS

if TYPE_CHECKING:
    from pspgui.gui.canvas.canvas import Canvas
    from pspgui.gui.document import Document
    from pspgui.gui.panels.images import ImagesPanel
    from pspgui.gui.session import Session
    from pspgui.gui.window_verbs import WindowVerbs


@dataclass(frozen=True)
class Parts:
    """What verbs act on."""

    document: Document
    session: Session
    canvas: Canvas
    images: ImagesPanel
    window: WindowVerbs


@dataclass(frozen=True)
class ActionRow:
    """One thing the user can do.

    `group` is its heading in menus and in the key list. `checked` makes it a toggle and says
    whether it is on; `enabled` says whether it can be done now. A `live` text follows the state
    ("Undo Brush Road"). `repeats`: holding the key repeats it.
    """

    id: str
    text: str
    keys: tuple[str, ...]
    verb: Callable[[Parts], Any]
    group: str
    icon: str = ""
    checked: Callable[[Parts], bool] | None = None
    enabled: Callable[[Parts], bool] | None = None
    live: Callable[[Parts], str] | None = None
    repeats: bool = False


# What the mouse does, for the key list: (what, how).
GESTURES: Final = (
    ("Zoom at the cursor", "Wheel"),
    ("Pan, in every tool", "Space or middle drag"),
    ("Pin a pixel's evidence", "Click with the probe"),
    ("Erase to the prediction", "Right-drag with the brush"),
    ("Straight line from the last point", "Shift+Click"),
    ("Paint only over the class pressed on", "Ctrl+Drag"),
    ("Pick the class under the cursor", "Alt+Click"),
    ("Brush size", "Shift+Wheel"),
    ("Erase an area", "Alt+Drag / Right-drag"),
    ("Fill like colours; drag: tolerance", "Shift+Drag"),
    ("Square, circle", "Shift+Drag"),
    ("Corner of a polygon: set, move", "Click / Drag"),
    ("Fill the polygon", "Enter / Double-click"),
    ("Erase the polygon", "Alt+Enter / Ctrl+Enter"),
    ("Take back the last corner", "Backspace"),
    ("Abort the running stroke", "Esc"),
    ("Hide the overlay while held; a tap toggles", "Tab"),
)

_VIEW_TEXTS: Final = {
    "image": "Image only",
    "prediction": "Prediction",
    "labels": "Labels",
    "difference": "Difference",
}


def _has_image(parts: Parts) -> bool:
    return parts.document.image is not None


def _has_prediction(parts: Parts) -> bool:
    return parts.document.prediction is not None


def _cycle_view(parts: Parts) -> None:
    mode = VIEW_MODES.index(parts.document.view_mode)
    parts.document.set_view_mode(VIEW_MODES[(mode + 1) % len(VIEW_MODES)])


def _toggle_solo(parts: Parts) -> None:
    document = parts.document
    solo = document.solo == document.active_class
    document.set_solo(None if solo else document.active_class)


def _undo_text(parts: Parts) -> str:
    names = parts.document.history.undo_names if parts.document.can_undo else ()
    return f"Undo {names[0]}" if names else "Undo"


def _redo_text(parts: Parts) -> str:
    names = parts.document.history.redo_names if parts.document.can_redo else ()
    return f"Redo {names[0]}" if names else "Redo"


_FILE = (
    ActionRow("open_image", "Open image…", ("Ctrl+O",), lambda p: p.window.open_image(), "File",
              "mdi6.image-outline"),
    ActionRow("open_folder", "Open folder…", ("Ctrl+Shift+O",), lambda p: p.window.open_folder(),
              "File", "mdi6.folder-outline"),
    ActionRow("open_sample", "Open the sample scene", ("Ctrl+Alt+O",),
              lambda p: p.session.open_sample(), "File", "mdi6.city-variant-outline"),
    ActionRow("open_weights", "Open weights…", ("Ctrl+M",), lambda p: p.window.open_weights(),
              "File", "mdi6.cube-outline"),
    ActionRow("model", "Model…", ("Ctrl+Shift+M",), lambda p: p.window.show_model(), "File",
              "mdi6.tune-variant"),
    ActionRow("bundled_model", "Use the bundled model", (),
              lambda p: p.session.use_bundled_model(), "File"),
    ActionRow("predict", "Predict again", ("Ctrl+R", "F5"), lambda p: p.session.predict_again(),
              "File", "mdi6.refresh", enabled=_has_image),
    ActionRow("save", "Save labels now", ("Ctrl+S",), lambda p: p.session.save_now(), "File",
              "mdi6.content-save-outline", enabled=_has_image),
    ActionRow("export", "Export labels…", ("Ctrl+E",), lambda p: p.window.export_labels(), "File",
              "mdi6.export-variant", enabled=_has_image),
    ActionRow("start_page", "Start page", ("Ctrl+Home",), lambda p: p.window.show_start(), "File",
              "mdi6.home-outline"),
    ActionRow("quit", "Quit", ("Ctrl+Q",), lambda p: p.window.quit(), "File"),
)  # fmt: skip

_EDIT = (
    ActionRow("undo", "Undo", ("Ctrl+Z",), lambda p: p.document.undo(), "Edit", "mdi6.undo",
              enabled=lambda p: p.document.can_undo, live=_undo_text, repeats=True),
    ActionRow("redo", "Redo", ("Ctrl+Shift+Z", "Ctrl+Y"), lambda p: p.document.redo(), "Edit",
              "mdi6.redo", enabled=lambda p: p.document.can_redo, live=_redo_text, repeats=True),
    ActionRow("accept", "Accept the prediction as labels", ("Return", "Enter"),
              lambda p: p.document.accept_prediction(), "Edit", "mdi6.check",
              enabled=_has_prediction),
    ActionRow("add_classes", "Add the model's classes to the labels", (),
              lambda p: p.session.add_model_classes(), "Edit",
              enabled=lambda p: p.session.can_add_classes),
    ActionRow("islands", "Remove small islands of the class…", ("Ctrl+Shift+I",),
              lambda p: clean_up(p.document, "islands", p.canvas.window()), "Edit",
              "mdi6.island", enabled=_has_image),
    ActionRow("holes", "Fill small holes in the class…", ("Ctrl+Shift+H",),
              lambda p: clean_up(p.document, "holes", p.canvas.window()), "Edit",
              "mdi6.circle-slice-8", enabled=_has_image),
    ActionRow("swap_classes", "Swap the last two classes", ("X",),
              lambda p: p.document.swap_classes(), "Edit"),
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
)  # fmt: skip

_VIEW = (
    ActionRow("fit", "Fit to window", ("F", "Ctrl+0"), lambda p: p.canvas.fit(), "View",
              "mdi6.fit-to-screen-outline", enabled=_has_image),
    ActionRow("actual", "Actual size", ("Ctrl+1",), lambda p: p.canvas.actual_size(), "View",
              "mdi6.magnify", enabled=_has_image),
    ActionRow("zoom_in", "Zoom in", ("Ctrl++", "Ctrl+=", "+"), lambda p: p.canvas.zoom_by(1.25),
              "View", "mdi6.magnify-plus-outline", enabled=_has_image, repeats=True),
    ActionRow("zoom_out", "Zoom out", ("Ctrl+-", "-"), lambda p: p.canvas.zoom_by(0.8), "View",
              "mdi6.magnify-minus-outline", enabled=_has_image, repeats=True),
    ActionRow("cycle_view", "Next view", ("V",), _cycle_view, "View"),
    *(
        ActionRow(f"view_{mode}", text, (), lambda p, mode=mode: p.document.set_view_mode(mode),
                  "View", checked=lambda p, mode=mode: p.document.view_mode == mode)
        for mode, text in _VIEW_TEXTS.items()
    ),
    ActionRow("outline", "Outlines only", ("\\",),
              lambda p: p.document.set_outline(not p.document.outline), "View",
              "mdi6.vector-square", checked=lambda p: p.document.outline),
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
            )
            for rule, text in PAINT_OVER_TEXTS.items()
        ),
        ActionRow("next_over", "Next rule of painting over", ("M",), _next_rule, "Tools"),
    )  # fmt: skip


def _class_rows() -> tuple[ActionRow, ...]:
    def choose(label: int) -> Callable[[Parts], None]:
        return lambda p: p.document.set_active_class(label)

    return tuple(
        ActionRow(f"class_{label}", f"Class {label + 1}", (str((label + 1) % 10),), choose(label),
                  "Classes", live=lambda p, label=label: p.document.table.name_of(label),
                  enabled=lambda p, label=label: label < len(p.document.table))
        for label in range(10)
    )  # fmt: skip


def action_rows() -> tuple[ActionRow, ...]:
    """Return the whole table, in the order of menus and of the key list."""
    return (*_FILE, *_EDIT, *_tool_rows(), *_paint_over_rows(), *_class_rows(), *_VIEW)


class Actions(QObject):
    """The table as QActions, kept in step with the document. GUI thread only."""

    def __init__(self, parts: Parts, parent: QObject) -> None:
        super().__init__(parent)
        self._parts = parts
        self.rows = action_rows()
        self._actions = {row.id: self._build(row) for row in self.rows}
        document = parts.document
        for signal in (
            document.image_changed, document.prediction_changed, document.history_changed,
            document.display_changed, document.brush_changed, document.classes_changed,
        ):  # fmt: skip
            signal.connect(self.refresh)
        self.refresh()

    def __getitem__(self, name: str) -> QAction:
        return self._actions[name]

    def __iter__(self):
        return iter(self._actions.values())

    @Slot()
    def refresh(self) -> None:
        """Bring checks, texts and availability up to date; cheap."""
        for row in self.rows:
            action = self._actions[row.id]
            if row.checked is not None:
                action.setChecked(row.checked(self._parts))
            if row.enabled is not None:
                action.setEnabled(row.enabled(self._parts))
            if row.live is not None:
                action.setText(row.live(self._parts))
                action.setToolTip(_tooltip(action.text(), row.keys))

    def _build(self, row: ActionRow) -> QAction:
        action = QAction(row.text, self)
        action.setObjectName(row.id)
        action.setShortcuts([QKeySequence(key) for key in row.keys])
        action.setShortcutContext(Qt.ShortcutContext.WindowShortcut)
        action.setAutoRepeat(row.repeats)
        action.setCheckable(row.checked is not None)
        action.setToolTip(_tooltip(row.text, row.keys))
        if row.icon:
            action.setIcon(icon(row.icon))
        action.triggered.connect(lambda _=False, row=row: self._do(row))
        return action

    def _do(self, row: ActionRow) -> None:
        # Behind the start page nobody sees what an edit does.
        if row.group != "Edit" or self._parts.canvas.isVisible():
            row.verb(self._parts)
        self.refresh()


def takes_enter(widget: QWidget | None) -> bool:
    """Whether Enter belongs to this widget while it has the keyboard, and is no shortcut there.

    Printable keys are kept from shortcuts by Qt itself while something is typed.
    """
    fields = QLineEdit | QAbstractSpinBox | QComboBox | QAbstractButton
    return isinstance(widget, fields | PyramidStrip | RecentRow)


def _tooltip(text: str, keys: tuple[str, ...]) -> str:
    """Return the tooltip: the text without its dots, and the first key in the system's words."""
    plain = text.rstrip("…")
    if not keys:
        return plain
    native = QKeySequence(keys[0]).toString(QKeySequence.SequenceFormat.NativeText)
    return f"{plain} ({native})"
