"""Row 23 of the scorecard: shapes of unknown origin give the reference's pixels or an error.

Ten thousand of them, by seed, each drawn twice: nothing uninitialised may come out.
"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from pspgui.formats.drawn import (
    DrawnLabels,
    Region,
    ShapeError,
    box,
    brush,
    column_runs,
    disc,
    outline,
    outlines,
    row_runs,
)
from pspgui.formats.errors import FormatError
from pspgui.labels.brush_rle import decode_brush, encode_brush
from pspgui.labels.rle import RunLengthError, encode_runs, pack_runs

SHAPE = (11, 13)
PIXELS = SHAPE[0] * SHAPE[1]
MASKS = arrays(np.bool_, array_shapes(min_dims=2, max_dims=2, max_side=40))
BAD = (float("nan"), float("inf"), -float("inf"), 1e9, -1e9, 1e308, None, "4", True, [], {}, 10**30)


def drawn(make):
    """Return the mask (H, W) of a shape drawn twice, or None where it was refused both times."""
    found = []
    for _ in range(2):
        try:
            stamp = make()(SHAPE)
        except (ShapeError, RunLengthError):
            found.append(None)
            continue
        mask = np.zeros(SHAPE, bool)
        if not stamp.rect.is_empty:
            mask[stamp.rect.slices] |= stamp.mask
        found.append(mask)
    one, other = found
    assert (one is None) == (other is None) and (one is None or np.array_equal(one, other))
    return one


def runs_by(random):
    """Return counts, most of which fill the mask, some of which are wrong."""
    cuts = np.sort(random.integers(0, PIXELS + 1, int(random.integers(0, 9))))
    counts = np.diff(np.concatenate(([0], cuts, [PIXELS]))).tolist()
    kind = random.integers(0, 8)
    if kind == 0 and counts:
        counts[int(random.integers(0, len(counts)))] += int(random.integers(-3, 4))
    if kind == 1:
        counts.append(int(random.integers(-5, 1 << 40)))
    if kind == 2:
        counts = counts[:-1]
    if kind == 3:
        counts[0] = BAD[int(random.integers(0, len(BAD)))]
    return counts


def painted(counts, order):
    """Return what counts say, painted run by run; None for what is no mask."""
    if not all(type(count) is int and count >= 0 for count in counts) or sum(counts) != PIXELS:
        return None
    flat, place = np.zeros(PIXELS, bool), 0
    for number, count in enumerate(counts):
        flat[place : place + count] = number % 2 == 1
        place += count
    return flat.reshape(SHAPE, order=order)


def same(one, other):
    return (one is None and other is None) or (
        one is not None and other is not None and np.array_equal(one, other)
    )


def test_run_lengths_by_columns_and_rows():
    random = np.random.default_rng(1)
    for _ in range(2500):
        counts = runs_by(random)
        assert same(drawn(lambda c=counts: column_runs(c, [*SHAPE])), painted(counts, "F")), counts
        assert same(drawn(lambda c=counts: row_runs(c, 0, 0, SHAPE)), painted(counts, "C")), counts


def test_run_lengths_as_text():
    random = np.random.default_rng(2)
    for _ in range(1000):
        counts = [c for c in runs_by(random) if type(c) is int and 0 <= c < 1 << 30]
        text = pack_runs(counts)
        if text and random.integers(0, 2):
            place = int(random.integers(0, len(text)))
            text = text[:place] + chr(int(random.integers(40, 120))) + text[place + 1 :]
        found = drawn(lambda t=text: column_runs(t, [*SHAPE]))
        if text == pack_runs(counts):
            assert same(found, painted(counts, "F"))


@pytest.mark.parametrize("size", [[13, 11], [11], "11,13", None, [11.0, 14.0], [200000, 200000]])
def test_another_size_is_refused(size):
    with pytest.raises(ShapeError, match="its run lengths are for a size"):
        column_runs([PIXELS], size)(SHAPE)


def winding(points):
    """Return the nonzero winding rule at every pixel's middle, edge by edge."""
    y, x = (grid + 0.5 for grid in np.mgrid[: SHAPE[0], : SHAPE[1]])
    turns = np.zeros(SHAPE, int)
    for (ax, ay), (bx, by) in zip(points, np.roll(points, -1, axis=0), strict=True):
        side = (bx - ax) * (y - ay) - (x - ax) * (by - ay)
        turns += ((ay <= y) & (by > y) & (side > 0)).astype(int)
        turns -= ((ay > y) & (by <= y) & (side < 0)).astype(int)
    return turns != 0


def test_polygons():
    random = np.random.default_rng(3)
    for _ in range(2500):
        points = random.normal(6, 5, (int(random.integers(0, 9)), 2))
        if random.integers(0, 3) == 0:
            points = points * 10 ** float(random.integers(0, 5))
        given_ = points.tolist()
        kind = random.integers(0, 6)
        if kind == 0 and given_:
            given_[0][0] = BAD[int(random.integers(0, len(BAD)))]
        if kind == 1:
            given_ = [value for point in given_ for value in point]
        found = drawn(lambda p=given_: outline(p))
        if kind == 0 and given_:
            assert found is None or given_[0][0] is True
        elif len(points) < 3 or np.abs(points).max() > 1e6:
            assert found is None
        else:
            assert found is not None and np.array_equal(found, winding(points)), given_


