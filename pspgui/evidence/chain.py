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

    No output and no input comes twice. `weight` is (O, I), or (C,) for channels by themselves.
    """

    outputs: np.ndarray
    inputs: np.ndarray
    weight: np.ndarray

    def forward(self, values: np.ndarray) -> np.ndarray:
        """Return what the outputs get, (V, n, O), of the inputs' values (V, P, I)."""
        read = values[:, self.inputs]
        found: np.ndarray = read @ self.weight.T if self.weight.ndim == 2 else read * self.weight
        return found

    def backward(self, gradient: np.ndarray) -> np.ndarray:
        """Return what the inputs get, (n, I), of the outputs' gradient (Q, O)."""
        read = gradient[self.outputs]
        found: np.ndarray = read @ self.weight if self.weight.ndim == 2 else read * self.weight
        return found


class Wire:
    """One step with weights at some places of its output; reads in the padding are left out."""

    def __init__(
        self, step: Layer | Transposed | Scale, outputs: Places, shape: tuple[int, int]
    ) -> None:
        """`shape` is that of the map that the step reads."""
        self.outputs = outputs
        if isinstance(step, Layer):
            found = _layer_reads(step, outputs, shape)
        elif isinstance(step, Transposed):
            found = _transposed_reads(step, outputs, shape)
        else:
            everything = np.arange(len(outputs.rows))
            found = [(everything, outputs.rows, outputs.columns, step.factor)]
        self.inputs, places = _numbered([(rows, columns) for _, rows, columns, _ in found], shape)
        self.reads = [
            Read(outs, ins, weight) for (outs, _, _, weight), ins in zip(found, places, strict=True)
        ]
        self.bias = step.offset if isinstance(step, Scale) else step.bias

    def forward(self, values: np.ndarray) -> np.ndarray:
        """Return the step's output at its places, (V, Q, O), of V variants (V, P, I)."""
        found = np.zeros((len(values), len(self.outputs.rows), len(self.bias)), values.dtype)
        for read in self.reads:
            found[:, read.outputs] += read.forward(values)
        found += self.bias
        return found

    def backward(self, gradient: np.ndarray) -> tuple[np.ndarray, float]:
        """Return the gradient at the inputs, (P, I), and what the biases add to the logit."""
        width = self.reads[0].weight.shape[-1]
        found = np.zeros((len(self.inputs.rows), width), gradient.dtype)
        for read in self.reads:
            found[read.inputs] += read.backward(gradient)
        return found, float(gradient.sum(axis=0) @ self.bias)


class Mixture:
    """Bilinear interpolation at some places of its output."""

    def __init__(self, step: Resize, outputs: Places, shape: tuple[int, int]) -> None:
        """`shape` is that of the map that is interpolated."""
        down, across = (
            axis_taps(out, size, step.align_corners, np.float64).at(where)
            for out, size, where in zip(
                outputs.shape, shape, (outputs.rows, outputs.columns), strict=True
            )
        )
        rows = ((down.low, 1 - down.weight), (down.high, down.weight))
        columns = ((across.low, 1 - across.weight), (across.high, across.weight))
        found = [
            (np.flatnonzero(high * wide > 0), row, column, high * wide)
            for row, high in rows
            for column, wide in columns
        ]
        self.inputs, places = _numbered([(row[q], col[q]) for q, row, col, _ in found], shape)
        self._weights = np.zeros((len(outputs.rows), len(self.inputs.rows)))
        for (outs, _, _, share), ins in zip(found, places, strict=True):
            # Beyond the last cell both neighbours are that cell.
            np.add.at(self._weights, (outs, ins), share[outs])

    def forward(self, values: np.ndarray) -> np.ndarray:
        """Return the interpolated values, (V, Q, C), of V variants (V, P, C)."""
        found: np.ndarray = self._weights.astype(values.dtype) @ values
        return found

    def backward(self, gradient: np.ndarray) -> tuple[np.ndarray, float]:
        """Return the gradient at the inputs, (P, C); there are no biases."""
        found: np.ndarray = self._weights.T.astype(gradient.dtype) @ gradient
        return found, 0.0


