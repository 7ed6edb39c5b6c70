"""The image list over an index: filter, completion, selection, words, review, statistics."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from fakes import Listener, fake_image, fake_prediction
from PySide6.QtCore import QEvent, QPoint, QPointF, Qt
from PySide6.QtGui import QMouseEvent
from PySide6.QtWidgets import QApplication
from queue_fakes import Desk

from pspgui.gui.panels.image_delegate import STATUS_ICONS, detail_text
from pspgui.gui.panels.image_filter import HelpPopup
from pspgui.gui.panels.images import ImagesPanel
from pspgui.gui.panels.review import ReviewPanel
from pspgui.gui.panels.statistics import StatisticsPanel
from pspgui.gui.panels.thumbnails import Thumbnails
from pspgui.gui.review_session import ReviewSession
from pspgui.gui.settings import Settings
from pspgui.project.index import IndexedImage
from pspgui.project.queries import FIELD, Match, text_of
from pspgui.project.schema import STATUSES


@pytest.fixture
def desk(qapp, tmp_path):
    (tmp_path / ".pspgui").mkdir()
    desk = Desk(tmp_path)
    yield desk
    desk.index.close()


@pytest.fixture
def panel(desk, qtbot, no_qthreads_left):
    thumbnails = Thumbnails(lambda path, side: np.full((side // 2, side, 3), 90, np.uint8))
    panel = ImagesPanel(desk.document, thumbnails=thumbnails, queue=desk.queue)
    qtbot.addWidget(panel)
    panel.resize(260, 520)
    panel.show()
    panel.set_images(desk.images)
    qtbot.waitUntil(lambda: desk.queue.known(desk.images[3]) is not None)
    yield panel
    panel.close_worker()


def names(panel):
    return [panel.model.path_at(row).stem for row in range(panel.model.rowCount())]


def click(panel, qtbot, row, modifier=Qt.KeyboardModifier.NoModifier):
    point = panel.view.visualRect(panel.model.index(row)).center()
    qtbot.mouseClick(panel.view.viewport(), Qt.MouseButton.LeftButton, modifier, point)


def ask(panel, qtbot, text):
    panel.filter_field.selectAll()
    panel.filter_field.setFocus()
    qtbot.keyClicks(panel.filter_field, text)
    qtbot.keyClick(panel.filter_field, Qt.Key.Key_Return)


# -- the filter ---------------------------------------------------------------------------------


def test_a_query_filters_and_the_count_says_how_many(panel, desk, qtbot):
    desk.queue.set_status(desk.images[1:3], "done")
    ask(panel, qtbot, "status:done")
    assert names(panel) == ["b", "c"] and panel.count_text == "2 of 4 images"
    ask(panel, qtbot, "-status:done or b")
    assert names(panel) == ["a", "b", "d"]


def test_a_mistake_is_said_and_the_last_good_list_stays(panel, desk, qtbot):
    ask(panel, qtbot, "b")
    ask(panel, qtbot, "b statsu:done")
    assert names(panel) == ["b"]
    assert "no field “statsu”" in panel.complaint and "status" in panel.complaint
    assert panel.filter_field.error.start == 2
    ask(panel, qtbot, "b")
    assert panel.complaint == ""


def test_an_unfinished_word_is_not_complained_about_at_once(panel, qtbot):
    field = panel.filter_field
    field.setFocus()
    qtbot.keyClicks(field, "status:d")
    field.apply()
    assert field.error is not None and panel.complaint == ""
    qtbot.waitUntil(lambda: "done" in panel.complaint)


def test_completion_is_chosen_with_the_keyboard(panel, qtbot):
    field = panel.filter_field
    field.setFocus()
    qtbot.keyClicks(field, "sta")
    popup = QApplication.activePopupWidget() or field._completer.popup()
    assert popup.isVisible()
    qtbot.keyClick(popup, Qt.Key.Key_Down)
    qtbot.keyClick(popup, Qt.Key.Key_Return)
    assert field.text() == "status:"
    qtbot.waitUntil(lambda: len(field._offered) == len(STATUSES))
    qtbot.keyClicks(field, "d")
    qtbot.keyClick(popup, Qt.Key.Key_Down)
    qtbot.keyClick(popup, Qt.Key.Key_Return)
    assert field.text() == "status:done "


def test_the_help_writes_its_example(panel, qtbot):
    panel.filter_field.setText("road")
    panel.filter_field.show_help()
    popup = next(w for w in QApplication.topLevelWidgets() if isinstance(w, HelpPopup))
    qtbot.mouseClick(popup, Qt.MouseButton.LeftButton, pos=QPoint(60, 8 + 12))
    assert panel.filter_field.text() == "road status:done"


def test_the_help_says_that_classes_are_those_of_saved_labels(panel, desk, qtbot):
    desk.read(a=0.5, b=0.5)
    desk.index.record_labels(desk.images[1], {"Road": 10}, 0, {}, "digest")
    ask(panel, qtbot, "class:road")
    assert names(panel) == ["b"] and "saved" in FIELD["class"].help


def test_without_an_index_names_are_filtered_all_the_same(panel, desk, qtbot):
    desk.session.held = True
    panel.set_images(desk.images)
    ask(panel, qtbot, "-b")
    assert names(panel) == ["a", "c", "d"]
    desk.session.release()
    assert names(panel) == ["a", "c", "d"]


def test_orders_are_chosen_from_the_menu(panel, desk):
    desk.read(a=0.5, b=0.1, c=0.9)
    menu = {action.text(): action for action in panel._sort.menu().actions()}
    menu["Doubt: mean margin"].trigger()
    assert names(panel) == ["b", "a", "c", "d"]
    menu["The other way round"].trigger()
    assert names(panel) == ["c", "a", "b", "d"]
    menu["Name"].trigger()
    assert names(panel) == ["a", "b", "c", "d"]


# -- selecting ----------------------------------------------------------------------------------


def test_selecting_more_does_not_go_there(panel, desk, qtbot):
    heard = Listener(panel.image_chosen)
    click(panel, qtbot, 0)
    panel.view.selectAll()
    assert heard.heard == [desk.images[0]] and len(panel.selected()) == 4
    assert panel.details.status_button.text().strip() == "4 images"


def test_the_menu_of_a_selection_sets_the_status_and_can_be_undone(panel, desk):
    panel.view.selectAll()
    menu = panel.context_menu()
    status = next(a.menu() for a in menu.actions() if a.menu() is not None)
    next(a for a in status.actions() if a.text() == "Accepted").trigger()
    assert desk.statuses() == ["accepted"] * 4
    desk.queue.undo_status()
    assert desk.statuses() == ["new"] * 4
    menu.close()


def test_the_menu_predicts_and_exports_what_is_selected(panel, desk, qtbot):
    click(panel, qtbot, 1)
    predict, export = Listener(panel.predict_wanted), Listener(panel.export_wanted)
    menu = panel.context_menu()
    actions = {action.text(): action for action in menu.actions()}
    actions["Predict"].trigger()
    actions["Predict and keep as starting labels…"].trigger()
    actions["Export…"].trigger()
    chosen = (desk.images[1],)
    assert predict.heard == [(chosen, False), (chosen, True)]
    assert export.heard == [(desk.images[1],)]
    menu.close()


def test_words_are_typed_below_the_list_and_kept(panel, desk, qtbot):
    panel.set_current(desk.images[2])
    details = panel.details
    details.type_into(details.tags_field)
    qtbot.keyClicks(details.tags_field, "Night rain")
    qtbot.keyClick(details.tags_field, Qt.Key.Key_Return)
    assert desk.index.image_of(desk.images[2]).tags == ("night", "rain")
    details.type_into(details.note_field)
    qtbot.keyClicks(details.note_field, "left side")
    panel.set_current(desk.images[0])  # leaving keeps what was typed, for its own image
    assert desk.index.image_of(desk.images[2]).note == "left side"
    assert desk.index.image_of(desk.images[0]).note == ""
    assert details.note_field.text() == ""
    panel.set_current(desk.images[2])
    assert details.tags_field.text() == "night rain" and details.note_field.text() == "left side"


def test_what_cannot_be_changed_is_not_offered(panel, desk):
    panel.set_current(desk.images[0])
    assert panel.details.status_button.isEnabled()
    desk.projects.read_only = True
    desk.projects.project_changed.emit(desk.projects)
    assert not panel.details.status_button.isEnabled()


def test_few_small_pictures_stand_side_by_side_as_many_do(panel, qtbot):
    panel.resize(250, 700)
    panel.view.set_look("small")
    model = panel.view.model()
    assert 1 < model.rowCount() < 10 and not panel.view.verticalScrollBar().isVisible()
    qtbot.waitUntil(lambda: panel.view.visualRect(model.index(1)).left() > 0)
    first, second = (panel.view.visualRect(model.index(row)) for row in range(2))
    assert second.top() == first.top() and second.right() < panel.view.width()


def test_the_grid_shows_the_same_images_and_larger_pictures(panel, desk, qtbot):
    heard = Listener(panel.look_changed)
    panel.set_look("medium")
    assert heard.heard == ["medium"] and panel.view.tile_size.width() >= 160
    qtbot.waitUntil(lambda: panel.model.thumbnails.get(desk.images[0]) is not None)
    assert panel.model.thumbnails.get(desk.images[0]).width() == 144
    chosen = Listener(panel.image_chosen)
    click(panel, qtbot, 2)
    assert chosen.heard == [desk.images[2]]
    panel.resize(500, 520)
    view, model = panel.view, panel.model
    qtbot.waitUntil(
        lambda: view.visualRect(model.index(2)).top() == view.visualRect(model.index(0)).top()
    )
    # three share the width but for a scroll bar, which is not needed here
    assert 0 <= view.viewport().width() - 3 * view.tile_size.width() < 16
    rows = panel.view.rows_in_sight()
    assert rows[0] == 0 and sorted(rows) == [0, 1, 2, 3]


def test_every_status_has_a_shape_of_its_own(tmp_path):
    assert set(STATUS_ICONS) == set(STATUSES) and len(set(STATUS_ICONS.values())) == len(STATUSES)
    image = IndexedImage(1, tmp_path, "done", tags=("night",), margin=0.75, entropy=0.5,
                         corrected_px=25, height=10, width=10)  # fmt: skip
    assert detail_text(image, "") == "done · doubt 0.25 · #night"
    assert detail_text(image, "", "corrected") == "done · 25.0 % corrected · #night"
    assert detail_text(image, "edited", "entropy").startswith("done, edited · entropy 0.50")
    assert detail_text(None, "saved") == "saved"
    # What is in work for most of the time fits into the panel as wide as it is at first.
    for status in ("new", "predicted", "in work"):
        words = detail_text(replace(image, status=status, tags=()), "edited")
        assert words == "edited · doubt 0.25"
    assert detail_text(replace(image, tags=()), "edited") == "done, edited"


# -- reviewing ----------------------------------------------------------------------------------


@pytest.fixture
def review(panel, desk, qtbot):
    settings = Settings()
    review = ReviewSession(desk.document, desk.session, desk.queue, panel, settings)
    widget = ReviewPanel(desk.document, desk.queue, review)
    qtbot.addWidget(widget)
    widget.show()
    panel.image_chosen.connect(lambda path: show(desk, path))
    return review, widget


def heard(desk):
    told = []
    desk.document.message.connect(told.append)
    return told


def show(desk, path):
    desk.document.set_image(fake_image(), path, path.name)
    desk.document.set_prediction(fake_prediction(np.zeros((60, 80), np.uint8)))


def test_a_review_goes_through_what_is_done(review, panel, desk, qtbot):
    session, widget = review
    begin, accept, reject = widget.buttons
    show(desk, desk.images[0])
    panel.set_current(desk.images[0])
    panel.filter_field.set_query_text("a or b or c")
    desk.queue.set_status(desk.images[1:3], "done")
    begin.click()
    assert names(panel) == ["b", "c"] and desk.document.view_mode == "difference"
    assert desk.document.image_path == desk.images[1]
    assert widget.counts_text.startswith("2 to review")
    session.reviewer = "Ann"
    widget.comment_field.setPlainText("the kerb")
    reject.click()
    assert desk.document.image_path == desk.images[2]
    assert widget.comment_field.toPlainText() == ""
    told = heard(desk)
    accept.click()
    assert told[-1] == "c.png is accepted; that was the last one to review."
    rejected, accepted = (desk.index.image_of(p) for p in desk.images[1:3])
    assert (rejected.status, rejected.reviewer, rejected.comment) == ("rejected", "Ann", "the kerb")
    assert (accepted.status, accepted.reviewer, accepted.comment) == ("accepted", "Ann", "")
    assert [i.path for i in session.comments] == [desk.images[1]]
    begin.click()
    assert panel.filter_field.text() == "a or b or c" and desk.document.view_mode == "labels"
    assert Settings().choice("review/reviewer") == "Ann"


def test_a_review_that_begins_at_the_last_image_goes_on_with_the_first(review, panel, desk):
    session, _ = review
    desk.queue.set_status(desk.images[:3], "done")
    show(desk, desk.images[2])
    panel.set_current(desk.images[2])
    session.set_active(True)
    told = heard(desk)
    session.accept()
    assert desk.document.image_path == desk.images[0]
    assert told[-1] == "c.png is accepted; from the top again."
    session.accept()
    assert desk.document.image_path == desk.images[1]
    session.reject()
    assert desk.document.image_path == desk.images[1]  # nothing is reviewed twice
    assert told[-1] == "b.png is rejected; that was the last one to review."


def test_a_comment_can_be_read_again_and_leads_to_its_image(review, desk, qtbot):
    session, widget = review
    desk.queue.review(desk.images[3], "Ann", "the kerb", "rejected")
    session.read_comments()
    heard = Listener(widget.image_chosen)
    point = widget.comments.visualRect(widget.comments.model().index(0)).center()
    qtbot.mouseClick(widget.comments.viewport(), Qt.MouseButton.LeftButton, pos=point)
    assert heard.heard == [desk.images[3]]
    show(desk, desk.images[3])
    assert widget.comment_field.toPlainText() == "the kerb"


# -- statistics ---------------------------------------------------------------------------------


@pytest.fixture
def numbers(panel, desk, qtbot):
    desk.index.record_labels(
        desk.images[0], {"Road": 3000, "Car": 1000, "": 800}, 500,
        {("Road", "Car"): 500, ("Road", "Road"): 2500, ("Car", "Car"): 500}, "d", size=(60, 80),
    )  # fmt: skip
    desk.index.set_status(desk.images[:2], "accepted")
    desk.index.add_seconds(desk.images[0], 150)
    widget = StatisticsPanel(desk.document, desk.session, desk.queue)
    qtbot.addWidget(widget)
    widget.resize(320, 900)
    widget.show()
    return widget


def test_numbers_of_the_project_are_shown(numbers, desk):
    statuses, classes, confusion = numbers.parts
    assert {b.name: b.text for b in statuses.bars}["Accepted"] == "2"
    shares = {b.name: b.text for b in classes.bars}
    assert shares == {"Road": "62.5 %", "Car": "20.8 %", "Unlabelled": "16.7 %"}
    assert confusion.names == ("Road", "Car")
    assert confusion.text_of(0, 1) == (
        "Road corrected to Car: 500 px, 16.7 % of what the model called Road"
    )
    assert numbers.time_text == "2 min spent, 2.5 min for each of 1 with labels."
    finished, accepted = numbers.plot.counts
    assert finished[-1] == accepted[-1] == 2 and finished.sum() == 2


def test_a_line_asks_for_its_images(numbers, panel, qtbot):
    numbers.query_wanted.connect(panel.ask_for)
    statuses, classes, _ = numbers.parts
    row = list(STATUS_ICONS).index("accepted")
    qtbot.mouseClick(statuses, Qt.MouseButton.LeftButton, pos=QPoint(60, row * 24 + 12))
    assert panel.filter_field.query == Match("status", "accepted")
    assert names(panel) == ["a", "b"]
    qtbot.mouseClick(classes, Qt.MouseButton.LeftButton, pos=QPoint(60, 12))
    assert text_of(panel.filter_field.query) == "class:Road" and names(panel) == ["a"]


def test_hovering_the_confusion_tells_the_numbers(numbers, qtbot):
    confusion = numbers.parts[2]
    side, left, above = confusion._side(confusion.width()), confusion._left(), confusion._above()
    point = QPoint(int(left + 1.5 * side), int(above + 0.5 * side))
    assert confusion.cell_at(point) == (0, 1)
    move = QMouseEvent(
        QEvent.Type.MouseMove, QPointF(point), QPointF(point), Qt.MouseButton.NoButton,
        Qt.MouseButton.NoButton, Qt.KeyboardModifier.NoModifier,
    )  # fmt: skip
    QApplication.sendEvent(confusion, move)
    assert confusion.toolTip() == confusion.text_of(0, 1)


def test_a_change_is_read_while_the_panel_is_seen(numbers, desk, qtbot):
    desk.queue.set_status(desk.images, "done")
    statuses = numbers.parts[0]
    qtbot.waitUntil(lambda: {b.name: b.text for b in statuses.bars}["Done"] == "4")
