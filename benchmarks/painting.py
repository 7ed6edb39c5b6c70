"""How long a dab takes from the mouse event to painted pixels, on an 8192 x 8192 label map.

And how long cleaning such a map takes, beside the window, and the tools that look at the image.

Run: python benchmarks/painting.py [side]. Offscreen raster painting of a 1920 x 1080 canvas, so no
compositor is counted. A dab is one mouse move of a pressed brush: the event, the stroke on the
label map with its undo tiles, and the repaint of what changed.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

import numpy as np
from PySide6.QtCore import QEvent, QPointF, Qt
from PySide6.QtGui import QMouseEvent
from PySide6.QtWidgets import QApplication

from pspgui.geometry import Rect
from pspgui.gui.canvas.canvas import Canvas
from pspgui.gui.document import Document
from pspgui.gui.garbage import GuiGarbage
from pspgui.gui.tools import Brush, SmoothBrush
from pspgui.jobs.cleaning import Cleaning, Sieve, find_changes
from pspgui.jobs.messages import Turn
from pspgui.labels.grabcut import cut_out
from pspgui.labels.morphology import OPERATIONS, Operation
from pspgui.labels.raster import Stamp
from pspgui.labels.scissors import Wire
from pspgui.labels.superpixels import find_superpixels


class Timing(NamedTuple):
    """Seconds on the clock, and of CPU by all of this process: steadier on a busy machine."""

    wall: float
    work: float


_MOVES = 200
_BUTTON = Qt.MouseButton.LeftButton


def main() -> None:
    """Print the table."""
    side = int(sys.argv[1]) if len(sys.argv) > 1 else 8192
    app = QApplication([])
    garbage = GuiGarbage()  # as in the window, so that collections fall where they do there
    document, canvas = _open(side)
    garbage.settle()
    _wait_for_levels(app, canvas)
    print(f"{side} x {side}, canvas {canvas.width()} x {canvas.height()}, ms\n")
    print(f"{'':<44}{'wall':>9}{'':>9}{'CPU':>14}")
    print(f"{'what':<44}" + 2 * f"{'median':>9}{'p95':>9}")
    for zoom in (None, 1.0):
        for outline in (False, True):
            document.set_outline(outline)
            _dabs(app, document, canvas, zoom, "outline" if outline else "fill")
    document.set_outline(False)
    _filtered_dabs(app, document, canvas)
    _smoothing_dabs(app, document, canvas)
    _cleaning(document)
    _looking(document)
    _large_edits(app, document, canvas)
    _repaints(app, document, canvas)
    _recolouring(app, document, canvas)
    _rings(app, document, canvas)


def _open(side: int) -> tuple[Document, Canvas]:
    random = np.random.default_rng(1)
    blocks = side // 256
    image = np.kron(random.integers(0, 255, (blocks, blocks, 3), np.uint8), np.ones((256, 256, 1)))
    labels = np.kron(random.integers(0, 11, (blocks, blocks)), np.ones((256, 256)))
    document = Document()
    canvas = Canvas(document)
    canvas.resize(1920, 1080)
    canvas.show()
    document.set_image(image.astype(np.uint8), Path("bench.png"), "bench", labels.astype(np.uint8))
    return document, canvas


def _wait_for_levels(app: QApplication, canvas: Canvas) -> None:
    started = time.perf_counter()
    while not canvas.has_levels and time.perf_counter() - started < 60:
        app.processEvents()
        time.sleep(0.005)
    print(f"mip levels ready after {time.perf_counter() - started:.2f} s, off the GUI thread")


def _dabs(
    app: QApplication, document: Document, canvas: Canvas, zoom: float | None, look: str
) -> None:
    canvas.set_tool(Brush)
    canvas.fit()
    if zoom is not None:
        canvas.zoom_by(zoom / canvas.zoom)
    for diameter in (63, 512, 2048):
        document.set_brush_diameter(diameter)
        document.set_active_class(diameter % 11)
        app.processEvents()
        _row(f"dab d={diameter}, {look}, zoom {canvas.zoom:.2f}", _stroke(app, canvas))


def _filtered_dabs(app: QApplication, document: Document, canvas: Canvas) -> None:
    """Dabs with locked and chosen classes."""
    canvas.set_tool(Brush)
    canvas.fit()
    for label in (3, 5):
        document.set_locked(label, True)
    for name in document.table.names[:8]:
        document.choose_over(name, True)
    for diameter in (512, 2048):
        document.set_brush_diameter(diameter)
        document.set_active_class(1 + diameter // 2048)
        app.processEvents()
        _row(f"dab d={diameter}, 2 locked, 8 chosen, zoom {canvas.zoom:.2f}", _stroke(app, canvas))
    for label in (3, 5):
        document.set_locked(label, False)
    document.set_paint_over("everything")


def _smoothing_dabs(app: QApplication, document: Document, canvas: Canvas) -> None:
    canvas.set_tool(SmoothBrush)
    canvas.zoom_by(1.0 / canvas.zoom)
    document.set_smooth_mode("joint")
    for diameter in (32, 64, 128):
        document.set_brush_diameter(diameter)
        app.processEvents()
        _row(f"dab of the smoothing brush d={diameter}", _stroke(app, canvas))


def _cleaning(document: Document) -> None:
    """Whole-map operations, as their job runs them; nothing of it is on the GUI thread."""
    labels = document.label_map.labels
    turn = Turn(lambda step: None, lambda: False)
    whats: list[Cleaning] = [Operation(kind, 4, 2) for kind in OPERATIONS]
    whats += [Sieve("islands", 2, 64), Sieve("holes", 2, 64)]
    for what in whats:
        times = [_timed(lambda what=what: list(find_changes(labels, what)(turn)))]
        _row(f"whole map: {what.kind}", times)


def _large_edits(app: QApplication, document: Document, canvas: Canvas) -> None:
    """Edits of all tiles of the map: how long the window is held up at once, and all in all."""
    canvas.fit()
    whole = document.label_map.rect
    stamp = Stamp(whole, np.ones((whole.height, whole.width), bool))
    document.set_active_class(7)

    def stroke() -> None:
        document.set_brush_diameter(2048)
        document.set_active_class(8)
        document.begin_stroke(0.0, 0.0, "brush")
        for k in range(whole.height // 1024):
            document.move_stroke(1024.0 * k, whole.width * ((k + 1) % 2))
            app.processEvents()

    undo = ("undo", document.undo)
    changes = [("fill", lambda: document.fill(stamp, "Fill")), undo, ("redo", document.redo), undo,
               ("release of a stroke", document.release_stroke), undo]  # fmt: skip
    for what, change in changes:
        if "stroke" in what:
            stroke()
        turns = _turns(app, document, change)
        wall, work = (1e3 * np.array(side) for side in zip(*turns, strict=True))
        print(f"{what + ' of the whole map':<32}{len(turns):>4} turns, {wall.sum():5.0f} ms, CPU "
              f"{work.sum():5.0f}; p95 and longest {np.percentile(wall, 95):.1f} {wall.max():.1f}, "
              f"CPU {np.percentile(work, 95):.1f} {work.max():.1f}; then painted "
              f"in {1e3 * _timed(app.processEvents).wall:.1f}", flush=True)  # fmt: skip


def _turns(
    app: QApplication, document: Document, change: Callable[[], object]
) -> list[tuple[float, float]]:
    """Make a change of labels; seconds and CPU seconds of every turn of the window's thread."""
    turns = []

    def turn(action: Callable[[], object]) -> None:
        started, worked = time.perf_counter(), time.thread_time()
        action()
        turns.append((time.perf_counter() - started, time.thread_time() - worked))

    turn(change)
    while document.history.is_open:
        turn(app.processEvents)
    return turns


