"""Changing which warnings are shown, which Python keeps for all threads together.

`warnings.catch_warnings` puts back what it found. Where two threads are within it, and the one that
came first goes first, what the second puts back is what the first had changed.
"""

from __future__ import annotations

import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

# Held while warnings are changed, and for as long as they are changed for something short.
FILTERS_LOCK: Final = threading.Lock()


@contextmanager
def no_warnings() -> Iterator[None]:
    """Ignore all warnings meanwhile; for something long, which others need not wait for."""
    ignoring = warnings.catch_warnings()
    with FILTERS_LOCK:
        ignoring.__enter__()
        warnings.simplefilter("ignore")
    try:
        yield
    finally:
        with FILTERS_LOCK:
            ignoring.__exit__(None, None, None)
