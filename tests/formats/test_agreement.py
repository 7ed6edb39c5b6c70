"""Rows 14 and 15 of the scorecard: one decoder, so everybody sees the same pixels and labels."""

from __future__ import annotations

import io
import zlib
from pathlib import Path

import numpy as np
import pytest
from hostile_files import chunk, pixels
from PIL import Image

from pspgui.formats import FORMATS, ExportItem, read_dataset, splits_of
from pspgui.imaging import decode_image, decode_labels, image_size
from pspgui.jobs.importing import ImportOptions, run_import
from pspgui.jobs.messages import Turn
from pspgui.jobs.opening import open_image
from pspgui.labels.classes import CAMVID, table
from pspgui.project import LabelStore

TURNS = {
    1: lambda a: a, 2: np.fliplr, 3: lambda a: np.rot90(a, 2), 4: np.flipud,
    5: lambda a: a.swapaxes(0, 1), 6: lambda a: np.rot90(a, -1),
    7: lambda a: np.rot90(a, 2).swapaxes(0, 1), 8: np.rot90,
}  # fmt: skip
KINDS = {
    "jpg": ("JPEG", {"quality": 95}), "png": ("PNG", {}), "webp": ("WEBP", {"lossless": True}),
    "tif": ("TIFF", {}),
}  # fmt: skip


def finish(job):
    steps = job(Turn(lambda step: None, lambda: False))
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value


def upright(kind: str) -> np.ndarray:
    """Return what a reader without EXIF sees in a file of this kind."""
    buffer = io.BytesIO()
    form, options = KINDS[kind]
    Image.fromarray(pixels(3, 16, 24)).save(buffer, form, **options)
    with Image.open(buffer) as plain:
        return np.asarray(plain.convert("RGB"))


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """Every turn in every kind, and what it should look like."""
    folder = tmp_path_factory.mktemp("photos")
    found = {}
    for kind, (form, options) in KINDS.items():
        for turn in TURNS:
            exif = Image.Exif()
            exif[0x0112] = turn
            path = folder / f"{kind}{turn}.{kind}"
            Image.fromarray(pixels(3, 16, 24)).save(path, form, exif=exif, **options)
            found[path] = TURNS[turn](upright(kind))
    return found


def test_viewer_and_decoder_agree(photos):
    for path, expected in photos.items():
        assert np.array_equal(decode_image(path).pixels, expected), path.name
        opened = finish(open_image(path, lambda image, shape: None))
        assert np.array_equal(opened.pixels, expected) and image_size(path) == expected.shape[:2]


def test_the_network_is_given_the_same(photos, tmp_path):
    from small_networks import small_network

    from pspgui.inference.predictor import Predictor
    from pspgui.models.checkpoints import load_checkpoint
    from pspgui.models.checkpoints.native import save_checkpoint

    save_checkpoint(small_network(3, classes=4), tmp_path / "small.safetensors")
    predictor = Predictor.of(load_checkpoint(tmp_path / "small.safetensors"), "cpu")
    answers: dict[str, list[np.ndarray]] = {}
    for path, expected in photos.items():
        labels = predictor.predict(predictor.set_image(decode_image(path).pixels)).labels
        assert labels.shape == expected.shape[:2]
        if path.suffix != ".jpg":  # which changes pixels
            answers.setdefault(path.stem[-1], []).append(labels)
    assert len(answers) == 8
    assert all(np.array_equal(found[0], other) for found in answers.values() for other in found)


def items_of(photos):
    random = np.random.default_rng(9)
    return [
        ExportItem(path, random.integers(0, 11, expected.shape[:2]).astype(np.uint8))
        for path, expected in photos.items()
    ]


@pytest.mark.parametrize("key", [form.key for form in FORMATS])
def test_every_export_and_the_trainer_agree(photos, tmp_path, key):
    from pspgui.training.datasets import FolderSource

    items = items_of(photos)
    form = next(form for form in FORMATS if form.key == key)
    report = form.export(items, tmp_path / "out", CAMVID)
    assert report.images == 32 and not report.failed
    samples, classes = read_dataset(tmp_path / "out", next(iter(splits_of(tmp_path / "out")), None))
    source = FolderSource(samples, classes)
    by_stem = {item.image.stem: (item, photos[item.image]) for item in items}
    for index, sample in enumerate(samples):
        item, expected = by_stem[sample.image.stem.split("_")[0]]
        read = source.read(index)
        assert np.array_equal(read.pixels, expected), sample.image.name
        with Image.open(sample.image) as plain:  # as a reader that knows nothing of EXIF
            assert np.array_equal(np.asarray(plain.convert("RGB")), expected)
        if not form.is_lossy:
            assert np.array_equal(read.labels, item.labels)


