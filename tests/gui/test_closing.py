"""The window is closed at a hundred moments: the program ends well, and nothing painted is lost."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from fakes import fake_image

from pspgui.imaging import encode_png
from pspgui.labels.classes import CAMVID

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """A random small network of the CamVid classes, as a native checkpoint."""
    from small_networks import small_network

    from pspgui.models.checkpoints.native import save_checkpoint

    path = tmp_path_factory.mktemp("weights") / "small.safetensors"
    network = small_network(3, classes=len(CAMVID))
    save_checkpoint(network, path, network.spec.model_copy(update={"classes": CAMVID}))
    return path


def begin(script, *arguments, home):
    """Start a program of this interpreter with an empty home and a group of its own."""
    environment = dict(
        os.environ, QT_QPA_PLATFORM="offscreen",
        PYTHONPATH=os.pathsep.join(map(str, (ROOT, HERE, HERE.parent))),
    )  # fmt: skip
    for name in ("HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME"):
        environment[name] = str(home)
    return subprocess.Popen(
        [sys.executable, "-X", "faulthandler", str(script), *map(str, arguments)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=home, env=environment,
        start_new_session=True,
    )  # fmt: skip


def assert_ended_well(running, windows):
    """Exit code 0, every window closed, nothing unsaved, no thread or process left."""
    out, err = ended(running, 500)
    assert running.returncode == 0, err
    assert json.loads(out.splitlines()[-1]) == {"windows": windows, "problems": []}, err
    assert_no_orphan(running)


def ended(running, timeout_s):
    """Return what a program wrote; one that does not end is ended, and its stacks are shown."""
    try:
        return running.communicate(timeout=timeout_s)
    except subprocess.TimeoutExpired:
        running.send_signal(signal.SIGABRT)
        raise AssertionError(running.communicate()[1]) from None


def assert_no_orphan(running):
    """No process of the group that the program led is left."""
    if os.name == "posix":
        with pytest.raises(ProcessLookupError):
            os.killpg(running.pid, 0)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_closing_at_any_moment_loses_nothing(tmp_path):
    runs = []
    for seed in (1, 2):
        folder = tmp_path / f"seed{seed}"
        folder.mkdir()
        runs.append(
            begin(HERE / "closing_runs.py", folder, "--count", 36, "--seed", seed, home=folder)
        )
    for running in runs:
        assert_ended_well(running, 36)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_closing_at_any_moment_of_a_real_network_loses_nothing(tmp_path, weights):
    running = begin(
        HERE / "closing_runs.py", tmp_path, "--count", 12, "--weights", weights, home=tmp_path
    )
    assert_ended_well(running, 12)


@pytest.mark.skipif(os.name != "posix", reason="signals of this kind are POSIX's")
def test_the_whole_program_ends_well_whenever_it_is_told_to(tmp_path, weights):
    for number in range(4):
        (tmp_path / f"street{number}.png").write_bytes(encode_png(fake_image(96, 128, number)))
    chance = random.Random(4)
    runs = []
    for number in range(4):
        home = tmp_path / f"home{number}"
        home.mkdir()
        runs.append(begin(ROOT / "main.py", tmp_path, "--weights", weights, home=home))
        wait_for_signals(runs[-1])
        time.sleep(chance.uniform(0, 0.6))
        runs[-1].send_signal(signal.SIGTERM)
    for running in runs:
        _, err = ended(running, 500)
        assert running.returncode == 0, err
        assert_no_orphan(running)


def wait_for_signals(running):
    """Wait until the program handles SIGTERM by itself, which /proc tells; else a while."""
    status, end = Path(f"/proc/{running.pid}/status"), time.monotonic() + 120
    if not status.exists():
        time.sleep(5)
        return
    bit = 1 << (signal.SIGTERM - 1)
    while time.monotonic() < end and running.poll() is None:
        caught = next(line for line in status.read_text().splitlines() if "SigCgt" in line)
        if int(caught.split()[1], 16) & bit:
            return
        time.sleep(0.01)


_TOLD_BEFORE_IT_SHOWS = """
import os, signal, time
from pspgui.app import window_parser
from pspgui.gui import window_app

listen = window_app.TerminalSignals.__init__

def listen_and_be_told(self, window):
    listen(self, window)
    os.kill(os.getpid(), signal.SIGTERM)

window_app.TerminalSignals.__init__ = listen_and_be_told
raise SystemExit(window_app.run(window_parser().parse_args([]), time.time()))
"""


@pytest.mark.skipif(os.name != "posix", reason="signals of this kind are POSIX's")
def test_being_told_to_end_before_the_window_shows_is_not_forgotten(tmp_path):
    script = tmp_path / "told.py"
    script.write_text(_TOLD_BEFORE_IT_SHOWS)
    running = begin(script, home=tmp_path)
    ended(running, 500)
    assert running.returncode == 0
