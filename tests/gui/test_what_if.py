"""What if, as a person asks it: muting, scaling, borrowing, going back, keeping notes."""

from __future__ import annotations

import json

import numpy as np
import pytest
from fakes import fake_image
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QContextMenuEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QInputDialog, QLabel, QMenu
from small_networks import small_network
from what_if_case import Bench
from workplace import Workplace

from pspgui.evidence.whatif import LiveWhatIf, WhatIf, answer_if
from pspgui.geometry import Pixel
from pspgui.gui.dialogs.borrow import BorrowDialog
from pspgui.gui.document import Document
from pspgui.gui.theme import DARK, apply_theme
from pspgui.gui.what_if import LOCAL
from pspgui.imaging import encode_png
from pspgui.jobs.class_tables import plain_evidence
from pspgui.labels.classes import CAMVID

LEFT, RIGHT = Qt.MouseButton.LeftButton, Qt.MouseButton.RightButton


def saved_network(folder, seed):
    """Write a random small network of the CamVid classes and return its file."""
    from pspgui.models.checkpoints.native import save_checkpoint

    path = folder / f"small{seed}.safetensors"
    network = small_network(seed, classes=len(CAMVID))
    save_checkpoint(network, path, network.spec.model_copy(update={"classes": CAMVID}))
    return path


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """Two networks that read alike and answer otherwise."""
    folder = tmp_path_factory.mktemp("weights")
    return saved_network(folder, 3), saved_network(folder, 4)


@pytest.fixture
def folder(tmp_path):
    """Four small images."""
    for number in range(4):
        pixels = fake_image(96, 128, seed=number)
        (tmp_path / f"street{number}.png").write_bytes(encode_png(pixels))
    return tmp_path


@pytest.fixture
def place(qtbot, qapp, weights, folder):
    """A whole window that shows the second image, a pixel pinned."""
    apply_theme(qapp, DARK)
    found = Workplace(qtbot, weights[0])
    qtbot.addWidget(found.window)
    found.open(folder / "street1.png")
    found.document.set_pin(Pixel(40, 60))
    found.what_if = found.window.what_if
    found.panel = found.window.more["What if"].widget()
    yield found
    found.close()


@pytest.fixture
def bench(qtbot, qapp):
    """The parts of the window that know of what-ifs, over a random network's answer."""
    apply_theme(qapp, DARK)
    found = Bench(qtbot)
    found.predict()
    return found


def answered(place):
    """Wait until the answer to what is altered now is there."""
    what_if = place.what_if
    place.wait(lambda: what_if.told is not None and what_if.told.what is what_if.what)
    return what_if.told


def predict_by(place, weights):
    """Load other weights and wait for their prediction."""
    what_if = place.what_if
    before = what_if.evidence.activations.stamp.model
    place.session.open_weights(weights)
    place.wait(
        lambda: what_if.evidence is not None and what_if.evidence.activations.stamp.model != before
    )


def show_panel(place):
    dock = place.window.more["What if"]
    dock.setVisible(True)
    dock.raise_()
    QApplication.processEvents()


def centre(grids, key):
    rect = grids.bin_rect(*key) if len(key) == 3 else grids.title_rect(*key)
    return rect.center().toPoint()


def open_menu(grids, key):
    """Open the menu of a bin with the right button and return it."""
    at = centre(grids, key)
    event = QContextMenuEvent(QContextMenuEvent.Reason.Mouse, at, grids.mapToGlobal(at))
    QApplication.sendEvent(grids, event)
    menu = QApplication.activePopupWidget()
    assert isinstance(menu, QMenu)
    return menu


def choose(menu, text):
    """Choose the row of a menu whose text begins so."""
    row = next(a for a in menu.actions() if a.text().startswith(text))
    menu.setActiveAction(row)
    QTest.keyClick(menu, Qt.Key.Key_Return)
    menu.close()


def test_a_double_click_mutes_a_bin_and_another_brings_it_back(bench):
    what_if, grids = bench.what_if, bench.grids
    document = bench.document
    before = document.label_map.labels.copy()
    QTest.mouseDClick(grids, LEFT, pos=centre(grids, (2, 0, 1)))
    told = answered(bench)

    evidence = plain_evidence(document.engine)[0]
    expected = answer_if(evidence, document.prediction.labels, WhatIf().with_bin((2, 0, 1), 0.0))
    assert np.array_equal(told.prediction.labels, expected.labels)
    assert told.changed_px == expected.changed_px and told.gained.sum() == 0
    assert not np.array_equal(told.prediction.scores, document.prediction.scores)
    assert grids.marks[2, 0, 1].words == "muted"
    assert np.array_equal(document.label_map.labels, before)  # a person's labels stay
    assert not document.is_dirty

    QTest.mouseDClick(grids, LEFT, pos=centre(grids, (2, 0, 1)))
    assert what_if.is_plain and what_if.told is None and not grids.marks


