"""Joint augmentation of image and labels by torchvision's transforms.v2 on tv_tensors."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torchvision import tv_tensors
from torchvision.transforms import v2

from pspgui.models.spec import ModelSpec
from pspgui.training.recipe import Recipe


class Fit(v2.Transform):  # type: ignore[misc]  # torchvision is not typed
    """Resize image and labels, proportions kept, to the largest size that fits into `frame`."""

    def __init__(self, frame: tuple[int, int]) -> None:
        super().__init__()
        self.frame = frame

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        """Return the size to resize to; one of the frame's sides and a side not above the other."""
        height, width = v2.functional.get_size(flat_inputs[0])
        scale = min(self.frame[0] / height, self.frame[1] / width)
        return {"size": (max(1, round(height * scale)), max(1, round(width * scale)))}

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """Resize one input; torchvision picks nearest for masks."""
        if tuple(v2.functional.get_size(inpt)) == params["size"]:
            return inpt
        return self._call_kernel(v2.functional.resize, inpt, size=params["size"], antialias=True)


def training_transform(
    recipe: Recipe, spec: ModelSpec, frame: tuple[int, int]
) -> v2.Transform:
    """Return the transform of (uint8 Image, Mask) to (float Image, Mask), padded to the size rule.

    Every image is fitted into `frame` (height, width). A share `recipe.whole_frames` of samples is
    left at that; the rest are scaled by a factor from `recipe.scale` and cropped.
    """
    rescaled = v2.ScaleJitter(frame, scale_range=recipe.scale, antialias=True)
    strength = recipe.colour
    size = spec.size_rule.padded(frame[0]), spec.size_rule.padded(frame[1])
    return v2.Compose(
        [
            Fit(frame),
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
    steps: list[v2.Transform] = [
        v2.ToDtype({tv_tensors.Image: torch.float32, "others": None}, scale=True),
        v2.Normalize(list(n.mean), list(n.std)),
    ]
    if n.channels == "bgr":
        steps.append(v2.Lambda(lambda image: image.flip(0), tv_tensors.Image))
    return steps


def normalised(pixels: Tensor, spec: ModelSpec) -> Tensor:
    """Return (3, H, W) float32 of (3, H, W) uint8 RGB, padded with the mean to the size rule."""
    n = spec.normalisation
    mean = torch.tensor(n.mean)[:, None, None]
    std = torch.tensor(n.std)[:, None, None]
    image = (pixels.float() / 255.0 - mean) / std
    if n.channels == "bgr":
        image = image.flip(0)
    height, width = image.shape[-2:]
    bottom = spec.size_rule.padded(height) - height
    right = spec.size_rule.padded(width) - width
    return torch.nn.functional.pad(image, (0, right, 0, bottom))
