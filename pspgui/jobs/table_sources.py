"""Class tables from wherever there are some: weights, a data set, a JSON file, a label list."""

from __future__ import annotations

from pathlib import Path

from pspgui.durable import printable
from pspgui.jobs.messages import Job, Step, Steps, Turn
from pspgui.labels.classes import ClassTable

WEIGHT_SUFFIXES = (".safetensors", ".pth", ".pt", ".ckpt", ".bin")


def read_table(path: Path) -> Job:
    """Return a job that reads the class table of weights, of a data set's folder or of a JSON file.

    It fails with `ClassTableError`, or what the reader of weights or data sets says.
    """

    def job(turn: Turn) -> Steps:
        yield Step(f"Reading the classes of {printable(path.name)}")
        if path.is_dir():
            return _of_data_set(path)
        if path.suffix.lower() in WEIGHT_SUFFIXES:
            return _of_weights(path)
        return ClassTable.load(path)

    return job


def _of_weights(path: Path) -> ClassTable:
    from pspgui.models.checkpoints import identify
    from pspgui.models.checkpoints.container import read_container

    return identify(read_container(path))[1].spec.classes


def _of_data_set(path: Path) -> ClassTable:
    for name in ("classes.json", "dataset.json"):
        if (path / name).is_file():
            return ClassTable.load(path / name)
    from pspgui.formats.reading import layout_of

    layout, folder = layout_of(path)
    splits = layout.splits(folder)
    return layout.read(folder, splits[0] if splits else None)[1]
