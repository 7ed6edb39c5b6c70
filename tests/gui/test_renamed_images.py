"""An image that is renamed between two sessions keeps its labels, strokes, pins and remarks."""

from __future__ import annotations

import numpy as np
import pytest
from fakes import fake_image
from PySide6.QtWidgets import QApplication

from pspgui.geometry import Pixel, Rect
from pspgui.gui.document import Document
from pspgui.gui.engine_thread import Engine
from pspgui.gui.main_window import MainWindow
from pspgui.gui.session import Session
from pspgui.gui.settings import Settings
from pspgui.imaging import encode_png
from pspgui.labels.raster import Stamp
from pspgui.project import LabelStore
from pspgui.project.checking import check_project

pytestmark = pytest.mark.usefixtures("no_qthreads_left", "no_threads_left")


@pytest.fixture
def folder(tmp_path):
    for number in range(2):
        pixels = fake_image(40, 60, seed=number)
        (tmp_path / f"street{number}.png").write_bytes(encode_png(pixels))
    return tmp_path


class Place:
    """A window without a model: labels are painted from nothing."""

    def __init__(self, qtbot, path):
        self.qtbot = qtbot
        self.document, self.engine = Document(), Engine()
        self.session = Session(self.document, self.engine, Settings())
        self.notices = []
        self.session.notice.connect(self.notices.append)
        self.window = MainWindow(self.document, self.session, self.session.settings)
        qtbot.addWidget(self.window)
        self.window.show()
        self.engine.start()
        self.session.open_path(path)
        self.wait(lambda: self.document.image_path == path)
        self.wait(lambda: self.session.project.project is not None)
        self.document.start_unlabelled()

    def wait(self, condition):
        self.qtbot.waitUntil(condition)

    def paint(self, rect, label):
        mask = np.ones((rect.height, rect.width), bool)
        assert self.document.write(Stamp(rect, mask), "Square", label)

    def close(self):
        self.window.close()
        self.session.close()


@pytest.fixture
def opened(qtbot, folder):
    found = []

    def build(path):
        found.append(Place(qtbot, path))
        return found[-1]

    yield build
    for place in found:
        place.close()
    QApplication.processEvents()


def worked_on(opened, folder):
    """Paint, pin and remark on the first image, then close the window."""
    place = opened(folder / "street0.png")
    place.paint(Rect(5, 6, 9, 12), 3)
    place.session.save_now()
    place.wait(lambda: not place.session.autosave.unsaved)
    place.document.pins.add(Pixel(20, 30))
    place.window.parts.pins.keep_now()
    place.session.project.set_status([folder / "street0.png"], "flagged")
    place.session.project.flush()
    place.close()


def test_all_of_it_is_there_under_the_new_name(opened, folder):
    worked_on(opened, folder)
    new = folder / "quay.png"
    (folder / "street0.png").rename(new)
    place = opened(new)
    document = place.document
    place.wait(lambda: document.label_map is not None and (document.label_map.labels == 3).any())
    assert (document.label_map.labels[5:9, 6:12] == 3).all()
    place.wait(lambda: [pin.pixel for pin in document.pins] == [Pixel(20, 30)])
    place.wait(lambda: document.can_undo)
    told = [notice.text for notice in place.notices]
    assert any("quay.png was called street0.png before" in text for text in told)
    place.session.project.flush()
    assert place.session.project.index.image_of(new).status == "flagged"
    place.close()
    assert not check_project(folder).problems


def test_strokes_that_were_never_saved_are_offered_under_the_new_name(opened, folder):
    worked_on(opened, folder)
    store = LabelStore()
    saved = store.path_for(folder / "street0.png").read_bytes()
    place = opened(folder / "street0.png")
    place.wait(lambda: place.document.can_undo)
    place.paint(Rect(20, 20, 30, 40), 5)
    place.close()
    # As if the window had been killed before the labels were saved.
    store.path_for(folder / "street0.png").write_bytes(saved)
    provenance = folder / ".pspgui" / "provenance" / "street0.png"
    provenance.unlink()
    new = folder / "quay.png"
    (folder / "street0.png").rename(new)
    again = opened(new)
    again.wait(lambda: any("stroke journal" in notice.text for notice in again.notices))
    assert again.session.keeping._lost.rect == Rect(20, 20, 30, 40)


def test_an_image_that_is_only_renamed_and_was_not_worked_on_is_left_alone(opened, folder):
    worked_on(opened, folder)
    (folder / "street1.png").rename(folder / "other.png")
    place = opened(folder / "street0.png")
    place.session.project.flush()
    QApplication.processEvents()
    assert not [n for n in place.notices if "was called" in n.text]
