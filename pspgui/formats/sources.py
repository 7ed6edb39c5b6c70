"""Finding a data set wherever it is: a folder, a folder in a folder, an archive, a single file."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from pspgui import places
from pspgui.durable import printable
from pspgui.formats.archives import ArchiveLimits, is_archive, unpack
from pspgui.formats.checked_json import start_of
from pspgui.formats.errors import FormatError
from pspgui.formats.layouts import LAYOUTS
from pspgui.formats.reading import layout_of
from pspgui.formats.samples import Layout, Sample, find_split, folders_of
from pspgui.formats.value_map import original_names
from pspgui.imaging import DecodeError
from pspgui.labels.classes import ClassTable

_DEEPEST = 4


class Source(NamedTuple):
    """A data set that was found: its layout, the folder where it begins, its splits.

    `names` says for files that lie elsewhere while they are read what a person calls them;
    `file` is the single file that the data set was read from, if it was one.
    """

    layout: Layout
    folder: Path
    splits: tuple[str, ...]
    names: tuple[tuple[str, str], ...] = ()
    file: Path | None = None

    def original_names(self) -> dict[str, str]:
        """Return, by name, what images were called before an export of ours renamed them."""
        near = [] if self.file is None else self.file.absolute().parents[:2]
        told = (original_names(folder) for folder in (self.folder, *near))
        return next(filter(None, told), {})

    def words(self, error: Exception) -> str:
        """Return what an error says, every file named by the place that the person gave."""
        text = str(error)
        if isinstance(error, DecodeError) and error.path.is_relative_to(self.folder):
            text = f"{printable(error.path)}: {error.reason}"  # labels and images have equal names
        return _renamed(text, self.names)

    def parts(self, split: str | None) -> list[tuple[tuple[Sample, ...], ClassTable]]:
        """Return the samples and classes of a split, or of all splits one after another.

        Images need not be there, and splits may have different classes. Raises `FormatError`.
        """
        if split is not None:
            found = find_split(split, self.splits)
            if found is None:
                present = ", ".join(map(printable, self.splits)) or "none"
                raise FormatError(
                    f"{printable(self.folder)}: there is no split {split!r}; there are: {present}"
                )
            return [self.layout.read(self.folder, found)]
        if not self.layout.needs_split:
            try:
                return [self.layout.read(self.folder, None)]
            except FormatError:
                if not self.splits:
                    raise
        parts = [self.layout.read(self.folder, name) for name in self.splits]
        if not parts:
            raise FormatError(f"{printable(self.folder)}: there is nothing to import")
        return parts


@contextmanager
def opened_source(
    path: Path,
    key: str | None = None,
    limits: ArchiveLimits | None = None,
    check: Callable[[], None] | None = None,
) -> Iterator[Source]:
    """Find the data set at a path; what is unpacked for it is gone afterwards.

    `key` names the layout, which is found by itself otherwise. Raises `FormatError` that lists
    the layouts that are known.
    """
    path = Path(path)
    if path.is_dir():
        source = _found(path, key)
        with _named(source):
            yield source
        return
    if not path.exists():
        raise FormatError(f"{printable(path)}: there is no such file or folder")
    if not path.is_file():
        raise FormatError(f"{printable(path)}: this is neither a file nor a folder")
    place = places.cache_folder() / "imports"
    place.mkdir(parents=True, exist_ok=True)
    home = Path(tempfile.mkdtemp(prefix="import-", dir=place))
    try:
        root, shown = home / "set", printable(path)
        if is_archive(path):
            unpack(path, root, limits, check)
            names = ((f"{printable(root)}/", f"{shown}, "), (printable(root), shown))
            alone = None
        else:
            alone = path
            names = ((printable(_stand_in(path, root)), shown), (printable(root), shown))
        try:
            source = _found(root, key)._replace(names=names, file=alone)
        except FormatError as error:
            raise FormatError(_renamed(str(error), names)) from error
        with _named(source):
            yield source
    finally:
        shutil.rmtree(home, ignore_errors=True)


@contextmanager
def _named(source: Source) -> Iterator[None]:
    """Raise what is wrong in a data set with its files called as the person calls them."""
    try:
        yield
    except (FormatError, DecodeError) as error:
        words = source.words(error)
        if words == str(error):
            raise
        raise FormatError(words) from error


def _renamed(text: str, names: tuple[tuple[str, str], ...]) -> str:
    for own, shown in names:
        text = text.replace(own, shown)
    return text


def _found(root: Path, key: str | None) -> Source:
    """Return the data set in a folder, or in the only folder in it; raises `FormatError`."""
    known = [layout for layout in LAYOUTS if key in (None, layout.key)]
    if not known:
        keys = ", ".join(layout.key for layout in LAYOUTS)
        raise FormatError(f"{key} is none of the formats that are read: {keys}")
    here = root
    for _ in range(_DEEPEST):
        for layout in known:
            folder = layout.find(here)
            if folder is not None:
                return Source(layout, folder, layout.splits(folder))
        below = folders_of(here)
        if len(below) != 1:
            break
        here = here / below[0]
    if key is not None:
        (layout,) = known
        raise FormatError(
            f"{printable(root)}: no data set of the form {layout.title} is here; it has "
            f"{layout.expects}"
        )
    layout_of(root)
    raise AssertionError("a layout was found after all")


def _stand_in(path: Path, root: Path) -> Path:
    """Give a single file the place that its form has, and return that.

    Raises `FormatError` for other files.
    """
    start = start_of(path, 1 << 20)
    name = path.name
    if "<annotations" in start[:4096]:
        name = "annotations.xml"
    elif path.suffix.lower() == ".json" and start.startswith("{") and '"shapes"' not in start:
        name = f"annotations/instances_{path.stem}.json"
    elif path.suffix.lower() not in (".json", ".parquet"):
        raise FormatError(
            f"{printable(path)}: a data set is a folder, a zip, a tar, or one file of CVAT XML, "
            "COCO, labelme, Label Studio or parquet"
        )
    target = root / name
    target.parent.mkdir(parents=True)
    target.symlink_to(path.absolute())
    return target
