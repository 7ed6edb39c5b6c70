"""Every command as a user types it: what it prints, what it writes, how it fails."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from pspgui import app, cli
from pspgui.formats import read_dataset
from pspgui.imaging import decode_image, decode_labels, encode_png
from pspgui.labels.classes import CAMVID
from pspgui.labels.provenance import PERSON
from pspgui.project.store import LabelStore


def test_predict_writes_palette_pngs_and_one_json_object_a_line(command, weights, images, tmp_path):
    code, out, _ = command("predict", *images, "--out", tmp_path, "--weights", weights, "--json")

    lines = [json.loads(line) for line in out.splitlines()]
    assert code == 0
    assert [line["image"] for line in lines] == [str(i) for i in images]
    for line in lines:
        stored = decode_labels(line["mask"])
        assert set(line) == {"image", "mask", "classes", "seconds"}
        assert Path(line["mask"]).parent == tmp_path
        assert stored.labels.shape == (64, 96)
        assert np.array_equal(stored.palette[:11], CAMVID.palette()[:11])
        shares = {CAMVID.names[i]: n / stored.labels.size
                  for i, n in enumerate(np.bincount(stored.labels.ravel())) if n}  # fmt: skip
        assert line["classes"] == pytest.approx(shares, abs=1e-6)


def test_predict_goes_on_after_images_it_cannot_read(command, weights, images, tmp_path):
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"not a picture")
    out_folder = tmp_path / "out"

    code, out, _ = command(
        "predict", broken, tmp_path / "gone.png", images[0],
        "--out", out_folder, "--weights", weights, "--json",
    )  # fmt: skip

    lines = [json.loads(line) for line in out.splitlines()]
    assert code == 1
    assert [sorted(line) for line in lines[:2]] == [["error", "image"]] * 2
    assert "broken.jpg" in lines[0]["error"]
    assert "gone.png" in lines[1]["error"]
    assert Path(lines[2]["mask"]).exists()


def test_predict_takes_folders_and_names_that_are_not_utf8(command, weights, images, tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    odd = os.fsdecode(b"caf\xe9.png")
    (folder / odd).write_bytes(images[0].read_bytes())

    code, out, _ = command("predict", folder, "--out", tmp_path / "out", "--weights", weights,
                           "--json")  # fmt: skip

    assert code == 0
    assert [os.fsencode(p.name) for p in (tmp_path / "out").iterdir()] == [b"caf\xe9.png"]
    assert json.loads(out)["image"] == str(folder / odd)


def test_predict_keeps_images_of_one_stem_apart_and_never_overwrites_an_image(
    command, weights, images, tmp_path
):
    for name in ("a.png", "a.bmp"):
        (tmp_path / name).write_bytes(images[0].read_bytes())

    code, out, _ = command("predict", tmp_path / "a.png", tmp_path / "a.bmp",
                           "--out", tmp_path, "--weights", weights, "--json")  # fmt: skip

    lines = [json.loads(line) for line in out.splitlines()]
    assert code == 1
    assert "overwritten" in lines[0]["error"]
    assert Path(lines[1]["mask"]).name == "a.bmp.png"
    assert (tmp_path / "a.png").read_bytes() == images[0].read_bytes()


def test_predict_overwrites_no_image_it_was_given(command, weights, images, tmp_path):
    content = images[0].read_bytes()
    for name in ("a.bmp", "a.png", "b.bmp", "b.overlay.png"):
        (tmp_path / name).write_bytes(content)

    code, out, _ = command("predict", tmp_path, "--out", tmp_path, "--weights", weights,
                           "--overlay", "--json")  # fmt: skip

    lines = {Path(line["image"]).name: line for line in map(json.loads, out.splitlines())}
    assert code == 1
    assert "a.png, an image, would be overwritten" in lines["a.bmp"]["error"]
    assert "b.overlay.png, an image, would be overwritten" in lines["b.bmp"]["error"]
    assert all((tmp_path / name).read_bytes() == content for name in lines)
    masks = [line["mask"] for line in lines.values() if "mask" in line]
    assert len(masks) == 2
    assert all(decode_labels(mask).labels.shape == (64, 96) for mask in masks)


def test_predict_names_folders_without_images_and_goes_on(command, weights, images, tmp_path):
    empty = tmp_path / "empty"
    empty.mkdir()

    code, out, _ = command("predict", empty, "a" * 300 + ".png", images[0], "--out",
                           tmp_path / "out", "--weights", weights, "--json")  # fmt: skip

    lines = [json.loads(line) for line in out.splitlines()]
    assert code == 1
    assert "no images" in lines[0]["error"]
    assert "too long" in lines[1]["error"]
    assert Path(lines[2]["mask"]).exists()


def test_predict_labels_a_photo_of_17_megapixels(command, weights, tmp_path, monkeypatch):
    # A machine short of memory would see it smaller still.
    monkeypatch.setattr("pspgui.inference.predictor.available_bytes", lambda device: None)
    (tmp_path / "vast.png").write_bytes(encode_png(np.zeros((4200, 4200, 3), np.uint8)))

    code, out, err = command("predict", tmp_path / "vast.png", "--out", tmp_path / "out",
                             "--weights", weights, "--json")  # fmt: skip

    assert code == 0
    assert decode_labels(json.loads(out)["mask"]).labels.shape == (4200, 4200)
    assert "1/2 of its size" in err


def test_predict_can_draw_an_overlay(command, weights, images, tmp_path):
    code, out, _ = command("predict", images[0], "--out", tmp_path, "--weights", weights,
                           "--overlay")  # fmt: skip

    pixels = decode_image(images[0]).pixels.astype(int)
    labels = decode_labels(tmp_path / "000.png").labels
    expected = (pixels + CAMVID.palette()[labels]) // 2
    assert code == 0
    assert "000.png" in out
    assert np.array_equal(decode_image(tmp_path / "000.overlay.png").pixels, expected)


def test_predict_can_write_how_sure_it_is(command, weights, images, tmp_path):
    code, _, _ = command("predict", images[0], "--out", tmp_path, "--weights", weights, "--maps")

    labels = decode_labels(tmp_path / "000.png").labels
    maps = np.load(tmp_path / "000.maps.npz")
    assert code == 0
    assert all(maps[k].shape == labels.shape for k in ("confidence", "margin", "entropy"))
    assert 1 / 11 <= maps["confidence"].min() <= maps["confidence"].max() <= 1
    assert maps["margin"].min() >= 0
    # Half the probability for one class leaves at most this much doubt.
    sure = maps["confidence"] > 0.5
    assert (maps["entropy"][sure] <= np.log(2) + 0.5 * np.log(10) + 1e-5).all()


@pytest.mark.parametrize(
    ("options", "target"),
    [([], "margin over"), (["--class", "road"], "logit"), (["--versus", "x"], "margin over")],
)
def test_explain_prints_parts_that_add_up(command, weights, images, options, target):
    if "--versus" in options:
        winner = json.loads(
            command("explain", images[0], "--at", "95,63", "--weights", weights, "--json")[1]
        )["class"]
        options = ["--versus", next(n for n in CAMVID.names if n != winner)]

    code, out, _ = command("explain", images[0], "--at", "95,63", "--weights", weights, "--json",
                           *options)  # fmt: skip

    found = json.loads(out)
    sources = found["sources"]
    assert code == 0
    assert found["target"].startswith(target)
    assert len(sources) == 1 + 1 + 4 + 9 + 36
    assert found["constant"] + sum(s["value"] for s in sources) == pytest.approx(
        found["logit"], abs=1e-4
    )
    assert all(s["value"] == 0 for s in sources if not s["reachable"])
    for source in sources:
        x0, y0, x1, y1 = source["region"]
        assert 0 <= x0 <= x1 <= 96
        assert 0 <= y0 <= y1 <= 64


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [(["--at", "96,0"], "outside the image of 96 x 64"), (["--at", "x"], "is not X,Y"),
     (["--at", "1,1", "--class", "Moon"], "no class is called"),
     (["--at", "1,1", "--class", "Car", "--versus", "Car"], "with itself")],
)  # fmt: skip
def test_explain_refuses_in_one_line(command, weights, images, arguments, reason):
    code, out, err = command("explain", images[0], "--weights", weights, *arguments)

    assert (code, out, err.count("\n")) == (1, "", 1)
    assert reason in err


def test_evaluate_agrees_with_predict(command, weights, dataset, images, tmp_path):
    command("predict", *images, "--out", tmp_path, "--weights", weights)
    code, out, _ = command("evaluate", "--data", dataset, "--split", "val", "--weights", weights,
                           "--json")  # fmt: skip

    scores = json.loads(out)
    right = total = 0
    for image in images:
        truth = decode_labels(dataset / "labels" / "val" / image.name).labels
        found = decode_labels(tmp_path / image.name).labels
        right += int((truth == found)[truth != 255].sum())
        total += int((truth != 255).sum())
    assert code == 0
    assert scores["images"] == 3
    assert scores["pixel_accuracy"] == pytest.approx(right / total, abs=1e-6)
    counted = [c["iou"] for c in scores["classes"] if c["iou"] is not None]
    assert scores["miou"] == pytest.approx(sum(counted) / len(counted), abs=1e-5)
    assert [c["name"] for c in scores["classes"]] == list(CAMVID.names)


def test_evaluate_on_scenes_reports_what_silencing_the_pyramid_does(command, weights):
    code, out, _ = command("evaluate", "--scenes", 1, "--weights", weights, "--silenced", "--json")

    scores = json.loads(out)
    assert code == 0
    assert scores["images"] == 1
    assert 0 <= scores["silenced"]["cells_changed"] <= 1


def test_export_writes_saved_labels_and_predictions_where_wished(
    command, weights, images, tmp_path
):
    folder = tmp_path / "in"
    folder.mkdir()
    for image in images[:2]:
        (folder / image.name).write_bytes(image.read_bytes())
    labels = np.full((64, 96), 4, np.uint8)
    labels[3:9, 5:7] = 255
    LabelStore().save(folder / images[0].name, labels, np.full((64, 96), PERSON, np.uint8),
                      CAMVID.palette())  # fmt: skip

    code, out, _ = command("export", folder, "--out", tmp_path / "a", "--weights", weights,
                           "--json")  # fmt: skip
    code_all, _, _ = command("export", folder, "--out", tmp_path / "b", "--weights", weights,
                             "--unedited", "predict")  # fmt: skip

    samples, table = read_dataset(tmp_path / "a")
    assert (code, code_all, table) == (0, 0, CAMVID)
    assert json.loads(out)["skipped"] == 1
    assert [s.image.name for s in samples] == [images[0].name]
    assert np.array_equal(decode_labels(samples[0].labels).labels, labels)
    assert len(read_dataset(tmp_path / "b")[0]) == 2


def test_export_of_nothing_says_so(command, weights, images, tmp_path):
    code, _, err = command("export", images[0], "--out", tmp_path, "--weights", weights)

    assert code == 1
    assert "none of these images has corrected labels" in err


def test_export_of_broken_labels_alone_says_what_is_wrong(command, weights, images, tmp_path):
    image = tmp_path / "in" / "a.png"
    labels = LabelStore().path_for(image)
    labels.parent.mkdir(parents=True)
    image.write_bytes(images[0].read_bytes())
    labels.write_bytes(b"broken")

    code, _, err = command("export", image, "--out", tmp_path / "out", "--weights", weights)

    assert code == 1
    assert "cannot be read" in err


@pytest.mark.parametrize(
    ("options", "reason"),
    [(["--epochs", 0], "epochs: Input should be"),
     (["--levels", "1,a"], "levels: Input should be a valid integer"),
     (["--set", "rates"], "--set rates is not KEY=VALUE"),
     (["--set", "rates=1"], "rates is no field of a PSPNet"),
     (["--architecture", "fcn", "--backbone", "resnet18"], "backbone: Input should be 'vgg16'"),
     (["--output-stride", 12], "output_stride: Input should be 8, 16 or 32, not 12"),
     (["--seed", 1000], "seed: Input should be")],
)  # fmt: skip
def test_train_refuses_in_one_line(command, dataset, tmp_path, options, reason):
    code, _, err = command("train", "--data", dataset, "--out", tmp_path, *options)

    assert (code, err.count("\n")) == (1, 1)
    assert reason in err
    assert "pydantic" not in err


def test_train_reports_json_lines_and_resumes(command, dataset, tmp_path):
    arguments = ["train", "--data", dataset, "--out", tmp_path, "--epochs", 1, "--batch", 2,
                 "--bottleneck", 16, "--validation", "", "--device", "cpu", "--json"]  # fmt: skip
    code, out, _ = command(*arguments)
    again, said, _ = command(*arguments)

    lines = [json.loads(line) for line in out.splitlines()]
    assert (code, again) == (0, 0)
    assert [line["kind"] for line in lines] == ["said", *["progress"] * 4, "said"]
    assert lines[-1]["best"] is None
    assert "not validated" in lines[-1]["text"]
    assert "resumed at step 3" in said


def test_inspect_names_family_spec_and_classes(command, weights):
    code, out, _ = command("inspect", weights, "--json")

    found = json.loads(out)
    assert code == 0
    assert (found["family"], found["spec"]["backbone"]) == ("pspgui", "mobilenet_v2")
    assert [c["name"] for c in found["classes"]] == list(CAMVID.names)
    assert command("inspect", weights)[1].startswith("PSPNet MobileNetV2 /16, family pspgui")


@pytest.mark.parametrize(
    ("arguments", "code"),
    [(["inspect", "gone.pth"], 1), (["inspect"], 2), (["bogus"], 2), (["predict", "--help"], 0),
     (["predict", "x.png", "--out", "o", "--device", "tpu"], 2)],
)  # fmt: skip
def test_exit_codes(command, arguments, code):
    assert command(*arguments)[0] == code


def test_both_doors_know_the_same_commands():
    assert tuple(cli.COMMANDS) == app.COMMANDS


def test_the_command_line_works_where_qt_is_not_installed(weights, images, tmp_path):
    blocked = (
        "import sys\n"
        "class NoQt:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.split('.')[0] in ('PySide6', 'superqt', 'qtawesome'):\n"
        "            raise ModuleNotFoundError(name, name=name)\n"
        "sys.meta_path.insert(0, NoQt())\n"
        "from pspgui.app import main\n"
        "main(sys.argv[1:])\n"
    )
    call = [sys.executable, "-c", blocked]

    predicted = subprocess.run(
        [*call, "predict", images[0], "--out", tmp_path, "--weights", weights, "--json"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    window = subprocess.run(
        [*call, images[0], "--screenshot", tmp_path / "x.png"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert predicted.returncode == 0, predicted.stderr
    assert json.loads(predicted.stdout)["image"] == str(images[0])
    assert window.returncode == 1
    assert "needs PySide6" in window.stderr
    assert "Traceback" not in window.stderr


def test_train_writes_weights_that_predict_and_a_balanced_version(
    command, weights, dataset, images, tmp_path
):
    run = tmp_path / "run"
    code, out, _ = command(
        "train", "--data", dataset, "--out", run, "--epochs", 1, "--batch", 2,
        "--init", weights, "--bottleneck", 16, "--balance", "--json",
    )  # fmt: skip

    lines = [json.loads(line) for line in out.splitlines()]
    record = json.loads(command("inspect", run / "balanced.safetensors", "--json")[1])["record"]
    assert code == 0
    assert [line["step"] for line in lines if line["kind"] == "progress"] == [1, 2, 3, 3]
    assert lines[-1]["text"].startswith("balanced: mIoU on training images")
    assert record["images"] == 6
    assert list(record["class_shifts"]) == list(CAMVID.names)
    assert command("predict", images[0], "--out", tmp_path / "o",
                   "--weights", run / "balanced.safetensors")[0] == 0  # fmt: skip
