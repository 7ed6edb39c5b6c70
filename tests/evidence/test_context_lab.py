"""Where the cause is planted, evidence finds it: the context lab's networks and scenes.

The FCN and the PSPNet have the same backbone, which sees 47 pixels; what decides lies farther
away. So the FCN must fail where the PSPNet does not, the deciding bins opened into cells must
point at what was planted, and muting them must turn the boat into a car.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch

from pspgui import places
from pspgui.evidence import evidence_of
from pspgui.evidence.drill import open_source
from pspgui.evidence.readings import Target
from pspgui.evidence.whatif import WhatIf, answer_if
from pspgui.geometry import Pixel, cell_span
from pspgui.inference.predictor import Predictor
from pspgui.models.checkpoints import load_checkpoint
from pspgui.scenes import context_lab as lab

SEEDS = range(40_000, 40_036)
ASKED = {"relationship": (lab.BOAT, lab.CAR), "inconspicuous": (lab.PILLOW, lab.SHEET)}


@pytest.fixture(scope="module")
def pspnet():
    return Predictor.load(places.context_lab_model("pspnet"), "cpu")


@pytest.fixture(scope="module")
def fcn():
    return Predictor.load(places.context_lab_model("fcn"), "cpu")


def mean_iou(predictor) -> float:
    counts = np.zeros((12, 12), np.int64)
    for seed in SEEDS:
        scene = lab.render_lab(seed)
        found = predictor.predict(predictor.set_image(scene.image, str(seed)))
        np.add.at(counts, (scene.labels.ravel(), found.labels.ravel()), 1)
    hits = np.diag(counts)
    return float(np.mean(hits / (counts.sum(axis=0) + counts.sum(axis=1) - hits)))


def asked(kind, count):
    """Yield scenes of a kind that hold its subject and its cue, with the middle of a subject."""
    seed = 50_000
    while count:
        scene = lab.render_lab(seed, kind)
        seed += 1
        subject = (scene.labels == ASKED[kind][0]) & scene.subject
        if scene.cue.any() and subject.any():
            count -= 1
            ys, xs = np.nonzero(subject)
            nearest = np.argmin((ys - ys.mean()) ** 2 + (xs - xs.mean()) ** 2)
            yield scene, Pixel(int(ys[nearest]), int(xs[nearest]))


def points_at_the_cue(evidence, scene, pixel, target) -> bool:
    """Whether, of all cells out of the FCN's reach, the one that speaks most lies in the cue."""
    total = np.zeros(evidence.activations.grid)
    for source in evidence.at(pixel, target).sources[1:]:
        total += open_source(evidence, pixel, source, target).values
    known = evidence.activations
    rows, columns = (
        [slice(*cell_span(i, i + 1, cells, size)) for i in range(cells)]
        for cells, size in zip(known.grid, known.padded_shape, strict=True)
    )
    away = [
        [abs((part.start + part.stop) / 2 - place) > lab.REACH_PX for part in parts]
        for parts, place in ((rows, pixel.y), (columns, pixel.x))
    ]
    total[~np.logical_or.outer(*away)] = -np.inf
    row, column = np.unravel_index(int(total.argmax()), total.shape)
    return bool(scene.cue[rows[row], columns[column]].any())


def test_scenes_are_the_same_for_the_same_seed_and_hide_what_decides():
    for seed in range(12):
        one, same = lab.render_lab(seed), lab.render_lab(seed)
        assert np.array_equal(one.image, same.image)
        assert one.labels.max() < len(lab.LAB)
        near = np.argwhere(one.cue)
        for y, x in np.argwhere(one.subject)[::997]:
            away = np.abs(near - (y, x)).max(axis=1)
            assert not len(near) or away.min() >= lab.REACH_PX


def test_only_the_pyramid_can_read_them(pspnet, fcn):
    assert mean_iou(fcn) <= 0.65
    assert mean_iou(pspnet) >= 0.90


@pytest.mark.parametrize("kind", ["relationship", "inconspicuous"])
def test_the_deciding_bins_point_at_what_was_planted(pspnet, kind):
    target, hits, read = Target(*ASKED[kind]), 0, 0
    for scene, pixel in asked(kind, 24):
        known = pspnet.set_image(scene.image, "lab")
        if pspnet.predict(known).labels[pixel] != target.class_id:
            continue
        read += 1
        evidence = evidence_of(known, pspnet.weights)
        hits += points_at_the_cue(evidence, scene, pixel, target)
    assert read >= 20
    assert hits >= 0.95 * read


@pytest.mark.parametrize(("kind", "share"), [("relationship", 0.95), ("inconspicuous", 0.8)])
def test_without_them_the_boat_is_a_car(pspnet, kind, share):
    subject, other = ASKED[kind]
    turned = read = 0
    for scene, pixel in asked(kind, 16):
        known = pspnet.set_image(scene.image, "lab")
        before = pspnet.predict(known).labels
        if before[pixel] != subject:
            continue
        read += 1
        evidence = evidence_of(known, pspnet.weights)
        what = WhatIf()
        for source in evidence.at(pixel, Target(subject, other)).sources[1:]:
            if source.value > 0:
                what = what.with_bin((source.level, source.row, source.col), 0.0)
        turned += int(answer_if(evidence, before, what).labels[pixel]) == other
    assert read >= 14
    assert turned >= share * read


def test_randomised_weights_do_neither(pspnet):
    loaded = load_checkpoint(places.context_lab_model("pspnet"))
    torch.manual_seed(0)
    for module in (loaded.model.bottleneck, loaded.model.classifier):
        for parameter in module.parameters():
            if parameter.dim() > 1:
                shuffled = parameter.flatten()[torch.randperm(parameter.numel())]
                parameter.copy_(shuffled.view_as(parameter))
    shuffled = Predictor.of(loaded, "cpu")
    target, hits, sizes = Target(lab.BOAT, lab.CAR), 0, []
    for scene, pixel in asked("relationship", 16):
        context = []
        for predictor in (pspnet, shuffled):
            evidence = evidence_of(predictor.set_image(scene.image, "lab"), predictor.weights)
            context.append(sum(evidence.at(pixel, target).level_sums.values()))
        hits += points_at_the_cue(evidence, scene, pixel, target)
        sizes.append(context)
    trained, random = np.median(sizes, axis=0)
    assert hits <= 0.7 * 16
    # The sign and the size tell what a picture stretched to a common range would hide.
    assert trained > 5 * abs(random)
