"""Writing YOLO's polygons (Ultralytics segmentation), and saying what they lose.

A row is a class and the outline of one connected region, normalised by the image's size; points
are pixel centres. Outlines have no holes, so rows are sorted large to small: painted in this
order, a region in the hole of another comes out again. Unlabelled pixels in a hole do not, nor
does all of two regions that cross at a corner; both are counted.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from pspgui.formats.scheme import LabelFile, Loss, Scheme, Written
from pspgui.formats.ultralytics_folder import described


class YoloScheme(Scheme):
    """images/<split>/<stem>, labels/<split>/<stem>.txt, data.yaml; what is lost is told."""

    key = "yolo-seg"

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._lost = np.zeros(len(self.table), np.int64)
        self._holes = np.zeros(len(self.table), np.int64)
        self._thin = np.zeros(len(self.table), np.int64)
        self._filled = 0
        self._adding = threading.Lock()

    def image_path(self, split: str | None, stem: str, suffix: str) -> str:
        """Return where an image goes."""
        return f"images/{split}/{stem}{suffix}"

    def label_files(self, split: str | None, stem: str, labels: np.ndarray) -> list[LabelFile]:
        """Return the polygons; what painting them would change is added up."""
        ignore, shape = self.table.ignore, (labels.shape[0], labels.shape[1])
        regions, holes, thin = self._regions(labels)
        text = "".join(_row(label, points, shape) for label, points in regions)
        wrong = paint(text, shape, ignore) != labels
        missed = labels[wrong & (labels != ignore)]
        with self._adding:
            self._holes += holes
            self._thin += thin
            self._lost += np.bincount(missed, minlength=len(self.table))
            self._filled += int((wrong & (labels == ignore)).sum())
        return [
            LabelFile(
                f"labels/{split}/{stem}.txt", text.encode("ascii"),
                lambda back: paint(back.decode("ascii"), shape, ignore), lossy=True,
            )
        ]  # fmt: skip

    def closing_files(self, written: Sequence[Written]) -> Mapping[str, bytes]:
        """Return data.yaml."""
        return {"data.yaml": described(written, self.table)}

    def notes(self, written: Sequence[Written]) -> Sequence[str]:
        """Say by class what polygons lost, and whether a split stands in for another."""
        notes = [
            f"{name}: {lost:,} px lost, {holes:,} holes filled, {thin:,} regions one pixel wide, "
            "which trainers leave out"
            for name, lost, holes, thin in zip(
                self.table.names, self._lost, self._holes, self._thin, strict=True
            )
            if lost or holes or thin
        ]
        notes.append(
            f"polygons are lossy: painted large to small they change {int(self._lost.sum()):,} "
            f"labelled and {self._filled:,} unlabelled px; choose voc or npy to lose nothing"
        )
        if not {"train", "val"} <= {entry.split for entry in written}:
            notes.append("train and val in data.yaml are one split; split the export to have two")
        return notes

    def losses(self) -> Mapping[str, Loss]:
        """Return what was lost by class, and the unlabelled pixels of holes that were filled."""
        rows = zip(self.table.names, self._lost, self._holes, strict=True)
        found = {name: Loss(int(lost), int(holes)) for name, lost, holes in rows}
        return {**found, "unlabelled": Loss(self._filled, 0)}

    def _regions(
        self, labels: np.ndarray
    ) -> tuple[list[tuple[int, np.ndarray]], np.ndarray, np.ndarray]:
        """Return (label, outline (N, 2) as x, y) of every region, the largest first.

        Beside them, by class, the holes and the regions that are one pixel wide.
        """
        from pspgui.imaging.opencv import cv2  # slow to import, and the window imports this module

        found: list[tuple[float, int, np.ndarray]] = []
        holes, thin = (np.zeros(len(self.table), np.int64) for _ in range(2))
        for label in np.unique(labels).tolist():
            if label == self.table.ignore:
                continue
            mask = (labels == label).astype(np.uint8)
            outlines, tree = cv2.findContours(mask, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
            for outline, (_, _, _, parent) in zip(outlines, tree[0], strict=True):
                if parent >= 0:
                    holes[label] += 1
                    continue
                points = outline[:, 0]
                area = float(cv2.contourArea(outline))
                thin[label] += int((points.max(0) == points.min(0)).any())
                found.append((area, label, points))
        found.sort(key=lambda region: -region[0])
        return [(label, points) for _, label, points in found], holes, thin


def paint(text: str, shape: tuple[int, int], ignore: int) -> np.ndarray:
    """Return the labels (H, W) uint16 that rows of polygons give, each painted over those before.

    Fractions are cut off as readers of this form do. Raises `ValueError` for other text.
    """
    from pspgui.imaging.opencv import cv2

    height, width = shape
    labels: np.ndarray = np.full(shape, ignore, np.uint16)
    for row in text.splitlines():
        words = row.split()
        points = np.array(words[1:], np.float64).reshape(-1, 2) * (width, height)
        cv2.fillPoly(labels, [points.astype(np.int32)], int(words[0]))
    return labels


def _row(label: int, points: np.ndarray, shape: tuple[int, ...]) -> str:
    """Return one row; a region of one or two points repeats its last, since three are needed."""
    missing = max(0, 3 - len(points))
    whole = np.concatenate([points, np.repeat(points[-1:], missing, axis=0)])
    normal = (whole + 0.5) / (shape[1], shape[0])
    return f"{label} " + " ".join(f"{v:.7g}" for v in normal.ravel()) + "\n"
