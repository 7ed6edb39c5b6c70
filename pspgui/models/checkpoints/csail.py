"""CSAILVision/semantic-segmentation-pytorch: two files, `encoder_*.pth` and `decoder_*.pth`.

Sources: mit_semseg/models/{models,resnet,mobilenet}.py, train.py. Given either file, the other is
looked for beside it. Decoders with a pyramid (ppm, ppm_deepsup) are read, and those of one 3x3 (c1,
c1_deepsup), which make a dilated FCN.
"""

from __future__ import annotations

import hashlib
from typing import Any

from torch import Tensor

from pspgui.models.checkpoints.container import Container, read_container, short
from pspgui.models.checkpoints.family import Reading, renamed
from pspgui.models.checkpoints.flat_mobilenet import is_flat, nested_key
from pspgui.models.checkpoints.shapes import (
    class_table,
    pyramid_levels,
    resnet_backbone,
    resnet_stem,
)
from pspgui.models.dilated_fcn import DilatedFCNSpec
from pspgui.models.pspnet import PSPNetSpec
from pspgui.models.spec import ModelSpec, SizeRule

_FIRST_LEVEL, _CLASSIFIER = "ppm.0.1.weight", "conv_last.4.weight"
_DEEP_SUPERVISION = "cbr_deepsup.0.weight"
_C1, _UPERNET = "cbr.0.weight", "ppm_conv.0.0.weight"
_ASSUMED = ("output_stride", "dilation", "levels", "align_corners", "normalisation", "classes")
_ENCODER_RULES = (
    *(
        (rf"{kind}{n}\.", f"backbone.stem.{3 * n - 3 + place}.")
        for n in (1, 2, 3)
        for place, kind in enumerate(("conv", "bn"))
    ),
    (r"layer(?=[1-4]\.)", "backbone.layer"),
    (r"features\.", "backbone.features."),
)
_DECODER_RULES = (
    (r"ppm\.", "pyramid.branches."),
    (r"conv_last\.4\.", "classifier."),
    (r"conv_last\.", "bottleneck."),
    (r"cbr_deepsup\.", "auxiliary."),
    (r"conv_last_deepsup\.", "auxiliary.4."),
)
_C1_RULES = (
    (r"cbr\.", "convolutions.0."),
    (r"conv_last\.", "classifier."),
    *_DECODER_RULES[-2:],
)


class CSAIL:
    """The pair of files of that repository, on its ResNets or MobileNetV2."""

    name = "CSAIL"

    def matches(self, container: Container) -> bool:
        """Say whether the file is a decoder by its keys, or an encoder by keys and name."""
        return _is_decoder(container) or _is_encoder(container)

    def read(self, container: Container) -> Reading:
        """Return the spec from both files and that repository's defaults, and renamed tensors."""
        other = _sibling(container)
        encoder, decoder = (other, container) if _is_decoder(container) else (container, other)
        tensors = decoder.tensors
        if _UPERNET in tensors:
            raise decoder.error("its decoder is UPerNet, which is not built here")
        common = {**_backbone(encoder.tensors), **_common(tensors)}
        pyramid = _FIRST_LEVEL in tensors
        spec = _pspnet(tensors, common) if pyramid else _dilated_fcn(tensors, common)
        rules = _DECODER_RULES if pyramid else _C1_RULES
        state = {**_encoder_state(encoder.tensors), **renamed(tensors, rules)}
        both = hashlib.sha256((encoder.digest + decoder.digest).encode()).hexdigest()
        note = f"Read together with {short(other.path.name, 60)}."
        assumed = tuple(key for key in _ASSUMED if key in type(spec).model_fields)
        return Reading(spec, state, (note,), assumed, both)


FAMILY = CSAIL()


def _common(tensors: dict[str, Tensor]) -> dict[str, Any]:
    """Return the fields that every decoder shares."""
    deep = tensors.get(_DEEP_SUPERVISION)
    return {
        "output_stride": 8,
        "dilation": "contract",
        # MobileNetV2's deep supervision reads the first block of the last stage, ours does not.
        "auxiliary": deep is not None and deep.shape[1] != 160,
        "auxiliary_channels": None if deep is None else deep.shape[0],
        "align_corners": False,
        "size_rule": SizeRule(multiple=8, offset=0),
    }


def _pspnet(tensors: dict[str, Tensor], common: dict[str, Any]) -> ModelSpec:
    return PSPNetSpec(
        **common,
        levels=pyramid_levels(tensors, "ppm."),
        level_channels=tensors[_FIRST_LEVEL].shape[0],
        bottleneck_channels=tensors["conv_last.0.weight"].shape[0],
        classes=class_table(tensors[_CLASSIFIER].shape[0]),
    )


def _dilated_fcn(tensors: dict[str, Tensor], common: dict[str, Any]) -> ModelSpec:
    return DilatedFCNSpec(
        **common,
        dropout=0.0,
        head_channels=tensors[_C1].shape[0],
        classes=class_table(tensors["conv_last.weight"].shape[0]),
    )


def _is_decoder(container: Container) -> bool:
    keys = container.tensors.keys()
    if _UPERNET in keys:
        return True
    pyramid = "conv_last.0.weight" in keys and _FIRST_LEVEL in keys
    return pyramid or ("conv_last.weight" in keys and _C1 in keys)


def _is_encoder(container: Container) -> bool:
    keys = container.tensors.keys()
    resnet = "conv3.weight" in keys and "layer4.0.conv1.weight" in keys and "fc.weight" not in keys
    mobilenet = "features.17.conv.6.weight" in keys and "classifier.1.weight" not in keys
    return (resnet or mobilenet) and "encoder" in container.path.name


def _sibling(container: Container) -> Container:
    """Return the other file of the pair; raises `CheckpointError`."""
    kinds = ("decoder", "encoder") if _is_decoder(container) else ("encoder", "decoder")
    name = container.path.name.replace(*kinds, 1)
    beside = container.path.with_name(name)
    if name == container.path.name or not beside.exists():
        missing = "" if name == container.path.name else f", {short(name, 60)},"
        raise container.error(
            f"it is the {kinds[0]} of a pair and the {kinds[1]}{missing} is not beside it",
            "Put encoder_NAME.pth and decoder_NAME.pth, of one NAME, into one folder",
        )
    other = read_container(beside)
    if _is_decoder(other) == _is_decoder(container):
        raise other.error(f"it is not the {kinds[1]} that belongs to {container.path.name}")
    return other


def _backbone(tensors: dict[str, Tensor]) -> dict[str, Any]:
    if is_flat(tensors, "features."):
        return {"backbone": "mobilenet_v2"}
    return {
        "backbone": resnet_backbone(tensors, ""),
        "stem": resnet_stem(tensors, "conv1.weight", "layer1.0.conv1.weight"),
    }


def _encoder_state(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return the encoder's tensors under our names."""
    nested = {nested_key(key, tensors, "features."): tensor for key, tensor in tensors.items()}
    return renamed(nested, _ENCODER_RULES)
