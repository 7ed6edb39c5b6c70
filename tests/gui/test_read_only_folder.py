"""Row 9 of the scorecard: a folder on a disk that is mounted read-only."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zlib
from pathlib import Path

import pytest
from closing_runs import SHAPE, make_images
from test_closing import HERE, ROOT

from pspgui.labels.edits import MIB
from pspgui.project import LabelStore
from pspgui.project.recovery import Opened, look_up

_MOUNT = 'mount --bind "$0" "$0" && mount -o remount,ro,bind "$0" && exec "$@"'


def mounted(folder: Path, *command: str) -> list[str]:
    """Return the command that runs another one where a folder is mounted read-only."""
    return ["unshare", "-rm", "sh", "-c", _MOUNT, str(folder), *command]


@pytest.fixture
def folder(tmp_path):
    """A folder of images, on a machine where one may mount."""
    home = tmp_path / "images"
    home.mkdir()
    make_images(home)
    if shutil.which("unshare") is None:
        pytest.skip("there is no unshare here, with which to mount a folder")
    tried = subprocess.run(
        mounted(home, "sh", "-c", '! touch "$0/probe"', str(home)), capture_output=True
    )
    if tried.returncode:
        pytest.skip("folders cannot be mounted here")
    return home


@pytest.mark.slow
def test_what_is_painted_on_a_read_only_disk_is_kept_elsewhere_and_said(folder, own_folders):
    before = {path: path.read_bytes() for path in folder.rglob("*")}
    environment = dict(
        os.environ, QT_QPA_PLATFORM="offscreen",
        PYTHONPATH=os.pathsep.join(map(str, (ROOT, HERE, HERE.parent))),
    )  # fmt: skip
    done = subprocess.run(
        mounted(folder, sys.executable, str(HERE / "read_only_run.py"), str(folder)),
        capture_output=True, text=True, timeout=240, env=environment,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["problems"] == [] and told["edits"]
    (words,) = [text for text in told["said"] if "cannot be written" in text]
    assert "are kept in" in words and str(own_folders) in words
    assert {path: path.read_bytes() for path in folder.rglob("*")} == before
    # Where it can be written again, what was painted is found all the same.
    store = LabelStore()
    image = folder / "street0.png"
    stored = store.load(image, SHAPE, to_edit=True)
    assert zlib.crc32(stored.labels.tobytes()) == told["checksum"]
    found = look_up(Opened(image, SHAPE, *stored[:3]), store.homes(image), 256 * MIB)
    assert len(found.done) == told["edits"] and found.lost is None
