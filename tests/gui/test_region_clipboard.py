"""Carrying a region from one image to the next."""

from pathlib import Path

import numpy as np
import pytest
from canvas_case import HEIGHT, TABLE, WIDTH, labelled, open_canvas, prediction_of

from pspgui.geometry import Rect
from pspgui.labels.classes import ClassTable, LabelClass
from pspgui.labels.provenance import PERSON
from pspgui.labels.raster import Stamp

REGION = Rect(20, 10, 40, 30)


@pytest.fixture
def document(qtbot):
    """A document whose selection lies half over Sky and half over Road."""
    document = open_canvas(qtbot, prediction=labelled()).document
    mask = np.ones((REGION.height, REGION.width), bool)
    mask[0, 0] = False
    document.select(Stamp(REGION, mask))
    document.said = []
    document.message.connect(document.said.append)
    return document


def open_another(document, labels, table=TABLE):
    image = np.zeros((*labels.shape, 3), np.uint8)
    document.set_image(image, None, "another", labels, table=table)


def test_a_copied_region_is_pasted_where_it_was(document):
    assert not document.clipboard.can_paste and not document.clipboard.paste()
    assert document.clipboard.copy()
    open_another(document, np.full((HEIGHT, WIDTH), 2, np.uint8))
    assert document.clipboard.paste()
    labels = document.label_map.labels
    expected = np.full((HEIGHT, WIDTH), 2, np.uint8)
    expected[REGION.slices] = labelled()[REGION.slices]
    expected[REGION.y0, REGION.x0] = 2
    assert np.array_equal(labels, expected)
    assert document.history.undo_names == ("Paste region, 399 px",)
    assert (document.label_map.provenance[REGION.slices] == PERSON).sum() == 399


def test_classes_are_carried_by_name_and_what_is_missing_is_said(document):
    document.clipboard.copy()
    other = ClassTable((LabelClass(0, "Water", (0, 0, 9)), LabelClass(1, "Sky", (9, 9, 9))))
    open_another(document, np.zeros((HEIGHT, WIDTH), np.uint8), other)
    document.clipboard.paste()
    labels = document.label_map.labels
    assert (labels == 1).sum() == 199 and not labels[30:].any()
    assert document.said[-1].startswith("200 px were left out")


def test_a_smaller_image_gets_what_fits_and_locked_classes_stay(document):
    document.clipboard.copy()
    document.set_locked(1, True)
    open_another(document, np.full((25, 25), 2, np.uint8))
    document.clipboard.paste()
    assert (document.label_map.labels == 0).sum() == 5 * 15 - 1
    open_another(document, np.full((5, 5), 2, np.uint8))
    assert not document.clipboard.paste()
    assert document.said[-1].startswith("Nothing was pasted")


def test_the_next_image_gets_the_region_once_it_has_labels(document, qtbot):
    document.clipboard.copy()
    document.clipboard.paste_into(Path("next.png"))
    document.set_prediction(prediction_of(labelled()))  # of the same image: not yet
    assert not document.can_undo
    document.set_image(np.zeros((HEIGHT, WIDTH, 3), np.uint8), Path("next.png"), "next")
    assert document.label_map is None
    document.set_prediction(prediction_of(np.full((HEIGHT, WIDTH), 2, np.uint8)))
    qtbot.waitUntil(lambda: document.can_undo)
    assert (document.label_map.labels == 0).sum() == 199
    document.set_image(np.zeros((HEIGHT, WIDTH, 3), np.uint8), None, "third", labelled())
    qtbot.wait(1)
    assert not document.can_undo


def test_a_region_is_pasted_into_no_other_image_than_the_one_it_is_for(document, qtbot):
    document.clipboard.copy()
    document.clipboard.paste_into(Path("damaged.png"))
    other = np.full((HEIGHT, WIDTH), 2, np.uint8)
    for name in ("other.png", "damaged.png"):
        picture = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
        document.set_image(picture, Path(name), name, other, table=TABLE)
        qtbot.wait(1)
        assert not document.can_undo


def test_without_a_selection_copying_says_what_to_do(document):
    document.select(None)
    assert not document.clipboard.copy()
    assert document.said[-1].startswith("Select a region first (C)")
