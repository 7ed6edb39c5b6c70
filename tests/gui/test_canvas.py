"""The canvas paints exact pixels, follows the document, and moves as a person expects."""

import numpy as np
import pytest
from canvas_case import (
    CAR,
    HEIGHT,
    ROAD,
    SKY,
    WIDTH,
    at,
    blended,
    labelled,
    on_screen,
    open_canvas,
    pixel,
    prediction_of,
    rendered,
    wheel,
)
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtTest import QTest

from pspgui.evidence.readings import Source
from pspgui.geometry import Pixel, Rect, interpolation_matrix
from pspgui.gui.canvas.canvas import Canvas
from pspgui.gui.canvas.map_layer import axis_extent, enlarged
from pspgui.gui.canvas.mip_levels import build_levels
from pspgui.gui.canvas.screen_labels import borders
from pspgui.gui.document import Document
from pspgui.gui.theme import current_theme
from pspgui.gui.tools import Brush
from pspgui.inference.views import LevelView
from pspgui.labels.classes import table


def noise_image():
    return np.random.default_rng(3).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)


def test_enlarged_pixels_are_exact_and_nothing_lies_outside(qtbot):
    image = noise_image()
    canvas = open_canvas(qtbot, image)
    canvas.document.set_view_mode("image")
    shown = rendered(canvas)

    assert canvas.camera.device_origin == (30, 40)
    assert np.array_equal(shown[30:270, 40:360], image.repeat(4, 0).repeat(4, 1))
    ground = [int(current_theme().canvas[i : i + 2], 16) for i in (1, 3, 5)]
    outside = np.ones(shown.shape[:2], bool)
    outside[30:270, 40:360] = False
    assert (shown[outside] == ground).all()


def test_labels_lie_over_the_picture_at_the_chosen_opacity(qtbot):
    canvas = open_canvas(qtbot)
    canvas.document.set_opacity(0.4)
    shown = rendered(canvas)[30:270, 40:360].astype(float)

    assert np.abs(shown[:120, :316] - blended(SKY, 0.4)).max() <= 1.5
    assert np.abs(shown[120:, :316] - blended(ROAD, 0.4)).max() <= 1.5
    assert (shown[:, 316:] == 100).all(), "unlabelled pixels show the picture"


def test_hidden_and_soloed_classes(qtbot):
    canvas = open_canvas(qtbot)
    canvas.document.set_opacity(1.0)
    canvas.document.set_visible(1, False)
    assert pixel(canvas, 50, 10) == (100, 100, 100)
    assert pixel(canvas, 5, 10) == SKY

    canvas.document.set_visible(1, True)
    canvas.document.set_solo(1)
    assert pixel(canvas, 50, 10) == ROAD
    assert pixel(canvas, 5, 10) == (100, 100, 100)


def test_classes_beyond_the_first_256_are_hidden_and_soloed_too(qtbot):
    many = table(*((f"class {n}", SKY if n == 299 else ROAD) for n in range(300)), ignore=65535)
    labels = np.full((HEIGHT, WIDTH), 298, np.uint16)
    labels[:30] = 299
    canvas = open_canvas(qtbot)
    canvas.document.set_table(many)
    canvas.document.set_image(np.full((HEIGHT, WIDTH, 3), 100, np.uint8), None, "many", labels)
    canvas.document.set_opacity(1.0)
    assert pixel(canvas, 5, 10) == SKY and pixel(canvas, 50, 10) == ROAD
    canvas.document.set_visible(299, False)
    assert pixel(canvas, 5, 10) == (100, 100, 100) and pixel(canvas, 50, 10) == ROAD
    canvas.document.set_visible(299, True)
    canvas.document.set_solo(299)
    assert pixel(canvas, 5, 10) == SKY and pixel(canvas, 50, 10) == (100, 100, 100)


def test_outlines_mark_both_sides_of_a_border_in_their_colours_only(qtbot):
    canvas = open_canvas(qtbot)
    canvas.document.set_opacity(1.0)
    canvas.document.set_outline(True)
    canvas.document.set_outline_px(4)
    column = rendered(canvas)[30:270, 200]

    assert (column[118:120] == SKY).all()
    assert (column[120:122] == ROAD).all()
    assert (column[:118] == 100).all()
    assert (column[122:] == 100).all()


