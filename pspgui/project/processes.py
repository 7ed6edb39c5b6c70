"""Which process holds something: its machine, its number, and when it began."""

from __future__ import annotations

import contextlib
import ctypes
import os
import socket
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any, Final

UNKNOWN: Final = "unknown"
_QUERY_LIMITED: Final = 0x1000  # Windows, PROCESS_QUERY_LIMITED_INFORMATION
_STILL_ACTIVE: Final = 259


@cache
def host() -> str:
    """Return the name of this machine."""
    return socket.gethostname() or "unknown host"


@cache
def machine() -> str:
    """Return what tells apart machines, boots and containers within which numbers are unique."""
    parts = [host()]
    for source in ("/proc/sys/kernel/random/boot_id", "/proc/self/ns/pid"):
        with contextlib.suppress(OSError):
            path = Path(source)
            parts.append(str(path.readlink()) if path.is_symlink() else path.read_text().strip())
    return " ".join(parts)


def start_of(pid: int) -> str:
    """Return when a running process began, in the system's own words; "" if there is none.

    A number that is used again has another beginning. UNKNOWN where the system does not say.
    """
    if sys.platform == "win32":
        return _start_on_windows(pid)
    try:
        fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
        return "" if fields[0] in (b"Z", b"X") else fields[19].decode("ascii")
    except FileNotFoundError:
        if Path("/proc/self/stat").exists():
            return UNKNOWN if _is_hidden(pid) else ""
    except (OSError, IndexError, UnicodeDecodeError):
        pass
    return _start_by_ps(pid)


def _is_hidden(pid: int) -> bool:
    """Whether there is a process that this user may not see, as of others under `hidepid`."""
    try:
        os.kill(pid, 0)
    except PermissionError:
        return True
    except (OSError, OverflowError):
        return False
    return False


def _start_by_ps(pid: int) -> str:
    try:
        asked = subprocess.run(
            ["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, timeout=2, check=False,
            env={**os.environ, "LC_ALL": "C", "TZ": "UTC"},
        )  # fmt: skip
        return asked.stdout.decode("ascii", "replace").strip()
    except (OSError, subprocess.SubprocessError):
        return UNKNOWN


def _start_on_windows(pid: int) -> str:
    windows: Any = getattr(ctypes, "windll")  # noqa: B009 - unknown to mypy elsewhere
    kernel = windows.kernel32
    kernel.OpenProcess.restype = ctypes.c_void_p
    handle = kernel.OpenProcess(_QUERY_LIMITED, False, pid)
    if not handle:
        return ""
    handle = ctypes.c_void_p(handle)
    try:
        code = ctypes.c_ulong()
        kernel.GetExitCodeProcess(handle, ctypes.byref(code))
        if code.value != _STILL_ACTIVE:
            return ""
        times = [ctypes.c_ulonglong() for _ in range(4)]
        kernel.GetProcessTimes(handle, *map(ctypes.byref, times))
        return str(times[0].value)
    finally:
        kernel.CloseHandle(handle)
