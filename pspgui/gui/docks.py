"""The panels beyond the four that are always there: one row each, out of sight at first.

Their modules are imported when they are first shown, so that the window comes sooner. What takes
longer than some milliseconds to build is built by steps, see `PanelDock`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QWidget

from pspgui.gui.commands.row import Parts
from pspgui.gui.panel_dock import Building


class DockRow(NamedTuple):
    """A panel in a dock: its title, the side it comes up at, and what builds it, step by step."""

    title: str
    area: Qt.DockWidgetArea
    build: Callable[[Parts, QWidget], QWidget | Building]


def _history(parts: Parts, parent: QWidget) -> QWidget:
    from pspgui.gui.panels.history import HistoryPanel

    return HistoryPanel(parts.document, parent)


def _adjust(parts: Parts, parent: QWidget) -> QWidget:
    from pspgui.gui.panels.adjust import AdjustPanel

    return AdjustPanel(parts.document, parent)


def _review(parts: Parts, parent: QWidget) -> QWidget:
    from pspgui.gui.panels.review import ReviewPanel

    panel = ReviewPanel(parts.document, parts.queue, parts.review, parent)
    panel.image_chosen.connect(parts.session.show_image)
    return panel


def _pins(parts: Parts, parent: QWidget) -> QWidget:
    from pspgui.gui.panels.pins import pins_panel

    return pins_panel(parts, parent)


def _what_if(parts: Parts, parent: QWidget) -> Building:
    from pspgui.gui.panels.what_if import WhatIfPanel
    from pspgui.gui.panels.what_if_menu import WhatIfMenu
    from pspgui.gui.what_if_notes import WhatIfNotes

    notes = WhatIfNotes(parts.document, parts.session, parts.what_if, parts.what_if)
    parts.canvas.window().closing.connect(notes.finish)
    yield
    panel = WhatIfPanel(parts.document, parts.what_if, notes, parent, by_steps=True)
    panel.menu = parts.canvas.window().evidence.grids.findChild(WhatIfMenu)
    yield
    yield from panel.finishing()
    return panel


def _maps(parts: Parts, parent: QWidget) -> Building:
    from pspgui.gui.panels.maps import MapsPanel

    panel = MapsPanel(parts.document, parts.maps, parent, by_steps=True)
    yield
    yield from panel.finishing()
    return panel


def _differences(parts: Parts, parent: QWidget) -> QWidget:
    from pspgui.gui.comparing_panel import DifferencesPanel

    return DifferencesPanel(parts.comparing, parent)


def _statistics(parts: Parts, parent: QWidget) -> QWidget:
    from pspgui.gui.panels.statistics import StatisticsPanel

    panel = StatisticsPanel(parts.document, parts.session, parts.queue, parent)
    panel.query_wanted.connect(parts.images.ask_for)
    return panel


_RIGHT: Final = Qt.DockWidgetArea.RightDockWidgetArea
DOCKS: Final[tuple[DockRow, ...]] = (
    DockRow("History", _RIGHT, _history),
    DockRow("Adjust", _RIGHT, _adjust),
    DockRow("Review", _RIGHT, _review),
    DockRow("Pins", _RIGHT, _pins),
    DockRow("What if", _RIGHT, _what_if),
    DockRow("Maps", _RIGHT, _maps),
    DockRow("Differences", _RIGHT, _differences),
    DockRow("Statistics", _RIGHT, _statistics),
)
