"""torch as it is: exact in fp32, and half precision where the machine computes in it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from pspgui.inference.backends.backend import DTYPES, TrunkRequest, Watch
from pspgui.inference.backends.cuda_graphs import GraphedNetwork
from pspgui.inference.fusing import lowered
from pspgui.inference.packing import PackedConvolution


class EagerBackend:
    """Runs a trunk layer by layer, which lets progress and cancellation in between.

    The weights are brought to the precision once. On the CPU they are laid out for oneDNN; on CUDA
    a size that comes again is replayed as one graph, between whose layers nobody can look.
    """

    name = "torch"

    def __init__(self, request: TrunkRequest) -> None:
        self.device, self.precision = request.device, request.precision
        self._dtype = DTYPES[request.precision]
        self._device = torch.device(request.device)
        network = lowered(request.trunk, self._dtype, pack=self._device.type == "cpu")
        self._network: nn.Module = network.to(self._device)
        self._graphs: GraphedNetwork | None = None
        if self._device.type == "cuda":
            exact_convolutions()
            self._graphs = GraphedNetwork(self._network, self._device)

    def run(self, images: Tensor, watch: Watch | None = None) -> tuple[Tensor, ...]:
        """See `Backend.run`."""
        images = images.to(self._device, non_blocking=True)
        images = images.to(self._dtype).contiguous(memory_format=torch.channels_last)
        with torch.inference_mode():
            if self._graphs is not None:
                outputs = self._graphs.run(images, watch)
            else:
                with watched(self._network, watch):
                    outputs = self._network(images)
        return tuple(t.float() for t in outputs)


def exact_convolutions() -> None:
    """Keep CUDA from rounding float32 convolutions to TF32's ten bits, which is its default."""
    torch.backends.cudnn.conv.fp32_precision = "ieee"  # type: ignore[attr-defined]
    torch.backends.cuda.matmul.fp32_precision = "ieee"


@contextmanager
def watched(network: nn.Module, watch: Watch | None) -> Iterator[None]:
    """Report and check before every convolution that runs inside."""
    if watch is None:
        yield
        return
    layers = [m for m in network.modules() if isinstance(m, nn.Conv2d | PackedConvolution)]
    done = 0

    def before(*_: object) -> None:
        nonlocal done
        watch.check()
        watch.progress(min(1.0, done / len(layers)))
        done += 1

    hooks = [layer.register_forward_pre_hook(before) for layer in layers]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()
