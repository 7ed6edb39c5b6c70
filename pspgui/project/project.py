"""A project: a folder of images with `.pspgui/` in it, which one window at a time may change.

    .pspgui/project.sqlite   the index, which can be made again from the rest
    .pspgui/remarks.log      statuses, notes, tags, reviews and time spent
    .pspgui/images.log       what images that were worked on look like
    .pspgui/labels/ provenance/ classes/ strokes/ pins/ what_if/ backups/
    .pspgui/lock             who may change all this

A folder that is only looked at is left as it is: its index lies in the user's cache until the
first edit or the first remark. A folder that cannot be written has its project in the user's own
folder, where its labels are kept as well.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import os
import sqlite3
import tempfile
import threading
import time
from pathlib import Path
from typing import Final

from pspgui import places
from pspgui.durable import SaveError, printable, write_durably
from pspgui.project import backups, database, remarks, schema
from pspgui.project.errors import ProjectError
from pspgui.project.index import ProjectIndex
from pspgui.project.lock import Lock, Owner, owner_of
from pspgui.project.network import is_remote
from pspgui.project.remarks import RemarkLog
from pspgui.project.store import FOLDER, home_elsewhere

INDEX: Final = "project.sqlite"
LOCK: Final = "lock"
PENDING: Final = "pending-change.json"
_views = itertools.count(1)


class Project:
    """An open project. Any thread; made by `open_project`, ended by `close`.

    `root` is the folder of images, `home` its `.pspgui` (which may not be there yet, see
    `established`). While `read_only`, `reason` says in one sentence why, and nothing is changed.
    `notes` are sentences for the person. The `index` stays the same object for good.
    """

    def __init__(self, root: Path, program: str) -> None:
        """Use `open_project`."""
        self.root = root
        self.home, self._is_beside = _home_of(root)
        self.program = program
        self.read_only = False
        self.reason = ""
        self.notes: tuple[str, ...] = ()
        self.network = is_remote(self.home)
        self._turn = threading.RLock()
        self._closed = False
        self._waits_for_lock = self._was_lost = False
        # This user's own on this machine, and that of the project folder once there is one.
        self._locks: list[Lock] = []
        self._asked: dict[Path, Lock] = {}  # the same ones are asked again: they remember beats
        self._cache = _cache_of(root)
        self.established = self.home.is_dir()
        self._first_notes()
        self.index = ProjectIndex(self._fresh_view(), root)
        self.index.before_remark, self.index.turn = self.demand_change, self._turn

    def demand_change(self) -> None:
        """Make sure that this project may be changed, making it if it is not there yet.

        Raises `ProjectError`, one sentence, where it cannot be changed.
        """
        with self._turn:
            if not self.read_only and not self.established:
                self._establish()
            if self.read_only:
                raise ProjectError(self.reason)

    def try_again(self) -> bool:
        """Ask for the lock again, held by another window before; True once labels may change.

        A dead owner on another machine shows only to who asks for some seconds.
        """
        with self._turn:
            if self.read_only and self._waits_for_lock and not self._closed:
                if self._was_lost:
                    self._was_lost = False
                    self._give_up(self.reason, waits=True)
                self._begin()
            return not self.read_only

    def close(self) -> None:
        """End the project: what is in memory goes to the disk, and the lock is free."""
        with self._turn:
            if self._closed:
                return
            self._closed = True
            is_writer = bool(self._locks) and all(lock.held for lock in self._locks)
            if self.index.log is not None:
                self.index.log.sync()
            path, was_view = self.index.path, self._shows_view()
            self.index.close()
            if is_writer and path.parent == self.home:
                _seal(path)
                with contextlib.suppress(OSError):
                    backups.thin(self.home, time.time())
            self._unlock()
            if was_view:
                database.remove_database(path)

    # -- opening ------------------------------------------------------------------------------

    def _begin(self) -> None:
        """Become the writer if nobody else is one, else show what there is."""
        self.established = self.home.is_dir()
        try:
            owner = self._take(self._cache, network=False)
            if owner is None and self.established:
                owner = self._take(self.home, self.network)
        except OSError as error:
            self._give_up(
                f"{printable(self.home)} cannot be written ({error.strerror or error}); labels "
                "cannot be changed here."
            )
            return
        if owner is not None:
            self._give_up(_held_by(owner), waits=True)
            return
        try:
            if self.established:
                self._open_home()
            else:
                self._open_cache()
        except database.NewerVersionError as error:
            self._give_up(str(error))
        except (ProjectError, SaveError, OSError) as error:
            self._give_up(f"{str(error).rstrip('.')}; labels cannot be changed here.")
        else:  # only now: others look at this without waiting
            self.read_only, self.reason, self._waits_for_lock = False, "", False
            for lock in self._locks:
                if not lock.held:
                    self._on_lost(owner_of(lock.path))

    def _take(self, folder: Path, network: bool) -> Owner | None:
        """Take the lock in a folder, made if need be; return who has it. Raises `OSError`."""
        folder.mkdir(parents=True, exist_ok=True)
        lock = self._asked.setdefault(folder, Lock(folder / LOCK, self.program, network))
        owner = lock.acquire()
        if owner is None and lock not in self._locks:
            lock.on_lost, lock.on_beat = self._on_lost, self._on_beat
            self._locks.append(lock)
        return owner

    def _unlock(self) -> None:
        locks, self._locks = self._locks, []
        for lock in reversed(locks):
            lock.release()

    def _open_home(self) -> None:
        """Use the index of the project folder, made again where it is damaged."""
        from pspgui.project.pending import roll_back

        if (self.home / PENDING).exists() and not (self.home / PENDING).is_file():
            raise ProjectError(f"{printable(self.home / PENDING)} is no file; take it away")
        told = roll_back(self.home)
        self._note(told)
        path = self.home / INDEX
        damage = damage_of_index(path)
        with contextlib.suppress(FileNotFoundError):
            database.digest_beside(path).unlink()  # true of a closed index only
        if damage:
            aside = self.home / "backups" / f"damaged-index-{time.time_ns()}"
            database.set_database_aside(path, aside)
            self._note(
                f"The project's index was damaged ({damage}); it is made again from labels and "
                f"remarks, which are untouched. The damaged one is kept in {printable(aside)}."
            )
        elif path.exists():
            found = database.version_in(path)
            if found > schema.version():
                raise database.NewerVersionError(path)
            if found < schema.version():
                self._keep_original(path)
        before = self.index.path
        if not path.exists() and (self._cache / INDEX).exists():  # from when it was looked at
            self.index.database.go_on_in(self._cache / INDEX)
            database.remove_database(self.index.database.move_to(path, self.network))
        else:
            self.index.database.go_on_in(path, self.network)
        if before != path:
            database.remove_database(before)
        self._follow_log()

    def _keep_original(self, path: Path) -> None:
        """Back the index up before its tables change; it is then whole in one file."""
        connection = sqlite3.connect(path)
        try:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        finally:
            connection.close()
        kept = backups.back_up(self.home, "migration", [path, self.home / remarks.NAME])
        self._note(
            "This project was made by an earlier pspgui and is brought up to date; the original "
            f"is kept as the backup {kept.name}."
        )

    def _follow_log(self) -> None:
        """Bring index and log together: the log counts, and holds all that the index knows."""
        log = RemarkLog(self.home / remarks.NAME)
        size = log.path.stat().st_size if log.path.exists() else 0
        seen = self.index.followed_size()
        if not size:
            size = log.extend(remarks.condensed(self.index.remarks()))
            self.index.follow(log, (), size)
            return
        said, damaged = remarks.read(log.path, seen if seen <= size else 0)
        self.index.follow(log, said, size)
        if damaged:
            self._note(
                f"{len(damaged)} lines of {printable(log.path)} are damaged; what they said is "
                "missing where the index does not know it. `pspgui check` tells more."
            )

    def _open_cache(self) -> None:
        """Use the index in the user's cache, anew where it is of no use."""
        path = self._cache / INDEX
        before = self.index.path
        try:
            self.index.database.go_on_in(path)
        except ProjectError:
            database.remove_database(path)
            self.index.database.go_on_in(path)
        database.remove_database(before)

    def _establish(self) -> None:
        """Make the project folder, and move there what is known of its images."""
        try:
            owner = self._take(self.home, self.network)
        except OSError as error:
            raise ProjectError(
                f"{printable(self.home)} could not be made ({error.strerror or error}); nothing "
                "was changed. Make the folder writable and try again."
            ) from error
        self.established = True
        if owner is not None:
            self._give_up(_held_by(owner), waits=True)
            return
        try:
            self._move_in()
        except (ProjectError, OSError) as error:
            self.established = False  # so that it is tried again at the next change
            if isinstance(error, ProjectError):
                raise
            why = f"{printable(self.home)} cannot be written ({error.strerror or error})"
            text = str(error).rstrip(".") if isinstance(error, SaveError) else why
            raise ProjectError(f"{text}; nothing was changed.") from error

    def _move_in(self) -> None:
        """Go on with the index in the project folder."""
        old = self.index.path
        if (self.home / INDEX).exists():  # somebody made it meanwhile
            known = self.index.paths(self.index.select())
            self._open_home()
            self.index.add_images(known)
        else:
            self.index.database.move_to(self.home / INDEX, self.network)
            self._follow_log()
            database.remove_database(old)

    # -- read-only ----------------------------------------------------------------------------

    def _refuse(self, reason: str, waits: bool = False) -> None:
        """Show a copy of the index that nobody else sees, and change nothing else."""
        self.read_only, self.reason, self._waits_for_lock = True, reason, waits
        source = self.home / INDEX
        if self._shows_view() and len(self.index):
            return  # asked for the lock once more; what is shown stays
        before = self.index.path if self._shows_view() else None
        self.index.log = None
        view = _view_path(self._cache)
        try:
            if source.exists() and database.version_in(source) <= schema.version():
                database.copy_unopened(source, view)
            self.index.database.go_on_in(view)
        except (ProjectError, sqlite3.Error, OSError):  # images can be looked at all the same
            database.remove_database(view)
            self.index.database.go_on_in(_view_path(self._cache))
        if before is not None:
            database.remove_database(before)

    def _shows_view(self) -> bool:
        """Whether the index is a copy that only this process sees."""
        return self.index.path.parent == self._cache and self.index.path.name != INDEX

    def _give_up(self, reason: str, waits: bool = False) -> None:
        self._unlock()
        self._refuse(reason, waits)

    def _on_lost(self, owner: Owner | None) -> None:
        """Stop changing things at once (the lock's own thread, which must never wait)."""
        self.read_only = self._waits_for_lock = self._was_lost = True
        who = "another program" if owner is None else owner.text()
        self.reason = f"This project was taken over by {who}; labels cannot be changed here."

    def _on_beat(self) -> None:
        log = self.index.log
        if log is not None:
            log.sync()

    # -- notes --------------------------------------------------------------------------------

    def _first_notes(self) -> None:
        if not self._is_beside:
            self._note(
                f"{printable(self.root)} cannot be written; labels and remarks are kept in "
                f"{printable(self.home)}."
            )
        elif self.network:
            self._note(
                "This folder lies on another machine: saving may take longer, and only one person "
                "at a time can change the project."
            )

    def _note(self, text: str) -> None:
        if text:
            self.notes = (*self.notes, text)

    def _fresh_view(self) -> Path:
        """Return the path of a new index that only this process sees."""
        try:
            self._cache.mkdir(parents=True, exist_ok=True)
        except OSError:
            self._cache = Path(tempfile.mkdtemp(prefix="pspgui-"))
        _remove_old_views(self._cache)
        return _view_path(self._cache)


