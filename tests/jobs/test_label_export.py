"""Export of labels that were made with several class tables."""

from __future__ import annotations

import numpy as np
import pytest

from pspgui.imaging import decode_labels, encode_png
from pspgui.jobs.class_tables import put_together, write_classes
from pspgui.jobs.exporting import LabelSource, export_labels
from pspgui.jobs.messages import JobCancelled, Turn
from pspgui.labels.classes import ClassTable, LabelClass, table
from pspgui.labels.provenance import PERSON
from pspgui.project import LabelStore

STREET = table(("Sky", (1, 1, 1)), ("Road", (2, 2, 2)))
ZOO = table(("road", (9, 9, 9)), ("zebra", (8, 8, 8)))
NONE = np.zeros((4, 6, 3), np.uint8)


def kept(folder, name, value, classes=None):
    image = folder / name
    image.write_bytes(encode_png(NONE))
    labels = np.full((4, 6), value, np.uint8)
    file = LabelStore().save(image, labels, np.full_like(labels, PERSON), STREET.palette())
    if classes is not None:
        write_classes(file, classes)
    return image


def finish(job, cancelled=False):
    steps = job(Turn(lambda step: None, lambda: cancelled))
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value


def test_tables_are_put_together_by_name():
    both = put_together([STREET, ZOO, STREET])
    assert both.names == ("Sky", "Road", "zebra") and both.ignore == 255
    wide = ClassTable(tuple(LabelClass(i, f"c {i}", (0, 0, 0)) for i in range(254)))
    assert put_together([STREET, wide]) == STREET  # 256 labels and an ignore label are too many
    with pytest.raises(ValueError, match="no class table"):
        put_together([])


def test_labels_of_several_tables_are_exported_by_one(tmp_path):
    images = [
        kept(tmp_path, "a.png", 1, STREET), kept(tmp_path, "b.png", 1, ZOO),
        kept(tmp_path, "c.png", 0, ZOO), kept(tmp_path, "plain.png", 0),
    ]  # fmt: skip
    source = LabelSource(LabelStore(), {}, STREET)

    def wanted(check):
        return source.table(images, check)

    text = finish(export_labels(images, source.labels_of, tmp_path / "out", wanted))

    classes = ClassTable.load(tmp_path / "out" / "classes.json")
    assert text.startswith("4 images") and classes.names == ("Sky", "Road", "zebra")
    named = {
        image.name: classes.name_of(
            int(decode_labels(tmp_path / "out" / "labels" / image.name).labels[0, 0])
        )
        for image in images
    }
    assert named == {"a.png": "Road", "b.png": "zebra", "c.png": "Road", "plain.png": "Sky"}


def test_the_model_in_use_adds_no_class_that_no_label_has(tmp_path):
    images = [kept(tmp_path, "a.png", 1, ZOO), tmp_path / "none.png"]
    source = LabelSource(LabelStore(), {}, STREET)
    assert source.table(images, lambda: None) == ZOO
    assert source.labels_of(images[1]) is None
    assert LabelSource(LabelStore(), {}, STREET).table(images[1:], lambda: None) == STREET


def test_unsaved_labels_count_more_than_files(tmp_path):
    image = kept(tmp_path, "a.png", 1, STREET)
    unsaved = {image: (np.full((4, 6), 1, np.uint8), ZOO)}
    source = LabelSource(LabelStore(), unsaved, STREET)
    assert source.table([image], lambda: None) == ZOO
    assert (source.labels_of(image) == 1).all()


def test_an_export_can_be_cancelled_while_it_looks_at_classes(tmp_path):
    image = kept(tmp_path, "a.png", 1, STREET)
    source = LabelSource(LabelStore(), {}, STREET)

    def wanted(check):
        return source.table([image], check)

    with pytest.raises(JobCancelled):
        finish(export_labels([image], source.labels_of, tmp_path / "o", wanted), cancelled=True)
