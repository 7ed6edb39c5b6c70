"""Recipe: every choice of a training run in one frozen, JSON-able object."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Share = Annotated[float, Field(ge=0, le=1)]


class Recipe(BaseModel):
    """How to train; defaults follow semseg's PSPNet (SGD, poly .9, head x10, auxiliary .4).

    `class_weights`: `median` is median frequency balancing (SegNet, arXiv 1511.00561), `sqrt` its
    square root. `crop` (height, width) None takes the first training image's own size, so that
    whole frames are seen and a bin covers the same part of the scene as in use. `scenes` is the
    number of drawn scenes per real image. Scales are relative to a fit of the frame in the crop.
    `frozen_norms`: batch norms keep their statistics and weights, for small batches.
    `image_level_weight` is that of the loss of an image-level classifier, where there is one.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    epochs: Annotated[int, Field(ge=1, le=10_000)] = 30
    batch: Annotated[int, Field(ge=2, le=1024)] = 8
    learning_rate: Annotated[float, Field(gt=0)] = 0.01
    head_factor: Annotated[float, Field(gt=0)] = 10.0
    momentum: Share = 0.9
    weight_decay: Annotated[float, Field(ge=0)] = 1e-4
    power: Annotated[float, Field(gt=0)] = 0.9
    warmup_steps: Annotated[int, Field(ge=0)] = 50
    auxiliary_weight: Annotated[float, Field(ge=0)] = 0.4
    image_level_weight: Annotated[float, Field(ge=0)] = 1.0
    frozen_norms: bool = False
    class_weights: Literal["none", "sqrt", "median"] = "none"
    crop: tuple[Annotated[int, Field(ge=33)], Annotated[int, Field(ge=33)]] | None = None
    scale: tuple[float, float] = (0.75, 1.5)
    whole_frames: Share = 0.5
    flip: Share = 0.5
    colour: Share = 0.3
    scenes: Annotated[float, Field(ge=0, le=10)] = 0.0
    precision: Literal["fp32", "bf16"] = "fp32"
    seed: Annotated[int, Field(ge=0, lt=900)] = 1  # beyond, its scenes are the held-out ones

    def rate(self, step: int, steps: int) -> float:
        """Return the factor of the learning rate at `step` of `steps`: warm-up, then poly."""
        warmup = min(self.warmup_steps, steps // 10)
        if step < warmup:
            return (step + 1) / (warmup + 1)
        return float((1.0 - step / steps) ** self.power)
