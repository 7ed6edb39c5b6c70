"""Memory and time with images too large for memory, and how soon ordinary ones are seen.

Run: python benchmarks/large_images.py [side] [folder]. A noisy, tiled GeoTIFF of side x side
(30 000 unless given, 0 for none) is written into `folder` (a temporary one), opened in the whole
window without a model, panned at several zooms, painted on, undone. The disk holds the file, three
bytes a pixel more while it is open, two for labels, and a third of both for levels. Then 8192 x
8192 images are opened, and 2-megapixel images with labels are switched between. Memory is the
resident set of this process, with the pages of mapped files that are in it, from /proc (Linux).
"""

from __future__ import annotations

import os
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
os.environ["XDG_CONFIG_HOME"] = os.environ["XDG_DATA_HOME"] = tempfile.mkdtemp("pspgui-bench")

import numpy as np
from PySide6.QtCore import QEvent, QPointF, Qt
from PySide6.QtGui import QMouseEvent
from PySide6.QtWidgets import QApplication

from pspgui.gui.document import Document
from pspgui.gui.engine_thread import Engine
from pspgui.gui.main_window import MainWindow
from pspgui.gui.session import Session
from pspgui.gui.settings import Settings
from pspgui.gui.tools import Brush

_MIB = 1 << 20
_TWO_MEGAPIXELS = (1232, 1632)
_SWITCHES = 16


def main() -> None:
    """Print the tables."""
    side = int(sys.argv[1]) if len(sys.argv) > 1 else 30_000
    with tempfile.TemporaryDirectory(prefix="pspgui-large-", dir=_folder()) as folder:
        os.environ["XDG_CACHE_HOME"] = folder
        app = QApplication([])
        place = _Place(app)
        print(f"window without an image: {_resident()} MiB\n")
        if side:
            _large(place, Path(folder), side)
        _first_pixels(place, Path(folder))
        _switching(place, Path(folder))
        place.close()


def _folder() -> str | None:
    return sys.argv[2] if len(sys.argv) > 2 else None


class _Place:
    """The whole window, without a model: nothing is predicted, everything can be painted."""

    def __init__(self, app: QApplication) -> None:
        self.app = app
        self.document = Document()
        self.engine = Engine()
        settings = Settings()
        self.session = Session(self.document, self.engine, settings)
        self.window = MainWindow(self.document, self.session, settings)
        self.window.keeps_layout = False
        self.window.resize(1920, 1080)
        self.window.show()
        self.engine.start()
        self.canvas = self.window.canvas

    def wait(self, condition: Callable[[], bool], seconds: float = 600) -> float:
        started = time.perf_counter()
        while not condition():
            if time.perf_counter() - started > seconds:
                raise TimeoutError
            self.app.processEvents()
            time.sleep(0.002)
        return time.perf_counter() - started

    def open(self, path: Path) -> float:
        """Open an image; seconds until its first pixels are painted."""
        started = time.perf_counter()
        self.session.show_image(path)
        self.wait(lambda: self.document.image_path == path)
        self.canvas.repaint()
        return time.perf_counter() - started

    def close(self) -> None:
        self.document.mark_saved(self.document.edit_serial)
        self.window.images.close_worker()
        self.session.close()


def _large(place: _Place, folder: Path, side: int) -> None:
    path = folder / "large.tif"
    started = time.perf_counter()
    _write_geotiff(path, side)
    print(f"{side} x {side} GeoTIFF, {path.stat().st_size / 1e9:.2f} GB, "
          f"written in {time.perf_counter() - started:.0f} s")  # fmt: skip
    with _peak("opened, first pixels painted"):
        place.open(path)
    with _peak("mip levels"):
        place.wait(lambda: place.canvas.has_levels)
        place.canvas.repaint()
    with _peak("labels made ready to paint on"):
        place.document.start_unlabelled()
        place.app.processEvents()
    with _peak("label levels"):
        place.document.set_view_mode("labels")
        end = time.perf_counter() + 5
        place.wait(lambda: time.perf_counter() > end)
    for zoom in (None, 0.3, 1.0, 4.0):
        with _peak(f"panned through 60 views, zoom {'fit' if zoom is None else zoom}"):
            _pan(place, zoom)
    for zoom in (0.25, 1.0):
        with _peak(f"40 dabs of 511 px at zoom {zoom}, then undone"):
            _paint(place, zoom)
    _save(place, path)
    path.unlink()


