"""What is known of every image of a project, in SQLite: 100 000 images are fine.

The index follows the label files and can be made again from them; what people said of images is
kept in `remarks.log` too.
"""

from __future__ import annotations

import itertools
import os
import re
import time
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NamedTuple

from pspgui.durable import printable
from pspgui.imaging import texts_of
from pspgui.project.database import Database
from pspgui.project.errors import ProjectError
from pspgui.project.remarks import Remark, RemarkLog, folded
from pspgui.project.schema import STATUSES

_BATCH: Final = 4000  # rows in one transaction: others wait some 50 ms at most
_MOST_ASKED: Final = 500  # parameters in one statement
_KEPT_SIZE: Final = "remarks_size"


@dataclass(frozen=True)
class IndexedImage:
    """All that is known of one image.

    `pixels` are labelled pixels by class name ("" for unlabelled); `corrected_px` labels that
    differ from the prediction; `margin` the mean margin and `entropy` that of the most doubtful
    1 %, both 0..1; `confusion` pixels by (predicted, labelled); `seconds` the time spent.
    """

    id: int
    path: Path
    status: str = "new"
    note: str = ""
    tags: tuple[str, ...] = ()
    reviewer: str = ""
    comment: str = ""
    seconds: float = 0.0
    height: int | None = None
    width: int | None = None
    pixels: Mapping[str, int] = field(default_factory=dict)
    corrected_px: int | None = None
    margin: float | None = None
    entropy: float | None = None
    boundary_px: int | None = None
    confusion: Mapping[tuple[str, str], int] = field(default_factory=dict)
    changed_at: float | None = None
    labels_digest: str = ""


class ProjectTotals(NamedTuple):
    """Sums over all images that are there: images by status, pixels by class and by confusion."""

    images: Mapping[str, int]
    pixels: Mapping[str, int]
    confusion: Mapping[tuple[str, str], int]
    seconds: float
    labelled: int
    corrected_px: int


