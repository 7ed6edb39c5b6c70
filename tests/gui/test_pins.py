"""Pins: set, kept, moved, chosen, gone back to, by the object and by clicks and drags."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from canvas_case import HEIGHT, WIDTH, at, on_screen, open_canvas, rendered
from PySide6.QtCore import QEvent, QPointF, Qt
from PySide6.QtGui import QMouseEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from pspgui.geometry import Pixel, Rect
from pspgui.gui.canvas.pin_marks import PIN_COLOURS, outline_of
from pspgui.gui.pins import MOST_PINS, Pin, Pins
from pspgui.gui.tools import Brush
from pspgui.gui.tools.probe import Probe
from pspgui.labels.raster import Stamp, capsule

LEFT, RIGHT = Qt.MouseButton.LeftButton, Qt.MouseButton.RightButton
SHIFT, ALT = Qt.KeyboardModifier.ShiftModifier, Qt.KeyboardModifier.AltModifier
NONE = Qt.KeyboardModifier.NoModifier
ONE, OTHER = Path("one.png"), Path("other.png")


@pytest.fixture
def pins(qapp):
    found = Pins()
    found.open(ONE, (HEIGHT, WIDTH))
    return found


@pytest.fixture
def canvas(qtbot):
    found = open_canvas(qtbot)
    found.set_tool(Probe)
    return found


def box(y0, x0, y1, x1):
    return Stamp(Rect(y0, x0, y1, x1), np.ones((y1 - y0, x1 - x0), bool))


def places(pins):
    return [(pin.number, tuple(pin.pixel)) for pin in pins]


def click(canvas, y, x, modifier=NONE):
    QTest.mouseClick(canvas, LEFT, modifier, at(canvas, y, x))


def drag(canvas, points, modifier=NONE, button=LEFT, release=True):
    ends = [QPointF(at(canvas, *point)) for point in points]
    kinds = [QEvent.Type.MouseButtonPress] + [QEvent.Type.MouseMove] * (len(points) - 1)
    if release:
        kinds.append(QEvent.Type.MouseButtonRelease)
        ends.append(ends[-1])
    for kind, end in zip(kinds, ends, strict=True):
        moves = kind == QEvent.Type.MouseMove
        event = QMouseEvent(
            kind, end, QPointF(canvas.mapToGlobal(end.toPoint())),
            Qt.MouseButton.NoButton if moves else button, button, modifier,
        )  # fmt: skip
        QApplication.sendEvent(canvas, event)


# -- the object -----------------------------------------------------------------------------------


def test_the_loose_pin_moves_and_is_gone_with_the_choice(pins):
    first = pins.set_loose(Pixel(1, 2))
    assert pins.current is first and not first.kept
    moved = pins.set_loose(Pixel(3, 4))
    assert places(pins) == [(1, (3, 4))] and pins.current is moved
    pins.select(None)
    assert len(pins) == 0 and pins.current is None


def test_adding_keeps_the_loose_pin_and_numbers_are_used_again(pins):
    pins.set_loose(Pixel(1, 1))
    pins.add(Pixel(2, 2))
    pins.add_region(box(5, 5, 8, 9))
    assert places(pins) == [(1, (1, 1)), (2, (2, 2)), (3, (6, 7))]
    assert all(pin.kept for pin in pins)
    pins.remove([pins.numbered(2)])
    assert pins.current.number == 3
    pins.set_loose(Pixel(9, 9))
    assert places(pins)[1] == (2, (9, 9)) and not pins.numbered(2).kept
    pins.select(None)
    assert [pin.number for pin in pins] == [1, 3]


def test_what_was_removed_can_be_brought_back(pins):
    for x in (1, 2, 3):
        pins.add(Pixel(x, x))
    pins.set_loose(Pixel(9, 9))
    pins.remove(pins.all[:2])
    pins.select(None)  # the loose one goes for good
    pins.add(Pixel(7, 7))
    assert places(pins) == [(1, (7, 7)), (3, (3, 3))]
    pins.restore()
    assert sorted(places(pins)) == [(1, (7, 7)), (2, (1, 1)), (3, (3, 3)), (4, (2, 2))]
    assert not pins.removed


def test_there_is_room_for_so_many_and_no_more(pins):
    for number in range(MOST_PINS):
        assert pins.add(Pixel(number, 0)) is not None
    assert pins.is_full and pins.add(Pixel(20, 20)) is None
    assert pins.set_loose(Pixel(20, 20)) is None and pins.add_region(box(0, 0, 2, 2)) is None
    assert len(pins) == MOST_PINS


def test_pins_come_back_with_their_image_and_loose_ones_do_not(pins):
    pins.add(Pixel(1, 1))
    pins.rename(pins.current, "  kerb\nstone ")
    pins.set_loose(Pixel(5, 5))
    pins.open(OTHER, (HEIGHT, WIDTH))
    assert len(pins) == 0 and pins.current is None
    pins.add(Pixel(2, 2))
    pins.open(ONE, (HEIGHT, WIDTH))
    assert [(pin.name, pin.pixel) for pin in pins] == [("kerb stone", Pixel(1, 1))]
    assert pins.current is None
    pins.open(OTHER, (2, 2))  # its file became smaller
    assert len(pins) == 0


def test_pins_from_the_project_come_beside_those_set_meanwhile(pins):
    pins.add(Pixel(1, 1))
    pins.install(ONE, [Pin(1, Pixel(2, 2)), Pin(3, Pixel(3, 3), name="c"), Pin(4, Pixel(99, 0))])
    assert places(pins) == [(1, (1, 1)), (2, (2, 2)), (3, (3, 3))]
    pins.open(OTHER, (HEIGHT, WIDTH))
    pins.open(ONE, (HEIGHT, WIDTH))
    pins.install(OTHER, [Pin(5, Pixel(2, 2))])  # which was left before its file was read
    pins.open(OTHER, (HEIGHT, WIDTH))
    assert places(pins) == [(5, (2, 2))]


def test_back_and_forth_through_what_was_looked_at(pins):
    pins.set_loose(Pixel(1, 1))
    pins.set_loose(Pixel(2, 2))
    pins.add(Pixel(3, 3))
    region = pins.add_region(box(5, 5, 8, 9))
    assert not pins.can_step(1)
    seen = []
    while pins.step(-1):
        seen.append(tuple(pins.current.pixel))
    assert seen == [(3, 3), (2, 2), (1, 1)]
    while pins.step(1):
        pass
    assert pins.current.region is region.region
    pins.remove([pins.numbered(2)])
    pins.step(-1)
    assert tuple(pins.current.pixel) == (2, 2)  # what was removed is passed over


def test_a_name_leaves_the_evidence_and_the_choice(pins):
    pin = pins.add(Pixel(1, 1))
    pins.set_evidence({pin: "evidence"}, {pin: 0.5})
    pins.rename(pin, "kerb")
    assert pins.current.name == "kerb" and pins.evidence_of(pins.current) == "evidence"
    assert pins.sureness_of(pins.current) == 0.5 and not pins.can_step(-1)


# -- by the probe ---------------------------------------------------------------------------------


def test_shift_click_sets_another_pin_and_a_click_on_a_number_explains_it(canvas):
    pins = canvas.document.pins
    click(canvas, 20, 30)
    click(canvas, 40, 50, SHIFT)
    assert places(pins) == [(1, (20, 30)), (2, (40, 50))] and canvas.document.pin == (40, 50)
    chip = at(canvas, 20, 30).x() + 13, at(canvas, 20, 30).y() - 13
    QTest.mouseClick(canvas, LEFT, NONE, at(canvas, 20, 30).__class__(*chip))
    assert canvas.document.pin == (20, 30) and len(pins) == 2
    click(canvas, 20, 30)
    assert canvas.document.pin is None and len(pins) == 2  # it is kept, only not explained
    click(canvas, 5, 5)
    assert places(pins)[-1] == (3, (5, 5))
    QTest.keyClick(canvas, Qt.Key.Key_Escape)
    assert len(pins) == 2


def test_a_drag_pins_a_box_and_leaves_other_pins(canvas):
    click(canvas, 5, 5)
    drag(canvas, [(20, 30), (25, 40), (30, 45)])
    pin = canvas.document.pins.current
    assert pin.number == 2 and pin.region.rect == Rect(20, 30, 31, 46) and pin.region.mask.all()
    assert pin.place.startswith("region of 176")
    assert canvas.document.pin == Pixel(25, 37) or canvas.document.pin == Pixel(25, 38)
    drag(canvas, [(50, 70), (80, 100)])  # past the edge of the picture
    assert canvas.document.pins.current.rect.y1 == HEIGHT


@pytest.mark.parametrize(("modifier", "button"), [(ALT, LEFT), (NONE, RIGHT)])
def test_a_brushed_region_is_what_the_brush_covers(canvas, modifier, button):
    canvas.document.set_brush_diameter(7)
    drag(canvas, [(20, 20), (20, 40), (35, 40)], modifier, button)
    pin = canvas.document.pins.current
    whole, expected = np.zeros((HEIGHT, WIDTH), bool), np.zeros((HEIGHT, WIDTH), bool)
    whole[pin.region.rect.slices] = pin.region.mask
    points = [(20.5, 20.5), (20.5, 40.5), (35.5, 40.5)]
    for start, end in pairwise(points):
        stamp = capsule(start, end, 7, (HEIGHT, WIDTH))
        expected[stamp.rect.slices] |= stamp.mask
    assert (whole != expected).sum() <= 4  # the mouse is at a whole widget unit
    assert not canvas.document.can_undo


def test_escape_drops_a_region_under_way_first(canvas):
    before = on_screen(canvas)
    drag(canvas, [(20, 30), (25, 40), (30, 45)], release=False)
    assert on_screen(canvas) != before
    QTest.keyClick(canvas, Qt.Key.Key_Escape)
    QTest.mouseRelease(canvas, LEFT, NONE, at(canvas, 30, 45))
    canvas.leaveEvent(None)
    assert len(canvas.document.pins) == 0 and on_screen(canvas) == before


def test_escape_lets_a_pin_go_with_any_tool(canvas):
    click(canvas, 5, 5)
    canvas.set_tool(Brush)
    QTest.keyClick(canvas, Qt.Key.Key_Escape)
    assert canvas.document.pin is None


def test_delete_removes_the_pin_that_is_explained(canvas):
    click(canvas, 20, 30)
    click(canvas, 40, 50, SHIFT)
    QTest.keyClick(canvas, Qt.Key.Key_Delete)
    assert places(canvas.document.pins) == [(1, (20, 30))] and canvas.document.pin is None


def test_a_kept_pin_is_dragged_along_and_keeps_its_number(canvas):
    click(canvas, 20, 30)
    click(canvas, 40, 50, SHIFT)
    drag(canvas, [(40, 50), (42, 52), (10, 12)])
    assert places(canvas.document.pins) == [(1, (20, 30)), (2, (10, 12))]
    assert canvas.document.pin == (10, 12)


def test_a_full_image_says_so(canvas):
    told = []
    canvas.document.message.connect(told.append)
    for number in range(MOST_PINS + 1):
        click(canvas, 5 + 6 * number, 10, SHIFT)
    assert len(canvas.document.pins) == MOST_PINS and "most" in told[-1]


# -- on the canvas --------------------------------------------------------------------------------


@pytest.mark.parametrize("ground", [0, 128, 255])
def test_numbers_and_outlines_read_on_any_ground(qtbot, ground):
    canvas = open_canvas(qtbot, np.full((HEIGHT, WIDTH, 3), ground, np.uint8))
    canvas.document.set_view_mode("image")
    plain = rendered(canvas).astype(int)
    for y in (15, 35):
        canvas.document.pins.add(Pixel(y, 20))
    canvas.document.pins.add_region(box(20, 40, 40, 60))
    canvas.document.pins.select(None)
    change = np.abs(rendered(canvas).astype(int) - plain).max(axis=2)
    chip, edge = at(canvas, 15, 20), canvas.camera.to_widget(30, 40).toPoint()
    assert change[chip.y() - 24 : chip.y() - 2, chip.x() + 2 : chip.x() + 24].max() >= 60
    assert change[edge.y(), edge.x() - 3 : edge.x() + 4].max() >= 60
    colour = [int(PIN_COLOURS[0][i : i + 2], 16) for i in (1, 3, 5)]
    assert rendered(canvas)[chip.y() - 13 - 6, chip.x() + 13].tolist() == colour


def test_pins_that_go_leave_nothing_behind(qtbot):
    canvas = open_canvas(qtbot, np.random.default_rng(0).integers(
        0, 255, (HEIGHT, WIDTH, 3), np.uint8))  # fmt: skip
    before = on_screen(canvas)
    pins = canvas.document.pins
    for pixel in (Pixel(0, 0), Pixel(30, 40), Pixel(59, 79)):
        pins.add(pixel)
        pins.move(pins.current, Pixel(20, pixel.x))
    pins.add_region(box(20, 40, 40, 60))
    on_screen(canvas)
    pins.select(pins.numbered(1))
    on_screen(canvas)
    pins.remove(pins.all)
    assert on_screen(canvas) == before


def test_an_outline_goes_round_every_pixel_and_hole():
    ring = np.ones((4, 5), bool)
    ring[1:3, 1:4] = False
    lines = outline_of(Stamp(Rect(10, 20, 14, 25), ring))
    length = sum(line.length() for line in lines)
    assert length == 2 * (4 + 5) + 2 * (2 + 3)
    assert {(line.x1(), line.y1()) for line in lines} >= {(20, 10), (21, 11)}
    assert sum(line.length() for line in outline_of(box(3, 4, 8, 6))) == 2 * (5 + 2)