def open_project(root: Path, program: str = "pspgui") -> Project:
    """Open the project of a folder of images; never raises for one that cannot be written.

    Nothing is written into a folder without a project. Where another window has it, or a newer
    pspgui wrote it, the project is `read_only` and says why. Any thread; some 20 ms.
    """
    project = Project(root, program)
    with project._turn:
        project._begin()
    return project


def is_writable(folder: Path) -> bool:
    """Whether files can be made in a folder, as far as the system tells."""
    return os.access(folder, os.W_OK | os.X_OK)


def project_home(root: Path) -> Path:
    """Return where the project of a folder of images is, or would be."""
    return _home_of(root)[0]


# -- inside -----------------------------------------------------------------------------------


def _home_of(root: Path) -> tuple[Path, bool]:
    """Return the home of a project, and whether it is in the folder itself."""
    beside = root / FOLDER
    if is_writable(beside if beside.is_dir() else root):
        return beside, True
    return home_elsewhere(root), False


def _cache_of(root: Path) -> Path:
    key = hashlib.sha256(os.fsencode(os.path.realpath(root))).hexdigest()[:16]
    return places.cache_folder() / "projects" / key


def _view_path(cache: Path) -> Path:
    return cache / f"view-{os.getpid()}-{next(_views)}.sqlite"


