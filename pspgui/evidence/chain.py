"""Layers run forwards and backwards at the few cells of their maps that one pixel reads.

A pixel mixes at most four cells, a 3x3 convolution reads nine cells for each: whole maps are
never touched, which is what makes answers as fast as the pointer. With gates as they are,
gradient times activation at any layer adds up to the logit less the biases passed on the way; and
running the same cells with a part silenced gives the network's own answer to that.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from pspgui.inference.layers import Layer, Rectifier, Resize, Scale, Step, Transposed
from pspgui.inference.resampling import axis_taps


class Places(NamedTuple):
    """Some cells of a map (h, w): rows and columns (P,), no cell twice."""

    rows: np.ndarray
    columns: np.ndarray
    shape: tuple[int, int]

    def of(self, maps: np.ndarray) -> np.ndarray:
        """Return a map's (C, h, w) values at the cells, (P, C)."""
        found: np.ndarray = maps[:, self.rows, self.columns].T
        return found

    def scattered(self, parts: np.ndarray) -> np.ndarray:
        """Return parts (P,) at their cells, (h, w), zero elsewhere."""
        found = np.zeros(self.shape, parts.dtype)
        found[self.rows, self.columns] = parts
        return found


class Read(NamedTuple):
    """One tap: which outputs (n,) read which inputs (n,), both as indices among their places.

    `weight` is (O, I), or (C,) for channels by themselves, or None for all alike; `share` (n,) is
    the weight of each read where that differs.
    """

    outputs: np.ndarray
    inputs: np.ndarray
    weight: np.ndarray | None
    share: np.ndarray | None = None

    def forward(self, values: np.ndarray) -> np.ndarray:
        """Return what the outputs get, (V, n, O), of the inputs' values (V, P, I)."""
        found: np.ndarray = values[:, self.inputs]
        if self.weight is not None:
            found = found @ self.weight.T if self.weight.ndim == 2 else found * self.weight
        return found if self.share is None else found * self.share[:, None].astype(found.dtype)

    def backward(self, gradient: np.ndarray) -> np.ndarray:
        """Return what the inputs get, (n, I), of the outputs' gradient (Q, O)."""
        found: np.ndarray = gradient[self.outputs]
        if self.weight is not None:
            found = found @ self.weight if self.weight.ndim == 2 else found * self.weight
        return found if self.share is None else found * self.share[:, None].astype(found.dtype)


