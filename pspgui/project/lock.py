"""One writer for one project: a lock file that says who holds it, and taking over from the dead.

The file is never deleted. Whoever wants to change it holds the system's own lock on it for that
moment, so of many that come at once one gets it. It holds the owner's host, process and a counter
that grows while the owner lives. An owner on this machine is dead when its process is gone or is
another one by now; on another machine, or where the system does not say, when its counter has
stood still for long.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pspgui.project import processes

BEAT_S: Final = 1.0
STALE_S: Final = 30.0  # an owner elsewhere that wrote this long ago may be dead ...
_WATCH_S: Final = 2.2  # ... and is, when its counter stands still for two beats
_TURN_S: Final = 2.0
_SETTLE_S: Final = 0.4
_FAR: Final = 1 << 30  # Windows locks bytes, so one that nobody reads
_MOST_BYTES: Final = 1 << 16
_QUICKLY: Final = getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NONBLOCK", 0)


@dataclass(frozen=True)
class Owner:
    """Who holds a lock: program, process and host, since when (seconds since 1970).

    `start` is when the process began, `token` is the lock's own, `beat` counts its signs of life,
    the last of which was given at `beaten_at`.
    """

    program: str
    pid: int
    host: str
    machine: str
    start: str
    since: float
    token: str
    beat: int = 0
    beaten_at: float = 0.0

    def text(self) -> str:
        """Return the owner in the words of a message: "pspgui (pid 12 on ada) since 14:02"."""
        day = time.localtime(self.since)
        today = time.localtime()[:3] == day[:3]
        since = time.strftime("%H:%M" if today else "%Y-%m-%d %H:%M", day)
        return f"{self.program} (pid {self.pid} on {self.host}) since {since}"


class Lock:
    """The lock of one project, held by at most one `Lock` anywhere. Any thread.

    `acquire` never waits long; who does not get it may ask again, which is also how a dead owner
    on another machine is found out.
    """

    def __init__(self, path: Path, program: str, network: bool = False) -> None:
        """Lock by this file; on a network the claim is looked at again after a moment."""
        self.path, self._network = path, network
        self._program = program
        self._token = uuid.uuid4().hex
        self._since = 0.0
        self._beat = 0
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None
        self._lost: Owner | None = None
        self._watched: tuple[str, int, float] | None = None
        self.held = False
        # Called on the lock's own thread with the new owner, once somebody else has it.
        self.on_lost: Callable[[Owner | None], None] = _ignore
        self.on_beat: Callable[[], None] = _nothing

    def acquire(self) -> Owner | None:
        """Take the lock, from a dead owner too; return None once it is held, else its owner.

        Raises `OSError` when the file cannot be written.
        """
        if self.held:
            return None
        with _turn(self.path) as handle:
            owner = _read(handle)
            if owner is not None and owner.token != self._token and not self._is_dead(owner):
                return owner
            self._since = time.time()
            self._write(handle)
        if self._network:  # where two machines may both have had their turn, the later one has it
            time.sleep(_SETTLE_S)
            owner = owner_of(self.path)
            if owner is not None and owner.token != self._token:
                return owner
        self.held = True
        self._ended.clear()
        self._thread = threading.Thread(target=self._live, name="pspgui-lock", daemon=True)
        self._thread.start()
        return None

    def release(self) -> None:
        """Let go of the lock; quiet when it is not held."""
        self._ended.set()
        thread, self._thread = self._thread, None
        if thread is not None and thread is not threading.current_thread():
            thread.join()
        if not self.held:
            return
        self.held = False
        with contextlib.suppress(OSError), _turn(self.path) as handle:
            owner = _read(handle)
            if owner is not None and owner.token == self._token:
                os.ftruncate(handle, 0)

    # -- inside -------------------------------------------------------------------------------

    def _is_dead(self, owner: Owner) -> bool:
        if owner.machine == processes.machine():
            start = processes.start_of(owner.pid)
            if processes.UNKNOWN not in (start, owner.start):
                return start != owner.start
        now = time.monotonic()
        seen = self._watched
        if seen is None or seen[:2] != (owner.token, owner.beat):
            self._watched = (owner.token, owner.beat, now)
            return False
        stood_still_s = now - seen[2]
        # By its own clock it may have been silent for long already; clocks of machines differ.
        silent_s = max(stood_still_s, time.time() - owner.beaten_at)
        return stood_still_s >= _WATCH_S and silent_s >= STALE_S

    def _write(self, handle: int) -> None:
        self._beat += 1
        told = {
            "program": self._program, "pid": os.getpid(), "host": processes.host(),
            "machine": processes.machine(), "start": processes.start_of(os.getpid()),
            "since": self._since, "token": self._token, "beat": self._beat,
            "beaten_at": time.time(),
        }  # fmt: skip
        content = json.dumps(told).encode("ascii")
        os.lseek(handle, 0, os.SEEK_SET)
        os.write(handle, content)
        os.ftruncate(handle, len(content))

    def _live(self) -> None:
        """Give signs of life until released; notice when somebody else took the lock."""
        while not self._ended.wait(BEAT_S):
            self.on_beat()
            owner: Owner | None = None
            try:
                with _turn(self.path) as handle:
                    owner = _read(handle)
                    if owner is not None and owner.token == self._token:
                        self._write(handle)
                        continue
            except (OSError, TimeoutError):
                continue  # such as a network that is away for a moment
            self.held = False
            self._ended.set()
            self.on_lost(owner)


def owner_of(path: Path) -> Owner | None:
    """Return who holds a lock by its file, dead or alive; None for nobody. Any thread."""
    try:
        handle = os.open(path, os.O_RDONLY | _QUICKLY)
    except OSError:
        return None
    try:
        return _read(handle)
    except OSError:  # no file, but a pipe or a device
        return None
    finally:
        os.close(handle)


@contextlib.contextmanager
def _turn(path: Path) -> Iterator[int]:
    """Open the file and be the only one to change it; raises `OSError`."""
    handle = os.open(path, os.O_RDWR | os.O_CREAT | _QUICKLY, 0o666)
    try:
        _wait_for_turn(handle)
        yield handle
    finally:
        os.close(handle)  # which ends the turn


def _wait_for_turn(handle: int) -> None:
    until = time.monotonic() + _TURN_S
    while True:
        try:
            _take_turn(handle)
            return
        except (BlockingIOError, PermissionError) as error:
            if time.monotonic() > until:
                raise TimeoutError("the lock file is busy") from error
        except OSError:
            return  # a file system without locks: the counter alone has to do
        time.sleep(0.005)


def _take_turn(handle: int) -> None:
    if sys.platform == "win32":
        import msvcrt

        os.lseek(handle, _FAR, os.SEEK_SET)
        msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
    else:
        import fcntl

        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _read(handle: int) -> Owner | None:
    """Return who the file says holds the lock; None where it says nothing that makes sense."""
    os.lseek(handle, 0, os.SEEK_SET)
    try:
        told: Any = json.loads(os.read(handle, _MOST_BYTES) or b"null")
        return None if told is None else Owner(
            str(told["program"]), int(told["pid"]), str(told["host"]), str(told["machine"]),
            str(told["start"]), float(told["since"]), str(told["token"]), int(told["beat"]),
            float(told["beaten_at"]),
        )  # fmt: skip
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
        return None


def _ignore(owner: Owner | None) -> None:
    """Do nothing about a lost lock."""


def _nothing() -> None:
    """Do nothing at a beat."""