def _looking(document: Document) -> None:
    """What live-wire, superpixels and GrabCut take on their thread, and a wire's path here."""
    image = document.image
    _row("build a live-wire", _timed_often(lambda: Wire(image, (4000.5, 4000.5)), 10))
    wire = Wire(image, (4000.5, 4000.5))
    _row("a live-wire's path to the mouse", _timed_often(lambda: wire.path((4200.5, 3850.5))))
    view = Rect(3600, 3500, 4300, 4500)
    _row("superpixels of 24 px of a 1000 x 700 view",
         _timed_often(lambda: find_superpixels(image, view, 24), 3))  # fmt: skip
    _row("GrabCut in a 400 x 300 box",
         _timed_often(lambda: list(cut_out(image, Rect(3700, 3700, 4000, 4100))), 3))  # fmt: skip


def _stroke(app: QApplication, canvas: Canvas) -> list[Timing]:
    """Paint a wide circle with one stroke; time each event to painted pixels."""
    angles = np.linspace(0, 2 * np.pi, _MOVES)
    points = [QPointF(960 + 380 * np.cos(a), 540 + 380 * np.sin(a)) for a in angles]
    _mouse(canvas, QEvent.Type.MouseButtonPress, points[0])
    app.processEvents()
    times = [_timed(lambda p=p: _move(app, canvas, p)) for p in points[1:]]
    _mouse(canvas, QEvent.Type.MouseButtonRelease, points[-1])
    app.processEvents()
    return times


