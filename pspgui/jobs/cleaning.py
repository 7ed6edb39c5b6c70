"""Finding what a cleaning of the labels would change, on a worker thread."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np

from pspgui.geometry import Rect
from pspgui.jobs.messages import Job, Step, Steps, Turn
from pspgui.labels.filters import OPEN, PaintFilter
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


@dataclass(frozen=True)
class Relabel:
    """Every pixel of `label` gets the label `into`."""

    label: int
    into: int


Cleaning = Operation | Sieve | Relabel


class Found(NamedTuple):
    """What a cleaning would change; `pieces` counts islands or holes, None for morphology."""

    patches: tuple[Patch, ...]
    pixels: int
    pieces: int | None


def find_changes(
    labels: np.ndarray,
    cleaning: Cleaning,
    within: Stamp | None = None,
    allowed: PaintFilter = OPEN,
) -> Job:
    """Return a job that gives `Found`: what changes, in `within` if given, and may.

    The labels (H, W) are read where they lie: whoever asked drops the answer if they changed.
    """

    def job(_turn: Turn) -> Steps:
        whole = Rect(0, 0, *labels.shape) if within is None else within.rect
        found: list[Patch] = []
        if isinstance(cleaning, Sieve):
            yield Step("Looking for pieces", None)
            for candidate in _sieved(labels, cleaning):
                patch = _cut(labels, candidate, within, allowed)
                if patch is not None:
                    found.append(patch)
            return _found(found, pieces_of(found, 8 if cleaning.kind == "islands" else 4))
        rects = tiles_of(whole)
        for done, rect in enumerate(rects):
            if done % _REPORT_TILES == 0:
                yield Step("Computing", done / len(rects))
            wanted = _wanted(labels, rect, cleaning)
            changes = Patch(rect, wanted != labels[rect.slices], wanted)
            patch = _cut(labels, changes, within, allowed)
            if patch is not None:
                found.append(patch)
        return _found(found, None)

    return job


def _wanted(labels: np.ndarray, rect: Rect, cleaning: Operation | Relabel) -> np.ndarray:
    if isinstance(cleaning, Operation):
        return transformed(labels, rect, cleaning)
    here = labels[rect.slices]
    return np.where(here == cleaning.label, labels.dtype.type(cleaning.into), here)


def _sieved(labels: np.ndarray, sieve: Sieve) -> Iterator[Patch]:
    if sieve.kind == "islands":
        stamp, wanted = islands(labels, sieve.label, sieve.below_px)
    else:
        stamp = holes(labels, sieve.label, sieve.below_px)
        wanted = np.broadcast_to(labels.dtype.type(sieve.label), stamp.mask.shape)
    for rect, mask in tiles(stamp, TILE_PX):
        part = rect.moved(-stamp.rect.y0, -stamp.rect.x0).slices
        yield Patch(rect, mask, np.ascontiguousarray(wanted[part]))


def _cut(
    labels: np.ndarray, patch: Patch, within: Stamp | None, allowed: PaintFilter
) -> Patch | None:
    """Return what of a patch lies in a region and may change; None if nothing does."""
    if within is not None:
        rect = patch.rect.intersect(within.rect)
        part = rect.moved(-patch.rect.y0, -patch.rect.x0).slices
        there = within.mask[rect.moved(-within.rect.y0, -within.rect.x0).slices]
        patch = Patch(rect, patch.mask[part] & there, patch.wanted[part])
    if not allowed.is_open:
        mask = patch.mask & allowed.change(labels[patch.rect.slices], patch.wanted)
        patch = patch._replace(mask=mask)
    return patch if patch.mask.any() else None


def pieces_of(patches: Sequence[Patch], connectivity: int) -> int:
    """Return how many connected pieces the pixels of patches form together."""
    import cv2

    whole = Rect(0, 0, 0, 0)
    for patch in patches:
        whole = whole.union(patch.rect)
    together = np.zeros((whole.height, whole.width), np.uint8)
    for rect, mask, _ in patches:
        together[rect.moved(-whole.y0, -whole.x0).slices] = mask
    if whole.is_empty:
        return 0
    return int(cv2.connectedComponents(together, connectivity=connectivity)[0]) - 1


def _found(patches: list[Patch], pieces: int | None) -> Found:
    pixels = sum(int(np.count_nonzero(patch.mask)) for patch in patches)
    return Found(tuple(patches), pixels, pieces)
