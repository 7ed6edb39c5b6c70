"""Writing MMSegmentation's form: img_dir, ann_dir, and a config file that trains as it is.

Values are 0..K-1 and 255, or, where the person counts from one, 1..K and 0 with
`reduce_zero_label`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from pprint import pformat
from typing import Any

import numpy as np

from pspgui.formats.errors import FormatError
from pspgui.formats.options import ExportOptions
from pspgui.formats.png_files import png_decoder
from pspgui.formats.scheme import LabelFile, Scheme, Written
from pspgui.formats.value_map import ValueMap
from pspgui.imaging import encode_labels
from pspgui.labels.classes import IGNORE, ClassTable

CONFIG = "mmseg_dataset.py"
# As in MMSegmentation's own PSPNet configs for street scenes, where images are large enough.
CROP_PX = 512


class MmsegScheme(Scheme):
    """img_dir/<split>/<stem>, ann_dir/<split>/<stem>.png, mmseg_dataset.py."""

    key = "mmseg"
    choices = frozenset({"first_value", "ignore_value"})

    def __init__(self, table: ClassTable, options: ExportOptions) -> None:
        """Raise `FormatError` for values that MMSegmentation does not mean so."""
        super().__init__(table, options)
        first = options.first_value or 0
        usual = 0 if first else IGNORE
        if options.ignore_value not in (None, usual):
            raise FormatError(
                f"MMSegmentation ignores {usual} where classes count from {first}, not "
                f"{options.ignore_value}; leave that choice out"
            )
        # With reduce_zero_label 255 would become 254, which it takes for 0 reduced.
        self._values = ValueMap.counted(table, first, usual, 254 if first else 255)

    def stem_of(self, stem: str) -> str:
        """Return a stem without dots: MMSegmentation replaces a suffix wherever it stands."""
        return super().stem_of(stem).replace(".", "_")

    def image_path(self, split: str | None, stem: str, suffix: str) -> str:
        """Return where an image goes."""
        return f"img_dir/{split}/{stem}{suffix}"

    def label_files(self, split: str | None, stem: str, labels: np.ndarray) -> list[LabelFile]:
        """Return a palette PNG."""
        path = f"ann_dir/{split}/{stem}.png"
        content = encode_labels(self._values.encode(labels), self._values.colours())
        return [LabelFile(path, content, png_decoder(path, self._values))]

    def closing_files(self, written: Sequence[Written]) -> Mapping[str, bytes]:
        """Return the config."""
        return {CONFIG: self._config(written).encode("utf-8")}

    def notes(self, written: Sequence[Written]) -> Sequence[str]:
        """Say where the config is."""
        return (f"{CONFIG} goes into the `_base_` list of a config; it names classes and folders",)

    def values(self) -> ValueMap:
        """Return the values of the classes."""
        return self._values

    def _config(self, written: Sequence[Written]) -> str:
        """Return the config's text: literals only, but for its own folder."""
        suffixes: dict[str | None, set[str]] = {}
        for entry in written:
            if entry.image:
                suffix = PurePosixPath(entry.image).suffix
                suffixes.setdefault(entry.split, set()).add(suffix)
        load: list[dict[str, Any]] = [{"type": "LoadImageFromFile"}]
        labels = {"type": "LoadAnnotations"}
        train = [
            *load, labels,
            {"type": "RandomCrop", "crop_size": (CROP_PX, CROP_PX), "cat_max_ratio": 0.75},
            {"type": "RandomFlip", "prob": 0.5}, {"type": "PhotoMetricDistortion"},
            {"type": "PackSegInputs"},
        ]  # fmt: skip
        test = [*load, labels, {"type": "PackSegInputs"}]
        settings: dict[str, Any] = {"num_classes": len(self.table), "metainfo": self._metainfo()}
        for split, found in suffixes.items():
            pipeline = train if split == "train" else test
            parts = [self._part(split, suffix, pipeline) for suffix in sorted(found)]
            dataset = parts[0] if len(parts) == 1 else {"type": "ConcatDataset", "datasets": parts}
            settings[f"{split}_dataloader"] = _loader(dataset, split == "train")
            if split != "train":
                settings[f"{split}_evaluator"] = {"type": "IoUMetric", "iou_metrics": ["mIoU"]}
        lines = [
            f"{_variable(name)} = {pformat(value, sort_dicts=False, width=96)}"
            for name, value in settings.items()
        ]
        text = "\n".join(lines).replace("'{{ fileDirname }}/'", "data_root")
        head = (
            "# Datasets for MMSegmentation 1.x; set crop sizes and batches to suit the machine.\n"
        )
        return f"{head}data_root = '{{{{ fileDirname }}}}/'\n{text}\n"

    @property
    def _is_reduced(self) -> bool:
        return self._values.ignore == 0

    def _metainfo(self) -> dict[str, Any]:
        return {
            "classes": self.table.names,
            "palette": [list(entry.colour) for entry in self.table.classes],
        }

    def _part(
        self, split: str | None, suffix: str, pipeline: list[dict[str, Any]]
    ) -> dict[str, Any]:
        """Return the data set of a split's images of one suffix; the class takes one each."""
        return {
            "type": "BaseSegDataset",
            "data_root": "{{ fileDirname }}/",
            "data_prefix": {"img_path": f"img_dir/{split}", "seg_map_path": f"ann_dir/{split}"},
            "img_suffix": suffix,
            "seg_map_suffix": ".png",
            "metainfo": self._metainfo(),
            "reduce_zero_label": self._is_reduced,
            "pipeline": pipeline,
        }


def _loader(dataset: dict[str, Any], shuffled: bool) -> dict[str, Any]:
    sampler = {"type": "InfiniteSampler" if shuffled else "DefaultSampler", "shuffle": shuffled}
    return {
        "batch_size": 4 if shuffled else 1, "num_workers": 4, "persistent_workers": True,
        "sampler": sampler, "dataset": dataset,
    }  # fmt: skip


def _variable(name: str) -> str:
    """Return a name that Python takes, whatever a split is called."""
    return "".join(c if c.isidentifier() or c.isdigit() else "_" for c in name)
