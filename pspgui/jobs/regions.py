"""Jobs that find regions of an image for tools: floods, superpixels, things in boxes, wires.

All read frozen arrays, but for the labels of a flood: whoever asks drops an answer about labels
that changed meanwhile.
"""

from __future__ import annotations

import numpy as np

from pspgui.geometry import Pixel, Rect
from pspgui.jobs.messages import Job, Step, Steps, Turn
from pspgui.labels.grabcut import ROUNDS, Hints, cut_out
from pspgui.labels.raster import NOTHING, Point, Stamp
from pspgui.labels.regions import colour_region, label_region
from pspgui.labels.scissors import Wire
from pspgui.labels.superpixels import find_superpixels


def find_label_region(labels: np.ndarray, seed: Pixel) -> Job:
    """Return a job that finds the region of one label around a pixel: a `Stamp`."""

    def job(_turn: Turn) -> Steps:
        yield Step("Looking for the region")
        return label_region(labels, seed)

    return job


def find_colour_region(image: np.ndarray, seed: Pixel, tolerance: int) -> Job:
    """Return a job that finds the region of like colours around a pixel: a `Stamp`."""

    def job(_turn: Turn) -> Steps:
        yield Step("Looking for the region")
        return colour_region(image, seed, tolerance)

    return job


def find_superpixels_of(image: np.ndarray, rect: Rect, size_px: int) -> Job:
    """Return a job that finds the `Superpixels` of a rect."""

    def job(_turn: Turn) -> Steps:
        yield Step("Finding superpixels")
        return find_superpixels(image, rect, size_px)

    return job


def cut_thing_out(image: np.ndarray, box: Rect, hints: Hints | None) -> Job:
    """Return a job that cuts the thing out of a box, a `Stamp`; it may be stopped at each round."""

    def job(_turn: Turn) -> Steps:
        stamp: Stamp = NOTHING
        yield Step("Cutting out", 0.0)
        for done, answer in enumerate(cut_out(image, box, hints), 1):
            stamp = answer
            yield Step("Cutting out", done / ROUNDS)
        return stamp

    return job


def build_wire(image: np.ndarray, start: Point) -> Job:
    """Return a job that builds the live-wire from a point: a `Wire`."""

    def job(_turn: Turn) -> Steps:
        yield Step("Following borders")
        return Wire(image, start)

    return job
