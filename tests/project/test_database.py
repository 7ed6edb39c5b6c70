"""One SQLite file that moves, and closes, while other threads read it."""

from __future__ import annotations

import contextlib
import sqlite3
import threading

import pytest

from pspgui.project import database
from pspgui.project.database import Database, connect
from pspgui.project.errors import ProjectError

ADD = "INSERT INTO read_here VALUES (?)"
ALL = "SELECT name FROM read_here ORDER BY name"
NAMES = [f"{number:04}.png" for number in range(400)]


@pytest.fixture
def opened(tmp_path):
    found = Database(tmp_path / "first.sqlite")
    with found.writing() as connection:
        connection.execute("CREATE TABLE read_here (name TEXT)")
        connection.executemany(ADD, [(name,) for name in NAMES])
    yield found
    found.close()


def test_readers_never_notice_that_it_moves(opened, tmp_path):
    trouble, counts, ended = [], set(), threading.Event()

    def read():
        while not ended.is_set():
            try:
                with opened.reading() as connection:
                    counts.add(len(connection.execute(ALL).fetchall()))
            except ProjectError as error:
                trouble.append(str(error))

    readers = [threading.Thread(target=read) for _ in range(4)]
    for reader in readers:
        reader.start()
    for number in range(40):
        before = opened.move_to(tmp_path / f"moved{number}.sqlite")
        database.remove_database(before)
    ended.set()
    for reader in readers:
        reader.join()
    assert trouble == [] and counts == {len(NAMES)}
    assert [p.name for p in tmp_path.iterdir() if p.suffix == ".sqlite"] == ["moved39.sqlite"]


@pytest.mark.parametrize("act", ["move", "close"])
def test_who_reads_reads_on_where_it_began(opened, tmp_path, act, monkeypatch):
    monkeypatch.setattr(database, "_CLOSING_S", 0.01)
    begun, done = threading.Event(), threading.Event()
    read = []

    def reader():
        with opened.reading() as connection:
            rows = connection.execute(ALL)
            read.append(rows.fetchone()[0])
            begun.set()
            done.wait(60)
            with opened.reading() as within:
                assert within is connection
            read.extend(row[0] for row in rows)

    thread = threading.Thread(target=reader)
    thread.start()
    begun.wait(60)
    if act == "move":
        opened.go_on_in(tmp_path / "second.sqlite")
        with opened.reading() as connection:
            assert connection.execute("SELECT * FROM images").fetchall() == []
            with pytest.raises(sqlite3.OperationalError):  # another, new file
                connection.execute(ALL)
    else:
        opened.close()
        with pytest.raises(ProjectError, match="closed"), opened.reading():
            pass
    done.set()
    thread.join()
    assert read == NAMES


def test_a_file_that_another_program_reads_is_waited_for(opened, tmp_path):
    copy = tmp_path / "copy.sqlite"
    opened.copy_to(copy)  # without a write-ahead log: to begin one, nobody else may read
    with contextlib.closing(
        sqlite3.connect(copy, isolation_level=None, check_same_thread=False)
    ) as other:
        other.execute("BEGIN")
        other.execute(ALL).fetchone()
        leaves = threading.Timer(0.1, lambda: other.execute("COMMIT"))
        leaves.start()
        with contextlib.closing(connect(copy)) as mine:
            assert mine.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
        leaves.join()


def test_a_file_that_another_program_keeps_is_told_of(opened, tmp_path, monkeypatch):
    monkeypatch.setattr(database, "_BUSY_MS", 20)
    copy = tmp_path / "copy.sqlite"
    opened.copy_to(copy)
    with contextlib.closing(sqlite3.connect(copy, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(ProjectError, match="database is locked"):
            opened.go_on_in(copy)
        other.execute("COMMIT")
    opened.go_on_in(copy)  # and is tried again
    with opened.reading() as connection:
        assert len(connection.execute(ALL).fetchall()) == len(NAMES)
