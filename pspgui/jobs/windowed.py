"""Large images read through windows: the labels of all of them, the evidence of a single one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from pspgui.geometry import Pixel, Rect
from pspgui.imaging.scratch import let_go
from pspgui.jobs.class_tables import Place, ask, plain_evidence
from pspgui.labels.raster import Stamp

if TYPE_CHECKING:
    from pspgui.evidence.psp import LevelMeans
    from pspgui.evidence.readings import (
        LevelReading,
        OpenedSource,
        PixelEvidence,
        Reading,
        Source,
        Target,
    )
    from pspgui.inference.activations import Stamp as ImageStamp
    from pspgui.inference.modes import InferenceMode, ModeResult
    from pspgui.inference.views import LevelView
    from pspgui.jobs.class_tables import Explains, Translation

_TILE_SIDE = 512


@dataclass(frozen=True, eq=False)
class WindowPrediction:
    """What the windows of one image say together; stands where a `Prediction` stands.

    labels (H, W) in the numbering of the labels, winners (H, W) in that of all classes, and
    confidence (H, W) float32, the probability of the winner. There are no logits of pixels:
    what is averaged are probabilities. Read-only.
    """

    labels: np.ndarray
    winners: np.ndarray
    confidence: np.ndarray
    stamp: ImageStamp
    seconds: float
    windows: InferenceMode
    align_corners: bool = False
    reduction: int = 1

    @property
    def shape(self) -> tuple[int, int]:
        """(H, W) of the image."""
        height, width = self.labels.shape
        return height, width

    @property
    def padded_shape(self) -> tuple[int, int]:
        """The image's own: the maps of the strip lie over it exactly."""
        return self.shape

    @classmethod
    def of(
        cls, result: ModeResult, translation: Translation, stamp: ImageStamp
    ) -> WindowPrediction:
        """Take over the result of `run_mode` with its confidence."""
        assert result.confidence is not None
        winners = translation.to_reading(result.labels)
        labels = winners if translation.is_identity else translation.to_labels(result.labels)
        for array in (winners, labels, result.confidence):
            array.setflags(write=False)
        return cls(labels, winners, result.confidence, stamp, result.seconds, result.mode)

    def views(self) -> tuple[LevelView, ...]:
        """Return the one map of the strip that there is: the confidence, thinned."""
        from pspgui.inference.views import LevelView

        step = max(1, -(-max(self.shape) // _TILE_SIDE))
        thinned = np.ascontiguousarray(self.confidence[::step, ::step])
        let_go(self.confidence)
        return (LevelView("confidence", "Confidence", None, thinned),)


def window_around(
    pixel: tuple[int, int], shape: tuple[int, int], mode: InferenceMode
) -> Rect:
    """Return the window, of those through which an image is read, whose middle is nearest."""
    from pspgui.inference.windows import WindowPlan

    plan = WindowPlan.of(shape, mode, 1.0)
    row = _nearest(plan.rows, plan.window[0], pixel[0] + plan.offset[0])
    column = _nearest(plan.columns, plan.window[1], pixel[1] + plan.offset[1])
    return plan.rect(row, column).intersect(Rect(0, 0, *shape))


def _nearest(starts: tuple[int, ...], size: int, at: int) -> int:
    return min(range(len(starts)), key=lambda i: abs(starts[i] + size / 2 - at - 0.5))


@dataclass(frozen=True, eq=False)
class WindowEvidence:
    """The evidence of one window, asked and answered in pixels of the image.

    It explains that window alone, not the average over windows that is shown.
    """

    engine: Explains
    frame: Rect

    def covers(self, pixel: tuple[int, int]) -> bool:
        """Say whether a pixel lies in the window."""
        return self.frame.contains(*pixel)

    @property
    def readings(self) -> tuple[Reading, ...]:
        """The ways in which it can be read."""
        return self.engine.readings

    @property
    def whole_readings(self) -> tuple[Reading, ...]:
        """The ways of reading whole levels alone."""
        return getattr(self.engine, "whole_readings", ())

    @property
    def compares(self) -> bool:
        """Whether sources can be compared with a mean bin."""
        return getattr(self.engine, "compares", False)

    def takes(self, baseline: LevelMeans) -> bool:
        """Say whether sources can be compared with a baseline."""
        takes = getattr(self.engine, "takes", None)
        return takes is not None and bool(takes(baseline))

    def at(
        self, pixel: tuple[int, int], target: Target | None = None, reading: Reading = "split",
        baseline: LevelMeans | None = None,
    ) -> PixelEvidence:  # fmt: skip
        """Return the evidence of a pixel of the image within the frame."""
        found = ask(self.engine, self.inside(pixel), target, reading, baseline)
        return moved_evidence(found, Pixel(*pixel), self.frame.y0, self.frame.x0)

    def inside(self, pixel: tuple[int, int]) -> Pixel:
        """Return a pixel of the image as one of the window."""
        return Pixel(pixel[0] - self.frame.y0, pixel[1] - self.frame.x0)

    def part_of(self, region: Stamp) -> Stamp:
        """Return what the window holds of a region of the image, in the window's own pixels."""
        return part_within(region, self.frame)

    def open_source(
        self, place: Place, source: Source, target: Target | None = None,
        check: Callable[[], None] = lambda: None,
    ) -> OpenedSource:  # fmt: skip
        """Open a source into cells; the map stands over the window, its padding included.

        Of a region the part that the window holds is asked about.
        """
        from pspgui.inference.shown_map import Lattice
        from pspgui.jobs.opening_sources import opened_by

        inner = self.part_of(place) if isinstance(place, Stamp) else self.inside(place)
        found = opened_by(self.engine, inner, source, target, check)
        plain, _ = plain_evidence(self.engine)
        height, width = found.values.shape
        lattice = Lattice.of(plain.activations)  # type: ignore[union-attr]
        region = found.region or lattice.region((height, width))
        return replace(
            found, source=source, region=region.moved(self.frame.y0, self.frame.x0)
        )


def part_within(region: Stamp, frame: Rect) -> Stamp:
    """Return what a frame holds of a region, in pixels of the frame; it may be nothing."""
    rect = region.rect.intersect(frame)
    mask = region.mask[rect.moved(-region.rect.y0, -region.rect.x0).slices]
    return Stamp(rect.moved(-frame.y0, -frame.x0), mask)


def moved_evidence(
    found: PixelEvidence, pixel: Pixel, down: int, across: int
) -> PixelEvidence:
    """Return evidence of a window as that of the image: at `pixel`, its regions moved."""
    from pspgui.evidence.readings import BranchEvidence, GroupShapley, PyramidEvidence

    if isinstance(found, PyramidEvidence):
        levels = {level: _moved(r, down, across) for level, r in found.levels.items()}
        region = found.local_region.moved(down, across)
        return replace(found, pixel=pixel, local_region=region, levels=levels)
    if isinstance(found, GroupShapley):
        regions = {level: r.moved(down, across) for level, r in found.read_regions.items()}
        region = found.local_region.moved(down, across)
        return replace(found, pixel=pixel, local_region=region, read_regions=regions)
    assert isinstance(found, BranchEvidence)
    parts = tuple(s._replace(region=s.region.moved(down, across)) for s in found.parts)
    return replace(found, pixel=pixel, parts=parts)


def _moved(reading: LevelReading, down: int, across: int) -> LevelReading:
    regions = tuple(tuple(r.moved(down, across) for r in row) for row in reading.regions)
    return reading._replace(regions=regions)
