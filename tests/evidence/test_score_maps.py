"""Whole-image maps of an FCN are the split of every pixel."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from every_kind import predictor
from fakes import fake_image

from pspgui.evidence import evidence_of
from pspgui.evidence.readings import Target
from pspgui.evidence.score_maps import is_cheap, split_scores


@pytest.fixture(scope="module")
def evidence():
    """The evidence of a small FCN-8s for a small picture."""
    network = predictor("fcn")
    return evidence_of(network.set_image(fake_image(41, 53), "picture"), network.weights)


@pytest.mark.parametrize("target", [Target(1), Target(3, 0), None])
def test_every_pixel_s_split_is_that_of_the_pixel_alone(evidence, target):
    found = split_scores(evidence, target)
    total = found.constant + sum(found.parts.values())

    assert is_cheap(evidence)
    assert list(found.parts) == ["fc7 score", "pool4 score", "pool3 score"]
    assert np.allclose(total, found.logit, atol=1e-4)
    for y, x in ((0, 0), (40, 52), (40, 0), (17, 23)):
        alone = evidence.at((y, x), target)
        assert found.logit[y, x] == pytest.approx(alone.logit, abs=1e-4)
        assert found.constant[y, x] == pytest.approx(alone.constant, abs=1e-4)
        for source in alone.sources:
            assert found.parts[source.title][y, x] == pytest.approx(source.value, abs=1e-4)
        values = [found.parts[source.title][y, x] for source in alone.sources]
        assert found.strongest()[y, x] == int(np.argmax(values))


def test_what_there_is_not_is_refused(evidence):
    with pytest.raises(IndexError):
        split_scores(evidence, Target(9))
    weights = evidence.weights
    dense = weights.last._replace(weight=np.ones((4, 4, 16, 16), np.float32))
    taught = type(evidence)(evidence.activations, replace(weights, last=dense))
    assert not is_cheap(taught)
    with pytest.raises(ValueError, match="together"):
        split_scores(taught)
