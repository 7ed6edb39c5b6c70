"""The document: strokes, undo, predictions that never repaint a person, pins and views."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from fakes import FakeEvidence, Listener, fake_image, fake_prediction

from pspgui.evidence.readings import Target
from pspgui.geometry import Pixel
from pspgui.gui.document import Document
from pspgui.labels.classes import ClassTable, LabelClass, table
from pspgui.labels.label_map import LabelMap
from pspgui.labels.provenance import IMPORTED, MODEL, PERSON

SHAPE = (60, 80)
PATH = Path("/pictures/street.png")


@pytest.fixture
def document(qapp):
    """A document with an image and a prediction of class 1 everywhere."""
    document = Document()
    document.set_image(fake_image(*SHAPE), PATH, "street.png")
    document.set_prediction(fake_prediction(np.ones(SHAPE, np.uint8)), (), FakeEvidence())
    return document


def stroke(document, kind="brush", start=(20.0, 20.0), end=(30.0, 50.0), **options):
    document.begin_stroke(*start, kind, **options)
    document.move_stroke(*end)
    document.finish_stroke()


def test_labels_begin_as_the_prediction_and_are_no_work_of_anyone(document):
    assert np.array_equal(document.label_map.labels, np.ones(SHAPE))
    assert (document.label_map.provenance == MODEL).all()
    assert not document.is_dirty and not document.can_undo and not document.has_saved_labels


def test_a_map_made_beforehand_is_taken_over_where_there_is_none(document):
    document.set_image(fake_image(*SHAPE), PATH, "street.png")
    first, second = (LabelMap(np.full(SHAPE, n, np.uint8)) for n in (2, 3))
    document.set_prediction(fake_prediction(np.full(SHAPE, 2, np.uint8)), fresh=first)
    assert document.label_map is first and not document.is_touched

    stroke(document)
    painted = first.labels.copy()
    document.set_prediction(fake_prediction(np.full(SHAPE, 3, np.uint8)), fresh=second)
    assert document.label_map is first
    assert np.array_equal(first.labels, painted)


def test_a_stroke_is_one_edit_that_undo_and_redo_swap(document):
    before = document.label_map.labels.copy()
    rects = Listener(document.labels_changed)
    document.set_active_class(3)
    stroke(document)
    painted = document.label_map.labels.copy()

    assert (painted == 3).sum() > 500 and document.is_dirty
    assert document.history.undo_names[0].startswith("Brush Road")
    inside = np.zeros(SHAPE, bool)
    for rect in rects.heard:
        inside[rect.slices] = True
    assert not (before != painted)[~inside].any()

    document.undo()
    assert np.array_equal(document.label_map.labels, before) and document.can_redo
    document.redo()
    assert np.array_equal(document.label_map.labels, painted)


def test_a_stroke_that_changes_nothing_leaves_no_trace(document):
    document.set_active_class(1)
    stroke(document)
    document.undo()  # painting what was predicted is a person's word, so it is an edit
    serial = document.edit_serial
    document.begin_stroke(-500, -500, "brush")
    document.finish_stroke()

    assert document.edit_serial == serial


def test_abort_takes_the_stroke_back(document):
    before = document.label_map.labels.copy()
    document.set_active_class(4)
    document.begin_stroke(10, 10, "brush")
    document.move_stroke(40, 40)
    document.abort_stroke()

    assert np.array_equal(document.label_map.labels, before)
    assert not document.is_dirty and not document.stroke_active and not document.can_undo


def test_the_eraser_returns_to_the_prediction(document):
    document.set_active_class(5)
    stroke(document)
    stroke(document, "erase")

    assert (document.label_map.labels == 1).all()
    assert (document.label_map.provenance == MODEL).all()


def test_only_class_keeps_other_labels(document):
    document.set_active_class(5)
    stroke(document)
    five = document.label_map.labels == 5
    document.set_active_class(2)
    stroke(document, start=(30.0, 5.0), end=(20.0, 79.0), to_class=True)

    assert (document.label_map.labels[five] == 5).all()
    assert (document.label_map.labels == 2).any()


def test_a_new_prediction_replaces_untouched_labels_only(document):
    document.set_prediction(fake_prediction(np.full(SHAPE, 2, np.uint8)))
    assert (document.label_map.labels == 2).all()
    array = document.label_map.labels
    document.set_active_class(7)
    stroke(document)
    painted = array.copy()
    document.set_prediction(fake_prediction(np.full(SHAPE, 9, np.uint8)))

    assert document.label_map.labels is array
    assert np.array_equal(array, painted)
    assert (document.prediction.labels == 9).all()


def test_accepting_is_one_edit_and_keeps_what_was_painted(document):
    document.set_active_class(7)
    stroke(document)
    painted = document.label_map.labels == 7
    document.set_prediction(fake_prediction(np.full(SHAPE, 9, np.uint8)))
    document.accept_prediction()

    assert (document.label_map.labels[painted] == 7).all()
    assert (document.label_map.labels[~painted] == 9).all()
    assert (document.label_map.provenance == PERSON).all()
    document.undo()
    assert (document.label_map.labels[~painted] == 1).all()


def test_saved_labels_are_shown_and_never_repainted(qapp):
    document = Document()
    saved = np.full(SHAPE, 6, np.uint8)
    document.set_image(fake_image(*SHAPE), PATH, "street.png", saved)
    document.set_prediction(fake_prediction(np.ones(SHAPE, np.uint8)))

    assert (document.label_map.labels == 6).all() and not document.is_dirty
    assert (document.label_map.provenance == IMPORTED).all()


def test_labels_that_no_file_holds_count_as_unsaved(qapp):
    document = Document()
    document.set_image(fake_image(*SHAPE), PATH, "x", np.zeros(SHAPE, np.uint8), on_disk=False)

    assert document.is_dirty


def test_a_late_save_of_another_image_settles_nothing(document):
    document.set_active_class(3)
    stroke(document)
    first = document.edit_serial
    document.set_image(fake_image(*SHAPE, seed=1), PATH.with_name("b.png"), "b.png")
    document.set_prediction(fake_prediction(np.ones(SHAPE, np.uint8)))
    stroke(document)
    document.mark_saved(first)

    assert document.is_dirty
    document.mark_saved(document.edit_serial)
    assert not document.is_dirty


def test_a_prediction_of_another_size_is_an_answer_for_an_image_that_is_gone(document):
    document.set_image(fake_image(30, 30), None, "small")
    document.set_prediction(fake_prediction(np.ones(SHAPE, np.uint8)))

    assert document.prediction is None and document.label_map is None


def test_evidence_follows_the_mouse_until_a_pixel_is_pinned(document):
    engine = document._engine
    document.set_hover(Pixel(3, 4))
    assert document.evidence.pixel == (3, 4)
    document.set_pin(Pixel(5, 6))
    document.set_hover(Pixel(7, 8))
    assert document.evidence.pixel == (5, 6)
    document.set_pin(None)
    assert document.evidence.pixel == (7, 8)
    document.set_target(3, 2)
    assert engine.asked[-1] == (Pixel(7, 8), Target(3, 2))
    document.set_hover(Pixel(60, 0))
    assert document.hover is None and document.evidence is None


def test_the_score_map_follows_target_then_active_class(document):
    wanted = Listener(document.score_class_changed)
    document.set_active_class(4)
    document.set_target(2)
    document.set_active_class(5)
    document.set_target(None)

    assert wanted.heard == [4, 2, 5]


def test_the_score_map_follows_what_the_pinned_pixel_is_explained_for(document):
    document.set_active_class(4)
    wanted = Listener(document.score_class_changed)
    document.set_hover(Pixel(5, 6))
    assert wanted.heard == []  # all tiles would be drawn anew under a moving mouse
    document.set_pin(Pixel(5, 6))
    winner = document.evidence.target.class_id
    assert winner != 4 and document.score_class == winner
    document.set_active_class(5)
    assert document.score_class == winner
    document.set_target(2)
    document.set_target(None)
    document.set_pin(None)

    assert wanted.heard == [winner, 2, winner, 5]


def test_another_class_table_forgets_the_old_models_answer(document):
    document.set_table(table(("a", (1, 2, 3)), ("b", (4, 5, 6))))

    assert document.prediction is None and document.label_map is None
    assert document.active_class == 0 and document.evidence is None


def test_another_class_table_keeps_what_was_painted(document):
    document.set_active_class(3)
    stroke(document)
    document.set_table(table(("a", (1, 2, 3)), ("b", (4, 5, 6))))

    assert (document.label_map.labels == 3).any() and document.is_dirty


def test_a_class_called_background_veils_nothing_until_asked_to(document):
    document.set_table(table(("__background__", (0, 0, 0)), ("Backgrounds", (4, 5, 6))))
    assert document.visible[:3].tolist() == [False, True, True]

    document.set_visible(0, True)
    assert document.visible[0]


def test_brush_sizes_stay_within_their_range_and_always_change(document):
    document.set_brush_diameter(1)
    for expected in (2, 3, 4, 5, 6, 7, 8, 10):
        document.scale_brush(1.2)
        assert document.brush_diameter == expected
    document.set_brush_diameter(10**6)
    assert document.brush_diameter == 2048
    document.set_brush_diameter(-3)
    document.scale_brush(1 / 1.2)
    assert document.brush_diameter == 1


def test_views_name_the_array_on_screen(document):
    document.set_active_class(3)
    stroke(document)
    labels, predicted = document.label_map.labels, document.prediction.labels
    shown = {}
    for mode in ("image", "prediction", "labels", "difference"):
        document.set_view_mode(mode)
        shown[mode] = document.labels_in_view()

    assert shown["image"] is None and shown["prediction"] is predicted
    assert shown["labels"] is labels and shown["difference"] is labels
    with pytest.raises(ValueError, match="the view is one of"):
        document.set_view_mode("sideways")


def test_setters_are_silent_when_nothing_changes(document):
    heard = [
        Listener(signal)
        for signal in (document.display_changed, document.brush_changed,
                       document.active_class_changed, document.pin_changed)
    ]  # fmt: skip
    document.set_opacity(document.opacity)
    document.set_solo(None)
    document.set_visible(3, True)
    document.set_brush_diameter(document.brush_diameter)
    document.set_active_class(document.active_class)
    document.set_active_class(99)
    document.set_pin(None)

    assert [len(listener) for listener in heard] == [0, 0, 0, 0]


def test_solo_hides_the_rest_and_gives_it_back(document):
    document.set_visible(2, False)
    document.set_solo(3)
    assert document.visible.nonzero()[0].tolist() == [3]
    document.set_solo(None)
    assert document.visible.sum() == 255


def test_switching_images_finishes_nothing_of_the_old_one(document):
    document.set_active_class(3)
    document.begin_stroke(20, 20, "brush")
    document.set_image(fake_image(*SHAPE, seed=2), None, "other")

    assert not document.stroke_active and document.label_map is None
    document.move_stroke(30, 30)
    document.finish_stroke()
    assert not document.is_dirty


def test_painting_before_there_is_anything_says_so(qapp):
    document = Document()
    said = Listener(document.message)
    document.begin_stroke(1, 1, "brush")
    document.accept_prediction()
    document.undo()

    assert len(said) == 2 and not document.stroke_active


def test_an_image_that_cannot_be_predicted_can_be_painted(qapp):
    document = Document()
    document.set_image(fake_image(*SHAPE), PATH, "street.png")
    document.start_unlabelled()
    assert (document.label_map.labels == document.table.ignore).all() and not document.is_dirty

    document.set_active_class(2)
    stroke(document)
    painted = document.label_map.labels.copy()
    document.set_prediction(fake_prediction(np.ones(SHAPE, np.uint8)), (), FakeEvidence())

    assert (painted == 2).sum() > 500
    assert np.array_equal(document.label_map.labels, painted)


def test_a_prediction_that_comes_later_fills_a_map_nobody_touched(qapp):
    document = Document()
    document.set_image(fake_image(*SHAPE), PATH, "street.png")
    document.start_unlabelled()
    document.set_prediction(fake_prediction(np.ones(SHAPE, np.uint8)), (), FakeEvidence())

    assert (document.label_map.labels == 1).all()


def test_an_image_can_be_painted_where_classes_need_sixteen_bits(qapp):
    many = ClassTable(
        tuple(LabelClass(i, f"class {i}", (i % 256, 0, 0)) for i in range(300)), 65535
    )
    document = Document()
    document.set_image(fake_image(4, 5), None, "many")
    document.set_table(many)
    document.start_unlabelled()
    assert (document.label_map.labels == 65535).all()
    document.set_active_class(299)
    document.begin_stroke(2, 2, "brush")
    document.finish_stroke()
    assert 299 in document.label_map.labels
    document.set_visible(299, False)
    assert np.flatnonzero(~document.visible).tolist() == [299]
    document.set_solo(298)
    assert np.flatnonzero(document.visible).tolist() == [298]
    document.set_solo(None)
    document.set_visible(299, True)
    assert document.visible.all()
