"""Two models on one image, as a person compares them: menu, views, map, list, and the end of it."""

from __future__ import annotations

import numpy as np
import pytest
from fakes import fake_image
from PySide6.QtCore import QEvent, QPoint, QPointF, Qt, QTimer
from PySide6.QtGui import QMouseEvent, QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication
from workplace import Workplace

from pspgui.geometry import Pixel, Rect
from pspgui.gui.comparing_panel import (
    DifferencesPanel,
    Names,
    evidence_text,
    explanation,
    verdict_text,
)
from pspgui.gui.comparing_reading import words_of
from pspgui.gui.dialogs.compare import CompareDialog, candidates
from pspgui.gui.theme import DARK, apply_theme
from pspgui.imaging import encode_png
from pspgui.jobs.comparing import JudgedRegion, Support
from pspgui.labels.classes import CAMVID, table
from pspgui.labels.differences import DifferingRegion
from pspgui.labels.provenance import PERSON
from pspgui.labels.raster import Stamp
from pspgui.scenes.context_lab import BOAT, CAR

pytestmark = pytest.mark.usefixtures("no_qthreads_left", "no_threads_left")

LEFT = Qt.MouseButton.LeftButton
OTHERS = table(("Road", (1, 1, 1)), ("sky", (2, 2, 2)), ("Zebra", (200, 10, 10)))


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """Two random small networks: of the CamVid classes, and of others, two of them the same."""
    from small_networks import small_network

    from pspgui.models.checkpoints.native import save_checkpoint

    folder = tmp_path_factory.mktemp("weights")
    paths = []
    for name, seed, classes in (("one", 3, CAMVID), ("two", 5, OTHERS)):
        network = small_network(seed, classes=len(classes))
        paths.append(folder / f"{name}.safetensors")
        save_checkpoint(network, paths[-1], network.spec.model_copy(update={"classes": classes}))
    return paths


@pytest.fixture
def place(qtbot, qapp, weights, tmp_path):
    """A window with the first model and an image."""
    apply_theme(qapp, DARK)
    for number in range(2):
        pixels = fake_image(64, 80, seed=number)
        (tmp_path / f"street{number}.png").write_bytes(encode_png(pixels))
    place = Workplace(qtbot, weights[0])
    qtbot.addWidget(place.window)
    place.open(tmp_path / "street0.png")
    yield place
    place.close()


def start(place, path):
    """Compare with a model as a person does: by the menu and the dialog."""

    def choose():
        dialog = QApplication.activeModalWidget()
        assert isinstance(dialog, CompareDialog)
        model = dialog.list.model()
        rows = [row for row in range(model.rowCount()) if model.rows[row][1] == path]
        dialog.list.setCurrentIndex(model.index(rows[0], 0))
        QTest.mouseClick(dialog.take, LEFT)

    place.window.parts.comparing._settings.set_choice("comparing/recent", f'["{path}"]')
    QTimer.singleShot(0, choose)
    place.window.actions_table["compare_add"].trigger()
    place.wait(lambda: place.window.parts.comparing.comparison is not None)
    return place.window.parts.comparing


def by_name(reading, names):
    return np.array([name.lower() for name in names])[reading.labels]


# -- with the whole window ------------------------------------------------------------------------


