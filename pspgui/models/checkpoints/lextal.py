"""Lextal/pspnet-pytorch: `feats.*`, `psp.*`, `up_1` to `up_3`, `final.0`, `classifier.{0,2}`.

Source: pspnet.py, extractors.py and train.py, which saves the bare dictionary of a DataParallel.
That code upsamples without saying how corners lie; in the torch of its time they were aligned.
"""

from __future__ import annotations

from pspgui.models.checkpoints.container import Container
from pspgui.models.checkpoints.family import Reading, renamed
from pspgui.models.checkpoints.shapes import class_table, pyramid_levels, resnet_backbone
from pspgui.models.pspnet_upsample import PSPUpsampleSpec

_FIRST_LEVEL = "psp.stages.0.1.weight"
_IMAGE_CLASSIFIER = "classifier.0.weight"
_ASSUMED = ("levels", "output_stride", "dilation", "align_corners", "normalisation", "classes")
_RULES = (
    (r"feats\.", "backbone."),
    (r"psp\.stages\.", "pyramid."),
    (r"psp\.bottleneck\.", "bottleneck.0."),
    (r"up_1\.conv\.", "upsampling.0."),
    (r"up_2\.conv\.", "upsampling.1."),
    (r"up_3\.conv\.", "upsampling.2."),
    (r"final\.0\.", "classifier."),
    (r"classifier\.0\.", "auxiliary.2."),
    (r"classifier\.2\.", "auxiliary.4."),
)


class Lextal:
    """Its PSPNet on ResNet-18 to 152 (DenseNet and SqueezeNet are not built here)."""

    name = "Lextal"

    def matches(self, container: Container) -> bool:
        """Say whether the levels keep all channels and the bottleneck has a bias."""
        return _FIRST_LEVEL in container.tensors and "psp.bottleneck.bias" in container.tensors

    def read(self, container: Container) -> Reading:
        """Return the spec from the shapes and that repository's defaults, and renamed tensors."""
        tensors = container.tensors
        if "feats.layer1.0.conv1.weight" not in tensors:
            raise container.error("its backbone is not a ResNet, the only one read of this family")
        classifier = tensors.get(_IMAGE_CLASSIFIER)
        first, second, third = (tensors[f"up_{n}.conv.0.weight"].shape[0] for n in (1, 2, 3))
        spec = PSPUpsampleSpec(
            backbone=resnet_backbone(tensors, "feats."),
            levels=pyramid_levels(tensors, "psp.stages."),
            bottleneck_channels=tensors["psp.bottleneck.weight"].shape[0],
            stage_channels=(first, second, third),
            auxiliary=classifier is not None,
            auxiliary_channels=None if classifier is None else classifier.shape[0],
            classes=class_table(tensors["final.0.weight"].shape[0]),
        )
        return Reading(spec, renamed(tensors, _RULES), assumed=_ASSUMED)


FAMILY = Lextal()
