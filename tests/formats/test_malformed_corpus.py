"""Row 12 of the scorecard, for images, labels, data sets and archives: broken by seed.

PSPGUI_CORPUS=20000 tries that many instead of a part that fits into CI; `tests/malformed.py` does
so outside of pytest.
"""

from __future__ import annotations

import os

import numpy as np
import pytest
from malformed import BYTES, PNGS, TEXTS, case, data_sets, run

from pspgui.formats import FORMATS
from pspgui.imaging import MAX_PIXELS

COUNT = int(os.environ.get("PSPGUI_CORPUS", "600"))


@pytest.fixture(scope="module")
def summary():
    """What became of the cases, spread over all there are."""
    numbers = np.random.default_rng(5).permutation(max(COUNT, 20_000))
    return run(sorted(numbers[:COUNT].tolist()))


@pytest.mark.slow
@pytest.mark.timeout(600 + COUNT // 5)
def test_nothing_crashes_hangs_or_is_told_badly(summary):
    assert len(summary.fates) == COUNT
    assert not summary.wrong, "\n".join(summary.lines())


@pytest.mark.slow
def test_some_are_read_and_some_are_refused(summary):
    kinds = {(fate.kind.split()[0], fate.what) for fate in summary.fates}
    assert kinds >= {
        (kind, what) for kind in ("image", "labels", "set", "archive")
        for what in ("read", "refused")
    }  # fmt: skip


@pytest.mark.slow
def test_memory_stays_within_what_the_largest_image_takes(summary):
    assert summary.peak_bytes < 3 * MAX_PIXELS + (300 << 20)


def test_a_case_is_always_the_same():
    for number in (3, 4, 5, 11):
        assert case(number) == case(number)


def test_every_form_and_every_way_to_break_is_among_them():
    found = [case(number) for number in range(0, 3000, 7)]
    kinds = {one.kind.removeprefix("set ") for one in found}
    assert kinds >= {form.key for form in FORMATS} and kinds >= set(data_sets())
    hows = {one.how.split()[0] for one in found}
    assert hows >= {way.__name__ for way in (*BYTES, *TEXTS, *PNGS)} | {"zip", "tar", "other"}
