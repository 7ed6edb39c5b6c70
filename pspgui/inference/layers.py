"""The last layers of a network as plain arrays, for evidence that follows a logit back to them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from torch import Tensor, nn

IDLE = (nn.ReLU, nn.PReLU, nn.Dropout, nn.Dropout2d, nn.Identity, nn.AdaptiveAvgPool2d)


class Layer(NamedTuple):
    """A convolution at unchanged size with its batch norm folded in.

    weight (O, I, k, k), where I is 1 for a depthwise one; bias (O,); float arrays of numpy.
    """

    weight: np.ndarray
    bias: np.ndarray
    dilation: int = 1

    @property
    def is_depthwise(self) -> bool:
        """Whether every channel is convolved by itself."""
        return bool(self.weight.shape[1] == 1 and self.weight.shape[0] > 1)


def layers_of(modules: Iterable[nn.Module]) -> tuple[Layer, ...]:
    """Return the convolutions among modules in the order they run, batch norms folded in.

    Activations are left out: who asks knows where they are. Folding is done in float64; arrays
    have the weights' own dtype. Raises `TypeError` for a module of another kind.
    """
    found: list[Layer] = []
    for module in _leaves(modules):
        if isinstance(module, nn.Conv2d):
            found.append(_plain(module))
        elif isinstance(module, nn.BatchNorm2d):
            found[-1] = _normed(found[-1], module)
        elif not isinstance(module, IDLE):
            raise TypeError(f"{type(module).__name__} has no place among the last layers")
    return tuple(found)


def _leaves(modules: Iterable[nn.Module]) -> Iterable[nn.Module]:
    for module in modules:
        children = list(module.children())
        yield from _leaves(children) if children else (module,)


def _plain(module: nn.Conv2d) -> Layer:
    if module.groups not in (1, module.in_channels) or set(module.stride) != {1}:
        raise TypeError("the last layers are plain or depthwise convolutions of stride 1")
    weight = _numpy(module.weight)
    bias = np.zeros(len(weight), weight.dtype) if module.bias is None else _numpy(module.bias)
    return Layer(weight, bias, int(module.dilation[0]))


def _normed(layer: Layer, norm: nn.BatchNorm2d) -> Layer:
    assert norm.running_mean is not None and norm.running_var is not None
    gamma, beta, mean, variance = (
        _numpy(t.double()) for t in (norm.weight, norm.bias, norm.running_mean, norm.running_var)
    )
    scale = gamma / np.sqrt(variance + norm.eps)
    kind = layer.weight.dtype
    weight = (layer.weight * scale[:, None, None, None]).astype(kind)
    bias = (layer.bias * scale + beta - mean * scale).astype(kind)
    return layer._replace(weight=weight, bias=bias)


def _numpy(tensor: Tensor) -> np.ndarray:
    found: np.ndarray = tensor.detach().cpu().numpy()
    return found
