"""torch.compile, for long batches of one size: minutes of compiling that every image then saves."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from pspgui.inference.backends.backend import DTYPES, TrunkRequest, Watch
from pspgui.inference.backends.eager import exact_convolutions
from pspgui.inference.errors import DeviceError
from pspgui.inference.fusing import lowered


class CompiledBackend:
    """Runs a trunk through torch's compiler, which is imported at the first image."""

    name = "compile"

    def __init__(self, request: TrunkRequest) -> None:
        self.device, self.precision = request.device, request.precision
        self._dtype = DTYPES[request.precision]
        network = lowered(request.trunk, self._dtype, pack=False).to(torch.device(request.device))
        self._network = network.requires_grad_(False)
        self._compiled: Callable[[Tensor], tuple[Tensor, ...]] | None = None

    def run(self, images: Tensor, watch: Watch | None = None) -> tuple[Tensor, ...]:
        """See `Backend.run`; raises `DeviceError` where the compiler cannot work."""
        if watch is not None:
            watch.check()
            watch.progress(0.0)
        images = images.to(self.device, self._dtype).contiguous(memory_format=torch.channels_last)
        with torch.inference_mode():
            outputs = self._first(images) if self._compiled is None else self._compiled(images)
        if watch is not None:
            watch.check()
        return tuple(t.float() for t in outputs)

    def _first(self, images: Tensor) -> tuple[Tensor, ...]:
        """Compile and run; what fails here is the compiler, such as no C++ compiler being there."""
        if images.device.type == "cuda":
            exact_convolutions()
        try:
            compiled = torch.compile(self._network, options={"freezing": True})
            outputs: tuple[Tensor, ...] = compiled(images)
        except (torch.OutOfMemoryError, MemoryError):
            raise
        except Exception as error:
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
            raise DeviceError(
                f"torch.compile does not work here ({reason[:120]}): choose the backend torch."
            ) from error
        self._compiled = compiled
        return outputs
