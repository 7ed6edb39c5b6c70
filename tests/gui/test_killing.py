"""Row 1 of the scorecard on the real window: SIGKILL while somebody paints in it, and open again.

PSPGUI_KILLS=50 kills that many, as is done at night.
"""

from __future__ import annotations

import os
import random
import select
import signal
import time
import zlib
from pathlib import Path

import numpy as np
import pytest
from closing_runs import IMAGES, SHAPE, make_images
from fakes import fake_image
from killed_runs import TOLD, image_path
from test_closing import HERE, begin

from pspgui.labels.edits import MIB
from pspgui.project import LabelStore
from pspgui.project.checking import check_project
from pspgui.project.recovery import Opened, look_up

KILLS = int(os.environ.get("PSPGUI_KILLS", "3"))
PROMISE_S = 1.0
# What a kill may leave: the end of a journal cut short, files begun beside others, an index behind.
UNAVOIDABLE = {"torn", "part", "index"}

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals of this kind are POSIX's")


def checksum(labels: np.ndarray) -> int:
    return zlib.crc32(labels.tobytes())


def reopened(store: LabelStore, folder: Path, number: int) -> tuple[int, bool]:
    """Return the checksum of an image's labels with what was lost, and whether anything was."""
    path = image_path(folder, number)
    stored = store.load(path, SHAPE, to_edit=True)
    opened = Opened(path, SHAPE, *(stored[:3] if stored is not None else (None, None, "")))
    found = look_up(opened, store.homes(path), 256 * MIB)
    labels = stored.labels.copy() if stored is not None else predicted(number)
    if found.lost is not None:
        where = found.lost.rect.slices
        np.copyto(labels[where], found.lost.labels, where=found.lost.mask)
    return checksum(labels), found.lost is not None


def predicted(number: int) -> np.ndarray:
    """Return what the made-up network says of an image."""
    return np.ascontiguousarray(fake_image(*SHAPE, seed=number)[..., 0] % 11).astype(np.uint8)


class Window:
    """A running window that tells what its labels are."""

    def __init__(self, folder: Path, home: Path, seed: int) -> None:
        self.program = begin(HERE / "killed_runs.py", folder, "--seed", seed, home=home)
        self.told = b""

    def listen(self, until: float, first: bool = False) -> None:
        """Take in what it tells until a time, or until it tells something."""
        out = self.program.stdout.buffer.raw
        while time.monotonic() < until and not (first and self.told):
            ready, _, _ = select.select([out], [], [], max(0, until - time.monotonic()))
            if ready:
                part = out.read(1 << 16)
                assert part, self.program.stderr.read()
                self.told += part

    def kill(self) -> float:
        """Kill it; return when."""
        at = time.monotonic()
        self.program.send_signal(signal.SIGKILL)
        out, err = self.program.stdout.buffer.raw, self.program.stderr
        assert self.program.wait(30) == -signal.SIGKILL, err.read()
        while part := out.read(1 << 16):
            self.told += part
        self.program.stdout.close()
        err.close()
        return at

    def states(self) -> list[tuple[int, int, float, bool]]:
        """Return what it told: image, checksum, time, whether that was on opening."""
        whole = len(self.told) // TOLD.size * TOLD.size
        return list(TOLD.iter_unpack(self.told[:whole]))


def judge(known, states, killed, now, number):
    """Return what was lost of an image's work, "" for no more than the promise allows."""
    mine = [(sum_, at) for image, sum_, at, _ in states if image == number]
    sums = [known, *(sum_ for sum_, _ in mine)]
    times = [0.0, *(at for _, at in mine)]
    owed = max(i for i, at in enumerate(times) if killed - at > PROMISE_S or i == 0)
    if now in sums[owed:]:
        return ""
    kind = "older than promised" if now in sums else "nothing that was ever shown"
    return f"{kind} (state {owed} of {len(sums)} was owed)"


@pytest.mark.slow
@pytest.mark.timeout(120 + 60 * KILLS)
def test_a_killed_window_loses_at_most_the_last_second(tmp_path):
    folder, home = tmp_path / "images", tmp_path / "home"
    folder.mkdir()
    home.mkdir()
    make_images(folder)
    store = LabelStore(folder / "elsewhere")
    known = {number: checksum(predicted(number)) for number in range(IMAGES)}
    chance, told, offered = random.Random(8), 0, 0
    for kill in range(KILLS):
        window = Window(folder, home, kill)
        if kill % 5 == 4:  # while it starts
            window.listen(time.monotonic() + chance.uniform(0, 2.5))
        else:
            window.listen(time.monotonic() + 120, first=True)
            window.listen(time.monotonic() + chance.uniform(0.02, 3))
        killed = window.kill()
        states = window.states()
        told += len(states)
        shown = {}
        for number, sum_, _, opened in states:
            if opened and number not in shown:
                assert sum_ == known[number], f"kill {kill}: image {number} opened otherwise"
            shown[number] = sum_
        for number in range(IMAGES):
            now, lost = reopened(store, folder, number)
            offered += lost
            problem = judge(known[number], states, killed, now, number)
            assert not problem, f"kill {kill}, image {number}: {problem}"
            known[number] = now
        problems = [p for p in check_project(folder).problems if p.kind not in UNAVOIDABLE]
        assert not problems, [problem.line() for problem in problems]
    assert told > 20 * KILLS
    print(f"{KILLS} kills, {told} states told, {offered} images with strokes to recover")  # noqa: T201
