"""Names of protocols, and what may not be asked."""

from __future__ import annotations

import json
from typing import get_args

import pytest
from pydantic import ValidationError

from pspgui.cli.mode_options import Protocol
from pspgui.inference.modes import InferenceMode
from pspgui.inference.protocols import PROTOCOLS, protocol


def test_every_protocol_survives_json():
    for name, mode in PROTOCOLS.items():
        assert mode.name == name
        assert InferenceMode.model_validate(json.loads(json.dumps(mode.to_json()))) == mode
    assert get_args(Protocol) == tuple(PROTOCOLS)


def test_semseg_reads_even_one_scale_mirrored_and_padded():
    mode = protocol("semseg-ms", crop=(713, 713), base_size=2048)

    assert (mode.mirror, mode.pad, mode.blend) == (True, True, "softmax")
    assert mode.scales == (0.5, 0.75, 1.0, 1.25, 1.5, 1.75)
    assert protocol("semseg-ss").scales == (1.0,)
    assert (mode.crop, mode.base_size, mode.stride) == ((713, 713), 2048, 2 / 3)


def test_a_new_crop_brings_a_stride_that_fits_it():
    assert protocol("mmseg-slide").stride == (341, 341)
    assert protocol("mmseg-slide", crop=(257, 257)).stride == 2 / 3
    assert protocol("mmseg-slide", crop=(769, 769), stride=(513, 513)).stride == (513, 513)


@pytest.mark.parametrize(
    "wrong",
    [{"scales": ()}, {"scales": (0.0,)}, {"shift": 0}, {"crop": (0, 9)}, {"stride": 1.5},
     {"crop": (9, 9), "stride": (10, 3)}, {"blend": "max"}, {"base_size": 0}, {"flip": True}],
)  # fmt: skip
def test_what_makes_no_sense_is_refused(wrong):
    with pytest.raises(ValidationError):
        protocol("whole", **wrong)


def test_an_unknown_name_is_answered_with_the_known_ones():
    with pytest.raises(ValueError, match=r"no protocol 'ss'.*semseg-ss, semseg-ms"):
        protocol("ss")
