"""The pyramid strip: what its tiles show, channels, numbers."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from PySide6.QtWidgets import QWidget

from pspgui.gui.commands.row import ActionRow, Parts, has_prediction
from pspgui.jobs.strip import Show

if TYPE_CHECKING:
    from pspgui.gui.panels.pyramid import PyramidPanel

GROUP: Final = "Pyramid strip"
_TEXTS: Final[dict[Show, str]] = {
    "norm": "Norms", "channel": "One channel", "top": "Channels that add most",
    "colours": "Colours of the channels (PCA)",
}  # fmt: skip


def _panel(parts: Parts) -> PyramidPanel | None:
    """Return the panel; None while the window is being built."""
    return parts.canvas.window().findChild(QWidget, "pyramid_panel")


def _choose(parts: Parts, show: Show) -> None:
    panel = _panel(parts)
    if panel is not None:
        panel.maps.set_mode(replace(panel.maps.mode, show=show))


def _shows(parts: Parts, show: Show) -> bool:
    panel = _panel(parts)
    return panel is not None and panel.maps.mode.show == show


def _browse(parts: Parts) -> None:
    panel = _panel(parts)
    if panel is not None:
        panel.browse(panel.strip.focused)


ROWS: Final = (
    *(
        ActionRow(
            f"strip_{show}", text, (), lambda p, show=show: _choose(p, show), GROUP,
            checked=lambda p, show=show: _shows(p, show),
        )
        for show, text in _TEXTS.items()
    ),
    ActionRow("strip_channels", "Channels of a map…", (), _browse, GROUP,
              enabled=has_prediction, line=True),
)  # fmt: skip
