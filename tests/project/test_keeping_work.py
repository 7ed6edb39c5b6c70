"""Nothing is lost: programs killed, power cut, disks that fail or are full."""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from disks import FAULTS, FailingDisk, Medium, RecordingDisk, files_below
from workbench import SHAPE, Workbench, bench_at

from pspgui import durable
from pspgui.durable import RESERVE_NAME, Disk, SaveError, keep_reserve, write_durably
from pspgui.project import LabelStore, StrokeJournals, journaling

HERE = Path(__file__).parent


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="programs are made by fork")
@pytest.mark.timeout(1000)
def test_a_thousand_killed_programs_lose_no_stroke_older_than_a_second(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(HERE / "kill_server.py"), str(tmp_path / "work"), "1000", "0.3"],
        capture_output=True, text=True, timeout=950,
        env={**os.environ, "PYTHONPATH": str(HERE.parents[1])},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    report = json.loads(done.stdout)
    assert report["kills"] == 1000
    assert report["strange"] == report["lost"] == [], done.stderr[-2000:]
    assert report["promised"] > 30 and report["offered"] > 30 and report["history"] > 1000


@pytest.fixture
def recorded(tmp_path, monkeypatch):
    """Paint and save on a disk that writes everything down."""
    root = tmp_path / "disk"
    root.mkdir()
    bench = bench_at(root)
    rng = np.random.default_rng(3)
    bench.stroke(rng)
    bench.save()
    bench.stroke(rng)  # is lost at first, then recovered
    bench.journals.close(20)
    before = files_below(root)
    disk = RecordingDisk(root)
    monkeypatch.setattr(durable, "disk", disk)
    bench = bench_at(root)
    states = [bench.state()]
    bench.recover()
    states.append(bench.state())
    bench.journals.drain()
    for act in ("stroke", "save", "stroke", "undo", "stroke", "save", "stroke"):
        if act == "save":
            bench.save()
        elif act == "undo":
            bench.history.undo()
        else:
            assert bench.stroke(rng)
        bench.journals.drain()
        states.append(bench.state())
    bench.journals.close(20)
    monkeypatch.undo()
    return before, disk.acts, states


@pytest.mark.parametrize("written", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("new_names", [False, True])
def test_a_power_cut_leaves_the_old_state_or_the_new(
    recorded, tmp_path: Path, new_names: bool, written: float
) -> None:
    before, acts, states = recorded
    medium, root = Medium(before), tmp_path / "after"
    newest = 0
    for number in range(len(acts) + 1):
        medium.lay_out(root, new_names, written)
        bench = bench_at(root)
        bench.walk_history()
        bench.history.listener = None
        bench.before = 0
        bench.recover()
        found = [i for i, state in enumerate(states) if state == bench.state()]
        assert found, f"a third state after {number} of {len(acts)} acts"
        found = [i for i in found if i >= newest]  # an undo makes an earlier state once more
        assert found, f"an older state after {number} of {len(acts)} acts"
        # What was once found without what was not synced is durable for good.
        if written == 0.0 and not new_names:
            newest = min(found)
        if number < len(acts):
            medium.do(acts[number])
    assert bench.state() == states[-1]


def told(error: Exception | str, image: Path) -> None:
    text = str(error)
    assert image.name in text or str(image.parent) in text, text
    assert "Traceback" not in text and len(text) < 600, text


def named(part: int | bool | None) -> str:
    if isinstance(part, bool):
        return "lasting" if part else "once"
    return "short" if part is None else errno.errorcode[part]


@pytest.mark.parametrize(("code", "lasting"), FAULTS, ids=named)
def test_whichever_call_fails_nothing_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int | None, lasting: bool
) -> None:
    monkeypatch.setattr(journaling, "_RETRY_S", 0.005)
    monkeypatch.setattr(journaling, "_GATHER_S", 0.0)
    template = tmp_path / "template"
    template.mkdir()
    first = bench_at(template)
    first.stroke(np.random.default_rng(1))
    first.save()
    first.journals.close(20)
    failures = 0
    for at in range(1, 200):
        folder = tmp_path / "now"
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(template, folder)
        store = LabelStore(folder / "elsewhere")
        journals = StrokeJournals(store.homes)
        bench = Workbench(folder / "x.jpg", store, journals)
        disk = FailingDisk(at, code, lasting)
        monkeypatch.setattr(durable, "disk", disk)
        old, rng = bench.state(), np.random.default_rng(2)
        assert bench.stroke(rng)
        journals.drain()
        try:
            bench.save()
        except SaveError as error:
            told(error, bench.image)
            failures += 1
            kept = LabelStore(folder / "elsewhere").load(bench.image, SHAPE)
            assert kept is not None
            assert kept.labels.tobytes() in (old[0], bench.state()[0])
        disk.works = True
        assert bench.stroke(rng)
        bench.save()
        assert journals.close(20)
        monkeypatch.setattr(durable, "disk", Disk())
        again = bench_at(folder)
        assert again.state() == bench.state()
        again.walk_history()
        assert again.found.lost is None
        if not disk.was_reached:
            break
    assert at > 15 and disk.count < at, "every call was let fail once"
    assert failures > 5 or code in (None, errno.EACCES)  # where one may not write there is another


