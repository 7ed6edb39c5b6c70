"""Copies of labels for saving: true to the map, and no more copied than has changed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pspgui.gui.autosave import Autosave
from pspgui.gui.document import Document
from pspgui.gui.label_copier import LabelCopier
from pspgui.imaging import decode_labels
from pspgui.labels.edits import TILE_PX
from pspgui.project import LabelStore

_SIDE = 4 * TILE_PX
_WHOLE = _SIDE * _SIDE
_IMAGE = np.zeros((_SIDE, _SIDE, 3), np.uint8)


@pytest.fixture
def document(qapp, tmp_path):
    document = Document()
    labels = np.zeros((_SIDE, _SIDE), np.uint8)
    document.set_image(_IMAGE, tmp_path / "a.png", "a", labels)
    document.set_brush_diameter(20)
    return document


@pytest.fixture
def copied_px(monkeypatch):
    """Return how many pixels were copied, part by part."""
    parts = []
    copy = LabelCopier._copy

    def noted(self, label_map, rows, columns):
        parts.append(label_map.labels[rows, columns].size)
        copy(self, label_map, rows, columns)

    monkeypatch.setattr(LabelCopier, "_copy", noted)
    return parts


def dab(document, y, x, label):
    document.set_active_class(label)
    document.begin_stroke(y, x, "brush")
    document.finish_stroke()


def equals_map(copy, document):
    labels = document.label_map
    return (
        copy.serial == document.edit_serial
        and np.array_equal(copy.labels, labels.labels)
        and np.array_equal(copy.provenance, labels.provenance)
        and not np.shares_memory(copy.labels, labels.labels)
    )


def test_a_second_copy_takes_the_changed_tiles_only(document, copied_px):
    copier = LabelCopier(document)
    dab(document, 40, 40, 1)
    first = copier.copy_now(may_reuse=True)
    assert sum(copied_px) == _WHOLE
    copied_px.clear()
    dab(document, 40, 40, 2)
    dab(document, 3 * TILE_PX, 3 * TILE_PX, 3)  # over four tiles
    document.undo()
    document.redo()
    second = copier.copy_now(may_reuse=True)
    assert sum(copied_px) == 5 * TILE_PX**2
    assert second.labels is first.labels
    assert equals_map(second, document)


def test_a_copy_that_others_read_is_left_alone(document, copied_px):
    copier = LabelCopier(document)
    dab(document, 40, 40, 1)
    first = copier.copy_now(may_reuse=True)
    before = first.labels.copy()
    dab(document, 40, 40, 2)
    second = copier.copy_now(may_reuse=False)
    assert np.array_equal(first.labels, before)
    assert equals_map(second, document)


def test_a_copy_made_in_steps_reuses_the_last_one_too(document, copied_px, qtbot):
    copier = LabelCopier(document)
    dab(document, 40, 40, 1)
    copier.copy_now(may_reuse=True)
    dab(document, 600, 600, 2)
    copied_px.clear()
    with qtbot.waitSignal(copier.copied) as caught:
        copier.start(may_reuse=True)
        dab(document, 900, 100, 3)
    assert sum(copied_px) <= 6 * TILE_PX**2
    assert equals_map(caught.args[0], document)


def test_other_labels_of_the_same_shape_are_copied_whole(document, copied_px):
    copier = LabelCopier(document)
    dab(document, 40, 40, 1)
    copier.copy_now(may_reuse=True)
    document.set_image(_IMAGE, Path("b.png"), "b", np.full((_SIDE, _SIDE), 7, np.uint8))
    copied_px.clear()
    assert equals_map(copier.copy_now(may_reuse=True), document)
    assert sum(copied_px) == _WHOLE


def test_saving_again_and_again_copies_what_changed(document, copied_px, qtbot):
    store = LabelStore()
    autosave = Autosave(document, store)
    image = document.image_path
    for number in range(1, 4):
        copied_px.clear()
        dab(document, 40 * number, 40, number)
        autosave.save_now()
        assert sum(copied_px) == (_WHOLE if number == 1 else TILE_PX**2)
        assert autosave.flush(60)
        qtbot.waitUntil(lambda: not autosave.unsaved)
        saved = decode_labels(store.path_for(image)).labels
        assert np.array_equal(saved, document.label_map.labels)
    autosave.close()


def test_a_snapshot_that_was_handed_out_is_never_written_on(document, copied_px, qtbot):
    autosave = Autosave(document, LabelStore())
    dab(document, 40, 40, 1)
    autosave.save_now()
    lent = autosave.snapshot_of(document.image_path)
    before = lent.labels.copy()
    assert autosave.flush(60)
    qtbot.waitUntil(lambda: not autosave.unsaved)
    dab(document, 40, 40, 2)
    autosave.save_now()
    assert np.array_equal(lent.labels, before)
    assert autosave.flush(60)
    autosave.close()


def test_asked_to_save_a_large_map_the_window_goes_on(document, copied_px, qtbot, monkeypatch):
    monkeypatch.setattr("pspgui.gui.autosave._AT_ONCE_PX", 1000)
    store = LabelStore()
    autosave = Autosave(document, store)
    dab(document, 40, 40, 1)
    autosave.save_again()
    assert not copied_px
    with qtbot.waitSignal(autosave.saved):
        pass
    saved = decode_labels(store.path_for(document.image_path)).labels
    assert np.array_equal(saved, document.label_map.labels)
    autosave.close()
