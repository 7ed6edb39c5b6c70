"""A window in which somebody paints without end, to be killed: `killed_runs FOLDER --seed N`.

It is the real window with its lanes and threads; answers of the network are made up. After every
mouse event it writes what the labels are by then to standard output, as `TOLD`. Strokes that the
window offers to recover are recovered, as a person would.
"""

from __future__ import annotations

import argparse
import os
import random
import struct
import sys
import time
import zlib
from pathlib import Path

from closing_runs import FAKE, SHAPE, FakeNetwork, Run
from PySide6.QtCore import QEvent, QPoint, QPointF, Qt
from PySide6.QtGui import QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from pspgui.gui.tools import Brush

TOLD = struct.Struct("<BId?")  # number of the image, checksum of its labels, time, whether opened
assert FAKE and FakeNetwork


def image_path(folder: Path, number: int) -> Path:
    """Return the path of one of the images of `closing_runs.make_images`."""
    return folder / f"street{number}.png"


class Painter:
    """Somebody at the window."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.run = Run(folder, None)
        self.chance = random.Random(seed)
        self.run.session.open_path(folder)
        self.opened()

    def tell(self, opened: bool = False) -> None:
        """Write down the labels of the image shown."""
        document = self.run.document
        if document.label_map is None or document.image_path is None:
            return
        number = int(document.image_path.stem.removeprefix("street"))
        checksum = zlib.crc32(document.label_map.labels.tobytes())
        os.write(1, TOLD.pack(number, checksum, time.monotonic(), opened))

    def opened(self) -> None:
        """Wait for an image, and take what was lost."""
        run = self.run
        run.until(lambda: run.can_paint)
        if run.document.read_only_reason:
            sys.exit(f"it cannot be painted on: {run.document.read_only_reason}")
        if run.session.keeping.lost is not None and not run.session.keeping.recover():
            sys.exit("what was lost could not be recovered")
        self.tell(opened=True)

    def live(self) -> None:
        """Paint, undo, save, look around and go on to other images until killed."""
        acts = (
            (0.62, self.stroke), (0.74, self.undo), (0.8, self.redo),
            (0.86, self.run.session.save_now), (0.93, self.switch), (1.0, self.zoom),
        )  # fmt: skip
        while True:
            drawn = self.chance.random()
            next(act for share, act in acts if drawn < share)()
            self.run.go_on(self.chance.uniform(0, 0.03))

    def stroke(self) -> None:
        """Draw with the brush, slowly now and then."""
        run, chance = self.run, self.chance
        run.window.canvas.set_tool(Brush)
        run.document.set_active_class(chance.randrange(11))
        y, x = chance.uniform(5, SHAPE[0] - 5), chance.uniform(5, SHAPE[1] - 5)
        run.mouse(QEvent.Type.MouseButtonPress, y, x)
        self.tell()
        pause = 0.02 if chance.random() < 0.15 else 0.001
        for _ in range(chance.randint(1, 25)):
            y, x = y + chance.uniform(-6, 6), x + chance.uniform(-6, 6)
            run.mouse(QEvent.Type.MouseMove, y, x)
            self.tell()
            run.go_on(pause)
        run.mouse(QEvent.Type.MouseButtonRelease, y, x)
        self.tell()

    def undo(self) -> None:
        """Take the last edit back."""
        QTest.keyClick(self.run.window.canvas, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
        self.tell()

    def redo(self) -> None:
        """Do it again."""
        QTest.keyClick(self.run.window.canvas, Qt.Key.Key_Y, Qt.KeyboardModifier.ControlModifier)
        self.tell()

    def switch(self) -> None:
        """Go on to another image."""
        document = self.run.document
        before = document.image_path
        QTest.keyClick(self.run.window.canvas, self.chance.choice((Qt.Key.Key_D, Qt.Key.Key_A)))
        end = time.monotonic() + 0.3  # at either end of the list there is no other
        while document.image_path == before and time.monotonic() < end:
            self.run.go_on(0.002)
        if document.image_path != before:
            self.opened()

    def zoom(self) -> None:
        """Turn the wheel."""
        canvas = self.run.window.canvas
        middle = QPointF(canvas.rect().center())
        step = QPoint(0, self.chance.choice((-120, 120)))
        event = QWheelEvent(
            middle, QPointF(canvas.mapToGlobal(middle)), QPoint(), step, Qt.MouseButton.NoButton,
            Qt.KeyboardModifier.NoModifier, Qt.ScrollPhase.NoScrollPhase, False,
        )  # fmt: skip
        QApplication.sendEvent(canvas, event)


def main() -> None:
    """Paint until killed."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    application = QApplication([])
    sys.excepthook = lambda kind, error, _: os._exit(_said(f"{kind.__name__}: {error}"))
    Painter(asked.folder, asked.seed).live()
    application.quit()


def _said(words: str) -> int:
    os.write(2, words.encode())
    return 3


if __name__ == "__main__":
    main()
