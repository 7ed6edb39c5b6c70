"""The live-wire: click along a thing's border, and the outline follows it in between."""

from __future__ import annotations

import time
from typing import Any, Final

from PySide6.QtCore import QLineF, QPointF, QRectF, Qt
from PySide6.QtGui import QPainter, QPainterPath, QPolygonF

from pspgui.gui.canvas.camera import Camera
from pspgui.gui.canvas.marks import two_toned
from pspgui.gui.tools.stepwise import StepwiseTool, paint_dashes, paint_handles
from pspgui.gui.tools.tool import ToolEvent
from pspgui.jobs.regions import build_wire
from pspgui.labels.raster import Point, Stamp
from pspgui.labels.scissors import Wire
from pspgui.labels.shapes import polygon

_KIND: Final = "wire"


class LiveWire(StepwiseTool):
    """Fills an outline that follows borders in the image from click to click.

    Each click fixes the path up to it. A wire is built on another thread within a tenth of a
    second of a click and reaches some two hundred pixels; until then, and beyond, the path is
    straight. See StepwiseTool for how it is filled and what is taken back.
    """

    name = "live_wire"
    text = "Live-wire"
    key = "Shift+L"
    icon = "mdi6.vector-polyline"
    verb = "Live-wire"
    noun = "live-wire"
    fewest = 2
    too_few = "A live-wire has two points or more."

    def drop(self) -> None:
        """Forget all points."""
        for index in range(len(getattr(self, "_anchors", []))):
            self.document.errands.cancel(f"{_KIND} {index}")
        super().drop()
        self._anchors: list[Point] = []
        self._paths: list[list[Point]] = []  # from each anchor to the next, its end included
        self._wires: dict[int, Wire] = {}
        self._time = float("-inf")

    @property
    def points(self) -> list[Point]:
        """The points clicked."""
        return self._anchors

    def save_steps(self) -> Any:
        """Return points and paths."""
        return list(self._anchors), [list(path) for path in self._paths]

    def load_steps(self, steps: Any) -> None:
        """Bring points and paths back."""
        self._anchors, self._paths = steps
        self._build(len(self._anchors) - 1)

    # -- mouse --------------------------------------------------------------------------------

    def press(self, event: ToolEvent) -> None:
        """Fix the path up to here; on the first point, or by a double click, finish."""
        before, self._time = self._time, time.monotonic()
        if not self.starts(event):
            return
        near = self.point_near(event)
        last = len(self._anchors) - 1
        if near is not None and (
            (near == last and self.is_double(before)) or (near == 0 and last >= 1)
        ):
            self.finish()
            return
        if near is not None and near == last:
            return
        height, width = self.shape
        here = (min(max(event.y, 0.0), height - 1e-3), min(max(event.x, 0.0), width - 1e-3))
        if self._anchors:
            self._paths.append(self._path(last, here))
        self._anchors.append(here)
        self._build(last + 1)

    def take_back(self) -> None:
        """Take back the last point, and the path to it."""
        self.document.errands.cancel(f"{_KIND} {len(self._anchors) - 1}")
        self._anchors.pop()
        self._wires.pop(len(self._anchors), None)
        if not self._anchors:
            self.drop()
        else:
            self._paths.pop()
            if len(self._anchors) - 1 not in self._wires:
                self._build(len(self._anchors) - 1)

    def _build(self, index: int) -> None:
        """Ask for the wire of a point; a path that could not wait for it is renewed."""
        document, anchors = self.document, self._anchors

        def take(wire: Wire) -> None:
            if anchors is not self._anchors or index >= len(anchors):
                return
            self._wires[index] = wire
            if index < len(self._paths):
                self._paths[index] = wire.path(anchors[index + 1])
            document.brush_changed.emit()

        document.errands.ask(f"{_KIND} {index}", build_wire(document.image, anchors[index]), take)

    def _path(self, index: int, end: Point) -> list[Point]:
        """Return the path from a point, straight while its wire is being built."""
        wire = self._wires.get(index)
        return [end] if wire is None else wire.path(end)

    # -- the area -----------------------------------------------------------------------------

    def area(self) -> Stamp:
        """Return the pixels that the closed outline goes round."""
        last = len(self._anchors) - 1
        return polygon(
            [self._anchors[0], *(p for path in self._paths for p in path),
             *self._path(last, self._anchors[0])], self.shape,
        )  # fmt: skip

    def outline(self, camera: Camera, at: QPointF) -> QPainterPath:
        """Return the outline so far, to the mouse."""
        points = [self._anchors[0], *(p for path in self._paths for p in path)]
        points += self._path(len(self._anchors) - 1, camera.to_image(at))
        path = QPainterPath()
        path.setFillRule(Qt.FillRule.WindingFill)
        path.addPolygon(QPolygonF([camera.to_widget(*point) for point in points]))
        return path

    def note(self) -> str:
        """Return what ends it."""
        waits = self.document.errands.is_busy(f"{_KIND} {len(self._anchors) - 1}")
        return "following borders…" if waits else "Enter fills"

    def cursor_bounds(self, camera: Camera, at: QPointF) -> QRectF:
        """Return all that is in view while there is a path: it may bend anywhere."""
        return camera.viewport if self.running else super().cursor_bounds(camera, at)

    def paint_area(self, painter: QPainter, camera: Camera, at: QPointF) -> None:
        """Draw the path, dashes back to its beginning, and the points clicked."""
        if not self._anchors:
            return
        path = self.outline(camera, at)
        closed = QPainterPath(path)
        closed.closeSubpath()
        self.paint_tint(painter, camera, closed)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        two_toned(painter, lambda: painter.drawPath(path), 1.5)
        paint_dashes(painter, [QLineF(at, camera.to_widget(*self._anchors[0]))])
        paint_handles(painter, camera, self._anchors)
