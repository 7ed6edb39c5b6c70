"""What runs a trunk: torch, or an engine that it was converted for."""

from __future__ import annotations

from pspgui.inference.backends.backend import Backend, Watch
from pspgui.inference.backends.eager import EagerBackend

__all__ = ["Backend", "EagerBackend", "Watch"]
