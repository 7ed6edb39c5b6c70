"""What keeping every stroke costs the brush: journal and autosave on against off.

Run: python benchmarks/saving.py [side]. Offscreen raster painting of a 1920 x 1080 canvas over a
label map of side x side (4096). Moves of a pressed brush are timed from the mouse event to painted
pixels, in rounds with and without the stroke journal and autosave, turn by turn; then undo and redo
of a stroke of 4000 px at a diameter of 512, and the release that ends it; then what is copied for
a save.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

import numpy as np
from PySide6.QtCore import QEvent, QPointF, Qt
from PySide6.QtGui import QMouseEvent
from PySide6.QtWidgets import QApplication

from pspgui.gui.autosave import Autosave
from pspgui.gui.canvas.canvas import Canvas
from pspgui.gui.document import Document
from pspgui.gui.label_copier import LabelCopier
from pspgui.gui.tools import Brush
from pspgui.project import LabelStore

_ROUNDS, _STROKES, _MOVES = 6, 6, 40
_BUTTON = Qt.MouseButton.LeftButton


class Timing(NamedTuple):
    """Seconds on the clock, and of CPU by the window's thread: steadier on a busy machine."""

    wall: float
    work: float


def main() -> None:
    """Print the tables."""
    side = int(sys.argv[1]) if len(sys.argv) > 1 else 4096
    app = QApplication([])
    with tempfile.TemporaryDirectory() as folder:
        print(f"{side} x {side}, ms\n")
        _brushing(app, Path(folder), side)
        _undoing(side)
        _copying()


def _brushing(app: QApplication, folder: Path, side: int) -> None:
    print(f"{'event to painted pixels':<38}{'wall':>9}{'':>18}{'CPU of the thread':>27}")
    print(f"{'':<38}" + 2 * f"{'median':>9}{'p95':>9}{'p99':>9}")
    plain, kept = _open(folder / "off.png", side), _open(folder / "on.png", side)
    autosave = Autosave(kept[0], LabelStore(folder / "elsewhere"))
    autosave.strokes.open(kept[0].image_path, None)
    for diameter in (63, 512):
        times: dict[str, list[Timing]] = {"off": [], "on": []}
        for number in range(_ROUNDS):
            for name, (document, canvas) in (("off", plain), ("on", kept)):
                times[name] += _round(app, document, canvas, diameter, number)
        for name, found in times.items():
            _row(f"d={diameter}, journal and autosave {name}", found)
        rises = [
            np.percentile([getattr(t, part) for t in times["on"]], 99)
            - np.percentile([getattr(t, part) for t in times["off"]], 99)
            for part in Timing._fields
        ]
        print(f"{'':<4}p99 rises by {1000 * rises[0]:.2f} wall, {1000 * rises[1]:.2f} CPU; "
              f"journal {_journal_size(folder) / 1e6:.2f} MB")  # fmt: skip
    autosave.flush(60)
    autosave.close()


def _open(path: Path, side: int) -> tuple[Document, Canvas]:
    random = np.random.default_rng(1)
    blocks = side // 64
    labels = np.kron(random.integers(0, 11, (blocks, blocks)), np.ones((64, 64))).astype(np.uint8)
    image = np.repeat((labels * 20)[..., None], 3, axis=2)
    document = Document()
    canvas = Canvas(document)
    canvas.resize(1920, 1080)
    canvas.show()
    document.set_image(image, path, "bench", labels)
    canvas.set_tool(Brush)
    canvas.fit()
    canvas.zoom_by(1.0 / canvas.zoom)
    return document, canvas


def _round(
    app: QApplication, document: Document, canvas: Canvas, diameter: int, number: int
) -> list[Timing]:
    """Paint some strokes, a release and some idle time between them; return seconds per event."""
    document.set_brush_diameter(diameter)
    times = []
    for stroke in range(_STROKES):
        document.set_active_class((number + stroke) % 11)
        angles = np.linspace(stroke, stroke + 2.5, _MOVES)
        points = [QPointF(960 + 380 * np.cos(a), 540 + 380 * np.sin(a)) for a in angles]
        _mouse(canvas, QEvent.Type.MouseButtonPress, points[0])
        app.processEvents()
        for point in points[1:]:
            start, work = time.perf_counter(), time.thread_time()
            _mouse(canvas, QEvent.Type.MouseMove, point)
            app.processEvents()
            times.append(Timing(time.perf_counter() - start, time.thread_time() - work))
            time.sleep(0.004)
        _mouse(canvas, QEvent.Type.MouseButtonRelease, points[-1])
        app.processEvents()
    return times


def _mouse(canvas: Canvas, kind: QEvent.Type, point: QPointF) -> None:
    button = Qt.MouseButton.NoButton if kind == QEvent.Type.MouseMove else _BUTTON
    event = QMouseEvent(
        kind, point, canvas.mapToGlobal(point), button, _BUTTON, Qt.KeyboardModifier.NoModifier
    )
    QApplication.sendEvent(canvas, event)


def _undoing(side: int) -> None:
    document = Document()
    random = np.random.default_rng(2)
    labels = np.kron(random.integers(0, 11, (side // 64, side // 64)), np.ones((64, 64)))
    document.set_image(
        np.zeros((side, side, 3), np.uint8), Path("x.png"), "x", labels.astype(np.uint8)
    )
    document.set_brush_diameter(512)
    length = min(4000, side - 80)
    undo, redo, release, sizes = [], [], [], []
    for number in range(6):
        document.set_active_class(number)
        document.begin_stroke(side / 2, 40, "brush")
        for step in range(0, length + 1, 40):
            document.move_stroke(side / 2 + 250 * np.sin(step / 500), 40 + step)
        release.append(_timed(document.finish_stroke))
        document.history.pack(60)
        sizes.append(document.history.edits[-1].nbytes)
        undo.append(_timed(document.undo))
        redo.append(_timed(document.redo))
    print(f"\nstroke of {length} px at d=512")
    for name, times in (("release", release), ("undo", undo), ("redo", redo)):
        _row(name, times)
    print(f"kept for undo: {np.median(sizes) / 1000:.1f} kB, at most {max(sizes) / 1000:.1f}")


def _copying() -> None:
    """Time what the window's thread copies for a save: at first, and after each further dab."""
    side = 8192
    document = Document()
    image = np.broadcast_to(np.zeros((1, 1, 3), np.uint8), (side, side, 3))
    document.set_image(image, Path("x.png"), "x", np.zeros((side, side), np.uint8))
    document.set_brush_diameter(63)
    copier = LabelCopier(document)
    print(f"\ncopied for a save of {side} x {side} labels")
    first = _timed(lambda: copier.copy_now(may_reuse=True))
    later = []
    for number in range(20):
        document.set_active_class(number % 11)
        document.begin_stroke(300.0 + 350 * number, 4000.0, "brush")
        document.finish_stroke()
        later.append(_timed(lambda: copier.copy_now(may_reuse=True)))
    _row("at first, 2 ms a turn", [first])
    _row("after one more dab of 63 px", later)


def _timed(act: Callable[[], object]) -> Timing:
    start, work = time.perf_counter(), time.thread_time()
    act()
    return Timing(time.perf_counter() - start, time.thread_time() - work)


def _journal_size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*.strokes"))


def _row(name: str, times: list[Timing]) -> None:
    figures = []
    for part in Timing._fields:
        values = [getattr(timing, part) for timing in times]
        figures += [np.median(values), *np.percentile(values, [95, 99])]
    print(f"{name:<38}" + "".join(f"{1000 * figure:>9.2f}" for figure in figures))


if __name__ == "__main__":
    main()
