"""How a model runs: remembered between runs, replaced for one run, and shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from pspgui import app, places
from pspgui.gui.remembered import fall_back, keep, recall
from pspgui.gui.settings import Settings
from pspgui.inference.devices import BACKENDS, PRECISIONS
from pspgui.inference.errors import DeviceError
from pspgui.inference.modes import InferenceMode
from pspgui.inference.protocols import PROTOCOLS
from pspgui.inference.windows import WindowPlan
from pspgui.jobs.model_choice import LEAST_CROP, ModelChoice, ModelFacts
from pspgui.jobs.readings import READINGS, cost, cost_text, mode_of
from pspgui.labels.classes import CAMVID


@pytest.fixture
def weights(tmp_path):
    path = tmp_path / "street.safetensors"
    path.write_bytes(b"weights")
    return path


def facts(path, choice, backend="openvino", precision="int8"):
    return ModelFacts(
        path, path.stem, "native", "cpu", precision, "digest", CAMVID, backend=backend,
        choice=choice,
    )  # fmt: skip


def test_what_was_chosen_holds_for_the_next_run(qapp, weights):
    choice = ModelChoice(weights, "cpu", "int8", "openvino", "semseg-ms", 321, {"levels": [1]})
    keep(Settings(), facts(weights, choice), choice)

    again = Settings()
    assert recall(again) == ModelChoice(weights, "cpu", "int8", "openvino", "semseg-ms", 321)
    assert again.overrides == {"digest": {"levels": [1]}}
    weights.unlink()
    assert recall(again).path == places.bundled_model()
    assert recall(again).precision == "int8"


def test_an_option_replaces_one_thing_for_one_run(qapp, weights):
    settings = Settings()
    keep(settings, facts(weights, None), ModelChoice(weights, "cpu", "bf16", "torch", "windows"))

    found = recall(settings, precision="fp32", reading="whole")
    assert (found.path, found.backend, found.precision) == (weights, "torch", "fp32")
    assert found.mode is None
    assert not found.remember and recall(settings).remember
    assert recall(settings).precision == "bf16"


def test_nonsense_in_the_settings_file_counts_as_missing(qapp):
    settings = Settings()
    settings.reading = "sideways", 7
    settings.precision = ""

    assert settings.reading == ("whole", LEAST_CROP)
    assert (settings.precision, settings.backend) == ("auto", "auto")


def test_a_backend_that_is_gone_costs_no_weights(weights):
    asked = ModelChoice(weights, "cuda", "fp16", "torch", "windows")

    again, sentence = fall_back(asked, DeviceError("No CUDA device can be used here."))
    assert (again.path, again.device, again.precision) == (weights, "auto", "auto")
    assert again.reading == "windows" and not again.remember and "street" in sentence
    last, _ = fall_back(asked, ValueError("damaged"))
    assert last.path == places.bundled_model()


def test_the_door_offers_what_there_is():
    assert set(app.PRECISIONS) == set(PRECISIONS)
    assert set(app.BACKENDS) == set(BACKENDS) - {"compile"}  # which pays for many images only
    assert tuple(READINGS) == app.MODES
    assert app.LEAST_CROP == LEAST_CROP
    options = app.window_parser().parse_args(
        ["--precision", "int8", "--backend", "openvino", "--mode", "semseg-ms", "--crop", "473"]
    )
    assert (options.precision, options.mode, options.crop) == ("int8", "semseg-ms", 473)
    assert app.window_parser().parse_args([]).precision is None


@pytest.mark.parametrize(
    "bad", [["--precision", "int4"], ["--backend", "x"], ["--mode", "x"], ["--crop", "5"]]
)
def test_what_there_is_not_is_refused(bad, capsys):
    with pytest.raises(SystemExit) as stop:
        app.window_parser().parse_args(bad)

    assert stop.value.code == 2 and bad[0] in capsys.readouterr().err


@pytest.mark.parametrize("reading", READINGS)
def test_every_reading_has_a_mode_and_says_what_it_costs(reading):
    mode, shape = mode_of(reading, 257), (300, 500)
    assert (mode is None) == (reading == "whole")
    if mode is not None:
        assert mode.name == reading and mode.base_size is None
        passes, pixels = cost(mode, shape)
        assert passes > 1 and pixels > shape[0] * shape[1]
        assert cost_text(mode, shape).startswith(f"{passes} passes")
        assert 1.0 in mode.scales  # of which the evidence of a window is taken
        assert WindowPlan.of(shape, mode, 1.0).count >= 1
    assert cost_text(None, shape) == "One pass"
    if reading in PROTOCOLS and mode is not None:
        published = PROTOCOLS[reading]
        same = ("scales", "mirror", "blend", "pad")
        assert all(getattr(mode, name) == getattr(published, name) for name in same)


def test_the_cost_of_shifting_is_its_square():
    assert cost(InferenceMode(shift=4, mirror=True), (100, 100)) == (32, 320000)


def test_what_is_in_use_is_told_in_a_few_words():
    path = Path("a.safetensors")

    assert facts(path, ModelChoice(path)).running == "openvino int8"
    windows = ModelChoice(path, reading="windows", crop_px=321)
    assert facts(path, windows, "torch", "bf16").running == "torch bf16, windows of 321 px"
    shifted = ModelChoice(path, reading="shift-2")
    assert facts(path, shifted).running == "openvino int8, shift-2"
