"""Windows of a large image: which one explains a pixel, and its evidence in the image's pixels."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_networks import head_activations, random_features, small_network

from pspgui.evidence.psp import PSPEvidence, mean_bins
from pspgui.evidence.readings import LevelReading, PyramidEvidence, Target
from pspgui.geometry import Pixel, Rect
from pspgui.inference.modes import InferenceMode
from pspgui.jobs.agreeing import Agreement
from pspgui.jobs.class_tables import Translation
from pspgui.jobs.opening import find_labelled
from pspgui.jobs.windowed import WindowEvidence, window_around
from pspgui.labels.classes import table

sides = st.integers(1, 400)


@given(sides, sides, st.integers(33, 200), st.data())
def test_the_window_of_a_pixel_holds_it_and_lies_in_the_image(height, width, crop, draw):
    pixel = draw.draw(st.integers(0, height - 1)), draw.draw(st.integers(0, width - 1))
    frame = window_around(pixel, (height, width), InferenceMode(crop=(crop, crop)))

    assert frame.contains(*pixel)
    assert frame.intersect(Rect(0, 0, height, width)) == frame
    assert (frame.height, frame.width) == (min(crop, height), min(crop, width))


class Engine:
    def __init__(self):
        self.asked = []

    def at(self, pixel, target=None):
        self.asked.append(pixel)
        one = np.ones((1, 1))
        level = LevelReading(one, one, one > 0, ((Rect(0, 0, 9, 9),),))
        return PyramidEvidence(
            Pixel(*pixel), Target(0), 2.0, 0.5, 0.5, Rect(1, 1, 3, 3), {1: level}
        )


def test_evidence_of_a_window_is_told_in_pixels_of_the_image():
    engine = Engine()
    found = WindowEvidence(engine, Rect(100, 50, 109, 59)).at((102, 55))

    assert engine.asked == [(2, 5)] and found.pixel == (102, 55)
    assert found.local_region == Rect(101, 51, 103, 53)
    assert found.levels[1].regions[0][0] == Rect(100, 50, 109, 59)
    assert found.total == found.logit


def small_evidence(align_corners):
    model = small_network(3, levels=(1, 2), align_corners=align_corners).double()
    activations, head = head_activations(model, random_features(model, (6, 7)), (48, 56), (41, 50))
    return PSPEvidence(activations, head.weights())


@pytest.mark.parametrize("align_corners", [True, False])
def test_a_source_of_a_window_is_opened_over_the_window(align_corners):
    window = WindowEvidence(small_evidence(align_corners), Rect(100, 50, 141, 100))
    for reading in ("split", "ig", "shapley"):
        found = window.at((110, 60), None, reading)
        assert found.pixel == (110, 60) and abs(found.total - found.logit) < 1e-10
        assert found.sources[0].region.intersect(window.frame) == found.sources[0].region
    found = window.at((110, 60))
    for source in found.sources:
        opened = window.open_source((110, 60), source)
        assert opened.source is source
        assert abs(opened.total - source.value) < 1e-10
        # The padding is shared out, too: the map reaches past the frame.
        assert opened.region.y0 <= 100 and opened.region.x0 <= 50
        assert opened.region.y1 >= 148 and opened.region.x1 >= 106
    if not align_corners:
        assert opened.region == Rect(100, 50, 148, 106)


def test_a_window_and_a_renumbering_pass_the_baseline_on():
    engine = small_evidence(True)
    means = mean_bins([engine.activations], "mean bin of 1 image")
    own = table(*((f"class {i}", (i, i, i)) for i in range(5)))
    turned = table(*((f"class {i}", (i, i, i)) for i in reversed(range(5))))
    told = Translation(own, turned).evidence(engine)
    for asked in (told, WindowEvidence(told, Rect(0, 0, 41, 50))):
        assert asked.takes(means) and asked.whole_readings == ("shapley",)
        found = asked.at((10, 20), Target(1), "ig", means)
        assert found.baseline == means.name and found.target == Target(1)
        plain = engine.at((10, 20), Target(3), "ig", means)
        assert found.logit == plain.logit and found.constant == plain.constant


def test_agreement_in_words():
    assert "nothing is lost" in Agreement(1.0, 10, 0, 0, exact=True).text
    text = Agreement(0.99999, 100_000, 1.0, 2.5).text
    assert "99.999 %" in text and "(1 differ)" in text and "2.5 × as fast" in text
    assert "100.000 %" not in Agreement(0.9999999, 10**8, 2.0, 1.0).text


def test_images_with_labels_are_found_among_those_without(tmp_path):
    images = [tmp_path / f"{n}.png" for n in "abc"]
    labels = tmp_path / ".pspgui" / "labels"
    labels.mkdir(parents=True)
    (labels / "b.png").write_bytes(b"labels")
    steps = find_labelled(images, lambda image: labels / image.name)(type("T", (), {
        "check": lambda self: None
    })())  # fmt: skip
    while True:
        try:
            next(steps)
        except StopIteration as end:
            assert end.value == {images[1]}
            return
