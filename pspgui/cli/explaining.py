"""What all forms of `pspgui explain` share: what is asked, and how images and evidence are had."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, NamedTuple

import numpy as np
import typer

from pspgui.imaging import decode_image

if TYPE_CHECKING:
    from pspgui.evidence import Evidence
    from pspgui.evidence.readings import Reading, Target
    from pspgui.inference.predictor import Predictor
    from pspgui.labels.classes import ClassTable

ReadingOption = Annotated[
    Literal["split", "ig", "ablate", "shapley"],
    typer.Option(
        help="split: gates as they are; ig: integrated gradients; ablate: what the logit falls by "
        "when a source alone is silent; shapley: of local and whole levels, over all orders"
    ),
]


class Asking(NamedTuple):
    """What is asked: an image, pixels (y, x), and what of them is explained, and how."""

    image: Path
    pixels: tuple[tuple[int, int], ...]
    class_name: str | None
    versus: str | None
    reading: Reading
    open_name: str | None = None

    def target(
        self, evidence: Evidence, pixel: tuple[int, int], table: ClassTable
    ) -> Target | None:
        """Return what --class or --versus mean at a pixel; raises ValueError."""
        from pspgui.evidence.readings import Target

        if self.class_name is not None and self.versus is not None:
            one, other = table.find(self.class_name).id, table.find(self.versus).id
            if one == other:
                raise ValueError(f"{self.versus} cannot be compared with itself")
            return Target(one, other)
        if self.class_name is not None:
            return Target(table.find(self.class_name).id)
        if self.versus is None:
            return None
        winner, other_class = evidence.margin_target(pixel).class_id, table.find(self.versus)
        if other_class.id == winner:
            raise ValueError(f"{other_class.name} is the winner at this pixel; name another class")
        return Target(winner, other_class.id)


def read_image(asking: Asking) -> np.ndarray:
    """Return the image (H, W, 3); raises ValueError for a pixel outside it, `DecodeError`."""
    pixels = decode_image(asking.image).pixels
    for pixel in asking.pixels:
        check_pixel(pixel, pixels)
    return pixels


def check_pixel(pixel: tuple[int, int], image: np.ndarray) -> None:
    """Raise ValueError for a pixel (y, x) outside an image."""
    height, width = image.shape[:2]
    y, x = pixel
    if not (0 <= y < height and 0 <= x < width):
        raise ValueError(f"--at {x},{y} lies outside the image of {width} x {height} pixels")


def evidence_from(predictor: Predictor, pixels: np.ndarray, name: str) -> Evidence:
    """Run the network over an image; raises ValueError for one that has no evidence yet."""
    from pspgui.evidence import evidence_of
    from pspgui.reports.checks import unexplained

    evidence = evidence_of(predictor.set_image(pixels, name), predictor.weights)
    if evidence is None:
        raise ValueError(unexplained(predictor))
    return evidence
