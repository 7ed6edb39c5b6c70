"""What is saved is what is found again, whatever the names, and nothing older is lost."""

from __future__ import annotations

import errno
import hashlib
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pspgui import durable
from pspgui.durable import SaveError
from pspgui.imaging import decode_labels, encode_labels, encode_png
from pspgui.labels.classes import CAMVID
from pspgui.labels.provenance import IMPORTED, PERSON
from pspgui.project import ChangedByOthersError, LabelStore, StoreError

SHAPE = (12, 16)


def a_map(seed: int, kind: type = np.uint8) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 11, SHAPE).astype(kind)
    return labels, rng.integers(0, 3, SHAPE).astype(np.uint8)


def picture(path: Path, shape: tuple[int, int] = SHAPE) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(encode_png(np.zeros((*shape, 3), np.uint8)))
    return path


@pytest.fixture
def store(tmp_path: Path) -> LabelStore:
    return LabelStore(tmp_path / "fall-back")


def saved(store: LabelStore, image: Path, seed: int, kind: type = np.uint8) -> Path:
    return store.save(image, *a_map(seed, kind), CAMVID.palette())


def assert_holds(store: LabelStore, image: Path, seed: int) -> None:
    stored = store.load(image)
    assert stored is not None
    assert np.array_equal(stored.labels, a_map(seed)[0])
    assert np.array_equal(stored.provenance, a_map(seed)[1])
    assert stored.labels.flags.writeable
    assert stored.provenance.flags.writeable


@pytest.mark.parametrize("name", ["x.png", "a b.2.png", "Straße.png", os.fsdecode(b"\xff.png")])
@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_save_then_load_is_identity(
    store: LabelStore, tmp_path: Path, name: str, kind: type
) -> None:
    image = picture(tmp_path / "photos" / name)
    assert store.load(image) is None
    path = saved(store, image, 1, kind)
    assert path == store.path_for(image) == image.parent / ".pspgui" / "labels" / name
    assert_holds(store, image, 1)
    assert store.load(image).labels.dtype == kind  # type: ignore[union-attr]
    assert store.location_note == ""
    saved(store, image, 2, kind)
    assert_holds(LabelStore(tmp_path / "fall-back"), image, 2)


def test_other_programs_read_the_saved_labels(store: LabelStore, tmp_path: Path) -> None:
    path = saved(store, picture(tmp_path / "x.png"), 1)
    with Image.open(path) as image:
        assert image.mode == "P"
        assert np.array_equal(np.asarray(image), a_map(1)[0])


def test_images_of_one_stem_do_not_share_labels(store: LabelStore, tmp_path: Path) -> None:
    names = ("x.jpg", "x.png", "x.tif", "x.png.jpg")
    for name in names:
        picture(tmp_path / name)
    for seed, name in enumerate(names):
        assert store.load(tmp_path / name) is None
        saved(store, tmp_path / name, seed)
    files = {store.path_for(tmp_path / name) for name in names}
    assert len(files) == len(names)
    assert tmp_path / ".pspgui" / "labels" / "x.png" in files
    for seed, name in enumerate(names):
        assert_holds(store, tmp_path / name, seed)


def test_an_image_converted_to_another_format_keeps_its_labels(
    store: LabelStore, tmp_path: Path
) -> None:
    saved(store, picture(tmp_path / "x.bmp"), 1)
    (tmp_path / "x.bmp").rename(tmp_path / "x.png")
    assert_holds(store, tmp_path / "x.png", 1)


def test_a_scene_without_a_file_is_kept_where_the_caller_says(
    store: LabelStore, tmp_path: Path
) -> None:
    scene = tmp_path / "samples" / "scene 7.png"
    saved(store, scene, 1)
    stored = store.load(scene, SHAPE)
    assert stored is not None
    assert np.array_equal(stored.labels, a_map(1)[0])


def test_foreign_labels_count_as_imported(store: LabelStore, tmp_path: Path) -> None:
    image = picture(tmp_path / "x.png")
    path = saved(store, image, 1)
    path.write_bytes(encode_labels(a_map(2)[0], CAMVID.palette()))
    stored = store.load(image)
    assert stored is not None
    assert np.array_equal(stored.labels, a_map(2)[0])
    assert (stored.provenance == IMPORTED).all()
    (path.parent.parent / "provenance" / "x.png").unlink()
    assert (store.load(image).provenance == IMPORTED).all()  # type: ignore[union-attr]


