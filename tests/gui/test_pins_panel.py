"""The pins panel in the whole window: regions explained, pins compared, copied, kept."""

from __future__ import annotations

import csv
import io
import json

import numpy as np
import pytest
from fakes import fake_image
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLineEdit
from workplace import Workplace

from pspgui.evidence.readings import Target
from pspgui.geometry import Pixel, Rect
from pspgui.gui.panels.pin_compare import differences
from pspgui.gui.panels.pin_list import ROW
from pspgui.gui.theme import DARK, apply_theme
from pspgui.imaging import encode_png
from pspgui.labels.raster import Stamp
from pspgui.project import LabelStore
from pspgui.project.pins import pins_beside, read_pins

pytestmark = pytest.mark.usefixtures("no_qthreads_left", "no_threads_left")
LEFT, SHIFT = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.ShiftModifier
CTRL, NONE = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.NoModifier


@pytest.fixture
def folder(tmp_path):
    for number in range(2):
        pixels = fake_image(96, 128, seed=number)
        (tmp_path / f"street{number}.png").write_bytes(encode_png(pixels))
    return tmp_path


@pytest.fixture
def opened(qtbot, qapp, small_weights, folder):
    """Open workplaces on the first image, with the pins panel in sight."""
    apply_theme(qapp, DARK)
    found = []

    def build():
        place = Workplace(qtbot, small_weights)
        found.append(place)
        qtbot.addWidget(place.window)
        place.open(folder / "street0.png")
        place.wait(lambda: place.session.project.index is not None)
        place.window.more["Pins"].show()
        place.window.more["Pins"].raise_()
        place.window.activateWindow()
        place.wait(place.window.isActiveWindow)
        place.window.canvas.fit()  # the picture stays where it is from here on
        for _ in range(5):
            QApplication.processEvents()
        place.key(Qt.Key.Key_H)
        return place

    yield build
    for place in found:
        place.close()


@pytest.fixture
def place(opened):
    return opened()


def panel_of(place):
    return place.window.more["Pins"].widget()


def click(place, y, x, modifier=NONE):
    QTest.mouseClick(place.window.canvas, LEFT, modifier, place.at(y, x))


def explained(place):
    pins, panel = place.document.pins, panel_of(place)
    place.wait(lambda: not panel._session.is_waiting)
    assert all(pins.evidence_of(pin) is not None for pin in pins)


def two_pins(place):
    click(place, 20, 30)
    click(place, 70, 90, SHIFT)
    explained(place)
    return place.document.pins.all


