"""Maps and strip pictures are what they say, against torch at full size."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from small_networks import head_activations, random_features, small_network

from pspgui.geometry import Rect
from pspgui.inference import maps
from pspgui.inference.activations import Prediction, Stamp
from pspgui.inference.argmax import full_resolution_labels
from pspgui.inference.views import pyramid_views


def prediction(align_corners: bool, classes: int = 5) -> tuple[Prediction, torch.Tensor]:
    """Return a random prediction of 50 x 71 pixels, and its full logits (N, H, W)."""
    rng = np.random.default_rng(5)
    scores = (rng.normal(size=(classes, 8, 10)) * 3).astype(np.float32)
    labels = full_resolution_labels(scores, (57, 73), (50, 71), align_corners)
    result = Prediction(
        labels, scores, (50, 71), (57, 73), align_corners, Stamp("random", "none"), 0.0
    )
    tensor = torch.tensor(scores)[None]
    full = F.interpolate(tensor, (57, 73), mode="bilinear", align_corners=align_corners)
    return result, full[0, :, :50, :71]


@pytest.mark.parametrize("align_corners", [True, False])
def test_maps_equal_torch_at_full_size(align_corners, monkeypatch):
    # Small bands, so that their seams are crossed.
    monkeypatch.setattr(maps, "_BAND_VALUES", 3000)
    found, logits = prediction(align_corners)
    probability = logits.softmax(dim=0)
    top = logits.topk(2, dim=0).values

    assert np.allclose(maps.confidence_map(found), probability.max(dim=0).values, atol=1e-5)
    assert np.allclose(maps.margin_map(found), top[0] - top[1], atol=1e-4)
    entropy = -(probability * probability.log()).sum(dim=0)
    assert np.allclose(maps.entropy_map(found), entropy, atol=1e-4)
    assert np.allclose(maps.class_score_map(found, 3), logits[3], atol=1e-4)


def test_parts_and_reductions_are_samples_of_the_whole():
    found, _ = prediction(True)
    whole = maps.margin_map(found)

    part = maps.margin_map(found, Rect(10, 20, 33, 90))
    small = maps.margin_map(found, max_side=20)

    assert np.array_equal(part, whole[10:33, 20:71])
    assert max(small.shape) <= 20
    assert np.isin(small, whole).all()
    assert maps.margin_map(found, max_side=1).shape == (1, 1)
    with pytest.raises(ValueError, match="no pixel"):
        maps.margin_map(found, Rect(60, 0, 70, 5))
    with pytest.raises(IndexError):
        maps.class_score_map(found, 5)


def test_numbers_at_a_pixel_agree_with_the_maps():
    found, logits = prediction(False)

    for y, x in ((0, 0), (49, 70), (17, 33)):
        probability = found.probability_at(y, x)
        assert np.allclose(found.logits_at(y, x), logits[:, y, x], atol=1e-5)
        assert np.isclose(probability.sum(), 1)
        assert probability.argmax() == found.labels[y, x]
    with pytest.raises(IndexError):
        found.probability_at(50, 0)


def test_one_class_has_no_margin():
    found, _ = prediction(True, classes=1)

    assert not maps.margin_map(found).any()
    assert not maps.entropy_map(found).any()
    assert (maps.confidence_map(found) == 1).all()


def test_results_are_frozen():
    found, _ = prediction(True)
    with pytest.raises(ValueError, match="read-only"):
        found.labels[0, 0] = 1


@pytest.mark.parametrize("align_corners", [True, False])
def test_strip_shows_norms_before_and_after_upsampling(align_corners):
    model = small_network(levels=(1, 2, 3, 6), align_corners=align_corners)
    features = random_features(model, (9, 11))
    activations, _ = head_activations(model, features, (65, 81))

    tiles = {tile.name: tile for tile in pyramid_views(activations, class_id=2)}

    assert list(tiles) == [
        "features", "level-1", "level-2", "level-3", "level-6", "fused", "score", "confidence"
    ]  # fmt: skip
    assert np.allclose(tiles["features"].after, features[0].norm(dim=0), atol=1e-4)
    for level, prior in zip((1, 2, 3, 6), model.pyramid(features), strict=True):
        tile = tiles[f"level-{level}"]
        assert np.allclose(tile.before, prior[0].norm(dim=0), atol=1e-4)
        wide = model.upsample(prior, (9, 11))[0]
        assert np.allclose(tile.after, wide.norm(dim=0), atol=1e-3)
    assert np.allclose(tiles["fused"].after, np.linalg.norm(activations.hidden, axis=0), atol=1e-4)
    assert np.array_equal(tiles["score"].after, activations.scores[2])
    assert all(tile.after.dtype == np.float32 for tile in tiles.values())
    winner = pyramid_views(activations)[-2].after
    assert np.array_equal(winner, activations.scores.max(axis=0))