def test_borders_do_not_count_the_edge_of_the_map():
    labels = np.zeros((5, 6), np.uint8)
    labels[2, 3] = 1
    found = borders(labels)

    assert found.sum() == 5
    assert not borders(np.zeros((3, 3), np.uint8)).any()


def test_the_difference_shows_where_labels_and_prediction_part(qtbot):
    prediction = labelled()
    canvas = open_canvas(qtbot, prediction=prediction)
    canvas.document.label_map.labels[10, 10] = 2
    canvas.document.set_view_mode("difference")
    canvas.document.set_opacity(1.0)

    assert pixel(canvas, 10, 10) == CAR
    assert pixel(canvas, 10, 11) == (35, 35, 35)  # 35 % of the grey


def test_the_prediction_can_be_seen_instead_of_the_labels(qtbot):
    canvas = open_canvas(qtbot, prediction=np.full((HEIGHT, WIDTH), 2, np.uint8))
    canvas.document.set_opacity(1.0)
    assert pixel(canvas, 5, 10) == SKY

    canvas.document.set_view_mode("prediction")
    assert pixel(canvas, 5, 10) == CAR


def test_maps_of_sixteen_bits_are_drawn_too(qtbot):
    canvas = open_canvas(qtbot, labels=labelled().astype(np.uint16))
    canvas.document.set_opacity(1.0)

    assert pixel(canvas, 5, 10) == SKY
    assert pixel(canvas, 5, WIDTH - 1) == (100, 100, 100)


@pytest.mark.parametrize("outline", [False, True])
@pytest.mark.parametrize("zoom", [0.7, 4.0, 13.3])
def test_what_edits_and_pans_leave_equals_a_fresh_painting(qtbot, outline, zoom):
    labels = np.random.default_rng(5).integers(0, 3, (HEIGHT, WIDTH), np.uint8)
    canvas = open_canvas(qtbot, noise_image(), labels)
    document = canvas.document
    document.set_outline(outline)
    canvas.zoom_by(zoom / canvas.zoom)
    rendered(canvas)
    for step in range(4):
        document.begin_stroke(20 + 5 * step, 30.0, "brush")
        document.finish_stroke()
        canvas.camera.pan(17 * (-1) ** step, -9.0)
        rendered(canvas)
    kept = rendered(canvas)
    canvas._labels._cache.forget()

    assert np.array_equal(kept, rendered(canvas))


def test_the_screen_after_a_dab_equals_a_whole_repaint(qtbot):
    canvas = open_canvas(qtbot, noise_image())
    canvas.document.set_outline(True)
    canvas.set_tool(Brush)
    QTest.mousePress(canvas, Qt.MouseButton.LeftButton, pos=at(canvas, 20, 20))
    QTest.mouseMove(canvas, at(canvas, 30, 50))
    QTest.mouseRelease(canvas, Qt.MouseButton.LeftButton, pos=at(canvas, 30, 50))
    partly = on_screen(canvas)
    canvas.repaint()

    assert partly == on_screen(canvas)


def test_the_pixel_grid_comes_with_eight_times_zoom(qtbot):
    canvas = open_canvas(qtbot)
    canvas.document.set_view_mode("image")
    assert (rendered(canvas)[150, 100:140] == 100).all()

    canvas.zoom_by(4.0)
    left = canvas.camera.device_origin[1]
    row = rendered(canvas)[155, :, 0].astype(int)
    assert np.flatnonzero(row != 100).tolist() == list(range(left % 16, 400, 16))


def test_the_wheel_zooms_at_the_cursor_by_a_quarter_a_notch(qtbot):
    canvas = open_canvas(qtbot)
    point = QPoint(300, 200)
    before = canvas.camera.to_image(QPointF(point))
    with qtbot.waitSignal(canvas.zoom_changed):
        wheel(canvas, point, 120)
    assert canvas.zoom == pytest.approx(5.0)
    after = canvas.camera.to_image(QPointF(point))
    assert np.abs(np.subtract(before, after)).max() <= 1.01 / canvas.zoom

    for _ in range(8):  # a trackpad's fractions add up to one notch
        wheel(canvas, point, -15)
    assert canvas.zoom == pytest.approx(4.0)


