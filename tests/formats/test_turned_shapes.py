"""Boxes and ellipses that are turned: each form's own pivot, every pixel whose middle is inside."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pspgui.formats import read_dataset
from pspgui.formats.drawn import ShapeError, box, disc, turned_box
from pspgui.imaging import encode_png
from pspgui.labels.shapes import turned_ellipse

SHAPE = (40, 50)
HEIGHT, WIDTH = SHAPE
COORDINATES = st.floats(-20, 70).map(lambda v: round(v, 3))
SIZES = st.floats(0.5, 40).map(lambda v: round(v, 3))
TURNS = st.floats(-720, 720).map(lambda v: round(v, 3))
NEAR = 1e-6  # a middle this near to a rim may fall on either side


def mask_of(stamp) -> np.ndarray:
    mask = np.zeros(SHAPE, bool)
    if not stamp.rect.is_empty:
        mask[stamp.rect.slices] |= stamp.mask
    return mask


def turned_back(x: float, y: float, degrees: float) -> tuple[np.ndarray, np.ndarray]:
    """Return how far every pixel's middle is from a pivot, along the shape's own sides."""
    dy, dx = (grid + 0.5 for grid in np.mgrid[:HEIGHT, :WIDTH])
    dy, dx = dy - y, dx - x
    cosine, sine = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return dx * cosine + dy * sine, dy * cosine - dx * sine


@given(COORDINATES, COORDINATES, SIZES, SIZES, TURNS)
def test_ellipses(x, y, across, down, degrees):
    found = mask_of(disc(x, y, across, down, degrees)(SHAPE))
    along, over = turned_back(x, y, degrees)
    distance = (along / across) ** 2 + (over / down) ** 2
    clear = np.abs(distance - 1) > NEAR
    assert np.array_equal(found[clear], distance[clear] < 1)


@given(COORDINATES, COORDINATES, SIZES, SIZES, TURNS, st.booleans())
def test_boxes_about_the_middle_or_a_corner(x, y, across, down, degrees, about_corner):
    found = mask_of(turned_box(x, y, x + across, y + down, degrees, about_corner)(SHAPE))
    pivot = (x, y) if about_corner else (x + across / 2, y + down / 2)
    along, over = turned_back(*pivot, degrees)
    if not about_corner:
        along, over = along + across / 2, over + down / 2
    rims = np.stack([along, along - across, over, over - down])
    clear = np.abs(rims).min(0) > NEAR
    inside = (along > 0) & (along < across) & (over > 0) & (over < down)
    assert np.array_equal(found[clear], inside[clear])


@given(COORDINATES, COORDINATES, SIZES, SIZES)
def test_a_full_turn_is_none(x, y, across, down):
    plain = mask_of(box(x, y, x + across, y + down)(SHAPE))
    turned = mask_of(turned_box(x, y, x + across, y + down, 0)(SHAPE))
    assert np.array_equal(turned, plain)
    once = mask_of(turned_ellipse((y, x), (down, across), 180, SHAPE))
    _, over = turned_back(x, y, 0)
    assert once.sum() == mask_of(turned_ellipse((y, x), (down, across), 0, SHAPE)).sum() or (
        np.abs(over).min() < NEAR
    )


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), "30", None, 1e9])
def test_a_turn_that_is_no_number_is_refused(bad):
    for draw in (disc(5, 5, 3, 2, bad), turned_box(1, 1, 5, 5, bad)):
        with pytest.raises(ShapeError):
            draw(SHAPE)


@pytest.mark.parametrize("radius", [0, -1, float("nan"), 2e6])
def test_a_radius_must_be_a_length(radius):
    with pytest.raises(ShapeError):
        disc(5, 5, radius, 2)(SHAPE)
    assert not mask_of(disc(5, 5, 1e-300, 2, 20)(SHAPE)).any()


# -- as the forms have them -------------------------------------------------------------------


def read(root):
    samples, classes = read_dataset(root, None if not (root / "label_studio_x.json").exists()
                                    else "x")  # fmt: skip
    return samples[0].coding.read(samples[0].labels), classes


def picture(folder):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "a.png").write_bytes(encode_png(np.zeros((*SHAPE, 3), np.uint8)))


def test_cvat_turns_about_the_middle(tmp_path):
    picture(tmp_path / "images")
    (tmp_path / "annotations.xml").write_text(
        "<annotations><meta><task><labels><label><name>car</name></label>"
        "<label><name>road</name></label></labels></task></meta>"
        f'<image id="0" name="a.png" width="{WIDTH}" height="{HEIGHT}">'
        '<box label="car" xtl="5" ytl="8" xbr="25" ybr="14" rotation="90.0"></box>'
        '<ellipse label="road" cx="35" cy="25" rx="12" ry="4" rotation="270.00"></ellipse>'
        "</image></annotations>"
    )
    labels, _ = read(tmp_path)
    expected = np.full(SHAPE, 255, np.uint8)
    expected[1:21, 12:18] = 0
    along, over = turned_back(35, 25, 0)
    expected[(along / 4) ** 2 + (over / 12) ** 2 < 1] = 1
    assert np.array_equal(labels, expected)


def test_label_studio_turns_boxes_about_a_corner_and_ellipses_about_the_middle(tmp_path):
    picture(tmp_path / "images")
    results = [
        {"type": kind, "original_width": WIDTH, "original_height": HEIGHT,
         "value": {kind: [name], **value}}
        for kind, name, value in (
            ("rectanglelabels", "car",
             {"x": 60, "y": 10, "width": 20, "height": 50, "rotation": 90}),
            ("ellipselabels", "road",
             {"x": 30, "y": 60, "radiusX": 20, "radiusY": 5, "rotation": 45}),
        )
    ]  # fmt: skip
    tasks = [{"data": {"image": "a.png"}, "annotations": [{"result": results}]}]
    (tmp_path / "label_studio_x.json").write_text(json.dumps(tasks))
    labels, _ = read(tmp_path)
    expected = np.full(SHAPE, 255, np.uint8)
    expected[4:14, 10:30] = 0  # from (30, 4): 10 px wide and 20 high, a quarter turn
    along, over = turned_back(15, 24, 45)
    expected[(along / 10) ** 2 + (over / 2) ** 2 < 1] = 1
    assert np.array_equal(labels, expected)


def test_labelme_has_turned_boxes_as_four_points(tmp_path):
    picture(tmp_path)
    shape = {"label": "car", "shape_type": "oriented_rectangle",
             "points": [[10, 5], [20, 15], [15, 20], [5, 10]]}  # fmt: skip
    (tmp_path / "a.json").write_text(json.dumps({
        "version": "6.3.1", "shapes": [shape], "imagePath": "a.png", "imageData": None,
        "imageHeight": HEIGHT, "imageWidth": WIDTH,
    }))  # fmt: skip
    labels, _ = read(tmp_path)
    y, x = (grid + 0.5 for grid in np.mgrid[:HEIGHT, :WIDTH])
    inside = (x - y > -5) & (x - y < 5) & (x + y > 15) & (x + y < 35)
    rim = np.abs(np.stack([x - y + 5, x - y - 5, x + y - 15, x + y - 35])).min(0) == 0
    assert np.array_equal(labels[~rim] == 0, inside[~rim])


def test_datumaro_turns_cvat_s_boxes_alike():
    """Its corners are those of a box turned about its middle, clockwise."""
    found = pytest.importorskip("datumaro.components.annotation", exc_type=ImportError)
    from pspgui.formats.drawn import outline

    corners = found.RotatedBbox(20, 15, 24, 9, 33.0, label=0).as_polygon()
    expected = mask_of(outline([list(point) for point in corners])(SHAPE))
    assert np.array_equal(mask_of(turned_box(8, 10.5, 32, 19.5, 33.0)(SHAPE)), expected)


def test_label_studio_s_own_corners_are_ours():
    """Its converter's corners are those of a box turned about (x, y), clockwise."""
    utils = pytest.importorskip("label_studio_sdk.converter.utils", exc_type=ImportError)
    from pspgui.formats.drawn import outline

    told = {"original_width": WIDTH, "original_height": HEIGHT, "x": 40, "y": 20, "width": 30,
            "height": 25, "rotation": 28}  # fmt: skip
    corners = utils.convert_annotation_to_yolo_obb(told, normalize=False)
    expected = mask_of(outline([list(point) for point in corners])(SHAPE))
    assert np.array_equal(mask_of(turned_box(20, 8, 35, 18, 28, True)(SHAPE)), expected)