class Chain:
    """Steps that follow one another, at the places of their maps that some outputs need."""

    def __init__(
        self, steps: Sequence[Step], shapes: Sequence[tuple[int, int]], outputs: Places
    ) -> None:
        """`shapes` are those of the maps that the steps read, one each."""
        self.start = outputs
        self.gated: list[Places] = []  # of every rectifier, in order
        self._walk: list[Wire | Mixture | Rectifier] = []
        for step, shape in zip(reversed(steps), reversed(shapes), strict=True):
            if isinstance(step, Rectifier):
                self._walk.insert(0, step)
                self.gated.insert(0, self.start)
            else:
                kind = Mixture if isinstance(step, Resize) else Wire
                wire = kind(step, self.start, shape)
                self._walk.insert(0, wire)
                self.start = wire.inputs

    def run(self, values: np.ndarray) -> tuple[np.ndarray, list[np.ndarray]]:
        """Return the output (V, Q, O) of V variants (V, P, I) at `start`, and how open gates are.

        The gates of every rectifier are like what passes it.
        """
        return _through(self._walk, values)

    def before_last(self, values: np.ndarray) -> np.ndarray:
        """Return what enters the last step, (V, Q, O), of V variants (V, P, I) at `start`."""
        return _through(self._walk[:-1], values)[0]

    def back(self, gradient: np.ndarray, gates: Sequence[np.ndarray]) -> tuple[np.ndarray, float]:
        """Return the gradient at `start`, (P, I), and what all biases add to the logit.

        Of gates of several variants, those of the first count.
        """
        left, biases = list(gates), 0.0
        for step in reversed(self._walk):
            if not isinstance(step, Rectifier):
                gradient, more = step.backward(gradient)
                biases += more
            else:
                gradient = gradient * left.pop()[0]
        return gradient, biases


def _through(
    walk: Sequence[Wire | Mixture | Rectifier], values: np.ndarray
) -> tuple[np.ndarray, list[np.ndarray]]:
    """Return what comes out of steps, and how open the gates of their rectifiers are."""
    gates = []
    for step in walk:
        if not isinstance(step, Rectifier):
            values = step.forward(values)
        else:
            gates.append(opened(step, values))
            values = values * gates[-1]
    return values, gates


def opened(step: Rectifier, values: np.ndarray) -> np.ndarray:
    """Return how far a rectifier lets values through; of its output, too, for slopes above zero."""
    found: np.ndarray = np.where(values > 0, values.dtype.type(1), step.slope.astype(values.dtype))
    return found


# Cells from the first to the last that are read, above which they are sorted.
_TABLE_CELLS = 1 << 13

# Outputs, rows and columns they read, and weight: a `Read` before inputs are numbered.
_Found = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]


def _numbered(
    reads: list[tuple[np.ndarray, np.ndarray]], shape: tuple[int, int]
) -> tuple[Places, list[np.ndarray]]:
    """Return all cells that are read, each once, and the index among them of every read."""
    read = np.concatenate([rows * shape[1] + columns for rows, columns in reads])
    first = int(read.min()) if len(read) else 0
    span = int(read.max()) - first + 1 if len(read) else 0
    if span <= _TABLE_CELLS:  # a look-up takes a third of the time of sorting
        table = np.zeros(span, np.intp)
        table[read - first] = 1
        keys = table.nonzero()[0]
        table[keys] = np.arange(len(keys))
        places, keys = table[read - first], keys + first
    else:
        keys, places = np.unique(read, return_inverse=True)
    found, start = [], 0
    for rows, _ in reads:
        found.append(places[start : start + len(rows)])
        start += len(rows)
    return Places(keys // shape[1], keys % shape[1], shape), found


def _layer_reads(layer: Layer, outputs: Places, shape: tuple[int, int]) -> list[_Found]:
    kernel = layer.weight.shape[2]
    reach = (np.arange(kernel) - kernel // 2) * layer.dilation
    rows = outputs.rows + np.repeat(reach, kernel)[:, None]
    columns = outputs.columns + np.tile(reach, kernel)[:, None]
    inside = (rows >= 0) & (columns >= 0) & (rows < shape[0]) & (columns < shape[1])
    everything = np.arange(len(outputs.rows)) if inside.all() else None
    found = []
    for tap in range(kernel * kernel):
        weight = layer.weight[:, :, tap // kernel, tap % kernel]
        if layer.is_depthwise:
            weight = weight[:, 0]
        if everything is not None:
            found.append((everything, rows[tap], columns[tap], weight))
        else:
            outs = inside[tap].nonzero()[0]
            found.append((outs, rows[tap, outs], columns[tap, outs], weight))
    return found


def _transposed_reads(step: Transposed, outputs: Places, shape: tuple[int, int]) -> list[_Found]:
    kernel, stride = step.weight.shape[-1], step.stride
    rows, columns = outputs.rows + step.cut, outputs.columns + step.cut
    found: list[_Found] = []
    # Outputs of one phase share their taps; there are few outputs.
    phases = rows % stride * stride + columns % stride
    for phase in sorted(set(phases.tolist())):
        down, across = divmod(phase, stride)
        here = (phases == phase).nonzero()[0]
        for a in range(down, kernel, stride):
            for b in range(across, kernel, stride):
                weight = step.weight[..., a, b].T
                outs, ys, xs, weight = _inside(
                    (rows[here] - a) // stride, (columns[here] - b) // stride, shape, weight
                )
                found.append((here[outs], ys, xs, weight))
    return found


def _inside(
    rows: np.ndarray, columns: np.ndarray, shape: tuple[int, int], weight: np.ndarray
) -> _Found:
    """Return the reads of one tap that do not fall into the padding."""
    outs = np.flatnonzero((rows >= 0) & (columns >= 0) & (rows < shape[0]) & (columns < shape[1]))
    return outs, rows[outs], columns[outs], weight
