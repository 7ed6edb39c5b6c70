"""Export and import as a person does them: dialog, progress, report."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtTest import QTest
from workplace import Workplace

from pspgui.formats import FORMATS, ExportItem, read_dataset
from pspgui.gui.data_sets import _export_told
from pspgui.gui.dialogs.class_matches import TARGET, MatchModel
from pspgui.gui.dialogs.export import ExportDialog
from pspgui.gui.dialogs.import_ import found_words, summary_words
from pspgui.gui.dialogs.report import ReportDialog
from pspgui.gui.settings import Settings
from pspgui.imaging import decode_labels, encode_png
from pspgui.jobs.class_tables import read_classes
from pspgui.jobs.exporting import Exportable, ExportOutcome
from pspgui.jobs.importing import ClassMatch, ImportPlan
from pspgui.labels.classes import CAMVID, table
from pspgui.project import LabelStore

OWN = table(("road", (1, 1, 1)), ("tree", (2, 2, 2)))


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """A native checkpoint of an untrained network with CamVid's classes."""
    import torch

    from pspgui.models.checkpoints.native import save_checkpoint
    from pspgui.models.pspnet import PSPNet, PSPNetSpec

    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("weights") / "small.safetensors"
    save_checkpoint(PSPNet(PSPNetSpec(classes=CAMVID, bottleneck_channels=16)).eval(), path)
    return path


@pytest.fixture
def folder(tmp_path):
    home = tmp_path / "street"
    home.mkdir()
    for number in range(3):
        pixels = np.random.default_rng(number).integers(0, 256, (64, 96, 3), dtype=np.uint8)
        (home / f"street{number}.png").write_bytes(encode_png(pixels))
    return home


@pytest.fixture
def place(qtbot, weights, folder):
    place = Workplace(qtbot, weights)
    place.wait(lambda: place.session.model is not None)
    place.open(folder / "street0.png")
    yield place
    place.close()


def paint(place):
    place.key(Qt.Key.Key_Return)
    place.document.set_active_class(4)
    place.document.begin_stroke(10, 10, "brush")
    place.document.move_stroke(40, 60)
    place.document.finish_stroke()


def dialog_of(place, action):
    place.window.actions_table[action].trigger()
    data_sets = place.window.verbs.data_sets
    place.wait(lambda: data_sets.dialog is not None and data_sets.dialog.isVisible())
    return data_sets.dialog


def report_of(place):
    data_sets = place.window.verbs.data_sets
    place.wait(lambda: data_sets.report is not None)
    return data_sets.report


def choose_format(dialog, key):
    dialog.formats.setCurrentRow([form.key for form in FORMATS].index(key))


def test_what_is_on_the_screen_is_exported_as_chosen(place, tmp_path):
    paint(place)
    dialog = dialog_of(place, "export")
    assert dialog.summary.text().startswith("1 image with labels.")
    choose_format(dialog, "voc")
    assert dialog.destination.text() == str(tmp_path / "street-voc")
    dialog.destination.clear()
    assert not dialog.export_button.isEnabled() and "folder" in dialog.summary.text()
    QTest.keyClicks(dialog.destination, str(tmp_path / "out"))
    QTest.mouseClick(dialog.export_button, Qt.MouseButton.LeftButton)

    report = report_of(place)
    samples, classes = read_dataset(tmp_path / "out", "train")
    assert classes == CAMVID
    shown = place.document.label_map.labels
    assert np.array_equal(samples[0].coding.read(samples[0].labels), shown)
    assert "equal what was exported" in report.proof.text()
    QTest.mouseClick(report.copy, Qt.MouseButton.LeftButton)
    assert "Pavement" in QGuiApplication.clipboard().text()
    told = json.loads((tmp_path / "out" / "dataset.json").read_text())
    assert told["model"] == place.session.model.digest
    assert told["provenance"] == {"person": 1.0}  # who accepted it, and painted


