"""What the evidence panel says while it has nothing to explain: why, and what to do next."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pspgui.gui.document import Document


def what_to_do(document: Document) -> tuple[str, str]:
    """Return a title and a hint for the empty panel."""
    if document.image is None:
        return "No image yet", "Open an image; every pixel of its prediction can be explained."
    if document.prediction is None:
        return "Waiting for the prediction", "Then move the mouse over the image."
    if document.is_preview:
        return "A first look", "Evidence follows with the full prediction."
    if not document.can_explain:
        return _no_evidence(document)
    if document.by_windows and document.shows_region:
        return (
            "Reading the window around it",
            "What is shown is an average over windows. The window around the region’s middle is "
            "explained, with those of its pixels that lie in it.",
        )
    if document.by_windows:
        return (
            "Click to explain this window",
            "What is shown is an average over windows. Click a pixel with the probe (H) to "
            "explain the single window around it.",
        )
    return (
        "Point at a pixel",
        "Move the mouse over the image to see what drives its class. "
        "Click with the probe (H) to pin a pixel.",
    )


def _no_evidence(document: Document) -> tuple[str, str]:
    """Say calmly that there is nothing to read here, and what there is instead."""
    network = document.network or "This network"
    rest = "The status bar still tells class and probability, the strip below shows its maps."
    if "psp" in network.casefold():
        return "This pyramid cannot be read yet", f"{network} is split in no way known. {rest}"
    return "No pyramid to read", f"{network} has no bins. {rest}"
