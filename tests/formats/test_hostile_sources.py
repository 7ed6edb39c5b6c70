"""Rows 22 and 24 of the scorecard: nothing outside is touched, and bombs do not go off."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import os
import stat
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hostile_files import in_child, pixels, png, zeros
from PIL import Image

from pspgui.formats import FORMATS, ExportItem, FormatError
from pspgui.formats.archives import ArchiveLimits, is_archive, refusal, unpack
from pspgui.formats.sources import opened_source
from pspgui.imaging import DecodeError, encode_png
from pspgui.jobs.importing import ImportOptions, run_import
from pspgui.jobs.messages import Turn
from pspgui.labels.classes import table
from pspgui.project import LabelStore

CLASSES = table(("road", (1, 2, 3)), ("car", (4, 5, 6)))
ESCAPES = (
    "../canary/evil.txt", "a/../../canary/evil.txt", "/tmp/evil-canary.txt", "a\\..\\b.txt",
    "C:/evil.txt", "c:evil.txt", "..", "a\0b.txt", "",
)  # fmt: skip


def snapshot(root: Path) -> dict[str, tuple]:
    """Return everything below a folder: names, kinds, contents and times."""
    found = {}
    for path in sorted(root.rglob("*")):
        status = path.lstat()
        content = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
        found[str(path)] = (stat.S_IFMT(status.st_mode), status.st_mtime_ns, content)
    return found


@pytest.fixture
def canary(tmp_path):
    """A folder beside the data set that nobody may change; returns what checks it."""
    home = tmp_path / "canary"
    home.mkdir()
    (home / "secret.txt").write_text("secret")
    (home / "image.png").write_bytes(encode_png(pixels(5)[:9, :11]))
    (home / "labels.png").write_bytes(b"")
    before = snapshot(home)
    yield home
    assert snapshot(home) == before
    assert not Path("/tmp/evil-canary.txt").exists()


def zip_of(path: Path, *names: str, mode: int = 0) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("good.txt", b"good")
        for name in names:
            entry = zipfile.ZipInfo("x")
            entry.filename = name  # as a hostile writer does; zipfile itself would repair it
            entry.external_attr = mode << 16
            archive.writestr(entry, b"evil")
    return path


def tar_of(path: Path, name: str, **fields: object) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        entry = tarfile.TarInfo(name)
        for key, value in fields.items():
            setattr(entry, key, value)
        entry.size = 4 if entry.isreg() else 0
        archive.addfile(entry, io.BytesIO(b"evil"))
    return path


def refused(path: Path, tmp_path: Path, match: str | None = None, **limits: float) -> str:
    target = tmp_path / "out" / "set"
    with pytest.raises(FormatError, match=match) as caught:
        unpack(path, target, ArchiveLimits(**limits) if limits else None)
    assert not target.exists() and not list(target.parent.iterdir())
    assert str(caught.value).startswith(f"{path}: ") and str(caught.value).isprintable()
    return str(caught.value)


@pytest.mark.parametrize("name", ESCAPES)
def test_names_that_lead_out_are_refused_by_rule(name):
    assert refusal(name)
    assert not refusal("a/b c/ü..png") and not refusal("...") and not refusal("a/./b")


@pytest.mark.parametrize("name", [name for name in ESCAPES if name])
def test_zips_that_lead_out_are_refused(tmp_path, canary, name):
    refused(zip_of(tmp_path / "a.zip", name), tmp_path, "nothing was unpacked")


@pytest.mark.parametrize("name", [n for n in ESCAPES if n and "\0" not in n])
def test_tars_that_lead_out_are_refused(tmp_path, canary, name):
    refused(tar_of(tmp_path / "a.tgz", name), tmp_path, "nothing was unpacked")


@pytest.mark.parametrize(
    ("kind", "target"),
    [(tarfile.SYMTYPE, "../canary"), (tarfile.LNKTYPE, "../canary/secret.txt"),
     (tarfile.SYMTYPE, "good.txt"), (tarfile.FIFOTYPE, ""), (tarfile.CHRTYPE, ""),
     (tarfile.GNUTYPE_SPARSE, "")],
)  # fmt: skip
def test_links_and_devices_are_refused(tmp_path, canary, kind, target):
    path = tar_of(tmp_path / "a.tgz", "link", type=kind, linkname=target)
    refused(path, tmp_path)
    refused(zip_of(tmp_path / "a.zip", "link", mode=stat.S_IFLNK | 0o777), tmp_path, "is a link")


def test_a_link_is_not_written_through(tmp_path, canary):
    path = tmp_path / "a.tar"
    with tarfile.open(path, "w") as archive:
        link = tarfile.TarInfo("images")
        link.type, link.linkname = tarfile.SYMTYPE, str(canary)
        archive.addfile(link)
        entry = tarfile.TarInfo("images/secret.txt")
        entry.size = 4
        archive.addfile(entry, io.BytesIO(b"evil"))
    refused(path, tmp_path, "is a link")


def test_two_entries_of_one_name_are_refused(tmp_path):
    for names in (("a.txt", "./a.txt"), ("a//b", "a/b"), ("a", "a/b")):
        refused(zip_of(tmp_path / "a.zip", *names), tmp_path, "occurs twice|both a file and")


def test_caps_on_entries_bytes_and_ratio(tmp_path):
    path = zip_of(tmp_path / "a.zip", *(f"{n}.txt" for n in range(20)))
    refused(path, tmp_path, "more than 10 entries", entries=10)
    refused(path, tmp_path, "would have more than", bytes=60)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("zeros.bin", bytes(5 << 20))
    refused(path, tmp_path, "times its size", ratio=50, free_bytes=1 << 20)
    assert unpack(path, tmp_path / "fine").is_dir()
    tar = tmp_path / "a.tar.gz"
    with tarfile.open(tar, "w:gz") as archive:
        entry = tarfile.TarInfo("zeros.bin")
        entry.size = 5 << 20
        archive.addfile(entry, io.BytesIO(bytes(5 << 20)))
    refused(tar, tmp_path, "times its size", ratio=50, free_bytes=1 << 20)


def test_sizes_that_lie_are_counted(tmp_path):
    """A zip that declares four bytes and unpacks to many."""
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("zeros.bin", bytes(3 << 20))
    content = bytearray(path.read_bytes())
    place = content.index(b"PK\x01\x02")
    content[place + 24 : place + 28] = (4).to_bytes(4, "little")
    path.write_bytes(bytes(content))
    target = tmp_path / "out" / "set"
    try:
        unpack(path, target)
    except FormatError:
        assert not target.exists()
    else:  # zipfile itself stops after the size declared
        assert (target / "zeros.bin").stat().st_size <= 4


def test_absurd_headers_of_a_tar_are_refused(tmp_path):
    entry = tarfile.TarInfo("pax")
    entry.type, entry.size = tarfile.XHDTYPE, 3 << 30
    path = tmp_path / "a.tar"
    path.write_bytes(entry.tobuf() + bytes(2048))
    refused(path, tmp_path, "absurd size|damaged")


def test_damaged_archives_are_refused(tmp_path):
    good = zip_of(tmp_path / "a.zip", "b.txt").read_bytes()
    tar = tar_of(tmp_path / "a.tgz", "b.txt").read_bytes()
    for content in (good[: len(good) // 2], good[:30] + bytes(len(good) - 30), tar[:40],
                    b"PK\x03\x04", b"\x1f\x8b", b"BZh9", b"\xfd7zXZ\x00"):  # fmt: skip
        path = tmp_path / "bad.bin"
        path.write_bytes(content)
        assert is_archive(path)
        refused(path, tmp_path)


def test_any_bytes_are_unpacked_or_refused(tmp_path):
    random = np.random.default_rng(3)
    seeds = [zip_of(tmp_path / "a.zip", "b.txt", "c/d.txt").read_bytes(),
             tar_of(tmp_path / "a.tgz", "b.txt").read_bytes()]  # fmt: skip
    path, target = tmp_path / "bad.bin", tmp_path / "out" / "set"
    for number in range(300):
        content = bytearray(seeds[number % 2])
        for place in random.integers(4, len(content), 3):
            content[place] = int(random.integers(0, 256))
        path.write_bytes(bytes(content))
        try:
            unpack(path, target)
        except FormatError:
            assert not target.exists()
        else:
            target.rename(tmp_path / f"kept{number}")
    assert {p.name for p in (tmp_path / "out").iterdir()} == set()


# -- manifests --------------------------------------------------------------------------------


def data_set(tmp_path: Path, key: str) -> Path:
    items = [
        ExportItem(Path(name), np.array([[0, 1] * 5 + [255]] * 9, np.uint8), pixels()[:9, :11])
        for name in ("a", "b")
    ]
    root = tmp_path / "set"
    next(form for form in FORMATS if form.key == key).export(items, root, CLASSES)
    return root


PATHS = ("../../canary/image.png", "/etc/hostname", "..\\..\\canary\\image.png", "a\0.png", "..")


def attempt(root: Path, folder: Path) -> str:
    """Import what may be hostile; return why it was refused, in whole or in part."""
    steps = run_import(root, folder, LabelStore(), ImportOptions())(
        Turn(lambda step: None, lambda: False)
    )
    try:
        while True:
            next(steps)
    except StopIteration as end:
        return "; ".join(reason for _, reason in end.value.failed)
    except (FormatError, DecodeError) as error:
        return str(error)


def manifest(key: str, evil: str) -> tuple[str, object]:
    """Return the file that names images in a form, and what makes it hostile."""
    if key == "voc":
        return "ImageSets/Segmentation/train.txt", lambda text: f"{evil}\n"
    if key == "cvat-mask":
        return "ImageSets/Segmentation/train.txt", lambda text: f"{evil}\n"
    if key == "cvat-xml":
        safe = evil.replace("\0", "&#0;")
        return "annotations.xml", lambda text: text.replace('name="a.png"', f'name="{safe}"')
    shown = json.dumps(evil)[1:-1]
    file = {
        "coco": "annotations/panoptic_train.json", "labelme": "train/a.json",
        "label-studio": "label_studio_train.json", "coco-instances":
        "annotations/instances_train.json",
    }[key]  # fmt: skip
    return file, lambda text: text.replace("a.png", shown)


@pytest.mark.parametrize("evil", PATHS)
@pytest.mark.parametrize(
    "key", ["voc", "cvat-mask", "cvat-xml", "coco", "coco-instances", "labelme", "label-studio"]
)
def test_manifests_do_not_lead_out(tmp_path, canary, key, evil):
    root = data_set(tmp_path, "coco" if key == "coco-instances" else key)
    if key == "coco-instances":
        (root / "annotations" / "panoptic_train.json").unlink()
    name, change = manifest(key, evil)
    path = root / name
    text = path.read_text(encoding="utf-8")
    path.write_text(change(text), encoding="utf-8")
    assert path.read_text(encoding="utf-8") != text
    folder = tmp_path / "images"
    folder.mkdir()
    attempt(root, folder)
    inside = {path for path in folder.rglob("*") if path.is_file()}
    assert not [path for path in inside if path.suffix == ".png" and path.parent == folder
                and path.read_bytes() == (canary / "image.png").read_bytes()]  # fmt: skip
    outside = {p for p in tmp_path.rglob("*") if not p.is_relative_to(folder)}
    assert not [path for path in outside if path.name in ("evil.txt", "hostname")]


def test_a_link_in_a_data_set_is_no_way_out(tmp_path, canary):
    root = data_set(tmp_path, "voc")
    victim = root / "SegmentationClass" / "a.png"
    victim.unlink()
    victim.symlink_to(canary / "secret.txt")
    folder = tmp_path / "images"
    folder.mkdir()
    assert "text file" in attempt(root, folder)


# -- bombs ------------------------------------------------------------------------------------

LAUGHS = "".join(
    f'<!ENTITY l{n} "{f"&l{n - 1};" * 10 if n else "lol"}">' for n in range(10)
)  # fmt: skip


def xml_bombs() -> dict[str, bytes]:
    return {
        "laughs": f"<!DOCTYPE annotations [{LAUGHS}]><annotations>&l9;</annotations>".encode(),
        "quadratic": (
            f'<!DOCTYPE annotations [<!ENTITY a "{"a" * 50_000}">]><annotations>'
            + "&a;" * 40_000 + "</annotations>"
        ).encode(),
        "outside": b'<!DOCTYPE annotations [<!ENTITY a SYSTEM "file:///etc/passwd">]>'
                   b"<annotations>&a;</annotations>",
        "nested": b"<annotations>" + b"<a>" * 1_000_000,
    }  # fmt: skip


def json_bombs() -> dict[str, bytes]:
    coco = b'{"images": [{"id": 1, "file_name": "a.png", "height": 9, "width": 11}], '
    coco += b'"categories": [{"id": 1, "name": "a"}], "annotations": [{"id": 1, "image_id": 1, '
    return {
        "deep": b'{"a": ' + b"[" * 200_000,
        "digits": b'{"a": ' + b"9" * 5000 + b"}",
        "constant": coco + b'"category_id": 1, "segmentation": [[NaN, 1, 2, 3, 4, 5]]}]}',
        "infinite": coco + b'"category_id": 1, "segmentation": [[1e999, 1, 2, 3, 4, 5]]}]}',
        "size": coco.replace(b"9, ", b"200000, ").replace(b"11}", b"200000}")
                + b'"category_id": 1, "segmentation": {"size": [200000, 200000], "counts": "0"}}]}',
    }  # fmt: skip


@pytest.fixture(scope="module")
def opened(tmp_path_factory):
    """What a child process said of every bomb, by its name, and the memory it took."""
    home = tmp_path_factory.mktemp("bombs")
    for name, content in {**xml_bombs(), **json_bombs()}.items():
        file = "annotations.xml" if name in xml_bombs() else "annotations/instances_train.json"
        path = home / name / file
        path.parent.mkdir(parents=True)
        path.write_bytes(content)
    root = data_set(home, "labelme")
    path = root / "train" / "a.json"
    told = json.loads(path.read_text())
    bomb = png(30000, 30000, zeros(900_030_000))
    told["shapes"][0]["mask"] = base64.b64encode(bomb).decode()
    path.write_text(json.dumps(told))
    names = [*xml_bombs(), *json_bombs(), "set"]
    done = in_child("open", *(str(home / name) for name in names))
    return {Path(word).name: said for word, said in done["result"].items()}, done["peak_bytes"]


def test_bombs_do_not_go_off(opened):
    said, peak_bytes = opened
    assert peak_bytes < 100 << 20
    for name in xml_bombs():
        assert "annotations.xml: it " in said[name], name
    for name in json_bombs():
        assert "instances_train.json" in said[name], name
    assert "is no number of JSON" in said["constant"] and "not a finite number" in said["infinite"]
    assert "nested too deeply" in said["deep"]
    assert "image 'a.png': 200000 × 200000 is no size" in said["size"]
    # A picture inside a JSON file may be one, too.
    assert "a.json, shape 1 (road): the image has 900 million" in said["set"]


def test_a_file_without_end_is_refused_by_its_size(tmp_path):
    path = tmp_path / "annotations" / "instances_train.json"
    path.parent.mkdir()
    path.touch()
    os.truncate(path, 10 << 30)
    with pytest.raises(FormatError, match="10737 MB, more than"), opened_source(tmp_path) as source:
        source.parts(None)
    os.mkfifo(tmp_path / "annotations.xml")
    path.unlink()
    with pytest.raises(FormatError, match="no known layout"), opened_source(tmp_path):
        pass


def test_masks_of_another_size_are_clipped(tmp_path):
    root = data_set(tmp_path, "labelme")
    path = root / "train" / "a.json"
    told = json.loads(path.read_text())
    buffer = io.BytesIO()
    Image.fromarray(np.full((40, 40), 255, np.uint8)).save(buffer, "PNG")
    mask = base64.b64encode(buffer.getvalue()).decode()
    told["shapes"] = [{"label": "car", "shape_type": "mask", "points": [[-5, 4], [0, 0]],
                       "mask": mask}]  # fmt: skip
    path.write_text(json.dumps(told))
    with opened_source(root) as source:
        ((samples, classes),) = source.parts("train")
        labels = samples[0].coding.read(samples[0].labels)
    assert (labels[4:] == classes.find("car").id).all() and (labels[:4] == classes.ignore).all()