def test_labels_are_imported_and_shown(place, folder, tmp_path):
    labels = np.full((64, 96), 1, np.uint8)
    labels[:20] = 0
    labels[0] = 255
    items = [ExportItem(folder / f"street{n}.png", labels) for n in range(3)]
    next(f for f in FORMATS if f.key == "coco").export(items, tmp_path / "set", OWN)
    dialog = dialog_of(place, "import")
    assert not dialog.import_button.isEnabled() and not dialog.classes.isVisible()
    dialog.look_at(tmp_path / "set")
    place.wait(lambda: dialog.plan is not None)
    assert "COCO" in dialog.format.currentText()
    assert dialog.found.text() == "3 labelled images, all of them in street."
    assert "2 new classes: road, tree" in dialog.summary.text()
    dialog.matches.setData(dialog.matches.index(1, TARGET), "")
    assert "1 new class: road" in dialog.summary.text()
    QTest.mouseClick(dialog.import_button, Qt.MouseButton.LeftButton)

    report = report_of(place)
    assert "3 images imported" in report._told.headline
    place.wait(lambda: place.document.table.names == ("road",))
    place.wait(lambda: not place.document.read_only_reason)
    assert (place.document.label_map.labels[1:20] == 0).all()
    assert (place.document.label_map.labels[20:] == place.document.table.ignore).all()
    file = LabelStore().path_for(folder / "street2.png")
    assert read_classes(file).names == ("road",) and decode_labels(file).labels[5, 5] == 0


def test_a_source_that_is_none_is_told_in_the_dialog(place, tmp_path):
    (tmp_path / "nothing").mkdir()
    dialog = dialog_of(place, "import")
    dialog.look_at(tmp_path / "nothing")
    place.wait(lambda: "no known layout" in dialog.found.text())
    assert not dialog.import_button.isEnabled()
    dialog.reject()


def test_a_cancelled_import_leaves_labels_editable_and_as_they_were(place, folder, tmp_path):
    labels = np.ones((64, 96), np.uint8)
    items = [ExportItem(folder / f"street{n}.png", labels) for n in range(3)]
    next(f for f in FORMATS if f.key == "voc").export(items, tmp_path / "set", OWN)
    dialog = dialog_of(place, "import")
    dialog.look_at(tmp_path / "set")
    place.wait(lambda: dialog.plan is not None)
    dialog.accept()
    place.session.cancel("import_set")
    place.wait(lambda: not place.document.read_only_reason)
    assert not list((folder / ".pspgui").glob("labels/*.png"))
    assert place.window.verbs.data_sets.report is None


@pytest.fixture
def exportable(tmp_path):
    images = tuple(tmp_path / f"a_{n:03}.png" for n in range(10))
    return Exportable(images, frozenset(images[:4]))


@pytest.fixture
def dialog(qtbot, exportable, tmp_path):
    found = ExportDialog(exportable, tmp_path, Settings())
    qtbot.addWidget(found)
    found.show()
    return found


def test_the_summary_follows_the_choices(dialog):
    assert dialog.summary.text().startswith("10 images with labels.")
    dialog.which.choose("accepted")
    assert dialog.summary.text().startswith("4 images with labels.")
    dialog.split.choose("share")
    dialog.share.setValue(75)
    assert ": 3 train, 1 val" in dialog.summary.text()
    dialog.group.choose("sequence")
    assert ": 4 train, 0 val" in dialog.summary.text()
    choose_format(dialog, "yolo-seg")
    assert "cannot hold" in dialog.summary.text()


def test_values_are_asked_only_where_they_are_open(dialog):
    assert not dialog.values.isVisible()
    choose_format(dialog, "npy")
    assert dialog.values.isVisible()
    dialog.ignore.setText("99999")
    assert not dialog.export_button.isEnabled() and "0 to 65535" in dialog.summary.text()
    dialog.ignore.setText("7")
    dialog.first.choose(1)
    options = dialog.request().options
    assert (options.ignore_value, options.first_value) == (7, 1)
    choose_format(dialog, "voc")
    options = dialog.request().options
    assert (options.ignore_value, options.first_value) == (None, None)


def test_choices_are_remembered(dialog, qtbot, exportable, tmp_path):
    choose_format(dialog, "labelme")
    dialog.images.choose("link")
    dialog.split.choose("share")
    dialog.share.setValue(60)
    dialog.accept()
    again = ExportDialog(exportable, tmp_path, Settings())
    qtbot.addWidget(again)
    assert again.form.key == "labelme"
    assert again.request().options.images == "link"
    assert again.request().options.train_share == 0.6


