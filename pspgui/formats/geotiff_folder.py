"""Writing labels as GeoTIFFs that lie where their images lie: images/, labels/, classes.json."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pspgui.durable import printable
from pspgui.formats.dataset_folder import FolderScheme
from pspgui.formats.errors import FormatError
from pspgui.formats.scheme import LabelFile, Written
from pspgui.imaging import (
    DecodeError,
    Georeference,
    georeference,
    labels_from_bytes,
    write_geotiff_labels,
)


class GeotiffScheme(FolderScheme):
    """The data set folder, but with labels/<split>/<stem>.tif, which programs of maps can place.

    Values are the labels themselves. Images without a place give TIFFs without one.
    """

    key = "geotiff"

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._places: dict[str, Georeference | None] = {}

    def look_at(self, stem: str, image: Path) -> None:
        """Find out where an image lies."""
        try:
            self._places[stem] = georeference(image) if image.is_file() else None
        except DecodeError:
            self._places[stem] = None

    def label_files(self, split: str | None, stem: str, labels: np.ndarray) -> list[LabelFile]:
        """Return a GeoTIFF; raises `FormatError` where none can be made."""
        path = self.label_path(split, stem, ".tif")
        try:
            with tempfile.TemporaryDirectory(prefix="pspgui-") as folder:
                made = Path(folder) / "labels.tif"
                write_geotiff_labels(made, labels, self._places.get(stem))
                content = made.read_bytes()
        except OSError as error:
            raise FormatError(f"{printable(stem)}: no GeoTIFF could be made ({error})") from error
        return [LabelFile(path, content, lambda back: labels_from_bytes(path, back).labels)]

    def notes(self, written: Sequence[Written]) -> Sequence[str]:
        """Say how many images have no place."""
        without = sum(self._places.get(entry.stem) is None for entry in written)
        if not without:
            return ()
        return (f"images without a place on Earth, whose labels have none either: {without}",)
