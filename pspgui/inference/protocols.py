"""Named ways to read an image, as published scores were made. Imports no torch."""

from __future__ import annotations

from typing import Any, Literal, get_args

from pspgui.inference.modes import InferenceMode

ProtocolName = Literal["whole", "semseg-ss", "semseg-ms", "mmseg-whole", "mmseg-slide"]

# hszhao/semseg tool/test.py and config/ade20k: even its single scale reads every window mirrored.
# For Cityscapes the same with crop 713 and base size 2048.
_SEMSEG = InferenceMode(
    name="semseg-ss", base_size=512, mirror=True, crop=(473, 473), stride=2 / 3, pad=True
)
PROTOCOLS: dict[str, InferenceMode] = {
    "whole": InferenceMode(name="whole"),
    "semseg-ss": _SEMSEG,
    "semseg-ms": _SEMSEG.changed(name="semseg-ms", scales=(0.5, 0.75, 1.0, 1.25, 1.5, 1.75)),
    # open-mmlab/mmsegmentation mmseg/models/segmentors/encoder_decoder.py, configs/_base_/.
    "mmseg-whole": InferenceMode(name="mmseg-whole", blend="logits"),
    "mmseg-slide": InferenceMode(
        name="mmseg-slide", crop=(512, 512), stride=(341, 341), blend="logits"
    ),
}
assert tuple(PROTOCOLS) == get_args(ProtocolName)


def protocol(name: str, **overrides: Any) -> InferenceMode:
    """Return a protocol by name, with fields of `InferenceMode` replaced.

    A new crop without a new stride takes two thirds of it, as semseg does. The name stays: what
    was changed shows in the fields. Raises ValueError for an unknown name and wrong values.
    """
    try:
        mode = PROTOCOLS[name]
    except KeyError:
        raise ValueError(
            f"there is no protocol {name!r}: choose one of {', '.join(PROTOCOLS)}"
        ) from None
    if "crop" in overrides and "stride" not in overrides:
        overrides["stride"] = 2 / 3
    return mode.changed(**overrides) if overrides else mode