def test_labels_of_another_size_are_refused_and_set_aside(
    store: LabelStore, tmp_path: Path
) -> None:
    image = picture(tmp_path / "x.png")
    saved(store, image, 1)
    picture(image, (20, 30))
    with pytest.raises(StoreError, match="16 × 12 pixels, the image 30 × 20"):
        store.load(image)
    labels = np.ones((20, 30), np.uint8)
    store.save(image, labels, labels * PERSON, CAMVID.palette())
    assert np.array_equal(store.load(image).labels, labels)  # type: ignore[union-attr]
    (backup,) = (tmp_path / ".pspgui" / "backups").iterdir()
    assert np.array_equal(decode_labels(backup).labels, a_map(1)[0])


def test_a_damaged_file_is_named_and_set_aside(store: LabelStore, tmp_path: Path) -> None:
    image = picture(tmp_path / "x.png")
    path = saved(store, image, 1)
    path.write_bytes(path.read_bytes()[:60])
    with pytest.raises(StoreError, match="cannot be read: a PNG whose header is truncated"):
        store.load(image)
    saved(store, image, 2)
    assert_holds(store, image, 2)
    assert len(list((tmp_path / ".pspgui" / "backups").iterdir())) == 1


def test_a_folder_that_cannot_be_written_has_a_fall_back(store: LabelStore, tmp_path: Path) -> None:
    image = picture(tmp_path / "x.png")
    (tmp_path / ".pspgui").write_text("in the way")
    path = saved(store, image, 1)
    assert path.is_relative_to(tmp_path / "fall-back")
    assert path == store.path_for(image)
    assert "cannot be written" in store.location_note
    assert_holds(store, image, 1)
    other = picture(tmp_path / "elsewhere" / "x.png")
    assert store.load(other) is None
    (tmp_path / ".pspgui").unlink()
    os.utime(path, (1, 1))
    saved(store, image, 2)
    assert_holds(store, image, 2)
    assert store.location_note == ""


