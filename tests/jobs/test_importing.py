"""What is exported in any form comes back by an import, and an import loses nothing."""

from __future__ import annotations

import shutil
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pspgui.durable import SaveError
from pspgui.formats import FORMATS, ExportItem, FormatError
from pspgui.imaging import decode_labels, encode_png
from pspgui.jobs.class_tables import read_classes, write_classes, write_folder_classes
from pspgui.jobs.importing import ImportOptions, plan_import, run_import
from pspgui.jobs.messages import JobCancelled, Turn
from pspgui.labels.class_edits import ClassDraft
from pspgui.labels.classes import table
from pspgui.labels.provenance import IMPORTED, PERSON
from pspgui.project import LabelStore
from pspgui.project.backups import list_backups

STREET = table(("Sky", (1, 2, 3)), ("Road", (90, 0, 90)), ("car", (0, 0, 142)))
SHAPE = (10, 14)
LOSSLESS = [form.key for form in FORMATS if not form.is_lossy]


def finish(job, cancel_after=None):
    taken = 0
    steps = job(Turn(lambda step: None, lambda: False))
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value
        taken += 1
        if taken == cancel_after:
            steps.throw(JobCancelled())


def labels_of(seed, classes=STREET):
    random = np.random.default_rng(seed)
    labels = random.integers(0, len(classes), SHAPE).astype(np.uint8)
    labels[:3, :5] = classes.ignore
    return labels


def image(folder, name, seed=0, shape=SHAPE):
    folder.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (*shape, 3), dtype=np.uint8)
    (folder / name).write_bytes(encode_png(pixels))
    return folder / name


@pytest.fixture
def data_set(tmp_path):
    """Return what writes three labelled images in a form, with two splits."""

    def write(key="voc", classes=STREET, names=("a.png", "b.png", "c.png")):
        from pspgui.formats import ExportOptions

        items = [
            ExportItem(image(tmp_path / "in", name, n), labels_of(n, classes))
            for n, name in enumerate(names)
        ]
        form = next(form for form in FORMATS if form.key == key)
        form.export(items, tmp_path / "set", classes, options=ExportOptions(train_share=0.6))
        return tmp_path / "set"

    return write


def imported(source, folder, **options):
    return finish(run_import(source, folder, LabelStore(), ImportOptions(**options)))


def meaning(folder, name):
    """Return the labels of an image by class name, "" for unlabelled."""
    file = LabelStore().path_for(folder / name)
    classes = read_classes(file)
    names = np.array([classes.name_of(i) for i in range(256)])
    names[classes.ignore] = ""
    return names[decode_labels(file).labels]


def expected(seed, classes=STREET):
    names = np.array([*classes.names, *[""] * (256 - len(classes))])
    return names[labels_of(seed, classes)]


@pytest.mark.parametrize("key", LOSSLESS)
def test_every_lossless_form_comes_back(data_set, tmp_path, key):
    report = imported(data_set(key), target := folder_of(tmp_path, key))
    assert report.images == 3 and not report.failed
    for seed, stem in enumerate("abc"):
        (found,) = target.glob(f"{stem}*.png")
        assert np.array_equal(meaning(target, found.name), expected(seed))
        marks = LabelStore().load(found).provenance
        assert (marks == IMPORTED).all()


@pytest.mark.parametrize("key", LOSSLESS)
def test_images_that_an_export_renames_are_found_again(data_set, tmp_path, key):
    names = ("night drive 1.png", "night_drive_1.png", "Ufer.links.png")
    root, target = data_set(key, names=names), folder_of(tmp_path, key)
    for seed, name in enumerate(names):
        image(target, name, seed)
    report = imported(root, target)
    assert (report.images, report.copied, report.failed) == (3, 0, [])
    assert {path.name for path in target.glob("*.*")} == {*names, ".pspgui"}
    for seed, name in enumerate(names):
        assert np.array_equal(meaning(target, name), expected(seed))


