"""Answers that follow a slider are those found anew, whatever came before; and told in JSON."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from hypothesis import given, settings
from hypothesis import strategies as st
from small_networks import head_activations, random_features, small_network

from pspgui.evidence.maps import confidence
from pspgui.evidence.psp import PSPEvidence
from pspgui.evidence.whatif import LiveWhatIf, WhatIf, answer_if, pixel_shares, scores_if

PADDED, IMAGE = (49, 57), (45, 50)
LEVELS = (1, 2, 3)


def case(seed=4, dtype=torch.float64, **fields):
    """A small network, features, and its evidence."""
    model = small_network(3, levels=LEVELS, **fields).to(dtype)
    features = random_features(model, (7, 8), seed)
    activations, head = head_activations(model, features, PADDED, IMAGE)
    return model, features, PSPEvidence(activations, head.weights())


_CASES = {c: case(classifier_kernel=c) for c in (1, 3)}
_LENDERS = {c: case(9, classifier_kernel=c)[2].activations for c in (1, 3)}

factor = st.sampled_from([0.0, 0.5, 1.0, 2.0])
place = st.sampled_from([(b, r, c) for b in LEVELS for r in range(b) for c in range(b)])
altered = st.tuples(
    factor, st.dictionaries(st.sampled_from(LEVELS), factor, max_size=2),
    st.dictionaries(place, factor, max_size=4), st.frozensets(place, max_size=2),
)  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(walk=st.lists(altered, min_size=1, max_size=5), kernel=st.sampled_from([1, 3]))
def test_every_answer_of_a_walk_is_the_one_found_anew(walk, kernel):
    _, _, evidence = _CASES[kernel]
    live = LiveWhatIf(evidence)
    for local, levels, bins, loans in walk:
        what = WhatIf(local, levels, bins, dict.fromkeys(loans, _LENDERS[kernel]))
        found, anew = live.answer(what), answer_if(evidence, live.before, what)
        assert np.allclose(found.scores, anew.scores, atol=1e-10)
        assert np.array_equal(found.labels, anew.labels)
        assert np.array_equal(found.changed, anew.changed)
        assert np.array_equal(found.moved, anew.moved)
        assert found.confidence == pytest.approx(anew.confidence, abs=1e-10)
        assert found.changed_px == int(found.changed.sum())


@pytest.mark.parametrize("kernel", [1, 3])
def test_going_back_gives_the_networks_own_scores_bit_for_bit(kernel):
    _, _, evidence = case(dtype=torch.float32, classifier_kernel=kernel)
    live = LiveWhatIf(evidence)
    live.answer(WhatIf(local=0.3).with_bin((3, 1, 1), 2.0))
    back = live.answer(WhatIf())
    assert np.array_equal(back.scores, evidence.activations.scores)
    assert not back.changed.any() and back.changed_px == 0


def test_cells_out_of_reach_keep_their_scores_bit_for_bit():
    _, _, evidence = case(dtype=torch.float32)
    found = LiveWhatIf(evidence).answer(WhatIf().with_bin((3, 0, 0), 0.0))
    own = evidence.activations.scores
    assert np.array_equal(found.scores[:, -2:, -2:], own[:, -2:, -2:])
    assert not np.array_equal(found.scores, own)


@pytest.mark.parametrize("align_corners", [True, False])
def test_labels_are_those_of_the_plain_head_run_again(align_corners):
    model, features, evidence = case(align_corners=align_corners)
    live = LiveWhatIf(evidence)
    live.answer(WhatIf().with_level(1, 0.5))  # something before it
    found = live.answer(WhatIf(local=0.5).with_bin((2, 1, 0), 0.0))
    priors = model.pyramid(features)
    priors[1][:, :, 1, 0] = 0
    stacked = model.concatenate(features * 0.5, priors)
    scores = model.classifier(model.bottleneck(stacked))
    after = model.upsample(scores, PADDED)[0].argmax(dim=0).numpy()[: IMAGE[0], : IMAGE[1]]
    assert np.array_equal(found.labels, after)
    assert np.allclose(found.scores, scores[0].numpy(), atol=1e-10)
    assert found.labels is not live.answer(found.what).labels  # what was given stays as it is


@pytest.mark.parametrize("align_corners", [True, False])
def test_mean_confidence_is_that_of_the_interpolated_map(align_corners):
    _, _, evidence = case(align_corners=align_corners)
    known = evidence.activations
    sure = confidence(known.scores)
    full = F.interpolate(
        torch.from_numpy(sure)[None, None], PADDED, mode="bilinear", align_corners=align_corners
    )[0, 0, : IMAGE[0], : IMAGE[1]]
    live = LiveWhatIf(evidence)
    assert live.confidence == pytest.approx(float(full.mean()), abs=1e-6)
    assert pixel_shares(known).sum() == pytest.approx(1.0)


def test_pixels_are_counted_by_bands_of_any_height(monkeypatch):
    _, _, evidence = case()
    whole = LiveWhatIf(evidence).answer(WhatIf(local=0.0)).moved
    monkeypatch.setattr("pspgui.evidence.whatif._BAND_PIXELS", 130)
    assert np.array_equal(LiveWhatIf(evidence).answer(WhatIf(local=0.0)).moved, whole)
    before = np.full(IMAGE, 255, np.uint8)  # nothing known of any pixel
    assert not answer_if(evidence, before, WhatIf(local=0.0)).moved.any()


def test_the_view_of_a_street_makes_the_boat_a_car():
    from pspgui import places
    from pspgui.evidence import evidence_of
    from pspgui.inference.predictor import Predictor
    from pspgui.scenes import context_lab as lab

    network = Predictor.load(places.context_lab_model("pspnet"), "cpu")
    harbour, street = (
        network.set_image(lab.render_lab(seed, "relationship").image) for seed in (9012, 9000)
    )
    live = LiveWhatIf(evidence_of(harbour, network.weights))
    boat = live.before == lab.BOAT
    assert boat.sum() > 10_000
    found = live.answer(WhatIf().with_loan((1, 0, 0), street))
    assert (found.labels[boat] == lab.CAR).mean() > 0.9


def test_an_unknown_bin_changes_nothing():
    _, _, evidence = case()
    live = LiveWhatIf(evidence)
    first = live.answer(WhatIf(local=0.0))
    with pytest.raises(IndexError):
        live.answer(WhatIf(bins={(2, 0, 5): 0.0}))
    assert np.array_equal(live.answer(WhatIf(local=0.0)).scores, first.scores)
    assert np.allclose(first.scores, scores_if(evidence, WhatIf(local=0.0)))


def test_an_answer_that_the_memory_did_not_hold_leaves_nothing_behind(monkeypatch):
    _, _, evidence = case()
    live, what = LiveWhatIf(evidence), WhatIf().with_level(2, 0.0)

    def full(*_):
        raise MemoryError

    for name in ("labels_within", "_counted", "confidence"):
        with monkeypatch.context() as patch:
            patch.setattr(f"pspgui.evidence.whatif.{name}", full)
            with pytest.raises(MemoryError):
                live.answer(what)
        plain = live.answer(WhatIf())
        assert np.array_equal(plain.scores, evidence.activations.scores)
        assert plain.changed_px == 0 and plain.confidence == live.confidence
    found, anew = live.answer(what), answer_if(evidence, live.before, what)
    assert np.allclose(found.scores, anew.scores, atol=1e-10)
    assert np.array_equal(found.moved, anew.moved)


def test_altered_sources_are_counted_once():
    lender = _LENDERS[1]
    what = WhatIf(local=0.5).with_level(3, 0.0).with_bin((2, 0, 1), 0.5)
    what = what.with_loan((2, 0, 1), lender).with_loan((2, 0, 0), lender)
    assert what.altered == 4 and WhatIf(levels={2: 1.0}).altered == 0


@given(altered)
def test_json_says_what_was_altered_and_is_read_back(told):
    local, levels, bins, loans = told
    what = WhatIf(local, levels, bins, dict.fromkeys(loans, _LENDERS[1]), "a note")
    found, borrowed = WhatIf.from_json(json.loads(json.dumps(what.to_json())))
    assert (found.local, found.levels, found.bins) == (local, levels, bins)
    assert found.note == "a note" and borrowed == dict.fromkeys(loans, "random")


@pytest.mark.parametrize(
    "told",
    [None, [], {"local": "0.5"}, {"local": -1}, {"local": float("nan")}, {"levels": {"a": 1}},
     {"bins": [[1, 2]]}, {"bins": [[1, 0.5, 0, 1]]}, {"levels": 3}, {"local": True}],
)  # fmt: skip
def test_json_of_something_else_is_refused(told):
    with pytest.raises(ValueError, match="altered"):
        WhatIf.from_json(told)
