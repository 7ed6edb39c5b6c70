"""Backups: every reason, restored byte for byte, damage found, thinned by age."""

import errno
import os
import shutil

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pspgui.durable import SaveError
from pspgui.project import backups
from pspgui.project.backups import REASONS, back_up, fault_of, list_backups, restore, thin

DAY_S = 86_400


@pytest.fixture
def home(tmp_path):
    found = tmp_path / ".pspgui"
    for name in ("labels/a.png", "labels/b.png", "classes/a.json", "project.sqlite"):
        path = found / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(os.urandom(3000))
    return found


def contents(home, folders=("labels", "classes")):
    files = [path for name in folders for path in (home / name).rglob("*") if path.is_file()]
    return {path.relative_to(home): path.read_bytes() for path in files}


@pytest.mark.parametrize("reason", REASONS)
def test_what_was_backed_up_for_any_reason_is_restored_byte_for_byte(home, reason):
    before = contents(home)
    made = back_up(home, reason, [home / path for path in before])
    assert [backup.reason for backup in list_backups(home)] == [reason]
    (home / "labels" / "a.png").write_bytes(b"changed")
    (home / "labels" / "b.png").unlink()
    restored = restore(list_backups(home)[0])
    assert contents(home) == before
    assert fault_of(made) == ""
    assert made.size == sum(map(len, before.values()))
    # What was there before is not lost either.
    assert restored.reason == "restore"
    assert restored.stored(home / "labels" / "a.png").read_bytes() == b"changed"


def test_files_that_are_not_there_are_left_out(home):
    made = back_up(home, "import", [home / "labels" / "a.png", home / "labels" / "none.png"])
    assert [name for name, _, _ in made.files] == ["labels/a.png"]
    assert made.stored(home / "labels" / "none.png") is None


def test_odd_names_are_restored(home):
    names = [b"\xff\xfe.png", b"new\nline.png", b"n" * 251 + b".png", "cafe\u0301.png".encode()]
    files = [home / "labels" / os.fsdecode(name) for name in names]
    for file in files:
        file.write_bytes(os.urandom(10))
    before = contents(home)
    back_up(home, "relabel", files)
    for file in files:
        file.unlink()
    restore(list_backups(home)[0])
    assert contents(home) == before


def test_an_unknown_reason_and_a_file_elsewhere_are_refused(home, tmp_path):
    with pytest.raises(ValueError, match="no reason"):
        back_up(home, "because", [])
    with pytest.raises(ValueError, match="subpath"):
        back_up(home, "import", [tmp_path / "a.png"])
    assert list_backups(home) == []


def test_every_flipped_bit_of_a_backup_is_found_and_nothing_is_restored(home):
    made = back_up(home, "import", [home / "labels" / "a.png"])
    stored = made.folder / "files" / "labels" / "a.png"
    manifest = made.folder / backups.MANIFEST
    before = contents(home)
    for path in (stored, manifest):
        whole = path.read_bytes()
        for bit in range(0, len(whole) * 8, max(1, len(whole) * 8 // 50)):
            damaged = bytearray(whole)
            damaged[bit // 8] ^= 1 << bit % 8
            path.write_bytes(damaged)
            listed = list_backups(home)
            assert not listed or fault_of(listed[0]), f"bit {bit} of {path.name}"
            for backup in listed:
                with pytest.raises(SaveError, match="Nothing was changed"):
                    restore(backup)
        path.write_bytes(whole)
    assert contents(home) == before


def test_a_manifest_that_leads_elsewhere_is_no_backup(home, tmp_path):
    made = back_up(home, "import", [home / "labels" / "a.png"])
    backups._write_manifest(
        made.folder, {"reason": "import", "made_at": 1.0, "files": [["../out.png", 1, "0"]]}
    )
    assert list_backups(home) == []


def test_a_full_disk_leaves_nothing_behind(home, monkeypatch):
    def full(handle):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(backups.os, "fsync", full)
    with pytest.raises(SaveError, match="No space left on device"):
        back_up(home, "import", [home / "labels" / "a.png"])
    assert list((home / "backups").iterdir()) == []


def test_labels_set_aside_by_the_store_are_listed_and_restored(home):
    folder = home / "backups"
    folder.mkdir()
    for name in ("a-1700000000000000000.png", "b-theirs-1700000000000000001.png", "note.txt"):
        (folder / name).write_bytes(name.encode())
    listed = list_backups(home)
    assert [(b.reason, b.files[0][0]) for b in listed] == [
        ("misfit", "labels/a.png"), ("misfit", "labels/b.png"),
    ]  # fmt: skip
    restore(listed[0])
    assert (home / "labels" / "a.png").read_bytes() == b"a-1700000000000000000.png"
    assert thin(home, 3e9) == []


def aged(home, made_at, reason):
    """Make a backup and let it have been made then."""
    made = back_up(home, reason, [home / "labels" / "a.png"])
    name = made.name.rpartition("-")
    target = made.folder.with_name(f"20200101T000000.{int(made_at * 10) % 10**9:09d}Z-{reason}")
    shutil.move(made.folder, target)
    backups._write_manifest(
        target, {"reason": reason, "made_at": made_at, "files": [list(f) for f in made.files]}
    )
    return name


AGES = st.lists(
    st.tuples(st.integers(0, 90 * DAY_S), st.sampled_from(["import", "relabel", "repair"])),
    max_size=12, unique=True,
)  # fmt: skip


@settings(max_examples=15, deadline=None)
@given(AGES)
def test_backups_are_thinned_by_age(tmp_path_factory, ages):
    home = tmp_path_factory.mktemp("home")
    (home / "labels").mkdir()
    (home / "labels" / "a.png").write_bytes(b"x")
    now = 1_700_000_000.0
    for age, reason in ages:
        aged(home, now - age, reason)
    before = {(b.made_at, b.reason) for b in list_backups(home)}
    thin(home, now)
    after = {(b.made_at, b.reason) for b in list_backups(home)}
    for made_at, reason in before:
        age = now - made_at
        unit = 1 if age < 30 * DAY_S else 7
        period = made_at // (unit * DAY_S)
        newer = [
            m for m, r in before
            if r == reason and m > made_at and m // (unit * DAY_S) == period
            and (now - m < 30 * DAY_S) == (age < 30 * DAY_S) and now - m >= DAY_S
        ]  # fmt: skip
        stays = age < DAY_S or reason == "repair" or not newer
        assert ((made_at, reason) in after) == stays, (age / DAY_S, reason)
    assert thin(home, now) == []