def test_a_full_disk_keeps_the_old_labels_and_does_not_wander_off(
    store: LabelStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    image = picture(tmp_path / "x.png")
    saved(store, image, 1)
    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.raises(SaveError, match="No space left"):
            saved(store, image, 2)
    assert_holds(store, image, 1)
    assert not (tmp_path / "fall-back").exists()


def test_a_crash_between_the_two_files_is_noticed(
    store: LabelStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = picture(tmp_path / "x.png")
    saved(store, image, 1)
    marks = tmp_path / ".pspgui" / "provenance" / "x.png"
    kept = marks.read_bytes()
    saved(store, image, 2)
    marks.write_bytes(kept)
    stored = store.load(image)
    assert stored is not None
    assert np.array_equal(stored.labels, a_map(2)[0])
    assert (stored.provenance == IMPORTED).all()


def test_shapes_must_agree(store: LabelStore, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="provenance"):
        store.save(tmp_path / "x.png", a_map(1)[0], np.zeros((1, 1), np.uint8), CAMVID.palette())


def test_what_others_write_while_a_save_is_under_way_stands(
    store: LabelStore, tmp_path: Path
) -> None:
    image = picture(tmp_path / "x.png")
    path = saved(store, image, 1)
    theirs = encode_labels(a_map(2)[0], CAMVID.palette())
    labels, marks = a_map(3)
    with pytest.raises(ChangedByOthersError):
        store.save(
            image, labels, marks, CAMVID.palette(), announce=lambda _: path.write_bytes(theirs)
        )
    assert path.read_bytes() == theirs



def test_a_file_changed_by_others_is_not_overwritten(store: LabelStore, tmp_path: Path) -> None:
    image = picture(tmp_path / "x.png")
    path = saved(store, image, 1)
    theirs = encode_labels(a_map(2)[0], CAMVID.palette())
    path.write_bytes(theirs)
    with pytest.raises(ChangedByOthersError, match="changed by another program") as refused:
        saved(store, image, 3)
    assert refused.value.path == path
    assert path.read_bytes() == theirs
    labels, marks = a_map(3)
    store.save(image, labels, marks, CAMVID.palette(), overwrite=True)
    assert_holds(store, image, 3)
    (backup,) = (tmp_path / ".pspgui" / "backups").iterdir()
    assert backup.read_bytes() == theirs
    saved(store, image, 4)


def test_a_file_that_came_or_was_only_touched(store: LabelStore, tmp_path: Path) -> None:
    image = picture(tmp_path / "x.png")
    assert store.load(image, to_edit=True) is None
    path = saved(LabelStore(tmp_path / "fall-back"), image, 1)  # another program was quicker
    with pytest.raises(ChangedByOthersError):
        saved(store, image, 2)
    assert store.load(image, to_edit=True) is not None
    os.utime(path, (1, 1))
    saved(store, image, 2)  # a new time with the same bytes is no change
    path.unlink()
    saved(store, image, 3)
    assert_holds(store, image, 3)


def test_looking_on_does_not_hide_a_change(store: LabelStore, tmp_path: Path) -> None:
    image = picture(tmp_path / "x.png")
    saved(store, image, 1)
    assert store.load(image, to_edit=True) is not None
    saved(LabelStore(tmp_path / "fall-back"), image, 2)
    assert store.load(image) is not None  # an export
    with pytest.raises(ChangedByOthersError):
        saved(store, image, 3)


def test_models_are_kept_by_name_and_announced_before(store: LabelStore, tmp_path: Path) -> None:
    image = picture(tmp_path / "x.png")
    told = []
    labels, marks = a_map(1)
    models = {0: "PSPNet 12ab", 16: "Straße"}
    path = store.save(
        image, labels, marks, CAMVID.palette(), models,
        lambda digest: told.append((digest, store.path_for(image).exists())),
    )  # fmt: skip
    stored = store.load(image)
    assert stored is not None
    assert stored.models == models
    assert told == [(stored.digest, False)]
    assert hashlib.sha256(path.read_bytes()).hexdigest() == stored.digest


def test_provenance_that_waits_for_its_labels_is_found(
    store: LabelStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = picture(tmp_path / "x.png")
    saved(store, image, 1)
    replace = durable.Disk.replace

    def cut(self: durable.Disk, part: Path, path: Path) -> None:
        if path.parent.name == "provenance":
            raise OSError(errno.EIO, "the power went")
        replace(self, part, path)

    with monkeypatch.context() as patched:
        patched.setattr(durable.Disk, "replace", cut)
        saved(store, image, 2)
    assert_holds(store, image, 2)
    copy = store.save_copy(image, a_map(5)[0], CAMVID.palette())
    assert np.array_equal(decode_labels(copy).labels, a_map(5)[0])
    assert_holds(store, image, 2)


def test_equal_labels_of_other_provenance_are_told_apart(
    store: LabelStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = picture(tmp_path / "x.png")
    labels, marks = a_map(1)
    store.save(image, labels, marks, CAMVID.palette())
    first = store.load(image)
    replace = durable.Disk.replace

    def cut(self: durable.Disk, part: Path, path: Path) -> None:
        if path.parent.name == "provenance":
            raise OSError(errno.EIO, "the power went")
        replace(self, part, path)

    with monkeypatch.context() as patched:
        patched.setattr(durable.Disk, "replace", cut)
        store.save(image, labels, np.full_like(marks, PERSON), CAMVID.palette())
    second = store.load(image)
    assert first is not None and second is not None
    assert first.digest != second.digest
    assert (second.provenance == PERSON).all()


def test_two_interrupted_saves_keep_the_provenance_of_what_is_there(
    store: LabelStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = picture(tmp_path / "x.png")
    saved(store, image, 1)
    replace = durable.Disk.replace

    def cut_at(folder: str) -> None:
        def cut(self: durable.Disk, part: Path, path: Path) -> None:
            if path.parent.name == folder:
                raise OSError(errno.EIO, "the power went")
            replace(self, part, path)

        monkeypatch.setattr(durable.Disk, "replace", cut)

    cut_at("provenance")
    saved(store, image, 2)  # its provenance waits
    cut_at("labels")
    with pytest.raises(SaveError):
        saved(store, image, 3)  # whose labels never came
    monkeypatch.undo()
    assert_holds(LabelStore(tmp_path / "fall-back"), image, 2)
