"""Data sets as other programs write them, which need not be as ours are."""

from __future__ import annotations

import json
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pspgui.formats import ExportItem, ExportOptions, FormatError, read_dataset, splits_of
from pspgui.formats.layouts import parquet as parquet_layout
from pspgui.formats.layouts.parquet import LABELS
from pspgui.formats.sources import opened_source
from pspgui.formats.yaml_subset import names_of, read_yaml
from pspgui.imaging import decode_image, encode_labels, encode_png
from pspgui.labels.classes import table

SHAPE = (12, 16)


def picture(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(encode_png(np.zeros((*SHAPE, 3), np.uint8)))
    return path


def read(root: Path, split: str | None = None) -> tuple[dict[str, np.ndarray], tuple[str, ...]]:
    """Return labels by image stem, 255 for unlabelled, and the class names."""
    samples, classes = read_dataset(root, split)
    return {s.image.stem: s.coding.read(s.labels) for s in samples}, classes.names


def rect(y0: int, x0: int, y1: int, x1: int, value: int = 0) -> np.ndarray:
    labels = np.full(SHAPE, 255, np.uint8)
    labels[y0:y1, x0:x1] = value
    return labels


CVAT = """<?xml version="1.0" encoding="utf-8"?>
<annotations><version>1.1</version><meta><task><labels>
<label><name>road</name><color>#ff0000</color><attributes></attributes></label>
<label><name>car</name><color>#00ff00</color></label></labels></task></meta>
<image id="0" name="a.png" width="16" height="12">
<box label="car" source="manual" occluded="0" xtl="4.0" ytl="2.0" xbr="8.0" ybr="6.0" z_order="2">
</box>
<polygon label="road" source="manual" occluded="0" points="0.0,0.0;16.0,0.0;16.0,12.0;0.0,12.0"
 z_order="0"></polygon>
<mask label="car" source="manual" occluded="0" rle="1, 2, 3" left="1" top="9" width="3" height="2"
 z_order="1"><attribute name="x">1</attribute></mask>
<points label="car" points="1.0,1.0" z_order="5"></points>
</image></annotations>"""


def test_cvat_xml_is_painted_by_z_order(tmp_path: Path) -> None:
    picture(tmp_path / "images" / "a.png")
    (tmp_path / "annotations.xml").write_text(CVAT)
    labels, names = read(tmp_path)
    expected = np.zeros(SHAPE, np.uint8)
    expected[9, 2:4] = 1
    expected[2:6, 4:8] = 1
    assert names == ("road", "car") and np.array_equal(labels["a"], expected)
    assert splits_of(tmp_path) == ()
    (tmp_path / "annotations.xml").write_text(CVAT.replace('z_order="2"', 'z_order="--2"'))
    assert read(tmp_path)[0]["a"][3, 5] == 0  # no number is as none: the road lies over the car


def test_cvat_xml_of_the_same_size_and_time_is_read_anew(tmp_path: Path) -> None:
    picture(tmp_path / "images" / "a.png")
    path, changed_ns = tmp_path / "annotations.xml", 0
    for right in (8, 9):  # as a zip made within two seconds leaves it
        path.write_text(CVAT.replace('xbr="8.0"', f'xbr="{right}.0"'))
        os.utime(path, (10**9, 10**9))
        while path.stat().st_ctime_ns == changed_ns:  # the clock of files ticks seldom
            os.utime(path, (10**9, 10**9))
        assert (read(tmp_path)[0]["a"][3] == 1).sum() == right - 4
        changed_ns = path.stat().st_ctime_ns


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [('rle="1, 2, 3"', 'rle="1, 2, 4"', r"mask 3 \(car\): run 3 goes past the 6"),
     ('rle="1, 2, 3"', 'rle="1, 2"', r"mask 3 \(car\): the runs end after 3 of 6"),
     ('rle="1, 2, 3"', 'rle="1, -2, 7"', "not whole numbers with commas"),
     ("0.0,0.0;16.0", "nan,0.0;16.0", r"polygon 2 \(road\): .* not a finite number"),
     ("0.0,0.0;16.0", "1e9,0.0;16.0", "far outside of any image"),
     ("0.0,0.0;16.0", "a,0.0;16.0", "'a' is no number"),
     ('top="9"', 'top="--9"', r"mask 3 \(car\): top is '--9', not a whole number"),
     ('xtl="4.0"', "", "'' is no number"),
     ('width="16" height="12"', 'width="1e5" height="12"', "its width is '1e5'"),
     ('name="a.png"', 'name=""', "not the name of a file"),
     ("</annotations>", "<track id='0'/></annotations>", "images and tracks of a video"),
     ("</annotations>", "", "it is no XML")],
)  # fmt: skip
def test_bad_cvat_xml_is_named(tmp_path: Path, old: str, new: str, reason: str) -> None:
    picture(tmp_path / "images" / "a.png")
    assert old in CVAT
    (tmp_path / "annotations.xml").write_text(CVAT.replace(old, new))
    with pytest.raises(FormatError, match=rf"annotations\.xml.*{reason}"):
        read(tmp_path)


