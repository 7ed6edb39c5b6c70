"""What inference asks of everything that can run a trunk."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol

from torch import Tensor


class Watch(NamedTuple):
    """Called on the running thread: progress(fraction of the trunk), and check(), which may raise.

    A backend that cannot be interrupted calls both before and after.
    """

    progress: Callable[[float], None]
    check: Callable[[], None]


class Backend(Protocol):
    """A trunk ready to run on one device."""

    name: str
    device: str
    precision: str

    def run(self, images: Tensor, watch: Watch | None = None) -> tuple[Tensor, ...]:
        """Return the trunk's outputs in float32 for normalised images (1, 3, H, W) float32.

        Outputs lie on `device`. Raises what `watch.check` raises. One thread at a time.
        """
