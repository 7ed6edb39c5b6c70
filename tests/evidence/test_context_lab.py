"""Where the cause is planted, evidence finds it: the context lab's networks and scenes.

The FCN and the PSPNet have the same backbone, which sees 47 pixels; what decides lies farther
away. So the FCN must fail where the PSPNet does not, the deciding bins opened into cells must
point at what was planted, and muting them must turn the boat into a car.
"""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from pspgui import places
from pspgui.evidence import PSPEvidence, evidence_of
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


def strongest_cell(evidence, pixel, target):
    """Return the cell of the context that speaks most for a target, as a rect of pixels."""
    total = np.zeros(evidence.activations.grid)
    for source in evidence.at(pixel, target).sources[1:]:
        total += open_source(evidence, pixel, source, target).values
    row, column = np.unravel_index(int(total.argmax()), total.shape)
    known = evidence.activations
    rows = slice(*cell_span(row, row + 1, known.grid[0], known.padded_shape[0]))
    return rows, slice(*cell_span(column, column + 1, known.grid[1], known.padded_shape[1]))


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
        hits += bool(scene.cue[strongest_cell(evidence, pixel, target)].any())
    assert read >= 20
    assert hits >= 0.95 * read


@pytest.mark.parametrize("kind", ["relationship", "inconspicuous"])
def test_without_them_the_boat_is_a_car(pspnet, kind):
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
    assert turned >= 0.9 * read


def test_randomised_weights_do_not_point_there():
    loaded = load_checkpoint(places.context_lab_model("pspnet"))
    torch.manual_seed(0)
    for module in (loaded.model.bottleneck, loaded.model.classifier):
        for parameter in module.parameters():
            if parameter.dim() > 1:
                parameter.copy_(parameter.flatten()[torch.randperm(parameter.numel())].view_as(parameter))
    predictor = Predictor.of(dataclasses.replace(loaded), "cpu")
    hits = 0
    for scene, pixel in asked("relationship", 16):
        evidence = evidence_of(predictor.set_image(scene.image, "lab"), predictor.weights)
        assert isinstance(evidence, PSPEvidence)
        where = strongest_cell(evidence, pixel, Target(lab.BOAT, lab.CAR))
        hits += bool(scene.cue[where].any())
    assert hits <= 0.6 * 16
