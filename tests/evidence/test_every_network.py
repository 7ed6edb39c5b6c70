"""Evidence of every network, as the predictor runs it, adds up to the logit that it shows."""

from __future__ import annotations

import pytest
from every_kind import SPECS, predictor
from oracles import picture

from pspgui.evidence import evidence_of, opened, residual
from pspgui.evidence.readings import Target


@pytest.mark.parametrize("name", SPECS)
def test_sources_add_up_to_the_logit_that_is_shown_and_cells_to_sources(name):
    found = predictor(name)
    pixels = picture(45, 70)
    activations = found.set_image(pixels)
    evidence, shown = evidence_of(activations, found.weights), found.predict(activations)
    for y, x in ((0, 0), (44, 69), (20, 33)):
        for class_id in (0, 3):
            parts = evidence.at((y, x), Target(class_id))
            scale = 1e-5 * max(1.0, *(abs(s.value) for s in parts.sources))

            assert abs(parts.logit - shown.logits_at(y, x)[class_id]) < scale
            assert abs(parts.residual) < scale
            assert residual(evidence, (y, x), Target(class_id)) == parts.residual
            for source in parts.sources[:5]:
                cells = opened(evidence, (y, x), source, Target(class_id))
                assert abs(cells.total - source.value) < scale
        drops = evidence.at((y, x), Target(0), "ablate")
        assert drops.residual is None
        assert len(drops.sources) == len(parts.sources)
    assert found.weights is found.weights or name.startswith("pspnet")


@pytest.mark.parametrize("name", ["upsample", "deeplab", "stages"])
def test_what_few_bits_lose_is_the_residual(name):
    found = predictor(name, "bf16")
    evidence = evidence_of(found.set_image(picture(45, 70)), found.weights)
    parts = evidence.at((20, 33), Target(1))
    size = max(abs(s.value) for s in parts.sources)

    total = parts.constant + sum(source.value for source in parts.sources)
    assert parts.residual == pytest.approx(parts.logit - total, abs=1e-6 * size)
    # Rounded maps are still those that the logit was made of.
    assert abs(parts.residual) < 0.05 * max(size, abs(parts.logit))
