"""The list of regions in which two models differ: who is right, and what decided the first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from PySide6.QtCore import (
    QAbstractListModel,
    QEvent,
    QModelIndex,
    QRectF,
    QSize,
    Qt,
    Slot,
)
from PySide6.QtGui import QColor, QPainter
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QHBoxLayout,
    QStyleOptionViewItem,
    QVBoxLayout,
    QWidget,
)

from pspgui.gui.comparing import Comparing
from pspgui.gui.icons import draw_icon
from pspgui.gui.number_box import NumberBox
from pspgui.gui.panels.drawing import MINUS, draw_elided, draw_swatch, percent, signed
from pspgui.gui.panels.rows import EvenRows, Index, RowList, paint_ground
from pspgui.gui.theme import GRID_PX, QuietLabel, current_theme, quiet_font, text_font

if TYPE_CHECKING:
    from pspgui.jobs.comparing import Comparison, JudgedRegion
    from pspgui.labels.classes import ClassTable

_ROW: Final = 48
_FIELD_PX: Final = 28  # as high as the choices beside it
_THIN: Final = "\u202f"
_ORDERS: Final = ("Largest first", "Most pyramid first", "Largest margin first")
_ALL: Final = "All"
_ICONS: Final = {
    "fixed": ("check-circle-outline", "accent"), "broke": ("close-circle-outline", "warning"),
    "neither": ("help-circle-outline", "quiet"), "unknown": ("circle-outline", "disabled"),
}  # fmt: skip
_NOTHING: Final = (
    "Nothing is compared", "Compare the model in use with another one (Ctrl+Alt+M).",
)  # fmt: skip


class Names(NamedTuple):
    """What to call the two models, and the classes of the readings."""

    first: str
    other: str
    table: ClassTable


def pixels_text(count: int) -> str:
    """Return a number of pixels with thin spaces between thousands."""
    return f"{count:,}".replace(",", _THIN) + f"{_THIN}px"


def verdict_text(region: JudgedRegion, names: Names) -> str:
    """Return what the labels say of a region, in a few words."""
    if region.verdict == "fixed":
        return f"{names.first} fixed this"
    if region.verdict == "broke":
        return f"{names.first} broke this"
    if region.person is not None:
        return f"both miss {names.table.name_of(region.person)}"
    return "differs, not labelled"


def evidence_text(region: JudgedRegion) -> str:
    """Return what decided, in a few words."""
    support = region.support
    if support is None:
        return "no evidence"
    share = support.pyramid_share
    margin = f"margin {signed(support.margin)}"
    if share is None:
        return margin
    percentage = f"{100 * share:.0f}".replace("-", MINUS)
    return f"pyramid {percentage}{_THIN}% of {margin[7:]}"


def explanation(region: JudgedRegion, names: Names) -> str:
    """Return everything known of a region, for its tooltip."""
    found, table, support = region.found, names.table, region.support
    one, other = table.name_of(found.one), table.name_of(found.other)
    lines = [f"{names.first}: {one}.  {names.other}: {other}.  {pixels_text(found.pixels)}."]
    if region.person is not None:
        lines.append(
            f"A person labelled {percent(region.labelled)} of it, mostly "
            f"{table.name_of(region.person)}."
        )
    if support is None:
        lines.append("There is no evidence for it.")
        return "\n".join(lines)
    by = names.first if support.by == 0 else names.other
    pair = f"{(one, other)[support.by]} over {table.name_of(support.versus)}"
    total = f"{by}, {pair}, mean of all its pixels: {signed(support.margin)}"
    if support.local is not None and support.pyramid is not None and support.constant is not None:
        total += (
            f" = local {signed(support.local)} + pyramid {signed(support.pyramid)}"
            f" + constant {signed(support.constant)}"
        )
    return "\n".join([*lines, f"{total} (logits)."])


class RegionModel(QAbstractListModel):
    """The regions shown, sorted and filtered; a `JudgedRegion` under UserRole."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._regions: tuple[JudgedRegion, ...] = ()
        self.names: Names | None = None

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 - Qt's signature
        """Return how many there are."""
        return 0 if parent.isValid() else len(self._regions)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Return the words of a region; everything known of it in the tooltip."""
        if not index.isValid() or index.row() >= len(self._regions) or self.names is None:
            return None
        region = self._regions[index.row()]
        if role == Qt.ItemDataRole.UserRole:
            return region
        if role == Qt.ItemDataRole.ToolTipRole:
            return explanation(region, self.names)
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.AccessibleTextRole):
            table = self.names.table
            classes = f"{table.name_of(region.found.one)}, {table.name_of(region.found.other)}"
            words = verdict_text(region, self.names), evidence_text(region)
            return f"{classes}: {', '.join(words)}, {pixels_text(region.found.pixels)}"
        return None

    @property
    def regions(self) -> tuple[JudgedRegion, ...]:
        """Those shown, in their order."""
        return self._regions

    def set_regions(self, regions: tuple[JudgedRegion, ...], names: Names | None) -> None:
        """Show others."""
        self.beginResetModel()
        self._regions, self.names = regions, names
        self.endResetModel()


class _RegionDelegate(EvenRows):
    """Paints a region: both classes and the area; below them the verdict and what decided."""

    row_size = QSize(200, _ROW)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        """Paint one region."""
        region: JudgedRegion = index.data(Qt.ItemDataRole.UserRole)
        names: Names | None = index.model().names
        if region is None or names is None:
            return
        theme, rect = current_theme(), QRectF(option.rect)
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        paint_ground(painter, option)
        left, right = rect.left() + 2 * GRID_PX, rect.right() - 2 * GRID_PX
        icon, colour = _ICONS[region.verdict]
        draw_icon(painter, icon, QRectF(left, rect.top() + 15, 18, 18), getattr(theme, colour))
        left += 18 + GRID_PX
        top = QRectF(left, rect.top() + 5, right - left, 19)
        below = top.translated(0, 19)
        painter.setFont(quiet_font(option.widget))
        painter.setPen(QColor(theme.quiet))
        area, why = pixels_text(region.found.pixels), evidence_text(region)
        align = Qt.AlignmentFlag.AlignRight
        metrics = painter.fontMetrics()
        widths = [metrics.horizontalAdvance(text) + 2.0 * GRID_PX for text in (area, why)]
        draw_elided(painter, top, area, align)
        draw_elided(painter, below, why, align)
        draw_elided(painter, below.adjusted(0, 0, -widths[1], 0), verdict_text(region, names))
        self._paint_classes(painter, top.adjusted(0, 0, -widths[0], 0), region, names, option)
        painter.restore()

    def _paint_classes(
        self, painter: QPainter, room: QRectF, region: JudgedRegion, names: Names,
        option: QStyleOptionViewItem,
    ) -> None:  # fmt: skip
        """Paint what the first model says, and what the other one."""
        theme = current_theme()
        painter.setFont(text_font(option.widget))
        half = (room.width() - GRID_PX) / 2
        x = room.left()
        for label in (region.found.one, region.found.other):
            colour = QColor(*names.table.classes[label].colour)
            draw_swatch(painter, QRectF(x, room.top() + 4, 10, 10), colour, theme)
            painter.setPen(QColor(theme.text))
            name = names.table.name_of(label)
            wide = min(half - 16, painter.fontMetrics().horizontalAdvance(name) + 4.0)
            draw_elided(painter, QRectF(x + 16, room.top(), wide, room.height()), name)
            x += 16 + wide + GRID_PX


class DifferencesPanel(QWidget):
    """The regions in which the model in use and another one differ. GUI thread only."""

    def __init__(self, comparing: Comparing, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._comparing = comparing
        self.setObjectName("differences_panel")
        self.setAutoFillBackground(True)
        self._build_fields()
        self.model = RegionModel(self)
        self.list = RowList()
        self.list.setModel(self.model)
        self.list.setItemDelegate(_RegionDelegate(self.list))
        self.list.setAccessibleName("Regions in which the models differ")
        self.list.setMinimumHeight(96)
        self.list.clicked.connect(self._look_at)
        self.list.activated.connect(self._look_at)
        self._lay_out()
        comparing.models_changed.connect(self._show_models)
        comparing.readings_changed.connect(self._show)
        comparing.compared.connect(self._show)
        self._show_models()

    def _build_fields(self) -> None:
        self.against = QComboBox(toolTip="The model that the one in use is compared with")
        self.against.setAccessibleName("Compared with")
        self.against.activated.connect(self._choose)
        self.order = QComboBox(toolTip="Order of the regions")
        self.order.setAccessibleName("Order")
        self.order.addItems(_ORDERS)
        self.order.activated.connect(self._show)
        self.verdicts = QComboBox(toolTip="Which regions are listed")
        self.verdicts.setAccessibleName("Which regions")
        self.verdicts.addItems([_ALL, "Fixed", "Broke", "Both wrong", "Not labelled"])
        self.verdicts.activated.connect(self._show)
        self.least = NumberBox()
        self.least.setToolTip("Smaller regions are left out")
        self.least.setAccessibleName("Smallest region")
        self.least.setRange(1, 1_000_000)
        self.least.setMinimumHeight(_FIELD_PX)
        self.least.setPrefix("≥ ")
        self.least.setSuffix(" px")
        self.least.setValue(self._comparing.least_px)
        self.least.setKeyboardTracking(False)
        self.least.valueChanged.connect(self._comparing.set_least_px)
        self.by_pyramid = QCheckBox("Only margins that the pyramid carries")
        self.by_pyramid.setToolTip(
            "Regions whose mean margin comes to more than half (> 50 %) from the pyramid's bins"
        )
        self.by_pyramid.toggled.connect(self._show)
        self.summary = QuietLabel()
        self.summary.setWordWrap(True)
        for box in (self.against, self.order, self.verdicts):
            box.setSizeAdjustPolicy(
                QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
            )
            box.setMinimumContentsLength(6)
            box.setFocusPolicy(Qt.FocusPolicy.TabFocus)

    def _lay_out(self) -> None:
        column = QVBoxLayout(self)
        column.setContentsMargins(0, GRID_PX, 0, 0)
        column.setSpacing(GRID_PX)
        for fields in ((self.against, self.least), (self.verdicts, self.order)):
            row = QHBoxLayout()
            row.setContentsMargins(2 * GRID_PX, 0, 2 * GRID_PX, 0)
            row.setSpacing(GRID_PX)
            for field in fields:
                row.addWidget(field, 1)
            column.addLayout(row)
        for widget in (self.by_pyramid, self.summary):
            row = QHBoxLayout()
            row.setContentsMargins(2 * GRID_PX, 0, 2 * GRID_PX, 0)
            row.addWidget(widget)
            column.addLayout(row)
        column.addWidget(self.list, 1)

    # -- showing ------------------------------------------------------------------------------

    @Slot()
    def _show_models(self) -> None:
        others = self._comparing.others
        self.against.clear()
        names = [f"with {self._comparing.name_of(other)}" for other in others]
        self.against.addItems(names or ["No other model"])
        self.against.setEnabled(len(others) > 1)
        chosen = self._comparing.chosen
        if chosen is not None:
            self.against.setCurrentIndex(others.index(chosen))
        self._show()

    @Slot()
    def _show(self, *_what: object) -> None:
        found, table = self._comparing.comparison, self._comparing.table
        chosen = self._comparing.chosen
        names = None
        if found is not None and table is not None and chosen is not None:
            names = Names(self._comparing.name_of(None), self._comparing.name_of(chosen), table)
        regions = () if names is None or found is None else self._arranged(found)
        at = self.list.currentIndex().data(Qt.ItemDataRole.UserRole)
        self.model.set_regions(regions, names)
        self._select(at)
        self.summary.setText("" if names is None else _summary(found, len(regions), names))
        self.list.hint = "compare", *self._hint(found)
        self.list.viewport().update()

    def _arranged(self, found: Comparison) -> tuple[JudgedRegion, ...]:
        wanted = ("", "fixed", "broke", "neither", "unknown")[self.verdicts.currentIndex()]
        regions = [r for r in found.judged if not wanted or r.verdict == wanted]
        if self.by_pyramid.isChecked():
            regions = [r for r in regions if _share(r) > 0.5]
        order = self.order.currentIndex()
        if order:
            regions.sort(key=_share if order == 1 else _margin, reverse=True)
        return tuple(regions)

    def _select(self, before: JudgedRegion | None) -> None:
        """Keep the region selected that was, where it is still there."""
        if before is None:
            return
        for row, region in enumerate(self.model.regions):
            if region.found == before.found:
                self.list.setCurrentIndex(self.model.index(row, 0))
                return

    def _hint(self, found: Comparison | None) -> tuple[str, str]:
        if not self._comparing.is_on:
            return _NOTHING
        if found is None:
            return "Not compared yet", "Both models have to read the image first."
        if found.judged:
            return "No such region", "Choose other regions above."
        return "No region is large enough", "List smaller ones, too, by the field above."

    # -- choosing -----------------------------------------------------------------------------

    @Slot(int)
    def _choose(self, index: int) -> None:
        self._comparing.choose(self._comparing.others[index])

    @Slot(QModelIndex)
    def _look_at(self, index: QModelIndex) -> None:
        region = index.data(Qt.ItemDataRole.UserRole)
        if region is not None:
            self._comparing.look_at(region)

    def changeEvent(self, event: QEvent) -> None:
        """Repaint for another theme."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange:
            self.update()


def _share(region: JudgedRegion) -> float:
    share = None if region.support is None else region.support.pyramid_share
    return -1e9 if share is None else share


def _margin(region: JudgedRegion) -> float:
    return -1e9 if region.support is None else region.support.margin


def _summary(found: Comparison, shown: int, names: Names) -> str:
    """Return how far the models agree and what the list holds, in a line or two."""
    counts = {kind: sum(r.verdict == kind for r in found.judged) for kind in ("fixed", "broke")}
    texts = [f"{names.first} and {names.other} agree on {percent(found.agreement)} of the pixels."]
    if counts["fixed"] or counts["broke"]:
        texts.append(f"{names.first} fixed {counts['fixed']}, broke {counts['broke']}.")
    texts.append(f"{shown} of {len(found.judged)} regions listed")
    texts[-1] += f"; {found.left_out} smaller ones are not." if found.left_out else "."
    return " ".join(texts)
