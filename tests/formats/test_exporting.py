"""Export to each format, then import, is identity; choices and refusals are the same for all."""

from __future__ import annotations

import io
import json
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from pspgui.durable import SaveError
from pspgui.formats import FORMATS, ExportItem, ExportOptions, FormatError, read_dataset, splits_of
from pspgui.formats.options import SplitChooser, sequence_of
from pspgui.formats.value_map import ValueMap
from pspgui.imaging import decode_image
from pspgui.labels.classes import CAMVID, ClassTable, table
from pspgui.labels.palettes import palette
from pspgui.labels.rle import decode_runs, unpack_runs

EXPORTS = {form.key: form.export for form in FORMATS}
READABLE = [form.key for form in FORMATS if not form.is_lossy]


def labels_of(seed: int, classes: ClassTable = CAMVID, side: int = 9) -> np.ndarray:
    random = np.random.default_rng(seed)
    labels = random.integers(0, len(classes), (side, side + 2)).astype(np.uint8)
    labels[random.random(labels.shape) < 0.2] = classes.ignore
    return labels


def picture(path: Path, seed: int = 0, side: int = 9, **options: object) -> Path:
    pixels = np.random.default_rng(seed).integers(0, 256, (side, side + 2, 3), dtype=np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, **options)
    return path


def items_in(folder: Path, *names: str, classes: ClassTable = CAMVID) -> list[ExportItem]:
    return [
        ExportItem(picture(folder / name, i), labels_of(i, classes)) for i, name in enumerate(names)
    ]


def described(root: Path) -> dict:
    return json.loads((root / "dataset.json").read_text(encoding="utf-8"))


def only_split(root: Path) -> str | None:
    return next(iter(splits_of(root)), None)


@st.composite
def labelled(draw: st.DrawFn) -> tuple[ClassTable, list[np.ndarray]]:
    count = draw(st.integers(1, 200))
    ignore = draw(st.sampled_from([255, count, 254]).filter(lambda v: v >= count))
    rows = [(f"class {i}", (i, 255 - i, (7 * i + 3) % 256)) for i in range(count)]
    classes = table(*rows, ignore=ignore)
    maps = []
    for _ in range(draw(st.integers(1, 3))):
        height, width = draw(st.integers(1, 12)), draw(st.integers(1, 12))
        values = st.sampled_from([*range(count), ignore])
        cells = draw(st.lists(values, min_size=height * width, max_size=height * width))
        maps.append(np.array(cells, np.uint8).reshape(height, width))
    maps[0][0, 0] = 0  # all unlabelled is refused by readers
    return classes, maps


@pytest.mark.parametrize("key", READABLE)
@settings(max_examples=12, deadline=None)
@given(case=labelled())
def test_export_then_import_is_identity(key: str, case: tuple[ClassTable, list]) -> None:
    classes, maps = case
    with tempfile.TemporaryDirectory() as folder:
        items = [
            ExportItem(Path(f"scene {i}"), labels, np.full((*labels.shape, 3), i, np.uint8))
            for i, labels in enumerate(maps)
        ]
        root = Path(folder) / "out"
        report = EXPORTS[key](items, root, classes)
        samples, found = read_dataset(root, only_split(root))
        assert found == classes
        for i, (sample, labels) in enumerate(zip(samples, maps, strict=True)):
            assert np.array_equal(sample.coding.read(sample.labels), labels)
            assert (decode_image(sample.image).pixels == i).all()
        counts = np.bincount(np.concatenate([m.ravel() for m in maps]), minlength=256)
        assert [*report.pixels.values()] == [*counts[: len(classes)], counts[classes.ignore]]


@pytest.mark.parametrize("key", READABLE)
def test_one_class_and_what_is_ignored_are_no_mask_of_black_and_white(tmp_path, key):
    labels = np.array([[0, 255], [255, 0]], np.uint8)
    items = [ExportItem(Path("scene"), labels, np.zeros((2, 2, 3), np.uint8))]
    EXPORTS[key](items, tmp_path / "out", table(("thing", (0, 255, 3))))
    ((sample,), _) = read_dataset(tmp_path / "out", only_split(tmp_path / "out"))
    assert np.array_equal(sample.coding.read(sample.labels), labels)


