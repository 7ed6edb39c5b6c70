"""Changing classes on disk keeps every label's meaning, and is all or nothing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pspgui.durable import SaveError
from pspgui.imaging import encode_png
from pspgui.jobs import class_changes
from pspgui.jobs.class_changes import ClassChange, Uses, change_classes, count_uses
from pspgui.jobs.class_tables import read_classes, read_folder_classes, write_classes
from pspgui.jobs.messages import Turn
from pspgui.jobs.restoring import put_back
from pspgui.labels.class_edits import ClassDraft
from pspgui.labels.classes import ClassTable, table
from pspgui.labels.history import History
from pspgui.labels.label_map import LabelMap
from pspgui.labels.provenance import PERSON
from pspgui.project import ChangedByOthersError, LabelStore, StrokeJournals
from pspgui.project.backups import list_backups
from pspgui.project.pending import begin_change, roll_back

SMALL = table(("Road", (1, 2, 3)), ("Car", (4, 5, 6)), ("Tree", (7, 8, 9)))
OTHER = table(("tree", (7, 8, 9)), ("bus", (1, 1, 1)), ("car", (3, 3, 3)))
LABELS = np.array([[0, 1, 2, 255], [0, 1, 1, 2]], np.uint8)


def run(job):
    steps = job(Turn(lambda step: None, lambda: False))
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value


def tree(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and "backups" not in path.parts
    }


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three images: labels of one table, of another, and none."""
    store = LabelStore(tmp_path / "elsewhere")
    images = tmp_path / "images"
    images.mkdir()
    for name, own in (("a.png", SMALL), ("b.png", OTHER), ("c.png", None)):
        (images / name).write_bytes(encode_png(np.zeros((2, 4, 3), np.uint8)))
        if own is not None:
            save(store, images / name, own)
    return images


def save(store: LabelStore, image: Path, own: ClassTable) -> None:
    marks = np.full(LABELS.shape, PERSON, np.uint8)
    write_classes(store.save(image, LABELS, marks, own.palette()), own)


def change(folder: Path, draft: ClassDraft, store: LabelStore | None = None) -> ClassChange:
    images = sorted(folder.glob("*.png"))
    store = store or LabelStore(folder.parent / "elsewhere")
    return run(change_classes(images, store, SMALL, draft, images[0], lambda: True))


def meanings(folder: Path, name: str) -> list[list[str]]:
    store = LabelStore(folder.parent / "elsewhere")
    stored = store.load(folder / name)
    own = read_classes(store.path_for(folder / name))
    assert stored is not None
    assert own is not None
    return [[own.name_of(int(label)) for label in row] for row in stored.labels]


def test_uses_are_counted_by_name(folder: Path) -> None:
    uses = run(count_uses(sorted(folder.glob("*.png")), LabelStore(folder.parent / "e"), SMALL))
    assert isinstance(uses, Uses)
    assert uses.pixels == {"Road": 2, "Car": 3, "Tree": 2, "tree": 2, "bus": 3, "car": 2}
    assert uses.images["Road"] == 1


def test_every_image_is_changed_by_the_names_of_its_own_classes(folder: Path) -> None:
    done = change(folder, ClassDraft.of(SMALL).merged(1, 0).moved(1, 0))
    assert (done.images, done.pixels, done.left_out) == (2, 3 + 2, ())
    assert meanings(folder, "a.png") == [
        ["Road", "Road", "Tree", "unlabelled"], ["Road", "Road", "Road", "Tree"]
    ]  # fmt: skip
    assert meanings(folder, "b.png") == [
        ["Tree", "bus", "Road", "unlabelled"], ["Tree", "bus", "bus", "Road"]
    ]  # fmt: skip
    own = read_folder_classes(LabelStore().path_for(folder / "c.png"))
    assert own is not None
    assert own.names == ("Tree", "Road")


def test_a_new_colour_rewrites_no_pixel(folder: Path) -> None:
    before = tree(folder)
    done = change(folder, ClassDraft.of(SMALL).recoloured(0, (9, 9, 9)))
    after = tree(folder)
    for kind in ("labels", "provenance"):
        assert after[f".pspgui/{kind}/a.png"] == before[f".pspgui/{kind}/a.png"]
    assert meanings(folder, "b.png")[0] == ["Tree", "bus", "Car", "unlabelled"]
    assert done.sentence == "The classes were changed; every label keeps its meaning."


@pytest.mark.parametrize("name", ["a.png", "c.png"])  # with labels, and without
def test_strokes_to_recover_are_not_left_with_other_classes(folder: Path, name: str) -> None:
    store = LabelStore(folder.parent / "elsewhere")
    image, stored = folder / name, store.load(folder / name)
    label_map = LabelMap(np.zeros((2, 4), np.uint8) if stored is None else stored.labels)
    history, journals = History(label_map), StrokeJournals(store.homes)
    journals.follow(image, label_map.shape, np.dtype(np.uint8), None)
    history.listener = lambda change: journals.record(image, 1, change)
    history.begin("Brush")
    history.touch(label_map.rect)
    label_map.labels[0, 0] = 2
    history.commit()
    assert journals.close(60)
    before = tree(folder)
    assert "of other classes. Open it" in change(folder, ClassDraft.of(SMALL).deleted(0)).error
    assert tree(folder) == before
    assert not change(folder, ClassDraft.of(SMALL).recoloured(0, (9, 9, 9))).error


