"""`pspgui import`, and exporting what was imported without naming any weights."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest

from pspgui.formats import FORMATS, ExportItem, read_dataset
from pspgui.imaging import encode_png
from pspgui.labels.classes import table
from pspgui.project import LabelStore
from pspgui.project.project import open_project

ZOO = table(("lion", (200, 100, 0)), ("zebra", (10, 10, 10)))


@pytest.fixture
def archive(tmp_path):
    """A zipped VOC data set of three images."""
    items = []
    for number in range(3):
        path = tmp_path / "in" / f"a{number}.png"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(encode_png(np.full((8, 9, 3), number, np.uint8)))
        labels = np.full((8, 9), number % 2, np.uint8)
        labels[0] = 255
        items.append(ExportItem(path, labels))
    next(form for form in FORMATS if form.key == "voc").export(items, tmp_path / "set", ZOO)
    return shutil.make_archive(str(tmp_path / "zoo"), "zip", tmp_path / "set")


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "images").mkdir()
    return tmp_path / "images"


def test_a_dry_run_changes_nothing(command, archive, folder):
    code, out, _ = command("import", archive, folder, "--dry-run", "--json")
    told = json.loads(out)
    assert code == 0 and not list(folder.iterdir())
    assert (told["format"], told["images"], told["copied"]) == ("voc", 3, 3)
    assert told["classes"][1] == {"name": "zebra", "target": "zebra", "new": True}
    code, out, _ = command("import", archive, folder, "--dry-run")
    assert "PASCAL VOC" in out and "2 new: lion, zebra" in out


def test_what_is_imported_can_be_exported_without_weights(command, archive, folder, tmp_path):
    code, out, _ = command("import", archive, folder, "--json")
    assert code == 0 and json.loads(out)["images"] == 3
    code, _, _ = command("export", folder, "--out", tmp_path / "out", "--format", "coco")
    samples, classes = read_dataset(tmp_path / "out", "train")
    assert code == 0 and classes == ZOO and len(samples) == 3
    told = json.loads((tmp_path / "out" / "dataset.json").read_text())
    assert told["provenance"] == {"imported": 1.0} and told["model"] is None


def test_conflicts_and_classes_are_chosen(command, archive, folder):
    assert command("import", archive, folder)[0] == 0
    code, out, _ = command("import", archive, folder, "--json")
    assert json.loads(out)["kept"] == 3 and json.loads(out)["images"] == 0
    code, out, _ = command("import", archive, folder, "--on-conflict", "replace",
                           "--class", "lion=zebra", "--class", "zebra=-", "--json")  # fmt: skip
    told = json.loads(out)
    assert code == 0 and told["replaced"] == 2 and told["empty"] == 1 and told["backup"]
    labels = LabelStore().load(folder / "a0.png").labels
    assert (labels[1:] == 1).all() and (labels[0] == 255).all()


def test_a_project_that_another_window_has_is_not_changed(command, archive, folder):
    shutil.copy(archive, folder.parent / "x.zip")
    command("import", archive, folder)
    project = open_project(folder, "the window")
    try:
        code, _, err = command("import", archive, folder, "--on-conflict", "replace")
    finally:
        project.close()
    assert code == 1 and "the window" in err


def test_only_accepted_images_are_exported(command, archive, folder, tmp_path):
    command("import", archive, folder)
    code, _, err = command("export", folder, "--out", tmp_path / "none", "--accepted")
    assert code == 1 and "none of these images was accepted" in err
    project = open_project(folder, "test")
    project.index.add_images(sorted(folder.glob("*.png")))
    project.index.set_status([folder / "a1.png"], "accepted")
    project.close()
    code, out, _ = command("export", folder, "--out", tmp_path / "out", "--accepted", "--json")
    told = json.loads(out)
    assert code == 0 and told["images"] == 1 and told["skipped"] == 2 and told["equal"]


def test_misfits_are_resized_when_asked(command, archive, folder, tmp_path):
    command("import", archive, folder)
    (folder / "a0.png").write_bytes(encode_png(np.zeros((16, 18, 3), np.uint8)))
    code, _, err = command("export", folder, "--out", tmp_path / "refused")
    assert code == 1 and "16" in err
    code, out, _ = command("export", folder, "--out", tmp_path / "out", "--misfits", "resize",
                           "--json")  # fmt: skip
    told = json.loads(out)
    assert code == 0 and told["images"] == 3
    assert any("resized by nearest neighbour" in note for note in told["notes"])


def test_errors_are_one_line(command, folder, tmp_path):
    for words in ((tmp_path / "gone.zip", folder), (folder, folder), (folder, tmp_path / "gone")):
        code, out, err = command("import", *words)
        assert code == 1 and not out and err.startswith("pspgui: ") and len(err.splitlines()) == 1
