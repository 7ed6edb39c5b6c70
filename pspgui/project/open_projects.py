"""The projects that a window has open: the one it shows, and those with labels still to save."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

from pspgui.durable import SaveError, printable
from pspgui.project.errors import ProjectError
from pspgui.project.project import Project, open_project


class OpenProjects:
    """Opens every project once, by its folder of images. Any thread."""

    def __init__(self, program: str = "pspgui") -> None:
        self._program = program
        self._lock = threading.Lock()
        self._open: dict[Path, Project] = {}
        self._closed = False

    def of(self, root: Path) -> Project:
        """Return the project of a folder, opened if it is not; raises `ProjectError` at the end."""
        with self._lock:
            if self._closed:
                raise ProjectError("The window is closing.")
            if root not in self._open:
                self._open[root] = open_project(root, self._program)
            return self._open[root]

    def admit(self, image: Path) -> None:
        """Let the labels of an image be saved, which makes its folder a project.

        Raises `SaveError` where that project cannot be changed.
        """
        try:
            self.of(image.parent).demand_change()
        except ProjectError as error:
            raise SaveError(
                f"The labels of {printable(image.name)} were not saved: {error} They are kept in "
                "this window; try again when it is free."
            ) from error

    def roots(self) -> tuple[Path, ...]:
        """Return the folders whose projects are open; never waits for one that is opening."""
        return tuple(self._open)

    def close(self, root: Path, is_needed: Callable[[Path], bool] = lambda _: False) -> None:
        """Close the project of a folder, if it is open.

        `is_needed(root)` says whether somebody asked for it meanwhile, who would get it from `of`.
        """
        with self._lock:
            project = self._open.get(root)
            if project is None or is_needed(root):
                return
            try:
                project.close()
            finally:
                del self._open[root]  # only now: until its lock is let go it counts as open

    def close_all(self) -> None:
        """Close every project; none is opened afterwards."""
        with self._lock:
            self._closed = True
            for project in self._open.values():
                project.close()
            self._open.clear()