@pytest.mark.parametrize("key", EXPORTS)
def test_an_export_describes_itself(tmp_path: Path, key: str) -> None:
    items = items_in(tmp_path / "in", "a.jpg", "b.jpg", "c.jpg", "d.jpg", "e.jpg")
    options = ExportOptions(train_share=0.6, model="0123abcd")
    report = EXPORTS[key](items, tmp_path / "out", CAMVID, options=options)
    told = described(tmp_path / "out")
    assert told["format"] == key and told["model"] == "0123abcd"
    assert told["written_by"].startswith("pspgui ")
    assert ClassTable.from_json(told["classes"]) == CAMVID
    assert {s["name"]: s["images"] for s in told["splits"]} == {"train": 3, "val": 2}
    summed = {n: sum(s["pixels"][n] for s in told["splits"]) for n in report.pixels}
    assert summed == report.pixels and sum(summed.values()) == 5 * 9 * 11


@pytest.mark.parametrize("key", READABLE)
def test_both_splits_are_read(tmp_path: Path, key: str) -> None:
    items = items_in(tmp_path / "in", "a.jpg", "b.jpg", "c.jpg")
    EXPORTS[key](items, tmp_path / "out", CAMVID, options=ExportOptions(train_share=0.5))
    assert [len(read_dataset(tmp_path / "out", s)[0]) for s in ("train", "val")] == [2, 1]


@pytest.mark.parametrize("key", sorted(set(EXPORTS) - {"parquet"}))  # holds them inside
def test_images_are_copied_linked_or_left_out(tmp_path: Path, key: str) -> None:
    items = items_in(tmp_path / "in", "a.png")
    for how in ("copy", "link", "none"):
        root, options = tmp_path / how, ExportOptions(images=how)
        if key in ("folder", "geotiff") and how == "none":
            with pytest.raises(FormatError, match="needs its images"):
                EXPORTS[key](items, root, CAMVID, options=options)
            continue
        EXPORTS[key](items, root, CAMVID, options=options)
        same = [p for p in root.rglob("*") if p.is_file()
                and p.read_bytes() == items[0].image.read_bytes()]  # fmt: skip
        assert [p.is_symlink() for p in same] == {"copy": [False], "link": [True], "none": []}[how]