def labelme(path: Path, *shapes: dict, **fields: object) -> None:
    told = {"version": "5.4.1", "shapes": list(shapes), "imagePath": path.stem + ".png",
            "imageData": None, "imageHeight": 12, "imageWidth": 16, **fields}  # fmt: skip
    path.write_text(json.dumps(told))


def test_labelme_polygons_boxes_and_circles(tmp_path: Path) -> None:
    picture(tmp_path / "a.png")
    picture(tmp_path / "b.png")
    (tmp_path / "labels.txt").write_text("__ignore__\n_background_\ncar\nroad\n")
    labelme(
        tmp_path / "a.json",
        {"label": "road", "points": [[0, 0], [16, 0], [16, 6], [0, 6]], "shape_type": "polygon"},
        {"label": "car", "points": [[8, 4], [4, 2]], "shape_type": "rectangle"},
        {"label": "__ignore__", "points": [[0, 0], [2, 2]], "shape_type": "rectangle"},
        imagePath="..\\pictures\\a.png",
    )
    labelme(tmp_path / "b.json", {"label": "car", "points": [[8, 6], [8, 8]], "shape_type":
                                  "circle"})  # fmt: skip
    labels, names = read(tmp_path)
    assert names == ("_background_", "car", "road")
    expected = np.zeros(SHAPE, np.uint8)
    expected[:6] = 2
    expected[2:4, 4:8] = 1
    expected[:2, :2] = 255
    assert np.array_equal(labels["a"], expected)
    assert labels["b"][6, 8] == 1 and (labels["b"] == 1).sum() == 12


@pytest.mark.parametrize(
    ("shape", "reason"),
    [({"label": "car", "points": [[0, 0], [1, 1]], "shape_type": "polygon"}, "three points"),
     ({"label": "car", "points": [[0, 0], [1, 1]], "shape_type": "line"}, "cover no pixels"),
     ({"label": "car", "points": "x", "shape_type": "rectangle"}, "is no number"),
     ({"label": "car", "points": [[0, 0], [1e308, 1]], "shape_type": "rectangle"}, "far outside"),
     ({"label": "car", "points": [[0, 0], [1, 1]], "shape_type": "mask", "mask": "%"}, "base64"),
     ({"label": "car", "points": [[0, 0], [1, 1]], "shape_type": "mask", "mask": "aGVsbG8="},
      "text file"),
     ({"label": 5, "points": []}, "has no label")],
)  # fmt: skip
def test_bad_labelme_shapes_are_named(tmp_path: Path, shape: dict, reason: str) -> None:
    picture(tmp_path / "a.png")
    labelme(tmp_path / "a.json", shape)
    with pytest.raises(FormatError, match=rf"a\.json, shape 1.*{reason}"):
        read(tmp_path)


def test_label_studio_as_it_exports(tmp_path: Path) -> None:
    picture(tmp_path / "images" / "street 1.png")
    size = {"original_width": 16, "original_height": 12, "image_rotation": 0}
    result = [
        {**size, "type": "polygonlabels", "value": {
            "points": [[0, 0], [100, 0], [100, 50], [0, 50]], "polygonlabels": ["road"]}},
        {**size, "type": "rectanglelabels", "value": {
            "x": 25, "y": 50, "width": 25, "height": 25, "rotation": 0,
            "rectanglelabels": ["car"]}},
        {**size, "type": "choices", "value": {"choices": ["sunny"]}},
    ]  # fmt: skip
    tasks = [
        {
            "id": 1,
            "data": {"image": "/data/upload/3/1a2b3c4d-street%201.png"},
            "annotations": [{"result": [], "was_cancelled": True}, {"result": result}],
        }
    ]
    (tmp_path / "project-1-at-2026.json").write_text(json.dumps(tasks))
    labels, names = read(tmp_path, "project-1-at-2026")
    assert names == ("car", "road")
    expected = np.full(SHAPE, 255, np.uint8)
    expected[:6] = 1
    expected[6:9, 4:8] = 0
    assert np.array_equal(labels["street 1"], expected)


def coco(root: Path, *shapes: dict, file: str = "annotations/instances_val2017.json") -> None:
    picture(root / "val2017" / "a.png")
    told = {
        "images": [{"id": 3, "file_name": "a.png", "height": 12, "width": 16}],
        "categories": [{"id": 7, "name": "car"}, {"id": 2, "name": "road"}],
        "annotations": [{"id": n, "image_id": 3, **shape} for n, shape in enumerate(shapes)],
    }  # fmt: skip
    path = root / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(told))


