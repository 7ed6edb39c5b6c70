"""The camera: crossing there and back is identity, zooming keeps its anchor, nothing gets lost."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PySide6.QtCore import QPointF, QRectF

from pspgui.geometry import Pixel, Rect
from pspgui.gui.canvas.camera import MAX_ZOOM, Camera

ratios = st.sampled_from([1.0, 1.25, 1.5, 2.0])
sides = st.integers(1, 9000)
moves = st.lists(
    st.tuples(st.floats(-900, 900), st.floats(-900, 900), st.floats(0.2, 5.0)), max_size=5
)


def camera_of(height, width, ratio=1.0, viewport=(600, 800)):
    camera = Camera()
    camera.resize(*viewport, ratio)
    camera.set_image_shape(height, width)
    return camera


@given(sides, sides, ratios, moves)
def test_crossing_there_and_back_is_identity_and_the_picture_is_never_lost(
    height, width, ratio, steps
):
    camera = camera_of(height, width, ratio)
    for dx, dy, factor in steps:
        camera.pan(dx, dy)
        camera.zoom_at(QPointF(100 + dx / 10, 100 + dy / 10), factor)
    point = camera.to_widget(height / 3, width / 5)
    y, x = camera.to_image(point)

    assert math.isclose(y, height / 3, abs_tol=1e-6 * height)
    assert math.isclose(x, width / 5, abs_tol=1e-6 * width)
    assert camera.min_zoom <= camera.zoom <= MAX_ZOOM
    shown = camera.to_widget_rect(Rect(0, 0, height, width))
    middle = camera.viewport.center()
    assert shown.adjusted(-1, -1, 1, 1).contains(middle)


@given(ratios, st.floats(200, 600), st.floats(150, 450), st.floats(0.5, 8.0))
def test_zooming_keeps_the_point_under_the_cursor(ratio, x, y, factor):
    camera = camera_of(3000, 4000, ratio)
    before = camera.to_image(QPointF(x, y))
    camera.zoom_at(QPointF(x, y), factor)
    after = camera.to_image(QPointF(x, y))

    # The picture's corner is rounded to a device pixel, so that pixels stay crisp.
    assert all(abs(a - b) <= 1.01 / camera.zoom for a, b in zip(before, after, strict=True))


@pytest.mark.parametrize("ratio", [1.0, 1.5, 2.0])
def test_fitting_shows_everything_in_the_middle_and_follows_the_widget(ratio):
    camera = camera_of(3000, 4000, ratio)
    for viewport in ((600, 800), (300, 1000)):
        camera.resize(*viewport, ratio)
        shown = camera.to_widget_rect(Rect(0, 0, 3000, 4000))

        assert camera.viewport.contains(shown)
        assert (shown.center() - camera.viewport.center()).manhattanLength() <= 1.5
        assert max(shown.width() - viewport[1], shown.height() - viewport[0]) == pytest.approx(
            -32, abs=1
        )


@pytest.mark.parametrize("ratio", [1.0, 1.5, 2.0])
def test_zoom_one_is_one_image_pixel_per_device_pixel(ratio):
    camera = camera_of(3000, 4000, ratio)
    camera.zoom_at(QPointF(400, 300), 1 / camera.zoom)

    assert camera.zoom == pytest.approx(1.0)
    assert camera.scale * ratio == pytest.approx(1.0)
    assert all(isinstance(v, int) for v in camera.device_origin)


def test_pixels_are_half_open_and_none_outside():
    camera = camera_of(10, 20)

    assert camera.pixel_at(camera.to_widget(0, 0)) == Pixel(0, 0)
    assert camera.pixel_at(camera.to_widget(9.99, 19.99)) == Pixel(9, 19)
    assert camera.pixel_at(camera.to_widget(10, 5)) is None
    assert camera.pixel_at(camera.to_widget(-0.01, 5)) is None


def test_an_area_shows_the_pixels_it_touches_and_no_others():
    camera = camera_of(100, 100)
    area = QRectF(camera.to_widget(10.5, 20.5), camera.to_widget(12.5, 40.0))

    assert camera.to_image_rect(area) == Rect(10, 20, 13, 40)
    assert camera.to_image_rect(camera.viewport) == Rect(0, 0, 100, 100)


def test_a_picture_of_the_same_size_keeps_the_view_and_another_is_fitted():
    camera = camera_of(100, 100)
    camera.zoom_at(QPointF(50, 50), 3)
    before = camera.frame, camera.device_origin
    camera.set_image_shape(100, 100)
    assert (camera.frame, camera.device_origin) == before

    camera.set_image_shape(100, 120)
    assert camera.fitted


def test_zooming_to_a_rect_shows_it_whole():
    camera = camera_of(1000, 1000)
    camera.zoom_to(Rect(100, 200, 150, 260))
    shown = camera.to_widget_rect(Rect(100, 200, 150, 260))

    assert camera.viewport.contains(shown)
    assert shown.height() > 0.8 * 600
