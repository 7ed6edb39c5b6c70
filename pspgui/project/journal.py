"""The stroke journal of one image: a file that every edit is added to, read back after a crash.

It is a run of frames, each with a mark, its kind, the number of the operation, its length and a
CRC over all of that. An edit's frame holds, for every tile that changed, the bitwise difference
from what was before, which undo and redo need, and what was there afterwards where it changed,
which lets strokes be recovered on top of any labels. Integers are little-endian.
"""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np

from pspgui.geometry import Rect
from pspgui.labels.edits import AfterTile, Edit, OpenTile, Plane, Tile, unpack

SUFFIX: Final = ".strokes"
VERSION: Final = 1

(
    HEADER, EDIT, UNDO, REDO, MARK, PART, KEPT, KEPT_UNDONE, DROPPED, SET_ASIDE, RECOVERED, OUTSIDE,
) = range(1, 13)  # fmt: skip
OPERATIONS: Final = (EDIT, UNDO, REDO)
_FRAME: Final = struct.Struct("<4sBIII")  # mark, kind, operation, length, CRC-32
_SYNC: Final = b"\xa5PJ1"
_SIZE: Final = struct.Struct("<I")
_MAX_SIDE: Final = 1 << 20


class JournalError(ValueError):
    """A journal that cannot be read at all; one sentence. The file is left as it is."""


@dataclass(frozen=True)
class Header:
    """What a journal belongs to.

    `image` is the file's name with odd bytes escaped, `base` the SHA-256 of the label file that
    its first operation was made on ("": there was none), `first` the number of operations before
    it, `token` a random name of this very journal, `at` seconds since the epoch.
    """

    image: str
    height: int
    width: int
    dtype: str
    token: str
    base: str = ""
    first: int = 0
    at: float = 0.0
    version: int = VERSION


class Frame(NamedTuple):
    """Where one frame's payload lies in the file, and what operation it is or follows."""

    kind: int
    operation: int
    start: int
    length: int


@dataclass(frozen=True, eq=False)
class Stroke:
    """An edit as a frame holds it; `after` are the packed labels and provenance of each tile."""

    edit: Edit
    after: tuple[tuple[bytes, bytes], ...]
    dtype: np.dtype[np.unsignedinteger]

    def tiles(self, taken_back: bool = False) -> Iterator[tuple[Rect, np.ndarray, AfterTile]]:
        """Yield rect, mask of what changed (bool), and what was there after, or before, it."""
        for tile, (labels, marks) in zip(self.edit.tiles, self.after, strict=True):
            shape = (tile.rect.y1 - tile.rect.y0, tile.rect.x1 - tile.rect.x0)
            turned, turned_marks = tile.labels.values(), tile.provenance.values()
            new = unpack(labels, shape, self.dtype)
            new_marks = unpack(marks, shape, np.dtype(np.uint8))
            if taken_back:
                new, new_marks = new ^ turned, new_marks ^ turned_marks
            mask = (turned != 0) | (turned_marks != 0)
            yield tile.rect, mask, AfterTile(tile.rect, Plane.of(new), Plane.of(new_marks))


