"""The ways of reading an image that the window offers, and what each of them costs. No torch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pspgui.inference.modes import InferenceMode

# By name, as on the command line; the text is the one in the Model dialog.
READINGS: Final = {
    "whole": "Whole, reduced if too large",
    "windows": "Through windows",
    "semseg-ss": "Windows, mirrored too (semseg)",
    "semseg-ms": "… at six sizes (semseg)",
    "mmseg-slide": "Windows, logits averaged (mmseg)",
    "shift-2": "Shift-and-stitch, 2 × 2 passes",
    "shift-4": "Shift-and-stitch, 4 × 4 passes",
}


def mode_of(reading: str, crop_px: int) -> InferenceMode | None:
    """Return the mode of a reading; None for the whole image in one pass.

    Scales are of the image's own size, so that a window at scale 1 is one that is read. Raises
    ValueError for an unknown reading.
    """
    if reading == "whole":
        return None
    from pspgui.inference.modes import InferenceMode
    from pspgui.inference.protocols import protocol

    kind, _, factor = reading.partition("-")
    if kind == "shift":
        return InferenceMode(name=reading, shift=int(factor))
    crop = crop_px, crop_px
    if reading == "windows":
        return InferenceMode(name="windows", crop=crop, stride=2 / 3)
    return protocol(reading, crop=crop, base_size=None)


def has_windows(reading: str) -> bool:
    """Whether the side of a window matters to it."""
    return reading != "whole" and not reading.startswith("shift-")


def cost(mode: InferenceMode, shape: tuple[int, int]) -> tuple[int, int]:
    """Return how often the network runs for an image of `shape` (H, W), and on how many pixels."""
    from pspgui.inference.windows import WindowPlan

    each = mode.shift**2 * (1 + mode.mirror)
    plans = [WindowPlan.of(shape, mode, scale) for scale in mode.scales]
    passes = [each * plan.count for plan in plans]
    pixels = sum(n * p.window[0] * p.window[1] for n, p in zip(passes, plans, strict=True))
    return sum(passes), pixels


def cost_text(mode: InferenceMode | None, shape: tuple[int, int]) -> str:
    """Return what a reading takes beside a single pass over an image of `shape` (H, W)."""
    image = shape[0] * shape[1]
    passes, pixels = (1, image) if mode is None else cost(mode, shape)
    if passes == 1:
        return "One pass"
    return f"{passes} passes, {pixels / image:.1f} × the image's pixels"