def test_an_image_is_not_taken_for_another_that_an_export_gave_its_name(data_set, tmp_path):
    root, target = data_set("mmseg", names=("a b.png", "a_b.png")), tmp_path / "in"
    (target / "a b.png").unlink()  # the data set's a_b is this one
    before = (target / "a_b.png").read_bytes()
    report = imported(root, target)
    assert report.images == 1 and "another one" in report.failed[0][1]
    assert np.array_equal(meaning(target, "a_b.png"), expected(1))
    assert (target / "a_b.png").read_bytes() == before


def test_one_file_of_an_export_finds_renamed_images(data_set, tmp_path):
    boxes = data_set("cvat-xml", names=("a b.png", "c.png")) / "annotations.xml"
    assert imported(boxes, tmp_path / "in", images="match").images == 2
    assert np.array_equal(meaning(tmp_path / "in", "a b.png"), expected(0))


def folder_of(tmp_path, key="x"):
    (tmp_path / f"images-{key}").mkdir()
    return tmp_path / f"images-{key}"


@pytest.mark.parametrize("kind", ["zip", "tar", "gztar"])
def test_archives_with_a_folder_in_them(data_set, tmp_path, kind):
    root = data_set("coco")
    archive = Path(shutil.make_archive(str(tmp_path / "packed"), kind, root.parent, "set"))
    report = imported(archive, target := folder_of(tmp_path))
    assert report.images == 3 and report.copied == 3
    assert np.array_equal(meaning(target, "b.png"), expected(1))
    assert not list(target.glob("**/*.part")) and len(list(target.glob("*.png"))) == 3


def test_labels_alone_find_the_images_of_the_folder(data_set, tmp_path):
    root = data_set("cvat-mask")
    shutil.rmtree(root / "JPEGImages")
    target = folder_of(tmp_path)
    image(target, "a.png")
    image(target, "c.png")
    report = imported(root, target)
    assert (report.images, report.absent, report.copied) == (2, 1, 0)
    assert np.array_equal(meaning(target, "c.png"), expected(2))


@pytest.mark.parametrize("key", ["cvat-xml", "label-studio", "parquet", "coco"])
def test_a_single_file_is_enough(data_set, tmp_path, key):
    root = data_set(key)
    file = {
        "cvat-xml": "annotations.xml", "label-studio": "label_studio_train.json",
        "coco": "annotations/instances_train.json",
        "parquet": "data/train-00000-of-00001.parquet",
    }[key]  # fmt: skip
    target = folder_of(tmp_path)
    for name in ("a.png", "b.png", "c.png"):
        image(target, name)
    alone = tmp_path / "alone"
    alone.mkdir()
    shutil.copy(root / file, alone)
    if key == "parquet":  # what its values mean stands beside it
        with pytest.raises(FormatError, match=r"id2label\.json"):
            imported(alone / Path(file).name, target)
        shutil.copy(root / "id2label.json", alone)
        assert imported(alone, target).images == 2
        return
    report = imported(alone / Path(file).name, target)
    assert report.images == (3 if key == "cvat-xml" else 2)
    assert np.array_equal(meaning(target, "a.png"), expected(0))


def test_classes_are_matched_by_name_and_new_ones_added(data_set, tmp_path):
    target = folder_of(tmp_path)
    image(target, "a.png")
    own = table(("road", (5, 5, 5)), ("tree", (6, 6, 6)))
    write_folder_classes(LabelStore().path_for(target / "a.png"), own)
    plan = finish(plan_import(data_set(), target, LabelStore(), ImportOptions()))
    assert plan.known == ("road", "tree") and (plan.matched, plan.copied) == (1, 2)
    found = {match.name: (match.target, match.is_new) for match in plan.classes}
    assert found == {"Sky": ("Sky", True), "Road": ("road", False), "car": ("car", True)}

    report = imported(tmp_path / "set", target)

    classes = read_classes(LabelStore().path_for(target / "a.png"))
    assert classes.names == ("road", "tree", "Sky", "car")
    assert classes.find("road").colour == (5, 5, 5) and classes.find("car").colour == (0, 0, 142)
    assert report.new_classes == ("Sky", "car") and "Sky, car" in "\n".join(report.lines())
    wanted = np.where(expected(0) == "Road", "road", expected(0))
    assert np.array_equal(meaning(target, "a.png"), wanted)