def _remove_old_views(cache: Path) -> None:
    """Delete what processes that died have left."""
    with contextlib.suppress(OSError):
        for path in cache.glob("view-*.sqlite"):
            if time.time() - path.stat().st_mtime > 7 * 86_400:
                database.remove_database(path)


def _held_by(owner: Owner) -> str:
    return f"This project is open in {owner.text()}; labels cannot be changed here."


def _fault_of_seal(path: Path) -> str:
    """Return what is wrong with a closed index by its digest; "" without one, or while in use."""
    with contextlib.suppress(OSError):
        sealed = database.digest_beside(path).read_bytes()
        if path.exists() and not database.is_in_use(path):
            return "" if sealed == _digest(path) else "its digest is another"
    return ""


def damage_of_index(path: Path) -> str:
    """Return what is wrong with an index that nobody has open."""
    if path.exists() and not path.is_file():
        return "it is no file"
    if database.digest_beside(path).is_file():
        return _fault_of_seal(path)
    return database.damage_of(path)


def _seal(path: Path) -> None:
    """Keep the digest of an index that is closed, so that damage shows."""
    if not database.is_in_use(path):
        with contextlib.suppress(OSError):
            write_durably(database.digest_beside(path), _digest(path))


def _digest(path: Path) -> bytes:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest().encode("ascii")


__all__ = [
    "INDEX",
    "LOCK",
    "Project",
    "damage_of_index",
    "is_writable",
    "open_project",
    "project_home",
]