def test_a_second_model_is_compared_and_let_go_of(place, weights):
    document, window = place.document, place.window
    actions, before = window.actions_table, document.prediction
    assert not actions["compare_page"].isEnabled() and not actions["view_other"].isEnabled()
    comparing = start(place, weights[1])
    (other,) = comparing.others

    # beside each other, by name, and the first model as it was
    assert window.pages.currentWidget() is window.stage.page and window.stage.is_shown
    assert document.prediction is before and place.session.model.path == weights[0]
    same = by_name(comparing.first, comparing.table.names) == by_name(
        other.reading, comparing.table.names
    )
    place.wait(lambda: other.agreement is not None)
    assert other.agreement == pytest.approx(same.mean())
    assert np.array_equal(comparing.comparison.differs, ~same)
    assert "Zebra" in comparing.table.names and "Zebra" not in document.table.names
    unknown = comparing.table.names.index("Zebra")
    assert np.array_equal(
        document.other_labels == document.table.ignore, other.reading.labels == unknown
    )

    # the view of labels against the other model, and the map, on the canvas
    assert actions["view_other"].isEnabled()
    actions["compare_page"].trigger()
    assert window.pages.currentWidget() is window.canvas
    actions["view_other"].trigger()
    assert document.maps_in_view() == (document.label_map.labels, document.other_labels)
    actions["compare_map"].trigger()
    assert np.array_equal(document.canvas_map.values, comparing.comparison.differs)
    assert document.canvas_map.shares[1] == pytest.approx(1 - other.agreement)
    actions["compare_map"].trigger()
    assert document.canvas_map is None and document.view_mode == "other"

    # the end: nothing is left of the other model
    room = other.room
    actions["compare_stop"].trigger()
    place.wait(lambda: room.predictor is None)
    assert not comparing.is_on and document.view_mode == "labels"
    assert document.other_labels is None and not actions["compare_page"].isEnabled()


def test_views_are_linked_and_say_why_the_models_differ(place, weights):
    comparing, document = start(place, weights[1]), place.document
    page = place.window.stage.page
    first, second = page.columns
    found = comparing.comparison.judged[0].found
    pixel = found.deepest

    def pointed_at():
        """Again, if the page was still being laid out."""
        there = page.camera.to_widget(pixel.y + 0.5, pixel.x + 0.5).toPoint()
        QTest.mouseMove(second.view, there)
        # The platform says nothing of a mouse that was there already, over another view.
        event = QMouseEvent(
            QEvent.Type.MouseMove, QPointF(there), second.view.mapToGlobal(QPointF(there)),
            Qt.MouseButton.NoButton, Qt.MouseButton.NoButton, Qt.KeyboardModifier.NoModifier,
        )  # fmt: skip
        QApplication.sendEvent(second.view, event)
        return document.hover == pixel

    place.wait(pointed_at)
    place.wait(lambda: not page._reading.isActive() and second.strip.words is not None)
    words = first.strip.words, second.strip.words
    assert [w.class_id for w in words] == [found.one, found.other]
    assert comparing.table.name_of(found.one) in first.strip.text
    own = comparing.others[0].reading
    told = words_of(own, pixel, found.one)
    assert told.sums.total == words[1].sums.total
    assert sum(part.shown for part in told.sums.parts) == pytest.approx(told.sums.total)
    assert told.probability == pytest.approx(
        own.prediction.probability_at(*pixel)[found.other], abs=1e-6
    )

    zoom, at = page.camera.zoom, QPointF(first.view.rect().center())
    wheel = QWheelEvent(
        at, first.view.mapToGlobal(at), QPoint(), QPoint(0, 120), Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier, Qt.ScrollPhase.NoScrollPhase, False,
    )  # fmt: skip
    QApplication.sendEvent(first.view, wheel)
    assert page.camera.zoom == pytest.approx(1.25 * zoom)
    assert first.view.size() == second.view.size()
    QTest.keyClick(page, Qt.Key.Key_0, Qt.KeyboardModifier.ControlModifier)
    assert page.camera.fitted

    QTest.mouseClick(second.view, LEFT, pos=page.camera.to_widget(30.5, 40.5).toPoint())
    assert document.pin == Pixel(30, 40)
    QTest.keyClick(page, Qt.Key.Key_Escape)
    assert document.pin is None and place.window.stage.is_shown
    QTest.keyClick(page, Qt.Key.Key_Escape)
    assert not place.window.stage.is_shown and comparing.is_on


