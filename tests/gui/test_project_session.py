"""The project behind the window: made on the first edit, followed, and of one window only."""

from __future__ import annotations

import os
from threading import Event

import numpy as np
import pytest
from fakes import fake_image
from PySide6.QtCore import Qt
from workplace import Workplace

from pspgui.geometry import Pixel
from pspgui.gui import project_session, time_spent
from pspgui.gui.document import Document
from pspgui.gui.theme import DARK, apply_theme
from pspgui.gui.time_spent import TimeSpent
from pspgui.imaging import encode_png
from pspgui.jobs.messages import Step
from pspgui.labels.classes import CAMVID
from pspgui.project import LabelStore
from pspgui.project.class_files import write_classes
from pspgui.project.project import open_project

pytestmark = pytest.mark.usefixtures("no_qthreads_left", "no_threads_left")


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    from small_networks import small_network

    from pspgui.models.checkpoints.native import save_checkpoint

    path = tmp_path_factory.mktemp("weights") / "small.safetensors"
    network = small_network(3, classes=len(CAMVID))
    save_checkpoint(network, path, network.spec.model_copy(update={"classes": CAMVID}))
    return path


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setattr("pspgui.places.cache_folder", lambda: tmp_path / "cache")


@pytest.fixture
def folder(tmp_path):
    """Three small images."""
    root = tmp_path / "images"
    root.mkdir()
    for number in range(3):
        (root / f"street{number}.png").write_bytes(encode_png(fake_image(48, 64, seed=number)))
    return root


@pytest.fixture
def opened(qtbot, qapp, weights):
    """Open workplaces, each in a folder, with its project open and filled."""
    apply_theme(qapp, DARK)
    places = []

    def build(folder):
        place = Workplace(qtbot, weights)
        places.append(place)
        qtbot.addWidget(place.window)
        place.open(folder)
        place.wait(lambda: place.session.project.project is not None)
        place.wait(lambda: len(place.session.project.index) == 3)
        return place

    yield build
    for place in places:
        place.close()


def paint(place, label=3):
    place.document.set_active_class(label)
    place.document.set_brush_diameter(9)
    place.key(Qt.Key.Key_B)
    place.drag((10, 10), (20, 40))


def known(place, name="street0.png"):
    project = place.session.project
    project.flush()
    return project.index.image_of(project.project.root / name)


def test_a_folder_that_is_only_looked_at_stays_as_it_is(opened, folder):
    place = opened(folder)
    project = place.session.project
    assert not project.read_only
    assert [path.name for path in project.index.paths(project.index.select())] == [
        "street0.png", "street1.png", "street2.png",
    ]  # fmt: skip
    place.document.set_pin(Pixel(3, 3))
    place.window.images.step(1)
    place.wait(lambda: place.document.image_title == "street1.png" and place.predicted())
    place.close()
    assert not (folder / ".pspgui").exists()


def test_a_stroke_makes_the_project_and_its_index_follows_the_labels(opened, folder):
    place = opened(folder)
    prediction = place.document.prediction.labels.copy()
    paint(place)
    place.session.save_now()
    place.wait(lambda: known(place).labels_digest != "")
    labels = LabelStore().load(folder / "street0.png").labels
    found = known(place)
    assert (folder / ".pspgui" / "project.sqlite").exists()
    assert found.status == "in work"
    assert sum(found.pixels.values()) == labels.size
    assert found.pixels["Road"] == (labels == 3).sum()
    assert found.corrected_px == (labels != prediction).sum() > 0
    right = sum(px for (one, other), px in found.confusion.items() if one == other)
    assert right == (labels == prediction).sum()
    assert known(place, "street1.png").status == "new"


def test_the_second_window_says_who_has_the_project_and_changes_nothing(opened, folder):
    first = opened(folder)
    second = opened(folder)
    assert second.session.project.read_only
    assert f"pid {os.getpid()}" in second.session.project.reason
    assert "labels cannot be changed here" in second.window.banner.text
    before = second.document.label_map.labels.copy()
    said = []
    second.document.message.connect(said.append)
    paint(second)
    second.document.accept_prediction()
    second.session.project.set_status([folder / "street0.png"], "done")
    second.session.project.flush()
    assert np.array_equal(second.document.label_map.labels, before)
    assert any("This project is open in pspgui" in text for text in said)
    assert not second.document.is_dirty
    assert known(second).status != "done"
    assert not (folder / ".pspgui").exists()
    # Once the first one closes, the second may go on.
    first.close()
    second.wait(lambda: not second.session.project.read_only)
    paint(second)
    second.session.save_now()
    second.wait(lambda: LabelStore().load(folder / "street0.png") is not None)


def test_labels_from_elsewhere_are_counted_when_the_folder_is_opened(opened, folder):
    labels = np.full((48, 64), 4, np.uint8)
    image = folder / "street2.png"
    file = LabelStore().save(image, labels, np.ones_like(labels), CAMVID.palette())
    write_classes(file, CAMVID)
    place = opened(folder)
    place.wait(lambda: known(place, "street2.png").labels_digest != "")
    assert known(place, "street2.png").pixels == {"Pavement": labels.size}


