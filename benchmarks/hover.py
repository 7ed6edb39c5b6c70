"""From a move of the mouse to the painted window, with everything open that follows the pointer.

Run `uv run python benchmarks/hover.py IMAGE [--moves N]` on a quiet machine. The window shows the
evidence, pins, the map of a bin's reach and the strip; every move is sent to the canvas, and the
event loop runs until the pixel is explained and painted. CPU is that of the GUI thread alone and
wall what a person waits, the canvas's pause of less than a frame included; at last the moves are
made while predictions run one after another on the model's thread.
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
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # as `app` does
ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT)]

SETTLE_S = 1.0
WAIT_S = 120.0


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("image", type=Path)
    parser.add_argument("--moves", type=int, default=200)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        for name in ("CONFIG", "DATA", "CACHE", "STATE"):
            os.environ[f"XDG_{name}_HOME"] = home
        image = Path(home) / options.image.name
        image.write_bytes(options.image.read_bytes())
        measure(image, options.moves)
    sys.stdout.flush()
    os._exit(0)  # nothing of it is kept, and threads may be at work


def measure(image: Path, moves: int) -> None:
    """Open the window on a copy of the image and move over it."""
    from PySide6.QtWidgets import QApplication

    from pspgui import places
    from pspgui.geometry import Pixel
    from pspgui.gui.document import Document
    from pspgui.gui.engine_thread import Engine
    from pspgui.gui.main_window import MainWindow
    from pspgui.gui.session import Session
    from pspgui.gui.settings import Settings
    from pspgui.jobs.modelling import ModelChoice

    application = QApplication([])
    document, engine, settings = Document(), Engine(), Settings()
    session = Session(document, engine, settings)
    window = MainWindow(document, session, settings)
    window.resize(1600, 1000)
    window.show()
    engine.start()
    session.load_first_model(ModelChoice(places.bundled_model(), "cpu"))
    session.open_path(image)
    wait(application, lambda: document.prediction is not None and not document.is_preview)

    def row(title: str, predicting: bool = False) -> None:
        settle(application)
        cpu, wall = [], []
        for _ in range(moves):
            if predicting and session_is_idle(session):
                session.predict_again()
            spent = one_move(application, window, document)
            cpu.append(spent[0]), wall.append(spent[1])
        tell(title, cpu, wall)

    row("evidence and strip")
    height, width = document.image.shape[:2]
    for y, x in ((0.3, 0.3), (0.6, 0.5), (0.5, 0.8)):
        document.set_pin(Pixel(int(y * height), int(x * width)))
        document.pins.keep(document.pins.current)
    document.pins.select(None)
    for title in ("Pins", "What if", "Maps"):
        window.more[title].setVisible(True)
    window.more["Pins"].raise_()
    row("and pins")
    document.set_pin(None)
    window.actions_table["map_reach"].trigger()
    row("and the map of a bin's reach")
    row("while predictions run", predicting=True)


def session_is_idle(session) -> bool:
    """Whether no prediction is under way."""
    return not any(activity.kind == "predict" for activity in session._activities.values())


def one_move(application, window, document) -> tuple[float, float]:
    """Move the mouse to a random pixel; return GUI thread's CPU and wall, ms, until painted."""
    from PySide6.QtCore import QEvent, QPointF, Qt
    from PySide6.QtGui import QMouseEvent

    height, width = document.image.shape[:2]
    y, x = random.uniform(0, height), random.uniform(0, width)
    canvas = window.canvas
    at = QPointF(canvas.camera.to_widget(y, x).toPoint())
    wanted = canvas.camera.pixel_at(at)
    no = Qt.MouseButton.NoButton
    move = QMouseEvent(
        QEvent.Type.MouseMove, at, canvas.mapToGlobal(at), no, no, Qt.KeyboardModifier.NoModifier
    )
    time.sleep(0.02)  # a move within a frame of another waits for the next
    application.processEvents()
    cpu, wall = time.thread_time(), time.perf_counter()
    application.sendEvent(canvas, move)  # QTest's own moves wait some ten milliseconds
    while document.hover != wanted:
        application.processEvents()
    application.processEvents()  # what that asked to be painted
    return (time.thread_time() - cpu) * 1e3, (time.perf_counter() - wall) * 1e3


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


def tell(title: str, cpu: list[float], wall: list[float]) -> None:
    """Print medians and the 95th percentiles of a row."""
    figures = []
    for values in (cpu, wall):
        figures += [statistics.median(values), statistics.quantiles(values, n=20)[-1]]
    print("{:<30} CPU {:6.1f} (95 % {:6.1f}) ms, wall {:6.1f} (95 % {:6.1f}) ms".format(
        title, *figures
    ), flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
