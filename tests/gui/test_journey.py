"""Ten images from nothing to a data set, in the real window: what is exported is what was seen."""

from __future__ import annotations

import numpy as np
import pytest
from PySide6.QtCore import Qt, QTimer
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication
from workplace import Workplace

from pspgui.formats import FORMATS, read_dataset
from pspgui.gui.dialogs.clean_up import CleanUpDialog
from pspgui.gui.theme import DARK, apply_theme
from pspgui.gui.tools import Brush, Lasso, SuperpixelBrush
from pspgui.imaging import encode_png
from pspgui.labels.classes import CAMVID
from pspgui.labels.provenance import PERSON
from pspgui.scenes import render_scene

pytestmark = pytest.mark.usefixtures("no_qthreads_left", "no_threads_left")
CTRL, SHIFT = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.ShiftModifier
IMAGES, SHAPE = 10, (96, 128)


@pytest.fixture
def places(qtbot, qapp, quick_weights):
    """Return a function that opens the window; those still open are closed at the end."""
    apply_theme(qapp, DARK)
    opened = []

    def build():
        opened.append(Workplace(qtbot, quick_weights))
        qtbot.addWidget(opened[-1].window)
        return opened[-1]

    yield build
    opened[-1].close()


def open_folder(place, folder):
    place.open(folder)
    place.wait(lambda: place.window.queue.found is not None)
    place.wait(lambda: 0 not in place.window.queue.listing.ids)


def correct(place, number):
    """Accept the prediction, then correct it by one of the tools; return what is seen then."""
    document, canvas = place.document, place.window.canvas
    place.key(Qt.Key.Key_Return)
    assert (document.label_map.provenance == PERSON).all()
    edits = len(document.history.edits)
    document.set_active_class(number)
    document.set_brush_diameter(12)
    way = ("brush", "lasso", "superpixels", "clean-up")[number % 4]
    if way == "clean-up":
        clean_up(place)
    else:
        canvas.set_tool({"brush": Brush, "lasso": Lasso, "superpixels": SuperpixelBrush}[way])
        if way == "superpixels":
            place.hover(40, 60)
            place.wait(lambda: canvas._tool._found is not None)  # asked for when it is painted
        if way == "lasso":
            loop(place, (20, 20), (20, 90), (70, 90), (70, 20))
        else:
            place.drag((30, 30), (60, 90))
    assert len(document.history.edits) == edits + 1, way
    return document.label_map.labels.copy()


def loop(place, *points):
    """Drag around an area."""
    canvas, left = place.window.canvas, Qt.MouseButton.LeftButton
    QTest.mousePress(canvas, left, pos=place.at(*points[0]))
    for point in points[1:]:
        QTest.mouseMove(canvas, place.at(*point))
    QTest.mouseRelease(canvas, left, pos=place.at(*points[-1]))


def clean_up(place):
    """Grow the class that has most, by the dialog."""
    document = place.document
    document.set_active_class(int(np.bincount(document.label_map.labels.ravel())[:11].argmax()))
    seen = []

    def answer():
        dialog = QApplication.activeModalWidget()
        if isinstance(dialog, CleanUpDialog):
            dialog.amount.setValue(dialog.amount.maximum())
            place.wait(lambda: dialog._found is not None and not dialog._pause.isActive())
            seen.append(dialog._found.pixels)
            dialog.accept()
            dialog.reject()

    QTimer.singleShot(0, answer)
    place.window.actions_table["grow"].trigger()
    assert seen and seen[0] > 0
    come_back(place)


def come_back(place):
    """Give the window the keyboard, which no window manager does here when a dialog ends."""
    place.window.activateWindow()
    place.window.canvas.setFocus()
    place.wait(place.window.canvas.hasFocus)


def export(place, key, destination):
    """Export by the dialog; return the report."""
    window = place.window
    sets = window.verbs.data_sets
    sets.report = None
    window.actions_table["export"].trigger()
    place.wait(lambda: sets.dialog is not None and sets.dialog.isVisible())
    dialog = sets.dialog
    dialog.formats.setCurrentRow([form.key for form in FORMATS].index(key))
    dialog.destination.setText(str(destination))
    QTest.mouseClick(dialog.export_button, Qt.MouseButton.LeftButton)
    place.wait(lambda: sets.report is not None)
    report = sets.report
    report.close()
    come_back(place)
    return report


def test_ten_images_from_nothing_to_a_data_set(places, tmp_path):
    folder = tmp_path / "street"
    folder.mkdir()
    for number in range(IMAGES):
        scene = render_scene(number, *SHAPE)
        (folder / f"street{number}.png").write_bytes(encode_png(scene.image))
    place = places()
    open_folder(place, folder)
    images = place.session.images
    assert len(images) == IMAGES

    seen = {}
    for number, image in enumerate(images):
        place.wait(lambda image=image: place.document.image_path == image and place.predicted())
        seen[image] = correct(place, number)
        place.key(Qt.Key.Key_D, CTRL)  # done, and on
    place.session.project.flush()
    index = place.session.project.index
    assert {index.image_of(image).status for image in images} == {"done"}

    # review: the first is rejected with a comment, the others are accepted
    review = place.window.review
    place.window.actions_table["review_mode"].trigger()
    for number in range(IMAGES):
        place.wait(lambda: review.can_review and place.predicted())
        shown = place.document.image_path
        if number == 0:
            rejected = shown
            review.comment = "The kerb is missing."
        place.key(Qt.Key.Key_Y, SHIFT if number == 0 else Qt.KeyboardModifier.NoModifier)
        if number + 1 < IMAGES:  # after the last nothing waits, and the window stays where it is
            place.wait(lambda shown=shown: place.document.image_path != shown)
    place.session.project.flush()
    marks = {image: index.image_of(image).status for image in images}
    assert marks == {i: "rejected" if i == rejected else "accepted" for i in images}
    place.window.actions_table["review_mode"].trigger()
    place.wait(lambda: len(place.window.queue.images) == IMAGES)

    for key in ("voc", "coco"):
        report = export(place, key, tmp_path / key)
        assert "equal" in report.proof.text()
        samples, classes = read_dataset(tmp_path / key, "train")
        assert classes.names == CAMVID.names and len(samples) == IMAGES
        for sample in samples:
            labels = seen[folder / f"{sample.image.stem}.png"]
            assert np.array_equal(sample.coding.read(sample.labels), labels)
    place.close()

    again = places()
    open_folder(again, folder)
    for image, labels in seen.items():
        again.session.show_image(image)
        again.wait(lambda image=image: again.document.image_path == image and again.predicted())
        assert np.array_equal(again.document.label_map.labels, labels)
        assert len(again.document.history.edits) == 2
    assert again.session.project.index.image_of(rejected).comment == "The kerb is missing."
    again.key(Qt.Key.Key_Z, CTRL)
    assert not np.array_equal(again.document.label_map.labels, seen[images[-1]])