@dataclass(eq=False)
class Journal:
    """A journal as read: its header and its whole frames, in the order of the file.

    `begin` is where the header ends, and `end` where the last whole frame does: behind it lies a
    torn one, if anything. `damaged` tells that bytes in between could not be read.
    """

    path: Path
    header: Header
    frames: tuple[Frame, ...]
    end: int
    damaged: bool
    content: memoryview = field(repr=False)
    begin: int = 0

    @property
    def last(self) -> int:
        """The number of the last operation."""
        return max((frame.operation for frame in self.frames), default=self.header.first)

    @property
    def saved(self) -> int:
        """The number of operations that a label file held for certain; as of the last mark."""
        marks = [frame.operation for frame in self.frames if frame.kind == MARK]
        return max(marks, default=self.header.first if self.header.base else -1)

    @property
    def key(self) -> str:
        """A name of this very file as it is, which setting it aside does not change."""
        return f"{self.header.token}-{self.header.at}-{self.last}"

    @property
    def recovered(self) -> frozenset[str]:
        """The keys of journals whose strokes were recovered by an operation of this one."""
        last, keys = self.last, set()
        for frame in self.frames:
            if frame.kind == RECOVERED and frame.operation <= last:
                keys.update(self._bytes(frame).decode("ascii", "replace").split())
        return frozenset(keys)

    @property
    def outside(self) -> frozenset[int]:
        """The operations that are no strokes: edits of labels on disk, made with their file."""
        return frozenset(frame.operation for frame in self.frames if frame.kind == OUTSIDE)

    def matching(self, digest: str) -> int | None:
        """Return after which operation the label file with this SHA-256 was saved, or None."""
        for frame in reversed(self.frames):
            if frame.kind == MARK and self._bytes(frame) == digest.encode("ascii"):
                return frame.operation
        return self.header.first if digest == self.header.base else None

    def has_more_than(self, operation: int) -> bool:
        """Whether there is anything behind an operation: others, or a stroke never finished."""
        return self.last > operation or bool(self.unfinished())

    def stacks(self, until: int) -> tuple[list[Frame], list[Frame]]:
        """Return frames of the edits that stand after operation `until` and those taken back.

        Both have the latest last. What the file does not hold any more cannot be undone.
        """
        done: list[Frame] = []
        undone: list[Frame] = []
        first = expected = self.header.first + 1
        end = self.begin
        for frame in self.frames:
            # Operations have numbers; of the edits from before only their place tells.
            is_missing = expected == first and frame.start - _FRAME.size != end
            end = frame.start + frame.length
            if frame.kind in OPERATIONS:
                if frame.operation > until:
                    break
                is_missing |= frame.operation != expected
                expected = frame.operation + 1
            if is_missing:  # nothing before it fits
                done, undone = [], []
            follow_frame(frame, done, undone)
        return ([], []) if self.ends_early or expected <= until else (done, undone)

    @property
    def ends_early(self) -> bool:
        """Whether the file ends within an edit of before its first operation."""
        torn = bytes(self.content[self.end : self.end + len(_SYNC) + 1])
        return torn[:-1] == _SYNC and torn[-1] in (KEPT, KEPT_UNDONE)

    def unfinished(self) -> tuple[Frame, ...]:
        """Return the frames of a stroke that the file's end cuts short."""
        parts: list[Frame] = []
        for frame in self.frames:
            if frame.kind == PART:
                parts.append(frame)
            elif frame.kind in (EDIT, DROPPED):
                parts = []
        return tuple(parts)

    def edit(self, frame: Frame) -> Edit:
        """Return the edit of a frame without what only recovery needs."""
        return self.stroke(frame, with_after=False).edit

    def stroke(self, frame: Frame, with_after: bool = True) -> Stroke:
        """Return what a frame holds. Raises `JournalError` for what makes no sense."""
        try:
            return _stroke(self._bytes(frame), self.header, with_after)
        except (ValueError, KeyError, TypeError, IndexError, struct.error) as error:
            raise JournalError(f"a stroke in {self.path.name} makes no sense ({error})") from error

    def payload(self, frame: Frame) -> bytes:
        """Return the bytes of a frame, to be written into another journal."""
        return self._bytes(frame)

    def _bytes(self, frame: Frame) -> bytes:
        return bytes(self.content[frame.start : frame.start + frame.length])


def read_journal(path: Path) -> Journal:
    """Read a journal, up to a torn end. Any thread.

    Raises `OSError` where it cannot be read, `JournalError` where it is none, or of a later
    version of the program.
    """
    content = memoryview(path.read_bytes())
    frames, end, damaged = _frames(content)
    if not frames or frames[0].kind != HEADER:
        raise JournalError(f"{path.name} does not begin as a stroke journal does")
    head, *rest = frames
    try:
        fields = json.loads(bytes(content[head.start : head.start + head.length]))
        if fields["version"] != VERSION:
            raise JournalError(f"{path.name} was written by another version of pspgui")
        header = Header(**fields)
        sides = (header.height, header.width)
        fits = all(isinstance(s, int) and 0 < s <= _MAX_SIDE for s in sides)
        if not fits or header.dtype not in ("uint8", "uint16"):
            raise ValueError(f"{sides} {header.dtype}")
    except (ValueError, KeyError, TypeError) as error:
        if isinstance(error, JournalError):
            raise
        raise JournalError(f"the header of {path.name} makes no sense ({error})") from error
    begin = head.start + head.length
    return Journal(path, header, tuple(rest), end, damaged, content, begin)


