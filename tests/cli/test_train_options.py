"""What `pspgui train` makes of its options, before anything is trained."""

from __future__ import annotations

import pytest

from pspgui.cli.train import _spec
from pspgui.labels.classes import CAMVID


@pytest.mark.parametrize(
    ("fields", "rates"),
    [({}, (12, 24, 36)), ({"output_stride": 16}, (6, 12, 18)),
     ({"output_stride": "16"}, (6, 12, 18)), ({"output_stride": 16, "rates": "2,4"}, (2, 4))],
)  # fmt: skip
def test_the_rates_of_deeplabv3_follow_the_output_stride_unless_given(fields, rates):
    spec = _spec("deeplabv3", fields, CAMVID)
    assert spec.rates == rates
    assert spec.size_rule.padded(50) == 50


def test_the_size_follows_the_output_stride_of_a_pspnet():
    assert _spec("pspnet", {"output_stride": 8}, CAMVID).size_rule.padded(50) == 57
    assert _spec("pspnet", {"size_rule": "any"}, CAMVID).size_rule.padded(50) == 50
