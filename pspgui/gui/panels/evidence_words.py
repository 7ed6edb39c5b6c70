"""The sum of a pixel's evidence in words, for a person who has never seen a pyramid."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pspgui.gui.pins import grouped

if TYPE_CHECKING:
    from pspgui.evidence.readings import PixelEvidence
    from pspgui.gui.panels.evidence_sums import Part, Sums
    from pspgui.gui.pins import Pin

# Parts of networks without a pyramid whose names alone do not say what they look at.
_SEEN: Final = {
    "Image pool": "the whole picture",
    "ASPP 1×1": "the features at the pixel itself",
    "taps": "what lies around the pixel",
}


def most_words(sums: Sums, of_pyramid: bool) -> tuple[str, str]:
    """Return what speaks most for the class and what most against it, in words; "" for nothing.

    Which comes first is what the number shown tells: of a class that loses, what is against it.
    """
    most = max(sums.parts, key=lambda part: part.value)
    least = min(sums.parts, key=lambda part: part.value)
    above = f"Most for it: {_what(most, of_pyramid)}" if most.value > 0 else ""
    below = f"Most against it: {_what(least, of_pyramid)}" if least.value < 0 else ""
    return (above, below) if sums.total >= 0 else (below, above)


def region_words(pin: Pin, evidence: PixelEvidence) -> tuple[str, str]:
    """Return which pixels of a region are explained, in a few words, and a line on what is told."""
    left_out = getattr(evidence, "left_out", 0)
    told = "\nAll amounts, and p, are the mean over the region's pixels"
    if not left_out:
        return pin.place, f"{told}."
    held = f"{grouped(pin.pixels - left_out)} of {grouped(pin.pixels)} px"
    return held, (
        f"{told} within the framed window; {grouped(left_out)} px lie beyond it and are left out."
    )


def _what(part: Part, of_pyramid: bool) -> str:
    """Return what a part looks at, and the name that it has elsewhere."""
    if part.kind == "constant":
        return "biases, whatever is seen (constant)"
    if part.kind == "interaction":
        return "what sources do for each other (interaction)"
    if part.kind == "local":
        return "what lies around the pixel (local)"
    if not of_pyramid:
        seen = _SEEN.get(part.name)
        if seen is None and part.name.startswith("ASPP rate"):
            seen = "what lies some way around the pixel"
        return part.name if seen is None else f"{seen} ({part.name})"
    seen = "the whole picture" if part.level == 1 else "parts of the picture"
    return f"{seen} ({part.name})"
