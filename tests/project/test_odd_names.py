"""Images with names that file systems allow and people rarely expect, from opening to export."""

import hashlib
import os
import sys

import numpy as np
import pytest
from project_case import SHAPE, make_images

from pspgui.formats import FORMATS, ExportItem
from pspgui.imaging import decode_image, decode_labels, list_images
from pspgui.labels.classes import CAMVID
from pspgui.labels.provenance import PERSON
from pspgui.project.checking import check_project
from pspgui.project.class_files import read_classes, write_classes
from pspgui.project.open_projects import OpenProjects
from pspgui.project.project import open_project
from pspgui.project.statistics import measure_labels
from pspgui.project.store import LabelStore

NAMES = (
    b"not utf-8 \xff\xfe.png",
    b"new\nline.png",
    b"n" * 251 + b".png",
    "caf\u00e9.png".encode(),
    "cafe\u0301.png".encode(),
    b" leading and trailing .png",
    b"-rf --json.png",
    b"%d%s$(HOME)`~`'\".png",
    "\u202egnp.\U0001f600.png".encode(),
    b"back\\slash:colon*?.png",
    b"tab\tbell\x07.PNG",
)

pytestmark = pytest.mark.skipif(
    sys.platform in ("win32", "darwin"), reason="this system does not allow such names"
)


def labels_of(name):
    seed = int.from_bytes(hashlib.sha256(name).digest()[:4], "big")
    return np.random.default_rng(seed).integers(0, 11, SHAPE).astype(np.uint8)


def test_every_odd_name_goes_all_the_way(tmp_path):
    root = tmp_path / "images"
    make_images(root, NAMES)
    images = list_images(root)
    assert sorted(os.fsencode(image.name) for image in images) == sorted(NAMES)
    room, store = OpenProjects(), LabelStore()
    index = room.of(root).index
    index.add_images(images)
    for image in images:  # open, annotate, save
        assert decode_image(image).pixels.shape[:2] == SHAPE
        room.admit(image)
        name = os.fsencode(image.name)
        marks = np.full(SHAPE, PERSON, np.uint8)
        file = store.save(image, labels_of(name), marks, CAMVID.palette())
        write_classes(file, CAMVID)
        measure_labels(index, image, file, CAMVID)
        index.set_note(image, f"of {name!r}")
        index.set_status([image], "done")
    room.close_all()

    again, fresh = open_project(root), LabelStore()  # reopen
    again.index.add_images(list_images(root))
    for image in images:
        name = os.fsencode(image.name)
        stored = fresh.load(image)
        assert np.array_equal(stored.labels, labels_of(name))
        assert (stored.provenance == PERSON).all()
        assert read_classes(fresh.path_for(image)) == CAMVID
        found = again.index.image_of(image)
        assert (found.status, found.note) == ("done", f"of {name!r}")
        assert sum(found.pixels.values()) == stored.labels.size
    assert len({fresh.path_for(image) for image in images}) == len(NAMES)
    assert again.index.totals().images["done"] == len(NAMES)
    again.close()
    assert check_project(root).problems == []


def test_the_longest_names_that_differ_in_their_suffix_have_labels_each(tmp_path):
    names = (b"n" * 251 + b".png", b"n" * 251 + b".PNG", b"n" * 251 + b".jpg")
    images = make_images(tmp_path / "images", names)
    store = LabelStore()
    for name, image in zip(names, images, strict=True):
        file = store.save(image, labels_of(name), np.ones(SHAPE, np.uint8), CAMVID.palette())
        write_classes(file, CAMVID)
    for name, image in zip(names, images, strict=True):
        stored = LabelStore().load(image, SHAPE)
        assert np.array_equal(stored.labels, labels_of(name))
        assert read_classes(LabelStore().path_for(image)) == CAMVID


@pytest.mark.parametrize("form", [form for form in FORMATS if form.key == "folder"])
def test_every_odd_name_is_exported_with_its_own_labels(tmp_path, form):
    images = make_images(tmp_path / "images", NAMES)
    items = [ExportItem(image, labels_of(os.fsencode(image.name))) for image in images]
    report = form.export(items, tmp_path / "out", CAMVID)
    assert (report.images, report.failed) == (len(NAMES), ())
    written = [decode_labels(path).labels for path in (tmp_path / "out").rglob("*.png")
               if "label" in str(path.parent.relative_to(tmp_path / "out"))]  # fmt: skip
    expected = {labels_of(name).tobytes() for name in NAMES}
    assert {labels.tobytes() for labels in written} == expected