def _save(place: _Place, path: Path) -> None:
    """Save the labels and read them back, as autosave and opening do, on this thread."""
    from pspgui.gui.label_copier import LabelCopier
    from pspgui.project.store import LabelStore

    copy, store = LabelCopier(place.document).copy_now(may_reuse=False), LabelStore()
    assert copy is not None
    with _peak("labels saved and read back"):
        store.save(path, copy.labels, copy.provenance, np.zeros((256, 3), np.uint8))
        store.load(path, copy.labels.shape)


def _pan(place: _Place, zoom: float | None) -> None:
    canvas = place.canvas
    canvas.fit()
    if zoom is not None:
        canvas.zoom_by(zoom / canvas.zoom)
    height, width = canvas.camera.image_shape
    times = []
    for k in range(60):
        canvas.camera.centre_on(height * ((k * 0.37) % 1), width * ((k * 0.61) % 1))
        started = time.perf_counter()
        canvas.repaint()
        times.append(time.perf_counter() - started)
    print(f"    {1e3 * np.median(times):.1f} ms a view (p95 {1e3 * np.percentile(times, 95):.1f})")


def _paint(place: _Place, zoom: float) -> None:
    canvas, document = place.canvas, place.document
    canvas.set_tool(Brush)
    canvas.fit()
    canvas.zoom_by(zoom / canvas.zoom)
    document.set_brush_diameter(511)
    document.set_active_class(3)
    place.app.processEvents()
    times = []
    points = [QPointF(300 + 12 * k, 200 + 7 * k) for k in range(40)]
    _mouse(canvas, QEvent.Type.MouseButtonPress, points[0])
    for point in points[1:]:
        started = time.perf_counter()
        _mouse(canvas, QEvent.Type.MouseMove, point)
        place.app.processEvents()
        times.append(time.perf_counter() - started)
    _mouse(canvas, QEvent.Type.MouseButtonRelease, points[-1])
    document.undo()
    place.app.processEvents()
    print(f"    {1e3 * np.median(times):.1f} ms a dab (p95 {1e3 * np.percentile(times, 95):.1f})")


def _mouse(canvas: object, kind: QEvent.Type, point: QPointF) -> None:
    left = Qt.MouseButton.LeftButton
    button = Qt.MouseButton.NoButton if kind == QEvent.Type.MouseMove else left
    event = QMouseEvent(
        kind, point, canvas.mapToGlobal(point), button, left, Qt.KeyboardModifier.NoModifier
    )
    QApplication.sendEvent(canvas, event)


def _first_pixels(place: _Place, folder: Path) -> None:
    """Open each twice: memory that a process never had before takes time of its own."""
    print("\n8192 x 8192 to first pixels painted, s, CPU of all threads beside")
    pixels = _scene(8192, 8192)
    from PIL import Image

    image = Image.fromarray(pixels)
    for name, options in (
        ("a.png", {"compress_level": 3}), ("b.jpg", {"quality": 92}), ("c.tif", {}),
    ):  # fmt: skip
        image.save(folder / name, **options)
    del image, pixels
    for turn in ("first", "again"):
        for name in ("a.png", "b.jpg", "c.tif"):
            worked = time.process_time()
            seconds = place.open(folder / name)
            worked = time.process_time() - worked
            print(f"    {turn}, {name[2:]:<5}{seconds:.2f}, CPU {worked:.2f}")
            place.wait(lambda: place.canvas.has_levels)
            place.document.mark_saved(place.document.edit_serial)


