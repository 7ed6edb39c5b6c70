"""Counting labels: against plain numpy, and which label files need counting again."""

import os
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from project_case import label, make_images

from pspgui.durable import SaveError
from pspgui.labels.classes import CAMVID, ClassTable, LabelClass
from pspgui.project import statistics
from pspgui.project.index import ProjectIndex
from pspgui.project.open_projects import OpenProjects
from pspgui.project.statistics import (
    Owners,
    Reading,
    changed_labels,
    compared,
    count_labels,
    measure_labels,
)

SIDES = st.tuples(st.integers(1, 9), st.integers(1, 9))
VALUES = st.sampled_from([0, 1, 3, 10, 11, 200, 255])


@settings(max_examples=60, deadline=None)
@given(SIDES.flatmap(lambda shape: st.tuples(
    hnp.arrays(np.uint8, shape, elements=VALUES), hnp.arrays(np.uint8, shape, elements=VALUES)
)))  # fmt: skip
def test_counts_are_those_of_plain_numpy(both):
    labels, read = both
    counts = count_labels(labels, CAMVID, Reading(read, CAMVID))
    name = {v: "" if v == 255 else CAMVID.name_of(v) for v in (0, 1, 3, 10, 11, 200, 255)}
    assert counts.pixels == {
        name[v]: int((labels == v).sum()) for v in np.unique(labels).tolist()
    }  # fmt: skip
    assert counts.corrected_px == int((labels != read).sum())
    expected = {}
    for one, other in zip(read.ravel().tolist(), labels.ravel().tolist(), strict=True):
        if one != 255 and other != 255:
            expected[name[one], name[other]] = expected.get((name[one], name[other]), 0) + 1
    assert counts.confusion == expected


def test_large_maps_are_counted_piece_by_piece_with_the_same_result(monkeypatch):
    rng = np.random.default_rng(2)
    labels = rng.integers(0, 60_000, (64, 48)).astype(np.uint16)
    read = rng.integers(0, 60_000, (64, 48)).astype(np.uint16)
    whole = count_labels(labels, CAMVID, Reading(read, CAMVID))
    monkeypatch.setattr(statistics, "_CHUNK_PX", 100)
    assert count_labels(labels, CAMVID, Reading(read, CAMVID)) == whole
    assert sum(whole.pixels.values()) == labels.size


def test_a_prediction_is_compared_by_the_names_of_its_own_classes():
    turned = ClassTable((LabelClass(0, "Road", (1, 1, 1)), LabelClass(1, "Sky", (2, 2, 2))))
    labels = np.array([[0, 3]], np.uint8)  # Sky, Road of CamVid
    counts = count_labels(labels, CAMVID, Reading(np.array([[1, 0]], np.uint8), turned))
    assert counts.corrected_px == 0
    assert counts.confusion == {("Sky", "Sky"): 1, ("Road", "Road"): 1}


def test_a_prediction_of_another_size_or_none_compares_nothing():
    labels = np.zeros((2, 3), np.uint8)
    for reading in (None, Reading(np.zeros((3, 2), np.uint8), CAMVID)):
        counts = count_labels(labels, CAMVID, reading)
        assert counts == ({"Sky": 6}, None, {})


def test_label_files_that_are_new_changed_or_gone_are_found(tmp_path):
    root = tmp_path / "images"
    images = make_images(root, ("a.png", "b.png", "c.png", b"\xff odd.png"))
    index = ProjectIndex(tmp_path / "project.sqlite", root)
    home = root / ".pspgui"

    def changed():
        return compared(changed_labels(home, images, index.labels_stamps()))

    assert changed() == ([], [])
    files = [label(image)[1] for image in images]
    found = changed()
    assert sorted(found.measured_otherwise) == sorted(zip(images, files, strict=True))
    for image, file in found.measured_otherwise:
        measure_labels(index, image, file, CAMVID)
    assert changed() == ([], [])
    label(images[1], seed=5)
    os.utime(files[1], ns=(1, 1))
    files[2].unlink()
    assert changed() == ([(images[1], files[1])], [images[2]])
    index.close()


def test_files_that_cannot_be_listed_are_not_lost(tmp_path, monkeypatch):
    root = tmp_path / "images"
    images = make_images(root, ("a.png", "b.png", "c.png"))
    index = ProjectIndex(tmp_path / "project.sqlite", root)
    for image in images:
        measure_labels(index, image, label(image)[1], CAMVID)
    known = index.labels_stamps()
    index.close()
    home = root / ".pspgui"

    class Vanishing:
        """A listing of which one file is gone, or all of them are."""

        def __init__(self, error, names):
            self.error, self.names = error, names

        def __call__(self, folder):
            self.real = scandir(folder)
            return self

        def __enter__(self):
            return iter([
                SimpleNamespace(name=entry.name, stat=partial(self._stat, entry))
                for entry in self.real
            ])

        def __exit__(self, *_):
            self.real.close()

        def _stat(self, entry):
            if entry.name in self.names:
                raise self.error
            return entry.stat()

    scandir = os.scandir
    for error, names, lost in (
        (FileNotFoundError(2, "gone"), ("b.png",), [images[1]]),
        (OSError(5, "the network is away"), ("a.png", "b.png", "c.png"), []),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(os, "scandir", Vanishing(error, names))
            assert compared(changed_labels(home, images, known)) == ([], lost)
    home.rename(root / "away")
    assert compared(changed_labels(home, images, known)) == ([], [])


def test_a_label_file_belongs_to_the_image_it_names(tmp_path):
    images = make_images(tmp_path, ("x.png", "x.jpg", "y.png"))
    owners = Owners(images)
    for image in images:
        assert owners.of(label(image)[1]) == image
    stray = tmp_path / ".pspgui" / "labels" / "y.png"
    stray.write_bytes(b"damaged: only its name tells")
    assert owners.of(stray) == images[2]
    assert owners.of(stray.with_name("z.png")) is None


def test_projects_are_opened_once_and_none_after_the_end(tmp_path, monkeypatch):
    monkeypatch.setattr("pspgui.places.cache_folder", lambda: tmp_path / "cache")
    [image] = make_images(tmp_path / "images", ("a.png",))
    room = OpenProjects()
    assert room.of(image.parent) is room.of(image.parent)
    room.close(image.parent)
    assert room.roots() == ()
    room.admit(image)
    room.close_all()
    with pytest.raises(SaveError, match="were not saved"):
        room.admit(image)