def test_classes_are_known_by_the_names_they_had_before(data_set, tmp_path):
    source, target = data_set(), folder_of(tmp_path)
    image(target, "a.png")
    draft = ClassDraft.of(STREET).renamed(1, "Street")
    draft = draft.merged(2, 0)
    write_folder_classes(LabelStore().path_for(target / "a.png"), draft.table())
    plan = finish(plan_import(source, target, LabelStore(), ImportOptions()))
    assert [(m.name, m.target, m.is_new) for m in plan.classes] == [
        ("Sky", "Sky", False), ("Road", "Street", False), ("car", "Sky", False),
    ]  # fmt: skip
    report = imported(source, target)
    assert report.images == 3 and not report.failed and not report.new_classes
    after = {"Sky": "Sky", "Road": "Street", "car": "Sky", "": ""}
    wanted = np.array([[after[name] for name in row] for row in expected(0)])
    assert np.array_equal(meaning(target, "a.png"), wanted)


def test_classes_can_be_renamed_and_left_out(data_set, tmp_path):
    target = folder_of(tmp_path)
    report = imported(data_set(), target, classes={"car": "vehicle", "Sky": ""})
    assert report.new_classes == ("Road", "vehicle")
    wanted = np.where(expected(0) == "car", "vehicle", expected(0))
    wanted[wanted == "Sky"] = ""
    assert np.array_equal(meaning(target, "a.png"), wanted)
    with pytest.raises(FormatError, match="every class is to be left out"):
        nothing = dict.fromkeys(STREET.names, "")
        imported(tmp_path / "set", folder_of(tmp_path, "y"), classes=nothing)


def keep(folder, name, label=2, classes=STREET):
    labels = np.full(SHAPE, label, np.uint8)
    palette = np.ascontiguousarray(classes.palette())
    file = LabelStore().save(folder / name, labels, np.full_like(labels, PERSON), palette)
    write_classes(file, classes)
    return file


def test_labels_that_are_there_are_kept_or_backed_up(data_set, tmp_path):
    target = folder_of(tmp_path)
    file = keep(target, image(target, "a.png").name)
    before = {path: path.read_bytes() for path in (target / ".pspgui").rglob("*") if path.is_file()}

    report = imported(data_set(), target)
    assert (report.kept, report.images, report.backup) == (1, 2, "")
    assert all(path.read_bytes() == content for path, content in before.items())

    report = imported(tmp_path / "set", target, conflicts="replace")
    assert (report.kept, report.images, report.replaced) == (0, 3, 3)
    assert np.array_equal(meaning(target, "a.png"), expected(0))
    (backup,) = list_backups(target / ".pspgui")
    assert backup.reason == "import" and backup.name == report.backup
    kept = backup.folder / "files" / "labels" / file.name
    assert kept.read_bytes() == before[file]


def test_another_size_is_refused_resized_or_skipped(data_set, tmp_path):
    root = data_set()
    for choice in ("refuse", "resize", "skip"):
        target = folder_of(tmp_path, choice)
        image(target, "a.png", shape=(20, 28))
        report = imported(root, target, misfits=choice)
        if choice == "resize":
            found = meaning(target, "a.png")
            assert np.array_equal(found[::2, ::2], expected(0))
            assert np.array_equal(found[1::2, 1::2], expected(0))
            assert "resized by nearest neighbour" in report.notes[0]
        else:
            assert not LabelStore().path_for(target / "a.png").exists()
            assert report.skipped == (choice == "skip")
            assert [name for name, _ in report.failed] == (["a.png"] if choice == "refuse" else [])
        assert report.images == (3 if choice == "resize" else 2)


