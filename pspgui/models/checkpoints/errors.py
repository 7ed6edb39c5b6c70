"""The one error of checkpoints, in the house form: file, reason, what to do."""

from __future__ import annotations

import os
from pathlib import Path


class CheckpointError(ValueError):
    """A checkpoint that cannot be used: the message names file, reason and remedy."""


def refusal(path: Path, reason: str, remedy: str | None = None) -> CheckpointError:
    """Return a `CheckpointError`; the remedy, a sentence without its stop, has a default."""
    name = os.fsencode(path.name).decode("utf-8", "backslashreplace")
    asked = remedy or "Choose another weights file"
    return CheckpointError(f"{short(name, 60)} can't be used as a model: {reason}. {asked}.")


def short(text: str, limit: int) -> str:
    """Return `text` as one printable line of at most `limit` characters."""
    line = "".join(c if c.isprintable() else "·" for c in text)
    return line if len(line) <= limit else line[: limit - 1] + "…"
