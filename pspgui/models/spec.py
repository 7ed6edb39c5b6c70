"""ModelSpec: everything about a network that its weights alone do not say. Imports no torch."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, field_validator, model_validator

from pspgui.labels.classes import ClassTable

BackboneName = Literal[
    "mobilenet_v2", "resnet18", "resnet34", "resnet50", "resnet101", "resnet152"
]
# The dilation of the first 3x3 of a stage whose stride was traded for dilation, and of the rest:
#   contract  the first keeps the dilation of the stage before (mmsegmentation, CSAIL, bubbliiiing)
#   full      every 3x3 takes the new dilation (semseg, the article's prototxt)
#   unit      the first is not dilated at all (Lextal)
# The same tensors load into each without an error and give quietly different masks.
DilationFamily = Literal["contract", "full", "unit"]
Triple = tuple[float, float, float]


class SizeRule(BaseModel):
    """Sizes a network accepts: multiple * n + offset, for n >= 1."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    multiple: Annotated[int, Field(ge=1, le=64)] = 8
    offset: Annotated[int, Field(ge=0, le=63)] = 1

    def padded(self, size: int) -> int:
        """Return the smallest accepted size that holds `size` pixels."""
        steps = max(1, -(-(size - self.offset) // self.multiple))
        return steps * self.multiple + self.offset


class Normalisation(BaseModel):
    """How RGB in 0..1 becomes the network's input: (value - mean) / std, per channel."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    mean: Triple = (0.485, 0.456, 0.406)
    std: Triple = (0.229, 0.224, 0.225)

    @field_validator("std")
    @classmethod
    def _no_zero(cls, value: Triple) -> Triple:
        if any(v <= 0 for v in value):
            raise ValueError("std must be above zero")
        return value


class ModelSpec(BaseModel):
    """The frozen, JSON-able description of one network; it travels in the checkpoint's header.

    `concat` says whether the bottleneck's input holds the features before the levels;
    `level_channels` and `bottleneck_channels` None mean C/N and C/4 of the backbone's C channels.
    `local_dropout` is the share of the backbone's channels that training silences before the
    bottleneck, so that the levels must carry their part; it is nothing in use.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    architecture: Literal["pspnet"] = "pspnet"
    backbone: BackboneName = "mobilenet_v2"
    output_stride: Literal[8, 16] = 16
    dilation: DilationFamily = "contract"
    levels: tuple[Annotated[int, Field(ge=1, le=64)], ...] = (1, 2, 3, 6)
    level_channels: Annotated[int, Field(ge=1, le=4096)] | None = None
    concat: Literal["features_first", "features_last"] = "features_first"
    bottleneck_channels: Annotated[int, Field(ge=1, le=8192)] | None = None
    align_corners: bool = True
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.1
    local_dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    auxiliary: bool = True
    auxiliary_channels: Annotated[int, Field(ge=1, le=4096)] | None = None
    normalisation: Normalisation = Normalisation()
    size_rule: SizeRule = SizeRule()
    classes: ClassTable
    record: dict[str, JsonValue] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _levels_make_sense(self) -> ModelSpec:
        if not self.levels or len(set(self.levels)) != len(self.levels):
            raise ValueError("levels must be one or more different numbers of bins")
        if len(self.levels) > 16:
            raise ValueError("more than 16 levels")
        return self

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return self.model_dump(mode="json")

    def changed(self, **fields: Any) -> ModelSpec:
        """Return a validated copy with these fields replaced."""
        return ModelSpec.model_validate({**self.model_dump(), **fields})

    @property
    def title(self) -> str:
        """The network in a few words, as a person would call it."""
        backbone = self.backbone.replace("mobilenet_v2", "MobileNetV2").replace("resnet", "ResNet-")
        return f"PSPNet {backbone} /{self.output_stride}"
