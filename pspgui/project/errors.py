"""What goes wrong with a project, in one sentence each."""

from __future__ import annotations


class ProjectError(ValueError):
    """A project that cannot do what was asked; the message says what is kept and what to do."""
