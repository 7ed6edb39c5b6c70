"""YOLO polygons: what can be painted back is, and what cannot is counted."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from pspgui.formats import FORMATS, ExportItem, ExportOptions
from pspgui.formats.yolo_folder import YoloScheme, paint
from pspgui.imaging.opencv import cv2
from pspgui.labels.classes import table

CLASSES = table(("road", (1, 0, 0)), ("car", (2, 0, 0)), ('a: "b"', (3, 0, 0)))
SHAPES = array_shapes(min_dims=2, max_dims=2, max_side=14)
MAPS = arrays(np.uint8, SHAPES, elements=st.sampled_from([0, 1, 2, 255]))
ONE_CLASS = arrays(np.uint8, SHAPES, elements=st.sampled_from([1, 255]))


def scheme() -> YoloScheme:
    return YoloScheme(CLASSES, ExportOptions())


def painted(labels: np.ndarray, by: YoloScheme) -> np.ndarray:
    (file,) = by.label_files("train", "a", labels)
    return paint(file.content.decode(), labels.shape, 255)


@given(MAPS)
def test_the_loss_told_is_what_painting_changes(labels: np.ndarray) -> None:
    by = scheme()
    wrong = painted(labels, by) != labels
    unlabelled = labels == 255
    lost, filled = (wrong & ~unlabelled).sum(), (wrong & unlabelled).sum()
    assert f"they change {lost} labelled and {filled} unlabelled px" in by.notes([])[-2]


def test_nested_regions_come_back() -> None:
    labels = np.zeros((40, 40), np.uint8)
    for step, label in enumerate((1, 2, 0, 1, 2), 1):
        labels[4 * step : -3 * step, 3 * step : -4 * step] = label
    labels[:3, 30:] = 2
    labels[39, :7] = 1
    by = scheme()
    assert np.array_equal(painted(labels, by), labels)
    assert "0 labelled and 0 unlabelled px" in by.notes([])[-2]


@given(ONE_CLASS)
def test_only_holes_are_lost_of_a_single_class(labels: np.ndarray) -> None:
    found = painted(labels, scheme())
    filled = np.zeros(labels.shape, bool)
    count, regions = cv2.connectedComponents((labels == 1).astype(np.uint8), connectivity=8)
    for number in range(1, count):
        others = np.pad(regions != number, 1, constant_values=True).astype(np.uint8)
        _, outside = cv2.connectedComponents(others, connectivity=4)
        filled |= outside[1:-1, 1:-1] != outside[0, 0]
    assert np.array_equal(found == 255, ~filled)


def export(tmp_path: Path, *maps: np.ndarray, **options: object):
    items = [
        ExportItem(Path(f"a{i}"), labels, np.zeros((*labels.shape, 3), np.uint8))
        for i, labels in enumerate(maps)
    ]
    kind = next(form for form in FORMATS if form.key == "yolo-seg")
    return kind.export(items, tmp_path / "out", CLASSES, options=ExportOptions(**options))


def test_what_is_lost_is_told_by_class(tmp_path: Path) -> None:
    labels = np.zeros((9, 9), np.uint8)
    labels[3:6, 3:6] = 255
    labels[0, :4] = 1
    report = export(tmp_path, labels)
    assert "road: 0 px lost, 1 holes filled, 0 regions one pixel wide" in report.notes[1]
    assert "car: 0 px lost, 0 holes filled, 1 regions one pixel wide" in report.notes[2]
    assert "0 labelled and 9 unlabelled px" in report.notes[3]
    assert "one split" in report.notes[4]
    rows = (tmp_path / "out" / "labels" / "train" / "a0.txt").read_text().splitlines()
    assert [row.split()[0] for row in rows] == ["0", "1"]
    values = np.array([v for row in rows for v in row.split()[1:]], float)
    assert ((values > 0) & (values < 1)).all()
    assert all(len(row.split()) >= 7 and len(row.split()) % 2 for row in rows)


def test_the_table_of_the_data_set_names_classes_and_folders(tmp_path: Path) -> None:
    square = np.zeros((4, 4), np.uint8)
    export(tmp_path, square, square, train_share=0.5)
    assert (tmp_path / "out" / "data.yaml").read_text().splitlines() == [
        '"train": "images/train"', '"val": "images/val"', "names:",
        '  0: "road"', '  1: "car"', '  2: "a: \\"b\\""',
    ]  # fmt: skip
    assert (tmp_path / "out" / "images" / "val" / "a1.png").is_file()


def test_an_image_without_labels_has_an_empty_file(tmp_path: Path) -> None:
    export(tmp_path, np.full((4, 4), 255, np.uint8))
    assert (tmp_path / "out" / "labels" / "train" / "a0.txt").read_bytes() == b""