FULL = """
import sys
sys.path.insert(0, {here!r})
import numpy as np
from pathlib import Path
from workbench import bench_at
from pspgui.durable import SaveError
if {limit}:
    import resource, signal
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
bench = bench_at(Path(sys.argv[1]))
rng = np.random.default_rng(0)
bench.stroke(rng); bench.save()
old = bench.state()
filler = Path(sys.argv[1]) / "filler"
if {limit}:
    resource.setrlimit(resource.RLIMIT_FSIZE, (2500, resource.RLIM_INFINITY))
else:
    import os
    handle = os.open(filler, os.O_WRONLY | os.O_CREAT)
    try:
        while os.write(handle, bytes(4096)):
            pass
    except OSError:
        pass
    os.close(handle)
bench.map.labels[:] = rng.integers(0, 255, bench.map.shape)
try:
    bench.save()
    print("saved")
except SaveError as error:
    print(error)
again = bench_at(Path(sys.argv[1]))
print("old stands", again.state() == old)
if {limit}:
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
else:
    filler.unlink()
bench.save()
print("retried", bench_at(Path(sys.argv[1])).state() == bench.state())
"""


def full_disk(folder: Path, limit: bool, *before: str) -> str:
    program = FULL.format(here=str(HERE), limit=limit)
    done = subprocess.run(
        [*before, sys.executable, "-c", program, str(folder)],
        capture_output=True, text=True, timeout=240,
        env={**os.environ, "PYTHONPATH": str(HERE.parents[1])},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


@pytest.mark.skipif(os.name != "posix", reason="needs a limit on file size")
def test_a_file_that_may_not_grow_keeps_the_old_one_and_retries(tmp_path: Path) -> None:
    heard = full_disk(tmp_path, True)
    assert "x.png was not saved: File too large (" in heard and "MB free)" in heard
    assert "old stands True" in heard and "retried True" in heard


def test_a_really_full_disk_keeps_the_old_file_and_retries(tmp_path: Path) -> None:
    mount = 'mount -t tmpfs -o size=256k none "$0" && exec "$@"'
    inside = ("unshare", "-rm", "sh", "-c", mount, str(tmp_path))
    if (
        shutil.which("unshare") is None
        or subprocess.run(
            [*inside, "true"], capture_output=True, timeout=20, check=False
        ).returncode
    ):
        pytest.skip("a small file system cannot be mounted here")
    heard = full_disk(tmp_path, False, *inside)
    assert "was not saved: No space left on device (0.0 MB free)" in heard
    assert "old stands True" in heard and "retried True" in heard


def test_the_reserve_is_let_go_on_a_full_disk_and_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / ".pspgui"
    home.mkdir()
    keep_reserve(home)
    assert (home / RESERVE_NAME).stat().st_size == durable.RESERVE_BYTES

    class FullDisk(Disk):
        def write(self, handle: int, content: bytes | memoryview) -> int:
            if (home / RESERVE_NAME).exists():
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return super().write(handle, content)

    with monkeypatch.context() as patched:
        patched.setattr(durable, "disk", FullDisk())
        write_durably(home / "labels" / "x.png", b"labels")
        assert not (home / RESERVE_NAME).exists()
        (home / "journal").write_bytes(b"old")
        keep_reserve(home)
        patched.setattr(durable, "disk", FullDisk())
        durable.append_durably(home / "journal", b" new")
    assert (home / "journal").read_bytes() == b"old new"
    keep_reserve(home)
    assert (home / RESERVE_NAME).exists()


def test_a_failed_append_leaves_no_half(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "journal"
    path.write_bytes(b"whole")
    disk = FailingDisk(3, errno.EIO, False)  # open, write, sync
    monkeypatch.setattr(durable, "disk", disk)
    with pytest.raises(OSError, match="Input/output"):
        durable.append_durably(path, b" and half")
    assert path.read_bytes() == b"whole"


def test_leftovers_of_a_crash_are_swept_up(tmp_path: Path) -> None:
    old, new, other = (tmp_path / name for name in (".saving-a.part", ".saving-b.part", "c.part"))
    for path in (old, new, other):
        path.write_bytes(b"x")
    os.utime(old, (1, 1))
    durable.sweep(tmp_path)
    assert not old.exists() and new.exists() and other.exists()
    durable.sweep(tmp_path / "nowhere")


def test_a_folder_that_vanishes_is_not_made_anew(tmp_path: Path) -> None:
    stick = tmp_path / "stick"
    stick.mkdir()
    image = stick / "x.jpg"
    image.touch()
    store = LabelStore(tmp_path / "elsewhere")
    journals = StrokeJournals(store.homes)
    bench = Workbench(image, store, journals)
    bench.stroke(np.random.default_rng(0))
    bench.save()
    shutil.rmtree(stick)
    bench.stroke(np.random.default_rng(1))
    bench.save()
    bench.stroke(np.random.default_rng(2))
    assert journals.close(20)
    assert not stick.exists()
    assert "cannot be written" in store.location_note
    again = Workbench(image, LabelStore(tmp_path / "elsewhere"), StrokeJournals(store.homes))
    again.recover()
    assert again.state() == bench.state()
