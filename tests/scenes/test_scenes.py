"""The generated street scenes: any size, repeatable, exactly labelled, shares near CamVid's."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pspgui.labels.classes import CAMVID
from pspgui.scenes import SAMPLE_SEED, Scene, render_scene, sample_scene

# Percent of pixels: at least, at most, over many scenes; CamVid's own share lies inside each.
SHARES = {
    "Sky": (10, 27), "Building": (13, 32), "Pole": (0.5, 3.5), "Road": (25, 41),
    "Pavement": (2.5, 8), "Tree": (5, 16), "SignSymbol": (0.4, 2.5), "Fence": (0.4, 4),
    "Car": (3, 12), "Pedestrian": (0.3, 2.5), "Bicyclist": (0.1, 1.5),
}  # fmt: skip


@pytest.fixture(scope="module")
def many() -> list[Scene]:
    """Thirty scenes at a third of CamVid's size."""
    return [render_scene(seed, 120, 160) for seed in range(30)]


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**63), st.integers(8, 110), st.integers(8, 110))
def test_any_size_gives_an_image_and_valid_labels(seed: int, height: int, width: int) -> None:
    scene = render_scene(seed, height, width)

    assert scene.image.shape == (height, width, 3) and scene.image.dtype == np.uint8
    assert scene.labels.shape == (height, width) and scene.labels.dtype == np.uint8
    assert scene.image.flags.c_contiguous and scene.labels.flags.c_contiguous
    assert scene.labels.max() < len(CAMVID)
    assert scene.seed == seed


@pytest.mark.parametrize("size", [(64, 64), (361, 481), (97, 301), (301, 97)])
def test_the_same_seed_gives_the_same_bytes(size: tuple[int, int]) -> None:
    first, second = render_scene(5, *size), render_scene(5, *size)

    assert np.array_equal(first.image, second.image)
    assert np.array_equal(first.labels, second.labels)


def test_other_seeds_give_other_streets(many: list[Scene]) -> None:
    assert len({scene.labels.tobytes() for scene in many}) == len(many)


def test_a_larger_frame_shows_the_same_street() -> None:
    for seed in range(6):
        large, small = render_scene(seed, 240, 320).labels, render_scene(seed, 120, 160).labels

        assert (large[::2, ::2] == small).mean() > 0.85


def test_every_class_occurs_in_camvid_like_shares(many: list[Scene]) -> None:
    labels = np.stack([scene.labels for scene in many])
    percent = np.bincount(labels.ravel(), minlength=len(CAMVID)) / labels.size * 100

    outside = {
        name: round(float(percent[CAMVID.find(name).id]), 2)
        for name, (low, high) in SHARES.items()
        if not low <= percent[CAMVID.find(name).id] <= high
    }
    assert not outside


def test_the_sky_is_above_the_road_and_brighter(many: list[Scene]) -> None:
    sky, road = CAMVID.find("Sky").id, CAMVID.find("Road").id
    for scene in many:
        is_sky, is_road = scene.labels == sky, scene.labels == road

        assert np.nonzero(is_sky)[0].mean() < np.nonzero(is_road)[0].mean()
        assert scene.image[is_sky].mean() > scene.image[is_road].mean()


def test_labels_follow_what_is_painted() -> None:
    """Across the outline of the sky the image changes more than it does inside the sky."""
    scene = render_scene(SAMPLE_SEED, 240, 320)
    grey = scene.image.mean(axis=2)
    step = np.abs(np.diff(grey, axis=1))
    sky = scene.labels == CAMVID.find("Sky").id
    outline, inside = sky[:, 1:] != sky[:, :-1], sky[:, 1:] & sky[:, :-1]

    assert step[outline].mean() > 5 * step[inside].mean()


def test_the_sample_scene_shows_every_class() -> None:
    scene = sample_scene()

    assert scene.image.shape == (720, 960, 3)
    assert set(np.unique(scene.labels).tolist()) == set(range(len(CAMVID)))


@pytest.mark.parametrize("size", [(7, 100), (100, 7), (0, 0)])
def test_too_small_a_scene_is_refused(size: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="at least 8 x 8"):
        render_scene(1, *size)
