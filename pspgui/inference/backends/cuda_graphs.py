"""A network replayed on CUDA as one graph a size: no launch of a layer waits for Python."""

from __future__ import annotations

from collections import Counter, OrderedDict
from typing import NamedTuple

import torch
from torch import Tensor, nn

from pspgui.inference.backends.backend import Watch

# Every graph holds its own maps, so only the last few sizes are kept.
_KEPT = 3
# A size that comes once, as most photographs' does, is not worth recording.
_TIMES_BEFORE_RECORDING = 2
_WARM_UPS = 2

Size = tuple[int, ...]


class _Recording(NamedTuple):
    graph: torch.cuda.CUDAGraph
    images: Tensor
    outputs: tuple[Tensor, ...]


class GraphedNetwork:
    """Runs a network on CUDA, from a size's second image on by replaying a recording of it.

    Where recording fails, as for lack of memory, that size runs layer by layer for good.
    """

    def __init__(self, network: nn.Module, device: torch.device) -> None:
        self._network, self._device = network, device
        self._recordings: OrderedDict[Size, _Recording] = OrderedDict()
        self._seen: Counter[Size] = Counter()
        self._refused: set[Size] = set()

    def run(self, images: Tensor, watch: Watch | None) -> tuple[Tensor, ...]:
        """Return outputs that stay as they are when the next image comes.

        images: on the device, in the network's dtype, channels last. Raises what `watch.check`
        raises, which is asked before and after.
        """
        if watch is not None:
            watch.check()
            watch.progress(0.0)
        with torch.cuda.device(self._device):
            recording = self._recording(images)
            if recording is None:
                outputs: tuple[Tensor, ...] = self._network(images)
            else:
                recording.images.copy_(images)
                recording.graph.replay()
                outputs = tuple(t.clone() for t in recording.outputs)
        if watch is not None:
            watch.check()
        return outputs

    def _recording(self, images: Tensor) -> _Recording | None:
        size = tuple(images.shape)
        if size in self._recordings:
            self._recordings.move_to_end(size)
            return self._recordings[size]
        self._seen[size] += 1
        if size in self._refused or self._seen[size] < _TIMES_BEFORE_RECORDING:
            return None
        try:
            recording = self._record(images)
        except RuntimeError:  # torch's out-of-memory error among them
            self._refused.add(size)
            return None
        self._recordings[size] = recording
        while len(self._recordings) > _KEPT:
            self._recordings.popitem(last=False)
        return recording

    def _record(self, images: Tensor) -> _Recording:
        own = images.clone()
        aside = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        aside.wait_stream(torch.cuda.current_stream())
        # cuDNN chooses its algorithms and takes its workspace before the recording.
        with torch.cuda.stream(aside):
            for _ in range(_WARM_UPS):
                self._network(own)
        torch.cuda.current_stream().wait_stream(aside)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            outputs = tuple(self._network(own))
        return _Recording(graph, own, outputs)
