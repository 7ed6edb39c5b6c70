"""One SQLite file and its connections: one for each thread, writers one after another."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

from pspgui.durable import printable
from pspgui.project import schema
from pspgui.project.errors import ClosedProjectError, ProjectError

_BUSY_MS = 5000
_CLOSING_S = 5.0


class Database:
    """Connections to project.sqlite. Any thread; on a network without WAL and memory maps.

    Raises `ProjectError` for a file that is no database, is damaged, or is of a newer version.
    """

    def __init__(self, path: Path, network: bool = False) -> None:
        """Open the file, and make its tables where there are none."""
        self._path, self._network = path, network
        self._own = threading.local()
        self._open: list[_Lent] = []
        self._closed = False
        self._mover: int | None = None  # the thread that is changing the file in use
        self._changed = threading.Condition()
        self._writer = threading.RLock()
        try:
            self._prepare()
        except ProjectError:
            self.close()
            raise

    @property
    def path(self) -> Path:
        """The file in use."""
        return self._path

    @contextlib.contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Lend this thread's connection; raises `ProjectError`."""
        try:
            lent = self._lend()
            try:
                yield lent.connection
            finally:
                self._take_back(lent)
        except sqlite3.Error as error:
            raise _told(self._path, error) from error

    @contextlib.contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """Lend this thread's connection within a transaction: all of it happens, or nothing."""
        with self._writer, self.reading() as connection:
            if connection.in_transaction:  # within another of this thread
                yield connection
                return
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                with contextlib.suppress(sqlite3.Error):
                    connection.execute("ROLLBACK")
                raise

    def copy_to(self, path: Path) -> None:
        """Write what the database holds now into a new file; raises `ProjectError`."""
        with self._writer, self.reading() as connection:
            copy_database(connection, path)

    def move_to(self, path: Path, network: bool = False) -> Path:
        """Go on in a new file, which first gets all that this one holds; return the old path."""
        with self._writer:
            self.copy_to(path)
            return self.go_on_in(path, network)

    def go_on_in(self, path: Path, network: bool = False) -> Path:
        """Use another file from now on, and return the old path; raises `ProjectError`.

        Who reads the old file now reads on there; who asks now waits until the new one is ready.
        """
        with self._writer:
            with self._changed:
                self._mover = threading.get_ident()
                self._drop_connections()
                before, self._path, self._network = self._path, path, network
            try:
                self._prepare()
            finally:
                with self._changed:
                    self._mover = None
                    self._changed.notify_all()
            return before

    def close(self) -> None:
        """Close every connection; readers in other threads are waited for, up to some seconds."""
        with self._writer, self._changed:
            self._closed = True
            self._changed.wait_for(lambda: not any(lent.uses for lent in self._open), _CLOSING_S)
            self._drop_connections()

    # -- inside -------------------------------------------------------------------------------

    def _prepare(self) -> None:
        """Make the tables of this version, whatever there is."""
        with self.reading() as connection:
            found = schema.version_of(connection)
        if found > schema.version():
            raise NewerVersionError(self._path)
        if found < schema.version():
            with self.writing() as connection:
                if schema.version_of(connection) == 0:
                    schema.create(connection)
                schema.migrate(connection)

    def _lend(self) -> _Lent:
        """Return this thread's connection to the file in use, for one block more."""
        with self._changed:
            lent: _Lent | None = getattr(self._own, "lent", None)
            if lent is not None and lent.uses:  # within another block of this thread
                lent.uses += 1
                return lent
            me = threading.get_ident()
            self._changed.wait_for(lambda: self._mover is None or self._mover == me)
            if self._closed:
                raise ClosedProjectError("This project is closed.")
            if lent is None or lent.dropped:
                lent = self._own.lent = _Lent(connect(self._path, self._network))
                self._open.append(lent)
            lent.uses = 1
            return lent

    def _take_back(self, lent: _Lent) -> None:
        with self._changed:
            lent.uses -= 1
            if lent.dropped and not lent.uses:
                lent.close()
            self._changed.notify_all()

    def _drop_connections(self) -> None:
        """Close what nobody uses; the rest is closed by who uses it, at its end.

        A connection closed beneath a statement that runs takes the process with it.
        """
        for lent in self._open:
            lent.dropped = True
            if not lent.uses:
                lent.close()
        self._open.clear()


class _Lent:
    """The connection of one thread, and how many of its blocks use it now."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection
        self.uses = 0
        self.dropped = False

    def close(self) -> None:
        """Close it; what cannot be closed is let go."""
        with contextlib.suppress(sqlite3.Error):
            self.connection.close()


class NewerVersionError(ProjectError):
    """A project that a newer pspgui has written."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            f"{printable(path)} was written by a newer pspgui: labels cannot be changed here "
            "until pspgui is updated; nothing was changed."
        )


