"""The images panel: choosing, stepping, filtering, thumbnails off the GUI thread, many paths."""

from __future__ import annotations

import threading
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from fakes import Listener
from PySide6.QtCore import Qt
from PySide6.QtGui import QImage

from pspgui.gui.document import Document
from pspgui.gui.panels.images import ImagesPanel
from pspgui.gui.panels.thumbnails import ThumbnailError, Thumbnails

PATHS = [Path(f"/pictures/{name}.png") for name in ("house", "road", "roadside", "tree")]


class Reader:
    """Makes grey pictures; remembers who asked, on which thread; a gate can hold it."""

    def __init__(self, bad=()):
        self.asked = []
        self.threads = set()
        self.bad = set(bad)
        self.gate = threading.Event()
        self.gate.set()

    def __call__(self, path, side_px):
        self.asked.append(path)
        self.threads.add(threading.get_ident())
        self.gate.wait(60)
        if path in self.bad:
            raise ValueError(f"{path.name}: not an image")
        return np.full((side_px // 2, side_px, 3), 128, np.uint8)


def counted(method, counts):
    """Return a method of the model that counts its calls."""

    def call(*args, **options):
        counts[method.__name__] += 1
        return method(*args, **options)

    return call


@pytest.fixture
def reader():
    """A reader of made-up files."""
    return Reader(bad={PATHS[3]})


@pytest.fixture
def panel(qtbot, qapp, reader, no_qthreads_left):
    """The panel with four images."""
    panel = ImagesPanel(Document(), thumbnails=Thumbnails(reader))
    qtbot.addWidget(panel)
    panel.resize(220, 420)
    panel.show()
    panel.set_images(PATHS)
    yield panel
    reader.gate.set()
    panel.close_worker()


def test_a_click_chooses_and_being_told_does_not(panel, qtbot):
    heard = Listener(panel.image_chosen)
    panel.set_current(PATHS[0])
    assert len(heard) == 0
    point = panel.view.visualRect(panel.model.index(2)).center()
    qtbot.mouseClick(panel.view.viewport(), Qt.MouseButton.LeftButton, pos=point)
    assert heard.heard == [PATHS[2]]


def test_steps_stop_at_the_ends(panel):
    heard = Listener(panel.image_chosen)
    panel.set_current(PATHS[2])
    for _ in range(3):
        panel.step(1)
    assert heard.heard == [PATHS[3]]
    panel.step(-1)
    assert heard.heard[-1] == PATHS[2]
    panel.set_current(None)
    panel.step(1)
    assert heard.heard[-1] == PATHS[0]


def test_the_arrow_keys_go_through_the_list(panel, qtbot):
    heard = Listener(panel.image_chosen)
    panel.set_current(PATHS[0])
    qtbot.keyClick(panel.view, Qt.Key.Key_Down)
    assert heard.heard == [PATHS[1]]


def test_the_filter_keeps_the_current_image_and_steps_within(panel, qtbot):
    heard = Listener(panel.image_chosen)
    panel.set_current(PATHS[1])
    qtbot.keyClicks(panel.filter_field, "ROAD")
    qtbot.keyClick(panel.filter_field, Qt.Key.Key_Return)
    assert panel.model.rowCount() == 2 and len(heard) == 0
    assert panel.view.currentIndex().data() == "road.png"
    panel.step(1)
    assert heard.heard == [PATHS[2]]
    panel.filter_field.clear()
    qtbot.waitUntil(lambda: panel.model.rowCount() == 4)
    assert panel.view.currentIndex().row() == 2


def test_thumbnails_come_from_another_thread(panel, reader, qtbot):
    qtbot.waitUntil(lambda: isinstance(panel.model.thumbnails.get(PATHS[0]), QImage))
    assert threading.get_ident() not in reader.threads


def test_a_bad_file_tells_why_in_its_tooltip(panel, qtbot):
    qtbot.waitUntil(lambda: isinstance(panel.model.thumbnails.get(PATHS[3]), ThumbnailError))
    tip = panel.model.index(3).data(Qt.ItemDataRole.ToolTipRole)
    assert "not an image" in tip and str(PATHS[3]) in tip


def test_what_is_no_longer_in_sight_is_not_made(qapp, qtbot, no_qthreads_left):
    reader = Reader()
    reader.gate.clear()
    thumbnails = Thumbnails(reader)
    thumbnails.want(PATHS[:3])
    qtbot.waitUntil(lambda: len(reader.asked) == 1)
    thumbnails.want([PATHS[3]])
    reader.gate.set()
    qtbot.waitUntil(lambda: thumbnails.get(PATHS[3]) is not None)
    thumbnails.close()
    assert reader.asked == [PATHS[0], PATHS[3]]


def test_only_few_pictures_are_kept(qapp, qtbot, no_qthreads_left):
    thumbnails = Thumbnails(Reader(), keep=2)
    heard = Listener(thumbnails.arrived)
    thumbnails.want(PATHS)
    qtbot.waitUntil(lambda: len(heard) == 4)
    thumbnails.close()
    assert [thumbnails.get(p) is not None for p in PATHS] == [False, False, True, True]


def test_status_in_words(panel):
    panel.set_status(PATHS[1], "edited")
    assert "not saved" in panel.model.index(1).data(Qt.ItemDataRole.ToolTipRole)
    panel.set_status(PATHS[1], "saved")
    assert "saved" in panel.model.index(1).data(Qt.ItemDataRole.AccessibleTextRole)


def test_of_a_hundred_thousand_images_only_those_in_sight_are_asked_about(
    panel, reader, qapp, monkeypatch
):
    many = [Path(f"/many/frame_{i:06d}.png") for i in range(100_000)]
    model, asked = type(panel.model), Counter()
    for name in ("path_at", "row_of"):
        monkeypatch.setattr(model, name, counted(getattr(model, name), asked))
    panel.set_images(many)
    panel.grab()
    panel.set_current(many[77_777])
    panel.grab()
    qapp.processEvents()
    assert 0 < asked.total() < 1000
    assert panel.view.currentIndex().row() == 77_777
    assert len(reader.asked) < 200


def test_two_images_of_one_name_are_told_apart(panel):
    twins = [Path("/a/x.png"), Path("/b/x.png")]
    panel.set_images(twins)
    panel.set_current(twins[1])
    assert panel.view.currentIndex().row() == 1
    assert panel.model.row_of(Path("/c/x.png")) == -1
