"""Convolutions of an OpenVINO graph in eight bits, with as little error as each can have.

Three things keep the error small beside plain post-training quantisation. A map's channels are
scaled apart before they share one range (as in SmoothQuant, arXiv 2211.10438) and signed ones are
centred; the weights take the scales and the bias the centres over. Weights are rounded one after
the other, each making up for the errors before it on the maps that were seen (as in GPTQ, arXiv
2210.17323). And biases make up for what is left of the mean.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 - the field's own name for it
from torch import Tensor

_COLUMNS = 3000
# Inputs of one output value that are weighed together, the cost grows with the cube; and how many
# are observed in one pass, so that memory stays bounded.
_MOST_JOINT, _MOST_AT_ONCE = 4608, 20_000
_DAMPING, _BLOCK = 0.01, 128
_EXPONENTS, _CLIPS = (0.25, 0.5, 0.75, 1.0), (1.0, 0.85)
_TRIED = 800


class Layer(NamedTuple):
    """A convolution that can be quantised: its name, weights (O, C, kh, kw), and its geometry."""

    name: str
    weight: np.ndarray
    strides: tuple[int, int]
    dilations: tuple[int, int]
    before: tuple[int, int]
    after: tuple[int, int]

    @property
    def inputs(self) -> int:
        """How many values one output value is made of."""
        return int(np.prod(self.weight.shape[1:]))

    @property
    def padded(self) -> bool:
        """Whether zeros surround its input."""
        return any((*self.before, *self.after))

    def columns(self, values: Tensor) -> Tensor:
        """Return (inputs, n): what each of n output cells reads of a map (1, C, h, w)."""
        (top, left), (bottom, right) = self.before, self.after
        padded = F.pad(values, (left, right, top, bottom))
        kernel = (self.weight.shape[2], self.weight.shape[3])
        return F.unfold(padded, kernel, dilation=self.dilations, stride=self.strides)[0]


class Observed(NamedTuple):
    """What a layer was seen to read: columns (inputs, n), their mean, and each channel's range."""

    columns: Tensor
    mean: Tensor
    low: Tensor
    high: Tensor
    cells: int


class Fitted(NamedTuple):
    """A layer in eight bits.

    low, high (C,) are what its input's channels are cut to, level_low and level_high what that
    becomes; codes (O, C, kh, kw) int8 times steps (O,) are the weights for it, shift (O,) is
    added to the result. cells: output cells over everything observed, for the cost.
    """

    low: np.ndarray
    high: np.ndarray
    level_low: float
    level_high: float
    codes: np.ndarray
    steps: np.ndarray
    shift: np.ndarray
    cells: int

    @property
    def cost(self) -> float:
        """Multiplications, up to a factor that all layers share."""
        return float(self.codes.size) * self.cells


def layers_of(model: Any) -> list[Layer]:
    """Return the convolutions that may be quantised, in the order they run.

    The first, which reads the image itself, is not among them, nor are grouped ones, whose
    channels differ most in range: they are little of the work.
    """
    found = [
        op
        for op in model.get_ordered_ops()
        if op.get_type_name() == "Convolution"
        and op.input_value(1).get_node().get_type_name() == "Constant"
        and len(op.get_attributes()["strides"]) == 2
    ]
    return [_layer(op) for op in found[1:]]


def _layer(op: Any) -> Layer:
    given = op.get_attributes()
    pairs = ((given[n][0], given[n][1]) for n in ("strides", "dilations", "pads_begin", "pads_end"))
    weight = op.input_value(1).get_node().data
    return Layer(op.get_friendly_name(), np.array(weight, np.float32), *pairs)


def fit(model: Any, layers: Sequence[Layer], inputs: Sequence[np.ndarray]) -> Iterator[Fitted]:
    """Yield every layer fitted to what it reads when the float model sees the inputs."""
    for part in _parts(layers):
        for layer, seen in zip(part, _observe(model, part, inputs), strict=True):
            yield _fit(layer, seen)


def _parts(layers: Sequence[Layer]) -> Iterator[list[Layer]]:
    part: list[Layer] = []
    for layer in layers:
        if part and sum(one.inputs for one in (*part, layer)) > _MOST_AT_ONCE:
            yield part
            part = []
        part.append(layer)
    if part:
        yield part


