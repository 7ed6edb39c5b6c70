"""Selecting, live-wire, GrabCut, superpixels and the smoothing brush, used as a person does."""

import threading

import numpy as np
import pytest
from canvas_case import HEIGHT, WIDTH, at, labelled, open_canvas, rendered
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from pspgui.geometry import Rect
from pspgui.gui.tools import (
    Fill,
    GrabCut,
    LiveWire,
    Polygon,
    Rectangle,
    Select,
    SmoothBrush,
    SuperpixelBrush,
)
from pspgui.gui.tools import fill as fill_module
from pspgui.gui.tools import select as select_module
from pspgui.labels.shapes import ellipse

LEFT, RIGHT = Qt.MouseButton.LeftButton, Qt.MouseButton.RightButton
NONE = Qt.KeyboardModifier.NoModifier
SHIFT = Qt.KeyboardModifier.ShiftModifier
ALT = Qt.KeyboardModifier.AltModifier
CTRL = Qt.KeyboardModifier.ControlModifier
THING = Rect(15, 20, 45, 60)


def picture():
    """A red ellipse on green, and where it is."""
    mask = np.zeros((HEIGHT, WIDTH), bool)
    stamp = ellipse(THING, mask.shape)
    mask[stamp.rect.slices] = stamp.mask
    image = np.where(mask[..., None], (200, 40, 30), (40, 150, 60))
    noise = np.random.default_rng(1).integers(-6, 7, image.shape)
    return (image + noise).astype(np.uint8), mask


@pytest.fixture
def canvas(qtbot, monkeypatch):
    """A canvas over the picture, Sky above and Road below; class Car is active, clicks single."""
    monkeypatch.setattr(QApplication, "doubleClickInterval", lambda: -1)
    made = open_canvas(qtbot, picture()[0], prediction=labelled())
    made.document.set_active_class(2)
    made.said = []
    made.document.message.connect(made.said.append)
    made.wait = lambda condition: qtbot.waitUntil(condition)
    made.settle = lambda: made.wait(lambda: not made.document.errands._asked)
    return made


def click(canvas, y, x, button=LEFT, modifiers=NONE):
    QTest.mouseClick(canvas, button, modifiers, at(canvas, y, x))


def drag(canvas, points, button=LEFT, modifiers=NONE, release=True):
    QTest.mousePress(canvas, button, modifiers, at(canvas, *points[0]))
    for point in points[1:]:
        QTest.mouseMove(canvas, at(canvas, *point))
    if release:
        QTest.mouseRelease(canvas, button, modifiers, at(canvas, *points[-1]))


def labels(canvas):
    return canvas.document.label_map.labels


def names(canvas):
    return [name.split(",")[0] for name in canvas.document.history.undo_names]


# -- select ---------------------------------------------------------------------------------------


def selected(canvas):
    mask = np.zeros((HEIGHT, WIDTH), bool)
    stamp = canvas.document.selection
    if stamp is not None:
        mask[stamp.rect.slices] = stamp.mask
    return mask


def test_a_click_selects_a_piece_and_enter_relabels_it(canvas):
    canvas.set_tool(Select)
    click(canvas, 10, 10)
    assert np.array_equal(selected(canvas), labelled() == 0)
    assert canvas.said[-1].startswith("2\u2009370 px selected")
    QTest.keyClick(canvas, Qt.Key.Key_Return)
    assert np.array_equal(labels(canvas), np.where(labelled() == 0, 2, labelled()))
    assert names(canvas) == ["Region Car"]
    canvas.document.set_erase_to("unlabelled")
    QTest.keyClick(canvas, Qt.Key.Key_Delete)
    assert (labels(canvas)[labelled() == 0] == 255).all()
    QTest.keyClick(canvas, Qt.Key.Key_Escape)
    assert canvas.document.selection is None


def test_drags_and_keys_add_to_the_selection_and_take_away(canvas):
    canvas.set_tool(Select)
    drag(canvas, [(5, 5), (5, 20), (20, 20), (20, 5)])
    first = selected(canvas)
    assert first[6:20, 6:20].all() and not first[22:].any()
    drag(canvas, [(40, 40), (40, 50), (50, 50), (50, 40)], modifiers=SHIFT)
    assert selected(canvas)[first].all() and selected(canvas)[45, 45]
    click(canvas, 40, 5, modifiers=ALT)  # the road
    assert np.array_equal(selected(canvas), first)
    click(canvas, 5, 5, RIGHT)
    assert canvas.document.selection is None


