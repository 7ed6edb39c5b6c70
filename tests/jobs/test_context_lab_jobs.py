"""Laying out the context lab: the scenes alone, and with labels to compare models by."""

import numpy as np
from PIL import Image

from pspgui.jobs.context_lab import lay_out_lab
from pspgui.jobs.messages import Turn
from pspgui.labels.provenance import IMPORTED
from pspgui.project import LabelStore, class_files
from pspgui.scenes.context_lab import BOAT, LAB, render_lab


def run(job):
    steps = job(Turn(lambda step: None, lambda: False))
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value


def test_scenes_are_written_once(tmp_path):
    folder = run(lay_out_lab(tmp_path, 3))
    first = sorted(folder.iterdir())[0]
    before = first.stat().st_mtime_ns
    run(lay_out_lab(tmp_path, 3))

    assert [p.name[3:] for p in sorted(folder.glob("*.png"))] == [
        "relationship.png", "extent.png", "inconspicuous.png"
    ]  # fmt: skip
    assert first.stat().st_mtime_ns == before
    assert np.array_equal(np.asarray(Image.open(first)), render_lab(9012, "relationship").image)


def test_with_labels_the_lab_knows_the_boat_of_its_first_harbour(tmp_path):
    store = LabelStore(tmp_path / "elsewhere")
    folder = run(lay_out_lab(tmp_path, 2, store))
    first = sorted(folder.glob("*.png"))[0]
    stored = store.load(first)

    assert folder != run(lay_out_lab(tmp_path, 1))
    assert (stored.labels == BOAT).any() and (stored.provenance == IMPORTED).all()
    assert class_files.read_classes(store.path_for(first)) == LAB
    scene = render_lab(9012, "relationship")
    assert np.array_equal(stored.labels, scene.labels)
    assert np.array_equal(np.asarray(Image.open(first)), scene.image)
