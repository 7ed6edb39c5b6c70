"""Tracks of CVAT's "for video" XML: shapes on the images of their frames, or a sentence why not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pspgui.formats import FormatError, read_dataset
from pspgui.imaging import encode_png

SHAPE = (12, 16)


def video(tmp_path: Path, *tracks: str, meta: str | None = None) -> Path:
    told = "<size>4</size><start_frame>0</start_frame><stop_frame>3</stop_frame><frame_filter/>" \
        "<original_size><width>16</width><height>12</height></original_size>"  # fmt: skip
    text = (
        '<?xml version="1.0" encoding="utf-8"?><annotations><version>1.1</version><meta><task>'
        f"{told if meta is None else meta}<labels><label><name>road</name><color>#ff0000</color>"
        "</label><label><name>car</name></label></labels></task></meta>"
        f"{''.join(tracks)}</annotations>"
    )
    (tmp_path / "annotations.xml").write_text(text)
    return tmp_path


def pictures(folder: Path, *names: str, shape: tuple[int, int] = SHAPE) -> None:
    (folder / "images").mkdir(exist_ok=True)
    for name in names:
        (folder / "images" / name).write_bytes(encode_png(np.zeros((*shape, 3), np.uint8)))


def box(frame: int, x: int, outside: int = 0, order: int = 0) -> str:
    return (
        f'<box frame="{frame}" keyframe="1" outside="{outside}" occluded="0" xtl="{x}.00" '
        f'ytl="2.00" xbr="{x + 4}.00" ybr="6.00" z_order="{order}"></box>'
    )


def track(label: str, *shapes: str, number: int = 0) -> str:
    return f'<track id="{number}" label="{label}" source="manual">{"".join(shapes)}</track>'


GROUND = track("road", *(
    f'<polygon frame="{n}" keyframe="0" outside="0" occluded="0" '
    'points="0.00,0.00;16.00,0.00;16.00,12.00;0.00,12.00" z_order="0"></polygon>'
    for n in range(4)
), number=1)  # fmt: skip
MASK = track(
    "car",
    '<mask frame="3" keyframe="1" outside="0" occluded="0" rle="1, 2, 3" left="1" top="9" '
    'width="3" height="2" z_order="1"></mask>', number=2,
)  # fmt: skip
NAMES = tuple(f"frame_{n:06d}.png" for n in range(4))


def read(root: Path) -> tuple[dict[str, np.ndarray], tuple[str, ...]]:
    samples, classes = read_dataset(root, None)
    return {s.image.stem: s.coding.read(s.labels) for s in samples}, classes.names


def with_car(x: int | None) -> np.ndarray:
    labels = np.zeros(SHAPE, np.uint8)
    if x is not None:
        labels[2:6, x : x + 4] = 1
    return labels


def test_shapes_lie_on_their_frames_until_they_are_outside(tmp_path: Path) -> None:
    pictures(tmp_path, *NAMES)
    moving = track("car", box(0, 1, order=1), box(1, 3, order=1), box(2, 3, outside=1))
    labels, names = read(video(tmp_path, moving, GROUND, MASK))
    assert names == ("road", "car") and list(labels) == [name[:-4] for name in NAMES]
    assert np.array_equal(labels["frame_000000"], with_car(1))
    assert np.array_equal(labels["frame_000001"], with_car(3))
    assert np.array_equal(labels["frame_000002"], with_car(None))
    masked = with_car(None)
    masked[9, 2:4] = 1
    assert np.array_equal(labels["frame_000003"], masked)


def test_some_frames_by_their_names_are_enough(tmp_path: Path) -> None:
    pictures(tmp_path, "frame_000001.png", "Frame_3.png")
    moving = track("car", box(1, 3, order=1), box(2, 3, outside=1))
    labels, _ = read(video(tmp_path, moving))
    assert np.array_equal(labels["frame_000001"] == 1, with_car(3) == 1)
    assert (labels["Frame_3"] == 255).all()


def test_all_frames_in_their_order_are_told_by_it(tmp_path: Path) -> None:
    pictures(tmp_path, "street9.png", "street10.png", "street11.png")
    meta = (
        "<size>3</size><start_frame>20</start_frame><stop_frame>33</stop_frame>"
        "<frame_filter>step=5</frame_filter>"
    )
    moving = track("car", box(25, 3), box(30, 5), number=7)
    labels, _ = read(video(tmp_path, moving, meta=meta))
    assert [bool((labels[f"street{n}"] == 1).any()) for n in (9, 10, 11)] == [False, True, True]
    assert (labels["street11"][2:6, 5:9] == 1).all()
    assert labels["street9"].shape == SHAPE  # as no size is told, that of the image


@pytest.mark.parametrize(
    ("names", "tracks", "meta", "reason"),
    [(("a.png", "b.png"), (GROUND,), None,
      "tracks of a video of 4 frames, and with 2 images .* name the images by their frame"),
     (NAMES[:3], (GROUND,), None, r"track 1 \(road\): there is no image of frame 3"),
     (("frame_1.png", "frame_01.png"), (GROUND,), None, "nothing tells which is which frame"),
     (NAMES, (track("car", box(0, 1), box(3, 3)),), None, "says nothing of frame 1; export it"),
     (NAMES, (track("car", box(0, 1), box(1, 3)),), None, "says nothing of frame 2; export it"),
     (NAMES, (track("car", box(0, 1), box(0, 3)),), None, "frame 0 has two shapes"),
     (NAMES, (track("car", box(0, 1).replace('"0"', '"x"', 1)),), None, "frame of a shape is 'x'"),
     (NAMES, (track("car", box(0, 1).replace('"0"', '"-1"', 1)),), None, "a shape is -1,"),
     (NAMES, (track("car", box(0, 1), box(1, 1, 1)).replace('xtl="1.00"', 'xtl="nan"'),), None,
      r"box 1 \(car\): .* not a finite number"),
     (NAMES, (GROUND,), "<task><size>4</size></task><task><size>4</size></task>",
      "tracks of several tasks"),
     (NAMES, (GROUND,), "<original_size><width>0</width><height>1e9</height></original_size>",
      "its height is '1e9'"),
     (("a.png", "b.png"), (GROUND,),
      "<size>2</size><start_frame>0</start_frame><stop_frame>99</stop_frame>",
      "nothing tells which is which frame"),
     ((), (GROUND,), None, "with 0 images")],
)  # fmt: skip
def test_what_does_not_tell_is_refused_with_what_to_do(
    tmp_path: Path, names: tuple[str, ...], tracks: tuple[str, ...], meta: str | None, reason: str
) -> None:
    pictures(tmp_path, *names)
    with pytest.raises(FormatError, match=rf"(?s)annotations\.xml.*{reason}"):
        read(video(tmp_path, *tracks, meta=meta))
