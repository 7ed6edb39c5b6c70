"""The error of data sets that cannot be read or written."""

from __future__ import annotations


class FormatError(ValueError):
    """A data set that cannot be used; the message names the file or folder and the reason."""