def test_without_a_project_nothing_is_asked_about_accepting(qtbot, tmp_path):
    dialog = ExportDialog(Exportable((tmp_path / "a.png",), None), tmp_path, Settings())
    qtbot.addWidget(dialog)
    dialog.show()
    assert not dialog.which.isVisible() and dialog.request().wanted is None


def test_losses_are_in_the_report(qtbot, tmp_path):
    labels = np.zeros((9, 9), np.uint8)
    labels[3:6, 3:6] = 255
    item = ExportItem(tmp_path / "a", labels, np.zeros((9, 9, 3), np.uint8))
    form = next(form for form in FORMATS if form.key == "yolo-seg")
    outcome = ExportOutcome(form.export([item], tmp_path / "out", OWN), (), 2, 0, 0.1)
    told = _export_told(outcome)
    dialog = ReportDialog(told)
    qtbot.addWidget(dialog)
    model = dialog.table.model()
    assert not told.is_well and model.columnCount() == 6
    row = [model.index(0, column).data() for column in range(6)]
    assert row == ["road", "72", "88.9 %", "81", "0", "1"]
    assert any("left out, having no labels: 2" in line for line in told.remarks)


def test_matches_offer_the_labels_classes(qtmodeltester):
    model = MatchModel()
    model.show(
        [ClassMatch("Road", "road", False, (1, 1, 1)), ClassMatch("car", "car", True, (2, 2, 2))],
        ("road", "tree"),
    )
    qtmodeltester.check(model)
    assert model.index(1, TARGET).data() == "car (new)"
    assert [name for _, name in model.offered(1)] == ["car", "road", "tree", ""]
    assert [name for _, name in model.offered(0)] == ["road", "tree", ""]
    model.setData(model.index(1, TARGET), "tree")
    assert model.chosen == {"car": "tree"} and model.new_classes == []


def test_what_an_import_would_do_is_said_in_sentences(tmp_path):
    def plan(images, matched=0, copied=0, absent=0, labelled=0):
        return ImportPlan(tmp_path / "set", tmp_path / "street", "voc", "VOC", (), (), (), images,
                          matched, copied, absent, labelled)  # fmt: skip

    assert found_words(plan(1, 1)) == "1 labelled image, which is in street."
    assert found_words(plan(3, 1, 0, 2)) == (
        "3 labelled images: 1 is in street, 2 are left out, being in neither."
    )
    assert found_words(plan(2, 0, 2)) == (
        "2 labelled images: 0 are in street, 2 would be copied there."
    )
    new = ["a", "b", "c", "d", "e", "f"]
    assert summary_words(plan(1, 1), 1, 0, ["a"]) == "1 image gets labels; 1 new class: a."
    assert summary_words(plan(2, 2), 2, 0, new) == (
        "2 images get labels; 6 new classes: a, b, c, d and 2 more."
    )
    assert "Replace them" in summary_words(plan(2, 2, labelled=2), 0, 2, new)
    assert "replaced, with a backup" in summary_words(plan(2, 2, labelled=1), 2, 0, [])


def test_a_refused_source_offers_the_formats_and_shrinks(place, folder, tmp_path):
    items = [ExportItem(folder / "street0.png", np.zeros((64, 96), np.uint8))]
    next(f for f in FORMATS if f.key == "voc").export(items, tmp_path / "set", OWN)
    (tmp_path / "nothing").mkdir()
    dialog = dialog_of(place, "import")
    dialog.look_at(tmp_path / "set")
    place.wait(lambda: dialog.plan is not None)
    tall = dialog.height()
    dialog.look_at(tmp_path / "nothing")
    place.wait(lambda: "no known layout" in dialog.found.text())
    assert dialog.height() < tall and dialog.format.count() > 10
    dialog.format.setCurrentIndex(dialog.format.findText("PASCAL VOC 2012"))
    dialog.format.activated.emit(dialog.format.currentIndex())
    place.wait(lambda: "JPEGImages" in dialog.found.text())
    dialog.reject()
