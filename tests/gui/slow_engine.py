"""An engine whose answers come late, and out of order; no network and no model thread."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
from fakes import fake_prediction
from PySide6.QtCore import QObject, QTimer, Signal

from pspgui.gui.document import Document
from pspgui.gui.session import Session
from pspgui.gui.settings import Settings
from pspgui.imaging import encode_png
from pspgui.jobs.messages import Done, Failed, Turn
from pspgui.jobs.model_choice import ModelChoice, ModelFacts
from pspgui.jobs.modelling import PredictionResult
from pspgui.labels.classes import CAMVID
from pspgui.project import LabelStore


def labels_of(pixels):
    """Return what the model says of an image: another thing for every image."""
    return np.ascontiguousarray(pixels[..., 0] % 11)


class SlowEngine(QObject):
    """Answers each request after a random delay of up to `most_ms`; files come in order."""

    replied = Signal(object)

    def __init__(self, document, most_ms=0, seed=0):
        super().__init__()
        self._document, self._most_ms = document, most_ms
        self._chance = random.Random(seed)
        self._tickets = 0
        self._files = []
        self.predictions = 0

    def start(self):
        pass

    def cancel(self, kind):
        pass

    def close(self):
        pass

    def ask(self, lane, kind, job, revisions=None, urgency=0):
        self._tickets += 1
        ticket, pixels = self._tickets, self._document.image
        if lane == "model" and kind != "predict":
            return ticket
        if lane == "files":
            self._files.append((ticket, kind, job, revisions))
            QTimer.singleShot(self._delay() // 8, self, self._serve_file)
        else:
            QTimer.singleShot(
                self._delay(), self, lambda: self._serve(ticket, kind, job, revisions, pixels)
            )
        return ticket

    def _delay(self):
        return self._chance.randint(0, self._most_ms)

    def _serve_file(self):
        self._serve(*self._files.pop(0), None)

    def _serve(self, ticket, kind, job, revisions, pixels):
        if kind == "predict":
            self.predictions += 1
            prediction = fake_prediction(labels_of(pixels))
            result = PredictionResult(prediction, (), None)
            self.replied.emit(Done(ticket, kind, revisions, result))
            return
        steps = job(Turn(lambda step: None, lambda: False))
        try:
            while True:
                next(steps)
        except StopIteration as done:
            self.replied.emit(Done(ticket, kind, revisions, done.value))
        except Exception as error:
            self.replied.emit(Failed(ticket, kind, revisions, error))


# Qt objects must end on the thread that made them; the collector of cycles may run on any.
_kept = []


class Desk:
    """A document and a session over a folder of small images, all told as the window is."""

    def __init__(self, folder, images=3, most_ms=0, shape=(48, 64)):
        _kept.append(self)
        self.folder = Path(folder)
        self.images = [self.folder / f"image{number:02}.png" for number in range(images)]
        for number, image in enumerate(self.images):
            if not image.exists():
                pixels = np.random.default_rng(number).integers(0, 256, (*shape, 3), np.uint8)
                image.write_bytes(encode_png(pixels))
        self.document = Document()
        self.engine = SlowEngine(self.document, most_ms)
        self.store = LabelStore(self.folder / "elsewhere")
        self.session = Session(self.document, self.engine, Settings(), self.store)
        self.notices = []
        self.session.notice.connect(self.notices.append)
        self.keeping = self.session.keeping
        facts = ModelFacts(
            Path("fake.safetensors"), "fake", "fake", "cpu", "fp32", "none", CAMVID,
            choice=ModelChoice(Path("fake.safetensors"), remember=False),
        )  # fmt: skip
        self.session._on_model(facts)

    def open(self, qtbot, number=0):
        self.session.open_path(self.folder)
        qtbot.waitUntil(lambda: self.document.prediction is not None)
        if number:
            self.show(qtbot, number)
        qtbot.waitUntil(lambda: self.session.project.project is not None)

    def show(self, qtbot, number):
        self.session.show_image(self.images[number])
        qtbot.waitUntil(
            lambda: (
                self.document.image_path == self.images[number]
                and self.document.prediction is not None
            )
        )

    def stroke(self, y, x, label, diameter=9):
        document = self.document
        document.set_active_class(label)
        document.set_brush_diameter(diameter)
        document.begin_stroke(y, x, "brush")
        document.move_stroke(y + 5, x + 12)
        document.finish_stroke()

    def saved(self, qtbot):
        qtbot.waitUntil(lambda: not self.document.is_dirty)
        self.session.autosave.strokes.journals.drain(None, 60)

    def crash(self):
        """Write journals out, but no label file any more, and forget everything."""
        autosave = self.session.autosave
        autosave.strokes.journals.drain(None, 60)
        for image in autosave.unsaved:
            autosave.abandon(image)
        autosave.abandon(self.document.image_path)
        self.close()

    def close(self):
        self.session.close()
        self.session.project.close()
