"""Relabelling all images of a list: by name, with a backup, as a whole or not at all."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from pspgui.durable import SaveError
from pspgui.jobs.class_tables import read_classes, write_classes
from pspgui.jobs.messages import Turn
from pspgui.jobs.relabelling import Relabelled, relabel_images
from pspgui.jobs.restoring import put_back
from pspgui.labels.classes import ClassTable, LabelClass
from pspgui.labels.provenance import IGNORED, MODEL, PERSON
from pspgui.project import LabelStore
from pspgui.project.backups import list_backups, restore

NAMES = ("Sky", "Road", "Car")
TABLE = ClassTable(tuple(LabelClass(i, n, (i, i, 9)) for i, n in enumerate(NAMES)))
OTHER = ClassTable((LabelClass(0, "Car", (0, 0, 0)), LabelClass(1, "Road", (1, 1, 1))))
LACKING = ClassTable((LabelClass(0, "Car", (0, 0, 0)),))
SHAPE = (6, 8)


@pytest.fixture
def folder(tmp_path):
    """Four images: in two classes have other numbers, or lack one; the last has no labels."""
    store = LabelStore()
    images = [tmp_path / f"{name}.png" for name in "abcd"]
    for image in images:
        Image.fromarray(np.zeros((*SHAPE, 3), np.uint8)).save(image)
    for image, table in zip(images, (TABLE, OTHER, LACKING), strict=False):
        labels = (np.arange(48).reshape(SHAPE) % len(table)).astype(np.uint8)
        palette = np.ascontiguousarray(table.palette())
        store.save(image, labels, np.full(SHAPE, MODEL, np.uint8), palette)
        write_classes(store.path_for(image), table)
    return store, images


def done(folder, source, target, saved=True) -> Relabelled:
    store, images = folder
    job = relabel_images(images, store, TABLE, source, target, lambda: saved)
    steps = job(Turn(lambda step: None, lambda: False))
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value


def test_classes_are_found_by_name_and_a_backup_is_made(folder):
    store, images = folder
    before = [store.load(image).labels.copy() for image in images[:3]]
    result = done(folder, "car", "Road")
    assert (result.images, result.pixels) == (2, 16 + 24)
    assert result.left_out == ("c.png has no class Road.",)
    first, second, third = (store.load(image) for image in images[:3])
    assert np.array_equal(first.labels, np.where(before[0] == 2, 1, before[0]))
    assert (second.labels == 1).all() and np.array_equal(third.labels, before[2])
    assert np.array_equal(first.provenance == PERSON, before[0] == 2)
    (backup,) = list_backups(store.path_for(images[0]).parent.parent)
    assert backup.reason == "relabel"
    restore(backup)
    assert np.array_equal(store.load(images[0]).labels, before[0])
    assert "40 px in 2 images" in result.sentence


def test_labels_that_a_backup_gave_back_are_relabelled_once_more(folder):
    store, images = folder
    done(folder, "Car", "Road")
    restore(list_backups(store.path_for(images[0]).parent.parent)[0])  # the store wrote others
    assert done(folder, "Car", "Road") == (2, 40, ("c.png has no class Road.",), "", 2)
    assert not (store.load(images[0]).labels == 2).any()


def test_a_backup_gives_labels_back_with_what_their_numbers_meant(folder):
    store, images = folder
    before = meanings(folder)
    done(folder, "Car", "Road")
    home = store.path_for(images[0]).parent.parent
    (backup,) = list_backups(home)
    for image in images[:3]:  # as when a person moves the classes
        file = store.path_for(image)
        table = read_classes(file)
        write_classes(file, ClassTable(tuple(
            LabelClass(i, c.name, c.colour) for i, c in enumerate(reversed(table.classes))
        )))
    put_back(backup)
    assert meanings(folder) == before


def meanings(folder):
    """Return the class names of all pixels, image by image; c.png is not concerned."""
    store, images = folder
    found = []
    for image in images[:2]:
        table = read_classes(store.path_for(image))
        found.append([table.name_of(int(label)) for label in store.load(image).labels.flat])
    return found


def test_a_class_can_be_unlabelled(folder):
    store, images = folder
    assert done(folder, "Car", None).images == 3
    labels, provenance = store.load(images[2])[:2]
    assert (labels == 255).all() and (provenance == IGNORED).all()


def test_nothing_to_do_and_unsaved_labels_are_said(folder):
    store, images = folder
    assert "nothing was changed" in done(folder, "Water", "Road").sentence
    assert "not saved yet" in done(folder, "Car", "Road", saved=False).sentence
    assert not list_backups(store.path_for(images[0]).parent.parent)


def test_a_full_disk_leaves_all_labels_as_they_were(folder, monkeypatch):
    store, images = folder
    before = [store.load(image).labels.copy() for image in images[:3]]
    plain, calls = LabelStore.save, []

    def save(self, image, *rest, **options):
        calls.append(image)
        if len(calls) == 2:
            raise SaveError("the disk is full")
        return plain(self, image, *rest, **options)

    monkeypatch.setattr(LabelStore, "save", save)
    result = done(folder, "Car", None)
    assert result.images == 0 and "all labels are as before: the disk is full" in result.sentence
    for image, labels in zip(images, before, strict=False):
        assert np.array_equal(store.load(image).labels, labels)


def test_a_class_that_another_one_went_into_is_not_that_one(folder):
    store, images = folder
    merged = ClassTable((LabelClass(0, "Building", (0, 0, 0), "", ("Car",)),))
    write_classes(store.path_for(images[2]), merged)
    before = store.load(images[2]).labels.copy()
    done(folder, "Car", "Road")
    assert np.array_equal(store.load(images[2]).labels, before)


def test_unlabelling_by_a_number_that_8_bits_do_not_hold(folder):
    store, images = folder
    before = store.load(images[0]).labels.copy()
    write_classes(store.path_for(images[0]), ClassTable(TABLE.classes, 65535))
    assert done(folder, "Car", None).images == 3
    labels = store.load(images[0]).labels
    assert np.array_equal(labels, np.where(before == 2, np.uint16(65535), before))
