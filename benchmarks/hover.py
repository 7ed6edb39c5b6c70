"""From a move of the mouse to the painted window, with everything open that follows the pointer.

Run `uv run python benchmarks/hover.py IMAGE [--moves N] [--size WxH]` on a quiet machine. The
window is as the app builds it and shows the evidence, pins, the map of a bin's reach and the strip.
A move falls due at some moment while the event loop runs; it is measured from that moment, so that
whatever the window is busy with counts as waiting, until the pixel is explained and painted. CPU is
that of the GUI thread alone and wall what a person waits, the canvas's pause of less than a frame
included.

At last moves are made while predictions of the image run one after another on the model's thread,
as after Ctrl+R. Moves during which an answer arrived, which the whole window then takes up, stand
in a row of their own, too; so do the others, with the network at work beside the window.
`--size` enlarges the image: 60 x 60 cells are 473 x 473 pixels, 90 x 90 are 713 x 713.
"""

from __future__ import annotations

import argparse
import os
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # as `app` does, and so
os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")
ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT)]

SETTLE_S = 1.0
BETWEEN_S = 0.02, 0.04  # moves; one within a frame of another waits for the next
WAIT_S = 120.0


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("image", type=Path)
    parser.add_argument("--moves", type=int, default=200)
    parser.add_argument("--size", default="", metavar="WxH")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        for name in ("CONFIG", "DATA", "CACHE", "STATE"):
            os.environ[f"XDG_{name}_HOME"] = home
        image = Path(home) / f"{options.image.stem}.png"
        copy(options.image, image, options.size)
        measure(image, options.moves)
    sys.stdout.flush()
    os._exit(0)  # nothing of it is kept, and threads may be at work


def copy(image: Path, target: Path, size: str) -> None:
    """Write a copy of an image, at another size if one is given."""
    from PIL import Image

    picture = Image.open(image).convert("RGB")
    if size:
        width, height = map(int, size.split("x"))
        picture = picture.resize((width, height), Image.Resampling.BICUBIC)
    picture.save(target)


def measure(image: Path, moves: int) -> None:
    """Open the window on an image and move over it."""
    from PySide6.QtWidgets import QApplication

    from pspgui import places
    from pspgui.geometry import Pixel
    from pspgui.gui.document import Document
    from pspgui.gui.engine_thread import Engine
    from pspgui.gui.garbage import GuiGarbage
    from pspgui.gui.main_window import MainWindow
    from pspgui.gui.session import Session
    from pspgui.gui.settings import Settings
    from pspgui.jobs.modelling import ModelChoice

    application = QApplication([])
    garbage = GuiGarbage()
    document, engine, settings = Document(), Engine(), Settings()
    session = Session(document, engine, settings)
    session.model_changed.connect(garbage.settle)
    window = MainWindow(document, session, settings)
    window.verbs.choose_theme("dark", remember=False)
    window.resize(1600, 1000)
    window.arrange()
    window.show()
    engine.start()
    session.load_first_model(ModelChoice(places.bundled_model(), "cpu"))
    session.open_path(image)
    wait(application, lambda: document.prediction is not None and not document.is_preview)
    driver = Driver(application, window, session, document)

    driver.row("evidence and strip", moves)
    height, width = document.image.shape[:2]
    for y, x in ((0.3, 0.3), (0.6, 0.5), (0.5, 0.8)):
        document.set_pin(Pixel(int(y * height), int(x * width)))
        document.pins.keep(document.pins.current)
    document.pins.select(None)
    for title in ("Pins", "What if", "Maps"):
        window.more[title].setVisible(True)
    window.more["Pins"].raise_()
    driver.row("and pins", moves)
    document.set_pin(None)
    window.actions_table["map_reach"].trigger()
    driver.row("and the map of a bin's reach", moves)
    driver.row("while predictions run", moves, predicting=True)


class Driver:
    """Moves the mouse and runs the event loop."""

    def __init__(self, application, window, session, document) -> None:
        self.application, self.window = application, window
        self.session, self.document = session, document
        self.answers = 0
        session.predicted.connect(self.count)

    def count(self) -> None:
        """Note that a prediction has come."""
        self.answers += 1

    def row(self, title: str, moves: int, predicting: bool = False) -> None:
        """Make moves and print what they took."""
        settle(self.application)
        spent: list[tuple[float, float]] = []
        came: list[bool] = []
        for _ in range(moves):
            before = self.answers
            spent.append(self.move(predicting))
            came.append(self.answers > before)
        tell(title, spent)
        if predicting:
            pairs = list(zip(spent, came, strict=True))
            tell("  of these, while one arrived", [one for one, arrived in pairs if arrived])
            tell("  all others", [one for one, arrived in pairs if not arrived])

    def move(self, predicting: bool) -> tuple[float, float]:
        """Move to a random pixel; return the GUI thread's CPU and wall, ms, until painted."""
        from PySide6.QtCore import QEvent, QPointF, Qt
        from PySide6.QtGui import QMouseEvent

        document, canvas = self.document, self.window.canvas
        height, width = document.image.shape[:2]
        y, x = random.uniform(0, height), random.uniform(0, width)
        at = QPointF(canvas.camera.to_widget(y, x).toPoint())
        wanted = canvas.camera.pixel_at(at)
        no = Qt.MouseButton.NoButton
        move = QMouseEvent(
            QEvent.Type.MouseMove, at, canvas.mapToGlobal(at), no, no,
            Qt.KeyboardModifier.NoModifier,
        )  # fmt: skip
        due = time.perf_counter() + random.uniform(*BETWEEN_S)
        began = cpu = 0.0
        while time.perf_counter() < due:
            if predicting and session_is_idle(self.session):
                self.session.predict_again()
            began, cpu = time.perf_counter(), time.thread_time()
            self.application.processEvents()
            time.sleep(0.0005)
        # Of the turn in which the move fell due, what came before it does not count.
        late = max(0.0, min(due - began, time.thread_time() - cpu))
        self.application.sendEvent(canvas, move)  # QTest's own moves wait some ten milliseconds
        while document.hover != wanted:
            self.application.processEvents()
        self.application.processEvents()  # what that asked to be painted
        return (time.thread_time() - cpu - late) * 1e3, (time.perf_counter() - due) * 1e3


def session_is_idle(session) -> bool:
    """Whether no prediction is under way."""
    return not any(activity.kind == "predict" for activity in session._activities.values())


def settle(application) -> None:
    """Let what is under way come to its end."""
    end = time.perf_counter() + SETTLE_S
    wait(application, lambda: time.perf_counter() > end)


def wait(application, condition: Callable[[], bool]) -> None:
    """Run the event loop until a condition holds. Raises TimeoutError."""
    end = time.perf_counter() + WAIT_S
    while not condition():
        application.processEvents()
        time.sleep(0.002)
        if time.perf_counter() > end:
            raise TimeoutError("the window did not come to rest")


def tell(title: str, spent: list[tuple[float, float]]) -> None:
    """Print medians, the 95th percentiles and how many moves there were."""
    if len(spent) < 2:
        print(f"{title:<31} none")
        return
    figures = []
    for values in zip(*spent, strict=True):
        figures += [statistics.median(values), statistics.quantiles(values, n=20)[-1]]
    print("{:<31} CPU {:6.1f} (95 % {:6.1f}) ms, wall {:6.1f} (95 % {:6.1f}) ms, {} moves".format(
        title, *figures, len(spent)
    ), flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
