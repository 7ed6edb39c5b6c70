"""torch as it is: exact in fp32, and bf16 where the machine computes in it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from pspgui.inference.backends.backend import Watch


class EagerBackend:
    """Runs a trunk layer by layer, which lets progress and cancellation in between."""

    name = "torch"

    def __init__(self, trunk: nn.Module, device: str, precision: str) -> None:
        self.trunk = trunk
        self.device = device
        self.precision = precision

    def run(self, images: Tensor, watch: Watch | None = None) -> tuple[Tensor, ...]:
        """See `Backend.run`."""
        kind = torch.device(self.device).type
        with (
            torch.inference_mode(),
            self._watched(watch),
            torch.autocast(kind, torch.bfloat16, enabled=self.precision == "bf16"),
        ):
            outputs = self.trunk(images.to(self.device))
        return tuple(t.float() for t in outputs)

    @contextmanager
    def _watched(self, watch: Watch | None) -> Iterator[None]:
        """Report and check before every convolution."""
        if watch is None:
            yield
            return
        layers = [m for m in self.trunk.modules() if isinstance(m, nn.Conv2d)]
        done = 0

        def before(*_: object) -> None:
            nonlocal done
            watch.check()
            watch.progress(done / len(layers))
            done += 1

        hooks = [layer.register_forward_pre_hook(before) for layer in layers]
        try:
            yield
        finally:
            for hook in hooks:
                hook.remove()
