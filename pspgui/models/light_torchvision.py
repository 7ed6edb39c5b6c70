"""torchvision's classification networks, imported without torch's compiler.

`torchvision.ops.roi_align` asks `torch._dynamo` one question at import, and that package takes
longer to import than all of torch besides (5 s of CPU time against 3 s on the machine this was
measured on, torch 2.15), while the question only matters when region pooling is compiled. So the
import sees a stand-in that answers no; a real import later finds the real package.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType

_NAMES = ("torch._dynamo", "torch._dynamo.utils")


@contextmanager
def _without_compiler() -> Iterator[None]:
    """Put the stand-in in place while a module is imported, unless the real thing is there."""
    if _NAMES[0] in sys.modules or "torchvision" in sys.modules:
        yield
        return
    package, utils = (ModuleType(name) for name in _NAMES)
    package.__path__ = []
    utils.is_compile_supported = lambda _device: False  # type: ignore[attr-defined]
    sys.modules.update(zip(_NAMES, (package, utils), strict=True))
    try:
        yield
    finally:
        for name in _NAMES:
            del sys.modules[name]


with _without_compiler():
    from torchvision import models

__all__ = ["models"]
