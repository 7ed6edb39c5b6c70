"""Laying out the context lab: scenes in which only context decides, as image files to open."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from pspgui.durable import write_durably
from pspgui.imaging import encode_png
from pspgui.jobs.class_tables import classes_beside, write_classes
from pspgui.jobs.messages import Job, Step, Steps, Turn
from pspgui.labels.provenance import IMPORTED
from pspgui.project import LabelStore

SCENES = 24
_FIRST_SEED = 9000  # none of the scenes that the lab's networks were trained on
_HARBOUR = 12  # the first scene with a boat in it, which muting turns into a car, to begin with


def lay_out_lab(home: Path, count: int = SCENES, labels: LabelStore | None = None) -> Job:
    """Return a job that writes the lab's scenes below `home`, once, and gives their folder.

    The kinds take turns, the first harbour first. With `labels`, the scenes go to another folder,
    and what they show is kept there as labels, which tell who is right where models differ. It
    fails with `SaveError`.
    """

    def job(turn: Turn) -> Steps:
        from pspgui.scenes.context_lab import LAB_KINDS, render_lab

        folder = home / ("context lab" if labels is None else "context lab with labels")
        for number in range(count):
            turn.check()
            yield Step("Drawing the context lab", number / count)
            drawn = (number + _HARBOUR) % SCENES
            kind = LAB_KINDS[drawn % len(LAB_KINDS)]
            path = folder / f"{number + 1:02d} {kind}.png"
            if not path.exists():
                scene = render_lab(_FIRST_SEED + drawn, kind)
                if labels is not None:
                    folder.mkdir(parents=True, exist_ok=True)
                    _keep(labels, path, scene.labels)
                write_durably(path, encode_png(scene.image))
        return folder

    return job


def _keep(store: LabelStore, image: Path, labels: np.ndarray) -> None:
    """Keep what a scene shows as its labels, in the lab's own classes."""
    from pspgui.scenes.context_lab import LAB

    origin = np.full(labels.shape, IMPORTED, np.uint8)
    write_classes(classes_beside(store.path_for(image)), LAB)
    store.save(image, labels, origin, LAB.palette())