def test_the_middle_button_pans_and_keeps_the_tool_out_of_it(qtbot):
    canvas = open_canvas(qtbot)
    before = canvas.camera.device_origin
    QTest.mousePress(canvas, Qt.MouseButton.MiddleButton, pos=QPoint(200, 150))
    assert canvas.cursor().shape() == Qt.CursorShape.ClosedHandCursor
    QTest.mouseMove(canvas, QPoint(230, 140))
    QTest.mouseRelease(canvas, Qt.MouseButton.MiddleButton, pos=QPoint(230, 140))

    assert canvas.camera.device_origin == (before[0] - 10, before[1] + 30)
    assert canvas.document.pin is None
    assert canvas.cursor().shape() == Qt.CursorShape.CrossCursor


def test_space_pans_with_the_left_button(qtbot):
    canvas = open_canvas(qtbot)
    canvas.set_tool(Brush)
    before = canvas.camera.device_origin
    QTest.mouseMove(canvas, QPoint(200, 150))
    QTest.keyPress(canvas, Qt.Key.Key_Space)
    assert canvas.cursor().shape() == Qt.CursorShape.OpenHandCursor
    QTest.mousePress(canvas, Qt.MouseButton.LeftButton, pos=QPoint(200, 150))
    QTest.mouseMove(canvas, QPoint(210, 170))
    QTest.mouseRelease(canvas, Qt.MouseButton.LeftButton, pos=QPoint(210, 170))
    QTest.keyRelease(canvas, Qt.Key.Key_Space)

    assert canvas.camera.device_origin == (before[0] + 20, before[1] + 10)
    assert not canvas.document.can_undo
    assert canvas.cursor().shape() == Qt.CursorShape.BlankCursor


def test_the_hover_follows_the_mouse_and_ends_with_it(qtbot):
    canvas = open_canvas(qtbot)
    QTest.mouseMove(canvas, at(canvas, 12, 34))
    qtbot.waitUntil(lambda: canvas.document.hover == Pixel(12, 34))
    QTest.mouseMove(canvas, QPoint(5, 5))  # beside the picture
    qtbot.waitUntil(lambda: canvas.document.hover is None)
    QTest.mouseMove(canvas, at(canvas, 1, 2))
    qtbot.waitUntil(lambda: canvas.document.hover == Pixel(1, 2))
    canvas.leaveEvent(None)

    assert canvas.document.hover is None


def test_fit_and_actual_size(qtbot):
    canvas = open_canvas(qtbot)
    canvas.actual_size()
    assert canvas.zoom == pytest.approx(1.0)

    canvas.fit()
    assert canvas.zoom == pytest.approx(min((400 - 32) / WIDTH, (300 - 32) / HEIGHT))
    canvas.resize(300, 300)
    assert canvas.zoom == pytest.approx((300 - 32) / WIDTH), "a fitted picture stays fitted"


def test_without_a_picture_there_is_a_calm_ground_and_no_tool(qtbot):
    document = Document()
    canvas = Canvas(document)
    qtbot.addWidget(canvas)
    canvas.show()
    QTest.mouseClick(canvas, Qt.MouseButton.LeftButton, pos=QPoint(20, 20))
    wheel(canvas, QPoint(20, 20), 120)

    assert len(np.unique(rendered(canvas).reshape(-1, 3), axis=0)) == 1
    assert document.pin is None
    assert canvas.cursor().shape() == Qt.CursorShape.ArrowCursor


@pytest.mark.parametrize("ground", [0, 128, 255])
def test_marks_read_on_any_ground(qtbot, ground):
    canvas = open_canvas(qtbot, np.full((HEIGHT, WIDTH, 3), ground, np.uint8))
    canvas.document.set_view_mode("image")
    plain = rendered(canvas).astype(int)
    canvas.document.set_pin(Pixel(20, 30))
    canvas.document.set_hovered_bin(Source("bin", 2, 0, 1, 1.5, 0.3, True, Rect(30, 40, 60, 80)))
    change = np.abs(rendered(canvas).astype(int) - plain).max(axis=2)
    pin, corner = at(canvas, 20, 30), canvas.camera.to_widget(30, 40).toPoint()

    # 60 of 255 levels apart from the ground, whichever of the two tones does it.
    assert change[pin.y() - 20 : pin.y() + 20, pin.x() - 20 : pin.x() + 20].max() >= 60
    assert change[corner.y() + 10, corner.x() - 2 : corner.x() + 3].max() >= 60
    positive = np.array([int(current_theme().positive[i : i + 2], 16) for i in (1, 3, 5)])
    inside = rendered(canvas)[corner.y() + 40, corner.x() + 40]
    assert np.abs(inside - (ground + 0.08 * (positive - ground))).max() <= 1.5