def test_m_mutes_the_bin_pointed_at_and_is_no_tools_key_there(bench):
    what_if, grids = bench.what_if, bench.grids
    rule = bench.document.paint_filter
    grids.setFocus()
    QTest.mouseMove(grids, centre(grids, (3, 1, 1)))
    bench.wait(lambda: grids.pointed is not None)
    QTest.keyClick(grids, Qt.Key.Key_M)
    assert what_if.factor((3, 1, 1)) == 0
    assert bench.document.paint_filter == rule
    QTest.keyClick(grids, Qt.Key.Key_M)
    assert what_if.is_plain


def test_the_menu_of_a_level_mutes_and_restores_it(bench):
    what_if, grids = bench.what_if, bench.grids
    choose(open_menu(grids, (6,)), "Mute")
    assert what_if.factor((6,)) == 0 and (6,) in grids.marks
    answered(bench)
    choose(open_menu(grids, (6,)), "Restore")
    assert what_if.is_plain


def test_the_slider_of_the_menu_scales(bench):
    from pspgui.gui.panels.factor_slider import FactorSlider

    what_if, grids = bench.what_if, bench.grids
    menu = open_menu(grids, (1, 0, 0))
    scale = next(a.menu() for a in menu.actions() if a.text().startswith("Scale"))
    slider = scale.actions()[0].defaultWidget().findChild(FactorSlider)
    QTest.keyClick(slider, Qt.Key.Key_PageDown)
    QTest.keyClick(slider, Qt.Key.Key_PageDown)
    menu.close()
    assert what_if.factor((1, 0, 0)) == 0.5
    assert grids.marks[1, 0, 0].words == "50 %"
    answered(bench)


def test_the_menu_key_opens_the_menu_of_the_bin_pointed_at(bench):
    grids = bench.grids
    grids.setFocus()
    QTest.keyClick(grids, Qt.Key.Key_Right)
    at = QPoint(0, 0)
    event = QContextMenuEvent(QContextMenuEvent.Reason.Keyboard, at, grids.mapToGlobal(at))
    QApplication.sendEvent(grids, event)
    menu = QApplication.activePopupWidget()
    assert "1×1" in menu.actions()[0].text()
    menu.close()


def test_a_slider_of_the_panel_is_followed_and_the_newest_wins(bench):
    what_if, panel = bench.what_if, bench.panel
    row, heard = panel.rows[LOCAL], []
    what_if.answered.connect(lambda: heard.append(what_if.told.what.local))
    middle = row.slider.rect().center()
    QTest.mousePress(row.slider, LEFT, pos=middle)
    for x in range(middle.x(), 4, -2):
        QTest.mouseMove(row.slider, QPoint(x, middle.y()))
    QTest.mouseRelease(row.slider, LEFT, pos=QPoint(4, middle.y()))
    told = answered(bench)
    assert what_if.factor(LOCAL) < 0.5
    assert heard[-1] == told.what.local == what_if.factor(LOCAL)
    assert row.value.text().endswith("%") or row.value.text() == "muted"


def test_the_panel_says_what_came_of_it(bench):
    what_if, panel = bench.what_if, bench.panel
    what_if.set_factor(LOCAL, 0.0)
    told = answered(bench)
    shown = panel.count.text().split(" px")[0].replace("\u2009", "")
    assert told.changed_px and shown == str(told.changed_px)
    table = bench.document.reading_table
    for gain in panel.bars.gains:
        assert gain.pixels == told.gained[table.names.index(gain.name)]
    before, after = told.confidence
    assert panel.confidence.text().startswith("Confidence of cells ")  # pixels are less sure
    assert f"{100 * before:.2f} %" in panel.confidence.text()
    assert f"{100 * after:.2f} %" in panel.confidence.text()
    scores = told.prediction.logits_at(20, 30)
    assert table.name_of(int(scores.argmax())) in panel.pixel.text().splitlines()[2]
    assert "pinned" in panel.pixel.text()
    bench.document.set_pin(Pixel(5, 5))
    assert "x 5, y 5" in panel.pixel.text()


