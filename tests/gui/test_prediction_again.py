"""Predicting an image again changes what differs, and nothing that does not."""

from __future__ import annotations

import numpy as np
from canvas_case import HEIGHT, WIDTH, labelled, on_screen, open_canvas, prediction_of, rendered
from PySide6.QtWidgets import QApplication

from pspgui.geometry import Rect
from pspgui.gui.canvas.screen_labels import Difference, Fill, Outline, alike
from pspgui.gui.panels.classes import ClassesPanel
from pspgui.jobs.following import compare
from pspgui.labels.provenance import MODEL


def opened(qtbot, labels):
    """Return a canvas whose labels follow a prediction."""
    canvas = open_canvas(qtbot)
    canvas.document.set_image(np.full((HEIGHT, WIDTH, 3), 100, np.uint8), None, "picture")
    canvas.document.set_prediction(prediction_of(labels))
    on_screen(canvas)
    return canvas


def test_the_same_labels_again_change_none(qtbot):
    labels = labelled()
    document = opened(qtbot, labels).document
    told, revision = [], document.label_map.revision
    document.labels_changed.connect(told.append)
    document.set_prediction(prediction_of(labels.copy()))
    assert told == []
    assert document.label_map.revision == revision


def test_other_labels_are_taken_where_they_differ_and_seen(qtbot):
    labels = labelled()
    canvas = opened(qtbot, labels)
    document, told = canvas.document, []
    document.labels_changed.connect(told.append)
    other = labels.copy()
    other[5:9, 11:20] = 2
    found = compare(document.label_map, other)
    document.set_prediction(prediction_of(other), following=found)
    assert told == [Rect(5, 11, 9, 20)]
    assert np.array_equal(document.label_map.labels, other)
    QApplication.processEvents()
    fresh = opened(qtbot, other)
    assert np.array_equal(rendered(canvas), rendered(fresh))


def test_what_was_found_of_labels_that_changed_since_is_found_anew(qtbot):
    labels = labelled()
    document = opened(qtbot, labels).document
    second, third = labels.copy(), labels.copy()
    second[0, 0], third[40, 60] = 2, 2
    outdated = compare(document.label_map, third)
    document.set_prediction(prediction_of(second))
    document.set_prediction(prediction_of(third), following=outdated)
    assert np.array_equal(document.label_map.labels, third)


def test_painted_labels_never_follow(qtbot):
    labels = labelled()
    document = opened(qtbot, labels).document
    document.set_active_class(1)
    document.begin_stroke(5.0, 5.0, "brush")
    document.finish_stroke()
    mine = document.label_map.labels.copy()
    other = np.full_like(labels, 2)
    document.set_prediction(prediction_of(other), following=compare(document.label_map, other))
    assert np.array_equal(document.label_map.labels, mine)
    assert (document.label_map.provenance != MODEL).any()


def test_areas_are_counted_anew_only_for_other_labels(qtbot):
    labels = labelled()
    document = opened(qtbot, labels).document
    panel = ClassesPanel(document)
    qtbot.addWidget(panel)
    panel.show()
    qtbot.waitUntil(lambda: panel.model.shares is not None, timeout=60_000)
    told = []
    panel.model.dataChanged.connect(lambda *_: told.append(True))
    document.set_prediction(prediction_of(labels.copy()))
    assert panel.model.shares is not None
    assert told == []
    other = np.full_like(labels, 2)
    document.set_prediction(prediction_of(other))
    qtbot.waitUntil(lambda: panel.model.shares[2] == 1.0, timeout=60_000)
    assert told


def test_looks_that_draw_the_same_are_alike():
    colours = np.arange(4, dtype=np.uint32)
    assert alike(Fill(colours), Fill(colours.copy()))
    assert not alike(Fill(colours), Fill(colours + 1))
    assert not alike(Fill(colours), None)
    assert not alike(Fill(colours), Outline(colours, 2))
    assert not alike(Outline(colours, 2), Outline(colours, 3))
    assert not alike(Difference(colours, 0), Difference(colours, 1))
