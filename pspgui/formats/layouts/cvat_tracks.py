"""The tracks of "CVAT for video": shapes by frame numbers, matched with the images of a folder.

CVAT writes a shape for every frame of a track, those between key frames worked out, and one with
`outside` where it ends; frame numbers count from the video's first frame. Images are those that
CVAT calls frame_000012, or all frames of the task in their order. What does not tell by itself
which frame is which image, or leaves frames of a track out, is refused.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from pspgui.durable import printable
from pspgui.formats.drawn import ShapeError, size_of, whole
from pspgui.formats.errors import FormatError
from pspgui.imaging import DecodeError, image_size, list_images

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

META: Final = ("size", "start_frame", "stop_frame", "frame_filter", "original_size")
_NAMED: Final = re.compile(r"frame_(\d{1,10})", re.IGNORECASE)
_STEP: Final = re.compile(r"step\s*=\s*(\d{1,6})")
_HOW: Final = (
    "name the images by their frame, as frame_000000.png, or put every frame of the task there "
    "so that their order tells"
)

Shape = tuple[str, dict[str, str]]
# What elements of META say, by their names: a text, of original_size height and width.
Told = Mapping[str, Sequence[tuple[str, ...]]]


class Track(NamedTuple):
    """One track: its name for errors, and (frame, tag, attributes) in the order of frames."""

    name: str
    shapes: tuple[tuple[int, str, dict[str, str]], ...]


class Frame(NamedTuple):
    """An image, its size (H, W), and the shapes that lie on it."""

    image: Path
    size: tuple[int, int]
    shapes: tuple[Shape, ...]


class Task(NamedTuple):
    """What the file says of the video: size (H, W) of its frames, and which frames it has."""

    size: tuple[int, int] | None
    frames: range | None


def read_track(path: Path, element: Element, drawn: Sequence[str]) -> Track:
    """Return a <track> with the shapes of the tags `drawn`; raises `FormatError`."""
    label = element.get("label") or ""
    name = f"track {element.get('id', '?'):.20} ({label})"
    shapes = []
    for shape in element:
        if shape.tag in drawn:
            try:
                frame = whole(shape.get("frame"), "the frame of a shape")
            except ShapeError as error:
                raise FormatError(f"{printable(path)}, {name}: {error}") from error
            shapes.append((frame, shape.tag, {**shape.attrib, "label": label}))
    shapes.sort(key=lambda entry: entry[0])
    for (one, *_), (other, *_) in pairwise(shapes):
        if one == other:
            raise FormatError(f"{printable(path)}, {name}: frame {one} has two shapes")
    return Track(name, tuple(shapes))


def told_by(element: Element) -> tuple[str, ...]:
    """Return what an element of META says."""
    if element.tag == "original_size":
        return element.findtext("height") or "", element.findtext("width") or ""
    return (element.text or "",)


def task_of(path: Path, told: Told) -> Task:
    """Return what the elements of META say; raises `FormatError` for several tasks."""
    if any(len(entries) > 1 for entries in told.values()):
        raise FormatError(
            f"{printable(path)}: it holds tracks of several tasks, whose frames have the same "
            "numbers; export one task at a time from CVAT"
        )
    texts = {name: entries[0][0] for name, entries in told.items()}
    size = None
    if "original_size" in told:
        height, width = told["original_size"][0]
        size = size_of(height, width, f"{printable(path)}, original_size")
    step = _STEP.search(texts.get("frame_filter", ""))
    try:
        count = whole(texts.get("size"), "the size of the task", 1)
        start = whole(texts.get("start_frame"), "its start_frame")
        stop = whole(texts.get("stop_frame"), "its stop_frame")
    except ShapeError:
        return Task(size, None)
    frames = range(start, stop + 1, max(1, int(step[1])) if step else 1)
    return Task(size, frames if len(frames) == count else None)


def frames_in(root: Path, path: Path, task: Task, tracks: Iterable[Track]) -> tuple[Frame, ...]:
    """Return the images of a data set with the shapes of their frames.

    Images lie in `images`, else beside the file. Raises `FormatError` that says how to name them.
    """
    images = _images_by_frame(root, path, task)
    numbers = sorted(images)
    shapes: dict[int, list[Shape]] = {number: [] for number in numbers}
    for track in tracks:
        _check_whole(path, track, numbers, task)
        for number, tag, attributes in track.shapes:
            if attributes.get("outside") == "1":
                continue
            if number not in shapes:
                raise FormatError(
                    f"{printable(path)}, {track.name}: there is no image of frame {number}; {_HOW}"
                )
            shapes[number].append((tag, attributes))
    return tuple(
        Frame(images[n], task.size or _size(images[n]), tuple(shapes[n])) for n in numbers
    )


def _images_by_frame(root: Path, path: Path, task: Task) -> dict[int, Path]:
    folder = root / "images" if (root / "images").is_dir() else root
    try:
        images = list_images(folder)
    except DecodeError as error:
        raise FormatError(f"{printable(folder)}: {error.reason}") from error
    named = [_NAMED.fullmatch(image.stem) for image in images]
    if images and all(named):
        found = {int(m[1]): image for m, image in zip(named, images, strict=True) if m}
        if len(found) == len(images):
            return found
    elif task.frames is not None and len(images) == len(task.frames):
        return dict(zip(task.frames, images, strict=True))
    known = "" if task.frames is None else f" of {len(task.frames)} frames"
    there = "1 image" if len(images) == 1 else f"{len(images)} images"
    raise FormatError(
        f"{printable(path)}: it holds tracks of a video{known}, and with {there} in "
        f"{printable(folder)} nothing tells which is which frame; {_HOW}"
    )


def _check_whole(path: Path, track: Track, numbers: Sequence[int], task: Task) -> None:
    """Refuse a track that says nothing of an image between two of its shapes, or at its end."""
    following = [frame for frame, *_ in track.shapes[1:]]
    end = numbers[-1] + 1 if task.frames is None else task.frames.stop
    for (frame, _, attributes), after in zip(track.shapes, [*following, end], strict=False):
        if attributes.get("outside") == "1":
            continue
        at = bisect_left(numbers, frame + 1)
        if at < len(numbers) and numbers[at] < after:
            raise FormatError(
                f"{printable(path)}, {track.name}: it says nothing of frame {numbers[at]}; export "
                'it from CVAT as "CVAT for video 1.1", which writes every frame of a track'
            )


def _size(image: Path) -> tuple[int, int]:
    try:
        return image_size(image)
    except DecodeError as error:
        raise FormatError(f"{printable(image)}: {error.reason}") from error


__all__ = [
    "META",
    "Frame",
    "Task",
    "Told",
    "Track",
    "frames_in",
    "read_track",
    "task_of",
    "told_by",
]