def test_coco_instances_keep_small_shapes_on_large_ones(tmp_path: Path) -> None:
    coco(
        tmp_path,
        {"category_id": 7, "area": 8, "iscrowd": 0, "segmentation": [[2, 2, 6, 2, 6, 4, 2, 4]]},
        {"category_id": 2, "area": 96, "iscrowd": 0, "segmentation": [[0, 0, 16, 0, 16, 6, 0, 6]]},
        {"category_id": 7, "area": 192, "iscrowd": 1,
         "segmentation": {"size": [12, 16], "counts": [0, 192]}},
    )  # fmt: skip
    labels, names = read(tmp_path, "val2017")
    expected = np.ones(SHAPE, np.uint8)
    expected[:6] = 0
    expected[2:4, 2:6] = 1
    assert names == ("road", "car") and np.array_equal(labels["a"], expected)


@pytest.mark.parametrize(
    ("shape", "reason"),
    [({"category_id": 7, "segmentation": {"size": [12, 16], "counts": []}}, "end after 0 of 192"),
     ({"category_id": 7, "segmentation": {"size": [12, 16], "counts": [200]}}, "goes past"),
     ({"category_id": 7, "segmentation": {"size": [16, 12], "counts": [192]}}, "for a size of"),
     ({"category_id": 7, "segmentation": 5}, "neither polygons nor run lengths"),
     ({"category_id": 9, "segmentation": []}, "category 9 is not listed"),
     ({"category_id": 7, "segmentation": [[1e9, 0, 1, 1, 2, 2]]}, "far outside")],
)  # fmt: skip
def test_bad_coco_shapes_are_named(tmp_path: Path, shape: dict, reason: str) -> None:
    coco(tmp_path, shape)
    match = rf"instances_val2017\.json, image 'a\.png', shape 0: .*{reason}"
    with pytest.raises(FormatError, match=match):
        read(tmp_path, "val2017")


def test_roboflow_puts_the_json_beside_the_images(tmp_path: Path) -> None:
    coco(tmp_path, {"category_id": 7, "segmentation": [[0, 0, 4, 0, 4, 4, 0, 4]]},
         file="val2017/_annotations.coco.json")  # fmt: skip
    assert np.array_equal(read(tmp_path, "val2017")[0]["a"], rect(0, 0, 4, 4, 1))


def test_yolo_rows_and_names_in_a_list(tmp_path: Path) -> None:
    picture(tmp_path / "images" / "train" / "a.png")
    picture(tmp_path / "images" / "train" / "b.png")
    rows = tmp_path / "labels" / "train" / "a.txt"
    rows.parent.mkdir(parents=True)
    rows.write_text("1 0.03 0.04 0.46 0.04 0.46 0.45 0.03 0.45\n")
    (tmp_path / "data.yaml").write_text("path: .\ntrain: images/train\nnames: ['road', car]\n")
    labels, names = read(tmp_path, "train")
    assert names == ("road", "car") and np.array_equal(labels["a"], rect(0, 0, 6, 8, 1))
    assert (labels["b"] == 255).all()
    for text, reason in (
        ("2 0 0 1 0 1 1", "its class is 2"),
        ("0 0.5 0.5 0.1 0.1", "a box"),
        ("0 0 0 nan 0 1 1", "finite"),
        ("0 0 0 9 0 1 1", "0 to 1"),
        ("0 a b c d e f", "no row of numbers"),
        ("0 0 0 1 1", "a box"),
    ):
        rows.write_text(text)
        with pytest.raises(FormatError, match=rf"a\.txt, line 1: .*{reason}"):
            read(tmp_path, "train")


def test_ultralytics_masks_without_our_description(tmp_path: Path) -> None:
    picture(tmp_path / "images" / "val" / "a.png")
    path = tmp_path / "masks" / "val" / "a.png"
    path.parent.mkdir(parents=True)
    Image.fromarray(rect(1, 1, 5, 5, 1)).save(path)
    (tmp_path / "set.yaml").write_text("masks_dir: masks\nnames:\n  0: road\n  1: car\n")
    labels, names = read(tmp_path, "val")
    assert names == ("road", "car") and np.array_equal(labels["a"], rect(1, 1, 5, 5, 1))
    Image.fromarray(rect(1, 1, 5, 5, 2)).save(path)
    with pytest.raises(FormatError, match="the value 2; the YAML names 2 classes"):
        read(tmp_path, "val")


