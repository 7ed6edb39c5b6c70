"""Asks where a report of the pins goes, and lets it be written beside the window."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from PySide6.QtWidgets import QFileDialog

from pspgui.durable import printable
from pspgui.jobs.pins import PinPlace, PinQuestion
from pspgui.jobs.reporting import ReportWanted, write_report_of

if TYPE_CHECKING:
    from pspgui.gui.commands.row import Parts

FILTERS: Final = {
    ".html": "Page in one file (*.html)",
    ".pdf": "PDF, for print and papers (*.pdf)",
    ".png": "Picture (*.png)",
    ".svg": "Drawing (*.svg)",
}


def ask_for_report(parts: Parts) -> None:
    """Ask for a file and write the report of all pins; without a pin say how to set one."""
    document = parts.document
    if not len(document.pins):
        document.message.emit("Pin a pixel first: click it with the probe (H), then ask again.")
        return
    stem = "image" if document.image_path is None else document.image_path.stem
    name, chosen = QFileDialog.getSaveFileName(
        parts.canvas.window(), "Write a report of the pins", f"{stem}_report.html",
        ";;".join(FILTERS.values()),
    )  # fmt: skip
    if name:
        write_report(parts, with_suffix(Path(name), chosen))


def with_suffix(path: Path, chosen: str = "") -> Path:
    """Return a path that ends as a report does: as typed, else as the filter chosen."""
    if path.suffix.lower() in FILTERS:
        return path
    suffix = next((s for s, text in FILTERS.items() if text == chosen), ".html")
    return path.with_name(f"{path.name}{suffix}")


def write_report(parts: Parts, path: Path) -> None:
    """Write the report of all pins to a file off the GUI thread, and tell when it is there."""
    wanted = wanted_of(parts)
    if wanted is None:
        parts.document.message.emit("There is no evidence to report yet: wait for the prediction.")
        return
    what = f"The report {printable(path.name)}"
    parts.session.in_turn.ask("report", what, write_report_of(wanted, path, apart=True))


def wanted_of(parts: Parts) -> ReportWanted | None:
    """Return what the window shows now, frozen; None where there is no evidence."""
    document, model = parts.document, parts.session.model
    if document.engine is None or document.prediction is None or model is None:
        return None
    pins = tuple(
        (f"{pin.number} {pin.name}".rstrip(), PinPlace(pin.pixel, pin.region))
        for pin in document.pins.all
    )
    question = PinQuestion(
        document.evidence_target, None, document.reading, document.baseline
    )
    return ReportWanted(
        document.image_path, document.image, document.engine, document.prediction,
        document.reading_table, pins, question, model,
    )  # fmt: skip