def test_the_context_lab_shows_what_the_pyramid_fixed(place):
    document, window = place.document, place.window
    comparing = window.parts.comparing
    window.actions_table["context_lab_both"].trigger()
    place.wait(lambda: comparing.comparison is not None and len(comparing.comparison.judged) > 1)
    panel = window.findChild(DifferencesPanel)
    assert window.stage.is_shown and document.image_title == "01 relationship.png"
    assert not comparing.comparison.first.labels.flags.writeable

    # a boat on a harbour, which the FCN takes for a car
    boat = next(r for r in panel.model.regions if (r.found.one, r.found.other) == (BOAT, CAR))
    assert boat.verdict == "fixed" and boat.labelled == 1 and boat.found.pixels > 5000
    assert boat.support.by == 0 and boat.support.pyramid_share > 0.5
    row = panel.model.regions.index(boat)
    words = panel.model.index(row, 0).data()
    assert "Boat, Car: PSPNet fixed this" in words

    # order, filter, and a click that zooms and pins
    panel.by_pyramid.click()
    panel.order.setCurrentIndex(1)
    panel.order.activated.emit(1)
    shares = [r.support.pyramid_share for r in panel.model.regions]
    assert boat in panel.model.regions and shares == sorted(shares, reverse=True)
    assert min(shares) > 0.5
    row = panel.model.index(panel.model.regions.index(boat), 0)
    panel.list.scrollTo(row)
    QTest.mouseClick(panel.list.viewport(), LEFT, pos=panel.list.visualRect(row).center())
    assert document.pin == boat.found.deepest and not window.stage.page.camera.fitted
    panel.verdicts.setCurrentIndex(2)
    panel.verdicts.activated.emit(2)
    assert panel.model.rowCount() == 0

    # a person says that it is a car: then the pyramid broke it
    mask = comparing.comparison.regions.parts == boat.found.number
    document.write(Stamp(Rect(0, 0, *mask.shape), mask), "Test", CAR, PERSON)
    place.wait(lambda: panel.model.rowCount() == 1)
    (broken,) = panel.model.regions
    assert (broken.found, broken.support) == (boat.found, boat.support)
    assert verdict_text(broken, panel.model.names) == "PSPNet broke this"


def test_another_image_is_read_by_both_and_a_third_model_may_come(place, weights, tmp_path):
    comparing, document = start(place, weights[1]), place.document
    before = comparing.comparison
    place.window.actions_table["next"].trigger()
    place.wait(lambda: document.image_title == "street1.png")
    place.wait(lambda: comparing.comparison not in (None, before))
    assert comparing.first.pixels is document.image and place.window.stage.is_shown
    assert comparing.others[0].reading.pixels is document.image

    assert comparing.add(weights[0])
    place.wait(lambda: all(o.agreement is not None for o in comparing.others))
    assert len(place.window.stage.page.columns) == 3
    assert comparing.others[1].agreement == 1.0, "the very same network agrees with itself"
    assert comparing.name_of(comparing.others[1]) == "one"
    assert not comparing.add(weights[1])
    comparing.choose(comparing.others[1])
    place.wait(lambda: comparing.comparison is not None)
    assert comparing.comparison.agreement == 1.0 and not comparing.comparison.judged


def test_what_cannot_be_loaded_is_told_and_the_first_model_goes_on(place, tmp_path):
    comparing = place.window.parts.comparing
    wrong = tmp_path / "wrong.pth"
    wrong.write_bytes(b"these are no weights")
    before = place.document.prediction
    comparing.add(wrong)
    place.wait(lambda: bool(place.window.banner.text))

    assert "wrong.pth is not compared" in place.window.banner.text
    assert not comparing.is_on and not place.document.is_comparing
    assert place.document.prediction is before


def test_stopping_a_prediction_says_so_and_it_can_be_read_again(place, weights):
    comparing = start(place, weights[1])
    (other,) = comparing.others
    other.forget()
    comparing.refresh()
    place.session.cancel("beside_0")
    place.wait(lambda: bool(other.fault) or other.reading is not None)
    if other.fault:  # it was stopped before it ended
        assert "stopped" in other.fault
        place.window.actions_table["compare_again"].trigger()
    place.wait(lambda: other.reading is not None)
    assert not other.fault


# -- words ----------------------------------------------------------------------------------------

NAMES = Names("PSPNet", "FCN", table(("Boat", (1, 1, 1)), ("Car", (2, 2, 2)), ("Quay", (3, 3, 3))))


def region(verdict="fixed", person=0, support=None):
    found = DifferingRegion(1, 0, 1, 10324, Rect(0, 0, 9, 9), Pixel(4, 4))
    return JudgedRegion(found, verdict, person, 0.5 if person is not None else 0.0, support)


