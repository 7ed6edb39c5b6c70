"""Sums over cells and taps with fewer multiplications are the sums themselves."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_networks import head_activations, random_features, small_network

from pspgui.evidence import channels, opened, region_cells
from pspgui.evidence.channels import channel_shares
from pspgui.evidence.psp import PSPEvidence
from pspgui.evidence.readings import Target
from pspgui.evidence.regions import region_evidence
from pspgui.evidence.winograd import cell_sums, channel_sums
from pspgui.geometry import Rect
from pspgui.labels.raster import Stamp


def plainly(features, gradient, weight):
    """Return the sums tap by tap."""
    height, width, _ = gradient.shape
    found = np.zeros(len(features), features.dtype)
    for row, column in np.ndindex(3, 3):
        read = features[:, row : row + height, column : column + width]
        back = gradient @ weight[:, :, row, column]
        found += np.einsum("cyx,yxc->c", read, back)
    return found


def plainly_by_cell(features, gradient, weight):
    """Return what each cell adds, tap by tap."""
    height, width, _ = gradient.shape
    found = np.zeros(features.shape[1:], features.dtype)
    for row, column in np.ndindex(3, 3):
        read = features[:, row : row + height, column : column + width]
        back = gradient @ weight[:, :, row, column]
        found[row : row + height, column : column + width] += np.einsum("cyx,yxc->yx", read, back)
    return found


def drawn(seed, height, width, many, hidden, kind=np.float64):
    rng = np.random.default_rng(seed)
    features = np.maximum(rng.standard_normal((many, height + 2, width + 2)), 0).astype(kind)
    gradient = (rng.random((height, width, hidden)) < 0.5) * rng.standard_normal(hidden)
    return features, gradient.astype(kind), rng.standard_normal((hidden, many, 3, 3)).astype(kind)


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 99), height=st.integers(1, 13), width=st.integers(1, 13),
    many=st.integers(1, 9), hidden=st.integers(1, 5),
)  # fmt: skip
def test_the_sums_are_those_of_every_tap(seed, height, width, many, hidden):
    case = drawn(seed, height, width, many, hidden)
    assert np.allclose(channel_sums(*case), plainly(*case), atol=1e-10)
    assert np.allclose(cell_sums(*case), plainly_by_cell(*case), atol=1e-10)


def test_single_precision_keeps_five_digits_of_the_largest():
    case = drawn(3, 40, 44, 200, 64, np.float32)
    exact = plainly(*(part.astype(np.float64) for part in case))
    found = channel_sums(*case)
    assert found.dtype == np.float32
    assert np.abs(found - exact).max() < 1e-5 * np.abs(exact).max()
    cells, exact = cell_sums(*case), plainly_by_cell(*(p.astype(np.float64) for p in case))
    assert cells.dtype == np.float32
    assert np.abs(cells - exact).max() < 1e-5 * np.abs(exact).max()


def test_it_can_be_stopped():
    class StoppedError(Exception):
        pass

    def stop():
        raise StoppedError

    for sums in (channel_sums, cell_sums):
        with pytest.raises(StoppedError):
            sums(*drawn(1, 4, 4, 3, 2), stop)


@pytest.mark.parametrize("place", [None, Stamp(Rect(30, 5, 47, 52), np.ones((17, 47), bool))])
@pytest.mark.parametrize("classifier", [1, 3])
def test_channels_of_the_features_are_those_found_tap_by_tap(monkeypatch, place, classifier):
    model = small_network(0, levels=(1, 2), classifier_kernel=classifier).double()
    known, head = head_activations(model, random_features(model, (6, 7), 1), (49, 57), (47, 52))
    evidence = PSPEvidence(known, head.weights())
    found = {}
    for cells in (1, 10**9):
        monkeypatch.setattr(channels, "_MANY_CELLS", cells)
        found[cells] = channel_shares(evidence, "features", "reduced", place, Target(2)).values
    assert np.allclose(found[1], found[10**9], atol=1e-10)
    if place is not None:
        told = region_evidence(evidence, place, Target(2))
        assert found[1].sum() == pytest.approx(told.local, abs=1e-9)


@pytest.mark.parametrize("classifier", [1, 3])
def test_the_local_features_of_a_large_region_open_like_those_of_a_small_one(
    monkeypatch, classifier
):
    model = small_network(0, levels=(1, 2), classifier_kernel=classifier).double()
    known, head = head_activations(model, random_features(model, (6, 7), 1), (49, 57), (47, 52))
    evidence = PSPEvidence(known, head.weights())
    for rect in (Rect(30, 5, 47, 52), Rect(0, 0, 47, 52), Rect(3, 3, 4, 4)):
        region = Stamp(rect, np.ones((rect.height, rect.width), bool))
        local = region_evidence(evidence, region, Target(2)).sources[0]
        found = {}
        for cells in (1, 10**9):
            monkeypatch.setattr(region_cells, "_MANY_CELLS", cells)
            found[cells] = opened(evidence, region, local, Target(2))
        assert np.allclose(found[1].values, found[10**9].values, atol=1e-10)
        assert found[1].total == pytest.approx(local.value, abs=1e-9)
