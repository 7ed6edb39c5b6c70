"""What is kept of an image goes with it when it is renamed, if its content tells which it is."""

import itertools
import os

import numpy as np
import pytest
from project_case import SHAPE, begun_project, label, tree

from pspgui.geometry import Pixel, Rect
from pspgui.imaging import encode_labels
from pspgui.labels.classes import CAMVID
from pspgui.labels.history import History
from pspgui.labels.label_map import LabelMap
from pspgui.labels.provenance import PERSON, palette
from pspgui.project import identities
from pspgui.project.backups import list_backups, restore
from pspgui.project.carrying import Folder, Renamed, carry, carry_renamed, find_renamed
from pspgui.project.checking import check_project
from pspgui.project.class_files import read_classes
from pspgui.project.errors import ProjectError
from pspgui.project.identities import Identities
from pspgui.project.journaling import StrokeJournals
from pspgui.project.pins import KeptPin, read_pins, write_pins
from pspgui.project.project import open_project
from pspgui.project.recovery import Opened, look_up
from pspgui.project.repairing import Gone, repair_project
from pspgui.project.store import LabelStore


@pytest.fixture
def folder(tmp_path):
    """A project whose first image has labels, strokes beyond them, pins, a note and remarks."""
    root = tmp_path / "images"
    images, project = begun_project(root)
    work_on(project.home, images[0])
    project.index.set_status(images[:1], "done")
    project.index.set_note(images[0], "look again")
    Identities(project.home).note(images[0])
    project.close()
    return root


def work_on(home, image):
    """Paint twice, save in between, so that one stroke is in the journal only."""
    store = LabelStore()
    labels, file = label(image, store=store)
    label_map = LabelMap(labels.copy(), np.full(SHAPE, PERSON, np.uint8))
    history = History(label_map)
    journals = StrokeJournals(lambda _: (home,))
    journals.follow(image, SHAPE, np.dtype(np.uint8), None)
    count = itertools.count(1)
    history.listener = lambda change: journals.record(image, next(count), change)
    paint(label_map, history, Rect(0, 0, 2, 3), 4)
    store.save(
        image, label_map.labels, label_map.provenance, CAMVID.palette(),
        announce=lambda digest: journals.mark(image, digest, 1),
    )  # fmt: skip
    paint(label_map, history, Rect(3, 3, 6, 8), 12)
    assert journals.close()
    write_pins(file, (KeptPin(1, Pixel(2, 3), None, "kerb"),))
    (home / "what_if").mkdir()
    (home / "what_if" / "a.json").write_text(f'{{"image": "{image.name}", "notes": []}}')


def paint(label_map, history, rect, value):
    history.begin("Brush")
    history.touch(rect)
    label_map.labels[rect.slices] = value
    label_map.provenance[rect.slices] = PERSON
    history.commit()


def opened(root):
    project = open_project(root)
    return project, Folder(root, project.home, sorted(root.glob("*.png")))


def renamed_in(root):
    (root / "a.png").rename(root / "street.png")
    project, folder = opened(root)
    try:
        return carry_renamed(folder, project.index)
    finally:
        project.close()


def test_everything_goes_with_an_image_that_was_renamed(folder):
    home = folder / ".pspgui"
    store = LabelStore()
    before = store.load(folder / "a.png")
    carried, troubles = renamed_in(folder)
    image = folder / "street.png"
    assert carried == [Renamed("a.png", image)] and not troubles

    store = LabelStore()
    file, after = store.path_for(image), store.load(image)
    assert file.name == "street.png"
    assert np.array_equal(after.labels, before.labels)
    assert np.array_equal(after.provenance, before.provenance)
    assert read_classes(file) is not None
    assert [pin.name for pin in read_pins(file)] == ["kerb"]
    assert '"street.png"' in (home / "what_if" / "street.json").read_text()
    project = open_project(folder)
    said = project.index.image_of(image)
    assert (said.status, said.note) == ("done", "look again")
    project.close()
    found = look_up(
        Opened(image, SHAPE, after.labels, after.provenance, after.digest), (home,), 1 << 20
    )
    assert [edit.name for edit in found.done] == ["Brush"]  # what was saved can be undone
    assert found.lost.rect == Rect(3, 3, 6, 8) and (found.lost.labels == 12).all()
    old = ("a", "a.png")
    assert not [p for p in tree(home) if p.stem in old and p.parts[0] != "backups"]
    assert not check_project(folder).problems


def test_provenance_that_a_crash_kept_from_its_place_goes_too(folder):
    """What lies in its place is that of the labels before."""
    home = folder / ".pspgui"
    before = LabelStore().load(folder / "a.png")
    file, waiting = home / "provenance" / "a.png", home / "provenance-next" / "a.png"
    waiting.parent.mkdir(exist_ok=True)
    waiting.write_bytes(file.read_bytes())
    file.write_bytes(encode_labels(before.provenance * 0, palette(), {"Labels": "of others"}))
    renamed_in(folder)
    after = LabelStore().load(folder / "street.png")
    assert np.array_equal(after.provenance, before.provenance)


def test_the_files_as_they_were_stay_in_the_backups(folder):
    home = folder / ".pspgui"
    before = {path: content for path, content in tree(home).items() if path.stem in ("a", "a.png")}
    renamed_in(folder)
    backup = list_backups(home)[-1]
    assert backup.reason == "rename"
    restore(backup)
    after = tree(home)
    assert before and all(after[path] == content for path, content in before.items())


