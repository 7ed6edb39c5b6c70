"""The mean bin of images: averaged behind other work, kept by weights, never half a file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from small_networks import head_activations, random_features, small_network

from pspgui.evidence.psp import LevelMeans, mean_bins
from pspgui.imaging import encode_png
from pspgui.jobs import mean_bins as jobs
from pspgui.jobs.messages import JobCancelled, Turn
from pspgui.jobs.modelling import ModelRoom

PADDED = (49, 57)


class FakePredictor:
    """Reads an image of one grey value as features drawn from it; `during` is called meanwhile."""

    digest = "ab12"
    weights = None

    class spec:  # noqa: N801
        title = "A network"

    def __init__(self, model):
        self.model, self.read = model, []
        self.during = lambda: None

    def set_image(self, pixels, image_id="", progress=None, cancelled=None):
        from pspgui.inference.errors import Cancelled as Stopped

        grey = int(pixels[0, 0, 0])
        self.during()
        if cancelled():
            raise Stopped
        self.read.append(grey)
        return self.of(grey)

    def of(self, grey):
        return head_activations(self.model, random_features(self.model, (6, 7), grey), PADDED)[0]


@pytest.fixture
def room():
    room = ModelRoom()
    room.predictor = FakePredictor(small_network(3, levels=(1, 2)).double())
    return room


@pytest.fixture
def images(tmp_path):
    folder = tmp_path / "street"
    folder.mkdir()
    paths = [folder / f"{i}.png" for i in range(4)]
    for i, path in enumerate(paths):
        path.write_bytes(encode_png(np.full((9, 9, 3), i, np.uint8)))
    return paths


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setattr(jobs.places, "cache_folder", lambda: tmp_path / "cache")


def run(job, turn=None):
    steps = job(turn or Turn(lambda step: None, lambda: False))
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value


def same(one, other):
    return all(np.allclose(a, b) for a, b in zip(one.taps, other.taps, strict=True))


def test_bins_are_averaged_over_images_and_named(room, images):
    means = run(jobs.average_bins(room, images, "street"))
    assert same(means, mean_bins([room.predictor.of(i) for i in range(4)], "all"))
    assert means.name == "the mean bin of 4 images of street" and means.digest == "ab12"


def test_what_was_averaged_is_there_again_for_these_weights_alone(room, images):
    means = run(jobs.average_bins(room, images, "street"))
    digest, kept = run(jobs.read_means("ab12"))
    assert digest == "ab12" and same(kept, means)
    assert (kept.name, kept.digest) == (means.name, means.digest)
    assert run(jobs.read_means("other")) == ("other", None)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 cut off", b"\x93NUMPY"])
def test_a_file_that_is_broken_counts_as_missing(content):
    path = jobs.file_of("ab12")
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    assert run(jobs.read_means("ab12")) == ("ab12", None)


def test_images_that_cannot_be_read_are_left_out(room, images):
    images[1].write_bytes(b"no image")
    means = run(jobs.average_bins(room, images, "street"))
    assert room.predictor.read == [0, 2, 3] and "3 images" in means.name
    for path in images[1:]:
        path.write_bytes(b"no image")
    with pytest.raises(jobs.MeanBinError, match="1 of the 4"):
        run(jobs.average_bins(room, images, "street"))


def test_an_image_is_begun_anew_after_something_more_urgent(room, images):
    waits = iter([False, True, False, False, False])
    now = {}
    room.predictor.during = lambda: now.update(waits=next(waits))
    turn = Turn(lambda step: None, lambda: False, lambda: now["waits"])
    run(jobs.average_bins(room, images, "street"), turn)
    assert room.predictor.read == [0, 1, 2, 3]


def test_nothing_comes_of_it_when_other_weights_are_loaded(room, images):
    other = FakePredictor(small_network(4, levels=(1, 2)).double())
    room.predictor.during = lambda: setattr(room, "predictor", other)
    with pytest.raises(JobCancelled):
        run(jobs.average_bins(room, images, "street"))


def test_a_network_without_bins_says_so(room, images):
    room.predictor.of = lambda grey: object()
    with pytest.raises(jobs.MeanBinError, match="A network has no bins"):
        run(jobs.average_bins(room, images, "street"))


def test_images_are_spread_over_the_list():
    names = [Path(str(i)) for i in range(1000)]
    found = [int(p.name) for p in jobs.spread_over(names)]
    assert len(set(found)) == jobs.MOST_IMAGES and found == sorted(found)
    assert found[0] < 25 and found[-1] >= 975
    assert np.ptp(np.diff(found)) <= 1
    assert jobs.spread_over(names[:3]) == tuple(names[:3])
    assert jobs.spread_over([]) == ()


def test_a_disk_that_is_full_loses_no_means(room, images, monkeypatch):
    def full(path, content):
        raise OSError("no space left")

    monkeypatch.setattr(jobs, "write_durably", full)
    assert isinstance(run(jobs.average_bins(room, images, "street")), LevelMeans)
