"""What-ifs of a PSPNet with learnt upsampling are what its modules say, hooked and run again."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from test_upsampling import GRID, IMAGE, LEVELS, SIZE, evidence, features_of, network

from pspgui.evidence.altering import NO_CELLS
from pspgui.evidence.upsampling_altering import StageAgain
from pspgui.evidence.whatif import LiveWhatIf, WhatIf, altering_of, answer_if, lendable, scores_if
from pspgui.geometry import Rect

CASES = {}


def case(align_corners=True, slope=0.25):
    """A network, two images' features, their evidence; kept, for hypothesis asks often."""
    key = align_corners, slope
    if key not in CASES:
        model = network(slope, align_corners=align_corners)
        features = features_of(model)
        other = torch.flip(features, (2, 3)) * 1.3
        CASES[key] = model, features, evidence(model, features), evidence(model, other), other
    return CASES[key]


def rerun(model, features, what, other):
    """Return the logits of the network itself, its levels altered as they come by."""
    lent = [level(other) for level in model.pyramid]
    hooks = []
    for level, own, theirs in zip(model.pyramid, LEVELS, lent, strict=True):

        def altered(_module, _inputs, output, own=own, theirs=theirs):
            output = output.clone()
            for place in what.borrowed:
                if place[0] == own:
                    output[:, :, place[1], place[2]] = theirs[:, :, place[1], place[2]]
            return output * torch.from_numpy(what.factors(own).astype(np.float64))

        hooks.append(level.register_forward_hook(altered))

    def local_scaled(_module, inputs):
        (joint,) = inputs
        own = features.shape[1]
        return (torch.cat([joint[:, :-own], joint[:, -own:] * what.local], 1),)

    hooks.append(model.bottleneck.register_forward_pre_hook(local_scaled))
    try:
        return model.cells((features,), SIZE).scores[0]
    finally:
        for hook in hooks:
            hook.remove()


factor = st.sampled_from([0.0, 0.5, 1.0, 2.0])
place = st.sampled_from([(b, r, c) for b in LEVELS for r in range(b) for c in range(b)])
altered = st.tuples(
    st.sampled_from([1.0, 1.0, 0.5, 0.0]), st.dictionaries(st.sampled_from(LEVELS), factor),
    st.dictionaries(place, factor, max_size=3), st.frozensets(place, max_size=2),
)  # fmt: skip


@settings(max_examples=20, deadline=None)
@given(
    walk=st.lists(altered, min_size=1, max_size=3), align_corners=st.booleans(),
    slope=st.sampled_from([0.25, -0.5, 0.0]),
)  # fmt: skip
def test_every_answer_of_a_walk_is_the_networks_own(walk, align_corners, slope):
    model, features, found_by, lender, other = case(align_corners, slope)
    live = LiveWhatIf(found_by)
    for local, levels, bins, loans in walk:
        what = WhatIf(local, levels, bins, dict.fromkeys(loans, lender.activations))
        found = live.answer(what)
        with torch.inference_mode():
            own = rerun(model, features, what, other)
        assert np.allclose(found.scores, own.numpy(), atol=1e-10)
        labels = own.argmax(dim=0).numpy()[: IMAGE[0], : IMAGE[1]]
        assert np.array_equal(found.labels, labels)
        anew = answer_if(found_by, live.before, what)
        assert np.array_equal(found.moved, anew.moved)
        assert found.confidence == pytest.approx(anew.confidence, abs=1e-10)


def test_what_no_altered_source_reaches_stays_bit_for_bit_and_so_does_all_of_it_going_back():
    _, _, found_by, *_ = case()
    own = found_by.activations.scores
    live = LiveWhatIf(found_by)
    found = live.answer(WhatIf().with_bin((3, 0, 0), 0.0))
    reached = altering_of(found_by).differing(WhatIf().with_bin((3, 0, 0), 0.0), WhatIf())
    assert not reached.is_empty and reached != Rect(0, 0, *SIZE)
    outside = np.ones(SIZE, bool)
    outside[reached.slices] = False
    assert np.array_equal(found.scores[:, outside], own[:, outside])
    assert not np.array_equal(found.scores, own)
    live.answer(WhatIf(local=0.3))
    assert np.array_equal(live.answer(WhatIf()).scores, own)


def test_bins_are_lent_by_what_the_same_network_read_alone():
    _, _, found_by, lender, _ = case()
    small = lendable(lender.activations, lender.weights)
    assert [one.title for one in small.maps] == ["level 1×1", "level 2×2", "level 3×3"]
    whole, part = (
        scores_if(found_by, WhatIf().with_loan((2, 1, 0), one))
        for one in (lender.activations, small)
    )
    assert np.array_equal(whole, part) and not np.array_equal(whole, found_by.activations.scores)
    stranger = small.__class__(**{**vars(small), "stamp": small.stamp._replace(model="another")})
    with pytest.raises(ValueError, match="this network read"):
        scores_if(found_by, WhatIf().with_loan((2, 1, 0), stranger))
    with pytest.raises(KeyError):
        scores_if(found_by, WhatIf().with_level(6, 0.0))
    with pytest.raises(IndexError):
        scores_if(found_by, WhatIf().with_bin((3, 0, 3), 0.0))


@pytest.mark.parametrize("align_corners", [True, False])
def test_any_part_of_a_stage_is_that_of_the_whole(align_corners, monkeypatch):
    _, _, found_by, *_ = case(align_corners)
    maps = dict(found_by.activations.maps)
    stage = StageAgain(found_by.weights.stages[0], GRID, align_corners)
    values = maps["bottleneck"].transpose(1, 2, 0)
    expected = maps["upsampling 1"].transpose(1, 2, 0)
    monkeypatch.setattr("pspgui.evidence.upsampling_altering._BAND", 3)
    for outputs in (Rect(0, 0, 8, 14), Rect(0, 0, 1, 1), Rect(7, 13, 8, 14), Rect(2, 3, 7, 11)):
        read = stage.read(outputs)
        found = stage.run(np.array(values[read.slices]), read, outputs)
        assert np.allclose(found, expected[outputs.slices], atol=1e-12)
        assert stage.reached(read).intersect(outputs) == outputs
    assert stage.reached(NO_CELLS).is_empty and stage.read(NO_CELLS).is_empty