def test_a_full_disk_or_cancelling_takes_everything_back(data_set, tmp_path, monkeypatch):
    target = folder_of(tmp_path)
    keep(target, image(target, "a.png").name)
    source = data_set()

    def state():
        return {
            path.relative_to(target): path.read_bytes() for path in target.rglob("*")
            if path.is_file() and "backups" not in path.parts
        }  # fmt: skip

    before = state()
    with pytest.raises(JobCancelled):
        job = run_import(source, target, LabelStore(), ImportOptions(conflicts="replace"))
        finish(job, cancel_after=5)
    assert state() == before

    saves = []

    def save(self, image, *arguments, **options):
        saves.append(image)
        if len(saves) == 2:
            raise SaveError("No space left on the device.")
        return original(self, image, *arguments, **options)

    original = LabelStore.save
    monkeypatch.setattr(LabelStore, "save", save)
    with pytest.raises(SaveError):
        imported(source, target, conflicts="replace")
    assert len(saves) == 2 and state() == before


def test_damaged_samples_are_named_and_the_rest_is_done(data_set, tmp_path):
    root = data_set()
    (root / "SegmentationClass" / "b.png").write_bytes(b"nothing of the kind")
    report = imported(root, folder_of(tmp_path))
    assert report.images == 2
    ((name, reason),) = report.failed
    assert name == "b.png" and "text file" in reason
    assert "not imported" in report.lines()[-1]


def test_images_without_a_labelled_pixel_are_left_out(tmp_path):
    root = tmp_path / "set"
    root.mkdir()
    image(root / "images", "a.png")
    (root / "annotations.xml").write_text(
        "<annotations><meta><task><labels><label><name>car</name></label></labels></task></meta>"
        '<image id="0" name="a.png" width="14" height="10"></image></annotations>'
    )
    report = imported(root, target := folder_of(tmp_path))
    assert (report.images, report.empty) == (0, 1) and not list(target.glob("*.png"))


def test_what_cannot_be_imported_is_told(tmp_path):
    target = folder_of(tmp_path)
    with pytest.raises(FormatError, match="no such file or folder"):
        imported(tmp_path / "gone", target)
    with pytest.raises(FormatError, match="no known layout"):
        imported(target, target)
    with pytest.raises(FormatError, match="none of the formats"):
        imported(target, target, key="nonsense")
    with pytest.raises(FormatError, match="no data set of the form PASCAL VOC"):
        imported(target, target, key="voc")
    (tmp_path / "a.txt").write_text("hello")
    with pytest.raises(FormatError, match="a data set is a folder, a zip, a tar"):
        imported(tmp_path / "a.txt", target)
    with zipfile.ZipFile(tmp_path / "empty.zip", "w") as archive:
        archive.writestr("readme.txt", "nothing")
    with pytest.raises(FormatError, match=r"empty\.zip: no known layout"):
        imported(tmp_path / "empty.zip", target)


def test_a_split_alone(data_set, tmp_path):
    root = data_set("voc")
    assert imported(root, folder_of(tmp_path, "1"), split="validation").images == 1
    with pytest.raises(FormatError, match="no split 'test'; there are: train, val"):
        imported(root, folder_of(tmp_path, "2"), split="test")


def test_two_images_of_one_stem_are_not_guessed_at(data_set, tmp_path):
    target = folder_of(tmp_path)
    Image.new("RGB", SHAPE[::-1]).save(target / "a.jpg")
    Image.new("RGB", SHAPE[::-1]).save(target / "a.bmp")
    report = imported(data_set(), target)
    assert report.images == 2 and "2 images of the folder have this stem" in report.failed[0][1]


def test_a_tar_is_read_as_it_is_named_or_not(data_set, tmp_path):
    root = data_set("ade20k")
    with tarfile.open(tmp_path / "packed.bin", "w:xz") as archive:
        archive.add(root, "ADEChallengeData2016")
    assert imported(tmp_path / "packed.bin", folder_of(tmp_path)).images == 3
