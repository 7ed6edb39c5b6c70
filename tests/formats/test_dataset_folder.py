"""Export then import is identity, and an export never runs over anything."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pspgui.durable import SaveError
from pspgui.formats import (
    FORMATS,
    ExportItem,
    FormatError,
    export_dataset,
    read_dataset,
    splits_of,
)
from pspgui.formats.value_map import original_names
from pspgui.imaging import decode_image, decode_labels, encode_labels, encode_png
from pspgui.labels.classes import CAMVID, table


def labels_of(seed: int, shape: tuple[int, int] = (12, 16)) -> np.ndarray:
    labels = np.random.default_rng(seed).integers(0, 11, shape).astype(np.uint8)
    labels[0, :3] = 255
    return labels


def picture(path: Path, seed: int = 0, **options: object) -> Path:
    pixels = np.random.default_rng(seed).integers(0, 256, (12, 16, 3), dtype=np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, **options)
    return path


@pytest.mark.parametrize("split", [None, "train"])
def test_export_then_read_is_identity(tmp_path: Path, split: str | None) -> None:
    images = [picture(tmp_path / "in" / name, i) for i, name in enumerate(("a.jpg", "b 2.png"))]
    items = [ExportItem(image, labels_of(i)) for i, image in enumerate(images)]
    told: list[int] = []
    report = export_dataset(iter(items), tmp_path / "out", CAMVID, split, progress=told.append)
    assert told == [1, 2]
    samples, classes = read_dataset(tmp_path / "out", split)
    assert classes == CAMVID
    for sample, item in zip(samples, items, strict=True):
        assert sample.image.read_bytes() == item.image.read_bytes()
        decoded = decode_labels(sample.labels)
        assert np.array_equal(decoded.labels, item.labels)
        assert np.array_equal(decoded.palette, CAMVID.palette())
    total = np.bincount(np.concatenate([i.labels.ravel() for i in items]), minlength=256)
    assert report.images == 2
    assert report.pixels == {
        **{c.name: total[c.id] for c in CAMVID.classes}, "unlabelled": total[255]
    }  # fmt: skip
    assert any("Sky" in line and "%" in line for line in report.lines())
    assert splits_of(tmp_path / "out") == ((split,) if split else ())


def test_plain_pairs_and_scenes_without_a_file(tmp_path: Path) -> None:
    pixels = np.random.default_rng(3).integers(0, 256, (12, 16, 3), dtype=np.uint8)
    items = [
        (picture(tmp_path / "a.png"), labels_of(1)),
        ExportItem(Path("sample scene"), labels_of(2), pixels),
    ]
    export_dataset(items, tmp_path / "out", CAMVID)
    samples, _ = read_dataset(tmp_path / "out")
    assert [s.image.name for s in samples] == ["a.png", "sample scene.png"]
    assert np.array_equal(decode_image(samples[1].image).pixels, pixels)


def test_turned_photos_are_written_upright(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    image = picture(tmp_path / "a.jpg", exif=exif)
    report = export_dataset([(image, labels_of(1, (16, 12)))], tmp_path / "out", CAMVID)
    ((sample,), _) = read_dataset(tmp_path / "out")
    with Image.open(sample.image) as plain:  # a reader that knows nothing of EXIF
        assert np.array_equal(np.asarray(plain), decode_image(image).pixels)
    assert "EXIF" in report.notes[0]


def test_names_that_would_collide_are_told_apart(tmp_path: Path) -> None:
    names = ("x.jpg", "x.png", "sub/x.png", "X.bmp", ".x.png", "plain")
    images = [picture(tmp_path / name, format="PNG") for name in names]
    items = [(image, labels_of(i)) for i, image in enumerate(images)]
    report = export_dataset(items, tmp_path / "out", CAMVID)
    samples, _ = read_dataset(tmp_path / "out")
    assert len({s.labels.name.lower() for s in samples}) == len(names)
    found = {decode_labels(s.labels).labels.tobytes() for s in samples}
    assert found == {labels.tobytes() for _, labels in items}
    assert len(report.notes) == 5


def test_names_that_are_not_utf8_are_exported(tmp_path: Path) -> None:
    image = tmp_path / os.fsdecode(b"\xff.png")
    image.write_bytes(encode_png(np.zeros((12, 16, 3), np.uint8)))
    report = export_dataset([(image, labels_of(1))], tmp_path / "out", CAMVID)
    assert len(read_dataset(tmp_path / "out")[0]) == 1
    assert all(line.isprintable() for line in report.lines())
    assert original_names(tmp_path / "out") == {}
    renaming = next(form for form in FORMATS if form.key == "cityscapes")
    renaming.export([ExportItem(image, labels_of(1))], tmp_path / "renamed", CAMVID)
    assert list(original_names(tmp_path / "renamed").values()) == [image.name]


def test_what_does_not_fit_is_reported_and_the_rest_done(tmp_path: Path) -> None:
    good = picture(tmp_path / "good.png")
    (tmp_path / "bad.png").write_bytes(b"nonsense")
    strange = labels_of(1)
    strange[5, 5] = 77
    items = [
        (good, labels_of(1)),
        (tmp_path / "bad.png", labels_of(1)),
        (picture(tmp_path / "small.png"), labels_of(1, (3, 3))),
        (picture(tmp_path / "strange.png"), strange),
        (picture(tmp_path / "wide.png"), labels_of(1).astype(np.int64)),
    ]
    report = export_dataset(items, tmp_path / "out", CAMVID)
    assert report.images == 1
    assert [path.name for path, _ in report.failed] == [
        "bad.png", "small.png", "strange.png", "wide.png"
    ]  # fmt: skip
    reasons = " ".join(reason for _, reason in report.failed)
    assert "text file" in reasons
    assert "3 × 3 pixels, the image 16 × 12" in reasons
    assert "label 77 is not in the class table" in reasons
    assert [s.image.name for s in read_dataset(tmp_path / "out")[0]] == ["good.png"]


def test_nothing_to_export_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="no image was given"):
        export_dataset([], tmp_path / "out", CAMVID)
    with pytest.raises(FormatError, match=r"gone\.png: there is no such file"):
        export_dataset([(tmp_path / "gone.png", labels_of(1))], tmp_path / "out", CAMVID)


def test_a_data_sets_own_truth_is_never_overwritten(tmp_path: Path) -> None:
    image = picture(tmp_path / "set" / "images" / "a.png")
    truth = tmp_path / "set" / "labels" / "a.png"
    truth.parent.mkdir()
    truth.write_bytes(encode_labels(labels_of(1), CAMVID.palette()))
    before = truth.read_bytes()
    for overwrite in (False, True):
        with pytest.raises(FormatError, match="choose"):
            export_dataset([(image, labels_of(2))], tmp_path / "set", CAMVID, overwrite=overwrite)
    assert truth.read_bytes() == before


def test_an_earlier_export_is_replaced_only_when_asked(tmp_path: Path) -> None:
    image = picture(tmp_path / "a.png")
    export_dataset([(image, labels_of(1))], tmp_path / "out", CAMVID)
    with pytest.raises(FormatError, match="files here already"):
        export_dataset([(image, labels_of(2))], tmp_path / "out", CAMVID)
    export_dataset([(image, labels_of(2))], tmp_path / "out", CAMVID, overwrite=True)
    ((sample,), _) = read_dataset(tmp_path / "out")
    assert np.array_equal(decode_labels(sample.labels).labels, labels_of(2))
    other = table(("a", (0, 0, 0)))
    with pytest.raises(FormatError, match="another class table"):
        export_dataset([(image, labels_of(2))], tmp_path / "out", other, "val")
    with pytest.raises(FormatError, match="this is a file"):
        export_dataset([(image, labels_of(2))], image, CAMVID)


def test_a_destination_inside_the_source_folder_is_fine(tmp_path: Path) -> None:
    image = picture(tmp_path / "a.png")
    export_dataset([(image, labels_of(1))], tmp_path, CAMVID)
    assert len(read_dataset(tmp_path)[0]) == 1


def test_a_full_disk_ends_the_export_without_a_class_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    image = picture(tmp_path / "a.png")
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(SaveError, match="No space left"):
        export_dataset([(image, labels_of(1))], tmp_path / "out", CAMVID)
    assert not (tmp_path / "out" / "classes.json").exists()


@pytest.mark.parametrize("split", ["", ".", "..", "a/b", "/abs", ".hidden"])
def test_a_split_is_one_folder(tmp_path: Path, split: str) -> None:
    for act in (
        lambda: read_dataset(tmp_path, split),
        lambda: export_dataset([], tmp_path, CAMVID, split),
    ):
        with pytest.raises(FormatError, match="not the name of a split"):
            act()


def dataset(root: Path) -> Path:
    picture(root / "images" / "val" / "a.jpg")
    path = root / "labels" / "val" / "a.png"
    path.parent.mkdir(parents=True)
    path.write_bytes(encode_labels(labels_of(1), CAMVID.palette()))
    (root / "classes.json").write_text(json.dumps(CAMVID.to_json()))
    return root


def test_what_is_wrong_with_a_data_set_is_named(tmp_path: Path) -> None:
    root = dataset(tmp_path / "set")
    assert len(read_dataset(root, "val")[0]) == 1
    with pytest.raises(FormatError, match="splits val"):
        read_dataset(root)
    with pytest.raises(FormatError, match="splits val"):
        read_dataset(root, "test")
    picture(root / "images" / "val" / "b.jpg")
    with pytest.raises(FormatError, match=r"b\.jpg: no labels"):
        read_dataset(root, "val")
    picture(root / "images" / "val" / "b.png")
    with pytest.raises(FormatError, match=r"b\.png: b\.jpg has the same stem"):
        read_dataset(root, "val")
    for name in ("b.jpg", "b.png", "a.jpg"):
        (root / "images" / "val" / name).unlink()
    with pytest.raises(FormatError, match="no images"):
        read_dataset(root, "val")
    picture(root / "images" / "val" / "c.jpg")
    picture(root / "labels" / "val" / "c.png")
    with pytest.raises(FormatError, match=r"a\.png: labels without an image"):
        read_dataset(root, "val")
    (root / "classes.json").write_text("{")
    with pytest.raises(FormatError, match=r"classes\.json"):
        read_dataset(root, "val")


def test_camvid_is_read() -> None:
    root = Path(__file__).parents[3] / "shared" / "data" / "camvid"
    if not root.is_dir():
        pytest.skip("the shared CamVid frames are not here")
    samples, classes = read_dataset(root, "val")
    assert classes == CAMVID
    assert len(samples) > 50
    first = decode_labels(samples[0].labels).labels
    assert first.shape == decode_image(samples[0].image).pixels.shape[:2]


def test_formats_are_listed() -> None:
    assert (FORMATS[0].key, FORMATS[0].export) == ("folder", export_dataset)
    assert len({entry.key for entry in FORMATS}) == len(FORMATS)