def _switching(place: _Place, folder: Path) -> None:
    """Go through images with labels, provenance, classes and a stroke journal each."""
    paths = _labelled_images(folder / "two")
    place.session.open_path(paths[0])
    place.wait(lambda: place.document.image_path == paths[0])
    for path in paths[: _SWITCHES + 1]:  # so that each has a journal
        place.open(path)
        place.document.set_active_class(3)
        place.document.begin_stroke(300.0, 300.0, "brush")
        place.document.finish_stroke()
    place.session.flush(60)
    print("\nswitching between 2-megapixel images with labels, ms: to painted; CPU of all threads; "
          "CPU of the window's thread")  # fmt: skip
    leafing = [_switch(place, path, look_s=0.7) for path in paths[1 : _SWITCHES + 1]]
    _say_switching("leafing through, .7 s a look", leafing)
    far = [paths[(7 * k + 11) % len(paths)] for k in range(_SWITCHES)]
    _say_switching("jumping, nothing kept of them", [_switch(place, path, 0.3) for path in far])
    back = [paths[far_place] for far_place in (3, 4) * (_SWITCHES // 2)]
    _say_switching("back and forth between two", [_switch(place, path, 0.1) for path in back])


def _labelled_images(home: Path) -> list[Path]:
    from PIL import Image

    from pspgui.project import LabelStore

    height, width = _TWO_MEGAPIXELS
    home.mkdir()
    blocks = np.random.default_rng(4).integers(0, 11, (77, 102))
    labels = np.kron(blocks, np.ones((16, 16))).astype(np.uint8)
    store, paths = LabelStore(), [home / f"{k:02}.jpg" for k in range(48)]
    for k, path in enumerate(paths):
        Image.fromarray(_scene(height, width, k)).save(path, quality=90)
        store.save(path, labels, labels // 8, np.zeros((256, 3), np.uint8))
    return paths


def _switch(place: _Place, path: Path, look_s: float) -> tuple[float, float, float]:
    everything, window = time.process_time(), time.thread_time()
    seconds = place.open(path)
    found = seconds, time.process_time() - everything, time.thread_time() - window
    end = time.perf_counter() + look_s
    place.wait(lambda: time.perf_counter() > end)
    return found


def _say_switching(what: str, found: list[tuple[float, float, float]]) -> None:
    parts = [1e3 * np.percentile(side, (50, 95)) for side in zip(*found, strict=True)]
    print(f"    {what:<32}" + "; ".join(f"{mid:4.0f} (p95 {slow:4.0f})" for mid, slow in parts))


def _scene(height: int, width: int, seed: int = 0) -> np.ndarray:
    """Return a picture that packs as a photograph does: smooth shapes with grain."""
    from pspgui.scenes import sample_scene

    scene = sample_scene().image
    rows = np.arange(height) * len(scene) // height
    columns = np.arange(width) * scene.shape[1] // width
    grain = np.random.default_rng(seed).integers(-3, 4, (512, 512, 1))
    big = scene[rows[:, None], columns].astype(np.int16)
    times = -(-height // 512), -(-width // 512), 1
    big += np.tile(grain, times)[:height, :width].astype(np.int16)
    return np.clip(big, 0, 255).astype(np.uint8)


def _write_geotiff(path: Path, side: int) -> None:
    import rasterio
    from rasterio.transform import from_origin
    from rasterio.windows import Window

    block = _scene(2048, 2048)
    with rasterio.open(
        path, "w", driver="GTiff", height=side, width=side, count=3, dtype="uint8", tiled=True,
        blockxsize=512, blockysize=512, photometric="RGB", compress="lzw", bigtiff="yes",
        crs="EPSG:32633", transform=from_origin(500_000, 4_600_000, 0.1, 0.1),
    ) as file:  # fmt: skip
        for y in range(0, side, 2048):
            for x in range(0, side, 2048):
                window = Window(x, y, min(2048, side - x), min(2048, side - y))
                part = block[: window.height, : window.width]
                file.write(np.moveaxis(part, -1, 0), window=window)


# -- memory -------------------------------------------------------------------------------------


def _resident() -> int:
    """Return the resident set in MiB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") // _MIB


@contextmanager
def _peak(what: str) -> Iterator[None]:
    """Print how long the block took and the highest resident set in it, sampled every 5 ms."""
    highest = [_resident()]
    done = threading.Event()

    def watch() -> None:
        while not done.wait(0.005):
            highest[0] = max(highest[0], _resident())

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    started, worked = time.perf_counter(), time.process_time()
    yield
    seconds, worked = time.perf_counter() - started, time.process_time() - worked
    done.set()
    watcher.join()
    print(
        f"{what:<52}{seconds:>7.2f} s, CPU {worked:>6.2f} s, "
        f"peak {highest[0]:>5} MiB, after {_resident():>5} MiB",
        flush=True,
    )


if __name__ == "__main__":
    main()
