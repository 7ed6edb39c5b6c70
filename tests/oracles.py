"""What tests of checkpoint families share: settled random networks, and pictures through them."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from pspgui.inference.predictor import Predictor

IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


def settled(net: nn.Module, size: tuple[int, int] = (64, 64), seed: int = 0) -> nn.Module:
    """Return `net` in evaluation mode with uneven batch norms that fit its own activations.

    With statistics at random, the logits of a deep network vanish or explode.
    """
    torch.manual_seed(seed)
    norms = [m for m in net.modules() if isinstance(m, nn.BatchNorm2d)]
    for norm in norms:
        nn.init.uniform_(norm.weight, 0.5, 1.5)
        nn.init.normal_(norm.bias, 0.0, 0.2)
        norm.momentum = 1.0
    with torch.no_grad():
        net.train()(torch.randn(2, 3, *size))
    for norm in norms:
        norm.running_mean += 0.1 * torch.randn_like(norm.running_mean)
    return net.eval().requires_grad_(False)


def picture(height: int, width: int) -> np.ndarray:
    """Return (H, W, 3) uint8 blocks of random colours."""
    coarse = np.random.default_rng(height).integers(0, 256, (5, 6, 3), dtype=np.uint8)
    pixels = np.repeat(np.repeat(coarse, -(-height // 5), 0), -(-width // 6), 1)
    return np.ascontiguousarray(pixels[:height, :width])


def as_input(
    pixels: np.ndarray, mean: tuple[float, ...], std: tuple[float, ...], multiple: int = 1
) -> Tensor:
    """Return (1, 3, H', W') normalised by statistics of 0..1, zeros below and to the right."""
    height, width = pixels.shape[:2]
    values = (pixels / 255.0 - np.array(mean)) / np.array(std)
    padded = np.zeros((-(-height // multiple) * multiple, -(-width // multiple) * multiple, 3))
    padded[:height, :width] = values
    return torch.tensor(padded.transpose(2, 0, 1)[None]).float()


def assert_predicts(predictor: Predictor, pixels: np.ndarray, expected: Tensor) -> None:
    """Fail unless the predictor's logits and labels are those expected, (N, H', W')."""
    height, width = pixels.shape[:2]
    prediction = predictor.predict(predictor.set_image(pixels))
    places = [(0, 0), (height - 1, width - 1), (height // 2, width // 3), (1, width - 2)]
    # Random weights may give logits of a hundred, where float32 has fewer decimals.
    within = 1e-4 * max(1.0, float(expected.abs().max()) / 50)
    for y, x in places:
        found = torch.tensor(prediction.logits_at(y, x))
        torch.testing.assert_close(found, expected[:, y, x], atol=within, rtol=1e-4)
    labels = torch.tensor(prediction.labels.astype(np.int64))
    chosen = expected[:, :height, :width].gather(0, labels[None])[0]
    assert float((expected[:, :height, :width].amax(0) - chosen).max()) < 1e-3
