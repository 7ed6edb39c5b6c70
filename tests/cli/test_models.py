"""`pspgui models` and published data sets as a user types them."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

from pspgui.models import catalog, download


def test_models_lists_everything(command):
    code, out, _ = command("models")

    assert code == 0
    for words in ("pspnet", "deeplabv3_resnet101", "244.5 MB", "vgg16-v1", "BSD-3-Clause",
                  "https://download.pytorch.org/models/vgg16-397923af.pth"):  # fmt: skip
        assert words in out


def test_models_json_is_the_catalogue(command):
    code, out, _ = command("models", "--json")

    assert code == 0
    assert json.loads(out) == json.loads(json.dumps(catalog.to_json()))


def test_models_get_says_where_the_file_is(command, monkeypatch, tmp_path):
    asked = []

    def fetch(entry, folder, progress):
        asked.append((entry.name, folder))
        progress(5, 10)
        return folder / entry.file, True

    monkeypatch.setattr(download, "fetch", fetch)
    code, out, _ = command("models", "get", "resnet50-v2", "--to", tmp_path)
    assert code == 0
    assert out == f"resnet50-v2: saved as {tmp_path / 'resnet50-11ad3fa6.pth'}\n"

    code, out, _ = command("models", "get", "fcn_resnet50", "--json")
    assert json.loads(out)["file"] == str(
        catalog.models_folder() / "fcn_resnet50_coco-1167a1af.pth"
    )
    assert asked == [("resnet50-v2", tmp_path), ("fcn_resnet50", catalog.models_folder())]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("get",), "name the weights to get"),
        (("get", "resnet51"), "no published weights are called 'resnet51'; there are fcn_"),
        (("list", "resnet50-v1"), "write `pspgui models get NAME`"),
    ],
)
def test_models_says_what_is_missing(command, arguments, sentence):
    code, out, err = command("models", *arguments)

    assert (code, out) == (1, "")
    assert sentence in err
    assert err.count("\n") == 1


def camvid_as_prepared(root, values):
    for split in ("train", "val"):
        for folder in (split, f"{split}annot"):
            (root / folder).mkdir(parents=True)
        labels = np.resize(np.array(values, np.uint8), (33, 49))
        for stem in ("a", "b"):
            Image.new("RGB", (49, 33), (90, 120, 60)).save(root / split / f"{stem}.png")
            Image.fromarray(labels).save(root / f"{split}annot" / f"{stem}.png")
    return root


def test_evaluate_reads_a_published_layout(command, weights, tmp_path):
    root = camvid_as_prepared(tmp_path, range(12))

    code, out, err = command("evaluate", "--data", root, "--split", "validation",
                             "--weights", weights, "--json")  # fmt: skip

    assert code == 0, err
    values = json.loads(out)
    known = np.resize(np.arange(12), (33, 49))
    assert values["images"] == 2
    assert [c["pixels"] for c in values["classes"]] == [
        2 * int((known == i).sum()) for i in range(11)
    ]


@pytest.mark.parametrize("verb", ["evaluate", "train"])
def test_a_wrong_label_is_named_before_anything_runs(command, weights, tmp_path, verb):
    root = camvid_as_prepared(tmp_path / "set", range(14))
    more = ("--weights", weights, "--split", "train") if verb == "evaluate" else (
        "--out", tmp_path / "run")  # fmt: skip

    code, _, err = command(verb, "--data", root, *more)

    assert code == 1
    assert "trainannot/a.png holds the value 12; CamVid as prepared for SegNet has 0 to 10" in err
    assert not (tmp_path / "run").exists()
