"""Which images of a list have labels: one look into a folder, not one at every image."""

from __future__ import annotations

import pytest

from pspgui.imaging import ImagePaths
from pspgui.jobs.messages import Turn
from pspgui.jobs.opening import find_labelled, look_up

_TURN = Turn(lambda step: None, lambda: False)


def run(job):
    steps = job(_TURN)
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value


@pytest.fixture
def folder(tmp_path):
    for number in range(30):
        (tmp_path / f"{number}.jpg").touch()
    (tmp_path / ".pspgui" / "labels").mkdir(parents=True)
    return tmp_path


def test_only_images_with_a_file_of_such_a_name_are_looked_at(folder):
    labels = folder / ".pspgui" / "labels"
    for name in ("3.png", "4.jpg.png", "stranger.png"):
        (labels / name).touch()
    asked = []

    def label_file(image):
        asked.append(image.name)
        return labels / f"{image.stem if image.stem == '3' else image.name}.png"

    images = run(look_up([folder])).images
    assert isinstance(images, ImagePaths)
    assert run(find_labelled(images, label_file)) == {folder / "3.jpg", folder / "4.jpg"}
    assert asked == ["3.jpg", "4.jpg"]
    assert run(find_labelled(tuple(images), label_file)) == {folder / "3.jpg", folder / "4.jpg"}


def test_folder_by_folder_when_several_are_opened(folder, tmp_path_factory):
    other = tmp_path_factory.mktemp("other")
    (other / "3.jpg").touch()
    (folder / ".pspgui" / "labels" / "3.png").touch()
    images = run(look_up([other, folder])).images
    assert images[0] == other / "3.jpg"
    assert len(images) == 31
    found = run(find_labelled(images, lambda i: i.parent / ".pspgui" / "labels" / f"{i.stem}.png"))
    assert found == {folder / "3.jpg"}
