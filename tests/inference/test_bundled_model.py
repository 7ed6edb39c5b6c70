"""The model that comes with the app: small enough, self-describing, and right about the sample."""

from __future__ import annotations

import numpy as np

from pspgui.inference.predictor import Predictor
from pspgui.labels.classes import CAMVID
from pspgui.labels.metrics import Confusion
from pspgui.places import bundled_model
from pspgui.scenes import sample_scene


def test_the_bundled_model_reads_the_sample_scene():
    scene = sample_scene()
    predictor = Predictor.load(bundled_model(), "cpu", "fp32")

    labels = predictor.predict(predictor.set_image(scene.image)).labels

    score = Confusion(len(CAMVID))
    score.add(scene.labels, labels)
    assert predictor.classes == CAMVID
    assert bundled_model().stat().st_size <= 16e6
    assert predictor.spec.record["validation_miou"] >= 0.65
    assert score.pixel_accuracy > 0.88
    assert len(np.unique(labels)) == len(CAMVID)
