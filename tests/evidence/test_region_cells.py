"""A source of a region opened into cells: the mean of its pixels' cells, which add up to it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles import picture
from small_networks import head_activations, random_features, small_network
from test_every_network import SPECS, predictor
from test_region_evidence import KINDS, PYRAMIDS, pixels_of, regions

from pspgui.evidence import evidence_of, opened
from pspgui.evidence.drill import taps_of_local
from pspgui.evidence.psp import PSPEvidence, mean_bins
from pspgui.evidence.readings import LOCAL, Target, level_source
from pspgui.evidence.region_cells import open_in_region, taps_of_region
from pspgui.evidence.regions import region_evidence, region_of
from pspgui.geometry import Rect
from pspgui.labels.raster import Stamp


def parts_are_the_mean(evidence, region, source, target, tolerance=1e-9):
    """Ask every pixel for the cells of a source, and compare with those of the region."""
    found = open_in_region(evidence, region, source, target)
    ones = [opened(evidence, pixel, source, target) for pixel in pixels_of(region)]
    assert np.allclose(found.values, np.mean([o.values for o in ones], axis=0), atol=tolerance)
    assert found.constant == pytest.approx(np.mean([o.constant for o in ones]), abs=tolerance)
    assert found.region == ones[0].region and not found.values.flags.writeable
    return found


@settings(max_examples=12, deadline=None)
@given(
    region=regions(), kind=st.sampled_from(KINDS), level=st.sampled_from([0, 1, 2, 3]),
    target=st.sampled_from([Target(1), Target(3, 0)]), place=st.integers(0, 8),
)  # fmt: skip
def test_the_cells_of_a_region_are_the_mean_of_its_pixels_and_add_up(
    region, kind, level, target, place
):
    evidence = PYRAMIDS[kind]
    told = region_evidence(evidence, region, target)
    if level == LOCAL:
        source = told.sources[0]
    else:
        where = (level, *divmod(place % (level * level), level))
        source = next(s for s in told.sources if (s.level, s.row, s.col) == where)
    found = parts_are_the_mean(evidence, region, source, target)
    assert found.total == pytest.approx(source.value, abs=1e-9)
    assert found.source is source and found.target == target


@pytest.mark.parametrize("kind", KINDS)
def test_a_whole_level_and_one_tap_of_a_region_open_too(kind):
    evidence = PYRAMIDS[kind]
    region = Stamp(Rect(30, 0, 47, 12), np.random.default_rng(2).random((17, 12)) < 0.3)
    told = region_evidence(evidence, region, Target(2))
    level = level_source(told, 3)
    assert parts_are_the_mean(evidence, region, level, Target(2)).total == pytest.approx(
        level.value, abs=1e-9
    )
    taps = taps_of_region(evidence, region, Target(2))
    for tap in (taps[0], taps[-1]):
        assert parts_are_the_mean(evidence, region, tap, Target(2)).total == pytest.approx(
            tap.value, abs=1e-9
        )


@pytest.mark.parametrize("reading", ["split", "ig"])
@pytest.mark.parametrize("kind", KINDS)
def test_the_taps_of_a_region_are_the_mean_of_its_pixels_taps(kind, reading):
    evidence = PYRAMIDS[kind]
    baseline = mean_bins([evidence.activations], "the mean bin of 1 image")
    region = region_of([(0, 0), (1, 0), (20, 33), (46, 51)])
    taps = taps_of_region(evidence, region, Target(2, 0), reading, baseline)
    ones = [
        taps_of_local(evidence, pixel, Target(2, 0), reading, baseline)
        for pixel in pixels_of(region)
    ]
    means = np.mean([[tap.value for tap in one] for one in ones], axis=0)
    assert np.allclose([tap.value for tap in taps], means, atol=1e-9)
    assert [tap.title for tap in taps] == [tap.title for tap in ones[0]]
    told = region_evidence(evidence, region, Target(2, 0), reading, baseline)
    assert sum(tap.value for tap in taps) == pytest.approx(told.local, abs=1e-9)
    assert taps_of_region(evidence, region, Target(2, 0), "ablate") == ()


def test_the_taps_of_one_pixel_are_those_of_a_region_of_it():
    evidence = PYRAMIDS[True, 1]
    for pixel in ((0, 0), (24, 24), (46, 51)):
        ones = taps_of_local(evidence, pixel, Target(1))
        same = taps_of_region(evidence, region_of([pixel]), Target(1))
        for one, other in zip(ones, same, strict=True):
            assert one._replace(value=0.0) == other._replace(value=0.0)
            assert one.value == pytest.approx(other.value, abs=1e-9)


@pytest.mark.parametrize("pool", ["max", "average"])
def test_every_kind_of_level_opens(pool):
    model = small_network(0, levels=(1, 2), pool=pool).double()
    known, head = head_activations(model, random_features(model, (6, 7), 1), (49, 57), (47, 52))
    evidence = PSPEvidence(known, head.weights())
    region = region_of([(3, 4), (3, 5), (40, 50)])
    for source in region_evidence(evidence, region, Target(1)).sources:
        found = parts_are_the_mean(evidence, region, source, Target(1))
        assert found.total == pytest.approx(source.value, abs=1e-9)


@pytest.mark.parametrize("name", SPECS)
def test_every_networks_region_opens_into_the_mean_of_its_pixels(name):
    found = predictor(name)
    evidence = evidence_of(found.set_image(picture(45, 70)), found.weights)
    mask = np.random.default_rng(0).random((22, 30)) < 0.02
    mask[-1, -1] = True
    region = Stamp(Rect(23, 40, 45, 70), mask)
    told = region_evidence(evidence, region, Target(1))
    scale = max(1.0, *(abs(source.value) for source in told.sources))
    largest = sorted(told.sources, key=lambda s: -abs(s.value))[:3]
    for source in largest:
        cells = parts_are_the_mean(evidence, region, source, Target(1), 1e-5 * scale)
        assert cells.total == pytest.approx(source.value, abs=1e-5 * scale)


def test_without_a_target_it_is_the_regions_own_and_it_can_be_stopped():
    evidence, region = PYRAMIDS[False, 3], region_of([(9, 9), (9, 10), (20, 20)])
    told = region_evidence(evidence, region)
    assert opened(evidence, region, told.sources[0]).target == told.target

    class StoppedError(Exception):
        pass

    def stop():
        raise StoppedError

    for source in told.sources[:2]:
        with pytest.raises(StoppedError):
            open_in_region(evidence, region, source, check=stop)
    with pytest.raises(IndexError, match="outside"):
        open_in_region(evidence, region_of([(99, 9)]), told.sources[0])
    with pytest.raises(KeyError):
        open_in_region(evidence, region, told.sources[1]._replace(level=7))
