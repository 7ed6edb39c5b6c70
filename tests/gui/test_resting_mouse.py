"""The mouse rests over the picture: what is explained beneath it is always of the image shown."""

from __future__ import annotations

import pytest
from fakes import fake_image
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication
from workplace import Workplace

from pspgui.geometry import Pixel, Rect
from pspgui.gui.theme import DARK, apply_theme
from pspgui.gui.tools import Brush
from pspgui.imaging import encode_png

pytestmark = pytest.mark.usefixtures("no_qthreads_left", "no_threads_left")


@pytest.fixture
def folder(tmp_path):
    for number, shape in enumerate(((96, 128), (96, 128), (64, 128))):
        pixels = fake_image(*shape, seed=number)
        (tmp_path / f"street{number}.png").write_bytes(encode_png(pixels))
    return tmp_path


@pytest.fixture
def place(qtbot, qapp, small_weights, folder):
    apply_theme(qapp, DARK)
    found = Workplace(qtbot, small_weights)
    qtbot.addWidget(found.window)
    found.open(folder / "street0.png")
    found.wait(lambda: len(found.session.images) == 3)
    for _ in range(5):
        QApplication.processEvents()
    yield found
    found.close()


def go_on(place, key, name):
    place.key(key)
    place.wait(lambda: place.document.image_title == name and place.predicted())


def explains(place, pixel):
    """Whether what is shown is the evidence of this pixel in the image shown."""
    evidence, document = place.document.evidence, place.document
    if evidence is None or evidence.pixel != pixel:
        return False
    return evidence.logit == document.engine.at(pixel, None).logit


def beneath(place):
    """Return the image pixel where the mouse rests; a layout that comes late may move it."""
    return place.window.canvas.camera.pixel_at(place.mouse)


def test_the_next_image_is_explained_under_a_mouse_that_does_not_move(place):
    place.hover(30, 50)
    place.wait(lambda: explains(place, beneath(place)))
    first = place.document.evidence
    go_on(place, Qt.Key.Key_D, "street1.png")
    place.wait(lambda: explains(place, beneath(place)))
    assert place.document.evidence.logit != first.logit
    go_on(place, Qt.Key.Key_A, "street0.png")
    place.wait(lambda: explains(place, beneath(place)))
    assert place.document.hover == beneath(place)


def test_in_an_image_of_another_size_it_is_the_pixel_that_lies_there_now(place):
    place.hover(20, 50)
    go_on(place, Qt.Key.Key_D, "street1.png")
    go_on(place, Qt.Key.Key_D, "street2.png")
    assert place.document.image.shape == (64, 128, 3)
    place.wait(lambda: explains(place, beneath(place)))


def test_evidence_comes_by_itself_when_the_prediction_does(place):
    place.hover(40, 60)
    document = place.document
    seen = []
    document.evidence_changed.connect(seen.append)
    place.session.predict_again()
    document.forget_prediction()
    assert document.evidence is None and document.hover == Pixel(40, 60)
    place.wait(place.predicted)
    place.wait(lambda: explains(place, beneath(place)))
    assert seen[-1] is document.evidence


def test_the_pixel_that_a_zoom_brings_beneath_the_mouse_is_explained(place):
    canvas = place.window.canvas
    place.hover(30, 50)
    canvas.zoom_to(Rect(10, 20, 60, 100))
    assert beneath(place) not in (None, Pixel(30, 50))
    place.wait(lambda: explains(place, beneath(place)))


def test_a_stroke_under_way_goes_on_while_the_picture_moves(place):
    canvas, document = place.window.canvas, place.document
    canvas.set_tool(Brush)
    place.hover(30, 50)
    QTest.mousePress(canvas, Qt.MouseButton.LeftButton, pos=place.at(30, 50))
    assert document.stroke_active
    canvas.centre_on(Rect(0, 0, 20, 20))
    QApplication.processEvents()
    assert document.stroke_active
    QTest.mouseRelease(canvas, Qt.MouseButton.LeftButton, pos=place.at(30, 50))
    assert not document.stroke_active
