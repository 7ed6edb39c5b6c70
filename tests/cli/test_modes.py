"""Modes on the command line: what they print, and that they do what the core does."""

from __future__ import annotations

import json

import numpy as np
import pytest

from pspgui.imaging import decode_image, decode_labels
from pspgui.inference.predictor import Predictor
from pspgui.inference.protocols import protocol
from pspgui.inference.running import run_mode


def test_evaluate_names_its_protocol_and_by_default_reads_the_whole(command, weights, dataset):
    arguments = ["evaluate", "--data", dataset, "--weights", weights, "--device", "cpu", "--json"]

    code, out, err = command(*arguments)
    other, slid, _ = command(*arguments, "--protocol", "semseg-ss", "--crop", 49, "--base-size", 96)

    whole, semseg = json.loads(out), json.loads(slid)
    assert (code, other, err) == (0, 0, "")
    assert whole["protocol"] == protocol("whole").to_json()
    assert semseg["protocol"] == protocol("semseg-ss", crop=(49, 49), base_size=96).to_json()
    assert set(whole) == set(semseg) == {
        "miou", "pixel_accuracy", "mean_accuracy", "images", "seconds", "classes", "protocol",
    }  # fmt: skip
    for c in semseg["classes"]:  # null where neither labels nor prediction have it
        assert (c["iou"] is None) <= (c["pixels"] == 0)
        assert (c["accuracy"] is None) == (c["pixels"] == 0)


def test_evaluate_says_what_it_will_cost_before_it_starts(command, weights, dataset):
    code, _, err = command("evaluate", "--data", dataset, "--weights", weights, "--device", "cpu",
                           "--protocol", "mmseg-slide", "--crop", "65", "--mirror")  # fmt: skip

    assert code == 0
    assert "96 × 64 pixels: 4 passes over windows of up to 65 × 64 pixels, about" in err
    assert err.count("passes over") == 1


def test_predict_in_a_mode_writes_what_the_core_finds(command, weights, images, tmp_path):
    code, out, err = command(
        "predict", images[0], "--out", tmp_path, "--weights", weights, "--device", "cpu",
        "--scales", "0.5,1", "--mirror", "--shift", 2, "--json",
    )  # fmt: skip
    plain = command("predict", images[0], "--out", tmp_path / "b", "--weights", weights,
                    "--device", "cpu", "--mode", "mmseg-whole", "--crop", "none")[2]  # fmt: skip

    line = json.loads(out)
    mode = protocol("whole", scales=(0.5, 1.0), mirror=True, shift=2)
    expected = run_mode(Predictor.load(weights, "cpu"), decode_image(images[0]).pixels, mode)
    assert (code, err, plain) == (0, "", "")
    assert (line["protocol"], line["passes"], line["notes"]) == (mode.to_json(), 16, [])
    assert np.array_equal(decode_labels(line["mask"]).labels, expected.labels)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["--crop", "a"], "--crop a is not N, HEIGHTxWIDTH or none"),
        (["--stride", "2/0"], "--stride 2/0 is not a part"),
        (["--scales", "1,x"], "--scales 1,x is not a list"),
        (["--crop", "33", "--stride", "40"], "would leave pixels unread"),
        (["--shift", "3"], "does not divide the network's output stride of 16"),
        (["--mirror", "--maps"], "--maps shows one pass"),
    ],
)
def test_wrong_options_are_refused_in_one_line(command, weights, images, tmp_path, options, reason):
    code, _, err = command("predict", images[0], "--out", tmp_path, "--weights", weights, *options)

    assert code == 1
    assert reason in err
    assert "Traceback" not in err


@pytest.mark.parametrize(("typed", "stride"), [("2/3", 2 / 3), ("0.5", 0.5), ("1", 1.0),
                                               ("30", (30, 30)), ("30x20", (30, 20))])  # fmt: skip
def test_strides_are_parts_or_pixels(typed, stride):
    from pspgui.cli.mode_options import chosen_mode

    assert chosen_mode("whole", crop="33x40", stride=typed).stride == stride
    assert chosen_mode("whole", crop=None, stride=None) is None
