"""Folders of images and projects in them, for tests of the project."""

import os
import sqlite3

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from pspgui.labels.classes import CAMVID
from pspgui.labels.provenance import PERSON
from pspgui.project.class_files import write_classes
from pspgui.project.project import open_project
from pspgui.project.store import LabelStore

SHAPE = (6, 8)


def make_images(folder, names=("a.png", "b.png", "c.png")):
    """Write small pictures and return their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for number, name in enumerate(names):
        path = folder / os.fsdecode(name)
        pixels = np.full((*SHAPE, 3), 20 * number, np.uint8)
        with path.open("wb") as file:
            Image.fromarray(pixels).save(file, "PNG")
        paths.append(path)
    return paths


def begun_project(folder):
    """Make images and a project that knows them; return both, the project still open."""
    images = make_images(folder)
    project = open_project(folder)
    project.demand_change()
    project.index.add_images(images)
    return images, project


def label(image, seed=0, store=None):
    """Save labels of the eleven classes for an image; return them and their file."""
    labels = np.random.default_rng(seed).integers(0, 11, SHAPE).astype(np.uint8)
    labels[0, :2] = 255
    marks = np.full(SHAPE, PERSON, np.uint8)
    file = (store or LabelStore()).save(image, labels, marks, CAMVID.palette())
    write_classes(file, CAMVID)
    return labels, file


def tree(folder):
    """Return every file below a folder with its bytes."""
    return {
        path.relative_to(folder): path.read_bytes()
        for path in sorted(folder.rglob("*")) if path.is_file()
    }  # fmt: skip


def first_form(folder, name="a"):
    """Write labels as the first version did: no index, no remarks, no class table."""
    make_images(folder, (f"{name}.png",))
    home = folder / ".pspgui"
    for part in ("labels", "provenance"):
        (home / part).mkdir(parents=True)
    labels = np.arange(48, dtype=np.uint8).reshape(SHAPE) % 11
    image = Image.fromarray(labels)
    image.putpalette(CAMVID.palette().tobytes(), "RGB")
    remarks = PngInfo()
    remarks.add_text("Image", f"{name}.png")
    image.save(home / "labels" / f"{name}.png", pnginfo=remarks)
    return labels


def second_form(folder):
    """Write labels as the second version did: class tables beside them, without a digest."""
    labels = first_form(folder)
    home = folder / ".pspgui"
    (home / "classes").mkdir()
    rows = ", ".join(
        f'{{"id": {c.id}, "name": "{c.name}", "colour": {list(c.colour)}}}' for c in CAMVID.classes
    )
    (home / "classes" / "a.json").write_text(f'{{"ignore": 255, "classes": [{rows}]}}')
    return labels


# The tables of version 1 as they were when there first were any.
VERSION_1 = """
CREATE TABLE images (id INTEGER PRIMARY KEY, path BLOB NOT NULL UNIQUE, name TEXT NOT NULL,
  name_key TEXT NOT NULL, natural BLOB NOT NULL, status TEXT NOT NULL DEFAULT 'new',
  note TEXT NOT NULL DEFAULT '', tags TEXT NOT NULL DEFAULT '',
  reviewer TEXT NOT NULL DEFAULT '', comment TEXT NOT NULL DEFAULT '',
  seconds REAL NOT NULL DEFAULT 0, height INTEGER, width INTEGER, pixel_count INTEGER,
  corrected_px INTEGER, margin REAL, entropy REAL, boundary_px INTEGER, changed_at REAL,
  labels_digest TEXT NOT NULL DEFAULT '', labels_stamp TEXT NOT NULL DEFAULT '',
  missing INTEGER NOT NULL DEFAULT 0);
CREATE INDEX images_natural ON images (missing, natural, id);
CREATE INDEX images_status ON images (missing, status);
CREATE TABLE areas (image_id INTEGER NOT NULL, class TEXT NOT NULL, class_key TEXT NOT NULL,
  pixels INTEGER NOT NULL, PRIMARY KEY (image_id, class)) WITHOUT ROWID;
CREATE INDEX areas_class ON areas (class_key, image_id, pixels);
CREATE TABLE confusions (image_id INTEGER NOT NULL, predicted TEXT NOT NULL,
  labelled TEXT NOT NULL, pixels INTEGER NOT NULL,
  PRIMARY KEY (image_id, predicted, labelled)) WITHOUT ROWID;
CREATE TABLE facts (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
INSERT INTO images (path, name, name_key, natural, status, note, margin, labels_digest)
  VALUES (X'612E706E67', 'a.png', 'a.png', X'02612E706E6700', 'done', 'of old', 0.5, 'd');
INSERT INTO areas VALUES (1, 'Road', 'road', 48);
PRAGMA application_id = 1347637319;
PRAGMA user_version = 1;
"""


def third_form(folder):
    """Write a project of version 1 of the index, closed in order."""
    labels = second_form(folder)
    connection = sqlite3.connect(folder / ".pspgui" / "project.sqlite")
    connection.executescript(VERSION_1)
    connection.close()
    return labels


FORMS = {"labels alone": first_form, "with class tables": second_form, "version 1": third_form}
