"""The mean bin of some images: what a model's bins bring on average, to compare one pixel's with.

It takes a pass of the network for every image, behind everything a person asks for meanwhile, and
is kept per weights in the cache, from where it is there again at once.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final
from zipfile import BadZipFile

import numpy as np

from pspgui import places
from pspgui.durable import SaveError, printable, write_durably
from pspgui.imaging import DecodeError, decode_image
from pspgui.jobs.messages import Job, JobCancelled, Step, Steps, Turn
from pspgui.jobs.windowed import window_around

if TYPE_CHECKING:
    from pspgui.evidence.psp import LevelMeans
    from pspgui.inference.predictor import Predictor
    from pspgui.jobs.modelling import ModelRoom

MOST_IMAGES: Final = 40
LEAST_IMAGES: Final = 2

# What one image's bins bring on average: (k, k, K) a level.
OneMean = tuple[np.ndarray, ...]


class MeanBinError(RuntimeError):
    """There is no mean bin: of this network, or of these images."""


class _OutrankedError(Exception):
    """Something more urgent waits; the image is begun anew behind it."""


def spread_over(images: Sequence[Path], most: int = MOST_IMAGES) -> tuple[Path, ...]:
    """Return at most so many images, evenly spread: neighbours in a folder are much alike."""
    count = min(most, len(images))
    return tuple(images[round((i + 0.5) * len(images) / count - 0.5)] for i in range(count))


def average_bins(room: ModelRoom, images: Sequence[Path], of: str) -> Job:
    """Return a job that gives the `LevelMeans` of images, and keeps them in the cache.

    `of` says whose images they are. Images that cannot be read are left out. Fails with
    `MeanBinError` where fewer than two can be, or the network has no bins.
    """

    def job(turn: Turn) -> Steps:
        from pspgui.evidence.psp import mean_of

        predictor, found = room.ready, list[OneMean]()
        for number, image in enumerate(images):
            while True:
                text = f"Averaging bins, image {number + 1} of {len(images)}"
                yield Step(text, number / len(images))
                if room.predictor is not predictor:
                    raise JobCancelled  # the means would be of another model than the one in use
                try:
                    one = _bins_of(room, predictor, image, turn)
                except _OutrankedError:
                    continue
                if one is not None:
                    found.append(one)
                break
        if len(found) < LEAST_IMAGES:
            raise MeanBinError(
                f"{len(found) or 'None'} of the {len(images)} images could be read, and a mean "
                "takes two; sources are still compared with silence."
            )
        means = mean_of(found, f"the mean bin of {len(found)} images of {of}", predictor.digest)
        keep_means(means)
        return means

    return job


def _bins_of(
    room: ModelRoom, predictor: Predictor, image: Path, turn: Turn
) -> OneMean | None:
    """Return an image's mean bins, None for one not to be read; raises where it has to wait."""
    from pspgui.evidence import averaged_bins
    from pspgui.inference.errors import Cancelled as Stopped
    from pspgui.inference.errors import ImageTooLargeError

    stop: Callable[[], bool] = lambda: turn.cancelled() or turn.outranked()  # noqa: E731
    try:
        pixels = decode_image(image).pixels
        if room.mode is not None and room.mode.crop is not None:  # as a window shows it
            height, width = pixels.shape[:2]
            frame = window_around((height // 2, width // 2), (height, width), room.mode)
            pixels = np.ascontiguousarray(pixels[frame.slices])
        activations = predictor.set_image(pixels, cancelled=stop)
    except (DecodeError, ImageTooLargeError):
        return None
    except Stopped as stopped:
        if turn.cancelled():
            raise JobCancelled from stopped
        raise _OutrankedError from stopped
    found = averaged_bins(activations, predictor.weights)
    if found is None:
        raise MeanBinError(f"{predictor.spec.title} has no bins that could be averaged.")
    return found


# -- kept between runs ----------------------------------------------------------------------------


def file_of(digest: str) -> Path:
    """Return where the means of weights are kept."""
    return places.cache_folder() / "mean_bins" / f"{digest}.npz"


def keep_means(means: LevelMeans) -> None:
    """Write means beside those of other weights; a full disk is no reason to lose them now."""
    content = io.BytesIO()
    arrays = {f"level_{i}": taps for i, taps in enumerate(means.taps)}
    np.savez(content, name=np.array(means.name), **arrays)  # type: ignore[arg-type]
    path = file_of(means.digest)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_durably(path, content.getvalue())
    except (OSError, SaveError):
        return


def read_means(digest: str) -> Job:
    """Return a job that gives (digest, `LevelMeans` kept for these weights or None)."""

    def job(turn: Turn) -> Steps:
        yield Step("Looking for a mean bin")
        from pspgui.evidence.psp import LevelMeans

        try:
            content = io.BytesIO(file_of(digest).read_bytes())
            with np.load(content, allow_pickle=False) as kept:
                levels = len(kept.files) - 1
                taps = tuple(np.asarray(kept[f"level_{i}"]) for i in range(levels))
                return digest, LevelMeans(taps, str(kept["name"]), digest)
        except (OSError, ValueError, KeyError, EOFError, BadZipFile):
            return digest, None  # there is none, or what there is was cut off

    return job


def folder_of(images: Sequence[Path]) -> str:
    """Return the name of the folder that images lie in."""
    return printable(images[0].parent.name) if images else ""
