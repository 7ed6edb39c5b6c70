"""The dialog that cleans up labels: what it says, shows and does."""

import numpy as np
import pytest
from canvas_case import HEIGHT, WIDTH, open_canvas

from pspgui.geometry import Rect
from pspgui.gui.dialogs.clean_up import WORDS, CleanUpDialog, clean_up
from pspgui.labels.provenance import PERSON
from pspgui.labels.raster import Stamp


@pytest.fixture
def speckled(qtbot):
    """Islands of Car of 1 and 6 px in Sky, a hole of 2 px in a large Car."""
    labels = np.zeros((HEIGHT, WIDTH), np.uint8)
    labels[5, 5] = 2
    labels[10:12, 10:13] = 2
    labels[20:50, 20:60] = 2
    labels[30, 30:32] = 1
    labels[31, 40] = 255
    canvas = open_canvas(qtbot, labels=labels)
    canvas.document.set_active_class(2)
    return canvas


@pytest.fixture
def ask(speckled, qtbot):
    """Return a function that opens the dialog and waits for what it finds."""

    def opened(what, **fields):
        dialog = CleanUpDialog(speckled.document, what)
        qtbot.addWidget(dialog)
        set_fields(dialog, **fields)
        return dialog

    def set_fields(dialog, amount=None, where=None, label=None):
        if amount is not None:
            dialog.amount.setValue(amount)
        if where is not None:
            dialog.scope.choose(where)
        if label is not None:
            dialog.label.choose(label)
        qtbot.waitUntil(lambda: not dialog._pause.isActive() and dialog._found is not None)

    opened.again = set_fields
    return opened


def test_the_dialog_tells_what_would_change_and_does_it(speckled, ask):
    document = speckled.document
    dialog = ask("islands", amount=7)
    assert dialog.effect.text() == "2 islands, 7 px"
    ask.again(dialog, amount=2)
    assert dialog.effect.text() == "1 island, 1 px"
    dialog.accept()
    assert document.history.undo_names == ("Remove islands of Car, 1 px",)
    assert document.label_map.labels[5, 5] == 0
    assert (document.label_map.provenance == PERSON).sum() == 1
    dialog = ask("holes", amount=3)
    assert dialog.effect.text() == "2 holes, 3 px"
    ask.again(dialog, label=1)
    assert dialog.effect.text() == "no holes" and not dialog._ok.isEnabled()
    dialog.accept()
    assert len(document.history.undo_names) == 1


def test_amounts_are_remembered_for_each_kind(ask):
    ask("islands", amount=9)
    ask("grow", amount=5)
    assert ask("islands").amount.value() == 9
    assert ask("grow").amount.value() == 5


@pytest.mark.parametrize("what", ["smooth", "grow", "shrink", "close", "open", "joint"])
def test_every_operation_is_named_and_undone(speckled, ask, what):
    before = speckled.document.label_map.labels.copy()
    dialog = ask(what, amount=2)
    assert dialog._ok.isEnabled()
    dialog.accept()
    document = speckled.document
    assert not np.array_equal(document.label_map.labels, before)
    edit = WORDS[what].edit.format("Car")
    assert document.history.undo_names[0].startswith(f"{edit}, ")
    document.undo()
    assert np.array_equal(document.label_map.labels, before)


def test_a_class_is_relabelled_as_one_edit_but_a_locked_one(speckled, ask, qtbot):
    document = speckled.document
    dialog = ask("relabel")
    assert dialog.effect.text() == "1\u2009204 px would change" and dialog.amount.isHidden()
    dialog.into.choose(1)
    ask.again(dialog)
    dialog.accept()
    assert document.history.undo_names == ("Relabel Car to Road, 1\u2009204 px",)
    assert not (document.label_map.labels == 2).any()
    document.undo()
    document.set_locked(1, True)
    dialog = ask("relabel")
    dialog.into.choose(1)
    ask.again(dialog)
    assert dialog.effect.text() == "Road is locked (K unlocks it)"


def test_a_cleaning_can_be_kept_to_the_selection(speckled, ask):
    document = speckled.document
    document.select(Stamp(Rect(0, 0, 8, WIDTH), np.ones((8, WIDTH), bool)))
    dialog = ask("islands", amount=7)
    assert dialog.scope.value == "selection" and dialog.effect.text() == "1 island, 1 px"
    ask.again(dialog, where="whole")
    assert dialog.effect.text() == "2 islands, 7 px"


def test_the_pane_shows_what_would_change(speckled, ask):
    dialog = ask("grow", amount=6)
    dialog.resize(600, 600)
    shown = dialog.pane.grab().toImage()
    ask.again(dialog, amount=1)
    assert dialog.pane.grab().toImage() != shown


def test_labels_that_moved_on_are_looked_at_again(speckled, ask, qtbot):
    dialog = ask("islands", amount=7)
    document = speckled.document
    dialog._asked_of = document.label_map, -1  # as if a stroke had come in between
    dialog._take(dialog._found)
    assert not dialog._ok.isEnabled()
    qtbot.waitUntil(lambda: dialog._found is not None and dialog._ok.isEnabled())
    assert dialog._asked_of[1] == document.label_map.revision


def test_cleaning_up_without_labels_says_why_not(qtbot):
    canvas = open_canvas(qtbot)
    canvas.document.set_image(canvas.document.image, None, "fresh")
    said = []
    canvas.document.message.connect(said.append)
    clean_up(canvas.document, "islands", canvas)
    assert said == ["There are no labels to paint on before the image is predicted."]


def test_an_image_that_comes_only_now_ends_the_asking(speckled, ask, qtbot):
    """Opening is answered later, also while a dialog is open."""
    document = speckled.document
    dialog = ask("islands", amount=7)
    dialog.show()
    dialog.amount.setValue(3)
    dialog._ask()
    document.set_image(document.image.copy(), None, "another")
    assert not dialog.isVisible() and not document.errands.is_busy("clean up")


def test_labels_of_another_model_end_the_asking(speckled, ask):
    """Labels that were a prediction only go with it."""
    document = speckled.document
    dialog = ask("islands", amount=7)
    dialog.show()
    document._label_map = None
    document.prediction_changed.emit()
    dialog.accept()
    assert not dialog.isVisible() and dialog.result() == 0
