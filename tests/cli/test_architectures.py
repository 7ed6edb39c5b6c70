"""Every architecture from the command line: it trains, says what it is, predicts and is scored."""

from __future__ import annotations

import json

import pytest

from pspgui.imaging import decode_labels

# FCN itself is left out: its 134 M weights take minutes; see tests/training for a narrow one.
NETWORKS = {
    "pspnet": ["--levels", "1,2", "--set", "pool=max", "--set", "reduction=none"],
    "psp_upsample": ["--backbone", "resnet18", "--levels", "1,2", "--bottleneck", "16",
                     "--set", "stage_channels=8,8,8"],
    "deeplabv3": ["--backbone", "mobilenet_v2", "--set", "rates=2,4", "--output-stride", "16"],
    "fcn_stages": ["--backbone", "resnet18", "--set", "skips=2"],
    "dilated_fcn": ["--backbone", "resnet18", "--output-stride", "16"],
}  # fmt: skip


@pytest.mark.parametrize("architecture", NETWORKS)
def test_each_architecture_trains_predicts_and_is_scored(
    command, dataset, images, tmp_path, architecture
):
    run = tmp_path / "run"
    code, out, err = command(
        "train", "--data", dataset, "--out", run, "--architecture", architecture,
        *NETWORKS[architecture], "--epochs", 1, "--batch", 2, "--validation", "",
        "--device", "cpu", "--json",
    )  # fmt: skip
    weights = run / "last.safetensors"
    known = json.loads(command("inspect", weights, "--json")[1])
    predicted = command("predict", images[0], "--out", tmp_path / "o", "--weights", weights)[0]
    scored = json.loads(command("evaluate", "--data", dataset, "--weights", weights, "--json")[1])

    assert (code, err) == (0, "")
    steps = [line["step"] for line in map(json.loads, out.splitlines()) if "step" in line]
    assert steps == [1, 2, 3, 3]
    assert (known["family"], known["spec"]["architecture"]) == ("pspgui", architecture)
    assert predicted == 0
    assert decode_labels(tmp_path / "o" / f"{images[0].stem}.png").labels.shape == (64, 96)
    assert scored["images"] == 3


def test_what_has_no_bins_is_explained_by_its_taps(command, dataset, images, tmp_path):
    command(
        "train", "--data", dataset, "--out", tmp_path, "--architecture", "dilated_fcn",
        "--backbone", "resnet18", "--output-stride", "32", "--epochs", 1, "--batch", 4,
        "--validation", "", "--device", "cpu", "--json",
    )  # fmt: skip

    code, out, err = command(
        "explain", images[0], "--at", "5,5", "--weights", tmp_path / "last.safetensors", "--json"
    )

    found = json.loads(out)
    assert (code, err) == (0, "")
    assert len(found["sources"]) == 9
    total = found["constant"] + sum(source["value"] for source in found["sources"])
    assert abs(total - found["logit"]) < 1e-4
