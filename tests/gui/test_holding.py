"""Label files that a job changes, while a person goes on trying to paint."""

from threading import Event

import numpy as np
import pytest
from canvas_case import HEIGHT, TABLE, WIDTH, labelled
from labelled_window import window_of_labelled_images
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from pspgui.jobs.messages import Step
from pspgui.labels.provenance import PERSON

CHANGED = np.where(labelled() == 1, 2, labelled()).astype(np.uint8)


@pytest.fixture
def window(qtbot, tmp_path):
    yield from window_of_labelled_images(qtbot, tmp_path)


class SlowChange:
    """A job that changes the labels of a.png, and waits where it is told to."""

    def __init__(self, window):
        self._store = window.session.store
        self._image = window.document.image_path
        self.begun, self.go_on, self.undone = Event(), Event(), Event()
        self.take_back, self.fails = Event(), False

    def __call__(self, turn):
        try:
            yield Step("Changing")
            self.begun.set()
            self.go_on.wait(60)
            yield Step("Changed")
        except GeneratorExit:
            self.take_back.wait(60)
            self.undone.set()
            raise
        if self.fails:
            raise RuntimeError("the disk is on fire")
        palette = np.ascontiguousarray(TABLE.palette())
        self._store.save(self._image, CHANGED, np.full_like(CHANGED, PERSON), palette)
        return "done"


@pytest.fixture
def change(window):
    made = SlowChange(window)
    yield made
    made.go_on.set()
    made.take_back.set()


def begin(window, qtbot, change, lane="files"):
    """Begin the job, as a dialog does; return what it is answered with."""
    answers = []
    window.session.holding.run(lane, "slow", change, "The slow change", answers.append)
    qtbot.waitUntil(change.begun.is_set, timeout=60_000)
    return answers


def paint(window):
    """Drag the brush over the picture; return whether any label changed."""
    before = window.document.label_map.labels.copy()
    canvas = window.canvas
    QTest.keyClick(window, Qt.Key.Key_B)
    window.document.set_active_class(2)
    start, end = (canvas.camera.to_widget(y, x).toPoint() for y, x in ((9.5, 4.5), (9.5, 20.5)))
    QTest.mousePress(canvas, Qt.MouseButton.LeftButton, pos=start)
    QTest.mouseMove(canvas, end)
    QTest.mouseRelease(canvas, Qt.MouseButton.LeftButton, pos=end)
    window.document.finish_stroke()
    return not np.array_equal(before, window.document.label_map.labels)


def editable(window):
    return lambda: not window.document.read_only_reason


def test_nothing_is_painted_until_the_labels_are_read_anew(window, qtbot, change):
    said = []
    window.document.message.connect(said.append)
    session, document = window.session, window.document
    qtbot.waitUntil(lambda: session.project.project is not None, timeout=60_000)
    answers = begin(window, qtbot, change)
    assert not paint(window) and said[-1] == "The slow change is under way; a moment."
    session.project._asking.timeout.emit()  # the project looks every second whether it is its own
    assert not paint(window)

    session.holding._session.answer_to("slow", _then(session, lambda: said.append(paint(window))))
    change.go_on.set()
    qtbot.waitUntil(lambda: answers == ["done"], timeout=60_000)
    assert said[-1] is False  # done, and the old labels are shown still
    qtbot.waitUntil(editable(window), timeout=60_000)
    assert np.array_equal(document.label_map.labels, CHANGED)
    assert paint(window)


def _then(session, look):
    """Let what is asked to answer do so, and look before anything else happens."""
    answer = session._handlers["slow"]

    def both(result):
        answer(result)
        look()

    return both


def test_a_lost_lock_and_a_job_each_hold_the_labels(window, qtbot, change):
    document = window.document
    begin(window, qtbot, change)
    document.set_read_only("Another program took this project over.")
    assert document.read_only_reason == "Another program took this project over."
    document.set_read_only("")
    assert document.read_only_reason == "The slow change is under way; a moment."
    document.set_read_only("Another program took this project over.")
    change.go_on.set()
    qtbot.waitUntil(lambda: np.array_equal(document.label_map.labels, CHANGED), timeout=60_000)
    assert document.read_only_reason == "Another program took this project over."
    assert not paint(window)


