"""Windows that are closed at random moments, in a process of their own: `closing_runs FOLDER ...`.

Prints one JSON line: how many windows, at which moments, and what was wrong. The threads and lanes
are the real ones; with `--weights` so is the network, otherwise answers are made up on its lane.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import random
import sys
import threading
import time
from pathlib import Path

os.environ["QT_QPA_PLATFORM"] = "offscreen"

import numpy as np
from fakes import fake_image, fake_prediction
from PySide6.QtCore import QEvent, QPointF, Qt
from PySide6.QtGui import QMouseEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from pspgui.gui.document import Document
from pspgui.gui.engine_thread import Engine
from pspgui.gui.main_window import MainWindow
from pspgui.gui.session import Session
from pspgui.gui.settings import Settings
from pspgui.gui.tools import Brush
from pspgui.imaging import encode_png
from pspgui.jobs.messages import Step
from pspgui.jobs.model_choice import ModelChoice, ModelFacts
from pspgui.jobs.modelling import PredictionResult
from pspgui.labels.classes import CAMVID
from pspgui.labels.edits import MIB
from pspgui.project import LabelStore
from pspgui.project.recovery import Opened, look_up

IMAGES, SHAPE = 6, (96, 128)
MOMENTS = ("load", "inference", "save", "batch", "brushing", "switching")
FAKE = Path("fake.safetensors")


class FakeNetwork(Engine):
    """The real lanes; on that of the model, answers that take a while and need no network."""

    def __init__(self, document: Document) -> None:
        super().__init__()
        self._document = document

    def ask(self, lane, kind, job, revisions=None, urgency=0):
        """Ask for the job, or for what stands in for the network's part in it."""
        if lane == "model":
            job = _made_up(kind, self._document.image, self._document.image_path)
        return super().ask(lane, kind, job, revisions, urgency)


def _made_up(kind, pixels, path):
    def job(turn):
        for part in range(8):
            yield Step("Made up", part / 8)
            time.sleep(0.004)
        if kind in ("predict", "preview"):
            prediction = fake_prediction(np.ascontiguousarray(pixels[..., 0] % 11))
            return PredictionResult(prediction, (), None)
        if kind == "model":
            return ModelFacts(
                FAKE, "fake", "fake", "cpu", "fp32", "none", CAMVID,
                choice=ModelChoice(FAKE, remember=False),
            )  # fmt: skip
        if kind == "batch":
            return "Made up."
        return ()

    return job


