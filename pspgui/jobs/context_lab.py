"""Laying out the context lab: scenes in which only context decides, as image files to open."""

from __future__ import annotations

from pathlib import Path

from pspgui.durable import write_durably
from pspgui.imaging import encode_png
from pspgui.jobs.messages import Job, Step, Steps, Turn

SCENES = 24
_FIRST_SEED = 9000  # none of the scenes that the lab's networks were trained on


def lay_out_lab(home: Path, count: int = SCENES) -> Job:
    """Return a job that writes the lab's scenes below `home`, once, and gives their folder.

    The kinds take turns. It fails with `SaveError`.
    """

    def job(turn: Turn) -> Steps:
        from pspgui.scenes.context_lab import LAB_KINDS, render_lab

        folder = home / "context lab"
        for number in range(count):
            turn.check()
            yield Step("Drawing the context lab", number / count)
            kind = LAB_KINDS[number % len(LAB_KINDS)]
            path = folder / f"{number + 1:02d} {kind}.png"
            if not path.exists():
                scene = render_lab(_FIRST_SEED + number, kind)
                write_durably(path, encode_png(scene.image))
        return folder

    return job
