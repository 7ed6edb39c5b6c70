"""Where each label of a map came from; a parallel (H, W) uint8 map holds these values.

MODEL is the model that made the map; pixels taken from another model later bear a value of their
own, FIRST_VERSION or above, and the label map knows that model's name (`LabelMap.models`).
"""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from typing import Final, NamedTuple

import numpy as np

MODEL = 0  # predicted, and never touched by a person
PERSON = 1  # painted or confirmed by a person
IGNORED = 2  # set to the ignore label by a person, on purpose
IMPORTED = 3  # read from a label file of unknown history
REFIT = 4  # predicted by the model as it learnt from a person's strokes on this image
FIRST_VERSION: Final = 16  # from here on: models after the first one, by name

NAMES = {
    MODEL: "model", PERSON: "person", IGNORED: "ignored", IMPORTED: "imported", REFIT: "refit",
}  # fmt: skip

# Apart in lightness as well as in hue, so that they differ to any eye.
_COLOURS: Final = {
    MODEL: (90, 92, 100),
    PERSON: (240, 160, 50),
    IGNORED: (235, 225, 205),
    IMPORTED: (80, 140, 220),
    REFIT: (45, 170, 150),
}
_VERSION_COLOURS: Final = (
    (122, 104, 150), (92, 128, 96), (150, 104, 112), (104, 126, 150), (138, 128, 92),
)  # fmt: skip


class ProvenanceShare(NamedTuple):
    """How much of the labels came from one source; `pixels` of `total` counted."""

    value: int
    name: str
    colour: tuple[int, int, int]
    pixels: int
    share: float


def palette() -> np.ndarray:
    """Return the colour of every provenance value, (256, 3) uint8."""
    colours = np.zeros((256, 3), np.uint8)
    for value, colour in _COLOURS.items():
        colours[value] = colour
    for value in range(FIRST_VERSION, 256):
        colours[value] = _VERSION_COLOURS[(value - FIRST_VERSION) % len(_VERSION_COLOURS)]
    return colours


def is_model(provenance: np.ndarray) -> np.ndarray:
    """Return where a label is a model's own word, of whatever version: a bool array."""
    result: np.ndarray = (provenance == MODEL) | (provenance == REFIT)
    result |= provenance >= FIRST_VERSION
    return result


def name_of(value: int, models: Mapping[int, str] | None = None) -> str:
    """Return what to call a provenance value; `models` are the names of `LabelMap.models`."""
    known = (models or {}).get(value, "")
    if value == MODEL or value >= FIRST_VERSION:
        return f"model {known}" if known else "model" if value == MODEL else "another model"
    return NAMES.get(value, "unknown")


def value_for(models: MutableMapping[int, str], name: str) -> int:
    """Return the provenance value of a model, giving it one in `models` if it has none.

    The first model of a map is MODEL. With more models than there are values the last is shared.
    """
    for value, known in models.items():
        if known == name:
            return value
    if not models:
        models[MODEL] = name
        return MODEL
    value = min(255, max(FIRST_VERSION, max(models) + 1))
    models[value] = name
    return value


def shares(
    provenance: np.ndarray, models: Mapping[int, str] | None = None
) -> tuple[ProvenanceShare, ...]:
    """Return how much of a provenance map (H, W) uint8 each source made, largest first.

    About 1 ms a megapixel; any thread on arrays that nobody writes meanwhile.
    """
    return _shares(_counts(provenance), models)


def class_shares(
    labels: np.ndarray, provenance: np.ndarray, models: Mapping[int, str] | None = None
) -> dict[int, tuple[ProvenanceShare, ...]]:
    """Return by label what `shares` says of the pixels that bear it; labels (H, W) integer.

    Labels that occur nowhere are left out. Raises `ValueError` for shapes that differ.
    """
    if labels.shape != provenance.shape:
        raise ValueError(f"labels {labels.shape}, provenance {provenance.shape}")
    counts = np.zeros((int(labels.max()) + 1) * 256, np.int64)
    for rows in _bands(labels.shape):
        joint = labels[rows].astype(np.intp) * 256 + provenance[rows]
        counts += np.bincount(joint.ravel(), minlength=len(counts))
    table = counts.reshape(-1, 256)
    return {int(label): _shares(table[label], models) for label in np.flatnonzero(table.any(1))}


def _counts(provenance: np.ndarray) -> np.ndarray:
    counts = np.zeros(256, np.int64)
    for rows in _bands(provenance.shape):
        counts += np.bincount(provenance[rows].ravel(), minlength=256)
    return counts


def _bands(shape: tuple[int, ...]) -> list[slice]:
    """Return bands of rows: bincount works on a copy of 8 bytes a pixel."""
    rows = max(1, (1 << 18) // max(1, shape[1]))
    return [slice(top, top + rows) for top in range(0, shape[0], rows)]


def _shares(
    counts: np.ndarray, models: Mapping[int, str] | None
) -> tuple[ProvenanceShare, ...]:
    total, colours = max(1, int(counts.sum())), palette()
    found = sorted(np.flatnonzero(counts), key=lambda value: -int(counts[value]))
    return tuple(
        ProvenanceShare(
            int(value), name_of(int(value), models),
            (int(colours[value][0]), int(colours[value][1]), int(colours[value][2])),
            int(counts[value]), int(counts[value]) / total,
        )
        for value in found
    )  # fmt: skip
