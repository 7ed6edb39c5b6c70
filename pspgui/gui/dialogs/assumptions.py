"""What a checkpoint does not say, with a control for each of these assumptions."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from PySide6.QtCore import Signal, Slot
from PySide6.QtWidgets import QFileDialog, QLineEdit, QWidget

from pspgui.gui.dialogs.form import Choices, Form, Text
from pspgui.jobs.model_choice import ModelFacts
from pspgui.labels.classes import ClassTable, ClassTableError
from pspgui.labels.palettes import PALETTES, palette

_IMAGENET: Final = {"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}
_HALVES: Final = {"mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5]}
_PLAIN: Final = {"mean": [0.0, 0.0, 0.0], "std": [1.0, 1.0, 1.0]}
_NORMALISATIONS: Final = tuple(
    (f"{text}, {order.upper()}", {**values, "channels": order})
    for text, values in (
        ("ImageNet's mean", _IMAGENET), ("−1 to 1", _HALVES), ("0 to 1", _PLAIN),
    )
    for order in ("rgb", "bgr")
)  # fmt: skip
_DILATIONS: Final = (
    ("Contract (mmseg, CSAIL)", "contract"),
    ("Full (semseg)", "full"),
    ("Unit (Lextal)", "unit"),
    ("Contract, one a block", "contract_single"),
)
_PALETTE_TITLES: Final = {
    "ade20k150": "ADE20K", "camvid": "CamVid", "cityscapes19": "Cityscapes", "voc2012": "VOC 2012",
}  # fmt: skip
_NAMES: Final = {
    "align_corners": "Upsampling",
    "output_stride": "Output stride",
    "dilation": "Dilation family",
    "levels": "Pyramid levels",
    "normalisation": "Input range",
    "classes": "Classes",
    "size_rule": "Sizes",
}
_WHY: Final = {
    "align_corners": "Whether the corners of cells lie on the corners of the image",
    "dilation": "What the first 3×3 of a stage takes that was dilated instead of strided: contract "
    "keeps the dilation before, full takes the new one, unit takes none",
    "output_stride": "Pixels from one cell to the next",
}
_FROM_FILE: Final = "file"


class AssumptionsForm(Form):
    """The assumed fields of a model; `changed()` when a person decides otherwise.

    `refused(str)` tells why a class table that was chosen cannot be used.
    """

    changed = Signal()
    refused = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("Assumed, for the file does not say", parent)
        self._shown: dict[str, Any] = {}
        self._read: dict[str, Callable[[], Any]] = {}
        self._before: dict[str, Any] = {}
        self.controls: dict[str, QWidget] = {}
        self._table: dict[str, Any] | None = None
        self._class_box: Choices | None = None
        self._class_count = 0

    def set_facts(self, facts: ModelFacts) -> None:
        """Offer a control for each field that the file does not tell."""
        self.clear()
        self.controls, self._read, self._shown = {}, {}, {}
        self._before = dict(facts.choice.overrides or {}) if facts.choice else {}
        values = {} if facts.spec is None else facts.spec.to_json()
        names = dict.fromkeys((*facts.assumed, *self._before))
        assumed = [name for name in names if name in values]
        self.set_title("Assumed, for the file does not say" if assumed else "Nothing is assumed")
        if not assumed:
            self.add_wide(Text("The file says all that is needed to run it."))
        for name in assumed:
            self._shown[name] = values[name]
            build = {
                "levels": self._levels, "normalisation": self._normalisation,
                "classes": self._classes,
            }.get(name, self._choice)  # fmt: skip
            widget, read = build(name, values[name])
            self.controls[name] = widget
            self._read[name] = read
            mark = ", yours" if name in self._before else ""
            self.add(_NAMES.get(name, name.replace("_", " ").capitalize()) + mark, widget)

    def overrides(self) -> dict[str, Any]:
        """Return what a person decided, now and before, as JSON values by field.

        Raises ValueError, in words for the person, for levels that are no numbers.
        """
        now = {name: read() for name, read in self._read.items()}
        kept = {n: v for n, v in self._before.items() if n not in now or now[n] == self._shown[n]}
        return kept | {n: v for n, v in now.items() if v != self._shown[n]}

    # -- a control a field ----------------------------------------------------------------------

    def _choice(self, name: str, value: Any) -> tuple[QWidget, Callable[[], Any]]:
        rows: dict[str, list[tuple[str, object]]] = {
            "align_corners": [("Corners aligned", True), ("Corners not aligned", False)],
            "output_stride": [(str(n), n) for n in (8, 16, 32)],
            "dilation": list(_DILATIONS),
        }
        if name not in rows and isinstance(value, bool):
            rows[name] = [("Yes", True), ("No", False)]
        if name not in rows:
            return Text(_words(value)), lambda: value
        box = Choices()
        box.fill(rows[name], value)
        box.setToolTip(_WHY.get(name, ""))
        box.activated.connect(self._on_changed)
        return box, lambda: box.value

    def _normalisation(self, name: str, value: Any) -> tuple[QWidget, Callable[[], Any]]:
        plain = {key: list(v) if isinstance(v, list | tuple) else v for key, v in value.items()}
        rows: list[tuple[str, object]] = list(_NORMALISATIONS)
        if all(v != plain for _, v in rows):
            rows = [("As the family has it", plain), *rows]
        box = Choices()
        box.fill(rows, plain)
        box.setToolTip(f"mean {plain['mean']}, deviation {plain['std']}, {plain['channels']}")
        box.activated.connect(self._on_changed)
        return box, lambda: value if box.value == plain else box.value

    def _levels(self, name: str, value: Any) -> tuple[QWidget, Callable[[], Any]]:
        field = QLineEdit(", ".join(str(n) for n in value))
        field.setToolTip("Bins a side of each level, in the order of the weights")
        field.textEdited.connect(self._on_changed)

        def read() -> Any:
            try:
                levels = [int(part) for part in field.text().replace(";", ",").split(",")]
            except ValueError:
                raise ValueError(
                    f"The levels {field.text()!r} are no numbers; write for example 1, 2, 3, 6."
                ) from None
            return value if levels == list(value) else levels

        return field, read

    def _classes(self, name: str, value: Any) -> tuple[QWidget, Callable[[], Any]]:
        self._table = None
        count = len(value["classes"])
        rows: list[tuple[str, object]] = [(f"As read: {_first_names(value)}", None)]
        for key in PALETTES:
            try:
                table = palette(key)
            except ClassTableError:
                continue
            if len(table) == count:
                rows.append((f"{_PALETTE_TITLES.get(key, key)}: {_first_names(table.to_json())}",
                             key))  # fmt: skip
        rows.append(("From a classes.json…", _FROM_FILE))
        box = Choices()
        box.fill(rows, None)

        self._class_box, self._class_count = box, count
        box.activated.connect(self._on_classes_chosen)

        def read() -> Any:
            if box.value is None:
                return value
            return self._table if box.value == _FROM_FILE else palette(str(box.value)).to_json()

        return box, read

    @Slot()
    def _on_classes_chosen(self) -> None:
        box = self._class_box
        if box is None:
            return
        if box.value == _FROM_FILE and not self._ask_for_table(self._class_count):
            box.setCurrentIndex(0)
        self.changed.emit()

    def _ask_for_table(self, count: int) -> bool:
        name, _ = QFileDialog.getOpenFileName(self, "Class table", "", "Classes (*.json)")
        if not name:
            return False
        try:
            table = ClassTable.load(Path(name))
        except ClassTableError as error:
            self.refused.emit(str(error))
            return False
        if len(table) != count:
            self.refused.emit(
                f"{Path(name).name} names {len(table)} classes and the weights have {count}; "
                "choose another file."
            )
            return False
        self._table = table.to_json()
        return True

    @Slot()
    def _on_changed(self) -> None:
        self.changed.emit()


def _first_names(table: dict[str, Any]) -> str:
    names = [str(entry["name"]) for entry in table["classes"]]
    return ", ".join(names[:3]) + (f" … ({len(names)})" if len(names) > 3 else "")


def _words(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key.replace('_', ' ')} {v}" for key, v in value.items())
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
