"""A folder of 100 000 images as a project: opening, listing, selecting, memory.

    python benchmarks/project.py [--images 100000] [--window]

Each figure is the median of several runs; memory is the largest resident set of this process.
`--window` opens the folder in a window, too, and tells when the first image can be painted and
when the list is complete. Images are links to one small picture.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from pspgui.imaging import encode_png, list_images
from pspgui.project.project import open_project
from pspgui.project.queries import parse
from pspgui.project.query_rows import order_sql, where_sql


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=100_000)
    parser.add_argument("--window", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["XDG_CACHE_HOME"] = os.environ["XDG_DATA_HOME"] = f"{folder}/home"
        os.environ["XDG_CONFIG_HOME"] = f"{folder}/home"
        root = Path(folder) / "images"
        make_folder(root, options.images)
        if options.window:
            measure_window(root, options.images)
        else:
            measure_project(root)


def make_folder(root: Path, count: int) -> None:
    """Fill a folder with links to one picture."""
    root.mkdir()
    first = root.parent / "picture.png"
    pixels = np.random.default_rng(0).integers(0, 255, (96, 128, 3)).astype(np.uint8)
    first.write_bytes(encode_png(pixels))
    for number in range(count):
        if number % 50_000 == 0:  # file systems bound the links of one file
            source = root.parent / f"picture{number}.png"
            source.write_bytes(first.read_bytes())
        os.link(source, root / f"frame_{number:06}.png")


def measure_project(root: Path) -> None:
    """Print what the project and its index take."""
    say("list the folder", clock(lambda: list_images(root), 3))
    images = list_images(root)
    before = memory_mb()
    start = time.perf_counter()
    project = open_project(root)
    say("open the project, first time", time.perf_counter() - start)
    say("fill the index, first time", clock(lambda: project.index.add_images(images), 1))
    say("fill the index, nothing new", clock(lambda: project.index.add_images(images), 3))
    start = time.perf_counter()
    project.demand_change()
    say("make it a project (first edit)", time.perf_counter() - start)
    say("set one status", clock(lambda: project.index.set_status(images[:1], "done"), 21))
    say("set 1 000 statuses", clock(lambda: project.index.set_status(images[:1000], "done"), 5))
    fill_statistics(project, images)
    for query in ("", "status:done", "class:car>5%", "doubt>0.3 name:*7*", "-class:bus"):
        for sort in ("name", "doubt"):
            where, values = where_sql(parse(query), time.time())
            order = order_sql(sort)
            index = project.index
            seconds = clock(lambda w=where, v=values, o=order, i=index: i.select(w, v, o), 5)
            say(f"select {query or 'all'!r} by {sort}", seconds)
    ids = project.index.select()
    say("read 100 rows", clock(lambda: project.index.images(ids[:100]), 11))
    say("sum up", clock(project.index.totals, 3))
    say("close", clock(project.close, 1))
    start = time.perf_counter()
    project = open_project(root)
    say("open the project again", time.perf_counter() - start)
    project.close()
    print(f"{'memory before, largest':<34}{before:8.0f} MB, {memory_mb():.0f} MB")


def fill_statistics(project, images) -> None:
    """Let every image have eleven classes, a margin and a fifth of them a status."""
    rng = np.random.default_rng(1)
    names = ("car", "bus", "road", "sky", "tree", "pole", "sign", "fence", "wall", "person", "")
    with project.index.database.writing() as c:
        c.executemany(
            "UPDATE images SET margin = ?, labels_digest = 'd', pixel_count = 12288 WHERE id = ?",
            [(float(m), i + 1) for i, m in enumerate(rng.random(len(images)))],
        )
        c.executemany(
            "INSERT OR REPLACE INTO areas VALUES (?, ?, ?, ?)",
            [
                (i + 1, name, name, int(px))
                for i, row in enumerate(rng.integers(0, 2000, (len(images), len(names))))
                for name, px in zip(names, row, strict=True)
            ],
        )
    project.index.set_status(images[::5], "done")


def measure_window(root: Path, count: int) -> None:
    """Print when a window is of use with such a folder."""
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    from PySide6.QtWidgets import QApplication

    from pspgui.gui.document import Document
    from pspgui.gui.engine_thread import Engine
    from pspgui.gui.main_window import MainWindow
    from pspgui.gui.session import Session
    from pspgui.gui.settings import Settings

    application = QApplication(sys.argv[:1])
    settings, document, engine = Settings(), Document(), Engine()
    session = Session(document, engine, settings)
    window = MainWindow(document, session, settings)
    window.show()
    engine.start()
    application.processEvents()
    before = memory_mb()
    longest = 0.0
    start, worked = time.perf_counter(), time.process_time()
    session.open_path(root)

    def wait(done: Callable[[], bool]) -> float:
        nonlocal longest
        while not done():
            turn = time.perf_counter()
            application.processEvents()
            longest = max(longest, time.perf_counter() - turn)
            time.sleep(0.0005)
        return time.perf_counter() - start

    def tell(what: str, done: Callable[[], bool]) -> None:
        say(what, wait(done), time.process_time() - worked)

    project = session.project
    tell("first image on the canvas", lambda: document.image is not None)
    tell("list complete in the panel", lambda: window.images.model.rowCount() == count)
    tell("project open", lambda: project.project is not None)
    rows = window.queue
    tell("index filled", lambda: rows.listing is not None and 0 not in rows.listing.ids)
    say("longest turn of the window", longest)
    print(f"{'memory before, largest':<34}{before:8.0f} MB, {memory_mb():.0f} MB")
    window.close()
    session.close()


def clock(work: Callable[[], object], times: int) -> float:
    """Return the median seconds of some runs."""
    found = []
    for _ in range(times):
        start = time.perf_counter()
        work()
        found.append(time.perf_counter() - start)
    return statistics.median(found)


def say(what: str, seconds: float, worked: float | None = None) -> None:
    """Print one figure, and the CPU time of all threads by then."""
    beside = "" if worked is None else f"   CPU {1000 * worked:.0f} ms"
    print(f"{what:<34}{1000 * seconds:10.1f} ms{beside}")


def memory_mb() -> float:
    """Return the largest resident set so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
