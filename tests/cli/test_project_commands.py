"""`pspgui stats`, `check`, `repair` and `backups` as a person types them."""

import json

import pytest
from project_case import begun_project, label, make_images, tree

from pspgui.cli import run
from pspgui.labels.classes import CAMVID
from pspgui.project.backups import back_up
from pspgui.project.project import open_project
from pspgui.project.statistics import Reading, measure_labels


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setattr("pspgui.places.cache_folder", lambda: tmp_path / "cache")


@pytest.fixture
def folder(tmp_path):
    root = tmp_path / "images"
    images, project = begun_project(root)
    labels, file = label(images[0])
    read = labels.copy()
    read[read == 0] = 1
    measure_labels(project.index, images[0], file, CAMVID, Reading(read, CAMVID))
    project.index.set_status(images[:1], "accepted")
    project.index.add_seconds(images[0], 3700)
    project.close()
    return root


def test_stats_adds_up_statuses_classes_mistakes_and_time(folder, capsys):
    before = tree(folder)
    assert run(["stats", str(folder)]) == 0
    told = capsys.readouterr().out
    assert "3 images, 1 with labels, 1 h 2 min spent" in told
    assert "accepted           1" in told
    assert "Building → Sky" in told
    assert run(["stats", "--json", str(folder)]) == 0
    values = json.loads(capsys.readouterr().out)
    assert values["images"] == 3
    assert values["status"]["accepted"] == 1
    assert values["seconds"] == 3700
    assert sum(entry["pixels"] for entry in values["classes"].values()) == 48
    assert sum(entry["share"] for entry in values["classes"].values()) == pytest.approx(1)
    assert values["classes"][""]["pixels"] == 2
    wrong = [entry for entry in values["confusion"] if entry["predicted"] != entry["labelled"]]
    assert {(entry["predicted"], entry["labelled"]) for entry in wrong} == {("Building", "Sky")}
    assert values["corrected_px"] == wrong[0]["pixels"]
    assert tree(folder) == before


def test_stats_counts_labels_that_no_index_knows_and_one_that_is_damaged(folder, capsys):
    label(folder / "b.png", seed=4)
    _, damaged = label(folder / "c.png", seed=5)
    damaged.write_bytes(b"nonsense")
    assert run(["stats", "--json", str(folder)]) == 1
    told = capsys.readouterr()
    assert json.loads(told.out)["labelled"] == 2
    assert "c.png" in told.err


def test_stats_of_a_project_in_use_and_of_a_plain_folder(folder, tmp_path, capsys):
    project = open_project(folder)
    project.index.set_status([folder / "b.png"], "flagged")
    assert run(["stats", "--json", str(folder)]) == 0
    assert json.loads(capsys.readouterr().out)["status"]["flagged"] == 1
    project.close()
    make_images(tmp_path / "plain")
    assert run(["stats", str(tmp_path / "plain")]) == 0
    assert "3 images, 0 with labels, 0 s spent" in capsys.readouterr().out
    assert not (tmp_path / "plain" / ".pspgui").exists()


def test_check_prints_a_line_for_each_problem(folder, capsys):
    assert run(["check", str(folder)]) == 0
    assert capsys.readouterr().out == "3 images, 1 label file: no problems\n"
    (folder / ".pspgui" / "labels" / "a.png").write_bytes(b"nonsense")
    (folder / ".pspgui" / "labels" / ".saving-abc.part").write_bytes(b"x")
    assert run(["check", str(folder)]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in lines[:-1]] == ["labels", "part", "index"]
    assert lines[-1].endswith("3 problems, 3 of them for `pspgui repair`")
    assert run(["check", "--json", str(folder)]) == 1
    kinds = [problem["kind"] for problem in json.loads(capsys.readouterr().out)["problems"]]
    assert kinds == ["labels", "part", "index"]