def test_the_selection_shows_and_goes_with_its_image(canvas):
    canvas.set_tool(Select)
    before = rendered(canvas)
    click(canvas, 10, 10)
    assert (rendered(canvas) != before).any(axis=2).sum() > 1000
    document = canvas.document
    document.set_image(document.image, None, "another", labelled())
    assert document.selection is None


def test_large_images_are_searched_on_another_thread(canvas, monkeypatch):
    monkeypatch.setattr(select_module, "LARGE_PX", 10)
    monkeypatch.setattr(fill_module, "LARGE_PX", 10)
    canvas.set_tool(Select)
    click(canvas, 10, 10)
    assert canvas.document.selection is None
    canvas.settle()
    assert np.array_equal(selected(canvas), labelled() == 0)
    canvas.set_tool(Fill)
    click(canvas, 50, 10)
    assert not names(canvas)
    canvas.settle()
    assert np.array_equal(labels(canvas), np.where(labelled() == 1, 2, labelled()))
    drag(canvas, [(50, 10), (10, 10)], release=False)
    QTest.keyClick(canvas, Qt.Key.Key_Escape)
    QTest.mouseRelease(canvas, LEFT, NONE, at(canvas, 10, 10))
    canvas.settle()
    assert len(names(canvas)) == 1


# -- live-wire ------------------------------------------------------------------------------------

# Around the ellipse.
AROUND = [(15, 40), (30, 20), (44, 40), (30, 59)]


def test_a_live_wire_follows_the_border_between_clicks(canvas):
    canvas.set_tool(LiveWire)
    for point in AROUND:
        click(canvas, *point)
        canvas.settle()
    assert not names(canvas)
    QTest.keyClick(canvas, Qt.Key.Key_Return)
    mask = picture()[1]
    assert ((labels(canvas) == 2) != mask).mean() < 0.03
    assert names(canvas) == ["Live-wire Car"]


def test_undo_and_backspace_take_back_points_of_a_live_wire(canvas):
    canvas.set_tool(LiveWire)
    for point in AROUND:
        click(canvas, *point)
    canvas.document.undo()  # as from the menu
    QTest.keyClick(canvas, Qt.Key.Key_Backspace)
    assert len(canvas._tool.points) == 2
    canvas.settle()
    QTest.keyClick(canvas, Qt.Key.Key_Escape)
    assert not canvas._tool.running and canvas.document.pending is None


def test_clicks_faster_than_the_wire_get_their_paths_afterwards(canvas):
    canvas.set_tool(LiveWire)
    for point in AROUND:
        click(canvas, *point)
    assert all(len(path) == 1 for path in canvas._tool._paths)
    canvas.settle()
    assert all(len(path) > 5 for path in canvas._tool._paths)
    click(canvas, *AROUND[0])  # closes it
    assert ((labels(canvas) == 2) != picture()[1]).mean() < 0.03


# -- GrabCut --------------------------------------------------------------------------------------


def test_a_box_is_cut_out_shown_corrected_and_filled(canvas):
    canvas.set_tool(GrabCut)
    before = rendered(canvas)
    drag(canvas, [(8, 12), (30, 40), (52, 68)])
    canvas.settle()
    assert (rendered(canvas) != before).any(axis=2).sum() > 1000
    assert not names(canvas)
    drag(canvas, [(12, 14), (12, 18)])
    drag(canvas, [(29, 38), (29, 42)], RIGHT)
    canvas.settle()
    QTest.keyClick(canvas, Qt.Key.Key_Return)
    filled = labels(canvas) == 2
    assert filled[12, 14:18].all() and not filled[29, 38:42].any()
    assert (filled != picture()[1]).mean() < 0.1
    assert names(canvas) == ["GrabCut Car"]


def test_undo_takes_back_hints_and_then_the_box(canvas):
    canvas.set_tool(GrabCut)
    drag(canvas, [(8, 12), (30, 40), (52, 68)])
    drag(canvas, [(12, 14), (12, 18)])
    canvas.document.undo()
    assert canvas._tool.running and not canvas._tool._hints
    canvas.document.undo()
    assert not canvas._tool.running and canvas.document.pending is None
    QTest.keyClick(canvas, Qt.Key.Key_Return)
    assert not names(canvas)


def test_escape_drops_a_cut_out_under_way(canvas):
    canvas.set_tool(GrabCut)
    drag(canvas, [(8, 12), (30, 40), (52, 68)])
    QTest.keyClick(canvas, Qt.Key.Key_Escape)
    canvas.settle()
    assert not canvas._tool.running and canvas._tool.area().rect.is_empty


# -- superpixels ----------------------------------------------------------------------------------