class ProjectIndex:
    """The table of images of one project. Any thread; writers wait for each other.

    Every method raises `ProjectError`, one sentence, when the file cannot be used. Statuses,
    notes, tags and reviews make a project of a folder that was only looked at, and are refused in
    one that cannot be changed.
    """

    def __init__(self, path: Path, root: Path | None = None, network: bool = False) -> None:
        """Open project.sqlite; image paths count from `root`, else from two folders above it."""
        self.root = path.parent.parent if root is None else root
        self.database = Database(path, network)
        # Called before what a person says is kept: makes the project, or raises ProjectError.
        self.before_remark: Callable[[], None] = _nothing
        # Held meanwhile, so that the file that is asked about is the one that is written to.
        self.turn: AbstractContextManager[object] = nullcontext()
        self.log: RemarkLog | None = None

    def __len__(self) -> int:
        with self.database.reading() as c:
            return int(c.execute("SELECT COUNT(*) FROM images WHERE missing = 0").fetchone()[0])

    @property
    def path(self) -> Path:
        """The database file in use."""
        return self.database.path

    def close(self) -> None:
        """Close the file; nothing can be asked afterwards."""
        self.database.close()

    # -- images -------------------------------------------------------------------------------

    def add_images(self, paths: Sequence[Path]) -> None:
        """Make these the images of the project; what is known of them stays.

        Images that are gone are kept but not listed. In batches, so that others get their turn.
        """
        for _ in self.adding(paths):
            pass

    def adding(self, paths: Sequence[Path]) -> Iterator[float]:
        """Do what `add_images` does, a batch at a time; yield the share that is done."""
        wanted = dict.fromkeys(map(self._relative, texts_of(paths)))
        with self.database.reading() as c:
            known = dict(c.execute("SELECT path, missing FROM images"))
        new = [path for path in wanted if path not in known]
        back = [(0, path) for path in wanted if known.get(path)]
        gone = [(1, path) for path, missing in known.items() if not missing and path not in wanted]
        moved = back + gone
        whole = len(new) + len(moved) + 1
        for start in range(0, len(new), _BATCH):
            with self.database.writing() as c:
                c.executemany(_INSERT, map(_new_row, new[start : start + _BATCH]))
            yield (start + 1) / whole
        for start in range(0, len(moved), _BATCH):
            with self.database.writing() as c:
                c.executemany(
                    "UPDATE images SET missing = ? WHERE path = ?", moved[start : start + _BATCH]
                )
            yield (len(new) + start + 1) / whole

    def image_of(self, path: Path) -> IndexedImage | None:
        """Return what is known of an image; None for one that is not of this project."""
        with self.database.reading() as c:
            row = c.execute("SELECT id FROM images WHERE path = ?", (self._relative(path),))
            found = row.fetchone()
        return None if found is None else self.images([found[0]])[0]

    def images(self, ids: Sequence[int]) -> list[IndexedImage]:
        """Return what is known of these images, in this order; unknown ids are left out."""
        rows: dict[int, tuple[Any, ...]] = {}
        pixels: dict[int, dict[str, int]] = {}
        confusion: dict[int, dict[tuple[str, str], int]] = {}
        with self.database.reading() as c:
            for part in _parts(ids):
                of_these = f"IN ({','.join('?' * len(part))})"
                for row in c.execute(f"SELECT {_COLUMNS} FROM images WHERE id {of_these}", part):
                    rows[row[0]] = row
                for id_, name, px in c.execute(
                    f"SELECT image_id, class, pixels FROM areas WHERE image_id {of_these}", part
                ):
                    pixels.setdefault(id_, {})[name] = px
                for id_, predicted, labelled, px in c.execute(
                    "SELECT image_id, predicted, labelled, pixels FROM confusions "
                    f"WHERE image_id {of_these}", part,
                ):  # fmt: skip
                    confusion.setdefault(id_, {})[predicted, labelled] = px
        return [
            self._image(rows[i], pixels.get(i, {}), confusion.get(i, {})) for i in ids if i in rows
        ]

    def paths(self, ids: Sequence[int]) -> list[Path]:
        """Return the image files of these ids, in this order; unknown ids are left out."""
        found: dict[int, bytes] = {}
        with self.database.reading() as c:
            if len(ids) > 20 * _MOST_ASKED:
                found = dict(c.execute("SELECT id, path FROM images"))
            else:
                for part in _parts(ids):
                    marks = ",".join("?" * len(part))
                    found |= c.execute(f"SELECT id, path FROM images WHERE id IN ({marks})", part)
        return [self._absolute(found[i]) for i in ids if i in found]

    def select(
        self, where: str = "", parameters: Sequence[object] = (), order: str = ""
    ) -> list[int]:
        """Return the ids of the images that are there and pass.

        `where` and `order` are SQL over table `images`, made by `queries` only.
        """
        passes = f"missing = 0 AND ({where})" if where else "missing = 0"
        sql = f"SELECT id FROM images WHERE {passes} ORDER BY {order or 'natural, id'}"
        with self.database.reading() as c:
            return [row[0] for row in c.execute(sql, tuple(parameters))]

    # -- what people say ----------------------------------------------------------------------

    def set_status(self, paths: Iterable[Path], status: str) -> None:
        """Set the status of images, one of STATUSES; raises `ProjectError` for another word."""
        _check_status(status)
        self._remark(paths, {"status": status})

    def set_note(self, path: Path, text: str) -> None:
        """Set an image's note."""
        self._remark((path,), {"note": _clean(text)})

    def set_tags(self, path: Path, tags: Iterable[str]) -> None:
        """Set an image's tags; letter case is dropped, and a tag of several words becomes those."""
        self._remark((path,), {"tags": _folded_tags(tags)})

    def set_review(self, path: Path, reviewer: str, comment: str, status: str) -> None:
        """Set who reviewed an image, the comment and the outcome, one of STATUSES."""
        _check_status(status)
        self._remark(
            (path,), {"reviewer": _clean(reviewer), "comment": _clean(comment), "status": status}
        )

    def carry_remarks(self, old: Path, new: Path) -> None:
        """Let an image that was renamed have what was said of it; what it has itself stays."""
        said = self.remarks()
        values = said.get(self._relative(old), {})
        own = said.get(self._relative(new), {})
        if values:
            self._remark((new,), {**values, **own})

    def add_seconds(self, path: Path, seconds: float) -> None:
        """Add time spent on an image; of a folder only looked at, it is kept in the cache."""
        image = self._relative(path)
        with self.database.writing() as c:
            self._ids(c, [image])
            before = c.execute("SELECT seconds FROM images WHERE path = ?", (image,)).fetchone()[0]
            self._write(c, [image], {"seconds": round(before + max(0.0, seconds), 1)}, None)

    # -- what was measured --------------------------------------------------------------------

    def record_prediction(
        self, path: Path, margin: float | None, entropy: float | None, boundary_px: int | None,
        size: tuple[int, int] | None = None, model: str = "",
    ) -> None:  # fmt: skip
        """Keep how sure the model is of an image: margin and entropy 0..1; `size` is (H, W).

        `model` is the digest of its weights.
        """
        image = self._relative(path)
        with self.database.writing() as c:
            id_ = self._ids(c, [image])[0]
            c.execute(
                "UPDATE images SET margin = ?, entropy = ?, boundary_px = ?, predicted_by = ?, "
                "status = CASE status WHEN 'new' THEN 'predicted' ELSE status END WHERE id = ?",
                (margin, entropy, boundary_px, model, id_),
            )
            _keep_size(c, id_, size)

    def predicted_by(self, model: str) -> set[Path]:
        """Return the images that the model of this digest has read last."""
        with self.database.reading() as c:
            rows = c.execute("SELECT path FROM images WHERE predicted_by = ?", (model,))
            return {self._absolute(path) for (path,) in rows}

    def record_labels(
        self, path: Path, pixels: Mapping[str, int], corrected_px: int | None,
        confusion: Mapping[tuple[str, str], int], labels_digest: str,
        size: tuple[int, int] | None = None, stamp: str = "",
    ) -> None:  # fmt: skip
        """Keep what an image's labels hold: pixels by class name, "" for unlabelled ones.

        `stamp` tells the label file's version without reading it, see `labels_stamps`.
        """
        image = self._relative(path)
        with self.database.writing() as c:
            id_ = self._ids(c, [image])[0]
            before = c.execute(
                "SELECT labels_digest, corrected_px FROM images WHERE id = ?", (id_,)
            ).fetchone()
            same = corrected_px is None and before[0] == labels_digest
            if same:  # without a prediction to compare with, what is known of these labels stays
                corrected_px = before[1]
            c.execute(
                "UPDATE images SET corrected_px = ?, labels_digest = ?, labels_stamp = ?, "
                "changed_at = ?, status = CASE WHEN status IN ('new', 'predicted') "
                "THEN 'in work' ELSE status END, pixel_count = ? WHERE id = ?",
                (corrected_px, labels_digest, stamp, time.time(), sum(pixels.values()), id_),
            )
            _keep_size(c, id_, size)
            for table in ("areas",) if same else ("areas", "confusions"):
                c.execute(f"DELETE FROM {table} WHERE image_id = ?", (id_,))
            c.executemany(
                "INSERT INTO areas VALUES (?, ?, ?, ?)",
                [(id_, name, name.casefold(), int(px)) for name, px in pixels.items()],
            )
            c.executemany(
                "INSERT OR REPLACE INTO confusions VALUES (?, ?, ?, ?)",
                [(id_, *pair, int(px)) for pair, px in confusion.items()],
            )

    def forget_labels(self, path: Path) -> None:
        """Note that an image has no label file any more; status and remarks stay."""
        with self.database.writing() as c:
            found = c.execute("SELECT id FROM images WHERE path = ?", (self._relative(path),))
            for (id_,) in found.fetchall():
                c.execute(
                    "UPDATE images SET corrected_px = NULL, labels_digest = '', labels_stamp = '' "
                    "WHERE id = ?", (id_,),
                )  # fmt: skip
                for table in ("areas", "confusions"):
                    c.execute(f"DELETE FROM {table} WHERE image_id = ?", (id_,))

    def labels_stamps(self) -> dict[Path, str]:
        """Return, of every image with labels, which version of the file was measured."""
        with self.database.reading() as c:
            rows = c.execute("SELECT path, labels_stamp FROM images WHERE labels_digest <> ''")
            return {self._absolute(path): stamp for path, stamp in rows}

    def totals(self) -> ProjectTotals:
        """Return the sums over all images that are there."""
        there = "image_id IN (SELECT id FROM images WHERE missing = 0)"
        with self.database.reading() as c:
            images = dict.fromkeys(STATUSES, 0) | dict(c.execute(
                "SELECT status, COUNT(*) FROM images WHERE missing = 0 GROUP BY status"
            ))  # fmt: skip
            pixels = dict(c.execute(
                f"SELECT class, SUM(pixels) FROM areas WHERE {there} GROUP BY class"
            ))  # fmt: skip
            confusion = {
                (predicted, labelled): px for predicted, labelled, px in c.execute(
                    "SELECT predicted, labelled, SUM(pixels) FROM confusions "
                    f"WHERE {there} GROUP BY predicted, labelled"
                )
            }  # fmt: skip
            seconds, labelled, corrected = c.execute(
                "SELECT TOTAL(seconds), COUNT(NULLIF(labels_digest, '')), "
                "COALESCE(SUM(corrected_px), 0) FROM images WHERE missing = 0"
            ).fetchone()
        return ProjectTotals(images, pixels, confusion, seconds, labelled, corrected)

    # -- the log of remarks -------------------------------------------------------------------

    def follow(self, log: RemarkLog, remarks: Iterable[Remark], size: int) -> None:
        """Take over what a log says, up to byte `size` of it, and write to that log from now on."""
        with self.database.writing() as c:
            self.take_over(remarks)
            self._keep_log_size(c, size)
            self.log = log

    def take_over(self, remarks: Iterable[Remark]) -> None:
        """Let the index say what these remarks say; no log is told."""
        with self.database.writing() as c:
            state = folded(remarks)
            self._ids(c, list(state))
            for image, values in state.items():
                self._set(c, [image], values, None)

    def followed_size(self) -> int:
        """Return how many bytes of the log this index has seen."""
        with self.database.reading() as c:
            row = c.execute("SELECT value FROM facts WHERE key = ?", (_KEPT_SIZE,)).fetchone()
            return 0 if row is None else int(row[0])

    def remarks(self, also: Container[bytes] = ()) -> dict[bytes, dict[str, Any]]:
        """Return all that people said of images, as a log would: what is not usual.

        Of images in `also` everything is returned.
        """
        usual = {"status": ("new", "predicted", "in work"), "seconds": (0,)}
        with self.database.reading() as c:
            passes = "1" if also else (
                "status NOT IN ('new', 'predicted', 'in work') OR note <> '' OR tags <> '' "
                "OR reviewer <> '' OR comment <> '' OR seconds > 0"
            )
            sql = f"SELECT path, {', '.join(_REMARKS)} FROM images WHERE {passes}"
            rows = c.execute(sql).fetchall()
        found = {}
        for path, *values in rows:
            said = dict(zip(_REMARKS, values, strict=True))
            kept = {
                k: v for k, v in said.items() if path in also or v not in usual.get(k, ("",))
            }
            if kept:
                found[path] = kept
        return found

    # -- inside -------------------------------------------------------------------------------

    def _remark(self, paths: Iterable[Path], values: Mapping[str, Any]) -> None:
        images = list(dict.fromkeys(map(self._relative, paths)))
        if not images:
            return
        with self.turn:
            self.before_remark()
            with self.database.writing() as c:
                self._ids(c, images)
                self._write(c, images, values, time.time())

    def _write(
        self, c: Any, images: Sequence[bytes], values: Mapping[str, Any], now: float | None
    ) -> None:
        """Set fields of images and tell the log; `now` becomes the time of their change."""
        self._set(c, images, values, now)
        if self.log is not None:
            self._keep_log_size(c, self.log.append(images, values, now or time.time()))

    def _set(
        self, c: Any, images: Sequence[bytes], values: Mapping[str, Any], now: float | None
    ) -> None:
        fields = dict(values) if now is None else {**values, "changed_at": now}
        if fields:
            sets = ", ".join(f"{key} = ?" for key in fields)
            rows = [(*fields.values(), image) for image in images]
            c.executemany(f"UPDATE images SET {sets} WHERE path = ?", rows)

    def _keep_log_size(self, c: Any, size: int) -> None:
        c.execute("INSERT OR REPLACE INTO facts VALUES (?, ?)", (_KEPT_SIZE, str(size)))

    def _ids(self, c: Any, images: Sequence[bytes]) -> list[int]:
        """Return the ids of images, which are added where they are not known."""
        found: dict[bytes, int] = {}
        for part in _parts(images):
            marks = ",".join("?" * len(part))
            found |= c.execute(f"SELECT path, id FROM images WHERE path IN ({marks})", part)
        new = [image for image in images if image not in found]
        if new:
            c.executemany(_INSERT, map(_new_row, new))
            return self._ids(c, images)
        return [found[image] for image in images]

    def _image(
        self, row: tuple[Any, ...], pixels: Mapping[str, int],
        confusion: Mapping[tuple[str, str], int],
    ) -> IndexedImage:  # fmt: skip
        values = dict(zip(_NAMES, row, strict=True))
        values["path"] = self._absolute(values["path"])
        values["tags"] = tuple(values["tags"].split())
        return IndexedImage(**values, pixels=pixels, confusion=confusion)

    def _relative(self, path: Path | str) -> bytes:
        """Return a path as it is kept: from the root where it lies below it, else whole."""
        text, prefix = str(path), self._prefix()
        if not text.startswith(prefix):
            text = os.path.abspath(text)  # noqa: PTH100 - links are not followed
            prefix = os.path.join(os.path.abspath(self.root), "")  # noqa: PTH100, PTH118
        return os.fsencode(text.removeprefix(prefix))

    def _prefix(self) -> str:
        return os.path.join(str(self.root), "")  # noqa: PTH118 - a plain string, fast

    def _absolute(self, path: bytes) -> Path:
        return self.root / os.fsdecode(path)


