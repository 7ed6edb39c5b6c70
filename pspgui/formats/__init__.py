"""Import and export of data sets, one file a format."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from pspgui.formats.dataset_folder import ExportItem, ExportReport, export_dataset
from pspgui.formats.errors import FormatError
from pspgui.formats.layouts import LAYOUTS
from pspgui.formats.reading import read_dataset, splits_of
from pspgui.formats.samples import Layout, Sample


class ExportFormat(NamedTuple):
    """A way to export: its key on the command line, its title in menus, and what does it."""

    key: str
    title: str
    export: Callable[..., ExportReport]


FORMATS: tuple[ExportFormat, ...] = (
    ExportFormat("folder", "Data set folder (images, labels, classes.json)", export_dataset),
)

__all__ = [
    "FORMATS",
    "LAYOUTS",
    "ExportFormat",
    "ExportItem",
    "ExportReport",
    "FormatError",
    "Layout",
    "Sample",
    "export_dataset",
    "read_dataset",
    "splits_of",
]
