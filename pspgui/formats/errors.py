"""The error of data sets that cannot be read or written."""

from __future__ import annotations

from pspgui.durable import printable

_LONGEST = 120


class FormatError(ValueError):
    """A data set that cannot be used; the message names the file or folder and the reason."""


def lacking(error: Exception) -> str:
    """Return what Python found wrong with the parts of a file, as a clause for a person."""
    if isinstance(error, KeyError) and error.args:
        return f"there is no {error.args[0]!r:.40} where one belongs"
    if isinstance(error, IndexError):
        return "a list in it is too short"
    if isinstance(error, TypeError | AttributeError):
        return "a part of it is not of the kind that belongs there"
    return plain(error)


def plain(error: Exception) -> str:
    """Return the first line of a library's own words, short and printable; its kind if none."""
    words = str(error).splitlines()
    return printable(words[0])[:_LONGEST] if words else type(error).__name__