def test_a_region_in_words():
    support = Support(0, 1, 7.26, 0.3, 6.04, 0.92)

    assert verdict_text(region(), NAMES) == "PSPNet fixed this"
    assert verdict_text(region("broke", 1), NAMES) == "PSPNet broke this"
    assert verdict_text(region("neither", 2), NAMES) == "both miss Quay"
    assert verdict_text(region("unknown", None), NAMES) == "differs, not labelled"
    assert evidence_text(region(support=support)) == "pyramid 83\u202f% of +7.26"
    against = Support(0, 1, 8.0, 9.0, -1.0, 0.0)
    assert evidence_text(region(support=against)) == "pyramid \u221212\u202f% of +8.00"
    assert evidence_text(region(support=Support(0, 1, 1.5))) == "margin +1.50"
    assert evidence_text(region()) == "no evidence"
    told = explanation(region(support=support), NAMES)
    assert "50.0 %" in told and "+7.26 = local +0.30 + pyramid +6.04 + constant +0.92" in told
    assert "FCN, Car over Boat" in explanation(region(support=Support(1, 0, 2.0)), NAMES)


def test_the_dialog_offers_what_was_used_lately_and_what_comes_with_the_app(tmp_path):
    lately = tmp_path / "mine.pth"
    rows = candidates((lately,), ())

    assert rows[0] == ("mine", lately) and len(rows) == 4
    assert all(path.is_file() for _, path in rows[1:])
    assert len(candidates((lately,), (rows[1][1], lately))) == 2


def test_while_the_page_is_out_of_sight_it_asks_nothing(place, weights):
    comparing, document = start(place, weights[1]), place.document
    page = place.window.stage.page
    comparing.set_side_by_side(False)
    place.wait(lambda: not page._reading.isActive())
    before = page.columns[0].strip.words
    document.set_pin(Pixel(5, 5))
    assert not page._reading.isActive()
    document.set_opacity(0.9)
    assert not page._reading.isActive() and page.columns[0].strip.words is before
    comparing.set_side_by_side(True)
    place.wait(lambda: page.columns[0].strip.words is not None)
    assert page.columns[0].strip.words.class_id == comparing.first.labels[5, 5]


def test_windows_are_compared_without_evidence(place, weights):
    from dataclasses import replace

    session, comparing = place.session, place.window.parts.comparing
    session.apply_choice(replace(session.choice, reading="windows", crop_px=129))
    place.wait(lambda: place.document.by_windows)
    comparing = start(place, weights[1])
    reading = comparing.others[0].reading
    assert reading.evidence is None and reading.prediction.windows is not None
    words = words_of(reading, Pixel(3, 4), 0)
    assert words.sums is None and 0 < words.probability <= 1
    assert {r.support for r in comparing.comparison.judged} <= {None}


def test_a_share_about_the_image_before_is_let_go_of(place, weights):
    comparing = start(place, weights[1])
    (other,) = comparing.others
    place.wait(lambda: other.agreement is not None)
    first, reading, share = comparing.first, other.reading, other.agreement
    place.session.show_image(place.document.image_path.with_name("street1.png"))
    place.wait(lambda: comparing.comparison is not None and comparing.first is not first)
    place.wait(lambda: other.agreement is not None)
    now = other.agreement
    comparing._on_shares(((first, ((other, reading),)), (share - 1,)))
    assert other.agreement == now


def test_escape_in_a_panel_steps_back_on_the_page_too(place, weights):
    comparing = start(place, weights[1])
    place.document.set_pin(Pixel(3, 4))
    window = place.window
    window.activateWindow()
    window.images.setFocus()
    QTest.keyClick(window.images, Qt.Key.Key_Escape)
    assert place.document.pin is None and window.stage.is_shown
    assert window.focusWidget() is window.stage.page
    window.images.setFocus()
    QTest.keyClick(window.images, Qt.Key.Key_Escape)
    assert not window.stage.is_shown and comparing.is_on
    assert window.focusWidget() is window.canvas