def test_repair_says_what_it_would_do_does_it_and_then_has_nothing_to_do(folder, capsys):
    (folder / ".pspgui" / "labels" / ".saving-abc.part").write_bytes(b"x")
    assert run(["repair", "--dry-run", str(folder)]) == 0
    assert capsys.readouterr().out.startswith("would remove: ")
    assert (folder / ".pspgui" / "labels" / ".saving-abc.part").exists()
    assert run(["repair", str(folder)]) == 0
    assert "removed, it was never finished" in capsys.readouterr().out
    assert run(["repair", str(folder)]) == 0
    assert capsys.readouterr().out == "nothing to repair\n"
    assert run(["check", str(folder)]) == 0


def test_repair_leaves_a_project_in_use_alone(folder, capsys):
    (folder / ".pspgui" / "labels" / ".saving-abc.part").write_bytes(b"x")
    project = open_project(folder)
    assert run(["repair", str(folder)]) == 1
    assert "Nothing was repaired: This project is open in pspgui" in capsys.readouterr().err
    project.close()


def test_repair_attaches_or_sets_aside_what_is_left_of_images_that_are_gone(folder, capsys):
    (folder / "a.png").rename(folder / "street.png")
    assert run(["repair", str(folder)]) == 1
    told = capsys.readouterr().out
    assert "a.png: labels of an image that is not there" in told
    assert "--attach OLD NEW brings it to an image that was renamed" in told
    assert run(["repair", "--attach", "a.png", "street.png", str(folder)]) == 0
    assert "what was kept of a.png belongs to street.png now" in capsys.readouterr().out
    assert run(["check", str(folder)]) == 0
    (folder / "street.png").unlink()
    assert run(["repair", "--set-aside", str(folder)]) == 0
    assert "its image is not there" in capsys.readouterr().out
    assert run(["check", str(folder)]) == 0


def test_a_backup_is_listed_and_put_back_and_so_is_what_it_replaced(folder, capsys):
    file = folder / ".pspgui" / "labels" / "a.png"
    before = file.read_bytes()
    assert run(["backups", str(folder)]) == 0
    assert capsys.readouterr().out == "no backups\n"
    backup = back_up(folder / ".pspgui", "relabel", [file])
    label(folder / "a.png", seed=7)
    after = file.read_bytes()
    (folder / ".pspgui" / "backups" / f"a-mine-{10**18}.png").write_bytes(before)
    assert run(["backups", str(folder)]) == 0
    told = capsys.readouterr().out
    assert "before labels changed by another program were settled" in told
    assert backup.name in told and "labels of 1 image, before relabelling in all images" in told
    assert run(["backups", str(folder), "--restore", backup.name]) == 0
    assert "The labels of 1 image are as they were" in capsys.readouterr().out
    assert file.read_bytes() == before
    assert run(["backups", "--json", str(folder)]) == 0
    newest = json.loads(capsys.readouterr().out)[0]
    assert newest["reason"] == "restore" and newest["labels"] == ["a"]
    assert run(["backups", str(folder), "--restore", newest["name"]]) == 0
    assert file.read_bytes() == after


def test_a_backup_that_is_not_there_or_damaged_changes_nothing(folder, capsys):
    file = folder / ".pspgui" / "labels" / "a.png"
    backup = back_up(folder / ".pspgui", "relabel", [file])
    assert run(["backups", str(folder), "--restore", "yesterday"]) == 1
    assert "has no backup 'yesterday'" in capsys.readouterr().err
    label(folder / "a.png", seed=7)
    after = file.read_bytes()
    (backup.folder / "files" / "labels" / "a.png").write_bytes(b"damaged")
    assert run(["backups", str(folder), "--restore", backup.name]) == 1
    assert "was not put back: labels/a.png is damaged" in capsys.readouterr().err
    assert file.read_bytes() == after


@pytest.mark.parametrize("command", ["stats", "check", "repair"])
def test_a_folder_that_is_not_there_is_one_line(command, tmp_path, capsys):
    assert run([command, str(tmp_path / "none")]) == 1
    assert capsys.readouterr().err.count("\n") == 1
