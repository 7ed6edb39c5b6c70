"""`pspgui explain`: readings, sources opened into cells, and what does not add up."""

from __future__ import annotations

import json

import numpy as np
import pytest

from pspgui.cli.told_evidence import Told
from pspgui.evidence.readings import BranchEvidence, Source, Target
from pspgui.geometry import Pixel, Rect
from pspgui.labels.classes import CAMVID


@pytest.fixture
def explained(command, weights, images):
    """Run `pspgui explain` at one pixel of an image."""

    def call(*options):
        return command("explain", images[0], "--at", "40,30", "--weights", weights, *options)

    return call


def test_readings_are_told(explained):
    split, ig, ablate = (
        json.loads(explained("--json", "--class", "Road", "--reading", reading)[1])
        for reading in ("split", "ig", "ablate")
    )

    assert [f["reading"] for f in (split, ig, ablate)] == ["split", "ig", "ablate"]
    assert split["logit"] == ig["logit"] == ablate["logit"]
    for found in (split, ig):
        total = found["constant"] + sum(s["value"] for s in found["sources"])
        assert total == pytest.approx(found["logit"], abs=1e-4)
    assert all(abs(f["residual"]) < 1e-4 for f in (split, ig, ablate))
    told = explained("--reading", "ablate")[1]
    assert "a level as a whole; interaction is what is left" in told
    assert "(bins of a level need not add up to it)" in told
    parts = [ablate["constant"], ablate["sources"][0]["value"], *ablate["levels"].values()]
    assert sum(parts) + ablate["interaction"] == pytest.approx(ablate["logit"], abs=1e-6)
    assert "interaction" not in split and "levels" not in split


@pytest.mark.parametrize("name", ["local", "6x6:1,4", "3×3:3,3"])
def test_an_opened_source_is_the_sum_of_its_cells(explained, name):
    found = json.loads(explained("--open", name, "--json")[1])
    opened = found["opened"]
    values = np.array(opened["values"])
    x0, y0, x1, y1 = opened["region"]

    assert opened["source"] in found["sources"]
    assert opened["constant"] + values.sum() == pytest.approx(opened["source"]["value"], abs=1e-4)
    # Corners are aligned: the middle of the first cell is that of the first pixel.
    assert abs(x0 + (x1 - x0) / values.shape[1] / 2) <= 1
    assert abs(y0 + (y1 - y0) / values.shape[0] / 2) <= 1
    assert (x1 - x0) / (y1 - y0) == pytest.approx(values.shape[1] / values.shape[0], rel=0.2)
    assert "strongest cells" in explained("--open", name)[1]


def test_a_name_of_the_text_opens_the_bin_that_the_window_calls_so(explained):
    """The fifth bin from the left in the first row is 6x6:1,5; JSON counts it from 0."""
    opened = json.loads(explained("--open", "6x6:1,5", "--json")[1])["opened"]["source"]
    assert (opened["level"], opened["row"], opened["col"]) == (6, 0, 4)
    told = explained("--open", "6x6:1,5")[1]
    assert "6x6:1,5 opened" in told and "x6:0," not in told


@pytest.mark.parametrize(
    ("options", "reason"),
    [(["--open", "7x7:1,1"], "no source '7x7:1,1'"),
     (["--open", "6x6:0,1"], "rows and columns of 6x6 are counted from 1"),
     (["--open", "6x6:1,7"], "from 1 to 6"),
     (["--open", "6x6:-1,2"], "from 1 to 6"),
     (["--open", "local", "--reading", "ig"], "split alone")],
)  # fmt: skip
def test_what_cannot_be_opened_is_refused_in_one_line(explained, options, reason):
    code, out, err = explained(*options)

    assert (code, out, err.count("\n")) == (1, "", 1)
    assert reason in err


@pytest.mark.parametrize(
    ("residual", "precision", "plainly"),
    [(1e-6, "fp32", False), (-2e-3, "bf16", True), (2e-3, "fp32", True)],
)
def test_a_residual_that_matters_is_said_plainly(capsys, residual, precision, plainly):
    source = Source("branch", 0, 0, 0, 1.0, 1.0, True, Rect(0, 0, 2, 2), "ASPP 1×1")
    found = BranchEvidence(Pixel(0, 0), Target(0), 1.0 + residual, 0.0, (source,))

    Told(found, residual, precision, None).show(CAMVID, None)

    out = capsys.readouterr().out
    assert ("do NOT add up" in out) == plainly
    assert ("--precision fp32" in out) == (plainly and precision != "fp32")
    assert f"{residual:+.1e}" in out


def test_networks_without_bins_are_explained_by_what_they_have(command, images, tmp_path):
    import torch

    from pspgui.models.checkpoints.native import save_checkpoint
    from pspgui.models.pspnet_upsample import PSPUpsample, PSPUpsampleSpec

    torch.manual_seed(0)
    path = tmp_path / "up.safetensors"
    spec = PSPUpsampleSpec(
        classes=CAMVID, backbone="resnet18", auxiliary=False, bottleneck_channels=16,
        stage_channels=(8, 8, 8),
    )  # fmt: skip
    save_checkpoint(PSPUpsample(spec).eval(), path)

    found = json.loads(
        command("explain", images[0], "--at", "95,63", "--weights", path, "--json", "--open",
                "2x2:2,2")[1]
    )  # fmt: skip

    assert abs(found["residual"]) < 1e-5
    assert found["opened"]["source"]["level"] == 2
    assert abs(found["opened"]["residual"]) < 1e-5
