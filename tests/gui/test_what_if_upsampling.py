"""A PSPNet that learns to upsample in the window: what-ifs and the mean bin are offered."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import nn
from workplace import Workplace

from pspgui.geometry import Pixel
from pspgui.imaging import encode_png
from pspgui.labels.classes import table
from pspgui.models.checkpoints.native import save_checkpoint
from pspgui.models.pspnet_upsample import PSPUpsample, PSPUpsampleSpec
from pspgui.scenes import render_scene


@pytest.fixture
def place(qtbot, tmp_path):
    torch.manual_seed(1)
    spec = {
        "classes": table(*((f"class {i}", (i, i, i)) for i in range(4))), "backbone": "resnet18",
        "auxiliary": False, "bottleneck_channels": 16, "stage_channels": (8, 8, 8),
    }  # fmt: skip
    model = PSPUpsample(PSPUpsampleSpec.model_validate(spec)).eval()
    nn.init.normal_(model.classifier.weight)
    save_checkpoint(model, tmp_path / "upsample.safetensors")
    (tmp_path / "street.png").write_bytes(encode_png(render_scene(5, 96, 128).image))
    there = Workplace(qtbot, tmp_path / "upsample.safetensors")
    there.open(tmp_path / "street.png")
    yield there
    there.close()


def test_bins_are_muted_and_compared_and_slow_answers_say_so(place):
    document, what_if = place.document, place.window.what_if
    dock = place.window.more["What if"]
    dock.show()
    panel = dock.widget()
    assert what_if.reason == ("", "") and what_if.levels == (1, 2, 3, 6)
    document.set_pin(Pixel(40, 60))
    assert document.can_compare
    what_if.toggle_mute((1,))
    place.wait(lambda: what_if.told is not None)
    assert what_if.told.what.levels == {1: 0.0}
    assert panel.slow.isHidden() == (what_if.told.seconds <= 0.1)
    what_if._told = replace(what_if.told, seconds=0.63)  # as of a network of full width
    what_if.answered.emit()
    assert not panel.slow.isHidden() and "0.6 s" in panel.slow.text()
    what_if.restore_all()
    assert what_if.told is None