def test_a_box_that_goes_with_its_image_is_told(canvas):
    canvas.set_tool(GrabCut)
    drag(canvas, [(10, 15), (50, 65)])
    canvas.settle()
    canvas.document.set_image(picture()[0], None, "next", labelled())
    assert "went with its image" in canvas.said[-1]


@pytest.fixture
def gate(canvas, monkeypatch):
    """What errands wait for before they begin."""
    gate, ask = threading.Event(), canvas.document.errands.ask

    def ask_later(kind, job, *told):
        def held(turn):
            assert gate.wait(60)
            return (yield from job(turn))

        ask(kind, held, *told)

    monkeypatch.setattr(canvas.document.errands, "ask", ask_later)
    yield gate
    gate.set()


def test_a_stroke_paints_whole_superpixels(canvas, gate):
    canvas.document.set_brush_diameter(8)
    canvas.set_tool(SuperpixelBrush)
    QTest.mouseMove(canvas, at(canvas, 30, 40))
    rendered(canvas)
    click(canvas, 30, 40)
    assert not names(canvas) and canvas.said[-1].startswith("The superpixels of this view")
    gate.set()
    canvas.settle()
    rendered(canvas)
    drag(canvas, [(30, 30), (30, 50)])
    mask, filled = picture()[1], labels(canvas) == 2
    assert filled.sum() > 100 and not filled[~mask].any()
    assert names(canvas) == ["Superpixels Car"]
    found = canvas._tool._found
    assert {int(n) for n in np.unique(found.ids[filled])}.isdisjoint(
        int(n) for n in np.unique(found.ids[~filled])
    )


# -- the smoothing brush --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mode", "name"),
    [("joint", "Smooth all classes"), ("smooth", "Smooth Car"), ("grow", "Grow Car"),
     ("shrink", "Shrink Car"), ("close", "Close gaps in Car")],
)  # fmt: skip
def test_the_smoothing_brush_acts_under_the_brush_alone(qtbot, mode, name):
    start = labelled()
    start[20:40, 20:60] = 2
    start[24:38:3, 24:56:3] = 1
    start[18:20, 30:50:4] = 2
    canvas = open_canvas(qtbot, labels=start.copy(), prediction=start)
    canvas.document.set_active_class(2)
    canvas.document.set_brush_diameter(24)
    canvas.document.set_smooth_mode(mode)
    canvas.set_tool(SmoothBrush)
    drag(canvas, [(30, 20), (30, 36)])
    changed = labels(canvas) != start
    assert changed.any() and not changed[:, 50:].any()
    assert names(canvas) == [name]
    drag(canvas, [(30, 20), (30, 36)], RIGHT)
    assert np.array_equal(labels(canvas), start)


def test_a_locked_class_is_not_smoothed(qtbot):
    start = np.kron(np.random.default_rng(0).integers(0, 2, (20, 20)), np.ones((3, 4), int))
    canvas = open_canvas(qtbot, labels=start.astype(np.uint8))
    canvas.document.set_locked(1, True)
    canvas.document.set_brush_diameter(40)
    canvas.set_tool(SmoothBrush)
    drag(canvas, [(30, 20), (30, 60)])
    assert np.array_equal(labels(canvas), start)


# -- steps and images -----------------------------------------------------------------------------


@pytest.mark.parametrize("tool", [Polygon, LiveWire])
def test_points_come_back_with_their_image(canvas, tool):
    document = canvas.document
    canvas.set_tool(tool)
    for point in AROUND:
        click(canvas, *point)
    points = list(canvas._tool.points)
    document.set_image(document.image, None, "another", labelled())
    assert "kept for when its image is shown again" in canvas.said[-1]
    assert not canvas._tool.running
    document.set_image(document.image, None, "picture", labelled())
    assert canvas._tool.running and canvas._tool.points == points
    canvas.settle()
    QTest.keyClick(canvas, Qt.Key.Key_Return)
    assert (labels(canvas) == 2)[30, 40]


def test_menu_undo_takes_back_corners_only_while_the_polygon_is_in_use(canvas):
    document = canvas.document
    canvas.set_tool(Rectangle)
    drag(canvas, [(40, 40), (45, 45)])
    canvas.set_tool(Polygon)
    for point in AROUND:
        click(canvas, *point)
    document.undo()
    assert len(canvas._tool.points) == 3 and names(canvas) == ["Rectangle Car"]
    polygon = canvas._tool
    canvas.set_tool(Rectangle)
    document.undo()
    assert len(polygon.points) == 3 and not names(canvas)
    canvas.set_tool(Polygon)
    QTest.mouseMove(canvas, at(canvas, 30, 30))
    document.undo()
    assert len(polygon.points) == 2