def test_rows_of_altered_bins_come_and_go(bench):
    what_if, panel = bench.what_if, bench.panel
    assert list(panel.rows) == [LOCAL, (1,), (2,), (3,), (6,)]
    what_if.set_factor((6, 5, 0), 1.5)
    row = panel.rows[6, 5, 0]
    QTest.mouseClick(row.mute, LEFT)
    assert what_if.factor((6, 5, 0)) == 0
    QTest.mouseClick(row.mute, LEFT)
    assert what_if.factor((6, 5, 0)) == 1.5  # what it had before
    QTest.mouseClick(row.away, LEFT)
    assert what_if.is_plain and (6, 5, 0) not in panel.rows


def test_restoring_all_is_one_click_and_can_be_taken_back(bench):
    what_if, panel = bench.what_if, bench.panel
    what_if.set_factor((2,), 0.0)
    what_if.set_factor((6, 0, 0), 0.5)
    first = answered(bench).prediction.labels
    QTest.mouseClick(panel.restore_all, LEFT)
    assert what_if.is_plain and what_if.told is None
    QTest.mouseClick(panel.restore_all, LEFT)  # which is "Bring back" now
    assert np.array_equal(answered(bench).prediction.labels, first)


def test_escape_restores_first_and_then_lets_the_pin_go(bench):
    what_if = bench.what_if
    what_if.toggle_mute((1,))
    answered(bench)
    QTest.keyClick(bench.canvas, Qt.Key.Key_Escape)
    assert what_if.is_plain and bench.document.pin is not None
    QTest.keyClick(bench.canvas, Qt.Key.Key_Escape)
    assert bench.document.pin is None


def test_escape_takes_the_map_off_before_the_what_if_beneath_it(bench):
    what_if, document = bench.what_if, bench.document
    what_if.toggle_mute((1,))
    answered(bench)
    document.set_shown_map("confidence")
    QTest.keyClick(bench.canvas, Qt.Key.Key_Escape)
    assert document.shown_map is None and not what_if.is_plain and document.pin is not None
    QTest.keyClick(bench.canvas, Qt.Key.Key_Escape)
    assert what_if.is_plain and document.pin is not None


