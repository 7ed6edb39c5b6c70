"""Reading a network's last layers as plain arrays."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from torch import Tensor, nn

from pspgui.inference.layers import Layer, Rectifier, Scale, Transposed

IDLE = (nn.ReLU, nn.PReLU, nn.Dropout, nn.Dropout2d, nn.Identity, nn.AdaptiveAvgPool2d)
# A larger kernel has few taps at any place, and its weights may be hundreds of megabytes.
_SMALL_KERNEL = 4


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
    return tuple(layer._replace(weight=_by_taps(layer.weight)) for layer in found)


def transposed_of(module: nn.ConvTranspose2d, cut: int = 0) -> Transposed:
    """Return a transposed convolution, of whose output so many rows and columns are cut off.

    Raises `TypeError` for a dilated or grouped one, and for one whose outputs lie apart.
    """
    if set(module.dilation) != {1} or module.groups != 1:
        raise TypeError("a transposed convolution must be neither dilated nor grouped")
    if module.kernel_size[0] < module.stride[0]:
        raise TypeError("a transposed convolution must not stride further than its kernel reaches")
    weight, padding = to_array(module.weight), module.padding[0]
    assert isinstance(padding, int)
    outputs = weight.shape[1]
    bias = np.zeros(outputs, weight.dtype) if module.bias is None else to_array(module.bias)
    if weight.shape[0] == outputs:
        own = np.arange(outputs)
        alone = weight[own, own]
        # Bilinear upsampling of class scores: the whole would be read for a diagonal.
        if np.count_nonzero(weight) == np.count_nonzero(alone):
            weight = np.ascontiguousarray(alone)
    if weight.ndim == 4 and weight.shape[-1] <= _SMALL_KERNEL:
        weight = _by_taps(weight)
    return Transposed(weight, bias, int(module.stride[0]), cut + padding)


def scale_of(norm: nn.BatchNorm2d) -> Scale:
    """Return a batch norm in evaluation mode, computed in float64."""
    factor, offset = _terms(norm)
    kind = to_array(norm.weight).dtype
    return Scale(factor.astype(kind), offset.astype(kind))


def rectifier_of(module: nn.PReLU) -> Rectifier:
    """Return a PReLU."""
    return Rectifier(to_array(module.weight))


def to_array(tensor: Tensor) -> np.ndarray:
    """Return a tensor in numpy, sharing its memory where it is on the CPU."""
    found: np.ndarray = tensor.detach().cpu().numpy()
    return found


def _leaves(modules: Iterable[nn.Module]) -> Iterable[nn.Module]:
    for module in modules:
        children = list(module.children())
        yield from _leaves(children) if children else (module,)


def _plain(module: nn.Conv2d) -> Layer:
    if module.groups not in (1, module.in_channels) or set(module.stride) != {1}:
        raise TypeError("the last layers are plain or depthwise convolutions of stride 1")
    weight = to_array(module.weight)
    bias = np.zeros(len(weight), weight.dtype) if module.bias is None else to_array(module.bias)
    return Layer(weight, bias, int(module.dilation[0]))


def _normed(layer: Layer, norm: nn.BatchNorm2d) -> Layer:
    scale, offset = _terms(norm)
    kind = layer.weight.dtype
    weight = (layer.weight * scale[:, None, None, None]).astype(kind)
    bias = (layer.bias * scale + offset).astype(kind)
    return layer._replace(weight=weight, bias=bias)


def _terms(norm: nn.BatchNorm2d) -> tuple[np.ndarray, np.ndarray]:
    """Return the factor and offset of a batch norm, float64."""
    assert norm.running_mean is not None and norm.running_var is not None
    gamma, beta, mean, variance = (
        to_array(t.double()) for t in (norm.weight, norm.bias, norm.running_mean, norm.running_var)
    )
    factor = gamma / np.sqrt(variance + norm.eps)
    return factor, beta - mean * factor


def _by_taps(weight: np.ndarray) -> np.ndarray:
    """Return (O, I, k, k), or (I, O, k, k), with each tap's matrix in one piece of memory."""
    if weight.shape[-1] == 1:
        return weight
    return np.ascontiguousarray(weight.transpose(2, 3, 0, 1)).transpose(2, 3, 0, 1)