def test_a_moved_mark_leaves_nothing_behind(qtbot):
    canvas = open_canvas(qtbot, noise_image())
    before = on_screen(canvas)
    for y in (5, 20, 59):
        canvas.document.set_pin(Pixel(y, y))
        canvas.document.set_hovered_bin(
            Source("bin", 3, 0, 0, -1.0, 0.3, True, Rect(y - 5, 0, y, 30))
        )
        canvas.document.set_pin(None)
    canvas.document.set_hovered_bin(None)

    assert on_screen(canvas) == before


def test_mip_levels_are_averages_of_the_whole_picture():
    pixels = np.random.default_rng(7).integers(0, 256, (513, 1021, 3), np.uint8)
    levels = build_levels(pixels)

    assert [level.shape for level in levels] == [(257, 511), (129, 256)]
    for level in levels:
        red = (level >> 16) & 255
        assert (level >> 24 == 255).all()
        assert abs(float(red.mean()) - float(pixels[..., 0].mean())) < 1.0
    even = build_levels(pixels[:512, :1020])[0] & 255
    blue = pixels[:512, :1020, 2].reshape(256, 2, 510, 2).mean(axis=(1, 3))
    assert np.abs(even - blue).max() <= 1.0


def test_a_zoomed_out_checkerboard_turns_grey_when_the_levels_arrive(qtbot):
    board = (np.indices((2000, 2000)).sum(axis=0) % 2 * 255).astype(np.uint8)
    labels = np.full((2000, 2000), 255, np.uint8)
    canvas = open_canvas(qtbot, np.repeat(board[..., None], 3, axis=2), labels)
    canvas.fit()
    qtbot.waitUntil(lambda: canvas.has_levels)
    middle = rendered(canvas)[100:200, 150:250].astype(int)

    assert np.abs(middle - 127.5).max() <= 2


@pytest.mark.parametrize(("cells", "padded"), [(8, 57), (60, 473), (2, 9)])
def test_a_map_puts_its_cells_where_the_model_interpolates_them(cells, padded):
    values = np.random.default_rng(9).random((cells, 3))
    start, stop = axis_extent(cells, padded, align_corners=True)
    middles = start + (np.arange(cells) + 0.5) * (stop - start) / cells
    model = interpolation_matrix(padded, cells, align_corners=True) @ values
    drawn = [np.interp(np.arange(padded) + 0.5, middles, values[:, k]) for k in range(3)]

    assert np.abs(model - np.stack(drawn, axis=1)).max() < 1e-9


def test_enlarging_keeps_the_extent_and_interpolates():
    cells = np.array([[0.0, 1.0], [2.0, 3.0]])
    fine = enlarged(cells, 4)

    assert fine.shape == (8, 8)
    assert fine[0, 0] == 0
    assert fine[-1, -1] == 3
    assert fine[4, 4] - fine[3, 3] == pytest.approx(0.75)
    assert enlarged(np.array([[5.0]]), 3).tolist() == [[5.0] * 3] * 3


def test_a_shown_map_covers_the_picture_and_not_the_padding(qtbot):
    canvas = open_canvas(qtbot)
    document = canvas.document
    map_of_two = np.zeros((2, 2), np.float32)
    map_of_two[:, 1] = 1.0
    view = LevelView("confidence", "Confidence", None, map_of_two)
    document.set_prediction(prediction_of(labelled(), padded=(HEIGHT, 2 * WIDTH - 1)), (view,))
    document.set_shown_map("confidence")
    document.set_opacity(1.0)
    shown = rendered(canvas)
    inside = shown[30:270, 40:360].astype(int)

    # Cell 0 is in the middle of pixel 0, cell 1 in that of pixel 158: pixel 79 is half way.
    from pspgui.gui.colours import sequential_lut

    half = sequential_lut()[128 * np.arange(WIDTH) // 79].astype(int)
    assert np.abs(inside[120, 2::4] - half).max() <= 6
    assert (shown[:30] == shown[0, 0]).all()
    assert (shown[:, 360:] == shown[0, 0]).all()


def test_escape_leaves_a_shown_map(qtbot):
    canvas = open_canvas(qtbot)
    canvas.document.set_shown_map("confidence")
    QTest.keyClick(canvas, Qt.Key.Key_Escape)

    assert canvas.document.shown_map is None