class Run:
    """One window from opening to closing. Work is what was painted, image by image."""

    def __init__(self, folder: Path, weights: Path | None, store: LabelStore | None = None) -> None:
        gc.disable()  # as the program has it: see pspgui/gui/garbage.py
        self.folder, self.weights = folder, weights
        self.document = Document()
        self.engine = Engine() if weights else FakeNetwork(self.document)
        self.settings = Settings()
        self.store = store or LabelStore(folder / "elsewhere")
        self.session = Session(self.document, self.engine, self.settings, self.store)
        self.window = MainWindow(self.document, self.session, self.settings)
        self.window.resize(900, 600)
        self.window.show()
        self.engine.start()
        self.session.load_first_model(ModelChoice(weights or FAKE, "cpu", remember=False))
        self.work: dict[Path, np.ndarray] = {}
        self.problems: list[str] = []

    def go_on(self, seconds: float) -> None:
        """Let the window live for a while."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            QApplication.processEvents()
            time.sleep(0.001)

    def until(self, condition) -> None:
        """Let the window live until something holds."""
        end = time.monotonic() + 120
        while not condition():
            QApplication.processEvents()
            time.sleep(0.001)
            if time.monotonic() > end:
                raise TimeoutError("what was waited for did not come")

    @property
    def can_paint(self) -> bool:
        """Whether the image shown has labels to paint on."""
        return self.document.label_map is not None

    def mouse(self, kind: QEvent.Type, y: float, x: float) -> None:
        """Send one mouse event of the left button to a pixel of the image."""
        QApplication.sendEvent(self.window.canvas, self.mouse_event(kind, y, x))

    def mouse_event(self, kind: QEvent.Type, y: float, x: float) -> QMouseEvent:
        """Return a mouse event of the left button over a pixel of the image."""
        canvas, left = self.window.canvas, Qt.MouseButton.LeftButton
        point = QPointF(canvas.camera.to_widget(y, x))
        button = Qt.MouseButton.NoButton if kind == QEvent.Type.MouseMove else left
        held = Qt.MouseButton.NoButton if kind == QEvent.Type.MouseButtonRelease else left
        return QMouseEvent(
            kind, point, canvas.mapToGlobal(point), button, held, Qt.KeyboardModifier.NoModifier
        )

    def brush(self, chance: random.Random, release: bool = True) -> None:
        """Press the brush and draw a line."""
        self.window.canvas.set_tool(Brush)
        self.document.set_active_class(chance.randrange(11))
        y, x = chance.uniform(5, SHAPE[0] - 5), chance.uniform(5, SHAPE[1] - 5)
        self.mouse(QEvent.Type.MouseButtonPress, y, x)
        for step in range(6):
            self.mouse(QEvent.Type.MouseMove, y + step, x + 2 * step)
        if release:
            self.mouse(QEvent.Type.MouseButtonRelease, y + 6, x + 12)
            self.note()

    def note(self) -> None:
        """Write down what the labels of the image shown are."""
        if self.document.is_edited and self.document.image_path is not None:
            self.work[self.document.image_path] = self.document.label_map.labels.copy()

    def bring_to(self, moment: str, chance: random.Random) -> None:
        """Bring the window to the moment at which it is closed."""
        self.session.open_path(self.folder)
        if moment == "load":
            self.go_on(chance.uniform(0, 0.15))
            return
        self.until(lambda: self.document.image is not None)
        if moment == "inference":
            self.go_on(chance.uniform(0, 0.06))
            return
        self.until(lambda: self.can_paint)
        self.brush(chance)
        if moment == "save":
            self.session.save_now()
        elif moment == "batch":
            self.window.batch.predict(self.session.images)
            self.brush(chance)
        elif moment == "switching":
            for _ in range(chance.randint(1, 4)):
                self.note()
                QTest.keyClick(self.window.canvas, Qt.Key.Key_D)
                self.go_on(chance.uniform(0, 0.05))
                if self.can_paint:
                    self.brush(chance)
        elif moment == "brushing":
            self.brush(chance, release=False)
        self.go_on(chance.uniform(0, 0.05))

    def close(self) -> None:
        """Close the window as `window_app` does, and look for what was left behind."""
        if not self.window.close():
            self.problems.append("the window did not close")
        self.note()  # a stroke under the mouse belongs to the work, too
        self.window.hide()
        QApplication.processEvents()
        self.session.close()
        for image, labels in self.work.items():
            stored = self.store.load(image, SHAPE, to_edit=True)
            if stored is None or not np.array_equal(stored.labels, labels):
                self.problems.append(f"{image.name} is not saved")
                continue
            found = look_up(Opened(image, SHAPE, *stored[:3]), self.store.homes(image), 256 * MIB)
            if found.lost is not None:
                self.problems.append(f"{image.name} has strokes in no file")
            if not found.done:
                self.problems.append(f"{image.name} has no history")


# Kept, so that no window's objects end before the process does.
_kept: list[Run] = []


def make_images(folder: Path) -> None:
    """Write some small images."""
    for image in range(IMAGES):
        pixels = fake_image(*SHAPE, seed=image)
        (folder / f"street{image}.png").write_bytes(encode_png(pixels))


def left_behind() -> list[str]:
    """Return the names of threads and child processes that are still there."""
    main = threading.main_thread()
    threads = [t.name for t in threading.enumerate() if t is not main and not t.daemon]
    threads += [t.name for t in threading.enumerate() if t.name.startswith("pspgui")]
    children = Path(f"/proc/self/task/{os.getpid()}/children")
    if children.exists() and children.read_text().strip():
        threads.append(f"processes {children.read_text().strip()}")
    return threads


def main() -> int:
    """Open and close windows; the exit code is 0 whatever was found, unless Qt thinks otherwise."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--count", type=int, default=10)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--weights", type=Path)
    options = parser.parse_args()
    application = QApplication([])
    problems: list[str] = []
    sys.excepthook = lambda kind, error, _: problems.append(f"{kind.__name__}: {error}")
    for number in range(options.count):
        folder = options.folder / f"run{number:03}"
        folder.mkdir()
        make_images(folder)
        chance = random.Random(1000 * options.seed + number)
        run = Run(folder, options.weights)
        _kept.append(run)
        moment = MOMENTS[number % len(MOMENTS)]
        run.bring_to(moment, chance)
        run.close()
        problems += [f"{moment} {number}: {problem}" for problem in run.problems]
    problems += [f"left behind: {name}" for name in left_behind()]
    application.processEvents()
    sys.stdout.write(json.dumps({"windows": options.count, "problems": problems}) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
