"""One writer: races of processes, owners that died, owners elsewhere."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path

import pytest

from pspgui.project import lock as locks
from pspgui.project import processes
from pspgui.project.lock import Lock, owner_of

# Waits for the start to be given, so that all try within the same milliseconds, tells whether it
# got the lock, and holds it until its input ends. Each round is a line with the lock's path.
RACER = """
import os, sys
from pathlib import Path
from pspgui.project.lock import Lock
print("ready", flush=True)
for line in sys.stdin:
    lock = Lock(Path(line.strip()), "racer")
    owner = lock.acquire()
    print("got" if owner is None else f"no {owner.pid}", flush=True)
    sys.stdin.readline()
    lock.release()
    print("released", flush=True)
"""


@pytest.fixture
def path(tmp_path):
    return tmp_path / "lock"


@pytest.fixture
def racers():
    found = [racer() for _ in range(4)]
    yield found
    for process in found:
        process.stdin.close()
        process.wait(60)


def racer():
    process = subprocess.Popen(
        [sys.executable, "-c", RACER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "ready\n"
    return process


def say(process, text):
    process.stdin.write(f"{text}\n")
    process.stdin.flush()


def test_of_a_hundred_races_each_has_exactly_one_winner(racers, tmp_path):
    for number in range(100):
        path = tmp_path / f"lock{number % 3}"  # files that were there before, too
        for process in racers:
            say(process, path)
        answers = [process.stdout.readline().split() for process in racers]
        winners = [i for i, answer in enumerate(answers) if answer == ["got"]]
        assert len(winners) == 1, f"race {number}: {answers}"
        told = {answer[1] for answer in answers if answer[0] == "no"}
        assert told == {str(racers[winners[0]].pid)}
        for process in racers:
            say(process, "")
        assert {process.stdout.readline() for process in racers} == {"released\n"}


def test_the_second_is_told_who_holds_it(path):
    first, second = Lock(path, "pspgui"), Lock(path, "pspgui repair")
    assert first.acquire() is None
    owner = second.acquire()
    assert (owner.program, owner.pid, owner.host) == ("pspgui", os.getpid(), processes.host())
    assert f"pspgui (pid {os.getpid()} on {processes.host()}) since " in owner.text()
    assert not second.held
    first.release()
    assert owner_of(path) is None
    assert second.acquire() is None
    second.release()


def test_the_lock_of_a_killed_process_is_taken_over_at_once(path):
    process = racer()
    say(process, path)
    assert process.stdout.readline() == "got\n"
    lock = Lock(path, "pspgui")
    assert lock.acquire().pid == process.pid
    process.send_signal(signal.SIGKILL)
    process.wait(60)
    process.stdin.close()
    process.stdout.close()
    assert lock.acquire() is None
    assert owner_of(path).pid == os.getpid()
    lock.release()


def forged(path, **changes):
    """Write a lock of an owner that differs from this process in what is asked."""
    lock = Lock(path, "pspgui")
    assert lock.acquire() is None
    owner = asdict(owner_of(path)) | {"token": "of another"} | changes
    lock.release()
    path.write_text(json.dumps(owner), encoding="utf-8")


def test_a_process_number_that_was_used_again_is_not_the_owner(path):
    forged(path, start="long ago")
    lock = Lock(path, "pspgui")
    assert lock.acquire() is None
    lock.release()


def test_an_owner_that_lives_on_this_machine_keeps_it_however_silent(path):
    forged(path, beaten_at=0.0)
    assert Lock(path, "pspgui").acquire() is not None


class Clock:
    """Stands for time: both clocks of the lock, moved by hand."""

    def __init__(self, monkeypatch):
        self.now = 1_000_000.0
        monkeypatch.setattr(locks.time, "monotonic", lambda: self.now)
        monkeypatch.setattr(locks.time, "time", lambda: self.now)


def test_an_owner_elsewhere_that_fell_silent_is_taken_over_within_three_seconds(path, monkeypatch):
    forged(path, machine="elsewhere", pid=1, beaten_at=999_000.0)
    clock = Clock(monkeypatch)
    lock = Lock(path, "pspgui")
    assert lock.acquire() is not None  # it may live, with a wrong clock
    clock.now += 2.5
    assert lock.acquire() is None
    lock.release()


def test_an_owner_elsewhere_that_beats_keeps_it_whatever_its_clock_says(path, monkeypatch):
    forged(path, machine="elsewhere", beaten_at=5.0)
    clock = Clock(monkeypatch)
    lock = Lock(path, "pspgui")
    for beat in range(2, 8):
        assert lock.acquire() is not None
        clock.now += 2.5
        path.write_text(json.dumps(json.loads(path.read_text()) | {"beat": beat}), encoding="utf-8")


def test_an_owner_elsewhere_that_wrote_just_now_is_given_half_a_minute(path, monkeypatch):
    clock = Clock(monkeypatch)
    forged(path, machine="elsewhere", beaten_at=clock.now)
    lock = Lock(path, "pspgui")
    assert lock.acquire() is not None
    clock.now += 20
    assert lock.acquire() is not None
    clock.now += 11
    assert lock.acquire() is None
    lock.release()


def test_an_owner_shows_that_it_lives_and_notices_when_the_lock_is_taken(path, monkeypatch):
    monkeypatch.setattr(locks, "BEAT_S", 0.02)
    lock, lost = Lock(path, "pspgui"), []
    lock.on_lost = lost.append
    assert lock.acquire() is None
    before = owner_of(path).beat
    until = time.monotonic() + 60
    while (owner_of(path) or locks.Owner("", 0, "", "", "", 0, "", before)).beat <= before:
        assert time.monotonic() < until, "no sign of life"
        time.sleep(0.01)
    with locks._turn(path) as handle:  # as a machine does that thought us dead
        os.ftruncate(handle, 0)
        told = asdict(locks.Owner("pspgui", 7, "other", "elsewhere", "", 0.0, "theirs", 1))
        os.write(handle, json.dumps(told).encode())
    while lock.held:
        assert time.monotonic() < until, "the loss was not noticed"
        time.sleep(0.01)
    lock.release()
    assert [owner.host for owner in lost] == ["other"]
    assert owner_of(path).token == "theirs"


@pytest.mark.parametrize("content", [b"", b"null", b"{", b"\xff\x00", b'{"pid": "x"}', b"[1]"])
def test_a_file_that_makes_no_sense_belongs_to_nobody(path, content):
    path.write_bytes(content)
    lock = Lock(path, "pspgui")
    assert lock.acquire() is None
    assert owner_of(path).pid == os.getpid()
    lock.release()


def test_where_two_machines_had_their_turn_the_later_one_has_it(path, monkeypatch):
    lock = Lock(path, "pspgui", network=True)
    other = asdict(locks.Owner("pspgui", 7, "other", "elsewhere", "", 0.0, "theirs", 1))
    monkeypatch.setattr(
        locks.time, "sleep", lambda _: path.write_text(json.dumps(other), encoding="utf-8")
    )
    assert lock.acquire().token == "theirs"
    assert not lock.held


def test_a_process_is_known_by_its_beginning():
    own = processes.start_of(os.getpid())
    assert own
    assert own == processes.start_of(os.getpid())
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    assert processes.start_of(child.pid) not in ("", own)
    child.communicate(b"\n")
    assert processes.start_of(child.pid) == ""


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="there is no /proc")
def test_an_owner_that_the_system_hides_is_no_dead_one(path, monkeypatch):
    """Processes of other users are not seen everywhere."""
    mine = Lock(path, "mine")
    assert mine.acquire() is None

    def hidden(pid, signal):
        raise PermissionError(1, "no")

    with monkeypatch.context() as patch:
        patch.setattr(os, "kill", hidden)
        assert processes.start_of(1 << 30) == processes.UNKNOWN
        patch.setattr(processes, "start_of", lambda pid: processes.UNKNOWN)
        assert Lock(path, "other").acquire().pid == os.getpid()
    assert processes.start_of(1 << 30) == ""
    mine.release()
    assert owner_of(path) is None
