"""Writing COCO's forms: panoptic PNGs with their JSON, and run lengths as instances.

A label map knows no single objects, so each class of an image is one segment: `isthing` is 0, and
its run lengths are marked `iscrowd`, COCO's word for a region of many.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from pspgui.durable import printable
from pspgui.formats.errors import FormatError
from pspgui.formats.layouts.coco import label_coding
from pspgui.formats.layouts.coco_instances import LAYOUT
from pspgui.formats.scheme import LabelFile, Scheme, Written
from pspgui.imaging import encode_png
from pspgui.labels.rle import RunLengthError, decode_runs, encode_runs, pack_runs, unpack_runs


class CocoScheme(Scheme):
    """images/<split>/<stem>, annotations/{panoptic,instances}_<split>.json and panoptic_<split>/.

    Categories count from 1 in the order of the classes; a segment's id is its category's, and 0
    is unlabelled. Annotations are kept until the end of the export, as compressed run lengths.
    """

    key = "coco"
    layout = LAYOUT

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._segments: dict[str, list[dict[str, Any]]] = {}

    def image_path(self, split: str | None, stem: str, suffix: str) -> str:
        """Return where an image goes."""
        return f"images/{split}/{stem}{suffix}"

    def label_files(self, split: str | None, stem: str, labels: np.ndarray) -> list[LabelFile]:
        """Return the panoptic PNG; run lengths are made, and read back, for the JSON."""
        ids = np.where(labels == self.table.ignore, 0, labels.astype(np.uint32) + 1)
        self._segments[stem] = [
            _segment(stem, ids == number, number) for number in np.unique(ids).tolist() if number
        ]
        pixels = np.stack([ids & 255, ids >> 8, np.zeros_like(ids)], axis=-1).astype(np.uint8)
        path = f"annotations/panoptic_{split}/{stem}.png"
        coding = label_coding(dict(zip(self._ids(), range(len(self.table)), strict=True)),
                              self.table.ignore)  # fmt: skip
        return [LabelFile(path, encode_png(pixels), lambda back: coding.from_bytes(path, back))]

    def closing_files(self, written: Sequence[Written]) -> Mapping[str, bytes]:
        """Return both JSON files of every split."""
        files: dict[str, bytes] = {}
        for split in dict.fromkeys(entry.split for entry in written):
            entries = [
                (number, entry) for number, entry in enumerate(written, 1) if entry.split == split
            ]
            images = [_image(number, entry) for number, entry in entries]
            panoptic = {
                "info": {}, "images": images, "annotations": [
                    {"image_id": number, "file_name": f"{entry.stem}.png",
                     "segments_info": [_without_runs(s) for s in self._segments[entry.stem]]}
                    for number, entry in entries
                ], "categories": self._categories(),
            }  # fmt: skip
            flat = [(number, s) for number, e in entries for s in self._segments[e.stem]]
            instances = {
                "info": {}, "images": images, "annotations": [
                    {**segment, "id": place, "image_id": number}
                    for place, (number, segment) in enumerate(flat, 1)
                ], "categories": self._categories(),
            }  # fmt: skip
            for kind, value in (("panoptic", panoptic), ("instances", instances)):
                text = json.dumps(value, ensure_ascii=False)
                files[f"annotations/{kind}_{split}.json"] = text.encode("utf-8")
        return files

    def notes(self, written: Sequence[Written]) -> Sequence[str]:
        """Say what a segment is."""
        return (
            "labels tell no single objects apart, so every class of an image is one segment "
            "(iscrowd 1 in instances_*.json, isthing 0 in panoptic_*.json)",
        )

    def _ids(self) -> range:
        return range(1, len(self.table) + 1)

    def _categories(self) -> list[dict[str, Any]]:
        return [
            {"id": entry.id + 1, "name": entry.name, "supercategory": entry.name, "isthing": 0,
             "color": list(entry.colour)}
            for entry in self.table.classes
        ]  # fmt: skip


def _segment(stem: str, mask: np.ndarray, number: int) -> dict[str, Any]:
    """Return a class of an image as COCO describes it; raises `FormatError` if it is not read back.

    The box is x, y, width, height, from 0.
    """
    height, width = mask.shape
    text = pack_runs(encode_runs(mask))
    try:
        back = decode_runs(unpack_runs(text, mask.size), (height, width))
    except RunLengthError as error:
        raise FormatError(f"{printable(stem)}: {error}") from error
    if not np.array_equal(back, mask):
        raise FormatError(f"{printable(stem)}: its run lengths decode to other labels")
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    top, left = int(rows[0]), int(columns[0])
    return {
        "id": number, "category_id": number, "area": int(mask.sum()), "iscrowd": 1,
        "bbox": [left, top, int(columns[-1]) - left + 1, int(rows[-1]) - top + 1],
        "segmentation": {"size": [height, width], "counts": text},
    }  # fmt: skip


def _without_runs(segment: Mapping[str, Any]) -> dict[str, Any]:
    """Return a segment for the panoptic JSON, where it is no crowd and the PNG holds its pixels."""
    return {**{k: v for k, v in segment.items() if k != "segmentation"}, "iscrowd": 0}


def _image(number: int, entry: Written) -> dict[str, Any]:
    height, width = entry.shape
    return {"id": number, "file_name": entry.name, "height": height, "width": width}
