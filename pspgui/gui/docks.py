"""The panels beyond the four that are always there: one row each, out of sight at first."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QWidget

from pspgui.gui.commands.row import Parts
from pspgui.gui.panels.adjust import AdjustPanel
from pspgui.gui.panels.history import HistoryPanel
from pspgui.gui.panels.maps import MapsPanel
from pspgui.gui.panels.pins import pins_panel
from pspgui.gui.queue_wiring import review_panel, statistics_panel
from pspgui.gui.what_if_wiring import what_if_panel


class DockRow(NamedTuple):
    """A panel in a dock: its title, the side it comes up at, and what builds it."""

    title: str
    area: Qt.DockWidgetArea
    build: Callable[[Parts, QWidget], QWidget]


def _differences(parts: Parts, parent: QWidget) -> QWidget:
    from pspgui.gui.comparing_panel import DifferencesPanel

    return DifferencesPanel(parts.comparing, parent)


DOCKS: Final[tuple[DockRow, ...]] = (
    DockRow("History", Qt.DockWidgetArea.RightDockWidgetArea,
            lambda parts, parent: HistoryPanel(parts.document, parent)),
    DockRow("Adjust", Qt.DockWidgetArea.RightDockWidgetArea,
            lambda parts, parent: AdjustPanel(parts.document, parent)),
    DockRow("Review", Qt.DockWidgetArea.RightDockWidgetArea, review_panel),
    DockRow("Pins", Qt.DockWidgetArea.RightDockWidgetArea, pins_panel),
    DockRow("What if", Qt.DockWidgetArea.RightDockWidgetArea, what_if_panel),
    DockRow("Maps", Qt.DockWidgetArea.RightDockWidgetArea,
            lambda parts, parent: MapsPanel(parts.document, parts.maps, parent)),
    DockRow("Differences", Qt.DockWidgetArea.RightDockWidgetArea, _differences),
    DockRow("Statistics", Qt.DockWidgetArea.RightDockWidgetArea, statistics_panel),
)  # fmt: skip
