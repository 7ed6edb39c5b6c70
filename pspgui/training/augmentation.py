"""Joint augmentation of image and labels by torchvision's transforms.v2 on tv_tensors."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torchvision import tv_tensors
from torchvision.transforms import v2

from pspgui.models.spec import ModelSpec
from pspgui.training.recipe import Recipe


def training_transform(recipe: Recipe, spec: ModelSpec, size: tuple[int, int]) -> v2.Transform:
    """Return the transform of (uint8 Image, Mask) to (float Image, Mask) of `size`.

    `size` (height, width) must meet the spec's size rule. A share `recipe.whole_frames` of samples
    is only fitted into the frame; the rest are scaled and cropped too.
    """
    rescaled = v2.ScaleJitter(size, scale_range=recipe.scale, antialias=True)
    strength = recipe.colour
    return v2.Compose(
        [
            v2.RandomApply([rescaled], p=1.0 - recipe.whole_frames),
            _crop(spec, size),
            v2.RandomHorizontalFlip(recipe.flip),
            v2.ColorJitter(strength, strength, strength, strength * 0.2),
            *_normalisation(spec),
        ]
    )


def _crop(spec: ModelSpec, size: tuple[int, int]) -> v2.Transform:
    """Crop at random; what a small image lacks is the mean, so that it normalises to zero."""
    grey = tuple(round(255 * m) for m in spec.normalisation.mean)
    fill: dict[Any, Any] = {tv_tensors.Image: grey, tv_tensors.Mask: spec.classes.ignore}
    return v2.RandomCrop(size, pad_if_needed=True, fill=fill)


def _normalisation(spec: ModelSpec) -> list[v2.Transform]:
    n = spec.normalisation
    return [
        v2.ToDtype({tv_tensors.Image: torch.float32, "others": None}, scale=True),
        v2.Normalize(list(n.mean), list(n.std)),
    ]


def normalised(pixels: Tensor, spec: ModelSpec) -> Tensor:
    """Return (3, H, W) float32 of (3, H, W) uint8 RGB, padded with the mean to the size rule."""
    n = spec.normalisation
    mean = torch.tensor(n.mean)[:, None, None]
    std = torch.tensor(n.std)[:, None, None]
    image = (pixels.float() / 255.0 - mean) / std
    height, width = image.shape[-2:]
    bottom = spec.size_rule.padded(height) - height
    right = spec.size_rule.padded(width) - width
    return torch.nn.functional.pad(image, (0, right, 0, bottom))
