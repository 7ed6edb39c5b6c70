"""Writing label maps as numpy arrays: images/<split>/<stem>, arrays/<split>/<stem>.npy."""

from __future__ import annotations

import io

import numpy as np

from pspgui.formats.layouts.numpy_arrays import array_from_bytes
from pspgui.formats.options import ExportOptions
from pspgui.formats.scheme import LabelFile, Scheme
from pspgui.formats.value_map import ValueMap
from pspgui.labels.classes import IGNORE, ClassTable


class NumpyScheme(Scheme):
    """Arrays (H, W), uint8 where all values fit, else uint16; dataset.json explains the values.

    The values are the labels themselves unless the person chose others.
    """

    key = "npy"
    choices = frozenset({"first_value", "ignore_value"})

    def __init__(self, table: ClassTable, options: ExportOptions) -> None:
        """Raise `FormatError` when a class and unlabelled pixels would share a value."""
        super().__init__(table, options)
        usual = IGNORE if len(table) + (options.first_value or 0) <= IGNORE else 65535
        chosen = options.ignore_value
        if chosen is None:
            chosen = table.ignore if options.first_value is None else usual
        self._values = ValueMap.counted(table, options.first_value or 0, chosen, 65535)

    def image_path(self, split: str | None, stem: str, suffix: str) -> str:
        """Return where an image goes."""
        return f"images/{split}/{stem}{suffix}"

    def label_files(self, split: str | None, stem: str, labels: np.ndarray) -> list[LabelFile]:
        """Return one array."""
        path = f"arrays/{split}/{stem}.npy"
        buffer = io.BytesIO()
        values = np.ascontiguousarray(self._values.encode(labels))
        np.lib.format.write_array(buffer, values, allow_pickle=False)
        return [
            LabelFile(
                path,
                buffer.getvalue(),
                lambda back: self._values.decode(array_from_bytes(path, back)),
            )
        ]

    def values(self) -> ValueMap:
        """Return the values of the classes."""
        return self._values