def test_boxes_and_discs():
    random = np.random.default_rng(4)
    y, x = (grid + 0.5 for grid in np.mgrid[: SHAPE[0], : SHAPE[1]])
    for _ in range(1000):
        a, b = random.normal(6, 6, (2, 2)).tolist()
        found = drawn(lambda a=a, b=b: box(*a, *b))
        (x0, x1), (y0, y1) = sorted((a[0], b[0])), sorted((a[1], b[1]))
        assert np.array_equal(found, (x >= x0) & (x < x1) & (y >= y0) & (y < y1))
        bad = BAD[int(random.integers(0, 6))]
        assert drawn(lambda bad=bad: box(0, bad, 3, 4)) is None
        assert drawn(lambda bad=bad: disc(3, 4, bad, 2)) is None
        centre, radius = (int(v) for v in random.integers(0, 10, 2)), int(random.integers(1, 9))
        cx, cy = centre
        round_ = drawn(lambda cx=cx, cy=cy, r=radius: disc(cx, cy, r, r))
        assert np.array_equal(round_, (x - cx) ** 2 + (y - cy) ** 2 <= radius**2)


def test_brush_streams():
    random = np.random.default_rng(5)
    for _ in range(1500):
        mask = random.random(SHAPE) < random.random()
        stream = bytearray(encode_brush(mask))
        wrong = int(random.integers(0, 3))
        for _ in range(wrong):
            stream[int(random.integers(0, len(stream)))] = int(random.integers(0, 256))
        if random.integers(0, 6) == 0:
            stream = stream[: int(random.integers(0, len(stream)))]
            wrong = True
        found = drawn(lambda s=stream: brush(list(s)))
        assert wrong or np.array_equal(found, mask)
    for value in (None, "text", [256], [-1], [1.5], ["a"], {}):
        assert drawn(lambda v=value: brush(v)) is None


@given(MASKS)
def test_a_brush_stream_comes_back(mask):
    assert np.array_equal(decode_brush(encode_brush(mask), mask.shape), mask)


@given(MASKS, st.integers(1, 3))
def test_a_brush_stream_of_words_one_by_one_is_read(mask, kind):
    """As other writers do: several words follow, and opacity alone counts."""
    size = (3, 4, 8, 16)[kind]
    words = np.zeros((mask.size, 4), np.uint8)
    words[:, :3] = 7
    words[:, 3] = mask.ravel() * 200
    flat = words.ravel()
    bits = f"{flat.size:032b}{7:05b}" + "".join(f"{s - 1:04b}" for s in (3, 4, 8, 16))
    step = 1 << size
    for at in range(0, flat.size, step):
        part = flat[at : at + step]
        bits += f"0{kind:02b}{len(part) - 1:0{size}b}" + "".join(f"{v:08b}" for v in part)
    bits += "0" * (-len(bits) % 8)
    stream = bytes(int(bits[at : at + 8], 2) for at in range(0, len(bits), 8))
    assert np.array_equal(decode_brush(stream, mask.shape), mask)


def test_long_runs_are_split():
    mask = np.zeros((300, 400), bool)
    mask[10:] = True
    assert np.array_equal(decode_brush(encode_brush(mask), mask.shape), mask)
    assert len(encode_brush(mask)) < 100


@pytest.mark.parametrize(
    ("stream", "reason"),
    [(b"", "within its header"), (bytes(7), "0 values, but 4 pixels of four channels have 16"),
     (encode_brush(np.ones((2, 2), bool))[:-2], "it ends after"),
     (encode_brush(np.ones((3, 2), bool)), "24 values")],
)  # fmt: skip
def test_streams_of_another_size_are_told(stream, reason):
    with pytest.raises(RunLengthError, match=reason):
        decode_brush(stream, (2, 2))


def test_the_error_names_file_image_and_shape(tmp_path):
    bad = outline([[0, 0], [1, float("nan")], [2, 2]])
    regions = [Region("shape 1 (car)", 1, box(0, 0, 3, 3)), Region("shape 2 (road)", 0, bad)]
    coding = DrawnLabels("image 'a.jpg'", SHAPE, regions, 255)
    with pytest.raises(FormatError, match=r"t\.json, image 'a\.jpg', shape 2 \(road\): .* finite"):
        coding.read(tmp_path / "t.json")
    with pytest.raises(FormatError, match="200000 × 200000 is no size"):
        DrawnLabels("a", (200000, 200000), [], 255).read(tmp_path / "t.json")


def test_later_shapes_lie_over_earlier_ones(tmp_path):
    regions = [Region("1", 0, box(0, 0, 8, 8)), Region("2", 1, box(4, 0, 12, 8)),
               Region("3", 255, box(6, 2, 7, 3))]  # fmt: skip
    labels = DrawnLabels("", SHAPE, regions, 255).read(tmp_path)
    assert (labels[:8, :4] == 0).all() and labels[2, 6] == 255 and labels[3, 6] == 1
    assert (labels[8:] == 255).all()


def test_polygons_are_joined():
    two = [[0, 0, 4, 0, 4, 4, 0, 4], [6, 6, 9, 6, 9, 9, 6, 9]]
    mask = drawn(lambda: outlines(two))
    assert mask.sum() == 25 and drawn(lambda: outlines([])) is None
    assert drawn(lambda: outlines([two[0], [1, 2]])) is None


def test_a_mask_is_clipped_to_the_image():
    runs = encode_runs(np.ones((4, 4), bool).T)
    assert drawn(lambda: row_runs(runs, 11, 9, (4, 4))).sum() == 4
    assert drawn(lambda: row_runs(runs, 50, 50, (4, 4))).sum() == 0
