"""What all forms of `pspgui explain` share: what is asked, and how images and evidence are had."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, NamedTuple

import numpy as np
import typer

from pspgui.durable import printable
from pspgui.geometry import Rect
from pspgui.imaging import decode_image
from pspgui.labels.raster import Stamp

if TYPE_CHECKING:
    from pspgui.evidence import Evidence
    from pspgui.evidence.readings import PixelEvidence, Reading, Target
    from pspgui.inference.predictor import Predictor
    from pspgui.labels.classes import ClassTable

Place = tuple[int, int] | Stamp
"""A pixel (y, x), or a region."""
ReadingOption = Annotated[
    Literal["split", "ig", "ablate", "shapley"] | None,
    typer.Option(
        show_default="split",
        help="split: gates as they are; ig: integrated gradients; ablate: what the logit falls by "
        "when a source, or a whole level, alone is silent; shapley: of local and whole levels, "
        "over all orders",
    ),
]


class Asking(NamedTuple):
    """What is asked: an image, pixels (y, x) and regions, what of them is explained, and how."""

    image: Path
    pixels: tuple[tuple[int, int], ...]
    rects: tuple[Rect, ...]
    class_name: str | None
    versus: str | None
    reading: Reading
    open_name: str | None = None

    @property
    def places(self) -> tuple[Place, ...]:
        """The pixels, and then the regions."""
        regions = (Stamp(r, np.ones((r.height, r.width), bool)) for r in self.rects)
        return *self.pixels, *regions

    def target(self, evidence: Evidence, place: Place, table: ClassTable) -> Target | None:
        """Return what --class or --versus mean at a place; raises ValueError."""
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
        winner, other_class = _winner(evidence, place), table.find(self.versus)
        if other_class.id == winner:
            raise ValueError(f"{other_class.name} is the winner at this place; name another class")
        return Target(winner, other_class.id)

    def evidence(self, evidence: Evidence, place: Place, target: Target | None) -> PixelEvidence:
        """Return the evidence of a place; raises ValueError for a reading that there is not."""
        if not isinstance(place, Stamp):
            return evidence.at(place, target, self.reading)
        from pspgui.evidence.regions import region_evidence

        return region_evidence(evidence, place, target, self.reading)


def region_option(text: str) -> Rect:
    """Return the rectangle of a user's `X0,Y0,X1,Y1`, X1 and Y1 excluded; raises `ValueError`."""
    try:
        x0, y0, x1, y1 = (int(part) for part in text.split(","))
    except ValueError as error:
        raise ValueError(f"--region {text} is not X0,Y0,X1,Y1 in whole pixels") from error
    if x0 >= x1 or y0 >= y1:
        raise ValueError(f"--region {text} has no pixel in it")
    return Rect(y0, x0, y1, x1)


def _winner(evidence: Evidence, place: Place) -> int:
    if not isinstance(place, Stamp):
        return evidence.margin_target(place).class_id
    from pspgui.evidence.regions import region_target

    return region_target(evidence.activations, place).class_id


def read_image(asking: Asking) -> np.ndarray:
    """Return the image (H, W, 3); raises ValueError for a pixel outside it, `DecodeError`."""
    pixels = decode_image(asking.image).pixels
    for pixel in asking.pixels:
        check_pixel(pixel, pixels)
    whole = Rect(0, 0, *pixels.shape[:2])
    for rect in asking.rects:
        if rect.intersect(whole) != rect:
            y0, x0, y1, x1 = rect
            raise ValueError(
                f"--region {x0},{y0},{x1},{y1} lies outside the image of {whole.x1} x {whole.y1} "
                "pixels"
            )
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


def tell_reduction(evidence: Evidence, name: str) -> None:
    """Say on standard error that an image was too large and seen reduced."""
    from pspgui.inference.activations import reduction_note

    if evidence.activations.reduction > 1:
        note = reduction_note(evidence.activations.reduction)
        typer.echo(f"pspgui: {printable(name)}: {note}", err=True)
