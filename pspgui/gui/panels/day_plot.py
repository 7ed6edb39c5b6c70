"""A plot of images finished by day, by pyqtgraph; imported when there is something to plot."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Final

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QEvent
from PySide6.QtGui import QColor

from pspgui.gui.theme import current_theme, quiet_font

_HEIGHT: Final = 160


class DayPlot(pg.PlotWidget):
    """Bars of images finished by day, the accepted part in the accent. GUI thread only."""

    def __init__(self) -> None:
        super().__init__()
        self.setFixedHeight(_HEIGHT)
        self.setMouseEnabled(x=False, y=False)
        self.setMenuEnabled(False)
        self.hideButtons()
        self.setAccessibleName("Images finished by day")
        self._days = (0, 1)
        self._counts = (np.zeros(1), np.zeros(1))
        self._bars = [pg.BarGraphItem(x=[0], height=[0], width=0.8) for _ in range(2)]
        for bar in self._bars:
            self.addItem(bar)
        self.getPlotItem().getAxis("left").setWidth(36)
        self._recolour()

    @property
    def counts(self) -> tuple[np.ndarray, np.ndarray]:
        """Finished and accepted by day, the last day last."""
        return self._counts

    def set_days(
        self, today: int, days: int, finished: Mapping[int, int], accepted: Mapping[int, int]
    ) -> None:
        """Show the `days` up to `today`; both are counts by day since 1970."""
        span = range(today - days + 1, today + 1)
        self._counts = (
            np.array([finished.get(day, 0) for day in span]),
            np.array([accepted.get(day, 0) for day in span]),
        )
        self._days = (today, days)
        places = np.arange(days)
        for bar, counts in zip(self._bars, self._counts, strict=True):
            bar.setOpts(x=places, height=counts, width=0.8)
        top = max(4, int(self._counts[0].max()) + 1)
        self.setYRange(0, top, padding=0)
        self.setXRange(-0.6, days - 0.4, padding=0)
        step = max(1, -(-top // 4))
        heights = [(v, str(v)) for v in range(0, top + 1, step)]
        self.getPlotItem().getAxis("left").setTicks([heights])
        marks = [(i, _name(span[i])) for i in range(days - 1, -1, -7)]
        self.getPlotItem().getAxis("bottom").setTicks([marks])
        self._recolour()

    def changeEvent(self, event: QEvent) -> None:
        """Take the colours of another theme."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange and hasattr(self, "_bars"):
            self._recolour()

    def _recolour(self) -> None:
        theme = current_theme()
        self.setBackground(QColor(theme.panel))
        for name in ("left", "bottom"):
            axis = self.getPlotItem().getAxis(name)
            axis.setPen(QColor(theme.line))
            axis.setTextPen(QColor(theme.quiet))
            axis.setStyle(tickFont=quiet_font(self), tickLength=-4)
        for bar, colour in zip(self._bars, (theme.disabled, theme.accent), strict=True):
            bar.setOpts(brush=QColor(colour), pen=None)


def _name(day: int) -> str:
    told = time.gmtime(day * 86400)
    return f"{told.tm_mday} {time.strftime('%b', told)}"
