"""Run lengths: what is encoded comes back, and nothing that is damaged is believed."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from pspgui.labels.rle import RunLengthError, decode_runs, encode_runs, pack_runs, unpack_runs

MASKS = arrays(np.bool_, array_shapes(min_dims=2, max_dims=2, max_side=40))
# Counts and text of one mask of 9 x 10 pixels, as other readers of COCO publish them.
PUBLISHED = [6, 1, 40, 4, 5, 4, 5, 4, 21]
PUBLISHED_TEXT = "61X13mN000`0"


@given(MASKS)
def test_a_mask_comes_back(mask: np.ndarray) -> None:
    counts = encode_runs(mask)
    assert sum(counts) == mask.size and sum(counts[1::2]) == mask.sum()
    assert np.array_equal(decode_runs(counts, mask.shape), mask)
    assert unpack_runs(pack_runs(counts), mask.size) == counts


@given(st.lists(st.integers(0, 2**31)))
def test_large_counts_come_back_as_text(counts: list[int]) -> None:
    assert unpack_runs(pack_runs(counts), 2**31) == counts


def test_columns_come_first_and_zeros_begin() -> None:
    assert encode_runs(np.array([[0, 1], [0, 1], [1, 0]], bool)) == [2, 3, 1]
    assert encode_runs(np.ones((2, 2), bool)) == [0, 4]
    assert encode_runs(np.zeros((2, 2), bool)) == [4]


def test_text_is_what_others_write() -> None:
    assert pack_runs(PUBLISHED) == PUBLISHED_TEXT
    assert unpack_runs(PUBLISHED_TEXT, 90) == PUBLISHED
    assert decode_runs(PUBLISHED, (9, 10)).sum() == 13
    square = [245, 5, 35, 5, 35, 5, 35, 5, 35, 5, 1190]
    assert unpack_runs("e75S10000000ST1", 1600) == square
    assert pack_runs(square) == "e75S10000000ST1"


@pytest.mark.parametrize(
    ("counts", "reason"),
    [
        ([3, 2], "end after 5 of 6"),
        ([], "end after 0 of 6"),
        ([3, 4], "run 2 goes past the 6"),
        ([10**18, 1], "run 1 goes past"),
        ([7, -1], "run 1 goes past"),
        ([3, -1, 4], "run 2 is -1"),
        ([3, 3.0], "run 2 is 3.0"),
        ([3, float("nan")], "run 2 is nan"),
        ([True, 5], "run 1 is True"),
        (["6"], "run 1 is '6'"),
        ([0] * 14, "14 runs"),
    ],
)
def test_wrong_counts_are_refused(counts: list, reason: str) -> None:
    with pytest.raises(RunLengthError, match=reason):
        decode_runs(counts, (2, 3))


@pytest.mark.parametrize("shape", [(0, 6), (-2, -3), (6, 0)])
def test_no_size_is_refused(shape: tuple[int, int]) -> None:
    with pytest.raises(RunLengthError, match="no size"):
        decode_runs([6], shape)
    with pytest.raises(RunLengthError, match="at least one"):
        encode_runs(np.zeros((0, 3), bool))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("6é", "character 2"),
        ("6 ", "character 2"),
        ("6o", "ends within a number"),
        ("oooooooooo1", "too long a number"),
        ("O", "run 1 is -1"),
        ("X3", "run 1 is 104 long, of 90"),
    ],
)
def test_wrong_text_is_refused(text: str, reason: str) -> None:
    with pytest.raises(RunLengthError, match=reason):
        unpack_runs(text, 90)


@given(st.text(max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        counts = unpack_runs(text, 1000)
        decode_runs(counts, (25, 40))
    except RunLengthError:
        return
    assert sum(counts) == 1000
