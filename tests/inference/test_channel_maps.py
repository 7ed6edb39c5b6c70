"""Channels of the strip's maps equal those that torch pools, reduces and interpolates."""

from __future__ import annotations

import numpy as np
import pytest
import torch.nn.functional as F  # noqa: N812
from small_networks import head_activations, random_features, small_network

from pspgui.inference.activations import Activations, FeatureMap, Stamp
from pspgui.inference.channels import (
    ChannelMaps,
    all_statistics,
    channel_maps,
    channel_names,
    map_statistics,
    pooled,
    principal_colours,
)


def psp(align_corners=True, **fields):
    model = small_network(levels=(1, 2, 3), align_corners=align_corners, **fields)
    features = random_features(model, (7, 11)) - 0.3
    return model, features, head_activations(model, features, (49, 81))[0]


@pytest.mark.parametrize("align_corners", [True, False])
@pytest.mark.parametrize("pool", ["average", "max"])
def test_every_form_of_a_level_is_what_torch_computes(align_corners, pool):
    model, features, known = psp(align_corners, pool=pool)
    adaptive = F.adaptive_avg_pool2d if pool == "average" else F.adaptive_max_pool2d
    for level, prior in zip((1, 2, 3), model.pyramid(features), strict=True):
        wide = model.upsample(prior, (7, 11))[0].numpy()
        expected = {
            "pooled": adaptive(features, level)[0].numpy(), "reduced": prior[0].numpy(),
            "upsampled": wide,
        }  # fmt: skip
        for form, values in expected.items():
            maps = channel_maps(known, f"level-{level}", form, pool)
            weights = np.random.default_rng(level).normal(size=(2, len(values)))

            assert (maps.count, *maps.shape) == values.shape
            for number in (0, maps.count - 1):
                assert np.allclose(maps.channel(number), values[number], atol=1e-5)
            assert np.allclose(maps.mixed(weights), np.tensordot(weights, values, 1), atol=1e-3)
            assert np.allclose(maps.norm(), np.linalg.norm(values, axis=0), atol=1e-3)
            assert np.allclose(maps.activity(), np.abs(values).mean(axis=(1, 2)), atol=1e-4)
    assert np.allclose(pooled(known.features, 5), F.adaptive_avg_pool2d(features, 5)[0], atol=1e-5)


def test_fused_counts_as_after_its_relu_and_features_as_they_are():
    _, features, known = psp()
    fused, seen = channel_maps(known, "fused"), channel_maps(known, "features")

    assert np.array_equal(fused.channel(3), known.hidden[3])
    assert np.allclose(fused.norm(), np.linalg.norm(known.hidden, axis=0), atol=1e-5)
    assert np.array_equal(seen.channel(2), features[0, 2])
    assert channel_names(known) == ("features", "level-1", "level-2", "level-3", "fused")
    for name in ("level-6", "map-0", "score", "map-x"):
        with pytest.raises(KeyError):
            channel_maps(known, name)
    with pytest.raises(IndexError, match="none of number 512"):
        seen.channel(512)


def test_maps_of_other_networks_have_channels_too():
    rng = np.random.default_rng(0)
    maps = (FeatureMap("ASPP 1×1", rng.random((4, 5, 6), np.float32)),
            FeatureMap("Image pool", rng.random((4, 1, 1), np.float32)))  # fmt: skip
    known = Activations(
        image_id="", image_shape=(40, 48), padded_shape=(40, 48), grid=(5, 6), align_corners=False,
        features=rng.random((8, 5, 6), np.float32), maps=maps,
        scores=rng.random((3, 5, 6), np.float32), stamp=Stamp("", ""),
    )  # fmt: skip

    assert channel_names(known) == ("features", "map-0", "map-1")
    assert channel_maps(known, "map-1").title == "Image pool"
    assert [one.share for one in all_statistics(known)] == [None] * 3
    assert principal_colours(channel_maps(known, "map-1")).picture(
        channel_maps(known, "map-1")
    ).tolist() == [[[0.5, 0.5, 0.5]]]


def test_colours_are_the_strongest_directions_the_same_at_every_run():
    rng = np.random.default_rng(1)
    ways = np.linalg.qr(rng.normal(size=(20, 3)))[0]
    strength = rng.normal(size=(3, 12, 15)) * np.array([9, 4, 2])[:, None, None]
    stack = np.tensordot(ways, strength, 1).astype(np.float32)
    maps = ChannelMaps("features", "Features", stack)

    found = principal_colours(maps)
    picture = found.picture(maps)

    assert np.allclose(np.abs(np.diag(found.directions @ ways)), 1, atol=0.05)
    assert found.shares.sum() == pytest.approx(1, abs=1e-5)
    assert (found.directions.max(axis=1) >= -found.directions.min(axis=1)).all()
    assert picture.shape == (12, 15, 3) and picture.min() == 0 and picture.max() == 1
    again = principal_colours(maps)
    assert np.array_equal(again.directions, found.directions)


@pytest.mark.parametrize("level", [1, 2, 3])
def test_a_levels_bins_and_their_interpolation_have_one_set_of_colours(level):
    _, _, known = psp()
    wide = channel_maps(known, f"level-{level}", "upsampled")
    bins = channel_maps(known, f"level-{level}", "reduced")
    found = principal_colours(wide)
    # The exact way by bins equals the plain one over all upsampled cells.
    flat = np.stack([wide.channel(n) for n in range(wide.count)]).reshape(wide.count, -1)
    centred = flat - flat.mean(axis=1, keepdims=True)
    values = np.linalg.eigvalsh(centred.astype(np.float64) @ centred.T)[::-1][:3]
    rank = min(3, level**2 - 1)

    assert np.count_nonzero(found.shares > 1e-6) == rank
    if rank:
        assert np.allclose(found.shares[:rank], (values / values.sum())[:rank], atol=0.02)
    # With corners aligned the corner bins are read as they are.
    if level > 1:
        corner = found.picture(bins)[0, 0], found.picture(wide)[0, 0]
        assert np.allclose(*corner, atol=1e-4)
    else:
        assert (found.picture(wide) == 0.5).all()


def test_statistics_are_those_of_all_values_and_shares_add_up():
    model, features, known = psp()
    numbers = {(one.name, one.form): one for one in all_statistics(known)}
    own, values = numbers["features", None], features[0].numpy()

    assert own.channels == len(values) and own.shape == (7, 11)
    assert own.mean == pytest.approx(values.mean(), abs=1e-5)
    assert own.std == pytest.approx(values.std(), abs=1e-5)
    assert (own.low, own.high) == (values.min(), values.max())
    assert own.zeros == pytest.approx((values <= 0).mean())
    assert own.dead == int((values <= 0).all(axis=(1, 2)).sum())
    stacked = model.concatenate(features, model.pyramid(features))[0]
    whole = float((stacked**2).sum())
    assert own.share == pytest.approx(float((features**2).sum()) / whole, rel=1e-4)
    shares = [one.share for one in numbers.values() if one.share is not None]
    assert sum(shares) == pytest.approx(1) and len(shares) == 4
    assert {form for name, form in numbers if name == "level-2"} == {"pooled", "reduced"}
    assert numbers["fused", None].low == 0
    silent = ChannelMaps("features", "", np.zeros((3, 2, 2), np.float32))
    assert map_statistics(silent)[5:9] == (3, 1.0, 0.0, 0.0)
