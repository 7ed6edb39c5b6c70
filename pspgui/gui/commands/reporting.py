"""Reports of what the pins say."""

from __future__ import annotations

from typing import Final

from pspgui.gui.commands.row import ActionRow, Parts


def _report(parts: Parts) -> None:
    from pspgui.gui.dialogs.report_file import ask_for_report

    ask_for_report(parts)


ROWS: Final = (
    ActionRow("report", "Report of the pins…", ("Ctrl+Alt+E",), _report, "File",
              "mdi6.file-chart-outline", enabled=lambda p: p.document.engine is not None),
)  # fmt: skip
