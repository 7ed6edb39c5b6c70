"""The import dialog: what was found, what becomes of its classes, what to do about conflicts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from PySide6.QtCore import QSize, Qt, Slot
from PySide6.QtWidgets import (
    QAbstractItemView,
    QDialog,
    QFileDialog,
    QHBoxLayout,
    QHeaderView,
    QLineEdit,
    QPushButton,
    QTableView,
    QVBoxLayout,
    QWidget,
)

from pspgui.durable import printable
from pspgui.gui.dialogs.class_matches import COLOUR, NAME, TARGET, MatchModel, TargetDelegate
from pspgui.gui.dialogs.class_rows import SwatchDelegate
from pspgui.gui.dialogs.form import Choices, Form, Text
from pspgui.gui.dialogs.plain_table import number, style_table
from pspgui.gui.settings import Settings
from pspgui.gui.theme import GRID_PX, heading
from pspgui.jobs.importing import ImportOptions, ImportPlan

if TYPE_CHECKING:
    from pspgui.gui.data_sets import DataSets

_CONFLICTS: Final = (("Keep their labels", "keep"), ("Replace them, with a backup", "replace"))
_MISFITS: Final = (
    ("Refuse the image", "refuse"), ("Resize labels to the nearest pixel", "resize"),
    ("Leave the image out", "skip"),
)  # fmt: skip
_IMAGES: Final = (("Copy into the folder", "copy"), ("Leave them out", "match"))
_KINDS: Final = "Data sets (*.zip *.tar *.tgz *.gz *.bz2 *.xz *.xml *.json *.parquet)"
_EMPTY: Final = (
    "Choose a data set: a folder, a zip or tar, or one file of CVAT XML, COCO, labelme, Label "
    "Studio or parquet. Its form is found by itself, and nothing is changed before you import."
)


class ImportDialog(QDialog):
    """Shows what an import would do and asks what is open; `data_sets` looks into the source.

    `options()` and `source` are what was chosen.
    """

    def __init__(
        self, data_sets: DataSets, folder: Path, settings: Settings, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.setWindowTitle("Import labels")
        self._data_sets, self._folder, self._settings = data_sets, folder, settings
        self.source: Path | None = None
        self.plan: ImportPlan | None = None
        self._build()
        data_sets.planned.connect(self._show_plan)
        data_sets.refused.connect(self._show_refusal)
        self._show_plan(None)
        self.choose_folder.setFocus()
        self.resize(self.sizeHint())

    def sizeHint(self) -> QSize:
        """Room for a dozen classes."""
        return QSize(720, 720 if self.plan else 240)

    # -- building -----------------------------------------------------------------------------

    def _build(self) -> None:
        column = QVBoxLayout(self)
        column.setContentsMargins(3 * GRID_PX, 2 * GRID_PX, 3 * GRID_PX, 2 * GRID_PX)
        column.setSpacing(GRID_PX)
        column.addWidget(self._build_source())
        self.found = Text()
        column.addWidget(self.found)
        column.addSpacing(GRID_PX)
        self._classes_heading = heading("What becomes of its classes")
        column.addWidget(self._classes_heading)
        column.addWidget(self._build_classes(), 1)
        column.addSpacing(GRID_PX)
        column.addWidget(self._build_choices())
        column.addStretch(0)
        self.summary = Text()
        column.addWidget(self.summary)
        column.addLayout(self._build_foot())

    def _build_source(self) -> Form:
        self.path = QLineEdit()
        self.path.setReadOnly(True)
        self.path.setPlaceholderText("no data set chosen")
        self.choose_folder, self.choose_file = QPushButton("Folder…"), QPushButton("File…")
        holder = QWidget()
        row = QHBoxLayout(holder)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(GRID_PX)
        row.addWidget(self.path, 1)
        for button, slot in (
            (self.choose_folder, self._ask_folder), (self.choose_file, self._ask_file),
        ):  # fmt: skip
            button.setAutoDefault(False)
            button.clicked.connect(slot)
            row.addWidget(button)
        self.format, self.split = Choices(), Choices()
        for box in (self.format, self.split):
            box.activated.connect(self._look)
        self._form = Form("Data set")
        self._form.add("From", holder)
        self.path.setAccessibleName("From")
        self._form.add("Format", self.format)
        self._form.add("Split", self.split)
        return self._form

    def _build_classes(self) -> QTableView:
        self.matches = MatchModel(self)
        self.matches.changed.connect(self._refresh)
        self.classes = QTableView()
        self.classes.setModel(self.matches)
        self.classes.setItemDelegateForColumn(COLOUR, SwatchDelegate(self.classes))
        self.classes.setItemDelegateForColumn(TARGET, TargetDelegate(self.classes))
        self.classes.setEditTriggers(QAbstractItemView.EditTrigger.AllEditTriggers)
        self.classes.setAccessibleName("Classes")
        style_table(self.classes, NAME)
        header = self.classes.horizontalHeader()
        header.setMinimumSectionSize(32)
        header.setSectionResizeMode(COLOUR, QHeaderView.ResizeMode.Fixed)
        header.setSectionResizeMode(TARGET, QHeaderView.ResizeMode.Stretch)
        header.resizeSection(COLOUR, 36)
        return self.classes

    def _build_choices(self) -> Form:
        self.conflicts, self.misfits, self.images = Choices(), Choices(), Choices()
        self._choices = Form("Choices")
        for name, box, rows, key in (
            ("Images with labels", self.conflicts, _CONFLICTS, "conflicts"),
            ("If sizes differ", self.misfits, _MISFITS, "misfits"),
            ("Missing images", self.images, _IMAGES, "images"),
        ):  # fmt: skip
            values = [value for _, value in rows]
            kept = self._settings.choice(f"import/{key}", values[0])
            box.fill(list(rows), kept if kept in values else values[0])
            box.activated.connect(self._look if key == "images" else self._refresh)
            self._choices.add(name, box)
        return self._choices

    def _build_foot(self) -> QHBoxLayout:
        self.import_button = QPushButton("Import")
        self.import_button.setDefault(True)
        self.import_button.setProperty("primary", True)  # quiet while it cannot be pressed
        self.import_button.clicked.connect(self.accept)
        cancel = QPushButton("Cancel")
        cancel.setAutoDefault(False)
        cancel.clicked.connect(self.reject)
        foot = QHBoxLayout()
        foot.setSpacing(GRID_PX)
        foot.addStretch(1)
        foot.addWidget(self.import_button)
        foot.addWidget(cancel)
        return foot

    # -- choosing -----------------------------------------------------------------------------

    def options(self) -> ImportOptions:
        """Return what was chosen."""
        key: Any = self.format.value
        split: Any = self.split.value
        conflicts: Any = self.conflicts.value
        misfits: Any = self.misfits.value
        images: Any = self.images.value
        return ImportOptions(key, split, conflicts, misfits, images, self.matches.chosen)

    def look_at(self, path: Path) -> None:
        """Take a data set and find out what it is."""
        self.source, self.plan = path, None
        self.path.setText(printable(path))
        self.path.setToolTip(printable(path))
        self.format.fill([("Found by itself", None)], None)
        self.split.fill([("All", None)], None)
        self._look()

    def accept(self) -> None:
        """Remember the choices and close."""
        options = self.options()
        for key in ("conflicts", "misfits", "images"):
            self._settings.set_choice(f"import/{key}", getattr(options, key))
        super().accept()

    @Slot()
    def _ask_folder(self) -> None:
        start = self._settings.folder("import")
        name = QFileDialog.getExistingDirectory(self, "Import a data set", start)
        if name:
            self._take(Path(name))

    @Slot()
    def _ask_file(self) -> None:
        name, _ = QFileDialog.getOpenFileName(
            self, "Import a data set", self._settings.folder("import"), f"{_KINDS};;All files (*)"
        )
        if name:
            self._take(Path(name))

    def _take(self, path: Path) -> None:
        self._settings.set_folder("import", path.parent)
        self.look_at(path)

    @Slot()
    def _look(self) -> None:
        if self.source is None:
            return
        self.found.setText("Looking into it…")
        self.import_button.setEnabled(False)
        # Chosen classes do not matter for what is found, and a new form has others.
        self._data_sets.plan(self.source, self._folder, replace(self.options(), classes={}))

    # -- showing ------------------------------------------------------------------------------

    @Slot(object)
    def _show_plan(self, plan: ImportPlan | None) -> None:
        self.plan = plan
        there = plan is not None
        for widget in (self.classes, self._classes_heading, self._choices, self.summary):
            widget.setVisible(there)
        for box in (self.format, self.split):
            box.setEnabled(there)
        if plan is None:
            for box in (self.format, self.split):
                box.fill([("–", None)], None)
            self.found.setText(_EMPTY)
            self.import_button.setEnabled(False)
            return
        self._offer_formats(plan)
        rows: list[tuple[str, object]] = [("All", None), *((name, name) for name in plan.splits)]
        self.split.fill(rows, self.split.value)
        self.split.setEnabled(len(plan.splits) > 1)
        self.matches.show(plan.classes, plan.known)
        self.found.setText(found_words(plan))
        self._refresh()
        self.resize(self.size().expandedTo(self.sizeHint()))

    def _offer_formats(self, plan: ImportPlan) -> None:
        chosen = self.format.value
        rows: list[tuple[str, object]] = [(f"{plan.title} (found)", None)]
        if chosen is not None:
            rows = [("Found by itself", None)]
        self.format.fill([*rows, *_formats()], chosen)

    @Slot(str)
    def _show_refusal(self, reason: str) -> None:
        if self.source is None:
            return
        for widget in (self.classes, self._classes_heading, self._choices, self.summary):
            widget.setVisible(False)
        self.plan = None
        if self.format.value is None:
            self.format.fill([("Found by itself", None), *_formats()], None)
        self.format.setEnabled(True)
        self.found.setText(reason if reason.endswith(".") else f"{reason}.")
        self.import_button.setEnabled(False)
        self.resize(self.sizeHint())

    @Slot()
    def _refresh(self) -> None:
        plan = self.plan
        if plan is None:
            return
        kept = plan.labelled if self.conflicts.value == "keep" else 0
        meant = plan.matched + plan.copied - kept
        self.summary.setText(summary_words(plan, meant, kept, self.matches.new_classes))
        self.import_button.setEnabled(meant > 0)

    def keyPressEvent(self, event: Any) -> None:
        """Enter in the table chooses a class, it does not import."""
        is_enter = event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter)
        if is_enter and self.classes.isAncestorOf(self.focusWidget()):
            return
        super().keyPressEvent(event)


def found_words(plan: ImportPlan) -> str:
    """Return what was found, as a sentence."""
    where = printable(plan.folder.name or plan.folder)
    if plan.images == plan.matched:
        which = "which is" if plan.images == 1 else "all of them"
        return f"{_images(plan.images, 'labelled ')}, {which} in {where}."
    parts = [
        f"{number(count)} {(one if count == 1 else many)}"
        for count, one, many in (
            (plan.matched, f"is in {where}", f"are in {where}"),
            (plan.copied, "would be copied there", "would be copied there"),
            (plan.absent, "is left out, being in neither", "are left out, being in neither"),
        )
        if count or one.startswith("is in")
    ]
    return f"{_images(plan.images, 'labelled ')}: {', '.join(parts)}."


def summary_words(plan: ImportPlan, meant: int, kept: int, new: list[str]) -> str:
    """Return what importing would do, as a sentence; `meant` images get labels, `kept` do not."""
    if not meant and kept:
        which = "The image has" if kept == 1 else "All of them have"
        return f"{which} labels already, which are kept. Replace them to import these."
    said = [f"{_images(meant)} get{'s' if meant == 1 else ''} labels"]
    if kept:
        how = "is kept as it is" if kept == 1 else "are kept as they are"
        said.append(f"{number(kept)} with labels already {how}")
    elif plan.labelled:
        said.append(f"labels of {_images(plan.labelled)} are replaced, with a backup")
    if new:
        more = f" and {len(new) - 4} more" if len(new) > 4 else ""
        words = ", ".join(new[:4])
        said.append(f"{len(new)} new class{'' if len(new) == 1 else 'es'}: {words}{more}")
    return "; ".join(said) + "."


def _images(count: int, kind: str = "") -> str:
    return f"{number(count)} {kind}image{'' if count == 1 else 's'}"


def _formats() -> list[tuple[str, object]]:
    from pspgui.formats import LAYOUTS

    return [(layout.title, layout.key) for layout in LAYOUTS]
