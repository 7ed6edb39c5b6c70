"""Large edits, carried out between the events of the window: exact, and whole or not at all."""

import numpy as np
import pytest
from canvas_case import open_canvas, prediction_of

from pspgui.geometry import Rect
from pspgui.gui.changing import Changing
from pspgui.gui.stroke_keeper import StrokeKeeper
from pspgui.labels.raster import Stamp
from pspgui.project import LabelStore

SIDE = 1536  # six by six tiles: more than are written at once
WHOLE = Stamp(Rect(0, 0, SIDE, SIDE), np.ones((SIDE, SIDE), bool))


@pytest.fixture
def document(qtbot):
    """A document with labels of 36 tiles; class Car is active."""
    labels = np.random.default_rng(5).integers(0, 2, (SIDE, SIDE)).astype(np.uint8)
    image = np.zeros((SIDE, SIDE, 3), np.uint8)
    made = open_canvas(qtbot, image, labels).document
    made.set_active_class(2)
    made.before = labels.copy()
    made.said = []
    made.message.connect(made.said.append)
    return made


def settled(qtbot, document):
    qtbot.waitUntil(lambda: not document.history.is_open)


def test_a_large_fill_goes_on_by_itself_and_is_one_edit(qtbot, document):
    assert document.fill(WHOLE, "Fill")
    assert document.history.is_open and document.is_edited and not document.history.edits
    with qtbot.waitSignal(document.history_changed):
        pass
    (edit,) = document.history.edits
    assert (document.label_map.labels == 2).all() and edit.pixels_changed == SIDE**2
    document.undo()
    assert document.history.is_open
    settled(qtbot, document)
    assert np.array_equal(document.label_map.labels, document.before)
    document.redo()
    settled(qtbot, document)
    assert (document.label_map.labels == 2).all()


def test_undo_takes_back_an_edit_that_is_still_being_made(qtbot, document):
    repainted = []
    document.labels_changed.connect(repainted.append)
    document.fill(WHOLE, "Fill")
    assert (document.label_map.labels == 2).any()
    document.undo()
    assert np.array_equal(document.label_map.labels, document.before)
    assert not document.history.is_open and not document.can_undo and not document.is_edited
    assert repainted == [WHOLE.rect]


def test_what_comes_next_waits_for_the_end(document):
    document.fill(WHOLE, "Fill")
    document.set_active_class(1)
    document.begin_stroke(700.0, 700.0, "brush")
    document.finish_stroke()
    first, second = document.history.edits
    assert first.pixels_changed == SIDE**2 and second.pixels_changed < SIDE
    document.jump_history(0)
    document.finish_stroke()
    assert np.array_equal(document.label_map.labels, document.before)
    document.jump_history(2)
    document.undo()  # behind the jump, not in its place
    document.finish_stroke()
    assert document.history.edits == (first,) and (document.label_map.labels == 2).all()


def test_another_image_waits_for_the_end(document):
    label_map, told = document.label_map, []
    document.edited.connect(told.append)
    document.fill(WHOLE, "Fill")
    document.set_image(np.zeros((8, 8, 3), np.uint8), None, "other")
    assert (label_map.labels == 2).all() and [change.kind for change in told] == ["edit"]
    assert document.label_map is None


def test_a_wide_stroke_becomes_an_edit_in_turns(qtbot, document):
    document.set_brush_diameter(1200)
    document.begin_stroke(0.0, 0.0, "brush")
    document.move_stroke(SIDE, SIDE)
    painted = document.label_map.labels.copy()
    document.release_stroke()
    assert document.history.is_open and not document.stroke_active
    settled(qtbot, document)
    (edit,) = document.history.edits
    assert edit.pixels_changed == np.count_nonzero(painted != document.before)
    assert np.array_equal(document.label_map.labels, painted)
    document.undo()
    document.finish_stroke()
    assert np.array_equal(document.label_map.labels, document.before)


def test_the_journal_keeps_tiles_of_an_edit_that_is_still_being_made(document, tmp_path):
    keeper = StrokeKeeper(document, LabelStore())
    keeper.open(tmp_path / "x.png", None)
    parts = []
    keeper.journals.record_part = lambda *part: parts.append(part)
    document.fill(WHOLE, "Fill")
    assert keeper._timer.isActive()
    keeper._timer.timeout.emit()
    ((_, _, name, tiles),) = parts
    assert name == "Fill Car" and len(tiles) == 16
    for tile in tiles:
        assert np.array_equal(tile.labels, document.before[tile.rect.slices])
        assert (tile.labels_now == 2).all()
    document.finish_stroke()
    keeper.close(5.0)


def test_accepting_a_large_prediction(qtbot, document):
    document.set_image(document.image, None, "anew")
    document.set_prediction(prediction_of(document.before))
    document.accept_prediction()
    settled(qtbot, document)
    assert document.history.edits[0].pixels_confirmed == SIDE**2
    document.accept_prediction()
    settled(qtbot, document)
    assert document.said[-1].startswith("All labels are accepted")


def test_a_change_may_ask_for_the_end_while_it_runs(qtbot):
    changing, done = Changing(), []

    def steps():
        for _ in range(40):
            changing.finish()
            yield
        return "end"

    changing.run(steps(), done.append)
    assert changing.is_busy and not done
    changing.finish()
    assert done == ["end"] and not changing.is_busy


def test_a_change_that_fails_ends(qtbot):
    changing = Changing()

    def steps():
        yield
        raise MemoryError

    with pytest.raises(MemoryError):
        changing.run(steps(), print)
    assert not changing.is_busy
    changing.run(iter_of(3), print)
    assert not changing.is_busy


def iter_of(count):
    for _ in range(count):
        yield
