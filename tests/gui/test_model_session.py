"""The session's half for models, answered by hand: no torch, no threads."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from fakes import FakeEvidence, Listener, fake_image, fake_prediction
from PySide6.QtCore import QObject, Signal

from pspgui.gui.document import Document
from pspgui.gui.panels.status import StatusBar
from pspgui.gui.session import Session
from pspgui.gui.settings import Settings
from pspgui.imaging import encode_png
from pspgui.jobs.class_tables import classes_beside, write_classes
from pspgui.jobs.messages import Cancelled, Done, Failed
from pspgui.jobs.model_choice import ModelChoice, ModelFacts
from pspgui.jobs.modelling import PredictionResult
from pspgui.labels.classes import CAMVID, table
from pspgui.labels.provenance import PERSON
from pspgui.project import LabelStore

OTHERS = table(("car", (1, 2, 3)), ("Zebra", (200, 10, 10)), ("Road", (9, 9, 9)))
SHAPE = (60, 80)


class HandEngine(QObject):
    """Keeps what was asked, for a test to answer."""

    replied = Signal(object)

    def __init__(self):
        super().__init__()
        self.asked, self.cancelled = [], []

    def ask(self, lane, kind, job, revisions=None, urgency=0):
        self.asked.append((kind, job, revisions))
        return len(self.asked)

    def cancel(self, kind):
        self.cancelled.append(kind)

    def close(self):
        pass

    @property
    def kinds(self):
        return [kind for kind, _, _ in self.asked]

    def latest(self, kind):
        return next(request for request in reversed(self.asked) if request[0] == kind)

    def answer(self, kind, result):
        self.replied.emit(Done(0, kind, self.latest(kind)[2], result))

    def drop(self, kind):
        self.replied.emit(Cancelled(0, kind, self.latest(kind)[2]))

    def fail(self, kind, text="It went wrong."):
        self.replied.emit(Failed(0, kind, self.latest(kind)[2], ValueError(text)))


def facts(path, classes=CAMVID):
    choice = ModelChoice(path, overrides={}, remember=False)
    return ModelFacts(path, path.stem, "native", "cpu", "fp32", path.stem, classes, choice=choice)


def result(fill=3, classes=CAMVID, **fields):
    prediction = fake_prediction(np.full(SHAPE, fill, np.uint8), len(classes))
    fields = {"score_class": 0, "labels": classes} | fields
    return PredictionResult(prediction, (), FakeEvidence(), **fields)


@pytest.fixture
def engine(qapp):
    return HandEngine()


@pytest.fixture
def session(engine, tmp_path):
    document = Document()
    session = Session(document, engine, Settings(), LabelStore(tmp_path / "kept"))
    yield session
    session.autosave.close()


@pytest.fixture
def show(session, engine, tmp_path):
    """Show an image by its name; it exists as a file."""

    def show(name):
        path = tmp_path / name
        path.write_bytes(encode_png(fake_image(*SHAPE, 1)))
        session.show_image(path)
        steps = engine.latest("open")[1](None)
        while True:
            try:
                next(steps)
            except StopIteration as end:
                engine.answer("open", end.value)
                return path

    return show


def load(session, engine, path, classes=CAMVID):
    session.open_weights(path)
    kind, job, revisions = engine.latest("model")
    engine.asked.remove((kind, job, revisions))
    engine.asked.append((kind, job, replace(revisions, remember=False)))
    engine.answer("model", facts(path, classes))


@pytest.fixture
def ready(session, engine, show, tmp_path):
    """A model, an image, and its full prediction."""
    load(session, engine, tmp_path / "one.pth")
    show("a.png")
    engine.answer("predict", result())
    return session._document


def test_a_first_look_never_replaces_the_models_own_full_answer(ready, session, engine, show):
    del engine.asked[:]
    session.predict_again()
    assert engine.kinds == ["predict"]

    show("b.png")
    assert engine.kinds[-2:] == ["preview", "predict"]


def test_a_class_chosen_while_predicting_has_its_map_drawn_afterwards(ready, session, engine):
    session.predict_again()
    ready.set_active_class(4)
    del engine.asked[:]
    engine.replied.emit(
        Done(9, "predict", (session._image_revision, session._model_revision), result())
    )
    assert engine.kinds == ["views"]


def test_only_a_person_cancels_a_prediction_for_good(session, engine, show, tmp_path):
    load(session, engine, tmp_path / "one.pth")
    show("a.png")
    document = session._document
    said = Listener(document.message)
    session.predict_again()  # the first one makes room
    engine.drop("predict")
    assert document.label_map is None and said.heard == []

    session.cancel("preview")
    assert engine.cancelled[-2:] == ["predict", "preview"]
    engine.drop("predict")
    assert document.label_map is not None and "cancelled" in said.heard[0]


def test_a_first_look_that_stays_does_not_promise_more(session, engine, show, tmp_path, qtbot):
    document = session._document
    bar = StatusBar(document)
    qtbot.addWidget(bar)
    load(session, engine, tmp_path / "one.pth")
    show("a.png")
    look = result(preview=True)
    look = replace(look, prediction=replace(look.prediction, reduction=2), evidence=None)
    engine.answer("preview", look)
    assert "half-size, refining" in bar.preview.text
    session.cancel("predict")
    engine.drop("predict")
    assert document.is_preview and "refining" not in bar.preview.text
    assert "Ctrl+R" in bar.preview.toolTip()


@pytest.mark.parametrize("kind", ["preview", "predict"])
def test_with_a_prediction_goes_the_first_look_before_it(session, engine, show, tmp_path, kind):
    load(session, engine, tmp_path / "first.safetensors")
    show("a.png")
    session.cancel(kind)  # the one under way may still be that of the image before
    assert engine.cancelled[-2:] == ["predict", "preview"]


def test_another_models_answer_is_not_shown_as_that_of_the_one_in_use(
    ready, session, engine, tmp_path
):
    load(session, engine, tmp_path / "two.pth")
    assert ready.prediction is not None  # until the new one is there
    engine.fail("predict")
    assert ready.prediction is None and ready.evidence is None
    assert (ready.label_map.labels == CAMVID.ignore).all()


def test_a_failed_second_try_keeps_the_models_own_answer(ready, session, engine):
    session.predict_again()
    engine.fail("predict")
    assert ready.prediction is not None


def test_cancelling_tells_the_dialog(ready, session, engine, tmp_path):
    failed, compared = Listener(session.model_failed), Listener(session.agreement_changed)
    session.open_weights(tmp_path / "two.pth")
    session.cancel("model")
    assert failed.heard == ["Loading was cancelled. one stays in use."]

    session.measure_agreement()
    session.cancel("agreement")
    engine.drop("agreement")
    assert compared.heard == [None]


def test_another_image_ends_a_comparison(ready, session, engine, show):
    session.measure_agreement()
    show("b.png")
    assert "agreement" in engine.cancelled


def save_labels(path, value, classes=None):
    marks = np.full(SHAPE, PERSON, np.uint8)
    store = LabelStore()
    file = store.save(path, np.full(SHAPE, value, np.uint8), marks, CAMVID.palette())
    if classes is not None:
        write_classes(file, classes)
    return file


def test_labels_without_classes_are_named_by_the_model_not_by_the_image_before(
    session, engine, show, tmp_path
):
    save_labels(tmp_path / "own.png", 1, OTHERS)
    save_labels(tmp_path / "plain.png", 1)
    load(session, engine, tmp_path / "one.pth", CAMVID)
    show("own.png")
    assert session._document.table == OTHERS
    show("plain.png")
    assert session._document.table == CAMVID


def test_labels_opened_before_the_model_mean_the_same_as_after_it(session, engine, show, tmp_path):
    save_labels(tmp_path / "plain.png", 1)
    show("plain.png")
    load(session, engine, tmp_path / "one.pth", OTHERS)
    assert session._document.table == OTHERS

    load(session, engine, tmp_path / "two.pth", CAMVID)  # they have been seen by those names
    assert session._document.table == OTHERS


def test_damaged_classes_are_told(session, engine, show, tmp_path):
    file = save_labels(tmp_path / "a.png", 1, OTHERS)
    classes_beside(file).write_text("{")
    load(session, engine, tmp_path / "one.pth")
    told = Listener(session.notice)
    show("a.png")
    assert "check them" in told.heard[-1].text
    assert session._document.label_map.labels[0, 0] == 1


def test_the_class_to_paint_stays_from_image_to_image(session, engine, show, tmp_path):
    for name in ("a.png", "b.png"):
        save_labels(tmp_path / name, 1, OTHERS)
    load(session, engine, tmp_path / "one.pth", CAMVID)
    show("a.png")
    document = session._document
    document.set_active_class(2)
    document.set_solo(2)
    show("b.png")
    assert document.active_class == 2 and document.solo == 2
    show("c.png")  # of the model's classes
    assert document.table.name_of(document.active_class) == "Road"
    document.set_active_class(CAMVID.find("Tree").id)
    show("a.png")  # which has no trees
    assert document.active_class == 0
    show("c.png")
    assert document.table.name_of(document.active_class) == "Tree"


@pytest.mark.parametrize("way", ["fails", "is given up"])
def test_an_image_that_does_not_open_costs_the_one_shown_no_prediction(
    session, engine, show, tmp_path, way
):
    load(session, engine, tmp_path / "one.pth")
    path = show("a.png")
    session.show_image(tmp_path / "broken.png")
    if way == "fails":
        engine.fail("open")
    else:
        session.show_image(path)
    engine.answer("predict", result())
    assert session._document.prediction is not None


def test_remembered_weights_that_fail_give_way_to_the_bundled_model(session, engine):
    told = Listener(session.failed)
    session.load_first_model()
    engine.fail("model", "There is no CUDA device.")

    _, _, choice = engine.latest("model")
    assert engine.kinds.count("model") == 2
    assert (choice.device, choice.remember) == ("auto", False)
    assert "bundled model is used instead" in told.heard[-1]

    engine.fail("model", "It is damaged.")
    assert engine.kinds.count("model") == 2
    assert "No model is loaded" in told.heard[-1]


def test_weights_asked_for_by_name_do_not_give_way(session, engine, tmp_path):
    told = Listener(session.failed)
    session.load_first_model(ModelChoice(tmp_path / "own.safetensors", remember=False))
    engine.fail("model", "It is damaged.")

    assert engine.kinds.count("model") == 1
    assert "No model is loaded" in told.heard[-1]
