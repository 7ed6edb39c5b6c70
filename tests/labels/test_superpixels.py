"""Superpixels, things in boxes and live-wires on drawn pictures whose answer is known."""

from __future__ import annotations

import numpy as np
import pytest

from pspgui.geometry import Rect
from pspgui.labels.filters import PaintFilter
from pspgui.labels.grabcut import ROUNDS, Hints, cut_out
from pspgui.labels.history import History
from pspgui.labels.label_map import LabelMap
from pspgui.labels.raster import Stamp, capsule
from pspgui.labels.scissors import REACH_PX, Wire
from pspgui.labels.shapes import ellipse, joined, without
from pspgui.labels.superpixels import Superpixels, SuperpixelStroke, find_superpixels


def scene(height: int = 120, width: int = 160) -> tuple[np.ndarray, np.ndarray]:
    """A red ellipse on a green ground with a little noise, and where it is."""
    mask = np.zeros((height, width), bool)
    stamp = ellipse(Rect(30, 40, 90, 120), mask.shape)
    mask[stamp.rect.slices] = stamp.mask
    image = np.where(mask[..., None], (200, 40, 30), (40, 150, 60))
    noise = np.random.default_rng(1).integers(-6, 7, image.shape)
    return (image + noise).astype(np.uint8), mask


@pytest.mark.parametrize("rect", [Rect(0, 0, 120, 160), Rect(20, 30, 100, 131)])
def test_superpixels_cover_their_rect_and_keep_to_borders(rect):
    image, mask = scene()
    found = find_superpixels(image, rect, 12)
    assert found.ids.shape == (rect.height, rect.width)
    assert 0.3 < found.count / (rect.area / 144) < 2
    covered = np.zeros(mask.shape, int)
    for number in range(found.count):
        stamp = found.stamp(number)
        covered[stamp.rect.slices] += stamp.mask
        inside = mask[stamp.rect.slices][stamp.mask].mean()
        assert min(inside, 1 - inside) < 0.2  # on one side of the border
    assert (covered[rect.slices] == 1).all() and covered.sum() == rect.area


def test_superpixels_of_a_large_view_are_found_on_fewer_pixels(monkeypatch):
    monkeypatch.setattr("pspgui.labels.superpixels._MOST_CELLS", 2000)
    found = find_superpixels(scene()[0], Rect(1, 2, 120, 160), 20)
    assert found.ids.shape == (119, 158) and found.count > 10


def test_a_stroke_paints_whole_superpixels_once_and_obeys_the_filter():
    ids = np.kron(np.arange(12).reshape(3, 4), np.ones((10, 10), int)).astype(np.int32)
    label_map = LabelMap(np.zeros((40, 50), np.uint8))
    label_map.labels[20:25] = 3
    history = History(label_map)
    found = Superpixels(Rect(5, 5, 35, 45), ids)
    allowed = PaintFilter(locked=frozenset((3,)))
    stroke = SuperpixelStroke(label_map, history, "S", 1, 7, found, allowed)
    stroke.move(8, 8)
    stroke.move(8, 17)
    stroke.move(24, 17)
    assert not found.under(capsule((2, 2), (2, 2), 3, (40, 50))).size  # beyond them
    expected = np.zeros((40, 50), bool)
    expected[5:15, 5:25] = expected[15:25, 15:25] = True
    expected[20:25] = False
    assert stroke.finish() is not None
    assert np.array_equal(label_map.labels == 7, expected)


def test_a_thing_is_cut_out_of_its_box():
    image, mask = scene()
    answers = list(cut_out(image, Rect(22, 30, 98, 130)))
    assert len(answers) == ROUNDS
    stamp = answers[-1]
    found = np.zeros(mask.shape, bool)
    found[stamp.rect.slices] = stamp.mask
    assert (found != mask).mean() < 0.01


def test_hints_hold_exactly():
    image, _ = scene()
    box = Rect(22, 30, 98, 130)
    thing, ground = np.zeros((76, 100), bool), np.zeros((76, 100), bool)
    thing[2:5, 2:30] = True
    ground[35:45, 45:55] = True
    stamp = list(cut_out(image, box, Hints(thing, ground)))[-1]
    assert stamp.mask[thing].all() and not stamp.mask[ground].any()


@pytest.mark.parametrize("seed", range(3))
def test_specks_of_a_dark_box_are_nothing_unless_they_were_painted(seed):
    dark = np.random.default_rng(seed).integers(4, 8, (120, 160, 3)).astype(np.uint8)
    box, thing = Rect(20, 20, 100, 140), np.zeros((80, 120), bool)
    dark[60, 80:83] = 200
    assert list(cut_out(dark, box))[-1].rect.is_empty
    thing[40, 60:63] = True
    painted = list(cut_out(dark, box, Hints(thing, np.zeros_like(thing))))[-1]
    assert painted.mask[thing].all()
    dark[60, 80:100] = 200  # 0.2 % of the box
    assert np.count_nonzero(list(cut_out(dark, box))[-1].mask) == 20


@pytest.mark.parametrize("box", [Rect(200, 200, 220, 220), Rect(0, 0, 120, 160)])
def test_a_box_without_ground_around_or_without_an_inside_gives_nothing(box):
    assert all(stamp.rect.is_empty for stamp in cut_out(scene()[0], box))


def test_a_wire_follows_the_border_and_goes_straight_beyond_its_window():
    image, mask = scene()
    wire = Wire(image, (60.5, 40.5))  # the left end of the ellipse
    path = wire.path((60.5, 119.5))
    assert path[-1] == (60.5, 119.5) and path[0] != wire.start
    steps = np.abs(np.diff([wire.start, *path], axis=0)).max(axis=1)
    assert (steps == 1).all()  # pixel by pixel
    edge = np.zeros(mask.shape, bool)
    edge[1:-1, 1:-1] = (mask[2:, 1:-1] != mask[:-2, 1:-1]) | (mask[1:-1, 2:] != mask[1:-1, :-2])
    on = [edge[max(0, int(y) - 2) : int(y) + 3, max(0, int(x) - 2) : int(x) + 3].any()
          for y, x in path]  # fmt: skip
    assert np.mean(on) > 0.9
    large = np.zeros((1000, 1000, 3), np.uint8)
    far = Wire(large, (10.5, 10.5)).path((900.2, 20.7))
    assert far[-1] == (900.5, 20.5) and far[-2][0] == 10 + REACH_PX + 0.5


def test_regions_are_joined_and_taken_from_each_other():
    random = np.random.default_rng(2)
    a = Stamp(Rect(2, 3, 12, 9), random.random((10, 6)) < 0.5)
    b = Stamp(Rect(8, 1, 15, 7), random.random((7, 6)) < 0.5)
    whole = {}
    for name, stamp in (("a", a), ("b", b), ("both", joined(a, b)), ("rest", without(a, b))):
        whole[name] = np.zeros((20, 20), bool)
        whole[name][stamp.rect.slices] = stamp.mask
    assert np.array_equal(whole["both"], whole["a"] | whole["b"])
    assert np.array_equal(whole["rest"], whole["a"] & ~whole["b"])
