"""What inference asks of everything that can run a trunk."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple, Protocol

import torch
from torch import Tensor, nn

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


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


class TrunkRequest(NamedTuple):
    """What a backend is built from.

    trunk: in evaluation mode; the backend takes it over, weights and all. device, precision: of
    `choose_device`, `choose_precision`. description: with the weights it says exactly which
    network this is; padded: the smallest side it accepts that holds so many pixels. samples:
    normalised images (1, 3, H, W) float32 on the CPU, drawn on only where a backend must see how
    large the maps' values become. scores: (N, h, w) float32 of the trunk's outputs, for a backend
    that compares labels. report(share, text): told while building takes long.
    """

    trunk: nn.Module
    device: str
    precision: str
    description: str = ""
    padded: Callable[[int], int] = int
    samples: Callable[[], Iterator[Tensor]] = lambda: iter(())
    scores: Callable[[tuple[Tensor, ...]], Tensor] = lambda outputs: outputs[-1][0]
    report: Callable[[float, str], None] = lambda share, text: None
