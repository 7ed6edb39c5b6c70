"""The image list with 100 000 images: how soon it is usable, how fast it finds, what it holds.

    python benchmarks/image_list.py [images]

The folder holds empty files, for only the list is measured. Times are medians of five where
something can be repeated; memory is the resident set of the process, with and without the list.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")


def resident_mb() -> float:
    """Return the resident set in MB (Linux)."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def main() -> None:
    """Open the window on the folder and measure."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    with tempfile.TemporaryDirectory() as name:
        home = Path(name)
        for key in ("HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME"):
            os.environ[key] = str(home / "home")
        folder = home / "frames"
        folder.mkdir()
        for number in range(count):
            (folder / f"frame_{number:06d}.png").touch()
        measure(folder, count)


def measure(folder: Path, count: int) -> None:
    """Measure one window on one folder."""
    from PySide6.QtCore import QEventLoop
    from PySide6.QtWidgets import QApplication

    app = QApplication([])
    from pspgui.gui.document import Document
    from pspgui.gui.engine_thread import Engine
    from pspgui.gui.main_window import MainWindow
    from pspgui.gui.session import Session
    from pspgui.gui.settings import Settings
    from pspgui.gui.theme import choose_theme
    from pspgui.project.queries import parse

    choose_theme(app, "dark")
    document, engine, settings = Document(), Engine(), Settings()
    session = Session(document, engine, settings)
    window = MainWindow(document, session, settings)
    window.resize(1440, 900)
    window.show()
    engine.start()
    longest = 0.0

    def until(condition, limit_s=120.0) -> float:
        nonlocal longest
        start = time.perf_counter()
        while not condition():
            before = time.perf_counter()
            app.processEvents(QEventLoop.ProcessEventsFlag.AllEvents, 5)
            longest = max(longest, time.perf_counter() - before)
            time.sleep(0.001)
            if time.perf_counter() - start > limit_s:
                raise SystemExit("it did not end")
        return time.perf_counter() - start

    def pump(seconds: float) -> None:
        end = time.perf_counter() + seconds
        until(lambda: time.perf_counter() > end)

    pump(0.5)
    before = resident_mb()
    longest = 0.0
    spent = time.process_time()
    session.open_path(folder)
    listed = until(lambda: window.images.model.rowCount() == count)
    window.grab()
    print(f"{count} images: rows can be seen and scrolled after {listed:.2f} s "
          f"({time.process_time() - spent:.2f} s of CPU)")  # fmt: skip
    indexed = listed + until(lambda: window.queue.found is not None and 0 not in
                             window.queue.listing.ids)  # fmt: skip
    print(f"the index knows them all after {indexed:.2f} s "
          f"({time.process_time() - spent:.2f} s of CPU); longest turn of the window's event "
          f"loop {1000 * longest:.0f} ms")  # fmt: skip
    pump(1.0)
    print(f"resident: {before:.0f} MB before, {resident_mb():.0f} MB with the list")
    seed_index(window, count)

    def asked(text: str, sort: str = "name") -> None:
        times = []
        for turn in range(5):
            done = []
            window.queue.found_changed.connect(lambda done=done: done.append(1))
            window.queue._query = parse(text)
            start = time.perf_counter()
            window.queue.set_order(sort, turn % 2 == 0)
            until(lambda done=done: bool(done))
            times.append(time.perf_counter() - start)
        shown = window.images.model.rowCount()
        print(f"{text or 'everything':32} by {sort:9} {1000 * statistics.median(times):6.0f} ms, "
              f"{shown} rows")  # fmt: skip

    for text, sort in (
        ("", "name"), ("", "doubt"), ("", "random"), ("status:done", "name"),
        ("name:00012*", "name"), ("class:car>5%", "doubt"),
        ("doubt>0.3 -class:bus corrected>1%", "corrected"),
    ):  # fmt: skip
        asked(text, sort)
    longest = 0.0
    bar = window.images.view.verticalScrollBar()
    for part in range(40):
        bar.setValue(bar.maximum() * part // 40)
        pump(0.01)
    print(f"scrolling through: longest turn {1000 * longest:.0f} ms")
    window.images.set_look("medium")
    start = time.perf_counter()
    window.grab()
    print(f"to the grid and painted: {1000 * (time.perf_counter() - start):.0f} ms")
    longest = 0.0
    start = time.perf_counter()
    window.queue.set_status(window.queue.images, "done")
    pump(0.05)
    done = window.session.project
    done.flush()
    print(f"status of all: {time.perf_counter() - start:.2f} s, longest turn "
          f"{1000 * longest:.0f} ms")  # fmt: skip
    pump(1.0)
    print(f"resident at the end: {resident_mb():.0f} MB")
    window.close()
    session.close()


def seed_index(window, count: int) -> None:
    """Give every image measures, and a tenth of them labels."""
    index = window.queue.index
    with index.database.writing() as c:
        c.execute("UPDATE images SET margin = (id * 7919 % 1000) / 1000.0, height = 720, "
                  "width = 960, pixel_count = 691200, corrected_px = id * 31 % 40000")  # fmt: skip
        c.execute("UPDATE images SET status = 'done', labels_digest = 'x' WHERE id % 10 = 0")
        for name, share in (("car", 0.08), ("bus", 0.02), ("road", 0.4)):
            c.execute("INSERT INTO areas SELECT id, ?, ?, CAST(691200 * ? * (id % 7) / 3 AS "
                      "INTEGER) FROM images WHERE id % 10 = 0", (name, name, share))  # fmt: skip


if __name__ == "__main__":
    main()
