"""What can go wrong between an image and its prediction; every message is for the user."""

from __future__ import annotations


class DeviceError(RuntimeError):
    """A device that was asked for is not there, or cannot do what was asked."""


class ImageTooLargeError(ValueError):
    """An image that does not fit the memory or the limit; the message says what to do."""


class Cancelled(Exception):  # noqa: N818 - it is an answer to the user's wish, not an error
    """The work was stopped because nobody wants its result any more."""