def header_frame(header: Header) -> bytes:
    """Return the first bytes of a journal."""
    return frame_bytes(HEADER, header.first, json.dumps(asdict(header)).encode("ascii"))


def edit_frame(operation: int, edit: Edit, after: Iterable[AfterTile]) -> bytes:
    """Return the frame of an edit; packs what is not packed, a millisecond or so a tile."""
    blobs: list[bytes] = []
    sizes: list[list[int]] = []
    for tile, left in zip(edit.tiles, after, strict=True):
        changed = (tile.labels.values() != 0) | (tile.provenance.values() != 0)
        four = (
            tile.labels.pack(), tile.provenance.pack(),
            _packed(left.labels.values(), changed), _packed(left.provenance.values(), changed),
        )  # fmt: skip
        sizes.append([*tile.rect, *map(len, four)])
        blobs += four
    return frame_bytes(EDIT, operation, _payload(edit, sizes, blobs))


def part_frame(operation: int, name: str, at: float, tiles: Iterable[OpenTile]) -> bytes | None:
    """Return a frame of tiles of an edit under way; None when nothing of them has changed."""
    changed = []
    after = []
    for tile in tiles:
        turned = Plane.of(tile.labels ^ tile.labels_now)
        marks = Plane.of(tile.provenance ^ tile.provenance_now)
        if turned.values().any() or marks.values().any():
            changed.append(Tile(tile.rect, turned, marks))
            now, marks_now = Plane.of(tile.labels_now), Plane.of(tile.provenance_now)
            after.append(AfterTile(tile.rect, now, marks_now))
    if not changed:
        return None
    edit = Edit(name, Rect(0, 0, 0, 0), 0, 0, (), at, tuple(changed))
    whole = edit_frame(operation, edit, after)
    return frame_bytes(PART, operation, whole[_FRAME.size :])


def frame_bytes(kind: int, operation: int, payload: bytes = b"") -> bytes:
    """Return one frame."""
    head = _FRAME.pack(_SYNC, kind, operation, len(payload), 0)[:-4]
    return head + _SIZE.pack(zlib.crc32(payload, zlib.crc32(head))) + payload


def kept_frames(journal: Journal, until: int, budget_bytes: int) -> Iterator[bytes]:
    """Yield the frames of a shorter journal that begins after operation `until`.

    They are its edits that stand and those taken back, the newest within the budget, and what it
    says of strokes that were recovered.
    """
    done, undone = journal.stacks(until)
    left = budget_bytes
    first = len(done)
    for frame in undone:
        left -= frame.length
    while first > 0 and (left >= done[first - 1].length or first == len(done)):
        first -= 1
        left -= done[first].length
    for frame in journal.frames:
        if frame.kind == RECOVERED and frame.operation <= until:
            yield frame_bytes(RECOVERED, frame.operation, journal.payload(frame))
    for frame in done[first:]:
        yield frame_bytes(KEPT, until, journal.payload(frame))
    for frame in undone:
        yield frame_bytes(KEPT_UNDONE, until, journal.payload(frame))


def later_frames(journal: Journal, operation: int) -> Iterator[bytes]:
    """Yield the frames that say something of what came after an operation.

    So does a mark of the operation itself: another label file may hold that, too.
    """
    for frame in journal.frames:
        is_later = frame.kind in (*OPERATIONS, RECOVERED, OUTSIDE) and frame.operation > operation
        if is_later or (frame.kind in (PART, DROPPED, MARK) and frame.operation >= operation):
            yield frame_bytes(frame.kind, frame.operation, journal.payload(frame))


