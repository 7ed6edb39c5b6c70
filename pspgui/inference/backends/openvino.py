"""OpenVINO on the CPU: fp32, bf16, and int8 in as many layers as keep the labels."""

from __future__ import annotations

import time
from typing import Any

import torch
from torch import Tensor, nn

from pspgui.inference.backends.backend import TrunkRequest, Watch
from pspgui.inference.backends.openvino_graphs import graph_for, silent

_HINTS = {"fp32": "f32", "bf16": "bf16"}
_POLL_MS = 50


class OpenVinoBackend:
    """Runs a trunk that was converted once; every size of image runs without another conversion.

    Uses as many threads as torch was set to when it was built. Asks `watch` every 50 ms. `note`
    says how much of an int8 network is int8, and how often it agrees with fp32.
    """

    name = "openvino"

    def __init__(self, request: TrunkRequest) -> None:
        self.device, self.precision = "cpu", request.precision
        graph = graph_for(request)
        self.note = "" if graph.mixture is None else graph.mixture.text
        rest = _HINTS[request.precision] if graph.mixture is None else graph.mixture.rest
        _name_maps(request.trunk, request.padded(97))
        with silent():
            import openvino
        compiled = openvino.compile_model(
            graph.model,
            "CPU",
            {
                "INFERENCE_PRECISION_HINT": rest,
                "INFERENCE_NUM_THREADS": torch.get_num_threads(),
                "PERFORMANCE_HINT": "LATENCY",
            },
        )
        self._outputs = len(compiled.outputs)
        self._request = compiled.create_infer_request()
        self._seconds_per_pixel: float | None = None

    def run(self, images: Tensor, watch: Watch | None = None) -> tuple[Tensor, ...]:
        """See `Backend.run`."""
        import openvino

        started = time.perf_counter()
        array = images.detach().cpu().float().contiguous().numpy()
        self._request.set_input_tensor(openvino.Tensor(array, shared_memory=True))
        self._request.start_async()
        if watch is None:
            self._request.wait()
        else:
            self._wait(watch, array.size)
        self._seconds_per_pixel = (time.perf_counter() - started) / array.size
        # Copied: the request writes its next results into the same memory.
        return tuple(self._output(i) for i in range(self._outputs))

    def _wait(self, watch: Watch, size: int) -> None:
        """Report by the clock of the last run; stop the computation where `check` raises."""
        started = time.perf_counter()
        try:
            watch.check()
            watch.progress(0.0)
            while not self._request.wait_for(_POLL_MS):
                watch.check()
                if self._seconds_per_pixel is not None:
                    expected = self._seconds_per_pixel * size
                    watch.progress(min(0.95, (time.perf_counter() - started) / expected))
            watch.check()
        except BaseException:
            self._request.cancel()
            _settle(self._request)
            raise

    def _output(self, index: int) -> Tensor:
        return torch.from_numpy(self._request.get_output_tensor(index).data.copy())


def _settle(request: Any) -> None:
    """Wait until a stopped request is at rest; that it was stopped is what it then raises."""
    try:
        request.wait()
    except RuntimeError:
        return


def _name_maps(trunk: nn.Module, side: int) -> None:
    """Let the trunk run once without computing: some name their maps as they run."""
    with torch.inference_mode():
        trunk.to("meta")(torch.empty((1, 3, side, side), device="meta"))