# -- depth and palette ------------------------------------------------------------------------

IDS = np.array([[0, 1, 2, 3, 15, 20, 254, 255]] * 3, np.uint8)


def png_bits(bits: int, values: np.ndarray) -> bytes:
    """Return a grey PNG of 1, 2 or 4 bits."""
    rows = b""
    for row in values:
        word = "".join(f"{v:0{bits}b}" for v in row)
        word += "0" * (-len(word) % 8)
        rows += b"\0" + bytes(int(word[i : i + 8], 2) for i in range(0, len(word), 8))
    header = values.shape[1].to_bytes(4, "big") + values.shape[0].to_bytes(4, "big")
    header += bytes((bits, 0, 0, 0, 0))
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def label_files() -> dict[str, tuple[bytes, np.ndarray]]:
    found = {}
    buffer = io.BytesIO()
    image = Image.fromarray(IDS)
    image.putpalette(bytes(range(256)) * 3)
    image.save(buffer, "PNG")
    found["voc.png"] = (buffer.getvalue(), IDS)
    for name, array, form in (
        ("grey.png", IDS, "PNG"), ("grey.tif", IDS, "TIFF"), ("grey.bmp", IDS, "BMP"),
        ("ids.png", np.array([[26002, 0, 255, 65535]], np.uint16), "PNG"),
        ("ids.tif", np.array([[26002, 0, 255, 65535]], np.uint16), "TIFF"),
        ("grey.pgm", IDS, "PPM"),
    ):  # fmt: skip
        buffer = io.BytesIO()
        Image.fromarray(array).save(buffer, form)
        found[name] = (buffer.getvalue(), array)
    for bits in (1, 2, 4):
        values = np.arange(32).reshape(4, 8).astype(np.uint8) % (1 << bits)
        found[f"bits{bits}.png"] = (png_bits(bits, values), values)
    for maxval, kind in ((15, np.uint8), (255, np.uint8), (4095, np.dtype(">u2"))):
        values = (np.arange(12).reshape(3, 4) * 7 % (maxval + 1)).astype(kind)
        found[f"max{maxval}.pgm"] = (b"P5\n4 3\n%d\n" % maxval + values.tobytes(), values)
    return found


@pytest.mark.parametrize("name", label_files())
def test_ids_are_read_exactly_whatever_the_file(tmp_path, name):
    content, expected = label_files()[name]
    (tmp_path / name).write_bytes(content)
    assert np.array_equal(decode_labels(tmp_path / name).labels, expected)


@pytest.mark.parametrize("key", [form.key for form in FORMATS if not form.is_lossy])
def test_ids_come_back_from_every_form_and_an_import(tmp_path, key):
    classes = table(*((f"c{i}", (i, 255 - i, 7 * i % 256)) for i in range(250)))
    ids = (np.arange(270).reshape(15, 18) % 251).astype(np.uint8)
    ids[ids == 250] = 255
    item = ExportItem(Path("a"), ids, pixels(1, 15, 18))
    next(f for f in FORMATS if f.key == key).export([item], tmp_path / "out", classes)
    (tmp_path / "images").mkdir()
    report = finish(
        run_import(tmp_path / "out", tmp_path / "images", LabelStore(), ImportOptions())
    )
    assert report.images == 1 and not report.failed
    (image,) = (tmp_path / "images").glob("*.png")
    stored = LabelStore().load(image)
    assert np.array_equal(stored.labels, ids)
    assert np.array_equal(decode_image(image).pixels, pixels(1, 15, 18))


def test_more_than_255_classes_come_back(tmp_path):
    many = table(*((f"c{i}", (0, i // 256, i % 256)) for i in range(700)), ignore=65535)
    ids = np.arange(700, dtype=np.uint16).reshape(20, 35)
    ids[0, :3] = 65535
    for key in ("folder", "npy", "cvat-xml", "coco", "labelme", "label-studio", "cvat-mask"):
        root, home = tmp_path / f"out-{key}", tmp_path / f"images-{key}"
        item = ExportItem(Path("a"), ids, pixels(1, 20, 35))
        next(f for f in FORMATS if f.key == key).export([item], root, many)
        home.mkdir()
        report = finish(run_import(root, home, LabelStore(), ImportOptions()))
        assert report.images == 1, (key, report.failed)
        assert np.array_equal(LabelStore().load(home / "a.png").labels, ids), key
