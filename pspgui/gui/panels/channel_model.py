"""All channels of a map as a list: sorted, with pictures made a few at a time."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from PySide6.QtCore import (
    QAbstractListModel,
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    Qt,
    QTimer,
    Signal,
    Slot,
)
from PySide6.QtGui import QImage

from pspgui.gui.colours import diverging_lut, sequential_lut
from pspgui.gui.panels.drawing import short, signed
from pspgui.gui.qimages import indexed_image, opaque

if TYPE_CHECKING:
    from pspgui.jobs.strip import ChannelList

SORTS: Final = ("number", "activity", "share")
_Index = QModelIndex | QPersistentModelIndex
_NO_INDEX: Final = QModelIndex()
_SIDE_PX: Final = 96
_STEP_S: Final = 0.004
_MOST_WAITING: Final = 256


class ChannelModel(QAbstractListModel):
    """The channels of one map. GUI thread only.

    Pictures are made some milliseconds at a time when they are asked for, those asked for last
    first, so a list of thousands costs what is in sight. `sorted_anew()` comes after the order
    changed.
    """

    sorted_anew = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._list: ChannelList | None = None
        self._order = np.zeros(0, int)
        self._sort = "number"
        self._pictures: dict[int, QImage] = {}
        self._waiting: list[int] = []
        self._name: Callable[[int], str] = str
        self._making = QTimer(self, interval=0)
        self._making.timeout.connect(self._make_some)

    @property
    def listed(self) -> ChannelList | None:
        """The channels listed."""
        return self._list

    @property
    def sort_key(self) -> str:
        """One of SORTS; "share" only where shares are known."""
        known = self._list is not None and self._list.shares is not None
        return "number" if self._sort == "share" and not known else self._sort

    def set_list(self, listed: ChannelList | None, name: Callable[[int], str] = str) -> None:
        """List other channels, or the same weighed anew; `name` gives a channel's name."""
        before = self._list
        same = (
            listed is not None and before is not None
            and listed.maps.values is before.maps.values
            and listed.maps.form == before.maps.form
        )  # fmt: skip
        self.beginResetModel()
        self._list, self._name = listed, name
        if not same:
            self.forget_pictures()
        self._arrange()
        self.endResetModel()
        self.sorted_anew.emit()

    def set_sort(self, key: str) -> None:
        """Sort by one of SORTS: numbers up, activity and what channels add down by size."""
        self._sort = key
        self.beginResetModel()
        self._arrange()
        self.endResetModel()
        self.sorted_anew.emit()

    def number_at(self, row: int) -> int:
        """Return the number of the channel in a row."""
        return int(self._order[row])

    def row_of(self, number: int) -> int:
        """Return the row of a channel; -1 for none."""
        rows = np.flatnonzero(self._order == number)
        return int(rows[0]) if len(rows) else -1

    def rowCount(self, parent: _Index = _NO_INDEX) -> int:
        """Return how many channels there are."""
        return 0 if parent.isValid() else len(self._order)

    def data(self, index: _Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Return the number or name of a channel; its words as the tooltip."""
        number = self.number_at(index.row())
        if role == Qt.ItemDataRole.DisplayRole:
            return self._name(number)
        if role in (Qt.ItemDataRole.ToolTipRole, Qt.ItemDataRole.AccessibleTextRole):
            return self.words(number)
        return None

    def words(self, number: int) -> str:
        """Return what is known of a channel."""
        if self._list is None:
            return ""
        lines = [f"Channel {number}"]
        if self._list.ids:
            lines[0] += f": {self._name(number)}"
        lines.append(f"mean size {short(float(self._list.activity[number]))}")
        if self._list.shares is not None:
            lines.append(f"adds {signed(float(self._list.shares.values[number]), 3)}")
        return "\n".join(lines)

    def amount(self, number: int) -> tuple[str, float]:
        """Return the number to write under a channel, and its sign where that means anything."""
        if self._list is None:
            return "", 0.0
        if self.sort_key == "share" and self._list.shares is not None:
            value = float(self._list.shares.values[number])
            return signed(value, 3), value
        return short(float(self._list.activity[number])), 0.0

    def is_dead(self, number: int) -> bool:
        """Whether a channel is zero everywhere."""
        return self._list is not None and not self._list.activity[number]

    def picture(self, number: int) -> QImage | None:
        """Return a channel's picture, on a scale of its own; None until it is made."""
        found = self._pictures.get(number)
        if found is None:
            if number in self._waiting:
                self._waiting.remove(number)
            self._waiting.append(number)
            del self._waiting[:-_MOST_WAITING]
            self._making.start()
        return found

    def forget_pictures(self) -> None:
        """Drop all pictures, for other channels or another theme."""
        self._pictures.clear()
        self._waiting.clear()

    @Slot()
    def _make_some(self) -> None:
        end = time.perf_counter() + _STEP_S
        while self._waiting and time.perf_counter() < end:
            number = self._waiting.pop()
            if self._list is not None:
                self._pictures[number] = thumbnail(self._list.maps.channel(number))
                index = self.index(self.row_of(number))
                self.dataChanged.emit(index, index)
        if not self._waiting:
            self._making.stop()

    def _arrange(self) -> None:
        if self._list is None:
            self._order = np.zeros(0, int)
            return
        order = np.arange(self._list.maps.count)
        if self.sort_key == "activity":
            order = np.argsort(-self._list.activity, kind="stable")
        elif self.sort_key == "share" and self._list.shares is not None:
            order = np.argsort(-np.abs(self._list.shares.values), kind="stable")
        self._order = order


def thumbnail(values: np.ndarray) -> QImage:
    """Return a small picture of a (h, w) map from zero, or symmetric about it, to its largest."""
    step = max(1, -(-max(values.shape) // _SIDE_PX))
    values = values[::step, ::step]
    low, high = float(values.min()), float(values.max())
    limit = max(-low, high, 1e-12)
    if low < 0:
        steps, lut = (values / limit + 1) * 127.5, diverging_lut()
    else:
        steps, lut = values * (255 / limit), sequential_lut()
    image = indexed_image(np.ascontiguousarray(np.rint(steps), np.uint8), opaque(lut))
    return image.copy()
