"""What segmentation_models.pytorch keeps beside its weights: `save_pretrained` writes config.json.

Sources: segmentation_models_pytorch/base/hub_mixin.py, decoders/{pspnet,deeplabv3}/model.py. The
file is JSON: the arguments of the network's constructor, and `_model_class`.
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from pspgui.models.checkpoints.container import Container
from pspgui.models.checkpoints.errors import short
from pspgui.models.checkpoints.extras import Plain, plain_values

# The names that `save_pretrained` and the hub give the weights that a config.json is about.
_WEIGHTS = ("model.safetensors", "pytorch_model.bin")
_MAX_BYTES = 1 << 20
# A key, or the beginning of one, that only this encoder has.
_ENCODERS = {
    "encoder._conv_stem.": "an EfficientNet",
    "encoder.model.": "a network of timm",
    "encoder.layer0.conv1.": "an SENet",
    "encoder.features.denseblock1.": "a DenseNet",
    "encoder.features.conv0.": "a DenseNet",
    "encoder.patch_embed1.": "a Mix Vision Transformer",
    "encoder.conv2d_1a.": "an InceptionResNetV2",
    "encoder.blockA": "an Xception",
}


def beside(container: Container, model_class: str) -> Mapping[str, Plain]:
    """Return the plain values of the config.json beside the weights, if it is about such a network.

    Nothing for a file that is not there, too large or no JSON: the tensors then speak alone.
    """
    if container.path.name not in _WEIGHTS:
        return {}
    try:
        # O_NONBLOCK: opening a named pipe would otherwise wait for a writer for ever.
        flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0)
        with os.fdopen(os.open(container.path.with_name("config.json"), flags), "rb") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode) or status.st_size > _MAX_BYTES:
                return {}
            found = json.loads(file.read(_MAX_BYTES))
    except (OSError, ValueError, RecursionError):
        return {}
    if not isinstance(found, dict) or found.get("_model_class") != model_class:
        return {}
    return plain_values([found])


def encoder_title(tensors: Mapping[str, Tensor], config: Mapping[str, Plain]) -> str:
    """Return what an encoder is that is not read here: its name in the config, else its kind."""
    name = config.get("encoder_name")
    if isinstance(name, str) and name:
        return short(name, 40)
    for start, kind in _ENCODERS.items():
        if any(key.startswith(start) for key in tensors):
            return kind
    if "encoder.features.0.weight" in tensors:
        return "a VGG"
    wide = tensors.get("encoder.layer1.0.conv2.weight")
    if wide is not None and tuple(wide.shape) != (64, 64, 3, 3):
        return "a ResNeXt" if wide.shape[1] < wide.shape[0] else "a wide ResNet"
    return "of another kind"


def refusal_of(container: Container, config: Mapping[str, Plain]) -> Exception:
    """Return the error for an encoder that is not read."""
    return container.error(
        f"its encoder is {encoder_title(container.tensors, config)}, and ResNet-18 to 152 and "
        "MobileNetV2 are the ones read here"
    )


def is_plain_resnet(tensors: Mapping[str, Tensor]) -> bool:
    """Say whether the encoder is one of torchvision's ResNets, neither grouped nor wide."""
    first, stem = tensors.get("encoder.layer1.0.conv2.weight"), tensors.get("encoder.conv1.weight")
    return (
        first is not None and tuple(first.shape) == (64, 64, 3, 3)
        and stem is not None and stem.shape[0] == 64
        and "encoder.layer1.0.se_module.fc1.weight" not in tensors
    )  # fmt: skip


def stops_short(config: Mapping[str, Plain], stride: int) -> tuple[str, ...]:
    """Return a note where the network's own upsampling does not reach the image's size."""
    factor = config.get("upsampling")
    if not isinstance(factor, int) or factor == stride:
        return ()
    return (
        f"Its own upsampling of {factor} does not reach the image's size from stride {stride}; "
        "scores are upsampled to it here.",
    )


def counts(value: Any) -> tuple[int, ...] | None:
    """Return a list of a few whole numbers above one; None for anything else."""
    if isinstance(value, tuple) and 0 < len(value) <= 16 and all(
        isinstance(v, int) and not isinstance(v, bool) and 1 < v <= 256 for v in value
    ):  # fmt: skip
        return value
    return None