@pytest.mark.parametrize("key", EXPORTS)
def test_names_and_turned_photos(tmp_path: Path, key: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    items = items_in(tmp_path / "in", "a b.png", "sub/a b.png", "A_B.bmp", "plain: 1.jpg")
    turned = ExportItem(
        picture(tmp_path / "in" / "turned.jpg", 9, exif=exif), labels_of(9).T.copy()
    )  # fmt: skip
    report = EXPORTS[key]([*items, turned], tmp_path / "out", CAMVID)
    assert report.images == 5 and not report.failed
    assert any("EXIF" in note for note in report.notes)
    if key in READABLE:
        samples, _ = read_dataset(tmp_path / "out", only_split(tmp_path / "out"))
        found = {s.coding.read(s.labels).astype(np.uint8).tobytes() for s in samples}
        assert found == {i.labels.tobytes() for i in [*items, turned]}
        for sample in samples:
            with Image.open(sample.image) as plain:  # a reader that knows nothing of EXIF
                read = sample.coding.read(sample.labels)
                assert (plain.height, plain.width) == read.shape


@pytest.mark.parametrize("key", sorted(set(EXPORTS) - {"folder", "geotiff"}))
def test_only_an_empty_folder_is_filled(tmp_path: Path, key: str) -> None:
    (item,) = items_in(tmp_path / "in", "a.png")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("keep")
    with pytest.raises(FormatError, match="files here already; choose an empty folder"):
        EXPORTS[key]([item], tmp_path / "out", CAMVID)
    with pytest.raises(FormatError, match="the share of train, not both"):
        EXPORTS[key]([item], tmp_path / "o", CAMVID, "val", options=ExportOptions(train_share=0.5))
    with pytest.raises(FormatError, match="no image was given"):
        EXPORTS[key]([], tmp_path / "o", CAMVID)


@pytest.mark.parametrize("key", ["voc", "cityscapes", "cvat-xml", "cvat-mask", "geotiff"])
def test_what_a_convention_fixes_cannot_be_chosen(tmp_path: Path, key: str) -> None:
    for options in (ExportOptions(first_value=1), ExportOptions(ignore_value=0)):
        with pytest.raises(FormatError, match="fixes the"):
            EXPORTS[key](items_in(tmp_path, "a.png"), tmp_path / "out", CAMVID, options=options)


@pytest.mark.parametrize("key", ["voc", "cityscapes", "ade20k"])
def test_too_many_classes_are_refused(tmp_path: Path, key: str) -> None:
    many = table(*((f"c{i}", (0, 0, i % 256)) for i in range(256)), ignore=65535)
    with pytest.raises(FormatError, match=r"256|c255"):
        EXPORTS[key](items_in(tmp_path, "a.png"), tmp_path / "out", many)


def test_a_link_that_cannot_be_made_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(Path, "symlink_to", refuse)
    with pytest.raises(SaveError, match=r"not permitted.*copy the images instead"):
        EXPORTS["voc"](items_in(tmp_path / "in", "a.png"), tmp_path / "out", CAMVID,
                       options=ExportOptions(images="link"))  # fmt: skip


def test_another_split_joins_the_description_of_a_folder(tmp_path: Path) -> None:
    for split in ("train", "val"):
        EXPORTS["folder"](items_in(tmp_path / "in", "a.png"), tmp_path / "out", CAMVID, split)
    assert [s["name"] for s in described(tmp_path / "out")["splits"]] == ["train", "val"]


def test_video_neighbours_stay_together(tmp_path: Path) -> None:
    names = [
        f"{seq}_{frame:05d}.png" for seq in ("0001TP", "0016E5", "Seq05VD") for frame in (1, 2)
    ]
    options = ExportOptions(train_share=0.7, group="sequence")
    EXPORTS["voc"](items_in(tmp_path / "in", *names), tmp_path / "out", CAMVID, options=options)
    lists = tmp_path / "out" / "ImageSets" / "Segmentation"
    assert {p.stem: p.read_text().split() for p in lists.iterdir()} == {
        "train": ["0001TP_00001", "0001TP_00002", "Seq05VD_00001", "Seq05VD_00002"],
        "val": ["0016E5_00001", "0016E5_00002"],
    }
    one = EXPORTS["voc"](items_in(tmp_path / "in", *names[:2]), tmp_path / "one", CAMVID,
                         options=options)  # fmt: skip
    assert "the split val is empty" in one.notes[-1]


def test_sequences_by_name() -> None:
    city = "aachen_000000_0000{}_leftImg8bit.png"
    assert sequence_of(Path(city.format(19))) == sequence_of(Path(city.format(20)))
    assert sequence_of(Path("a/7.png")) == sequence_of(Path("a/8.png"))
    assert sequence_of(Path("a/7.png")) != sequence_of(Path("b/7.png"))
    assert sequence_of(Path("video1_001.png")) != sequence_of(Path("video2_001.png"))


@given(st.floats(0.05, 0.95), st.integers(1, 200))
def test_shares_come_out_to_within_one_image(share: float, count: int) -> None:
    chooser = SplitChooser(share, "image")
    for number in range(count):
        image = Path(f"{number}.png")
        chooser.count(image, chooser.choose(image))
    assert abs(chooser.counts["train"] - share * count) <= 1


def test_voc_is_as_its_readers_expect(tmp_path: Path) -> None:
    report = EXPORTS["voc"](items_in(tmp_path / "in", "a b.png"), tmp_path / "out", CAMVID, "val")
    root = tmp_path / "out"
    assert (root / "ImageSets" / "Segmentation" / "val.txt").read_text() == "a_b\n"
    with Image.open(root / "SegmentationClass" / "a_b.png") as file:
        assert file.mode == "P" and np.array_equal(np.asarray(file), labels_of(0))
        assert file.getpalette()[:6] == [128, 128, 128, 128, 0, 0]
        assert file.getpalette()[765:] == [224, 224, 192]
    assert any(".jpg" in note for note in report.notes)


def test_cityscapes_has_the_published_ids(tmp_path: Path) -> None:
    classes = table(("Car", (0, 0, 142)), ("road", (128, 64, 128)))
    labels = np.array([[0, 1, 255]], np.uint8)
    pixels = np.zeros((1, 3, 3), np.uint8)
    items = [ExportItem(Path(n), labels, pixels) for n in ("bonn_000001_000019", "my car")]
    EXPORTS["cityscapes"](items, tmp_path / "out", classes, "val")
    root = tmp_path / "out"
    names = ("bonn/bonn_000001_000019", "export/my-car_000000_000000")
    for name in names:
        assert (root / "leftImg8bit" / "val" / f"{name}_leftImg8bit.png").is_file()
        for ending, ids in (("labelIds", [26, 7, 0]), ("labelTrainIds", [13, 0, 255])):
            with Image.open(root / "gtFine" / "val" / f"{name}_gtFine_{ending}.png") as file:
                assert file.mode == "L" and np.asarray(file).tolist() == [ids]
    (root / "dataset.json").unlink()  # as a reader that knows the published form alone
    samples, found = read_dataset(root, "val")
    assert found == palette("cityscapes19")
    assert samples[0].coding.read(samples[0].labels).tolist() == [[13, 0, 255]]


def test_own_classes_in_cityscapes_get_no_published_ids(tmp_path: Path) -> None:
    items = items_in(tmp_path / "in", "a.jpg")
    report = EXPORTS["cityscapes"](items, tmp_path / "out", CAMVID)
    assert not list((tmp_path / "out").rglob("*labelIds.png"))
    assert "were not written" in report.notes[-1]
    (image,) = (tmp_path / "out").rglob("*_leftImg8bit.png")
    with Image.open(image) as file:
        assert file.format == "PNG"
        assert np.array_equal(np.asarray(file), decode_image(items[0].image).pixels)


def test_ade20k_counts_from_one(tmp_path: Path) -> None:
    EXPORTS["ade20k"](items_in(tmp_path / "in", "a.jpg"), tmp_path / "out", CAMVID)
    labels = labels_of(0)
    with Image.open(tmp_path / "out" / "annotations" / "training" / "a.png") as file:
        assert file.mode == "L"
        assert np.array_equal(np.asarray(file), np.where(labels == 255, 0, labels + 1))


def test_cvat_has_colours_and_their_names(tmp_path: Path) -> None:
    EXPORTS["cvat-mask"](items_in(tmp_path / "in", "a.jpg"), tmp_path / "out", CAMVID)
    lines = (tmp_path / "out" / "labelmap.txt").read_text().splitlines()
    assert lines[1:3] == ["background:0,0,0::", "Sky:128,128,128::"] and len(lines) == 13
    with Image.open(tmp_path / "out" / "SegmentationClass" / "a.png") as file:
        expected = CAMVID.palette()
        expected[255] = 0
        assert file.mode == "RGB" and np.array_equal(np.asarray(file), expected[labels_of(0)])


def test_cvat_with_a_black_class_and_foreign_labelmaps(tmp_path: Path) -> None:
    classes = table(("background", (0, 0, 0)), ("cat", (9, 0, 0)))
    root = tmp_path / "out"
    EXPORTS["cvat-mask"](items_in(tmp_path / "in", "a.jpg", classes=classes), root, classes)
    assert read_dataset(root, "train")[1] == classes
    assert "unlabelled:224,224,192::" in (root / "labelmap.txt").read_text()
    (root / "dataset.json").unlink()
    assert read_dataset(root, "train")[1].names == ("unlabelled", "background", "cat")
    for text, reason in (
        ("cat:1,2::\n", "line 1: expected"),
        ("cat:1,2,999::\n", "line 1: expected"),
        ("cat:1,2,3::\ndog:1,2,3::\n", "line 2: .* twice"),
        ("# nothing\n", "no class is listed"),
        ("cat:9,0,0::\n", r"a\.png holds the colour"),
    ):
        (root / "labelmap.txt").write_text(text)
        with pytest.raises(FormatError, match=reason):
            read_dataset(root, "train")


@pytest.mark.parametrize("name", ["a:b", "#a", " a", "a\nb"])
def test_cvat_refuses_what_labelmap_cannot_hold(tmp_path: Path, name: str) -> None:
    with pytest.raises(FormatError, match="rename it"):
        EXPORTS["cvat-mask"]([], tmp_path / "out", table((name, (1, 1, 1))))
    with pytest.raises(FormatError, match="a and b have one colour"):
        EXPORTS["cvat-mask"]([], tmp_path / "out", table(("a", (1, 1, 1)), ("b", (1, 1, 1))))


@pytest.mark.parametrize(
    "text", ["{", "[1]", '{"written_by": 1}', '{"written_by": 1, "classes": {"classes": []}}']
)
def test_a_damaged_description_is_no_reason_to_guess(tmp_path: Path, text: str) -> None:
    EXPORTS["voc"](items_in(tmp_path / "in", "a.jpg"), tmp_path / "out", CAMVID)
    (tmp_path / "out" / "dataset.json").write_text(text)
    if text == "[1]":  # another program's file: the published classes hold
        assert read_dataset(tmp_path / "out", "train")[1] == palette("voc2012")
        return
    with pytest.raises(FormatError, match=r"dataset\.json: the classes of this export"):
        read_dataset(tmp_path / "out", "train")


@pytest.mark.parametrize("values", [[0], [0, 0], [0, "1"], [0, -1], [0, 70000], None])
def test_damaged_values_are_refused(tmp_path: Path, values: object) -> None:
    classes = table(("a", (1, 1, 1)), ("b", (2, 2, 2)))
    EXPORTS["voc"](items_in(tmp_path / "in", "a.jpg", classes=classes), tmp_path / "out", classes)
    told = described(tmp_path / "out")
    told["values"]["classes"] = values
    (tmp_path / "out" / "dataset.json").write_text(json.dumps(told))
    with pytest.raises(FormatError):
        read_dataset(tmp_path / "out", "train")


def test_two_meanings_of_a_value_are_refused() -> None:
    with pytest.raises(FormatError, match="the value 3 would mean Road and unlabelled both"):
        ValueMap.counted(CAMVID, ignore=3)


@pytest.mark.parametrize("first", [0, 1])
def test_mmseg_gets_a_config_that_loads(tmp_path: Path, first: int) -> None:
    items = items_in(tmp_path / "in", "a.jpg.jpg", "b.png", "c.jpg", "d.jpg")
    options = ExportOptions(train_share=0.75, first_value=first)
    EXPORTS["mmseg"](items, tmp_path / "out", CAMVID, options=options)
    root = tmp_path / "out"
    config: dict = {}
    text = (root / "mmseg_dataset.py").read_text().replace("{{ fileDirname }}", str(root))
    exec(compile(text, "mmseg_dataset.py", "exec"), config)
    assert config["num_classes"] == 11 and config["metainfo"]["classes"] == CAMVID.names
    assert config["val_evaluator"] == {"type": "IoUMetric", "iou_metrics": ["mIoU"]}
    train, val = (config[f"{s}_dataloader"]["dataset"] for s in ("train", "val"))
    found = []
    for part in (*train.get("datasets", [train]), *val.get("datasets", [val])):
        assert part["type"] == "BaseSegDataset" and part["reduce_zero_label"] == bool(first)
        folders = part["data_prefix"]
        for image in sorted((Path(part["data_root"]) / folders["img_path"]).iterdir()):
            if image.name.endswith(part["img_suffix"]):
                name = image.name.replace(part["img_suffix"], part["seg_map_suffix"])
                with Image.open(Path(part["data_root"]) / folders["seg_map_path"] / name) as file:
                    values = np.asarray(file)
                found.append((values - np.uint8(first)).tobytes())  # 0 - 1 is 255
    assert sorted(found) == sorted(i.labels.tobytes() for i in items)
    samples, _ = read_dataset(root, "train")
    assert samples[0].coding.read(samples[0].labels).tobytes() in found


def test_mmseg_knows_no_other_ignore_value(tmp_path: Path) -> None:
    for options in (ExportOptions(ignore_value=7), ExportOptions(ignore_value=255, first_value=1)):
        with pytest.raises(FormatError, match="MMSegmentation ignores"):
            EXPORTS["mmseg"]([], tmp_path / "out", CAMVID, options=options)
    (tmp_path / "img_dir" / "train").mkdir(parents=True)
    (tmp_path / "ann_dir" / "train").mkdir(parents=True)
    with pytest.raises(FormatError, match="it is a program"):
        read_dataset(tmp_path, "train")


@pytest.mark.parametrize(("first", "ignore"), [(0, None), (1, 0), (1, None), (0, 1000)])
def test_arrays_hold_the_chosen_values(tmp_path: Path, first: int, ignore: int | None) -> None:
    options = ExportOptions(first_value=first, ignore_value=ignore)
    EXPORTS["npy"](items_in(tmp_path / "in", "a.jpg"), tmp_path / "out", CAMVID, options=options)
    array = np.load(tmp_path / "out" / "arrays" / "train" / "a.npy", allow_pickle=False)
    labels, other = labels_of(0).astype(int), 255 if ignore is None else ignore
    assert np.array_equal(array, np.where(labels == 255, other, labels + first))
    assert array.dtype == (np.uint16 if other > 255 else np.uint8)
    (sample,), classes = read_dataset(tmp_path / "out", "train")
    assert classes == CAMVID and np.array_equal(sample.coding.read(sample.labels), labels)


def test_arrays_hold_more_than_255_classes(tmp_path: Path) -> None:
    many = table(*((f"c{i}", (0, 0, i % 256)) for i in range(300)), ignore=65535)
    labels = np.array([[0, 299, 65535]], np.uint16)
    item = ExportItem(Path("a"), labels, np.zeros((1, 3, 3), np.uint8))
    EXPORTS["npy"]([item], tmp_path / "out", many)
    (sample,), classes = read_dataset(tmp_path / "out", "train")
    assert classes == many and np.array_equal(sample.coding.read(sample.labels), labels)


def bad_arrays() -> dict[str, tuple[bytes, str]]:
    def saved(array: np.ndarray) -> bytes:
        stream = io.BytesIO()
        np.save(stream, array, allow_pickle=True)
        return stream.getvalue()

    good = saved(np.zeros((9, 11), np.uint8))
    return {
        "nothing": (b"", "the file is empty"),
        "text": (b"hello, this is a text", "no array that numpy saved"),
        "short": (good[:-1], "should hold 99 bytes of values, but has 98"),
        "long": (good + b"x", "has 100"),
        "huge": (good.replace(b"(9, 11), }", b"(9" + b"9" * 8 + b",11)}"), "should hold"),
        "objects": (saved(np.array([[{}]])), "uint8 or uint16, not"),
        "fractions": (saved(np.zeros((9, 11))), "uint8 or uint16, not"),
        "cube": (saved(np.zeros((9, 11, 3), np.uint8)), "uint8 or uint16, not"),
        "empty": (saved(np.zeros((0, 11), np.uint8)), "uint8 or uint16, not"),
        "unlisted": (saved(np.full((9, 11), 77, np.uint8)), "the value 77"),
        "header": (good.replace(b"'descr'", b"'d(scr'"), "no array that numpy saved"),
    }


@pytest.mark.parametrize("name", bad_arrays())
def test_bad_arrays_are_refused_by_name(tmp_path: Path, name: str) -> None:
    EXPORTS["npy"](items_in(tmp_path / "in", "a.jpg"), tmp_path / "out", CAMVID)
    content, reason = bad_arrays()[name]
    path = tmp_path / "out" / "arrays" / "train" / "a.npy"
    path.write_bytes(content)
    with pytest.raises(FormatError, match=rf"a\.npy.*{reason}"):
        read_dataset(tmp_path / "out", "train")


def test_arrays_of_other_byte_and_axis_order_are_read(tmp_path: Path) -> None:
    EXPORTS["npy"](items_in(tmp_path / "in", "a.jpg"), tmp_path / "out", CAMVID)
    path = tmp_path / "out" / "arrays" / "train" / "a.npy"
    np.save(path, np.asfortranarray(labels_of(0).astype(">u2")))
    (sample,), _ = read_dataset(tmp_path / "out", "train")
    assert np.array_equal(sample.coding.read(sample.labels), labels_of(0))


def coco(root: Path, name: str) -> dict:
    return json.loads((root / "annotations" / f"{name}.json").read_text(encoding="utf-8"))


def test_coco_run_lengths_and_panoptic_say_the_same(tmp_path: Path) -> None:
    items = items_in(tmp_path / "in", "a.jpg", "b.png")
    EXPORTS["coco"](items, tmp_path / "out", CAMVID, "val")
    told = coco(tmp_path / "out", "instances_val")
    maps = {
        entry["id"]: np.full((entry["height"], entry["width"]), 255) for entry in told["images"]
    }
    for entry in told["annotations"]:
        runs, image = entry["segmentation"], maps[entry["image_id"]]
        mask = decode_runs(unpack_runs(runs["counts"], image.size), tuple(runs["size"]))
        x, y, width, height = entry["bbox"]
        assert entry["area"] == mask.sum() == mask[y : y + height, x : x + width].sum()
        assert (image[mask] == 255).all()
        image[mask] = entry["category_id"] - 1
    for item, found in zip(items, maps.values(), strict=True):
        assert np.array_equal(found, item.labels)
    assert len({entry["id"] for entry in told["annotations"]}) == len(told["annotations"])
    panoptic = coco(tmp_path / "out", "panoptic_val")
    assert [image["file_name"] for image in panoptic["images"]] == ["a.jpg", "b.png"]
    for item, entry in zip(items, panoptic["annotations"], strict=True):
        with Image.open(tmp_path / "out/annotations/panoptic_val" / entry["file_name"]) as file:
            pixels = np.asarray(file).astype(int)
        ids = pixels[..., 0] + 256 * pixels[..., 1] + 65536 * pixels[..., 2]
        assert {s["id"]: s["area"] for s in entry["segments_info"]} == {
            int(i): int((ids == i).sum()) for i in np.unique(ids) if i
        }
        assert np.array_equal(np.where(ids == 0, 255, ids - 1), item.labels)


def test_published_coco_has_many_segments_of_a_class(tmp_path: Path) -> None:
    segments = [{"id": i, "category_id": c} for i, c in ((7, 90), (66000, 3), (300, 90))]
    told = {
        "images": [{"id": 12, "file_name": "a.jpg"}],
        "annotations": [{"image_id": 12, "file_name": "a.png", "segments_info": segments}],
        "categories": [{"id": 90, "name": "dog"}, {"id": 3, "name": "cat"}],
    }
    picture(tmp_path / "train2017" / "a.jpg")
    folder = tmp_path / "annotations" / "panoptic_train2017"
    folder.mkdir(parents=True)
    ids = np.array([[7, 66000, 300, 0]])
    pixels = np.stack([ids & 255, ids >> 8 & 255, ids >> 16], -1).astype(np.uint8)
    Image.fromarray(pixels).save(folder / "a.png")
    path = tmp_path / "annotations" / "panoptic_train2017.json"
    path.write_text(json.dumps(told))
    (sample,), classes = read_dataset(tmp_path, "train2017")
    assert classes.names == ("cat", "dog") and sample.image.parent.name == "train2017"
    assert sample.coding.read(sample.labels).tolist() == [[1, 0, 1, 255]]

    entry = told["annotations"][0]
    for key, value, reason in (
        ("file_name", "../../a.png", "not the name of a file"),
        ("image_id", 5, "belongs to image 5, which is not listed"),
        ("segments_info", [{"id": 7, "category_id": 4}], "category 4, which is not listed"),
        ("segments_info", [{"id": 1 << 24, "category_id": 3}], "ids are 1 to 16777215"),
        ("segments_info", [{"id": 7.5, "category_id": 3}], "ids are 1 to"),
        ("segments_info", [{"id": float("nan"), "category_id": 3}], "NaN is no number"),
        ("segments_info", 5, "no panoptic JSON"),
        ("segments_info", segments[:2], "lists no such segment"),
    ):
        path.write_text(json.dumps({**told, "annotations": [{**entry, key: value}]}))
        with pytest.raises(FormatError, match=reason):
            read_dataset(tmp_path, "train2017")
    for text in ("{", "[]", "{}", "[" * 100_000):
        path.write_text(text)
        with pytest.raises(FormatError, match=r"panoptic_train2017\.json: it is no panoptic JSON"):
            read_dataset(tmp_path, "train2017")


def test_geotiff_labels_lie_where_their_image_lies(tmp_path: Path) -> None:
    import rasterio
    from rasterio.transform import from_origin

    source = tmp_path / "in" / "map.tif"
    source.parent.mkdir()
    place = from_origin(500000, 5800000, 0.2, 0.2)
    with rasterio.open(source, "w", driver="GTiff", height=9, width=11, count=3, dtype="uint8",
                       crs="EPSG:32633", transform=place) as file:  # fmt: skip
        file.write(np.zeros((3, 9, 11), np.uint8))
    items = [ExportItem(source, labels_of(1)), *items_in(tmp_path / "in", "plain.png")]
    report = EXPORTS["geotiff"](items, tmp_path / "out", CAMVID)
    with rasterio.open(tmp_path / "out" / "labels" / "map.tif") as file:
        assert np.array_equal(file.read(1), labels_of(1))
        assert file.transform == place and file.crs.to_epsg() == 32633
    assert any("whose labels have none either: 1" in note for note in report.notes)
    samples, classes = read_dataset(tmp_path / "out")
    assert classes == CAMVID and len(samples) == 2
