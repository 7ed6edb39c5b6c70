"""Published data sets are recognised by their folders and read as their authors mean them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pspgui.formats import LAYOUTS, FormatError, read_dataset, splits_of
from pspgui.formats.reading import layout_of
from pspgui.formats.samples import find_split
from pspgui.imaging import encode_labels
from pspgui.labels.classes import CAMVID, ClassTable
from pspgui.labels.palettes import palette
from pspgui.training.datasets import FolderSource


def image(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((2, 4, 3), 90, np.uint8)).save(path)
    return path


def labels(path: Path, *values: int, table: ClassTable | None = None) -> Path:
    """Write a 2 x 4 label file that holds these values, grey unless a palette is given."""
    path.parent.mkdir(parents=True, exist_ok=True)
    array = np.resize(np.array(values, np.uint8), (2, 4))
    if table is None:
        Image.fromarray(array).save(path)
    else:
        path.write_bytes(encode_labels(array, table.palette()))
    return path


def ade(root: Path) -> Path:
    for split in ("training", "validation"):
        image(root / "images" / split / f"ADE_{split}_1.jpg")
        labels(root / "annotations" / split / f"ADE_{split}_1.png", 0, 1, 150)
    return root


def voc(root: Path) -> Path:
    table = palette("voc2012")
    for stem in ("2007_000032", "2007_000033", "2008_000002"):
        image(root / "JPEGImages" / f"{stem}.jpg")
    for stem in ("2007_000032", "2007_000033"):
        labels(root / "SegmentationClass" / f"{stem}.png", 0, 15, 255, table=table)
    for stem in ("2007_000032", "2008_000002"):
        labels(root / "SegmentationClassAug" / f"{stem}.png", 0, 20, 255)
    lists = root / "ImageSets" / "Segmentation"
    lists.mkdir(parents=True)
    (lists / "train.txt").write_text("2007_000032\n")
    (lists / "val.txt").write_text("2007_000033\r\n\r\n")
    (lists / "trainval.txt").write_text("2007_000032\n2007_000033\n")
    (lists / "trainaug.txt").write_text("2007_000032\n2008_000002\n2007_000033\n")
    (lists / "train_pairs.txt").write_text(
        "/JPEGImages/2007_000032.jpg /SegmentationClassAug/2007_000032.png\n"
        "JPEGImages/2007_000033.jpg SegmentationClass/2007_000033.png\n"
    )
    return root


def cityscapes(root: Path, ending: str = "labelIds", values: tuple[int, ...] = (7, 33, 0)) -> Path:
    for city in ("bochum", "aachen"):
        stem = f"{city}_000000_000019"
        image(root / "leftImg8bit" / "val" / city / f"{stem}_leftImg8bit.png")
        where = root / "gtFine" / "val" / city
        labels(where / f"{stem}_gtFine_{ending}.png", *values)
        labels(where / f"{stem}_gtFine_color.png", 77)
        labels(where / f"{stem}_gtFine_instanceIds.png", 99)
    return root


def segnet(root: Path) -> Path:
    for split, stem in (
        ("train", "0001TP_006690"),
        ("val", "0016E5_07959"),
        ("test", "Seq05VD_f0"),
    ):
        image(root / split / f"{stem}.png")
        labels(root / f"{split}annot" / f"{stem}.png", 0, 10, 11)
        (root / f"{split}.txt").write_text(
            f"/SegNet/CamVid/{split}/{stem}.png /SegNet/CamVid/{split}annot/{stem}.png\n"
        )
    return root


def coloured(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    colours = [(128, 128, 128), (64, 192, 0), (0, 0, 0), (192, 0, 192)]
    Image.fromarray(np.array([colours, colours], np.uint8)).save(path)
    return path


def read(root: Path, split: str) -> list[np.ndarray]:
    samples, table = read_dataset(root, split)
    source = FolderSource(samples, table)
    return [source.read(i).labels for i in range(len(source))]


@pytest.mark.parametrize("below", [".", "ADEChallengeData2016"])
def test_ade20k(tmp_path: Path, below: str) -> None:
    ade(tmp_path / below)
    samples, table = read_dataset(tmp_path, "val")

    assert table == palette("ade20k150")
    assert [s.image.name for s in samples] == ["ADE_validation_1.jpg"]
    assert read(tmp_path, "train")[0].tolist() == [[255, 0, 149, 255], [0, 149, 255, 0]]
    assert splits_of(tmp_path) == ("training", "validation")


@pytest.mark.parametrize("below", [".", "VOC2012", "VOCdevkit/VOC2012"])
def test_voc_with_its_lists(tmp_path: Path, below: str) -> None:
    root = voc(tmp_path / below)
    samples, table = read_dataset(tmp_path, "validation")

    assert table == palette("voc2012")
    assert [s.image.stem for s in samples] == ["2007_000033"]
    assert read(tmp_path, "val")[0].ravel().tolist() == [0, 15, 255, 0, 15, 255, 0, 15]
    assert len(read_dataset(root, "trainval")[0]) == 2


def test_voc_aug_lists_take_the_added_labels_first(tmp_path: Path) -> None:
    voc(tmp_path)
    added, published = tmp_path / "SegmentationClassAug", tmp_path / "SegmentationClass"

    for split in ("trainaug", "train_aug"):
        samples, _ = read_dataset(tmp_path, split)
        assert [s.labels.parent for s in samples] == [added, added, published]
    samples, _ = read_dataset(tmp_path, "train_pairs")
    assert [s.labels.parent for s in samples] == [added, published]
    assert [s.labels.parent for s in read_dataset(tmp_path, "train")[0]] == [published]


def test_voc_names_the_line_that_has_no_file(tmp_path: Path) -> None:
    voc(tmp_path)
    lists = tmp_path / "ImageSets" / "Segmentation"
    (lists / "test.txt").write_text("2007_000032\n2008_000002\n2011_000001\n")
    with pytest.raises(FormatError, match=r"test\.txt, line 3: '2011_000001' has no image"):
        read_dataset(tmp_path, "test")
    image(tmp_path / "JPEGImages" / "2011_000001.jpg")
    with pytest.raises(FormatError, match=r"line 3: '2011_000001' has no labels .* withholds"):
        read_dataset(tmp_path, "test")
    (lists / "test.txt").write_text("\n")
    with pytest.raises(FormatError, match=r"test\.txt: the list is empty"):
        read_dataset(tmp_path, "test")


def test_cityscapes_label_ids_become_train_ids(tmp_path: Path) -> None:
    cityscapes(tmp_path)
    samples, table = read_dataset(tmp_path, "val")

    assert table == palette("cityscapes19")
    assert [s.image.parent.name for s in samples] == ["aachen", "bochum"]
    assert [s.labels.name.rpartition("_")[2] for s in samples] == ["labelIds.png"] * 2
    assert read(tmp_path, "val")[0].ravel().tolist() == [0, 18, 255, 0, 18, 255, 0, 18]


def test_cityscapes_train_ids_are_taken_as_they_are(tmp_path: Path) -> None:
    cityscapes(tmp_path, "labelTrainIds", (0, 18, 255))

    assert read(tmp_path, "val")[0].ravel().tolist() == [0, 18, 255, 0, 18, 255, 0, 18]


def test_cityscapes_label_ids_under_the_other_name_are_noticed(tmp_path: Path) -> None:
    cityscapes(tmp_path, "labelTrainIds", (7, 33, 0))

    with pytest.raises(FormatError, match=r"labelTrainIds\.png holds the value 33; .* labelIds"):
        read_dataset(tmp_path, "val")


def test_withheld_labels_are_no_labels(tmp_path: Path) -> None:
    cityscapes(tmp_path, values=(0, 1, 2, 3))

    with pytest.raises(FormatError, match=r"every pixel .* withheld"):
        read_dataset(tmp_path, "val")


def test_cityscapes_names_what_is_missing(tmp_path: Path) -> None:
    cityscapes(tmp_path)
    (tmp_path / "leftImg8bit" / "train").mkdir()
    with pytest.raises(FormatError, match=r"gtFine/train: there is no such folder"):
        read_dataset(tmp_path, "train")
    image(tmp_path / "leftImg8bit" / "val" / "aachen" / "aachen_000001_000019_leftImg8bit.png")
    with pytest.raises(FormatError, match=r"aachen_000001_000019_leftImg8bit\.png: no labels"):
        read_dataset(tmp_path, "val")


@pytest.mark.parametrize("listed", [True, False])
def test_camvid_as_prepared_for_segnet(tmp_path: Path, listed: bool) -> None:
    segnet(tmp_path)
    if not listed:
        for path in tmp_path.glob("*.txt"):
            path.unlink()

    assert splits_of(tmp_path) == ("train", "val", "test")
    for split in splits_of(tmp_path):
        assert read(tmp_path, split)[0].ravel().tolist() == [0, 10, 255, 0, 10, 255, 0, 10]
    assert read_dataset(tmp_path, "val")[1] is CAMVID


def test_camvid_lists_decide_which_frames_belong_to_a_split(tmp_path: Path) -> None:
    segnet(tmp_path)
    image(tmp_path / "train" / "0001TP_006720.png")
    assert len(read_dataset(tmp_path, "train")[0]) == 1
    (tmp_path / "train.txt").write_text("train/gone.png trainannot/gone.png\n")
    with pytest.raises(FormatError, match=r"train\.txt, line 1: there is no image 'gone'"):
        read_dataset(tmp_path, "train")


def test_camvid_coloured_in_folders(tmp_path: Path) -> None:
    image(tmp_path / "train" / "0001TP_006690.png")
    coloured(tmp_path / "train_labels" / "0001TP_006690_L.png")

    assert read(tmp_path, "train")[0].tolist() == [[0, 1, 255, 10]] * 2


def test_camvid_original_falls_into_segnets_splits(tmp_path: Path) -> None:
    frames = {
        "train": [
            "0001TP_006690",
            "0001TP_008520",
            "0006R0_f00930",
            "0016E5_00390",
            "0016E5_08640",
        ],
        "val": ["0016E5_07959", "0016E5_08159"],
        "test": ["0001TP_008550", "Seq05VD_f00000"],
    }
    for stem in (stem for stems in frames.values() for stem in stems):
        image(tmp_path / "701_StillsRaw_full" / f"{stem}.png")
        coloured(tmp_path / "LabeledApproved_full" / f"{stem}_L.png")

    for split, stems in frames.items():
        samples, table = read_dataset(tmp_path, split)
        assert [s.image.stem for s in samples] == sorted(stems)
        assert table is CAMVID


def test_the_sequence_rule_gives_the_shared_frames_their_split(shared: Path) -> None:
    from pspgui.formats.layouts.camvid import _split_of

    for split in ("train", "val"):
        frames = [p.stem for p in (shared / "data" / "camvid" / "images" / split).iterdir()]
        assert {_split_of(stem) for stem in frames} == {split}


def test_the_folder_form_finds_a_split_by_its_other_name(tmp_path: Path) -> None:
    image(tmp_path / "images" / "validation" / "a.png")
    labels(tmp_path / "labels" / "validation" / "a.png", 0, 1, 255, table=CAMVID)
    (tmp_path / "classes.json").write_text(json.dumps(CAMVID.to_json()))

    assert len(read_dataset(tmp_path, "val")[0]) == 1


def test_split_names() -> None:
    names = ("training", "validation", "Train_Aug", "test")

    assert [find_split(n, names) for n in ("train", "valid", "val", "trainaug", "testing")] == [
        "training", "validation", "validation", "Train_Aug", "test"
    ]  # fmt: skip
    assert find_split("trainval", names) is None
    assert find_split("val", ("validation", "val")) == "val"


@pytest.mark.parametrize(
    ("build", "key"),
    [(ade, "ade20k"), (voc, "voc"), (cityscapes, "cityscapes"), (segnet, "camvid")],
)
def test_layouts_are_told_apart_and_list_their_splits(
    tmp_path: Path, build: Callable[[Path], Path], key: str
) -> None:
    root = build(tmp_path / "set")

    assert [layout.key for layout in LAYOUTS if layout.find(root)] == [key]
    assert layout_of(root)[1] == root
    for split in (None, "nonsense"):
        with pytest.raises(FormatError, match=splits_of(root)[0]):
            read_dataset(root, split)


def test_an_unknown_layout_lists_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match=r"no known layout .* Cityscapes"):
        read_dataset(tmp_path, "train")
    with pytest.raises(FormatError, match="gone: there is no such folder"):
        read_dataset(tmp_path / "gone", "train")
    assert splits_of(tmp_path) == ()
