"""Finding what a cleaning of the labels would change, on a worker thread."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from pspgui.geometry import Rect
from pspgui.jobs.messages import Job, Step, Steps, Turn
from pspgui.labels.morphology import TILE_PX, Operation, Patch, tiles_of, transformed
from pspgui.labels.raster import Stamp
from pspgui.labels.regions import holes, islands
from pspgui.labels.shapes import tiles

_REPORT_TILES: Final = 16


@dataclass(frozen=True)
class Sieve:
    """Pieces of `label` ("islands") or holes in it ("holes") of less than `below_px` pixels."""

    kind: str
    label: int
    below_px: int


Cleaning = Operation | Sieve


def find_changes(labels: np.ndarray, cleaning: Cleaning, within: Stamp | None = None) -> Job:
    """Return a job that finds what changes, as a tuple of `Patch`, in `within` if given.

    The labels (H, W) are read where they lie: whoever asked drops the answer if they changed.
    """

    def job(_turn: Turn) -> Steps:
        whole = Rect(0, 0, *labels.shape) if within is None else within.rect
        found: list[Patch] = []
        if isinstance(cleaning, Sieve):
            yield Step("Looking for pieces", None)
            candidates: Iterable[Patch] = _sieved(labels, cleaning)
            found.extend(p for c in candidates if (p := _cut(c, within)) is not None)
            return tuple(found)
        rects = tiles_of(whole)
        for done, rect in enumerate(rects):
            if done % _REPORT_TILES == 0:
                yield Step("Computing", done / len(rects))
            wanted = transformed(labels, rect, cleaning)
            patch = _cut(Patch(rect, wanted != labels[rect.slices], wanted), within)
            if patch is not None:
                found.append(patch)
        return tuple(found)

    return job


def _sieved(labels: np.ndarray, sieve: Sieve) -> Iterator[Patch]:
    if sieve.kind == "islands":
        stamp, wanted = islands(labels, sieve.label, sieve.below_px)
    else:
        stamp = holes(labels, sieve.label, sieve.below_px)
        wanted = np.broadcast_to(labels.dtype.type(sieve.label), stamp.mask.shape)
    for rect, mask in tiles(stamp, TILE_PX):
        part = rect.moved(-stamp.rect.y0, -stamp.rect.x0).slices
        yield Patch(rect, mask, np.ascontiguousarray(wanted[part]))


def _cut(patch: Patch, within: Stamp | None) -> Patch | None:
    """Return what of a patch lies in a region; None if nothing does."""
    if within is not None:
        rect = patch.rect.intersect(within.rect)
        part = rect.moved(-patch.rect.y0, -patch.rect.x0).slices
        there = within.mask[rect.moved(-within.rect.y0, -within.rect.x0).slices]
        patch = Patch(rect, patch.mask[part] & there, patch.wanted[part])
    return patch if patch.mask.any() else None
