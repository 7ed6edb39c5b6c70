"""What goes wrong with a project, in one sentence each."""

from __future__ import annotations


class ProjectError(ValueError):
    """A project that cannot do what was asked; the message says what is kept and what to do."""


class ClosedProjectError(ProjectError):
    """Something asked of a project that is closed: nobody looks at its folder any more."""