def test_a_disk_that_refuses_leaves_all_as_it_was(folder, monkeypatch):
    from pspgui.project import carrying

    home = folder / ".pspgui"
    before = {p: c for p, c in tree(home).items() if p.parts[0] in ("labels", "pins", "strokes")}
    real, count = carrying.write_durably, []

    def refuse(path, content):
        count.append(path)
        if len(count) == 4:
            raise OSError(28, "No space left")
        real(path, content)

    monkeypatch.setattr(carrying, "write_durably", refuse)
    carried, troubles = renamed_in(folder)
    assert not carried and "street.png" in troubles[0]
    after = {p: c for p, c in tree(home).items() if p.parts[0] in ("labels", "pins", "strokes")}
    assert after == before
    monkeypatch.setattr(carrying, "write_durably", real)
    project, again = opened(folder)
    assert carry_renamed(again, project.index)[0]
    project.close()


def test_what_cannot_be_told_is_left_alone(folder):
    image = folder / "a.png"
    content = image.read_bytes()
    image.unlink()
    project, there = opened(folder)
    assert find_renamed(there) == []  # no image looks like it
    for name in ("one.png", "other.png"):
        (folder / name).write_bytes(content)
    there = Folder(folder, project.home, sorted(folder.glob("*.png")))
    assert find_renamed(there) == []  # two do
    (folder / "other.png").unlink()
    label(folder / "one.png", 3)
    there = Folder(folder, project.home, sorted(folder.glob("*.png")))
    assert find_renamed(there) == []  # it has labels of its own
    with pytest.raises(ProjectError, match="work of its own"):
        carry(there, Renamed("a.png", folder / "one.png"), project.index)
    project.close()


def test_an_image_that_is_there_keeps_its_work(folder):
    (folder / "street.png").write_bytes((folder / "a.png").read_bytes())
    project, there = opened(folder)
    assert find_renamed(there) == []
    project.close()


def test_identities_are_noted_once_and_damaged_lines_are_told(tmp_path):
    image = tmp_path / os.fsdecode(b"odd\xff\n.png")
    image.write_bytes(b"one")
    noted = Identities(tmp_path)
    noted.note(image)
    noted.note(image)
    path = tmp_path / identities.NAME
    assert path.read_bytes().count(b"\n") == 1
    image.write_bytes(b"another")
    Identities(tmp_path).note(image)
    found, damaged = identities.read(path)
    assert found == {image.name: identities.identity_of(image)} and not damaged
    assert identities.names_in(path) == {image.name}
    whole = path.read_bytes()
    for at in range(0, len(whole) - 1, 7):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        assert identities.read(path)[1]
    path.write_bytes(whole[:-5])
    assert identities.read(path)[1] == [2]
    Identities(tmp_path).note(image)
    assert identities.read(path)[0] == found


def lines(folder, kind="orphan"):
    return sorted(
        f"{p.path.name}: {p.text}" for p in check_project(folder).problems if p.kind == kind
    )


def test_check_names_what_is_kept_of_a_renamed_image_and_repair_attaches_it(folder):
    (folder / "a.png").rename(folder / "street.png")
    of = "of a.png, which is called street.png now"
    assert lines(folder) == [
        f"a.json: notes of what-ifs {of}", f"a.json: pins {of}", f"a.png.strokes: strokes {of}",
        f"a.png: labels {of}",
    ]  # fmt: skip
    before = tree(folder)
    would = repair_project(folder, dry_run=True)
    assert len(would.done) == 4 and tree(folder) == before
    report = repair_project(folder)
    assert not report.left and "street.png was called a.png before" in " ".join(report.done)
    assert LabelStore().load(folder / "street.png") is not None
    assert not check_project(folder).problems


def test_what_nobody_can_tell_waits_for_a_person(folder):
    (folder / ".pspgui" / identities.NAME).unlink()
    (folder / "a.png").rename(folder / "street.png")
    assert len(lines(folder)) == 4 and all("not there" in line for line in lines(folder))
    before = tree(folder)
    assert len(repair_project(folder).left) == 4
    assert tree(folder) == before

    wrong = repair_project(folder, gone=Gone((("a.png", "nowhere.png"),)))
    assert any("nowhere.png is not there" in line for line in wrong.left)
    report = repair_project(folder, gone=Gone((("a.png", "street.png"),)))
    assert "what was kept of a.png belongs to street.png now" in report.done
    assert LabelStore().load(folder / "street.png") is not None
    assert not check_project(folder).problems


def test_what_belongs_to_no_image_is_set_aside_when_a_person_says_so(folder):
    (folder / "a.png").unlink()
    home = folder / ".pspgui"
    kept = {p: c for p, c in tree(home).items() if p.stem in ("a", "a.png")}
    report = repair_project(folder, gone=Gone(set_aside=True))
    assert not report.left and not check_project(folder).problems
    for path, content in kept.items():
        assert not (home / path).exists()
        assert any(c == content for p, c in tree(home / "backups").items() if p.name == path.name)


def test_another_picture_of_the_same_name_is_told(folder):
    (folder / "a.png").write_bytes((folder / "b.png").read_bytes())
    assert "a.png is not the picture that was worked on" in check_project(folder).notes
    assert not check_project(folder).problems


def test_damaged_lines_of_identities_are_found_and_left_out(folder):
    path = folder / ".pspgui" / identities.NAME
    whole = path.read_bytes()
    path.write_bytes(b"nonsense\n" + whole)
    assert lines(folder, "identities") == ["images.log: line 1 is damaged"]
    assert not repair_project(folder).left
    assert path.read_bytes() == whole and not check_project(folder).problems
