"""Jobs of the strip: tiles of a mode, lists of channels, classes where channels are such."""

from __future__ import annotations

import numpy as np
import pytest
from every_kind import CLASSES, predictor
from oracles import picture
from small_networks import head_activations, random_features, small_network

from pspgui.evidence import evidence_of
from pspgui.evidence.channels import channel_shares
from pspgui.evidence.psp import PSPEvidence
from pspgui.evidence.readings import Target
from pspgui.geometry import Pixel
from pspgui.jobs.class_tables import Translation
from pspgui.jobs.messages import JobCancelled, Turn
from pspgui.jobs.strip import (
    Aim,
    StripMode,
    count_strip,
    draw_strip,
    knows_target,
    list_channels,
    mean_words,
    strongest,
    weighable,
)
from pspgui.labels.classes import table

TURN = Turn(lambda step: None, lambda: False)


def finish(job, turn=TURN):
    steps = job(turn)
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value


def psp():
    model = small_network(levels=(1, 2, 3))
    activations, head = head_activations(model, random_features(model, (7, 9)), (49, 65), (45, 60))
    return PSPEvidence(activations, head.weights())


@pytest.mark.parametrize("show", ["norm", "channel", "top", "colours"])
@pytest.mark.parametrize("shape", ["pair", "pooled", "reduced", "upsampled"])
def test_every_mode_draws_every_map(show, shape):
    engine = psp()
    found = finish(draw_strip(engine, StripMode(show, shape, 2, 3), Aim()))
    if show == "norm" and shape == "pair":
        assert found == {}
        return
    assert list(found) == ["features", "level-1", "level-2", "level-3", "fused"]
    for name, tile in found.items():
        is_level = name.startswith("level")
        assert (tile.view.before is not None) == (is_level and shape == "pair")
        side = (7, 9)
        if is_level and shape in ("pooled", "reduced"):
            side = (int(name[-1]),) * 2
        assert tile.view.after.shape[:2] == side
        assert tile.view.after.ndim == (3 if show == "colours" else 2)
        assert tile.kind == {"channel": "alone", "top": "signed"}.get(show, show)
        assert tile.note and tile.bins == (side != (7, 9))


def test_top_names_the_channels_and_what_they_add():
    engine = psp()
    aim = Aim(Pixel(20, 30), (2, 4))
    tile = finish(draw_strip(engine, StripMode("top", "reduced", top=2), aim))["level-2"]
    shares = channel_shares(engine, "level-2", "reduced", (20, 30), Target(2, 4)).values
    for number in np.argsort(-np.abs(shares))[:2].tolist():
        assert f"{number} ({shares[number]:+.2g})".replace("-", "\u2212") in tile.note


def test_weights_of_the_strongest_add_up_to_one_in_size():
    shares = np.array([0.0, -3.0, 1.0, 0.5, 2.0])
    weights, numbers = strongest(shares, 2)
    assert numbers.tolist() == [1, 4] and weights.tolist() == [0, -0.6, 0, 0, 0.4]
    assert np.abs(strongest(shares, 16)[0]).sum() == pytest.approx(1)
    assert strongest(shares, 16)[1].tolist() == [1, 4, 2, 3]
    assert not strongest(np.zeros(4), 3)[0].any()


def test_what_cannot_be_weighed_is_absent_and_says_so():
    found = predictor("fcn")
    engine = evidence_of(found.set_image(picture(45, 70)), found.weights)
    tiles = finish(draw_strip(engine, StripMode("top"), Aim(Pixel(3, 3))))
    assert tiles["features"].kind == "absent" and "not known" in tiles["features"].note
    assert tiles["map-0"].kind == "signed"
    listed = finish(list_channels(engine, "features", "reduced", Aim()))
    assert listed.shares is None and len(listed.activity) == listed.maps.count


def test_channels_of_scores_are_classes_numbered_like_the_labels():
    found = predictor("fcn")
    engine = evidence_of(found.set_image(picture(45, 70)), found.weights)
    own = finish(list_channels(engine, "map-0", "reduced", Aim(Pixel(3, 3), (1, None))))
    assert own.ids == (0, 1, 2, 3)
    assert np.flatnonzero(own.shares.values).tolist() == [1]  # no class adds to another
    labels = table(("class 2", (1, 1, 1)), ("class 1", (2, 2, 2)))
    told = Translation(CLASSES, labels).evidence(engine)
    other = finish(list_channels(told, "map-0", "reduced", Aim(Pixel(3, 3), (1, None))))
    assert other.ids == (2, 1, 0, 3)
    assert np.allclose(other.shares.values, own.shares.values)
    assert finish(list_channels(told, "features", "reduced", Aim())).ids == ()
    further = Translation(CLASSES, table(("class 1", (1, 1, 1)), ("boat", (2, 2, 2))))
    told = further.evidence(engine)
    assert knows_target(told, Aim(None, (0, None))) and not knows_target(told, Aim(None, (1, None)))
    margin = finish(list_channels(told, "map-0", "reduced", Aim(Pixel(3, 3), (1, None))))
    assert np.count_nonzero(margin.shares.values) == 2  # the winner over the runner-up


def test_engines_without_activations_have_nothing_to_show():
    class Windows:
        frame = None

    for engine in (None, Windows()):
        assert weighable(engine) is None
        assert finish(draw_strip(engine, StripMode("top"), Aim())) == {}
        assert finish(list_channels(engine, "features", "reduced", Aim())) is None
        assert finish(count_strip(engine)) == ()
    assert finish(list_channels(psp(), "score", "reduced", Aim())) is None


def test_a_mean_says_what_it_is_over():
    found = predictor("dilated")
    engine = evidence_of(found.set_image(picture(45, 70)), found.weights)
    assert "pixels" in mean_words(engine) and mean_words(psp()) == "mean over the image"


def test_jobs_that_nobody_waits_for_stop():
    unwanted = Turn(lambda step: None, lambda: True)
    for job in (
        draw_strip(psp(), StripMode("top"), Aim()), count_strip(psp()),
        list_channels(psp(), "features", "reduced", Aim()),
    ):  # fmt: skip
        with pytest.raises(JobCancelled):
            finish(job, unwanted)


def test_numbers_of_all_maps_come_at_once():
    rows = finish(count_strip(psp()))
    assert [row.name for row in rows][:3] == ["features", "level-1", "level-1"]
