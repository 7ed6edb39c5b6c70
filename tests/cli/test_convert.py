"""`inspect` and `convert` on a foreign checkpoint, and `train --init` from one."""

from __future__ import annotations

import json

import pytest
import torch
from outside import save_mmseg, small_psp

from pspgui.cli.options import assumptions, open_predictor
from pspgui.models.checkpoints import load_checkpoint


@pytest.fixture(scope="module")
def foreign(tmp_path_factory):
    return save_mmseg(tmp_path_factory.mktemp("foreign") / "iter_1.pth", small_psp(11))


def test_inspect_marks_what_is_assumed_and_what_was_asked(command, foreign):
    code, out, _ = command("inspect", foreign, "--assume", "align_corners=true")

    lines = {line.split()[0]: line for line in out.splitlines()}
    assert code == 0
    assert "family mmsegmentation PSPNet" in out
    assert lines["dilation"].endswith("(assumed)")
    assert lines["align_corners"].split()[1:] == ["true", "(as", "asked)"]
    assert not lines["backbone"].endswith(")")
    assert "note: The state that training keeps (optimizer) is left out." in out

    found = json.loads(command("inspect", foreign, "--json")[1])
    assert "align_corners" in found["assumed"]
    assert found["unused"] == []


@pytest.mark.parametrize("given", ["levels", "=1", "levels="])
def test_an_assumption_is_key_and_value(command, foreign, given):
    code, _, err = command("inspect", foreign, "--assume", given)

    assert code == 1
    assert "is not KEY=VALUE" in err


def test_convert_keeps_logits_and_says_where_they_came_from(command, foreign, tmp_path):
    target = tmp_path / "own.safetensors"

    code, out, _ = command("convert", foreign, target, "--assume", "levels=1,2,4,8", "--json")

    source, own = load_checkpoint(foreign, {"levels": (1, 2, 4, 8)}), load_checkpoint(target)
    images = torch.randn(1, 3, 40, 33)
    assert code == 0
    assert json.loads(out)["form"] == "safetensors"
    with torch.inference_mode():
        assert torch.equal(source.model(images).main, own.model(images).main)
    assert own.spec.record["source_family"] == "mmsegmentation PSPNet"
    assert own.spec.record["source_sha256"] == source.digest
    assert set(own.assumed) == set(source.assumed)
    assert "levels" not in own.assumed


@pytest.mark.parametrize(("target", "reason"), [("x.tflite", "can't be written"), ("", "the file")])
def test_convert_refuses_in_one_line(command, foreign, tmp_path, target, reason):
    content = foreign.read_bytes()
    to = () if target else ("--to", "safetensors")

    code, _, err = command("convert", foreign, tmp_path / target if target else foreign, *to)

    assert (code, err.count("\n")) == (1, 1)
    assert reason in err
    assert foreign.read_bytes() == content


def test_a_predictor_takes_assumptions(foreign):
    predictor = open_predictor(foreign, "cpu", "fp32", ["normalisation=half", "classes=camvid"])

    assert predictor.spec.normalisation.mean == (0.5, 0.5, 0.5)
    assert assumptions(["a=b=c"]) == {"a": "b=c"}


def test_train_refuses_to_start_from_weights_that_do_not_fit(command, tmp_path, dataset):
    init = save_mmseg(tmp_path / "iter_9.pth", small_psp(7))

    for backbone, reason in (("resnet18", "weights for a 7x7 stem"), ("mobilenet_v2", "none of")):
        code, _, err = command(
            "train", "--data", dataset, "--out", tmp_path / "run", "--epochs", 1, "--batch", 2,
            "--backbone", backbone, "--bottleneck", 8, "--validation", "", "--init", init,
        )  # fmt: skip

        assert code == 1
        assert reason in err
