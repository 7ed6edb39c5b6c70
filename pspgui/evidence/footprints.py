"""Where a source is read for a pixel: the weights of a bin's interpolation, the taps of a branch.

A source has two places: where it comes from (`Source.region`), and where it is read. A bin is read
far beyond what it pools; the taps of an atrous branch lie apart like a constellation, and those
that fall into the padding read nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pspgui.evidence.branches import ASPPEvidence
from pspgui.evidence.parts import CellsEvidence
from pspgui.evidence.psp import PSPEvidence
from pspgui.evidence.readings import Source
from pspgui.evidence.upsampling import UpsamplingEvidence
from pspgui.inference.activations import Activations
from pspgui.inference.shown_map import Lattice


@dataclass(frozen=True, eq=False)
class Footprint:
    """Where a source is read.

    weights: (h, w) float32 in 0..1, how strongly the cells over the whole image read a bin; None
    for other sources. points, missed: (P, 2) float, the middles (y, x), in image pixels, of the
    cells that a branch reads for the pixel and of those it would read in the padding. reads and
    lost: how many reads there are in all and how many fall into the padding; a cell may be read
    more than once.
    """

    weights: np.ndarray | None
    points: np.ndarray
    missed: np.ndarray
    reads: int = 0
    lost: int = 0


_NONE = np.empty((0, 2))


def footprint(
    evidence: PSPEvidence | CellsEvidence, pixel: tuple[int, int], source: Source
) -> Footprint | None:
    """Return where a source is read for a pixel (y, x); None where that is not told.

    Bins of both pyramids and the branches of a DeepLabV3 tell it. Raises as `at` does.
    """
    if isinstance(evidence, PSPEvidence | UpsamplingEvidence):
        if source.kind != "bin":
            return None
        weights = evidence.reach_map(source.level, source.row, source.col)
        return Footprint(weights, _NONE, _NONE)
    if not isinstance(evidence, ASPPEvidence) or source.kind != "branch":
        return None
    if source.title == evidence.weights.pool:
        return None  # it reads everything, and the box says so
    inside, outside = evidence.constellation(pixel, source)
    lost, reads = evidence.lost_reads(pixel, source)
    known = evidence.activations
    return Footprint(None, middles(known, inside), middles(known, outside), reads, lost)


def lost_text(found: Footprint) -> str:
    """Return a sentence on reads in the padding; empty where there are none."""
    if not found.lost:
        return ""
    text = f"{found.lost} of {found.reads} reads fall into the padding"
    if found.lost > 0.75 * found.reads:
        return f"{text}: hardly more than the middle tap of this branch is left."
    if found.lost > 0.5 * found.reads:
        return f"{text}: more than half of what this branch could see is not there."
    return f"{text}."


def middles(known: Activations, cells: np.ndarray) -> np.ndarray:
    """Return the middles (y, x) in image pixels of cells (P, 2), those of the padding included."""
    top, left, bottom, right = Lattice.of(known).extent(known.grid)
    pitch = (bottom - top) / known.grid[0], (right - left) / known.grid[1]
    found: np.ndarray = (cells + 0.5) * pitch + (top, left)
    return found
