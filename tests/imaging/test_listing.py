"""Which files of a folder are images, and in what order."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pspgui.imaging import (
    DecodeError,
    ImagePaths,
    find_images,
    is_image_name,
    list_images,
    texts_of,
)


def test_signs_that_are_digits_elsewhere_are_letters(tmp_path):
    for name in ("1²2.png", "٣.png"):
        (tmp_path / name).touch()
    assert {path.name for path in list_images(tmp_path)} == {"1²2.png", "٣.png"}


def test_names_in_natural_order_without_strangers(tmp_path: Path) -> None:
    for name in ("b10.png", "b2.PNG", "a.jpg", "notes.txt", ".hidden.png", "B1.tif"):
        (tmp_path / name).touch()
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "loop.png").symlink_to("loop.png")
    (tmp_path / "link.png").symlink_to("a.jpg")
    names = [path.name for path in list_images(tmp_path)]
    assert names == ["a.jpg", "B1.tif", "b2.PNG", "b10.png", "link.png"]


def test_recursion_skips_hidden_folders_and_circles(tmp_path: Path) -> None:
    for name in ("a.png", "sub/b.png", "sub/deep/c.png", ".pspgui/labels/a.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "sub" / "back").symlink_to(tmp_path)
    assert len(list_images(tmp_path)) == 1
    found = [str(path.relative_to(tmp_path)) for path in list_images(tmp_path, recursive=True)]
    assert found == ["a.png", "sub/b.png", "sub/deep/c.png"]


def test_a_folder_that_cannot_be_listed_is_named(tmp_path: Path) -> None:
    with pytest.raises(DecodeError, match="nowhere: the folder cannot be listed"):
        list_images(tmp_path / "nowhere")


def test_names_that_are_not_utf8_are_listed(tmp_path: Path) -> None:
    name = os.fsdecode(b"\xff1.png")
    (tmp_path / name).touch()
    assert [path.name for path in list_images(tmp_path)] == [name]


def test_suffixes_are_read_in_any_case() -> None:
    assert is_image_name("x.JPeG")
    assert not is_image_name("x.npy")
    assert not is_image_name("png")


def test_finding_images_makes_no_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(50):
        (tmp_path / f"{number}.png").touch()
    made: list[object] = []
    monkeypatch.setattr("pspgui.imaging.listing.Path", lambda text: made.append(text) or Path(text))
    found = find_images(tmp_path)
    assert len(found) == len(texts_of(found)) == 50
    assert len(made) == 1  # the folder


def test_found_images_are_a_sequence_of_paths() -> None:
    texts = ["/a/1.png", "/a/2.png", "/a/10.png"]
    found, paths = ImagePaths(texts), tuple(map(Path, texts))
    assert found == paths
    assert paths == found
    assert found == ImagePaths(list(texts))
    assert found != paths[:2]
    assert found != ImagePaths(["/a/1.png", "/a/2.png", "/a/9.png"])
    assert (found[0], found[-1], tuple(found[1:])) == (paths[0], paths[2], paths[1:])
    assert [*found, paths[0]] == [*paths, paths[0]]
    assert found.index(paths[1]) == 1
    assert Path("/a/1.png") in found
    assert Path("/a/3.png") not in found
    assert texts_of(paths) == texts


def test_a_path_is_made_once(monkeypatch: pytest.MonkeyPatch) -> None:
    found = ImagePaths([f"/a/{number}.png" for number in range(2500)])
    made: list[str] = []
    monkeypatch.setattr("pspgui.imaging.listing.Path", lambda text: made.append(text) or Path(text))
    assert found[7] is found[7]
    assert [*found.making_paths()] == [0.0, 0.4, 0.8]
    assert len(made) == 2500
    assert list(found) == [Path(text) for text in found.texts]
    assert found[-1] == Path("/a/2499.png")
    assert len(made) == 2500
