"""How long the window's thread is busy at a stretch while images are opened and predicted.

Run `uv run python benchmarks/turns.py IMAGE IMAGE [--size 3000x2000] [--rounds N]` on a quiet
machine. The images are made as large as said, and opened in turn in a window as the app builds it;
each is predicted some times more, and at last every panel is brought forward. A turn is one round
of the event loop: all events that were waiting, one after another, with whatever they call. Only
the CPU time of the window's own thread within those events counts: what other threads or programs
do beside it does not, nor what the system charges a turn with in which nothing happened (32 ms were
seen on a busy virtual machine, and some of that is within events, too). For each scene the median
over its rounds of the longest turn is printed, the longest of all, and how many turns were longer
than 8 ms. `--who` says which events those turns were made of.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # as `app` does, and so
os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")
ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT)]

LIMIT_MS = 8.0
REST_S = 0.6
WAIT_S = 300.0


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("images", type=Path, nargs="+")
    parser.add_argument("--size", default="3000x2000")
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--cold", action="store_true", help="panels without the warming before")
    parser.add_argument("--who", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        for name in ("CONFIG", "DATA", "CACHE", "STATE"):
            os.environ[f"XDG_{name}_HOME"] = home
        measure(enlarged(options.images, options.size, Path(home)), options)
    sys.stdout.flush()
    os._exit(0)  # nothing of it is kept, and threads may be at work


def enlarged(images: list[Path], size: str, home: Path) -> list[Path]:
    """Return copies of images at another size, in one folder."""
    from PIL import Image

    folder = home / "images"
    folder.mkdir()
    width, height = map(int, size.split("x"))
    copies = [folder / f"{path.stem}.png" for path in images]
    for path, copy in zip(images, copies, strict=True):
        Image.open(path).convert("RGB").resize((width, height), Image.Resampling.BICUBIC).save(
            copy, compress_level=1
        )
    return copies


class Turns:
    """Runs the event loop turn by turn and keeps how long each was. GUI thread only."""

    def __init__(self, application: Any, who: bool) -> None:
        self.application, self.who, self.title = application, who, ""
        self.spent: list[float] = []
        self.scenes: dict[str, list[list[float]]] = {}

    def run(self, until: Callable[[], bool]) -> None:
        """Turn until a condition holds. Raises TimeoutError."""
        end = time.perf_counter() + WAIT_S
        while not until():
            self.once()
            time.sleep(0.001)
            if time.perf_counter() > end:
                raise TimeoutError("the window did not come to rest")

    def once(self) -> None:
        """Make one turn."""
        parts = self.application.parts
        self.application.processEvents()
        self.spent.append(sum(one for one, _ in parts))
        if self.who and self.spent[-1] > LIMIT_MS:
            most = ", ".join(f"{name} {one:.1f}" for one, name in sorted(parts)[:-6:-1])
            print(f"  {self.title}: {self.spent[-1]:.1f} ms: {most}, {len(parts)} in all")
        parts.clear()

    def rest(self) -> None:
        """Let what is under way come to its end."""
        end = time.perf_counter() + REST_S
        self.run(lambda: time.perf_counter() > end)

    def scene(self, title: str, act: Callable[[], object], until: Callable[[], bool]) -> None:
        """Do something within a turn, and turn until it is over and a while longer."""
        from PySide6.QtCore import QTimer

        self.rest()
        self.spent = []
        self.title = title
        QTimer.singleShot(0, act)
        self.once()
        self.run(until)
        self.rest()
        self.scenes.setdefault(title, []).append(self.spent)

    def tell(self) -> None:
        """Print a line for each scene."""
        print(f"{'longest turn, ms of CPU':<34}{'median':>8}{'most':>8}{'> 8 ms':>8}{'rounds':>8}")
        for title, rounds in self.scenes.items():
            longest = [max(spent) for spent in rounds]
            over = sum(one > LIMIT_MS for spent in rounds for one in spent)
            print(f"{title:<34}{statistics.median(longest):8.1f}{max(longest):8.1f}"
                  f"{over:8}{len(rounds):8}", flush=True)  # fmt: skip


def measure(images: list[Path], options: argparse.Namespace) -> None:
    """Open, predict and show panels."""
    from pspgui import places
    from pspgui.gui.document import Document
    from pspgui.gui.engine_thread import Engine
    from pspgui.gui.garbage import GuiGarbage
    from pspgui.gui.main_window import MainWindow
    from pspgui.gui.session import Session
    from pspgui.gui.settings import Settings
    from pspgui.gui.warming import Warming
    from pspgui.jobs.modelling import ModelChoice

    application = make_application()
    garbage = GuiGarbage()
    document, engine, settings = Document(), Engine(), Settings()
    session = Session(document, engine, settings)
    window = MainWindow(document, session, settings)
    window.verbs.choose_theme("dark", remember=False)
    window.resize(1600, 1000)
    window.arrange()
    window.show()
    engine.start()
    session.model_changed.connect(garbage.settle)
    warming = Warming()
    if not options.cold:
        session.predicted.connect(warming.begin)
    turns = Turns(application, options.who)

    answers = []
    session.predicted.connect(lambda: answers.append(document.image_path))
    session.load_first_model(ModelChoice(places.bundled_model(), "cpu"))
    session.open_path(images[0])
    turns.run(lambda: bool(answers))
    turns.run(lambda: not warming.is_running)

    def answered(act: Callable[[], object]) -> Callable[[], object]:
        def acts() -> None:
            answers.clear()
            act()

        return acts

    for k in range(options.rounds):
        image = images[(k + 1) % len(images)]
        turns.scene("another image, and its prediction",
                    answered(lambda image=image: session.show_image(image)),
                    lambda image=image: image in answers)  # fmt: skip
        turns.scene("a later prediction", answered(session.predict_again), lambda: bool(answers))
    for title, dock in window.more.items():
        turns.scene(f"{title}, first shown", lambda dock=dock: forward(dock), lambda: True)
    for title, dock in {"Evidence": window.docks[2], **window.more}.items():
        turns.scene(f"{title}, again", lambda dock=dock: forward(dock), lambda: True)
    turns.tell()


def forward(dock: Any) -> None:
    """Show a panel in front, as its menu does."""
    dock.setVisible(True)
    dock.raise_()


def make_application() -> Any:
    """Return an application that keeps in `parts` what every event took, with its name."""
    from PySide6.QtWidgets import QApplication

    class Timing(QApplication):
        def __init__(self) -> None:
            super().__init__([])
            self.parts: list[tuple[float, str]] = []
            self.is_within = False

        def notify(self, receiver: Any, event: Any) -> bool:
            """Deliver an event; those that others send are theirs."""
            if self.is_within:
                return super().notify(receiver, event)
            name = f"{type(receiver).__name__}({receiver.objectName()}) {event.type().name}"
            self.is_within = True
            began = time.thread_time()
            try:
                return super().notify(receiver, event)
            finally:
                self.is_within = False
                self.parts.append(((time.thread_time() - began) * 1e3, name))

    return Timing()


if __name__ == "__main__":
    main()