def connect(path: Path, network: bool = False) -> sqlite3.Connection:
    """Return a connection in autocommit mode; raises `sqlite3.Error` for a damaged file."""
    connection = sqlite3.connect(
        path, timeout=_BUSY_MS / 1000, isolation_level=None, check_same_thread=False
    )
    try:
        connection.execute("PRAGMA mmap_size = 0")
        connection.execute("PRAGMA temp_store = MEMORY")
        connection.execute("PRAGMA cache_size = -16000")
        connection.execute("PRAGMA trusted_schema = OFF")
        # A write-ahead log needs memory shared between its users, which a network does not give.
        _set_journal_mode(connection, "DELETE" if network else "WAL")
        connection.execute(f"PRAGMA synchronous = {'FULL' if network else 'NORMAL'}")
    except BaseException:
        connection.close()
        raise
    return connection


def _set_journal_mode(connection: sqlite3.Connection, mode: str) -> None:
    """Set it as soon as nobody else uses the file; SQLite itself does not wait for that here.

    Source: https://sqlite.org/pragma.html#pragma_journal_mode and sqlite3_busy_handler.
    """
    end = time.monotonic() + _BUSY_MS / 1000
    while True:
        try:
            connection.execute(f"PRAGMA journal_mode = {mode}").fetchone()
            return
        except sqlite3.OperationalError as error:
            busy = error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
            if not busy or time.monotonic() >= end:
                raise
        time.sleep(0.005)


def copy_database(connection: sqlite3.Connection, path: Path) -> None:
    """Write a consistent copy into a new file; raises `sqlite3.Error` or `OSError`."""
    part = path.with_name(f".saving-{path.name}.part")
    remove_database(part)
    target = sqlite3.connect(part)
    try:
        connection.backup(target)
        target.execute("PRAGMA journal_mode = DELETE")
    finally:
        target.close()
    part.replace(path)


def remove_database(path: Path) -> None:
    """Delete a database and what SQLite keeps beside it."""
    for suffix in ("", "-wal", "-shm", "-journal"):
        with contextlib.suppress(OSError):
            path.with_name(path.name + suffix).unlink()


def copy_unopened(path: Path, target: Path) -> None:
    """Copy a database that another program may be writing; raises `sqlite3.Error`.

    Nothing is written beside it where its folder cannot be written.
    """
    with contextlib.closing(open_to_read(path)) as source:
        copy_database(source, target)


def open_to_read(path: Path) -> sqlite3.Connection:
    """Return a connection that changes nothing, even where nothing may be written beside the file.

    A database that was closed in order, so that its digest lies beside it, is taken as a file that
    nobody changes: otherwise SQLite would leave files of its own behind. Raises `sqlite3.Error`.
    """
    closed = digest_beside(path).is_file()
    for how in ("mode=ro&immutable=1",) if closed else ("mode=ro", "mode=ro&immutable=1"):
        connection = sqlite3.connect(f"{_uri(path)}?{how}", uri=True, timeout=_BUSY_MS / 1000)
        try:
            connection.execute("SELECT COUNT(*) FROM sqlite_master").fetchone()
            return connection
        except sqlite3.OperationalError:
            connection.close()
            if "immutable" in how:
                raise
        except BaseException:
            connection.close()
            raise
    raise AssertionError("the last way returns or raises")


def digest_beside(path: Path) -> Path:
    """Return the file with the digest of a database that was closed in order."""
    return path.with_name(f"{path.name}.digest")


def is_in_use(path: Path) -> bool:
    """Whether something was written that is not in the database file itself yet."""
    try:
        return path.with_name(path.name + "-wal").stat().st_size > 0
    except OSError:
        return False


def version_in(path: Path) -> int:
    """Return the version of a database file that is left as it is; raises `sqlite3.Error`."""
    with contextlib.closing(open_to_read(path)) as connection:
        return schema.version_of(connection)


def _uri(path: Path) -> str:
    return "file:" + quote(os.fsencode(os.path.abspath(path)))  # noqa: PTH100


def damage_of(path: Path) -> str:
    """Return what is wrong with a database file; "" for a sound one or none at all."""
    if not path.exists():
        return ""
    try:
        with contextlib.closing(open_to_read(path)) as connection:
            said = [str(row[0]) for row in connection.execute("PRAGMA integrity_check(3)")]
    except sqlite3.Error as error:
        return str(error)
    return "" if said == ["ok"] else "; ".join(said)


def set_database_aside(path: Path, folder: Path) -> None:
    """Move a damaged database, with all that belongs to it, into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for suffix in ("", "-wal", "-shm", "-journal"):
        part = path.with_name(path.name + suffix)
        if part.exists():
            shutil.move(part, folder / part.name)


def _told(path: Path, error: sqlite3.Error) -> ProjectError:
    return ProjectError(
        f"The project's index {printable(path)} could not be used: {error}. The labels are files "
        "of their own and untouched; free some space, or run `pspgui repair` on the folder."
    )
