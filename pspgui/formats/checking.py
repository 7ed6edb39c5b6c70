"""The pass over all label files before anything runs: every value must have a meaning."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from itertools import islice
from pathlib import Path

from pspgui.durable import printable
from pspgui.formats.coding import FileValues
from pspgui.formats.errors import FormatError
from pspgui.formats.samples import Sample
from pspgui.formats.seen_values import SeenValues, stamp_of
from pspgui.imaging import DecodeError
from pspgui.labels.classes import ClassTable

Progress = Callable[[int, int], None]

# How many more files are read after the first wrong one, to tell what kind of mistake it is.
LOOK_AHEAD = 24


def check_labels(
    samples: Sequence[Sample],
    table: ClassTable,
    progress: Progress | None = None,
    described: bool = False,
) -> None:
    """Read all label files of a split and raise `FormatError` unless each value has a meaning.

    The message names the first file and value, and says which common mistake it looks like. Also
    refused: grey masks of 0 and 255 only, unless an export of ours `described` what they mean, and
    splits in which every pixel is to be ignored.
    `progress` is told (files done, files in all) and may raise to stop. Values seen in unchanged
    files are remembered for the next time. Any thread but the GUI's.
    """
    wrong: tuple[Path, int] | None = None
    values: set[int] = set()
    grey = True
    left = len(samples)
    with closing(_values_of(samples)) as reading:
        for done, (sample, found) in enumerate(reading, 1):
            values.update(found.values)
            grey = grey and found.is_grey
            if wrong is None:
                unknown = next((v for v in found.values if _label(sample, v, table) is None), None)
                if unknown is not None:
                    wrong, left = (sample.labels, unknown), done + LOOK_AHEAD
            if progress is not None:
                progress(done, len(samples))
            if done >= left:
                break
    if wrong is not None:
        raise _wrong(samples, table, wrong, values)
    if samples:
        _refuse_empty(samples, table, values, grey and not described)


def _values_of(samples: Sequence[Sample]) -> Generator[tuple[Sample, FileValues], None, None]:
    """Yield every sample with the values of its label file, in their order; raises `FormatError`.

    Decoding lets go of the interpreter's lock, so several files are read at a time.
    """
    if not samples:
        return
    seen = SeenValues(Path(os.path.commonpath([s.labels.absolute().parent for s in samples])),
                      samples[0].coding.key)  # fmt: skip
    workers = min(8, os.cpu_count() or 1)
    rest = iter(samples)
    with ThreadPoolExecutor(workers, thread_name_prefix="pspgui-labels") as pool:
        try:
            while batch := list(islice(rest, 4 * workers)):
                yield from zip(batch, pool.map(lambda s: _found(s, seen), batch), strict=True)
        finally:
            pool.shutdown(cancel_futures=True)
            seen.keep()


def _found(sample: Sample, seen: SeenValues) -> FileValues:
    kept = bool(sample.coding.key)  # one file of many images says nothing of this one
    known = seen.of(sample.labels) if kept else None
    if known is not None:
        return known
    stamp = stamp_of(sample.labels)  # before it is read, so that a change meanwhile is noticed
    try:
        found = sample.coding.values_of(sample.labels)
    except DecodeError as error:
        raise FormatError(f"{printable(sample.labels)}: {error.reason}") from error
    if kept:
        seen.add(sample.labels, found, stamp)
    return found


def _label(sample: Sample, value: int, table: ClassTable) -> int | None:
    """Return the label of a value, or None where it is no class and not the ignore label."""
    label = sample.coding.label_of(value)
    if label is None or (label >= len(table) and label != table.ignore):
        return None
    return label


def _wrong(
    samples: Sequence[Sample], table: ClassTable, wrong: tuple[Path, int], values: set[int]
) -> FormatError:
    path, value = wrong
    coding = samples[0].coding
    expected = coding.expected or (
        f"classes.json ends at {len(table) - 1} (ignore is {table.ignore})"
        + _likely_mistake(values, table)
    )
    return FormatError(f"{printable(path)} holds {coding.show(value)}; {expected}")


def _likely_mistake(values: set[int], table: ClassTable) -> str:
    """Return a clause about the mistake that these values look like, or nothing."""
    count, labels = len(table), sorted(values - {table.ignore})
    if values == {0, 255}:
        return "; the masks hold 0 and 255 only: is 255 the foreground? If so, write it as 1"
    if labels[0] == 1 and labels[-1] == count:
        return f"; the values are 1 to {count}: are these one-based labels? If so, subtract 1"
    if labels[0] == 0 and labels[-1] == count:
        return (
            f"; the values are 0 to {count}: is a class missing in classes.json, or is 0 "
            '"other" and 1 the first class? If so, subtract 1 and write 255 for 0'
        )
    step = math.gcd(*labels)
    if step > 1 and labels[-1] // step < count:
        return (
            f"; all values are multiples of {step}: were labels stretched to be seen? If so, "
            f"divide them by {step}"
        )
    if len(labels) > max(2 * count, 32):
        return (
            f"; there are {len(labels)} different values: a photo, or labels resized with "
            "smoothing? Resize labels by nearest neighbour"
        )
    return ""


def _refuse_empty(
    samples: Sequence[Sample], table: ClassTable, values: set[int], grey: bool
) -> None:
    """Refuse a split that says nothing: all ignored, or a mask whose foreground is ignored."""
    path, coding = printable(samples[0].labels.parent), samples[0].coding
    if not coding.expected and values == {0, 255} and grey and table.ignore == 255:
        raise FormatError(
            f"{path}: the masks hold 0 and 255 only: is 255 the foreground? Here 255 means "
            f"ignore, and all the rest would be {table.names[0]}; write the foreground as its id"
        )
    if all(coding.label_of(value) == table.ignore for value in values):
        raise FormatError(
            f"{path}: every pixel of these {len(samples)} label files is to be ignored; the labels "
            "of published test splits are withheld, so choose another split"
        )
