"""What runs a trunk: torch, or an engine that it was converted for."""

from __future__ import annotations

from pspgui.inference.backends.backend import Backend, TrunkRequest, Watch
from pspgui.inference.backends.eager import EagerBackend


def build_backend(name: str, request: TrunkRequest) -> Backend:
    """Return the backend of a name that `choose_backend` gave; raises `DeviceError`.

    The others are imported only where they are asked for: they are optional, or slow to import.
    """
    if name == "openvino":
        from pspgui.inference.backends.openvino import OpenVinoBackend

        return OpenVinoBackend(request)
    if name == "compile":
        from pspgui.inference.backends.compiled import CompiledBackend

        return CompiledBackend(request)
    return EagerBackend(request)


__all__ = ["Backend", "EagerBackend", "TrunkRequest", "Watch", "build_backend"]
