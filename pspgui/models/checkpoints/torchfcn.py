"""wkentaro/pytorch-fcn and ports of the authors' Caffe weights: `conv1_1` .. `fc7`, `score_fr`.

Source: torchfcn/models/fcn32s.py, fcn16s.py and fcn8s.py. Pictures go in as BGR in 0..255 less a
mean. FCN-8s and FCN-8s at once have the same keys; only the container's `arch` tells them apart.
"""

from __future__ import annotations

from typing import Literal

from pspgui.models.checkpoints.container import Container
from pspgui.models.checkpoints.family import Reading, renamed
from pspgui.models.checkpoints.shapes import class_table
from pspgui.models.fcn import FCNSpec

_SKIPS: dict[str, Literal[0, 1, 2]] = {
    "upscore.weight": 0,
    "upscore16.weight": 1,
    "upscore8.weight": 2,
}
# Where the convolutions of VGG16 stand in a list of its layers, ReLUs and poolings counted.
_PLACES = {
    "1_1": 0, "1_2": 2, "2_1": 5, "2_2": 7, "3_1": 10, "3_2": 12, "3_3": 14,
    "4_1": 17, "4_2": 19, "4_3": 21, "5_1": 24, "5_2": 26, "5_3": 28,
}  # fmt: skip
_RULES = (
    *((rf"conv{name}\.", f"backbone.features.{place}.") for name, place in _PLACES.items()),
    (r"fc6\.", "fully.0."),
    (r"fc7\.", "fully.3."),
    (r"score_fr\.", "score."),
    (r"score_pool4\.", "skip_scores.0."),
    (r"score_pool3\.", "skip_scores.1."),
    (r"upscore2\.", "doubling.0."),
    (r"upscore_pool4\.", "doubling.1."),
    (r"upscore(8|16)?\.", "last."),
)


class TorchFCN:
    """FCN-32s, FCN-16s and FCN-8s on VGG16."""

    name = "torchfcn"

    def matches(self, container: Container) -> bool:
        """Say whether fc7 is scored and the scores are upsampled."""
        tensors = container.tensors
        return "score_fr.weight" in tensors and any(key in tensors for key in _SKIPS)

    def read(self, container: Container) -> Reading:
        """Return the spec from the keys, and renamed tensors."""
        tensors = container.tensors
        arch = str(container.extras.get("arch") or "")
        spec = FCNSpec(
            skips=next(count for key, count in _SKIPS.items() if key in tensors),
            at_once=arch.endswith("AtOnce"),
            hidden_channels=tensors["fc7.weight"].shape[0],
            classes=class_table(tensors["score_fr.weight"].shape[0]),
        )
        unsaid = () if spec.skips < 2 or arch else ("at_once",)
        return Reading(
            spec, renamed(tensors, _RULES), assumed=(*unsaid, "normalisation", "classes")
        )


FAMILY = TorchFCN()