def click_row(place, row, modifier=NONE):
    view = panel_of(place).list
    QTest.mouseClick(view.viewport(), LEFT, modifier, QPoint(60, row * ROW + ROW // 2))


def go_to(place, name):
    step = 1 if name == "street1.png" else -1
    place.window.images.step(step)
    place.wait(lambda: place.document.image_title == name and place.predicted())


def test_a_region_dragged_is_explained_in_the_evidence_panel(place):
    place.drag((10, 20), (40, 60))
    explained(place)
    document, pin = place.document, place.document.pins.current
    found = document.evidence
    assert found.pixels == pin.pixels and found.rect == pin.rect
    assert abs(found.residual) < 1e-4
    inside = np.argwhere(pin.region.mask) + np.array([pin.rect.y0, pin.rect.x0])
    each = [document.engine.at(Pixel(*pixel), found.target).logit for pixel in inside.tolist()]
    assert found.logit == pytest.approx(np.mean(each), abs=1e-4)
    assert pin.place in place.window.evidence._header.toolTip()
    document.set_target(3, 1)  # live
    explained(place)
    assert document.evidence.target == Target(3, 1)
    document.set_reading("ig")
    explained(place)
    assert document.evidence.reading == "ig"
    document.open_source(document.evidence.sources[0])
    place.wait(lambda: document.opened is not None)
    assert document.pins.current is pin and document.opened.source.kind == "local"


def test_two_pins_lie_side_by_side_and_keys_go_back_and_forth(place):
    one, other = two_pins(place)
    panel, pins = panel_of(place), place.document.pins
    first, second, third = panel.compare.cells
    assert [c.pin for c in panel.compare.columns] == [one, other]
    assert first[-1].shown == round(pins.evidence_of(one).logit, 2)
    assert sum(cell.shown for cell in third[:-1]) == pytest.approx(third[-1].shown, abs=1e-9)
    assert third[-1].shown == pytest.approx(first[-1].shown - second[-1].shown, abs=1e-9)
    assert first[0].name == "constant"
    assert first[-2].end == pytest.approx(pins.evidence_of(one).logit, abs=1e-4)
    sums = panel.list.rows.sums_of(one)
    assert {cell.shown for cell in differences(sums, sums)} == {0}

    place.key(Qt.Key.Key_Left, Qt.KeyboardModifier.AltModifier)
    assert place.document.pin == (20, 30)
    place.key(Qt.Key.Key_Right, Qt.KeyboardModifier.AltModifier)
    assert place.document.pin == (70, 90)
    assert panel.back.isEnabled() and not panel.forth.isEnabled()


def test_all_by_one_target_and_back(place):
    one, other = two_pins(place)
    panel, pins = panel_of(place), place.document.pins
    goal = pins.evidence_of(one).target
    place_of_goal = next(i for i in range(panel.by.count()) if panel.by.itemData(i) == goal)
    panel.by.setCurrentIndex(place_of_goal)
    panel.by.activated.emit(place_of_goal)
    explained(place)
    shown = panel._session.compared(other)
    assert shown.target == goal
    assert shown.logit == place.document.engine.at(other.pixel, goal).logit
    assert pins.evidence_of(other).target != goal or pins.evidence_of(one).target == goal
    panel.by.setCurrentIndex(0)
    panel.by.activated.emit(0)
    explained(place)
    assert panel._session.compared(other) is pins.evidence_of(other)
    place.document.set_target(2)
    explained(place)
    assert not panel.by.isEnabled() and panel._session.compared(one).target == Target(2)


def test_rows_are_chosen_explained_centred_renamed_and_removed(place):
    two_pins(place)
    panel, document = panel_of(place), place.document
    click_row(place, 0)
    assert document.pin == (20, 30)
    click(place, 50, 50, SHIFT)
    explained(place)
    assert len(panel.compare.columns) == 3
    click_row(place, 0)
    click_row(place, 1, CTRL)
    assert [pin.number for pin in panel.list.chosen] == [1, 2]
    assert [c.pin.number for c in panel.compare.columns] == [1, 2]
    assert len(panel.compare.cells) == 3

    place.window.canvas.zoom_by(4)
    QTest.mouseDClick(panel.list.viewport(), LEFT, NONE, QPoint(60, ROW + ROW // 2))
    middle = place.window.canvas.rect().center()
    assert abs(place.at(70, 90).x() - middle.x()) <= 8
    assert abs(place.at(70, 90).y() - middle.y()) <= 8

    panel.list.setCurrentIndex(panel.list.index_of(document.pins.numbered(1)))
    panel.list.edit(panel.list.currentIndex())
    editor = panel.list.findChild(QLineEdit)
    QTest.keyClicks(editor, "kerb")
    QTest.keyClick(editor, Qt.Key.Key_Return)
    place.wait(lambda: document.pins.numbered(1).name == "kerb")
    assert panel.list.rows.data(panel.list.rows.index(0)) == "kerb"

    click_row(place, 1)
    QTest.keyClick(panel.list, Qt.Key.Key_Delete)
    assert [pin.number for pin in document.pins] == [1, 3]
    menu = panel.menu_of(0)
    assert [a.text() for a in menu.actions() if a.text()] == [
        "Show in the middle", "Rename", "Remove", "Remove all",
    ]  # fmt: skip
    menu.actions()[-1].trigger()
    assert len(document.pins) == 0


def test_what_is_copied_holds_every_number(place, tmp_path):
    one, other = two_pins(place)
    panel, pins = panel_of(place), place.document.pins
    for action in panel.copy.menu().actions()[:3]:
        QApplication.clipboard().clear()
        action.trigger()
        assert QApplication.clipboard().text() == panel.written(action.data())
    QApplication.clipboard().clear()
    QTest.keyClick(panel.list, Qt.Key.Key_C, CTRL)
    assert QApplication.clipboard().text() == panel.written("tsv")
    rows = list(csv.DictReader(io.StringIO(panel.written("csv"), newline="")))
    for pin in (one, other):
        values = [float(row["value"]) for row in rows if row["pin"] == str(pin.number)]
        assert sum(values) == pytest.approx(pins.evidence_of(pin).logit, abs=1e-4)
    read = json.loads(panel.written("json"))
    assert [entry["x"] for entry in read] == [30, 90]
    assert read[0]["image"].endswith("street0.png") and len(read[0]["model_digest"]) == 64

    told = []
    place.document.message.connect(told.append)
    panel.save(tmp_path / "out" / "pins.json")
    place.wait(lambda: any("saved" in text for text in told))
    assert json.loads((tmp_path / "out" / "pins.json").read_text()) == read
    panel.save(tmp_path / "plain", "Tab-separated values (*.tsv)")
    place.wait(lambda: not place.session.in_turn.open)  # else closing asks about it
    assert (tmp_path / "plain.tsv").is_file()


def test_pins_survive_other_images_and_the_project_keeps_them(opened, folder):
    place = opened()
    two_pins(place)
    place.document.pins.add_region(Stamp(Rect(5, 6, 9, 9), np.eye(4, 3, dtype=bool)))
    go_to(place, "street1.png")
    assert len(place.document.pins) == 0
    go_to(place, "street0.png")
    assert [pin.number for pin in place.document.pins] == [1, 2, 3]
    assert place.document.pin is None
    file = pins_beside(LabelStore().path_for(folder / "street0.png"))
    assert not file.parent.parent.exists()  # nothing was made for having looked

    place.key(Qt.Key.Key_B)
    place.drag((40, 40), (40, 90))  # the first stroke makes the project
    place.session.save_now()
    place.wait(file.is_file)
    place.document.pins.rename(place.document.pins.numbered(2), "kerb")
    place.close()
    kept = read_pins(LabelStore().path_for(folder / "street0.png"))
    assert [(pin.number, pin.name) for pin in kept] == [(1, ""), (2, "kerb"), (3, "")]

    again = opened()
    again.wait(lambda: len(again.document.pins) == 3)
    assert again.document.pins.numbered(2).name == "kerb"
    assert np.array_equal(again.document.pins.numbered(3).region.mask, np.eye(4, 3, dtype=bool))
    go_to(again, "street1.png")
    click(again, 10, 10, SHIFT)
    go_to(again, "street0.png")
    again.session.project.flush()
    assert len(read_pins(LabelStore().path_for(folder / "street0.png"))) == 3


def test_pins_set_before_the_project_is_open_are_kept_once_it_is(opened, folder):
    label_file = LabelStore().path_for(folder / "street0.png")
    pins_beside(label_file).parent.mkdir(parents=True)
    place = opened()
    projects = place.session.project
    project, projects._project = projects.project, None
    two_pins(place)
    place.window.parts.pins.keep_now()
    projects._project = project
    projects.project_changed.emit(project)
    projects.flush()
    assert len(read_pins(label_file)) == 2


def test_removing_all_is_kept_too_and_a_damaged_file_is_left_alone(opened, folder):
    label_files = [LabelStore().path_for(folder / f"street{n}.png") for n in range(2)]
    damaged = pins_beside(label_files[1])
    damaged.parent.mkdir(parents=True)
    damaged.write_text("{")
    place = opened()
    two_pins(place)
    place.window.closing.emit()
    place.session.project.flush()
    assert len(read_pins(label_files[0])) == 2
    place.window.actions_table["remove_pins"].trigger()
    place.window.closing.emit()
    place.session.project.flush()
    assert read_pins(label_files[0]) == ()
    panel_of(place).restore.click()
    assert len(place.document.pins) == 2

    told = []
    place.document.message.connect(told.append)
    go_to(place, "street1.png")
    place.wait(lambda: any("street1.json cannot be read" in text for text in told))
    click(place, 20, 30, SHIFT)
    place.window.closing.emit()
    place.session.project.flush()
    assert damaged.read_text() == "{" and len(place.document.pins) == 1