class Wire:
    """One linear step at some places of its output; reads in the padding are left out."""

    def __init__(self, step: Step, outputs: Places, shape: tuple[int, int]) -> None:
        """`shape` is that of the map that the step reads."""
        self.step, self.outputs = step, outputs
        if isinstance(step, Layer):
            found = _layer_reads(step, outputs, shape)
        elif isinstance(step, Transposed):
            found = _transposed_reads(step, outputs, shape)
        elif isinstance(step, Resize):
            found = _resize_reads(step, outputs, shape)
        else:
            everything = np.arange(len(outputs.rows))
            factor = step.factor if isinstance(step, Scale) else None
            found = [(everything, outputs.rows, outputs.columns, factor, None)]
        keys, places = np.unique(
            np.concatenate([rows * shape[1] + columns for _, rows, columns, _, _ in found]),
            return_inverse=True,
        )
        ends = np.cumsum([len(rows) for _, rows, _, _, _ in found])[:-1]
        self.inputs = Places(keys // shape[1], keys % shape[1], shape)
        self.reads = [
            Read(outs, ins, weight, share)
            for (outs, _, _, weight, share), ins in zip(
                found, np.split(places.reshape(-1), ends), strict=True
            )
        ]
        self.bias: np.ndarray | None = getattr(step, "bias", getattr(step, "offset", None))

    def forward(self, values: np.ndarray) -> np.ndarray:
        """Return the step's output at its places, (V, Q, O), of V variants (V, P, I)."""
        found: np.ndarray | None = None
        for read in self.reads:
            part = read.forward(values)
            if found is None:
                found = np.zeros((len(values), len(self.outputs.rows), part.shape[2]), part.dtype)
            found[:, read.outputs] += part
        assert found is not None
        return found if self.bias is None else found + self.bias

    def backward(self, gradient: np.ndarray) -> tuple[np.ndarray, float]:
        """Return the gradient at the inputs, (P, I), and what the biases add to the logit."""
        found: np.ndarray | None = None
        for read in self.reads:
            part = read.backward(gradient)
            if found is None:
                found = np.zeros((len(self.inputs.rows), part.shape[1]), part.dtype)
            if read.share is None:
                found[read.inputs] += part  # outputs of one tap read different inputs
            else:
                np.add.at(found, read.inputs, part)
        assert found is not None
        return found, 0.0 if self.bias is None else float(gradient.sum(axis=0) @ self.bias)


class Chain:
    """Steps that follow one another, at the places of their maps that some outputs need."""

    def __init__(
        self, steps: Sequence[Step], shapes: Sequence[tuple[int, int]], outputs: Places
    ) -> None:
        """`shapes` are those of the maps that the steps read, one each."""
        self.start = outputs
        self._walk: list[Wire | Rectifier] = []
        for step, shape in zip(reversed(steps), reversed(shapes), strict=True):
            if isinstance(step, Rectifier):
                self._walk.insert(0, step)
            else:
                self._walk.insert(0, Wire(step, self.start, shape))
                self.start = self._walk[0].inputs  # type: ignore[union-attr]

    def run(self, values: np.ndarray) -> tuple[np.ndarray, list[np.ndarray]]:
        """Return the output (V, Q, O) of V variants (V, P, I) at `start`, and how open gates are.

        The gates of every rectifier are like what passes it.
        """
        gates = []
        for step in self._walk:
            if isinstance(step, Wire):
                values = step.forward(values)
            else:
                slope = step.slope.astype(values.dtype)
                gates.append(np.where(values > 0, values.dtype.type(1), slope))
                values = values * gates[-1]
        return values, gates

    def back(self, gradient: np.ndarray, gates: Sequence[np.ndarray]) -> tuple[np.ndarray, float]:
        """Return the gradient at `start`, (P, I), and what all biases add to the logit.

        Of gates of several variants, those of the first count.
        """
        left, biases = list(gates), 0.0
        for step in reversed(self._walk):
            if isinstance(step, Wire):
                gradient, more = step.backward(gradient)
                biases += more
            else:
                gradient = gradient * left.pop()[0]
        return gradient, biases


# Outputs, rows and columns they read, weight, share: a `Read` before inputs are numbered.
_Found = tuple[np.ndarray, np.ndarray, np.ndarray, "np.ndarray | None", "np.ndarray | None"]


def _layer_reads(layer: Layer, outputs: Places, shape: tuple[int, int]) -> list[_Found]:
    kernel, found = layer.weight.shape[2], []
    for tap in range(kernel * kernel):
        across, down = tap % kernel, tap // kernel
        rows = outputs.rows + (down - kernel // 2) * layer.dilation
        columns = outputs.columns + (across - kernel // 2) * layer.dilation
        weight = layer.weight[:, :, down, across]
        found.append(_inside(rows, columns, shape, weight[:, 0] if layer.is_depthwise else weight))
    return found


def _transposed_reads(step: Transposed, outputs: Places, shape: tuple[int, int]) -> list[_Found]:
    kernel, stride = step.weight.shape[-1], step.stride
    rows, columns = outputs.rows + step.cut, outputs.columns + step.cut
    found: list[_Found] = []
    # Outputs of one phase share their taps; there are few outputs.
    phases = np.stack([rows % stride, columns % stride], axis=1)
    for down, across in np.unique(phases, axis=0).tolist():
        here = np.flatnonzero((phases == (down, across)).all(axis=1))
        for a in range(down, kernel, stride):
            for b in range(across, kernel, stride):
                weight = step.weight[..., a, b].T
                outs, *rest = _inside(
                    (rows[here] - a) // stride, (columns[here] - b) // stride, shape, weight
                )
                found.append((here[outs], *rest))  # type: ignore[arg-type]
    return found


def _resize_reads(step: Resize, outputs: Places, shape: tuple[int, int]) -> list[_Found]:
    down, across = (
        axis_taps(out, size, step.align_corners, np.float64).at(where)
        for out, size, where in zip(
            outputs.shape, shape, (outputs.rows, outputs.columns), strict=True
        )
    )
    found: list[_Found] = []
    for rows, high in ((down.low, 1 - down.weight), (down.high, down.weight)):
        for columns, wide in ((across.low, 1 - across.weight), (across.high, across.weight)):
            share = high * wide
            read = np.flatnonzero(share > 0)
            found.append((read, rows[read], columns[read], None, share[read]))
    return found


def _inside(
    rows: np.ndarray, columns: np.ndarray, shape: tuple[int, int], weight: np.ndarray
) -> _Found:
    """Return the reads of one tap that do not fall into the padding."""
    outs = np.flatnonzero((rows >= 0) & (columns >= 0) & (rows < shape[0]) & (columns < shape[1]))
    return outs, rows[outs], columns[outs], weight, None
