"""A save either replaces the file whole or leaves it as it was."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from pspgui.durable import SaveError, printable, write_durably


def names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def test_written_then_replaced_without_leftovers(tmp_path: Path) -> None:
    path = tmp_path / "new" / "x.bin"
    write_durably(path, b"one")
    write_durably(path, b"two")
    assert path.read_bytes() == b"two"
    assert names(path.parent) == ["x.bin"]


def test_mode_of_the_file_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "x.bin"
    path.write_bytes(b"old")
    path.chmod(0o640)
    write_durably(path, b"new")
    assert path.stat().st_mode & 0o777 == 0o640


def refuse(_: bytes) -> None:
    raise ValueError("it does not decode")


def test_a_failed_check_keeps_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "x.bin"
    path.write_bytes(b"old")
    with pytest.raises(SaveError, match=r"it does not decode.*earlier file is untouched"):
        write_durably(path, b"new", refuse)
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["x.bin"]


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_disk_that_fails_keeps_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    def broken(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    path = tmp_path / "x.bin"
    path.write_bytes(b"old")
    monkeypatch.setattr(os, step, broken)
    with pytest.raises(SaveError, match=r"No space left.*save again"):
        write_durably(path, b"new")
    monkeypatch.undo()
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["x.bin"]


def test_what_comes_back_different_is_not_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "x.bin"
    path.write_bytes(b"old")
    with monkeypatch.context() as patched:
        patched.setattr(Path, "read_bytes", lambda _: b"nex")
        with pytest.raises(SaveError, match="differs from what was written"):
            write_durably(path, b"new")
    assert path.read_bytes() == b"old"


FULL_DISK = """
import resource, signal, sys
from pathlib import Path
from pspgui.durable import SaveError, write_durably
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    write_durably(Path(sys.argv[1]), bytes(100_000))
except SaveError as error:
    print(error)
"""


@pytest.mark.skipif(not hasattr(signal, "SIGXFSZ"), reason="needs a limit on file size")
def test_a_file_too_large_for_the_system_keeps_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "x.bin"
    path.write_bytes(b"old")
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(path)],
        capture_output=True, text=True, timeout=240, check=True,
    )  # fmt: skip
    assert "was not saved: File too large" in done.stdout
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["x.bin"]


def test_a_folder_in_the_way_is_named(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"a file")
    with pytest.raises(SaveError, match=r"x/y\.bin was not saved"):
        write_durably(tmp_path / "x" / "y.bin", b"new")


def test_the_longest_name_can_be_saved(tmp_path: Path) -> None:
    path = tmp_path / ("x" * 255)
    write_durably(path, b"new")
    assert path.read_bytes() == b"new"


def test_names_are_printable() -> None:
    assert printable(os.fsdecode(b"stra\xdfe.png")) == "stra\\xdfe.png"
    assert printable("Straße.png") == "Straße.png"
    assert printable("two\nlines\x1b[31m") == "two\\nlines\\x1b[31m"
