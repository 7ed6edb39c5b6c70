"""Convolutions with their weights in oneDNN's own layout, and what follows done in the same pass.

torch's plain convolution brings weights into that layout at every call and gives the addition and
the activation after it passes of their own. The operators used here are those that torch's own
compiler emits for the CPU; where a build of torch or the processor lacks them, `can_pack` says so
and the plain layers run instead.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

# A typical grid of cells: oneDNN chooses the weights' layout for one size, and reads it at any.
_TYPICAL_CELLS = 60
_PRIVATE = "_convolution_pointwise"


def can_pack(dtype: torch.dtype = torch.float32) -> bool:
    """Whether this build of torch has oneDNN with the operators that packing needs.

    In bf16 also whether this processor computes in it: one without AVX-512 does not.
    """
    there = (
        torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
        and hasattr(torch.ops.mkldnn, _PRIVATE)
        and hasattr(torch._C._nn, "mkldnn_reorder_conv2d_weight")
    )
    if dtype != torch.bfloat16 or not there:
        return there
    known = getattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", None)
    return known is not None and bool(known())


class PackedConvolution(nn.Module):
    """A convolution, then an addition if it is given one, then an activation; for the CPU.

    activation: oneDNN's name (none, relu, hardtanh, hardswish, swish, sigmoid, hardsigmoid) with
    its `limits`. The source's weights are given up, so that there are not two copies of them.
    """

    def __init__(
        self,
        source: nn.Conv2d,
        dtype: torch.dtype,
        activation: str = "none",
        limits: tuple[float, ...] = (),
    ) -> None:
        super().__init__()
        self._padding = _pair(source.padding)
        self._stride, self._dilation = _pair(source.stride), _pair(source.dilation)
        self._kernel, self._groups = _pair(source.kernel_size), source.groups
        self._channels = source.out_channels
        self._dtype, self._activation, self._limits = dtype, activation, list(limits)
        weight = source.weight.detach().to(dtype)
        # torch's stub leaves out the size.
        self._weight = torch._C._nn.mkldnn_reorder_conv2d_weight(  # type: ignore[call-arg]
            weight.contiguous().to_mkldnn(),
            self._padding,
            self._stride,
            self._dilation,
            self._groups,
            [1, source.in_channels, _TYPICAL_CELLS, _TYPICAL_CELLS],
        )
        bias = source.bias
        self._bias = None if bias is None else bias.detach().to(dtype)
        source.to("meta")

    def forward(self, images: Tensor, other: Tensor | None = None) -> Tensor:
        """Return activation(convolution(images) + other)."""
        operator = torch.ops.mkldnn._convolution_pointwise
        images = images.to(self._dtype)
        shape = self._padding, self._stride, self._dilation, self._groups
        if other is None:
            return operator(  # type: ignore[no-any-return]
                images, self._weight, self._bias, *shape, self._activation, self._limits, ""
            )
        activation = None if self._activation == "none" else self._activation
        if tuple(other.shape) != self._shape(images):  # one of the two is spread over the other
            plain: Tensor = operator(images, self._weight, self._bias, *shape, "none", [], "")
            total = plain + other
            return total if activation is None else total.relu()
        return operator.binary(  # type: ignore[no-any-return]
            images, other.to(self._dtype), self._weight, self._bias, *shape,
            "add", 1.0, activation, self._limits, "",
        )  # fmt: skip

    def _shape(self, images: Tensor) -> tuple[int, ...]:
        """Return the (B, C, h, w) that the convolution gives."""
        return images.shape[0], self._channels, *(
            (size + 2 * pad - reach * (kernel - 1) - 1) // stride + 1
            for size, pad, reach, kernel, stride in zip(
                images.shape[2:], self._padding, self._dilation, self._kernel, self._stride,
                strict=True,
            )
        )  # fmt: skip


def _pair(sizes: object) -> list[int]:
    assert isinstance(sizes, tuple)
    return [int(size) for size in sizes]
