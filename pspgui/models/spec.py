"""ModelSpec: everything about a network that its weights alone do not say. Imports no torch."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, JsonValue, model_validator

from pspgui.labels.classes import ClassTable

BackboneName = Literal[
    "mobilenet_v2",
    "mobilenet_v3_large",
    "resnet18",
    "resnet34",
    "resnet50",
    "resnet101",
    "resnet152",
    "vgg16",
    "shortsighted",
]
# The dilation of the first 3x3 of a stage whose stride was traded for dilation, and of the rest:
#   contract  the first keeps the dilation of the stage before (mmsegmentation, CSAIL, bubbliiiing)
#   full      every 3x3 takes the new dilation (semseg, the article's prototxt)
#   unit      the first is not dilated at all (Lextal)
#   contract_single  as contract, and of a basic block's two only the first 3x3 is dilated
#             (mmsegmentation's ResNet-18 and 34)
#   group_first  of MobileNetV2's blocks of equal width only the first is dilated (mmsegmentation)
# The same tensors load into each without an error and give quietly different masks.
DilationFamily = Literal["contract", "full", "unit", "contract_single", "group_first"]
# The first layers of a ResNet: one 7x7, or three 3x3 of 32, 32, 64 or of 64, 64, 128 channels.
Stem = Literal["7x7", "deep64", "deep128"]
Triple = tuple[float, float, float]
# Of values in 0..1; within these, what is normalised is finite and still tells pixels apart.
Mean = Annotated[float, Field(ge=-1000, le=1000)]
Deviation = Annotated[float, Field(ge=1e-6, le=1e6)]


def usual_rates(output_stride: int) -> tuple[int, int, int]:
    """Return DeepLabV3's rates: 6, 12, 18 at output stride 16, doubled when that is halved."""
    return 96 // output_stride, 192 // output_stride, 288 // output_stride


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
    """How RGB in 0..1 becomes the network's input: (value - mean) / std, per channel.

    `mean` and `std` are in the order red, green, blue; `channels` is the network's own order.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    mean: tuple[Mean, Mean, Mean] = (0.485, 0.456, 0.406)
    std: tuple[Deviation, Deviation, Deviation] = (0.229, 0.224, 0.225)
    channels: Literal["rgb", "bgr"] = "rgb"


class ModelSpec(BaseModel):
    """What every network's frozen, JSON-able description holds; it travels in the checkpoint.

    Each architecture adds its own choices in a subclass beside its network. `stages` is how many
    residual layers of the backbone are used; `multi_grid` multiplies the dilation of the last
    stage's blocks, one after another, or stands in its place where `absolute_grid`
    (mmsegmentation); `stride_in` is the convolution of a bottleneck block that strides;
    `average_shortcut` whether a ResNet averages beside a block that strides (V1d); `ceil_pool`
    whether the stem's pooling rounds sizes up.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    # Whether the network's own scores have one cell a pixel, which takes memory of that order.
    scores_pixels: ClassVar[bool] = False
    # The learning rate its authors would train the backbone with, and how many times that the head.
    usual_rate: ClassVar[tuple[float, float]] = (0.01, 10.0)

    architecture: str
    backbone: BackboneName = "mobilenet_v2"
    stem: Stem = "7x7"
    stride_in: Literal["3x3", "1x1"] = "3x3"
    average_shortcut: bool = False
    ceil_pool: bool = False
    stages: Annotated[int, Field(ge=2, le=4)] = 4
    output_stride: Literal[8, 16, 32] = 16
    dilation: DilationFamily = "contract"
    multi_grid: tuple[Annotated[int, Field(ge=1, le=64)], ...] = (1, 1, 1)
    absolute_grid: bool = False
    align_corners: bool = True
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.1
    auxiliary: bool = True
    auxiliary_channels: Annotated[int, Field(ge=1, le=4096)] | None = None
    normalisation: Normalisation = Normalisation()
    size_rule: SizeRule = SizeRule()
    classes: ClassTable
    record: dict[str, JsonValue] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _grid_is_one(self) -> ModelSpec:
        if not self.multi_grid:
            raise ValueError("multi_grid must hold one or more factors")
        return self

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return self.model_dump(mode="json")

    def changed(self, **fields: Any) -> Self:
        """Return a validated copy with these fields replaced."""
        return type(self).model_validate({**self.model_dump(), **fields})

    @property
    def name(self) -> str:
        """The architecture as a person writes it."""
        return self.architecture

    @property
    def title(self) -> str:
        """The network in a few words, as a person would call it."""
        return f"{self.name} {BACKBONE_TITLES[self.backbone]} /{self.output_stride}"


BACKBONE_TITLES: dict[str, str] = {
    "mobilenet_v2": "MobileNetV2",
    "mobilenet_v3_large": "MobileNetV3-L",
    "vgg16": "VGG16",
    "shortsighted": "short-sighted",
    **{f"resnet{n}": f"ResNet-{n}" for n in (18, 34, 50, 101, 152)},
}