def test_a_status_set_in_the_window_is_kept(qtbot, opened, folder):
    place = opened(folder)
    project = place.session.project
    with qtbot.waitSignal(project.index_changed):
        project.set_status([folder / "street1.png"], "flagged")
    place.close()
    again = open_project(folder)
    assert again.index.image_of(folder / "street1.png").status == "flagged"
    again.close()


@pytest.fixture
def other(tmp_path):
    """Another folder."""
    root = tmp_path / "other"
    root.mkdir()
    for number in range(3):
        (root / f"street{number}.png").write_bytes(encode_png(fake_image(48, 64, seed=9)))
    return root


def go_to(place, root):
    project = place.session.project
    place.session.open_path(root)
    place.wait(lambda: project.project is not None and project.project.root == root)


def held(place):
    """Let the project's own thread wait until the event is set."""
    go_on = Event()
    place.session.project._worker.put(lambda: go_on.wait(60) and False)
    return go_on


def test_a_project_left_for_another_folder_is_free(opened, folder, other):
    place = opened(folder)
    paint(place)
    go_to(place, other)
    place.wait(lambda: LabelStore().load(folder / "street0.png") is not None)
    place.wait(lambda: place.session.project._projects.roots() == (other,))
    again = open_project(folder)
    assert not again.read_only
    again.close()


def test_a_folder_that_is_opened_again_at_once_is_not_closed(opened, folder, other):
    place = opened(folder)
    project = place.session.project
    go_on = held(place)
    go_to(place, other)  # the first one is to be closed as soon as there is time
    go_to(place, folder)
    go_on.set()
    project.flush()
    assert len(project.index) == 3
    place.wait(lambda: project._projects.roots() == (folder,))


def test_what_may_come_later_comes_no_more_once_its_folder_is_left(opened, folder, other):
    place = opened(folder)
    project, told = place.session.project, []
    left = project.project
    place.session.notice.connect(lambda notice: told.append(notice.text))
    go_on = held(place)
    for image in sorted(folder.glob("*.png")):
        project._worker.put(lambda image=image: left.index.forget_labels(image), later=True)
    go_to(place, other)
    go_on.set()
    place.wait(lambda: project._projects.roots() == (other,))
    project.flush()
    place.session.ask("files", "looking", asking(left))
    place.session.answer_to("looked", told.append)
    place.session.ask("files", "looked", asking(project.project))
    place.wait(lambda: told != [])
    assert told == [3]


def asking(project):
    def job(turn):
        yield Step("Looking")
        return len(project.index)

    return job


def test_predicting_ends_with_a_word_when_another_folder_is_opened(opened, folder, other):
    place = opened(folder)
    told, go_on = [], Event()
    place.session.notice.connect(lambda notice: told.append(notice))
    batch = place.window.batch
    place.wait(lambda: batch.can_predict)

    def waits(turn):
        yield Step("Waiting")
        go_on.wait(60)

    place.engine.ask("model", "before", waits, None, 1000)
    batch.predict(sorted(folder.glob("*.png")), again=True)
    go_to(place, other)
    place.wait(lambda: place.session.project._projects.roots() == (other,))
    go_on.set()
    place.wait(lambda: not batch.running)
    (notice,) = (n for n in told if n.about == "batch")
    assert "another folder was opened" in notice.text and not notice.is_error and not notice.retry


class Clock:
    def __init__(self, monkeypatch):
        self.now = 100.0
        monkeypatch.setattr(time_spent.time, "monotonic", lambda: self.now)
        active = Qt.ApplicationState.ApplicationActive
        monkeypatch.setattr(
            time_spent.QGuiApplication, "applicationState", staticmethod(lambda: self.state)
        )
        self.state = active


def test_work_left_after_closing_starts_no_thread():
    done = []
    worker = project_session._Worker(done.append)
    worker.close()
    worker.put(lambda: None)
    assert worker._thread is None and worker.is_idle and not done


def test_time_counts_while_something_is_done_in_an_active_window(qapp, monkeypatch, tmp_path):
    clock, document = Clock(monkeypatch), Document()
    spent = []
    counting = TimeSpent(document)
    counting.spent.connect(lambda image, seconds: spent.append((image.name, seconds)))
    document.set_image(fake_image(8, 8), tmp_path / "a.png", "a")

    def move(after_s):
        clock.now += after_s
        counting.note()

    for _ in range(4):
        move(2.0)
    move(400.0)  # away
    move(2.0)
    clock.state = Qt.ApplicationState.ApplicationInactive
    move(5.0)
    document.set_image(fake_image(8, 8), tmp_path / "b.png", "b")
    assert spent == [("a.png", 10.0)]
    clock.state = Qt.ApplicationState.ApplicationActive
    move(1.0)
    counting.hand_over()
    counting.hand_over()
    assert spent == [("a.png", 10.0), ("b.png", 1.0)]