def _move(app: QApplication, canvas: Canvas, point: QPointF) -> None:
    _mouse(canvas, QEvent.Type.MouseMove, point)
    app.processEvents()


def _mouse(canvas: Canvas, kind: QEvent.Type, point: QPointF) -> None:
    button = Qt.MouseButton.NoButton if kind == QEvent.Type.MouseMove else _BUTTON
    event = QMouseEvent(
        kind, point, canvas.mapToGlobal(point), button, _BUTTON, Qt.KeyboardModifier.NoModifier
    )
    QApplication.sendEvent(canvas, event)


def _repaints(app: QApplication, document: Document, canvas: Canvas) -> None:
    """Whole-widget paints: what panning and zooming cost a frame."""
    for zoom in (None, 0.4, 1.0, 3.0, 16.0):
        canvas.fit()
        if zoom is not None:
            canvas.zoom_by(zoom / canvas.zoom)
        app.processEvents()
        for mode, outline in (("image", False), ("labels", False), ("labels", True)):
            document.set_view_mode(mode)
            document.set_outline(outline)
            app.processEvents()

            def frame() -> None:
                canvas.camera.pan(3.0, 2.0)
                canvas.repaint()

            look = "outline" if outline else {"image": "picture alone", "labels": "fill"}[mode]
            _row(f"pan a frame, {look}, zoom {canvas.zoom:.2f}", _timed_often(frame))
    document.set_outline(False)


def _recolouring(app: QApplication, document: Document, canvas: Canvas) -> None:
    canvas.fit()
    app.processEvents()
    times = [
        _timed(lambda shown=shown: document.set_visible(3, shown)) for shown in [False, True] * 20
    ]
    _row("recolour one class: the colour table", times)
    _row("recolour one class: then one paint", _timed_often(canvas.repaint))


def _rings(app: QApplication, document: Document, canvas: Canvas) -> None:
    """Moving the mouse without painting: the ring, the hover, the repaint."""
    for diameter in (63, 511):
        document.set_brush_diameter(diameter)
        points = [QPointF(500 + 4 * i, 300 + i) for i in range(_MOVES)]
        times = [_timed(lambda p=p: _hover(app, canvas, p)) for p in points]
        _row(f"hover with ring d={diameter}, zoom {canvas.zoom:.2f}", times)


def _hover(app: QApplication, canvas: Canvas, point: QPointF) -> None:
    none = Qt.MouseButton.NoButton
    event = QMouseEvent(
        QEvent.Type.MouseMove, point, canvas.mapToGlobal(point), none, none,
        Qt.KeyboardModifier.NoModifier,
    )  # fmt: skip
    QApplication.sendEvent(canvas, event)
    app.processEvents()


def _timed(action: Callable[[], object]) -> Timing:
    started, worked = time.perf_counter(), time.process_time()
    action()
    return Timing(time.perf_counter() - started, time.process_time() - worked)


def _timed_often(action: Callable[[], object], count: int = 40) -> list[Timing]:
    return [_timed(action) for _ in range(count)]


def _row(what: str, times: list[Timing]) -> None:
    wall, work = (1e3 * np.percentile(side, (50, 95)) for side in zip(*times, strict=True))
    print(f"{what:<44}" + "".join(f"{v:>9.2f}" for v in (*wall, *work)), flush=True)


if __name__ == "__main__":
    main()