def test_cvat_masks_of_one_channel_count_lines(tmp_path: Path) -> None:
    for folder in ("JPEGImages", "SegmentationClass"):
        picture(tmp_path / folder / "a.png")
    (tmp_path / "ImageSets" / "Segmentation").mkdir(parents=True)
    (tmp_path / "ImageSets" / "Segmentation" / "default.txt").write_text("a\n")
    (tmp_path / "labelmap.txt").write_text("background:0,0,0::\nroad:1,2,3::\ncar:4,5,6::\n")
    ids = np.full(SHAPE, 0, np.uint8)
    ids[2:5] = 2
    Image.fromarray(ids).save(tmp_path / "SegmentationClass" / "a.png")
    labels, names = read(tmp_path, "default")
    assert names == ("background", "road", "car") and np.array_equal(labels["a"], ids)
    ids[0, 0] = 3
    Image.fromarray(ids).save(tmp_path / "SegmentationClass" / "a.png")
    with pytest.raises(FormatError, match=r"the value 3; labelmap\.txt has 3 lines"):
        read(tmp_path, "default")


@pytest.mark.parametrize(
    ("text", "names"),
    [("names: [a, b]", ["a", "b"]), ("names: {0: a, 1: 'b c'}", ["a", "b c"]),
     ("names:\n- a\n- \"b: c\"  # two", ["a", "b: c"]), ("names:\n  1: b\n  0: a", ["a", "b"]),
     ("nc: 2 # classes\nnames:\n    - a\n    - b#c\n", ["a", "b#c"])],
)  # fmt: skip
def test_yaml_as_people_write_it(tmp_path: Path, text: str, names: list[str]) -> None:
    path = tmp_path / "data.yaml"
    path.write_text(text)
    assert names_of(path, read_yaml(path)) == names


@pytest.mark.parametrize("text", ["names: {0: a, 2: b}", "nothing: 1", "names: {a}", "just text"])
def test_yaml_without_classes_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "data.yaml"
    path.write_text(text)
    with pytest.raises(FormatError, match=r"data\.yaml"):
        names_of(path, read_yaml(path))


def test_parquet_tells_readers_what_its_columns_are(tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    from pspgui.formats import FORMATS

    item = ExportItem(Path("a"), rect(0, 0, 4, 4), np.zeros((*SHAPE, 3), np.uint8))
    kind = next(form for form in FORMATS if form.key == "parquet")
    kind.export([item], tmp_path, table(("road", (1, 2, 3))), options=ExportOptions())
    found = parquet.read_table(tmp_path / "data" / "train-00000-of-00001.parquet")
    told = json.loads(found.schema.metadata[b"huggingface"])
    assert told["info"]["features"] == {n: {"_type": "Image"} for n in ("image", LABELS[0])}
    (row,) = found.to_pylist()
    assert row["annotation"]["path"] == "a.png" and row["image"]["bytes"][:4] == b"\x89PNG"
    assert json.loads((tmp_path / "id2label.json").read_text()) == {"0": "road"}
    (tmp_path / "data" / "train-00000-of-00001.parquet").write_bytes(b"PAR1 nonsense PAR1")
    with pytest.raises(FormatError, match="no parquet"), opened_source(tmp_path) as source:
        source.parts(None)


def test_rows_of_one_name_are_images_of_their_own(tmp_path: Path) -> None:
    arrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    names = ("image.png", "Image.png", "other.png", "image.png", "image_row000003.png")
    rows = [
        {"image": {"bytes": encode_png(np.full((*SHAPE, 3), number, np.uint8)), "path": name},
         "label": {"bytes": encode_labels(rect(0, 0, 4, 4), np.zeros((1, 3), np.uint8)),
                   "path": name}}
        for number, name in enumerate(names)
    ]  # fmt: skip
    parquet.write_table(arrow.Table.from_pylist(rows), tmp_path / "train-00000-of-00001.parquet")
    (tmp_path / "id2label.json").write_text('{"0": "road"}')
    for _ in range(2):  # unpacked, then found
        samples, _ = read_dataset(tmp_path, "train")
        assert [int(decode_image(s.image).pixels.max()) for s in samples] == [*range(5)]
        assert samples[0].image.name == "image.png" and samples[2].image.name == "other.png"


def test_a_shard_is_read_by_one_thread_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.parquet").write_bytes(b"")
    both = threading.Barrier(2)

    class File:
        def __init__(self, path: Path) -> None:
            pass

        def cell(self, row: int, column: str) -> bytes:
            try:
                both.wait(0.3)
            except threading.BrokenBarrierError:
                return b"alone"
            return b"together"

    monkeypatch.setattr(parquet_layout, "_File", File)
    with ThreadPoolExecutor(2) as pool:
        found = pool.map(lambda row: parquet_layout._cell(tmp_path / "a.parquet", row, "x"), (0, 1))
        assert list(found) == [b"alone", b"alone"]
