"""The MobileNetV2 DeepLabV3 that Google published as a graph: `backbone.0-17`, `aspp0`, `pool`.

It has no atrous branches: a pooled image and a 1x1 are concatenated, in that order. The header of
the file gives classes and output stride; what it says in prose stands here as defaults.
"""

from __future__ import annotations

import json

from pspgui.labels.classes import ClassTable, LabelClass
from pspgui.labels.palettes import palette
from pspgui.models.checkpoints.container import Container
from pspgui.models.checkpoints.extras import spread_colour
from pspgui.models.checkpoints.family import Reading, renamed
from pspgui.models.checkpoints.shapes import class_table
from pspgui.models.deeplabv3 import DeepLabV3Spec
from pspgui.models.spec import Normalisation, SizeRule

_KEYS = ("aspp0.0.weight", "pool.0.weight", "proj.0.weight", "logits.weight")
_ASSUMED = ("dilation", "align_corners", "normalisation")
_RULES = (
    (r"backbone\.(\d+)\.", r"backbone.features.\1."),
    # The pooling is the branch's own first layer.
    (r"pool\.0\.", "aspp.branches.0.1."),
    (r"pool\.1\.", "aspp.branches.0.2."),
    (r"aspp0\.", "aspp.branches.1."),
    (r"proj\.", "project."),
    (r"logits\.", "classifier."),
)


class GoogleDeepLabV3:
    """DeepLabV3 on MobileNetV2 at output stride 16, without atrous branches."""

    name = "Google DeepLabV3"

    def matches(self, container: Container) -> bool:
        """Say whether the four parts of the head have this graph's names."""
        return all(key in container.tensors for key in _KEYS)

    def read(self, container: Container) -> Reading:
        """Return the spec from header, shapes and the graph's own input, and renamed tensors."""
        tensors, header = container.tensors, container.metadata
        if "backbone.17.conv.3.weight" not in tensors:
            raise container.error("its backbone is not MobileNetV2")
        classes = _classes(header.get("classes"), tensors["logits.weight"].shape[0])
        spec = DeepLabV3Spec.model_validate({
            "backbone": "mobilenet_v2",
            "output_stride": int(header.get("output_stride", "16")),
            "dilation": "contract",
            "rates": (),
            "aspp_channels": tensors["aspp0.0.weight"].shape[0],
            "image_pool": "first",
            "decoder": "none",
            "auxiliary": False,
            "align_corners": True,
            "normalisation": Normalisation(mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5)),
            "size_rule": SizeRule(multiple=16, offset=1),
            "classes": classes,
        })  # fmt: skip
        unsaid = [key for key in ("output_stride", "classes") if key not in header]
        return Reading(spec, renamed(tensors, _RULES), assumed=(*_ASSUMED, *unsaid))


FAMILY = GoogleDeepLabV3()


def _classes(listed: str | None, count: int) -> ClassTable:
    """Return the classes that the header lists, in VOC's colours where VOC has the name.

    Raises ValueError for a list that is not one of names, one an output.
    """
    if listed is None:
        return class_table(count)
    try:
        names = json.loads(listed)
    except RecursionError as error:
        raise ValueError("nested too deep for a list of names") from error
    if not isinstance(names, list) or len(names) != count:
        raise ValueError(f"not a list of {count} class names")
    colours = {_plain(c.name): c.colour for c in palette("voc2012").classes}
    return ClassTable(tuple(
        LabelClass(number, str(name), colours.get(_plain(str(name)), spread_colour(number)))
        for number, name in enumerate(names)
    ))  # fmt: skip


def _plain(name: str) -> str:
    return "".join(c for c in name.casefold() if c.isalnum())