def test_a_full_disk_takes_everything_back(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = tree(folder)
    real, written = class_changes.write_classes, []

    def full(path: Path, own: ClassTable) -> None:
        if written:
            raise SaveError("the disk is full")
        written.append(path)
        real(path, own)

    monkeypatch.setattr(class_changes, "write_classes", full)
    done = change(folder, ClassDraft.of(SMALL).deleted(0))
    assert "all labels are as before" in done.error
    assert tree(folder) == before


def test_a_crash_is_taken_back_when_the_folder_is_opened_next(folder: Path) -> None:
    before = tree(folder)
    home = folder / ".pspgui"
    new = home / "classes.json"
    files = [*home.glob("labels/*"), new]
    begin_change(home, "class-delete", files)
    files[0].write_bytes(b"half of it")
    new.write_text("{}")
    assert roll_back(home).startswith("A change of many labels was interrupted")
    assert tree(folder) == before
    assert roll_back(home) == ""


def test_a_job_that_is_cancelled_half_way_leaves_everything_as_it_was(folder: Path) -> None:
    before = tree(folder)
    images = sorted(folder.glob("*.png"))
    draft = ClassDraft.of(SMALL).deleted(0)
    steps = change_classes(images, LabelStore(), SMALL, draft, images[0], lambda: True)(
        Turn(lambda step: None, lambda: False)
    )
    while tree(folder) == before:
        next(steps)
    next(steps)
    steps.close()
    assert tree(folder) == before


def test_nothing_happens_while_labels_are_unsaved(folder: Path) -> None:
    before = tree(folder)
    images = sorted(folder.glob("*.png"))
    draft = ClassDraft.of(SMALL).deleted(0)
    done = run(change_classes(images, LabelStore(), SMALL, draft, images[0], lambda: False))
    assert done.error
    assert tree(folder) == before


def test_labels_that_cannot_be_read_stay_and_are_named(folder: Path) -> None:
    (folder / ".pspgui" / "labels" / "a.png").write_bytes(b"not a picture")
    done = change(folder, ClassDraft.of(SMALL).deleted(0))
    assert len(done.left_out) == 1
    assert "a.png" in done.sentence
    assert (folder / ".pspgui" / "labels" / "a.png").read_bytes() == b"not a picture"


def test_more_classes_than_eight_bits_hold_widen_labels_that_keep_their_numbers(folder):
    many = table(*((f"kind {n}", (n % 256, 0, 0)) for n in range(300)), ignore=65535)
    store = LabelStore(folder.parent / "elsewhere")
    whole = np.where(LABELS == 255, 0, LABELS).astype(np.uint8)
    marks = np.full(whole.shape, PERSON, np.uint8)
    file = store.save(folder / "a.png", whole, marks, SMALL.palette())
    change(folder, ClassDraft.of(SMALL).joined(many))
    stored = LabelStore(folder.parent / "elsewhere").load(folder / "a.png")
    assert stored.labels.dtype == np.uint16 and np.array_equal(stored.labels, whole)
    assert len(read_classes(file)) == 303 and read_classes(file).ignore == 65535


def test_journals_end_where_numbers_mean_something_else_though_no_pixel_has_them(folder) -> None:
    store, image = LabelStore(folder.parent / "elsewhere"), folder / "a.png"
    marks = np.full(LABELS.shape, PERSON, np.uint8)
    store.save(image, np.minimum(LABELS, 1), marks, SMALL.palette())
    digest = store.load(image).digest
    assert not change(folder, ClassDraft.of(SMALL).renamed(2, "Bush")).error
    assert store.load(image).digest == digest  # undo may bring trees back: they are bushes now
    own = read_classes(store.path_for(image))
    assert not change(folder, ClassDraft.of(own).deleted(2)).error
    assert store.load(image).digest != digest


def test_putting_a_class_change_back_takes_the_tables_with_it_that_it_made(folder: Path) -> None:
    (folder / ".pspgui" / "classes" / "a.json").unlink()  # labels from before there were tables
    before = tree(folder)
    changed = change(folder, ClassDraft.of(SMALL).renamed(0, "Street"))
    assert not changed.error and (folder / ".pspgui" / "classes.json").is_file()
    after = tree(folder)
    (made,) = list_backups(folder / ".pspgui")
    put_back(made)
    assert tree(folder) == before
    # What was there meanwhile is a backup, too, with the tables that are gone again.
    put_back(list_backups(folder / ".pspgui")[-1])
    assert tree(folder) == after


def test_classes_are_changed_once_more_after_a_backup_took_that_back(folder: Path) -> None:
    store = LabelStore(folder.parent / "elsewhere")
    draft = ClassDraft.of(SMALL).merged(1, 0)
    first = change(folder, draft, store)
    after = tree(folder)
    put_back(list_backups(folder / ".pspgui")[0])
    assert not first.error and change(folder, draft, store) == first
    assert tree(folder) == after


def test_counting_notices_no_change_by_others(folder: Path) -> None:
    store, other = (LabelStore(folder.parent / "elsewhere") for _ in range(2))
    shown = store.load(folder / "a.png", to_edit=True)
    assert shown is not None
    other.save(folder / "a.png", LABELS[::-1].copy(), shown.provenance, SMALL.palette())
    run(count_uses([folder / "a.png"], store, SMALL))
    with pytest.raises(ChangedByOthersError):
        store.save(folder / "a.png", LABELS, shown.provenance, SMALL.palette())


def test_a_backup_of_an_earlier_version_takes_nothing_away(folder: Path) -> None:
    change(folder, ClassDraft.of(SMALL).renamed(0, "Street"))
    (made,) = list_backups(folder / ".pspgui")
    assert made.absent == ("classes.json",)
    put_back(replace(made, absent=()))
    assert (folder / ".pspgui" / "classes.json").is_file()
    assert meanings(folder, "a.png")[0][0] == "Road"