def test_a_job_that_fails_says_so_and_lets_go(window, qtbot, change):
    told = []
    window.session.notice.connect(lambda notice: told.append(notice.text))
    answers = begin(window, qtbot, change)
    change.fails = True
    change.go_on.set()
    qtbot.waitUntil(editable(window), timeout=60_000)
    assert any("on fire" in text for text in told) and answers == []
    assert np.array_equal(window.document.label_map.labels, labelled()) and paint(window)


def test_a_cancelled_job_is_waited_for_while_it_takes_back_what_it_did(window, qtbot, change):
    said = []
    window.document.message.connect(said.append)
    answers = begin(window, qtbot, change, "background")
    window.session.cancel("slow")
    change.go_on.set()
    assert not paint(window) and not change.undone.is_set()
    change.take_back.set()
    qtbot.waitUntil(editable(window), timeout=60_000)
    assert change.undone.is_set() and answers == []
    assert "The slow change was cancelled; all labels are as before." in said
    assert paint(window)


def test_waiting_for_its_end_cannot_be_cancelled(window, qtbot, change):
    begin(window, qtbot, change, "background")
    window.session.cancel("slow")
    qtbot.waitUntil(lambda: "slow_over" in window.session._handlers, timeout=60_000)
    window.session.cancel("slow_over")
    window.session.cancel("slow_over")
    change.go_on.set()
    change.take_back.set()
    qtbot.waitUntil(editable(window), timeout=60_000)
    assert change.undone.is_set() and paint(window)


@pytest.mark.parametrize("end", ["is cancelled", "fails"])
def test_nothing_is_painted_on_labels_that_were_not_read_anew(window, qtbot, change, end):
    document, session = window.document, window.session
    image, picture = document.image_path, document.image_path.read_bytes()
    answers = begin(window, qtbot, change)

    def spoil():
        if end == "is cancelled":
            session.cancel("open")
        else:
            image.write_bytes(b"no picture")

    session.answer_to("slow", _then(session, spoil))
    if end == "fails":
        spoil()
    told = []
    session.failed.connect(told.append)
    change.go_on.set()
    qtbot.waitUntil(lambda: answers == ["done"], timeout=60_000)
    if end == "fails":
        qtbot.waitUntil(lambda: told != [], timeout=60_000)
        assert "come back" in document.read_only_reason and not paint(window)
        image.write_bytes(picture)
        session.show_image(image)
    qtbot.waitUntil(editable(window), timeout=60_000)
    assert np.array_equal(document.label_map.labels, CHANGED) and paint(window)


def test_a_job_cancelled_too_late_is_told_as_done(window, qtbot, change):
    answers = begin(window, qtbot, change, "background")
    engine = window.session._engine
    returned = Event()
    engine.ask("background", "behind", _setting(returned), None, 0)
    change.go_on.set()
    assert returned.wait(60)  # so it is over, and nobody here has heard of that
    window.session.cancel("slow")
    qtbot.waitUntil(lambda: answers == ["done"], timeout=60_000)
    qtbot.waitUntil(editable(window), timeout=60_000)
    assert np.array_equal(window.document.label_map.labels, CHANGED)


def _setting(event):
    def job(turn):
        event.set()
        yield Step("")

    return job


@pytest.mark.parametrize("end", ["fails", "is cancelled", "opens"])
def test_another_image_asked_for_meanwhile_does_not_bring_old_labels_back(
    window, qtbot, change, tmp_path, end
):
    document, session = window.document, window.session
    first = document.image_path
    begin(window, qtbot, change, "background")
    (tmp_path / "broken.png").write_bytes(b"no picture")
    after = tmp_path / {"fails": "broken.png", "is cancelled": "b.png", "opens": "b.png"}[end]
    asked = []

    def go_on():  # before anything of what is asked for can be there
        session.show_image(after)
        asked.append(paint(window))
        if end == "is cancelled":
            session.cancel("open")

    session.answer_to("slow", _then(session, go_on))
    change.go_on.set()
    qtbot.waitUntil(lambda: asked != [], timeout=60_000)
    assert asked == [False]
    qtbot.waitUntil(editable(window), timeout=60_000)
    assert document.image_path == (after if end == "opens" else first)
    if end != "opens":
        assert np.array_equal(document.label_map.labels, CHANGED)
        session.show_image(tmp_path / "b.png")
        qtbot.waitUntil(lambda: document.image_path == tmp_path / "b.png", timeout=60_000)
    assert document.label_map.labels.shape == (HEIGHT, WIDTH)
    assert np.array_equal(document.label_map.labels, labelled())