def _observe(
    model: Any, layers: Sequence[Layer], inputs: Sequence[np.ndarray]
) -> Iterator[Observed]:
    """Yield what each layer reads; the inputs are run once for all of them."""
    from openvino import Model, compile_model, opset13

    ops = {op.get_friendly_name(): op for op in model.get_ordered_ops()}
    results = [opset13.result(ops[layer.name].input_value(0)) for layer in layers]
    probe = Model(results, model.get_parameters(), "probe")
    threads = {"INFERENCE_NUM_THREADS": torch.get_num_threads()}
    compiled = compile_model(probe, "CPU", {"INFERENCE_PRECISION_HINT": "f32"} | threads)
    kept: list[list[tuple[Tensor, ...]]] = [[] for _ in layers]
    order = torch.Generator().manual_seed(0)
    for values in inputs:
        found = compiled(values)
        for index, layer in enumerate(layers):
            seen = torch.from_numpy(np.array(found[index]))
            columns = layer.columns(seen)
            few = _COLUMNS if layer.inputs <= _MOST_JOINT else _TRIED
            chosen = torch.randperm(columns.shape[1], generator=order)[: few // len(inputs) + 1]
            ranges = seen.amin((0, 2, 3)), seen.amax((0, 2, 3))
            cells = torch.tensor(columns.shape[1])
            kept[index].append((columns[:, chosen], columns.mean(1), *ranges, cells))
    for runs in kept:
        columns_, means, lows, highs, counts = zip(*runs, strict=True)
        runs.clear()
        yield Observed(
            torch.cat(columns_, 1),
            torch.stack(means).mean(0),
            torch.stack(lows).amin(0),
            torch.stack(highs).amax(0),
            int(sum(counts)),
        )


class _Range(NamedTuple):
    """How a map is written: (x - centre) / scale, (C,) each, over whole steps to `largest`."""

    signed: bool
    centre: Tensor
    scale: Tensor
    largest: float

    @property
    def levels(self) -> tuple[int, int]:
        return (-128, 127) if self.signed else (0, 255)

    def rounded(self, values: Tensor) -> Tensor:
        """Return scaled values as they are after being written in eight bits."""
        low, high = self.levels
        step = self.largest / high
        return (values / step).round().clamp(low, high) * step


def _fit(layer: Layer, seen: Observed) -> Fitted:
    weight = torch.from_numpy(layer.weight).flatten(1)
    taps = layer.inputs // len(seen.low)
    chosen = _choose_range(weight, seen, taps, layer.padded)
    scale = chosen.scale.repeat_interleave(taps)
    centre = chosen.centre.repeat_interleave(taps)
    scaled = weight * scale
    columns = (seen.columns - centre[:, None]) / scale[:, None]
    steps = _steps(scaled)
    codes = _round_weights(scaled, steps, columns - columns.mean(1, keepdim=True))
    lost = (chosen.rounded(columns) - columns).mean(1)
    rounded = codes * steps[:, None]
    shift = weight @ seen.mean - rounded @ ((seen.mean - centre) / scale + lost)
    low, high = (chosen.largest * level / chosen.levels[1] for level in chosen.levels)
    return Fitted(
        (chosen.centre + chosen.scale * low).numpy(),
        (chosen.centre + chosen.scale * high).numpy(),
        low,
        high,
        codes.to(torch.int8).view(layer.weight.shape).numpy(),
        steps.numpy(),
        shift.numpy(),
        seen.cells,
    )


def _steps(weight: Tensor) -> Tensor:
    return weight.abs().amax(1).clamp_min(1e-12) / 127


def _choose_range(weight: Tensor, seen: Observed, taps: int, padded: bool) -> _Range:
    """Return the range whose error in the layer's result is least.

    An input surrounded by zeros stays centred on zero.
    """
    signed = bool(seen.low.min() < 0)
    centre = torch.zeros_like(seen.low)
    half = torch.maximum(seen.high.abs(), seen.low.abs())
    if signed and not padded:
        centre, half = (seen.low + seen.high) / 2, (seen.high - seen.low) / 2
    most = half.max().clamp_min(1e-6)
    half = half.clamp_min(most * 1e-3)
    columns = seen.columns[:, :: max(1, seen.columns.shape[1] // _TRIED)]
    columns = columns - centre.repeat_interleave(taps)[:, None]
    best, least = None, float("inf")
    for exponent in _EXPONENTS:
        scale = (half / most) ** exponent
        wide = scale.repeat_interleave(taps)
        scaled, apart = weight * wide, columns / wide[:, None]
        steps = _steps(scaled)[:, None]
        # Half of what rounding each weight by itself would cost.
        base = 0.5 * _power(((scaled / steps).round() * steps - scaled) @ apart)
        for clip in _CLIPS:
            tried = _Range(signed, centre, scale, clip * float((half / scale).max()))
            error = base + _power(scaled @ (tried.rounded(apart) - apart))
            if error < least or best is None:
                best, least = tried, error
    assert best is not None
    return best


def _power(errors: Tensor) -> float:
    """Return the energy of (O, n) errors about each output's mean, which the bias takes away."""
    return float((errors - errors.mean(1, keepdim=True)).square().sum())


def _round_weights(weight: Tensor, steps: Tensor, columns: Tensor) -> Tensor:
    """Return (O, K) whole numbers in -127..127; columns (K, n) have a mean of zero."""
    nearest = (weight / steps[:, None]).round()
    if weight.shape[1] > _MOST_JOINT:
        return nearest
    moments = columns @ columns.T / columns.shape[1]
    diagonal = moments.diagonal()
    diagonal += _DAMPING * diagonal.mean() + 1e-12
    order = torch.argsort(diagonal, descending=True)
    lower, failed = torch.linalg.cholesky_ex(moments[order][:, order])
    if failed:
        return nearest
    inverse, failed = torch.linalg.cholesky_ex(torch.cholesky_inverse(lower), upper=True)
    if failed:
        return nearest
    codes = torch.empty_like(weight)
    codes[:, order] = _round_in_turn(weight[:, order], steps, inverse)
    return codes


def _round_in_turn(weight: Tensor, steps: Tensor, inverse: Tensor) -> Tensor:
    """Round columns one by one and let the later ones make up; inverse: upper, of the moments'."""
    weight, codes = weight.clone(), torch.empty_like(weight)
    for start in range(0, weight.shape[1], _BLOCK):
        end = min(start + _BLOCK, weight.shape[1])
        block, triangle = weight[:, start:end], inverse[start:end, start:end]
        errors = torch.empty_like(block)
        for i in range(end - start):
            code = (block[:, i] / steps).round().clamp(-127, 127)
            codes[:, start + i] = code
            errors[:, i] = (block[:, i] - code * steps) / triangle[i, i]
            block[:, i:] -= errors[:, i, None] * triangle[i, i:]
        weight[:, end:] -= errors @ inverse[start:end, end:]
    return codes


def quantised(model: Any, fitted: Mapping[str, Fitted]) -> Any:
    """Return a copy of the model with the named layers in eight bits, the others as they are."""
    made = model.clone()
    ops = {op.get_friendly_name(): op for op in made.get_ordered_ops()}
    for name, layer in fitted.items():
        _replace(ops[name], layer)
    made.validate_nodes_and_infer_types()
    return made


def _replace(op: Any, layer: Fitted) -> None:
    from openvino import opset13

    def constant(values: Any, shape: tuple[int, ...] = (1, -1, 1, 1)) -> Any:
        return opset13.constant(np.asarray(values, np.float32).reshape(shape))

    edges: Iterable[Any] = (layer.low, layer.high, layer.level_low, layer.level_high)
    narrow = opset13.fake_quantize(op.input_value(0), *(constant(e) for e in edges), 256)
    op.input(0).replace_source_output(narrow.output(0))
    codes = opset13.convert(opset13.constant(layer.codes), "f32")
    weight = opset13.multiply(codes, constant(layer.steps, (-1, 1, 1, 1)))
    op.input(1).replace_source_output(weight.output(0))
    targets = list(op.output(0).get_target_inputs())
    bias = _bias_after(targets)
    if bias is not None:
        old = bias.input_value(1).get_node().data
        shifted = constant(old.reshape(-1) + layer.shift)
        bias.input(1).replace_source_output(shifted.output(0))
        return
    total = opset13.add(op, constant(layer.shift))
    for target in targets:
        target.replace_source_output(total.output(0))


def _bias_after(targets: list[Any]) -> Any:
    """Return the addition of a constant for each channel that alone reads a layer, if it does."""
    if len(targets) != 1:
        return None
    node = targets[0].get_node()
    if node.get_type_name() != "Add":
        return None
    other = node.input_value(1).get_node()
    return node if other.get_type_name() == "Constant" and other.data.ndim == 4 else None
