"""What a torch checkpoint says beside its tensors: class names, colours, how far training was.

Only strings, numbers and short lists of them are kept, within a budget: a file of a few bytes can
describe a list of any size and depth.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping

from pspgui.labels.classes import ClassTable, ClassTableError, LabelClass
from pspgui.models.checkpoints.errors import short

Plain = str | int | float | bool | None | tuple["Plain", ...]

_MAX_DEPTH = 4
_MAX_TEXT = 1 << 16
_MAX_ITEMS = 1 << 12
_MAX_TOTAL = 1 << 18
_NAMES = frozenset({"classes", "class_names", "names", "label_names", "labels"})
_COLOURS = frozenset({"palette", "colors", "colours", "colormap"})
# What training needs to go on, and nobody else; it can be larger than the network.
TRAINING_STATE = re.compile(r"optim|sched|scaler|amp$|rng|message_hub|callbacks|loops|ema", re.I)


def plain_values(holders: Iterable[Mapping[object, object]]) -> dict[str, Plain]:
    """Return the plain values of nested dictionaries by dotted key, as far as the budget goes."""
    budget = _Budget()
    found: dict[str, Plain] = {}
    for holder in holders:
        _collect(holder, "", 0, budget, found)
    return found


class _Budget:
    """Counts characters and items down; `spend` says whether they are still to be had."""

    def __init__(self) -> None:
        self.left = _MAX_TOTAL

    def spend(self, amount: int) -> bool:
        self.left -= amount
        return self.left >= 0


def _collect(
    holder: Mapping[object, object], prefix: str, depth: int, budget: _Budget,
    found: dict[str, Plain],
) -> None:  # fmt: skip
    if depth > _MAX_DEPTH:
        return
    for key, value in holder.items():
        if not budget.spend(1):
            return
        if not isinstance(key, str) or TRAINING_STATE.match(key):
            continue
        name = prefix + short(key, 60)
        if isinstance(value, dict):
            _collect(value, f"{name}.", depth + 1, budget, found)
        elif name not in found:
            try:
                found[name] = _plain(value, 0, budget)
            except ValueError:
                continue


def _plain(value: object, depth: int, budget: _Budget) -> Plain:
    """Return a value that is plain; raises ValueError for any other."""
    if isinstance(value, str) and len(value) <= _MAX_TEXT and budget.spend(len(value)):
        return str(value)
    if isinstance(value, bool | int) or value is None:
        return value if not isinstance(value, int) or value.bit_length() < 64 else float("1e19")
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, list | tuple) and len(value) <= _MAX_ITEMS and depth < _MAX_DEPTH:
        if not budget.spend(len(value)):
            raise ValueError("the budget is spent")
        return tuple(_plain(item, depth + 1, budget) for item in value)
    raise ValueError("not plain")


def named_classes(extras: Mapping[str, Plain], count: int) -> ClassTable | None:
    """Return the class table that a file itself gives for `count` outputs; None without one.

    mmsegmentation keeps CLASSES and PALETTE in `meta`, or in `dataset_meta` within it.
    """
    names = next((v for k, v in extras.items() if _last(k) in _NAMES and _is_names(v, count)), None)
    if not isinstance(names, tuple):
        return None
    found = next((v for k, v in extras.items() if _last(k) in _COLOURS), None)
    colours = found if isinstance(found, tuple) and len(found) >= count else ()
    classes = []
    for number, name in enumerate(names):
        colour = _colour(colours[number]) if colours else None
        classes.append(LabelClass(number, short(str(name), 60), colour or spread_colour(number)))
    try:
        return ClassTable(tuple(classes), ignore=255 if count <= 255 else 65535)
    except ClassTableError:
        return None


def spread_colour(number: int) -> tuple[int, int, int]:
    """Return a colour for a class without one, well apart from its neighbours'."""
    return 37 * number % 256, 101 * number % 256, 197 * number % 256


def _last(key: str) -> str:
    return key.rpartition(".")[2].lower()


def _is_names(value: Plain, count: int) -> bool:
    return (
        isinstance(value, tuple)
        and len(value) == count
        and all(isinstance(name, str) for name in value)
    )


def _colour(value: Plain) -> tuple[int, int, int] | None:
    match value:
        case (int(red), int(green), int(blue)):
            return red, green, blue
    return None
