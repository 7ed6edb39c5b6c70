"""Reading a labelled data set of any layout that is known."""

from __future__ import annotations

from pathlib import Path

from pspgui.durable import printable
from pspgui.formats.checking import Progress, check_labels
from pspgui.formats.errors import FormatError
from pspgui.formats.layouts import LAYOUTS
from pspgui.formats.samples import Layout, Sample, check_split, find_split
from pspgui.formats.value_map import written_table
from pspgui.labels.classes import ClassTable


class TerminalBar:
    """Progress of the pass over the labels: a bar on a terminal once it takes a second."""

    def __init__(self) -> None:
        self._bar: object = None

    def __call__(self, done: int, total: int) -> None:
        """Show `done` of `total` files."""
        from tqdm import tqdm

        if self._bar is None:
            self._bar = tqdm(total=total, unit="file", desc="labels", delay=1, disable=None)
        bar = self._bar
        assert isinstance(bar, tqdm)
        bar.update(done - bar.n)
        if done == total:
            bar.close()


def read_dataset(
    root: str | Path, split: str | None = None, progress: Progress | None = None
) -> tuple[tuple[Sample, ...], ClassTable]:
    """Return the samples of a data set's split, and its class table; all labels are checked.

    The layout is found by the folders there are: those of `layouts.LAYOUTS`, or the folder form.
    A split may be called as people call it: `val` finds `validation`. Every label file is read
    once (a bar shows it on a terminal unless `progress` is given), so that a value without a
    meaning is named before anything runs. Raises `FormatError` naming file, reason and remedy.
    """
    check_split(split)
    layout, folder = layout_of(root)
    samples, table = layout.read(folder, _split_of(layout, folder, split))
    _need_images(samples)
    described = written_table(folder) is not None
    check_labels(samples, table, progress or TerminalBar(), described)
    return samples, table


def _need_images(samples: tuple[Sample, ...]) -> None:
    """Raise `FormatError` naming the first image that is not there."""
    for sample in samples:
        if not sample.image.exists():
            raise FormatError(
                f"{printable(sample.image)}: the data set names this image, but it is not there; "
                "export once more with its images, or put them into that folder"
            )


def splits_of(root: str | Path) -> tuple[str, ...]:
    """Return the names of the splits a data set has, in order; empty where it has none."""
    try:
        layout, folder = layout_of(root)
    except FormatError:
        return ()
    return layout.splits(folder)


def layout_of(root: str | Path) -> tuple[Layout, Path]:
    """Return a data set's layout and the folder where it begins; raises `FormatError`."""
    root = Path(root)
    for layout in LAYOUTS:
        folder = layout.find(root)
        if folder is not None:
            return layout, folder
    if not root.is_dir():
        raise FormatError(f"{printable(root)}: there is no such folder")
    known = ", ".join(layout.title for layout in LAYOUTS)
    raise FormatError(
        f"{printable(root)}: no known layout of a data set is here; known are {known}. "
        "Choose one of these formats to be told what it looks like"
    )


def _split_of(layout: Layout, folder: Path, split: str | None) -> str | None:
    """Return the split of a data set that is meant; raises `FormatError` listing those there."""
    names = layout.splits(folder)
    found = None if split is None else find_split(split, names)
    if found is None and layout.needs_split:
        asked = "name a split" if split is None else f"there is no split {split!r}"
        present = ", ".join(map(printable, names)) or "no splits"
        raise FormatError(f"{printable(folder)}: {asked}; {layout.title} has {present} here")
    return found or split