def follow_frame(frame: Frame, done: list[Frame], undone: list[Frame]) -> None:
    """Do to the stacks of edits that stand and of edits taken back what a frame says."""
    if frame.kind in (EDIT, KEPT):
        done.append(frame)
        if frame.kind == EDIT:
            undone.clear()
    elif frame.kind == KEPT_UNDONE:
        undone.append(frame)
    elif frame.kind == UNDO:
        if done:
            undone.append(done.pop())
        else:
            undone.clear()
    elif frame.kind == REDO:
        if undone:
            done.append(undone.pop())
        else:
            done.clear()


def _frames(content: memoryview) -> tuple[list[Frame], int, bool]:
    """Return the whole frames, where the last one ends, and whether some between are damaged."""
    frames: list[Frame] = []
    position = end = 0
    damaged = False
    whole: bytes | None = None
    while position + _FRAME.size <= len(content):
        frame = _frame_at(content, position)
        if frame is None:  # torn, or bits that flipped: look for the next frame that is whole
            whole = bytes(content) if whole is None else whole
            position = whole.find(_SYNC, position + 1)
            if position < 0:
                break
            continue
        damaged |= position != end
        frames.append(frame)
        position = end = frame.start + frame.length
    return frames, end, damaged


def _frame_at(content: memoryview, position: int) -> Frame | None:
    if position + _FRAME.size > len(content):
        return None
    sync, kind, operation, length, crc = _FRAME.unpack_from(content, position)
    start = position + _FRAME.size
    if sync != _SYNC or start + length > len(content):
        return None
    found = zlib.crc32(content[position : start - 4])
    if zlib.crc32(content[start : start + length], found) != crc:
        return None
    return Frame(kind, operation, start, length)


def _packed(values: np.ndarray, where: np.ndarray) -> bytes:
    return zlib.compress(np.where(where, values, values.dtype.type(0)).data, 1)


def _payload(edit: Edit, sizes: list[list[int]], blobs: list[bytes]) -> bytes:
    fields = {
        "name": edit.name, "at": edit.at, "rect": list(edit.rect),
        "changed": edit.pixels_changed, "confirmed": edit.pixels_confirmed,
        "areas": edit.area_change, "tiles": sizes,
    }  # fmt: skip
    text = json.dumps(fields).encode("ascii")
    return b"".join((_SIZE.pack(len(text)), text, *blobs))


def _stroke(payload: bytes, header: Header, with_after: bool) -> Stroke:
    (length,) = _SIZE.unpack_from(payload)
    fields: dict[str, Any] = json.loads(payload[_SIZE.size : _SIZE.size + length])
    dtype: np.dtype[np.unsignedinteger] = np.dtype(header.dtype)
    marks: np.dtype[np.unsignedinteger] = np.dtype(np.uint8)
    bounds = Rect(0, 0, header.height, header.width)
    position = _SIZE.size + length
    tiles: list[Tile] = []
    after: list[tuple[bytes, bytes]] = []
    for y0, x0, y1, x1, *lengths in fields["tiles"]:
        rect = Rect(int(y0), int(x0), int(y1), int(x1))
        if rect.is_empty or rect.intersect(bounds) != rect or min(lengths) < 0:
            raise ValueError(f"a tile at {rect}")
        four = []
        for size in lengths:
            four.append(payload[position : position + size])
            position += size
        shape = (rect.y1 - rect.y0, rect.x1 - rect.x0)
        turned, turned_marks, left, left_marks = four
        tiles.append(Tile(rect, Plane(shape, dtype, turned), Plane(shape, marks, turned_marks)))
        if with_after:
            after.append((left, left_marks))
    areas = tuple((int(label), int(pixels)) for label, pixels in fields["areas"])
    edit = Edit(
        str(fields["name"]), Rect(*map(int, fields["rect"])), int(fields["changed"]),
        int(fields["confirmed"]), areas, float(fields["at"]), tuple(tiles),
    )  # fmt: skip
    return Stroke(edit, tuple(after), dtype)