def test_the_canvas_shows_the_answer_and_what_was_before_while_u_is_held(bench):
    what_if, panel = bench.what_if, bench.panel
    canvas = bench.canvas
    plain = canvas.grab().toImage()
    what_if.set_factor(LOCAL, 0.0)
    answered(bench)
    altered = canvas.grab().toImage()
    assert altered != plain
    canvas.setFocus()
    QTest.keyPress(canvas, Qt.Key.Key_U)
    assert what_if.before_held
    middle = bench.canvas.camera.to_widget(30.5, 12.5).toPoint()
    assert canvas.grab().toImage().pixelColor(middle) == plain.pixelColor(middle)
    QTest.keyRelease(canvas, Qt.Key.Key_U)
    assert canvas.grab().toImage() == altered
    QTest.mouseClick(panel.on_image, LEFT, pos=QPoint(8, panel.on_image.height() // 2))
    assert not what_if.on_image and canvas.grab().toImage() == plain
    bench.document.set_view_mode("image")
    what_if.set_on_image(True)
    image = canvas.grab().toImage()
    what_if.restore_all()
    assert canvas.grab().toImage() == image  # in this view it is not shown


def test_another_image_and_another_model_begin_anew(place, folder, weights):
    what_if = place.what_if
    what_if.toggle_mute((1,))
    answered(place)
    place.session.show_image(folder / "street2.png")
    place.wait(lambda: place.document.image_title == "street2.png" and place.predicted())
    assert what_if.is_plain and what_if.told is None and not what_if.can_bring_back
    what_if.toggle_mute((1,))
    answered(place)
    predict_by(place, weights[1])
    assert what_if.is_plain and what_if.told is None


def test_a_bin_is_borrowed_from_another_image(place, folder):
    what_if, grids = place.what_if, place.window.evidence.grids
    choose(open_menu(grids, (2, 1, 0)), "Borrow")
    dialog = place.window.findChild(BorrowDialog)
    place.wait(lambda: dialog.list.count() == 3)  # all but the one shown
    QTest.keyClicks(dialog.filter, "street3")
    place.wait(lambda: dialog.list.count() == 1)
    dialog.list.setCurrentRow(0)
    assert dialog.chosen == folder / "street3.png"
    ok = dialog.buttons.button(dialog.buttons.StandardButton.Ok)
    QTest.mouseClick(ok, LEFT)
    place.wait(lambda: bool(what_if.what.borrowed))
    told = answered(place)

    predictor = place.session.room.predictor
    lender = predictor.set_image(fake_image(96, 128, seed=3), "theirs")
    evidence = plain_evidence(place.document.engine)[0]
    expected = LiveWhatIf(evidence).answer(WhatIf().with_loan((2, 1, 0), lender))
    assert np.allclose(told.prediction.scores, expected.scores, atol=1e-5)
    assert grids.marks[2, 1, 0].words == "borrowed from street3.png"
    what_if.restore((2, 1, 0))
    assert what_if.is_plain

    # no more than two images lend at once
    said = []
    place.document.message.connect(said.append)
    what_if.borrow((2, 0, 0), folder / "street2.png")
    what_if.borrow((2, 0, 1), folder / "street3.png")
    what_if.borrow((2, 1, 1), folder / "street0.png")
    assert any("street2.png and street3.png lend bins already" in text for text in said)
    place.wait(lambda: len(what_if.what.borrowed) == 2)
    assert set(what_if.lenders.kept) == {folder / "street2.png", folder / "street3.png"}
    what_if.restore_all()
    what_if.borrow((2, 1, 1), folder / "street0.png")
    place.wait(lambda: len(what_if.what.borrowed) == 1)
    assert len(what_if.lenders.kept) == 2

    # one that cannot be read lends nothing
    what_if.restore_all()
    said.clear()
    (folder / "broken.png").write_bytes(b"no image")
    what_if.borrow((1, 0, 0), folder / "broken.png")
    assert not what_if.is_plain and what_if.lender((1,)) == folder / "broken.png"
    place.wait(lambda: any(text.startswith("broken.png lends nothing:") for text in said))
    assert what_if.is_plain


def keep_note(place, monkeypatch, name):
    """Save the what-if under a name through the button, and wait until it is listed."""
    panel = place.panel
    monkeypatch.setattr(QInputDialog, "getText", lambda *_: (name, True))
    notes = panel._notes
    count = len(notes.notes)
    QTest.mouseClick(panel.save, LEFT)
    place.wait(lambda: len(notes.notes) == count + 1)
    return notes


def note_words(panel):
    """Return what stands in the first row of notes."""
    row = panel._notes_column.itemAt(0).widget()
    return [label.text() for label in row.findChildren(QLabel)]


def test_two_notes_kept_in_a_row_are_both_there_also_when_the_window_closes(place, folder):
    place.what_if.set_factor((3,), 0.25)
    answered(place)
    notes = place.panel._notes
    for name in ("one", "two"):
        notes.keep(name)
    place.window.closing.emit()
    path = folder / ".pspgui" / "what_if" / "street1.json"
    kept = json.loads(path.read_bytes())["notes"]
    assert [note["note"] for note in kept] == ["one", "two"]


def test_sources_that_this_pyramid_does_not_have_are_not_altered(bench):
    """A menu opened with another model may still offer them."""
    what_if = bench.what_if
    for key in ((7,), (3, 0, 3), (3, -1, 0)):
        what_if.set_factor(key, 0.0)
        what_if.toggle_mute(key)
    what_if.borrow((7, 0, 0), "elsewhere.png")
    assert what_if.is_plain and not what_if.lenders.waiting


def test_u_let_go_after_the_answer_went_is_held_no_longer(bench):
    what_if, canvas = bench.what_if, bench.canvas
    what_if.set_factor(LOCAL, 0.0)
    answered(bench)
    canvas.setFocus()
    QTest.keyPress(canvas, Qt.Key.Key_U)
    what_if.restore_all()
    QTest.keyRelease(canvas, Qt.Key.Key_U)
    assert not what_if.before_held


def test_notes_are_kept_in_the_project_and_applied_by_a_click(place, folder, weights, monkeypatch):
    what_if, panel = place.what_if, place.panel
    show_panel(place)
    assert not panel.save.isEnabled()
    what_if.set_factor((3,), 0.25)
    what_if.borrow((1, 0, 0), folder / "street0.png")
    place.wait(lambda: bool(what_if.what.borrowed))
    told = answered(place)
    notes = keep_note(place, monkeypatch, "no sky")

    path = folder / ".pspgui" / "what_if" / "street1.json"
    kept = json.loads(path.read_bytes())
    (entry,) = kept["notes"]
    assert kept["image"] == "street1.png" and entry["note"] == "no sky"
    assert entry["levels"] == {"3": 0.25} and entry["borrowed"] == [[1, 0, 0, "street0.png"]]
    assert entry["model"] == place.session.model.digest
    assert entry["changed_px"] == told.changed_px and entry["pixels"] == 96 * 128
    table = place.document.reading_table
    assert entry["gained"] == {table.name_of(i): int(n) for i, n in enumerate(told.gained) if n}

    # a note of this model is not called another's when its image comes up again
    for name in ("street0.png", "street1.png"):
        place.session.show_image(folder / name)
        place.wait(lambda name=name: place.document.image_path == folder / name)
        place.wait(place.predicted)
    place.wait(lambda: bool(notes.notes))
    assert "other model" not in note_words(panel)

    what_if.restore_all()
    row = panel._notes_column.itemAt(0).widget()
    QTest.mouseClick(row.apply, LEFT)
    place.wait(lambda: bool(what_if.what.borrowed))
    again = answered(place)
    assert np.array_equal(again.prediction.labels, told.prediction.labels)
    assert again.changed_px == told.changed_px

    # a file that is no list of notes is told of, and kept
    damaged = path.with_name("street2.json")
    damaged.write_bytes(b"{broken")
    told_of = []
    place.session.notice.connect(told_of.append)
    place.session.show_image(folder / "street2.png")
    place.wait(lambda: bool(notes.trouble) and place.predicted())
    assert not notes.notes
    what_if.toggle_mute((1,))
    answered(place)
    notes.keep("lost?")
    place.wait(lambda: bool(told_of))
    assert told_of[-1].text.startswith("The note was not kept.")
    assert damaged.read_bytes() == b"{broken"

    # a note of another model says so; and notes can be deleted
    place.session.show_image(folder / "street1.png")
    place.wait(lambda: len(notes.notes) == 1 and what_if.evidence is not None)
    predict_by(place, weights[1])
    said = []
    place.document.message.connect(said.append)
    assert not notes.is_of_this_model(notes.notes[0])
    assert "other model" in note_words(panel)
    notes.apply(notes.notes[0])
    assert any("made with another model" in text for text in said)
    assert what_if.factor((3,)) == 0.25
    notes.delete(notes.notes[0])
    place.wait(lambda: not notes.notes)
    assert json.loads(path.read_bytes())["notes"] == []


def test_without_a_pyramid_it_says_why(qapp, qtbot, weights):
    from panel_fakes import predicted_document

    from pspgui.gui.what_if import _why_not

    document = predicted_document()
    document.set_network("FCN-8s VGG16")
    assert _why_not(document)[0] == "No pyramid to alter"
    document.set_network("PSPNet ResNet34 upsampling")
    assert _why_not(document)[0] == "This pyramid cannot be altered"
    document.set_image(None, None, "")
    assert _why_not(document)[0] == "No image yet"
    document.set_image(fake_image(60, 80), None, "bare")
    assert _why_not(document)[0] == "Waiting for the prediction"


def test_by_windows_it_names_the_key_that_opens_the_model_dialog(qapp):
    from pspgui.gui.commands.files import ROWS
    from pspgui.gui.what_if import _why_not

    class ByWindows(Document):
        by_windows = True

    document = ByWindows()
    document.set_image(np.zeros((4, 4, 3), np.uint8), None, "street")
    title, hint = _why_not(document)
    assert title == "Read by windows"
    key = next(row for row in ROWS if row.id == "model").keys[0]
    assert f"({key})" in hint


def test_muting_what_cannot_be_altered_says_why(bench, qtbot):
    document, what_if = bench.document, bench.what_if
    assert any("mutes it" in hint for hint in bench.grids.hints)
    document.set_prediction(document.prediction, (), None)
    assert what_if.evidence is None
    assert bench.grids.hints and not any("mutes it" in hint for hint in bench.grids.hints)
    with qtbot.waitSignal(document.message) as said:
        bench.grids.mute_wanted.emit((1, 0, 0))
    assert said.args[0].startswith(f"{what_if.reason[0]}: nothing is muted.")
    assert what_if.is_plain
