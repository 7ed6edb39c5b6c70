"""Kills programs that paint, a thousand times, and sees what is left. Run as a script.

    python kill_server.py FOLDER KILLS SECONDS_OF_LONG_RUNS

Every slot has an image of its own. A run is a fork of this process, which has everything imported
and no threads: it opens the image, recovers what the run before left, proves its history, paints,
undoes and saves, and tells each state on a pipe before the journal gets it. Then it is killed. What
is opened afterwards must be one of those states, and none older than what was told more than a
second before. Prints a JSON object.
"""

from __future__ import annotations

import json
import os
import random
import signal
import struct
import sys
import time
import traceback
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import numpy as np
from workbench import Workbench, bench_at

from pspgui.project import SaveQueue, Snapshot
from pspgui.project.journal import read_journal
from pspgui.project.recovery import journal_path

TOLD = struct.Struct("<Id")  # checksum, time
PROMISE_S = 1.0
SLOTS = 16
LONG_SHARE = 0.08
LIFE = 6  # kills, after which an image is done with: a long history takes long to prove


def paint(folder: Path, pipe: int, seed: int) -> None:
    """Paint until killed."""

    def tell(bench: Workbench) -> None:
        os.write(pipe, TOLD.pack(bench.checksum(), time.monotonic()))

    bench = bench_at(folder, tell)
    bench.walk_history()
    tell(bench)
    bench.recover()
    rng = np.random.default_rng(seed)
    saving = SaveQueue(lambda snapshot: bench.save() or bench.image)
    last = time.monotonic()
    while True:
        act = rng.random()
        if act < 0.75:
            bench.stroke(rng)
        elif act < 0.9:
            bench.history.undo()
        else:
            bench.history.redo()
        if time.monotonic() - last > 0.15:
            # On this very thread, as bench.save() copies: kills land in the midst of it all.
            empty = np.zeros((1, 1), np.uint8)
            saving.submit(Snapshot(bench.image, empty, empty, empty, 0))
            saving.flush()
            last = time.monotonic()
        time.sleep(0.006)


class Run:
    """One program that will be killed."""

    def __init__(self, folder: Path, seed: int, seconds: float):
        self.folder = folder
        self.pipe, write = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            code = 3
            try:
                os.close(self.pipe)
                paint(folder, write, seed)
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(code)
        os.close(write)
        self.end = time.monotonic() + seconds
        self.told = b""
        os.set_blocking(self.pipe, False)

    def listen(self) -> None:
        try:
            while part := os.read(self.pipe, 1 << 16):
                self.told += part
        except BlockingIOError:
            pass

    def kill(self) -> tuple[float, list[tuple[int, float]]]:
        """End it; return when, and (checksum, time) of the states that it told."""
        at = time.monotonic()
        os.kill(self.pid, signal.SIGKILL)
        _, status = os.waitpid(self.pid, 0)
        self.listen()
        os.close(self.pipe)
        if not os.WIFSIGNALED(status):
            raise AssertionError("the program ended by itself")
        whole = len(self.told) // TOLD.size * TOLD.size
        return at, list(TOLD.iter_unpack(self.told[:whole]))


class Slot:
    """An image, and what is known of its state."""

    def __init__(self, home: Path):
        self.home, self.kills = home, 0
        self.begin()

    def begin(self) -> None:
        """Take a new image."""
        self.folder = self.home / str(self.kills)
        self.folder.mkdir(parents=True)
        self.checksum = bench_at(self.folder).checksum()

    def judge(self, killed: float, told: list[tuple[int, float]], report: dict) -> None:
        """Open the image as the next program will, and compare."""
        path = journal_path(self.folder / ".pspgui", self.folder / "x.jpg")
        if path.exists():
            found = read_journal(path)
            report["torn"] += found.end < path.stat().st_size
        bench = bench_at(self.folder)
        lost = bench.found.lost
        bench.history.listener = None
        report["offered"] += lost is not None
        report["history"] += len(bench.found.done)
        bench.before = 0
        bench.recover()
        now = bench.checksum()
        states = [self.checksum, *(checksum for checksum, _ in told)]
        times = [0.0, *(at for _, at in told)]
        owed = max(i for i, at in enumerate(times) if killed - at > PROMISE_S or i == 0)
        report["promised"] += owed > 1
        if now not in states[owed:]:
            kind = "lost" if now in states else "strange"
            report[kind].append([str(self.folder), owed, len(states)])
        self.checksum = now
        self.kills += 1
        if self.kills % LIFE == 0:
            self.begin()


def main() -> None:
    folder, kills, long_s = Path(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
    report = {"kills": 0, "torn": 0, "offered": 0, "history": 0, "promised": 0, "lost": [],
              "strange": []}  # fmt: skip
    chance = random.Random(7)
    slots = [Slot(folder / str(number)) for number in range(SLOTS)]
    running: dict[Slot, Run] = {}
    begun = 0
    while report["kills"] < kills:
        for slot in slots:
            if slot not in running and begun < kills:
                long = chance.random() < LONG_SHARE
                low, high = (PROMISE_S + 0.1, PROMISE_S + long_s) if long else (0.001, 0.12)
                running[slot] = Run(slot.folder, begun, chance.uniform(low, high))
                begun += 1
        now = time.monotonic()
        for slot, run in list(running.items()):
            run.listen()
            if run.end <= now:
                del running[slot]
                slot.judge(*run.kill(), report)
                report["kills"] += 1
        time.sleep(0.001)
    sys.stdout.write(json.dumps(report))


if __name__ == "__main__":
    main()
