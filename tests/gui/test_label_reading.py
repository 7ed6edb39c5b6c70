"""Labels of an image that is opened: what kind of map they become."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from pspgui.gui.label_reading import LabelReading
from pspgui.jobs.class_tables import write_classes
from pspgui.labels.classes import table
from pspgui.labels.provenance import PERSON
from pspgui.project import LabelStore, StrokeJournals

SHAPE = (4, 6)


class NothingUnsaved:
    """An autosave that holds no labels back."""

    def __init__(self, store):
        self.strokes = SimpleNamespace(journals=StrokeJournals(store.homes))

    def snapshot_of(self, image):
        return None

    def table_of(self, image):
        return None


@pytest.mark.parametrize(("classes", "kind"), [(255, np.uint8), (300, np.uint16)])
def test_labels_can_hold_every_class_of_their_table(tmp_path, classes, kind):
    store, image = LabelStore(), tmp_path / "a.png"
    names = ((f"kind {n}", (n % 256, 0, 0)) for n in range(classes))
    own = table(*names, ignore=255 if classes <= 255 else 65535)
    labels = np.arange(24, dtype=np.uint8).reshape(SHAPE)
    marks = np.full(SHAPE, PERSON, np.uint8)
    write_classes(store.save(image, labels, marks, own.palette()[:256]), own)
    autosave = NothingUnsaved(store)
    read = LabelReading(image, store, autosave)(image, SHAPE)
    autosave.strokes.journals.close()
    assert read.labels.dtype == kind and np.array_equal(read.labels, labels)
    assert read.table == own and read.labels.flags.writeable
