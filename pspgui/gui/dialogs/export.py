"""The export dialog: which form, where to, and every choice that an export has."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final, Literal

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QRect, QSize, Qt, Slot
from PySide6.QtGui import QColor, QPainter
from PySide6.QtWidgets import (
    QDialog,
    QFileDialog,
    QHBoxLayout,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QPushButton,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QVBoxLayout,
    QWidget,
)

from pspgui.durable import printable
from pspgui.formats import FORMATS, ExportFormat, ExportOptions
from pspgui.formats.options import SplitChooser
from pspgui.gui.dialogs.form import Choices, Form, Text
from pspgui.gui.dialogs.plain_table import number
from pspgui.gui.number_box import NumberBox
from pspgui.gui.panels.rows import paint_ground
from pspgui.gui.settings import Settings
from pspgui.gui.theme import GRID_PX, current_theme, heading_font, quiet_font
from pspgui.jobs.exporting import Exportable, ExportRequest

_REMEMBERED: Final = "export/choices"
_SIMULATED: Final = 3000  # images whose splits are counted while typing
_ROW_PX: Final = 56
_FIELD_PX: Final = 28  # as high as the choices above it
_WHICH: Final = (("All images with labels", "all"), ("Accepted images only", "accepted"))
_SPLITS: Final = (("All images in one", "one"), ("Train and val by share", "share"))
_GROUPS: Final = (("Single images", "image"), ("Frames of one video", "sequence"))
_IMAGES: Final = (
    ("Copy the images", "copy"), ("Link to the images", "link"), ("Labels only", "none"),
)  # fmt: skip
_MISFITS: Final = (
    ("Refuse the image", "refuse"), ("Resize labels to the nearest pixel", "resize"),
    ("Leave the image out", "skip"),
)  # fmt: skip


class ExportDialog(QDialog):
    """Asks everything about an export at once; `request()` is what was chosen.

    `exportable` says which images have labels and which were accepted; `home` is the folder of
    images. Choices are remembered in the settings when the person exports.
    """

    def __init__(
        self, exportable: Exportable, home: Path, settings: Settings, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.setWindowTitle("Export labels")
        self._exportable, self._home, self._settings = exportable, home, settings
        self._typed = False
        self._build()
        self._recall()
        self._connect()
        self._on_format()
        self.resize(self.sizeHint())

    def sizeHint(self) -> QSize:
        """Formats and choices side by side."""
        return QSize(880, 640)

    # -- building -----------------------------------------------------------------------------

    def _build(self) -> None:
        self.formats = QListWidget()
        self.formats.setItemDelegate(_FormatRows(self.formats))
        self.formats.setFixedWidth(44 * GRID_PX)
        self.formats.setAccessibleName("Format")
        self.formats.setVerticalScrollMode(QListWidget.ScrollMode.ScrollPerPixel)
        self.formats.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        for form in FORMATS:
            item = QListWidgetItem(form.title)
            item.setData(Qt.ItemDataRole.UserRole, form)
            item.setToolTip(form.about)
            self.formats.addItem(item)
        right = QVBoxLayout()
        right.setContentsMargins(3 * GRID_PX, 2 * GRID_PX, 3 * GRID_PX, 2 * GRID_PX)
        right.setSpacing(2 * GRID_PX)
        right.addWidget(self._build_where())
        right.addWidget(self._build_splits())
        right.addWidget(self._build_values())
        right.addStretch(1)
        self.summary = Text()
        right.addWidget(self.summary)
        right.addLayout(self._build_foot())
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(0)
        row.addWidget(self.formats)
        row.addLayout(right, 1)

    def _build_where(self) -> Form:
        self.destination = QLineEdit()
        self.destination.setToolTip("An empty folder, or one that is not there yet")
        self.choose = QPushButton("Choose…")
        self.choose.setAutoDefault(False)
        holder = QWidget()
        row = QHBoxLayout(holder)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(GRID_PX)
        row.addWidget(self.destination, 1)
        row.addWidget(self.choose)
        self.images, self.misfits = Choices(), Choices()
        self.which = Choices()
        form = Form("Where and what")
        form.add("Folder", holder)
        self.destination.setAccessibleName("Folder")
        if self._exportable.accepted is not None:
            form.add("Export", self.which)
        form.add("Images", self.images)
        form.add("If sizes differ", self.misfits)
        return form

    def _build_splits(self) -> Form:
        self.split, self.group = Choices(), Choices()
        self.share = NumberBox()
        self.share.setRange(1, 99)
        self.share.setSuffix(" % train")
        self.share.setMinimumHeight(_FIELD_PX)
        self.name = QLineEdit()
        self.name.setPlaceholderText("the format's own, mostly train")
        form = Form("Splits")
        form.add("Split", self.split)
        form.add("Name", self.name)
        form.add("Share", self.share)
        form.add("Keep together", self.group)
        return form

    def _build_values(self) -> Form:
        self.first, self.ignore = Choices(), QLineEdit()
        self.ignore.setPlaceholderText("the format's own")
        self.ignore.setToolTip("The value of unlabelled pixels, 0 to 65535")
        self.values = Form("Values")
        self.values.add("First class is", self.first)
        self.values.add("Unlabelled is", self.ignore)
        return self.values

    def _build_foot(self) -> QHBoxLayout:
        self.export_button = QPushButton("Export")
        self.export_button.setDefault(True)
        self.export_button.setProperty("primary", True)  # quiet while it cannot be pressed
        cancel = QPushButton("Cancel")
        cancel.setAutoDefault(False)
        cancel.clicked.connect(self.reject)
        self.export_button.clicked.connect(self.accept)
        foot = QHBoxLayout()
        foot.setSpacing(GRID_PX)
        foot.addStretch(1)
        foot.addWidget(self.export_button)
        foot.addWidget(cancel)
        return foot

    def _connect(self) -> None:
        self.formats.currentRowChanged.connect(self._on_format)
        self.choose.clicked.connect(self._choose_folder)
        self.destination.textEdited.connect(self._on_typed)
        self.destination.textChanged.connect(self._refresh)
        for box in (
            self.which, self.images, self.misfits, self.split, self.group, self.first
        ):  # fmt: skip
            box.activated.connect(self._refresh)
        self.share.valueChanged.connect(self._refresh)
        self.name.textChanged.connect(self._refresh)
        self.ignore.textChanged.connect(self._refresh)

    # -- what is chosen -----------------------------------------------------------------------

    @property
    def form(self) -> ExportFormat:
        """The format chosen."""
        return self.formats.currentItem().data(Qt.ItemDataRole.UserRole)

    def request(self) -> ExportRequest:
        """Return what was chosen; raises `ValueError` in one sentence for what does not fit."""
        by_share = self.split.value == "share"
        first: Any = self.first.value if "first_value" in self.form.choices else None
        options = ExportOptions(
            train_share=self.share.value() / 100 if by_share else None,
            group=self.group.value if by_share else "image",
            images=self.images.value, misfits=self.misfits.value, first_value=first,
            ignore_value=self._ignore_value(),
        )  # fmt: skip
        text = self.destination.text().strip()
        if not text:
            raise ValueError("Choose a folder for the export.")
        name = self.name.text().strip() or None
        wanted = self._exportable.accepted if self._only_accepted else None
        return ExportRequest(
            Path(text).expanduser(), self.form.key, None if by_share else name, options,
            None if wanted is None else wanted.__contains__,
        )  # fmt: skip

    def _ignore_value(self) -> int | None:
        text = self.ignore.text().strip()
        if not text or "ignore_value" not in self.form.choices:
            return None
        if not text.isdecimal() or int(text) > 65535:
            raise ValueError("The value of unlabelled pixels is a whole number from 0 to 65535.")
        return int(text)

    def accept(self) -> None:
        """Remember the choices and close."""
        try:
            request = self.request()
        except ValueError:
            return
        self._settings.set_choice(_REMEMBERED, json.dumps(self._choices()))
        self._settings.set_folder("export", request.destination.parent)
        super().accept()

    def _choices(self) -> dict[str, Any]:
        return {
            "form": self.form.key, "images": self.images.value, "misfits": self.misfits.value,
            "split": self.split.value, "group": self.group.value, "share": self.share.value(),
            "name": self.name.text(), "first": self.first.value, "ignore": self.ignore.text(),
            "which": self.which.value,
        }  # fmt: skip

    def _recall(self) -> None:
        """Show the choices of the last export, where they are still offered."""
        try:
            kept = json.loads(self._settings.choice(_REMEMBERED, "{}"))
        except ValueError:
            kept = {}
        kept = kept if isinstance(kept, dict) else {}
        rows = (("Automatic", None), ("0", 0), ("1", 1))
        for box, offered, key in (
            (self.images, _IMAGES, "images"), (self.misfits, _MISFITS, "misfits"),
            (self.split, _SPLITS, "split"), (self.group, _GROUPS, "group"),
            (self.first, rows, "first"), (self.which, _WHICH, "which"),
        ):  # fmt: skip
            values = [value for _, value in offered]
            chosen = kept.get(key, values[0])
            box.fill(list(offered), chosen if chosen in values else values[0])
        share = kept.get("share", 80)
        self.share.setValue(share if isinstance(share, int) else 80)
        self.name.setText(str(kept.get("name", "")))
        self.ignore.setText(str(kept.get("ignore", "")))
        keys = [form.key for form in FORMATS]
        form = kept.get("form")
        self.formats.setCurrentRow(keys.index(form) if form in keys else 0)

    # -- showing ------------------------------------------------------------------------------

    @Slot()
    def _on_format(self) -> None:
        form = self.form
        self.values.setVisible(bool(form.choices))
        self.images.model().item(2).setEnabled(not form.needs_images)
        if form.needs_images and self.images.value == "none":
            self.images.choose("copy")
        if not self._typed:
            folder = self._settings.folder("export") or str(self._home.parent)
            self.destination.setText(printable(Path(folder) / f"{self._home.name}-{form.key}"))
        self._refresh()

    @Slot()
    def _on_typed(self) -> None:
        self._typed = True
        self._refresh()

    @Slot()
    def _choose_folder(self) -> None:
        start = str(Path(self.destination.text() or str(self._home)).parent)
        name = QFileDialog.getExistingDirectory(self, "Export to an empty folder", start)
        if name:
            self.destination.setText(name)
            self._on_typed()

    @Slot()
    def _refresh(self) -> None:
        by_share = self.split.value == "share"
        self.share.setEnabled(by_share)
        self.group.setEnabled(by_share)
        self.name.setEnabled(not by_share)
        images = self._meant()
        try:
            self.request()
            text, may = self._told(images), bool(images)
        except ValueError as error:
            text, may = str(error).splitlines()[0], False
        self.summary.setText(text)
        self.export_button.setEnabled(may)

    @property
    def _only_accepted(self) -> bool:
        return self._exportable.accepted is not None and self.which.value == "accepted"

    def _meant(self) -> tuple[Path, ...]:
        """Return the images that would be exported."""
        labelled, accepted = self._exportable
        if not self._only_accepted or accepted is None:
            return labelled
        return tuple(image for image in labelled if image in accepted)

    def _told(self, images: tuple[Path, ...]) -> str:
        if not images:
            if self._exportable.labelled:
                return "None of the labelled images was accepted yet; export all of them instead."
            return "There are no labels to export yet: paint some, or accept the prediction."
        noun = "image" if len(images) == 1 else "images"
        said = f"{number(len(images))} {noun} with labels{self._splits_told(images)}. "
        lossy = "What polygons cannot hold is counted." if self.form.is_lossy else (
            "Every file is read back and compared."
        )  # fmt: skip
        return said + lossy

    def _splits_told(self, images: tuple[Path, ...]) -> str:
        if self.split.value != "share":
            return ""
        share = self.share.value() / 100
        if len(images) > _SIMULATED:
            return f": about {number(round(share * len(images)))} train, the rest val"
        group: Literal["image", "sequence"] = (
            "sequence" if self.group.value == "sequence" else "image"
        )
        chooser = SplitChooser(share, group)
        for image in images:
            chooser.count(image, chooser.choose(image))
        return f": {number(chooser.counts['train'])} train, {number(chooser.counts['val'])} val"


class _FormatRows(QStyledItemDelegate):
    """A format's title over the line about it."""

    def sizeHint(
        self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> QSize:
        """One height for all."""
        return QSize(0, _ROW_PX)

    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem,
        index: QModelIndex | QPersistentModelIndex,
    ) -> None:  # fmt: skip
        """Paint both lines, elided."""
        theme, form = current_theme(), index.data(Qt.ItemDataRole.UserRole)
        chosen = bool(option.state & QStyle.StateFlag.State_Selected)
        paint_ground(painter, option, current=chosen)
        widget = option.widget
        inner = option.rect.adjusted(2 * GRID_PX, GRID_PX, -GRID_PX, -GRID_PX)
        lines = (
            (heading_font(widget), theme.text, form.title, inner.top()),
            (quiet_font(widget), theme.quiet, form.about, inner.top() + inner.height() // 2),
        )
        for font, colour, text, top in lines:
            painter.setFont(font)
            painter.setPen(QColor(colour))
            place = QRect(inner.left(), top, inner.width(), inner.height() // 2)
            shown = painter.fontMetrics().elidedText(
                text, Qt.TextElideMode.ElideRight, inner.width()
            )
            painter.drawText(place, int(Qt.AlignmentFlag.AlignVCenter), shown)
