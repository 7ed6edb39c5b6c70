"""`pspgui export` of labels that were made with other classes than the model's."""

from __future__ import annotations

import json

import numpy as np
import pytest

from pspgui.formats import FORMATS, read_dataset
from pspgui.imaging import decode_labels
from pspgui.jobs.class_tables import classes_beside, write_classes
from pspgui.labels.classes import CAMVID, table
from pspgui.labels.provenance import PERSON
from pspgui.project.store import LabelStore

OTHERS = table(("Car", (1, 2, 3)), ("zebra", (8, 8, 8)), ("road", (9, 9, 9)))


def keep(folder, image, label, classes):
    own = folder / image.name
    folder.mkdir(exist_ok=True)
    own.write_bytes(image.read_bytes())
    labels = np.full((64, 96), label, np.uint8)
    labels[:9] = 255
    marks = np.full_like(labels, PERSON)
    file = LabelStore().save(own, labels, marks, OTHERS.palette())
    write_classes(file, classes)
    return file


def test_labels_keep_their_meaning(command, weights, images, tmp_path):
    keep(tmp_path / "in", images[0], 2, OTHERS)

    code, _, _ = command("export", tmp_path / "in", "--out", tmp_path / "out",
                         "--weights", weights)  # fmt: skip

    samples, classes = read_dataset(tmp_path / "out")
    labels = decode_labels(samples[0].labels).labels
    assert code == 0 and classes == CAMVID
    assert set(np.unique(labels)) == {CAMVID.find("Road").id, 255}
    assert (labels[:9] == 255).all()


def test_labels_the_model_has_no_class_for_are_refused_by_name(command, weights, images, tmp_path):
    keep(tmp_path / "in", images[0], 1, OTHERS)
    keep(tmp_path / "in", images[1], 0, OTHERS)

    code, out, err = command("export", tmp_path / "in", "--out", tmp_path / "out",
                             "--weights", weights, "--json")  # fmt: skip

    assert code == 1 and json.loads(out)["images"] == 1
    assert images[0].name in err and "zebra" in err and "--weights" in err


def test_damaged_classes_are_no_reason_to_guess(command, weights, images, tmp_path):
    file = keep(tmp_path / "in", images[0], 1, OTHERS)
    classes_beside(file).write_text("{")

    code, _, err = command("export", tmp_path / "in", "--out", tmp_path / "out",
                           "--weights", weights)  # fmt: skip

    assert code == 1 and classes_beside(file).name in err
    assert not (tmp_path / "out" / "labels").exists()


@pytest.mark.parametrize("key", [form.key for form in FORMATS])
def test_every_format_is_written(command, weights, images, tmp_path, key):
    for image in images:
        keep(tmp_path / "in", image, 2, OTHERS)

    code, out, _ = command("export", tmp_path / "in", "--out", tmp_path / "out", "--split", "0.5",
                           "--format", key, "--images", "link", "--weights", weights,
                           "--json")  # fmt: skip

    told = json.loads((tmp_path / "out" / "dataset.json").read_text())
    assert code == 0 and json.loads(out)["images"] == 3
    assert [s["images"] for s in told["splits"]] == [2, 1] and len(told["model"]) == 64
    if key != "yolo-seg":
        assert len(read_dataset(tmp_path / "out", "train")[0]) == 2
