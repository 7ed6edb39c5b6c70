"""One sentence for a file that no family reads, or that does not fit what was asked of it."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from pspgui.models.checkpoints.container import Container
from pspgui.models.checkpoints.errors import CheckpointError, short
from pspgui.models.checkpoints.shapes import resnet_backbone
from pspgui.models.spec import BACKBONE_TITLES, Stem

_BACKBONE_REMEDY = (
    "Use it with `pspgui train --init`, or choose the weights of a segmentation network"
)
# A key, or the beginning of one, that only this kind of network has.
_OTHERS = {
    "decode_head.": "an mmsegmentation network whose decode head is not read here",
    "roi_heads.": "a detector, which draws boxes",
    "bbox_head.": "a detector, which draws boxes",
    "image_encoder.": "a Segment Anything model, which has no classes",
    "text_model.": "a model of text",
    "vision_model.": "a vision transformer",
    "blocks.0.attn.": "a vision transformer",
    "encoder.layers.encoder_layer_0.": "a vision transformer",
}
_VGG_CONVOLUTIONS = ("features.0.weight", "features.28.weight")


def not_known(container: Container, families: tuple[str, ...]) -> CheckpointError:
    """Return the error for a file of no known family, saying what it is where that shows."""
    backbone = bare_backbone(container.tensors)
    if backbone is not None:
        return container.error(
            f"it is a bare {backbone} backbone without a segmentation head", _BACKBONE_REMEDY
        )
    tensors = container.tensors
    if "segmentation_head.0.weight" in tensors:
        kind = "a segmentation_models.pytorch network other than PSPNet and DeepLabV3"
        return container.error(f"it is {kind}")
    for start, kind in _OTHERS.items():
        if any(key.startswith(start) for key in tensors):
            return container.error(f"it is {kind}")
    example = short(next(iter(tensors), "nothing"), 40)
    return container.error(
        f"it is of none of the {len(families)} families known here; its keys begin with {example}"
    )


def bare_backbone(tensors: Mapping[str, Tensor]) -> str | None:
    """Return what a person calls the network if it is a backbone alone; else None."""
    if "layer1.0.conv1.weight" in tensors and ("conv1.weight" in tensors or has_stem(tensors)):
        try:
            title = BACKBONE_TITLES[resnet_backbone(tensors, "")]
        except ValueError:
            title = "ResNet"
        return title if stem_of(tensors, "") == "7x7" else f"deep-stem {title}"
    if "features.17.conv.3.weight" in tensors or "features.17.conv.6.weight" in tensors:
        return BACKBONE_TITLES["mobilenet_v2"]
    if "features.16.0.weight" in tensors and "features.4.block.2.fc1.weight" in tensors:
        return BACKBONE_TITLES["mobilenet_v3_large"]
    if all(key in tensors and tensors[key].ndim == 4 for key in _VGG_CONVOLUTIONS):
        return BACKBONE_TITLES["vgg16"]
    return None


def has_stem(tensors: Mapping[str, Tensor]) -> bool:
    """Say whether a bare ResNet's deep stem is one sequence."""
    return "stem.0.weight" in tensors


def stem_of(tensors: Mapping[str, Tensor], prefix: str) -> Stem | None:
    """Return the stem of a ResNet under our names and a prefix; None where there is none."""
    plain, deep = tensors.get(f"{prefix}conv1.weight"), tensors.get(f"{prefix}stem.0.weight")
    first = plain if deep is None else deep
    if first is None or first.ndim != 4:
        return None
    if deep is None and first.shape[-1] != 3:
        return "7x7"
    return "deep128" if first.shape[0] == 64 else "deep64"


def stem_misfit(found: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> str | None:
    """Return what is wrong when two ResNets, both under our names, differ in their stems."""
    theirs, ours = stem_of(found, "backbone."), stem_of(wanted, "backbone.")
    if theirs is None or ours is None or theirs == ours:
        return None
    return f"it has {_STEMS[theirs]} weights for {_STEM_PLACES[ours]}"


_STEMS = {"7x7": "7x7-stem", "deep64": "deep-stem (32, 32, 64)", "deep128": "deep-stem"}
_STEM_PLACES = {
    "7x7": "a 7x7 stem",
    "deep64": "a deep stem of 32, 32, 64 channels",
    "deep128": "a deep stem of 64, 64, 128 channels",
}
