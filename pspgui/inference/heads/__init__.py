"""How each kind of network is run in use: its heavy part, and the activations made from it."""

from __future__ import annotations

from pspgui.inference.heads.aspp import ASPPHead
from pspgui.inference.heads.dilated import DilatedHead
from pspgui.inference.heads.direct import DirectHead
from pspgui.inference.heads.fcn import FCNHead
from pspgui.inference.heads.head import Head
from pspgui.inference.heads.plain import PlainHead
from pspgui.inference.heads.pyramid import PyramidHead
from pspgui.inference.heads.stages import StagesHead
from pspgui.inference.heads.upsampling import UpsamplingHead
from pspgui.models.segmenter import Segmenter

# The first that can run a network does; the plain one can run any.
HEADS: tuple[type[Head], ...] = (
    PyramidHead, ASPPHead, DirectHead, DilatedHead, FCNHead, StagesHead, UpsamplingHead,
    PlainHead,
)  # fmt: skip


def build_head(model: Segmenter, device: str = "cpu") -> Head:
    """Return what runs `model` in use on a device; the model itself is left as it is."""
    for kind in HEADS:
        if kind.runs(model):
            return kind(model, device)
    raise TypeError(f"nothing runs {type(model).__name__}")


__all__ = ["HEADS", "Head", "build_head"]