_NAMES: Final = (
    "id", "path", "status", "note", "tags", "reviewer", "comment", "seconds", "height", "width",
    "corrected_px", "margin", "entropy", "boundary_px", "changed_at", "labels_digest",
)  # fmt: skip
_COLUMNS: Final = ", ".join(_NAMES)
_REMARKS: Final = ("status", "note", "tags", "reviewer", "comment", "seconds")
_INSERT: Final = (
    "INSERT OR IGNORE INTO images (path, name, name_key, natural) VALUES (?, ?, ?, ?)"
)
_DIGITS: Final = re.compile("([0-9]+)")


def natural_bytes(name: str) -> bytes:
    """Return bytes that sort as `imaging.natural_key` does: `2.png` before `10.png`."""
    parts = []
    for part in _DIGITS.split(name.casefold()):
        if part and part[0] in "0123456789":
            number = part.lstrip("0")
            parts.append(f"\x01{len(number):03d}{number}")
        elif part:
            parts.append(f"\x02{part}\x00")
    return "".join(parts).encode("utf-8", "surrogatepass")


def _new_row(path: bytes) -> tuple[bytes, str, str, bytes]:
    text = os.fsdecode(path)
    name = printable(os.path.basename(text))  # noqa: PTH119 - a plain string, fast
    return path, name, name.casefold(), natural_bytes(text)


def _keep_size(c: Any, id_: int, size: tuple[int, int] | None) -> None:
    if size is not None:
        c.execute(
            "UPDATE images SET height = ?, width = ?, pixel_count = ? WHERE id = ?",
            (*size, size[0] * size[1], id_),
        )


def _parts(values: Sequence[Any]) -> Iterator[tuple[Any, ...]]:
    rest = iter(values)
    while part := tuple(itertools.islice(rest, _MOST_ASKED)):
        yield part


def _check_status(status: str) -> None:
    if status not in STATUSES:
        raise ProjectError(f"{status!r} is no status; there are {', '.join(STATUSES)}.")


def _clean(text: str) -> str:
    """Return text that UTF-8 can hold."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _folded_tags(tags: Iterable[str]) -> str:
    words = dict.fromkeys(word for tag in tags for word in _clean(tag).casefold().split())
    return f" {' '.join(words)} " if words else ""


def _nothing() -> None:
    """Let people say what they like."""


__all__ = ["STATUSES", "IndexedImage", "ProjectError", "ProjectIndex", "ProjectTotals"]
