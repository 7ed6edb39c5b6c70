"""Evidence of networks without a pyramid of bins: branches of DeepLabV3, taps of a dilated FCN."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from pspgui.evidence.chain import Chain, Places, Wire, opened
from pspgui.evidence.naming import tap_words
from pspgui.evidence.parts import Aimed, Parts, PartsEvidence, branches
from pspgui.evidence.psp_reads import pixels_of
from pspgui.evidence.readings import ChannelShares, PixelEvidence, Reading, Source
from pspgui.geometry import Rect
from pspgui.inference.activations import Activations
from pspgui.inference.head_weights import ASPPWeights, ConvolutionWeights, JointWeights
from pspgui.inference.layers import RELU, Layer, Step


class ASPPEvidence(PartsEvidence):
    """What each branch of a DeepLabV3 adds: the 1x1, the atrous ones, the pooled image."""

    def __init__(self, activations: Activations, weights: ASPPWeights) -> None:
        super().__init__(activations, weights.classifier, weights.classifier_bias)
        self.weights = weights
        self._titles = tuple(weights.branches)
        ends = np.cumsum([0, *(len(self._maps[title]) for title in self._titles)]).tolist()
        self._channels = [slice(a, b) for a, b in pairwise(ends)]

    @property
    def _rectifiers(self) -> int:
        return 1 + bool(self.weights.decoder)

    def _chain(self, outputs: Places) -> Chain:
        steps: list[Step] = [*self.weights.project, RELU]
        if self.weights.decoder:
            steps += [*self.weights.decoder, RELU]
        return Chain(steps, [self.activations.grid] * len(steps), outputs)

    def _parts(self, places: Places) -> Parts:
        """Return every branch's own channels of the concatenation, the others zero."""
        kind, width = self.activations.features.dtype, self._channels[-1].stop
        found = np.zeros((len(self._titles), len(places.rows), width), kind)
        for part, title, channels in zip(found, self._titles, self._channels, strict=True):
            maps = self._maps[title]
            pooled = title == self.weights.pool
            part[:, channels] = maps[:, 0, 0] if pooled else places.of(maps)
        return Parts(found, np.zeros(width, kind))

    def _found(
        self, aimed: Aimed, places: Places, values: np.ndarray, constant: float, reading: Reading
    ) -> PixelEvidence:
        sources = []
        for index, (title, value) in enumerate(zip(self._titles, values.tolist(), strict=True)):
            if title == self.weights.pool:
                region, share = Rect(0, 0, *self.activations.image_shape), 1.0
            else:
                region, share = self._reads(places, self.weights.branches[title])
            sources.append(Source("branch", index, 0, 0, value, share, share > 0, region, title))
        return branches(aimed, sources, constant, reading)

    def _opened(
        self, places: Places, gradient: np.ndarray, source: Source
    ) -> tuple[np.ndarray, float]:
        title, features = self._titles[source.level], self.activations.features
        pull, maps = gradient[:, self._channels[source.level]], self._maps[title]
        layers = self.weights.branches[title]
        if title != self.weights.pool:
            chain = Chain(layers, [self.activations.grid] * len(layers), places)
            back, biases = chain.back(pull * (places.of(maps) > 0), ())
            parts = np.einsum("pc,pc->p", back, chain.start.of(features))
            return chain.start.scattered(parts), biases
        (layer,) = layers
        whole = pull.sum(axis=0) * (maps[:, 0, 0] > 0)
        values = np.tensordot(whole @ layer.weight[:, :, 0, 0], features, axes=1)
        return values / values.size, float(whole @ layer.bias)

    def _steps_behind(self, title: str, outputs: Places) -> Chain | None:
        if title == "Project" and self.weights.decoder:
            steps: list[Step] = [*self.weights.decoder, RELU]
        elif title in ("Project", "Decoder"):
            steps = []
        else:
            return None
        return Chain(steps, [self.activations.grid] * len(steps), outputs)

    def _channels_of(
        self, title: str, places: Places, gradient: np.ndarray
    ) -> ChannelShares:
        if title:
            maps, own = self._maps[title], self._channels[self._titles.index(title)]
            values = maps[:, 0, 0] if title == self.weights.pool else places.of(maps)
            return ChannelShares((gradient[:, own] * values).sum(axis=0), 0.0)
        features, biases = self.activations.features, 0.0
        found = np.zeros(len(features), gradient.dtype)
        for name, own in zip(self._titles, self._channels, strict=True):
            maps, layers, pull = self._maps[name], self.weights.branches[name], gradient[:, own]
            if name == self.weights.pool:
                whole = pull.sum(axis=0) * (maps[:, 0, 0] > 0)
                found += whole @ layers[0].weight[:, :, 0, 0] * features.mean(axis=(1, 2))
                biases += float(whole @ layers[0].bias)
                continue
            chain = Chain(layers, [self.activations.grid] * len(layers), places)
            back, more = chain.back(pull * (places.of(maps) > 0), ())
            found += np.einsum("pc,pc->c", back, chain.start.of(features))
            biases += more
        return ChannelShares(found, biases)

    def constellation(
        self, pixel: tuple[int, int], source: Source
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the cells that a branch reads for a pixel, and those it would in the padding.

        Both (P, 2) int of (row, column); a branch whose taps are mostly of the second kind is
        little more than its middle tap.
        """
        start = self._chain(self._aim(pixel, None).places).start
        title = self._titles[source.level]
        height, width = self.activations.grid
        if title == self.weights.pool:
            return np.argwhere(np.ones((height, width), bool)), np.empty((0, 2), int)
        places = np.stack([start.rows, start.columns], axis=1)
        for layer in reversed(self.weights.branches[title]):
            step = _steps(layer)
            taps = np.stack(np.meshgrid(step, step, indexing="ij"), axis=-1).reshape(-1, 2)
            places = np.unique((places[:, None] + taps).reshape(-1, 2), axis=0)
        inside = ((places >= 0) & (places < (height, width))).all(axis=1)
        return places[inside], places[~inside]

    def lost_reads(self, pixel: tuple[int, int], source: Source) -> tuple[int, int]:
        """Return how many reads of a branch fall into the padding, and how many there are."""
        places = self._chain(self._aim(pixel, None).places).start
        layers = self.weights.branches[self._titles[source.level]]
        taps = max(layer.weight.shape[2] for layer in layers) ** 2
        reads = len(places.rows) * taps
        return round(reads * (1 - self._reads(places, layers)[1])), reads

    def _reads(self, places: Places, layers: Sequence[Layer]) -> tuple[Rect, float]:
        """Return the region around the cells a branch reads, and the share of taps inside."""
        height, width = self.activations.grid
        reach = sum(layer.dilation * (layer.weight.shape[2] // 2) for layer in layers)
        step = _steps(max(layers, key=lambda layer: layer.weight.shape[2]))
        rows, columns = places.rows[:, None] + step, places.columns[:, None] + step
        inside = ((rows >= 0) & (rows < height)).sum(axis=1) * (
            (columns >= 0) & (columns < width)
        ).sum(axis=1)
        region = pixels_of(
            self.activations,
            max(0, int(places.rows.min()) - reach),
            min(height, int(places.rows.max()) + reach + 1),
            max(0, int(places.columns.min()) - reach),
            min(width, int(places.columns.max()) + reach + 1),
        )
        return region, float(inside.sum() / (len(inside) * len(step) ** 2))


class _Taps(NamedTuple):
    """A dilated FCN's first convolution at some cells: reads, parts, sources without values."""

    wire: Wire
    parts: Parts
    sources: tuple[Source, ...]


class TapEvidence(PartsEvidence):
    """What each tap of a dilated FCN's first convolution adds: nine neighbours of the pixel."""

    def __init__(self, activations: Activations, weights: ConvolutionWeights) -> None:
        super().__init__(activations, weights.classifier, weights.classifier_bias)
        self.weights = weights
        self._last: tuple[bytes, _Taps] | None = None

    @property
    def _rectifiers(self) -> int:
        return len(self.weights.layers)

    def _chain(self, outputs: Places) -> Chain:
        steps: list[Step] = [RELU]
        for layer in self.weights.layers[1:]:
            steps += [layer, RELU]
        return Chain(steps, [self.activations.grid] * len(steps), outputs)

    def _parts(self, places: Places) -> Parts:
        """Return what every tap of the first convolution brings to the places."""
        return self._taps(places).parts

    def _taps(self, places: Places) -> _Taps:
        """Return the first convolution at the places."""
        # Reading all its weights is most of the work, and a pointer stays among the same cells.
        key, last = places.rows.tobytes() + places.columns.tobytes(), self._last
        if last is not None and last[0] == key:
            return last[1]
        first, wire = self.weights.layers[0], Wire(self.weights.layers[0], places,
                                                   self.activations.grid)  # fmt: skip
        features = wire.inputs.of(self.activations.features)[None]
        found = np.zeros((len(wire.reads), len(places.rows), len(first.bias)), features.dtype)
        for part, read in zip(found, wire.reads, strict=True):
            part[read.outputs] = read.forward(features)[0]
        kernel, sources = self._kernel, []
        for index, read in enumerate(wire.reads):
            row, column = divmod(index, kernel)
            share = len(read.outputs) / len(places.rows)
            rows, columns = wire.inputs.rows[read.inputs], wire.inputs.columns[read.inputs]
            region = self._around(Places(rows, columns, places.shape))
            title = tap_words(row, column, kernel, first.dilation)
            sources.append(
                Source("local", kernel, row, column, 0.0, share, share > 0, region, title)
            )
        taps = _Taps(wire, Parts(found, first.bias), tuple(sources))
        self._last = key, taps  # by now another thread may have kept others: these are returned
        return taps

    def _reached(self, places: Places, count: int) -> np.ndarray:
        """Return which taps do not always fall into the padding."""
        return np.array([len(read.outputs) > 0 for read in self._wire(places).reads])

    def _found(
        self, aimed: Aimed, places: Places, values: np.ndarray, constant: float, reading: Reading
    ) -> PixelEvidence:
        sources = [
            source._replace(value=value)
            for source, value in zip(self._taps(places).sources, values.tolist(), strict=True)
        ]
        return branches(aimed, sources, constant, reading)

    def _opened(
        self, places: Places, gradient: np.ndarray, source: Source
    ) -> tuple[np.ndarray, float]:
        wire = self._wire(places)
        read = wire.reads[source.row * self._kernel + source.col]
        features = wire.inputs.of(self.activations.features)
        parts = np.zeros(len(wire.inputs.rows), features.dtype)
        parts[read.inputs] = (read.backward(gradient) * features[read.inputs]).sum(axis=1)
        return wire.inputs.scattered(parts), 0.0

    def _steps_behind(self, title: str, outputs: Places) -> Chain | None:
        if not title:
            return None
        later = self.weights.layers[self.weights.titles.index(title) + 1 :]
        steps: list[Step] = [step for layer in later for step in (layer, RELU)]
        return Chain(steps, [self.activations.grid] * len(steps), outputs)

    def _channels_of(
        self, title: str, places: Places, gradient: np.ndarray
    ) -> ChannelShares:
        wire = self._wire(places)
        back, _ = wire.backward(gradient)
        features = wire.inputs.of(self.activations.features)
        return ChannelShares(np.einsum("pc,pc->c", back, features), 0.0)

    @property
    def _kernel(self) -> int:
        return int(self.weights.layers[0].weight.shape[2])

    def _wire(self, places: Places) -> Wire:
        return self._taps(places).wire


class JointEvidence(PartsEvidence):
    """What a dilated FCN reads of the features directly, and what through its convolutions."""

    def __init__(self, activations: Activations, weights: JointWeights) -> None:
        super().__init__(activations, weights.classifier, weights.classifier_bias)
        self.weights = weights

    @property
    def _rectifiers(self) -> int:
        return 1

    def _chain(self, outputs: Places) -> Chain:
        return Chain([self.weights.joint, RELU], [self.activations.grid] * 2, outputs)

    def _parts(self, places: Places) -> Parts:
        """Return the features' and the convolutions' channels of what `joint` reads."""
        direct = places.of(self.activations.features)
        convolved = places.of(self._maps[self.weights.titles[-1]])
        width = direct.shape[1]
        found = np.zeros((2, len(direct), width + convolved.shape[1]), direct.dtype)
        found[0, :, :width], found[1, :, width:] = direct, convolved
        return Parts(found, np.zeros(found.shape[2], direct.dtype))

    def _found(
        self, aimed: Aimed, places: Places, values: np.ndarray, constant: float, reading: Reading
    ) -> PixelEvidence:
        read = (places, self._convolutions(places).start)
        titles = ("features, direct", "features, convolved")
        sources = [
            Source("branch", index, 0, 0, value, 1.0, True, self._around(read[index]), title)
            for index, (title, value) in enumerate(zip(titles, values.tolist(), strict=True))
        ]
        return branches(aimed, sources, constant, reading)

    def _opened(
        self, places: Places, gradient: np.ndarray, source: Source
    ) -> tuple[np.ndarray, float]:
        features, biases = self.activations.features, 0.0
        if source.level == 0:
            pull = gradient[:, : len(features)]
        else:
            chain = self._convolutions(places)
            gates = [
                opened(RELU, where.of(self._maps[title])[None])
                for where, title in zip(chain.gated, self.weights.titles, strict=True)
            ]
            pull, biases = chain.back(gradient[:, len(features) :], gates)
            places = chain.start
        return places.scattered((pull * places.of(features)).sum(axis=1)), biases

    def _steps_behind(self, title: str, outputs: Places) -> Chain | None:
        return Chain([], [], outputs) if title == "Joint" else None

    def _channels_of(
        self, title: str, places: Places, gradient: np.ndarray
    ) -> ChannelShares:
        features, pull = self.activations.features, gradient[:, len(self.activations.features) :]
        first = self.weights.titles.index(title) + 1 if title else 0
        chain = self._convolutions(places, first)
        gates = [
            opened(RELU, where.of(self._maps[name])[None])
            for where, name in zip(chain.gated, self.weights.titles[first:], strict=True)
        ]
        back, biases = chain.back(pull, gates)
        read = chain.start.of(self._maps[title] if title else features)
        values = np.einsum("pc,pc->c", back, read)
        if not title:
            values += np.einsum("pc,pc->c", gradient[:, : len(features)], places.of(features))
        return ChannelShares(values, biases)

    def _convolutions(self, places: Places, first: int = 0) -> Chain:
        """Return the convolutions before `joint`, some left out, to their output at some places."""
        layers = self.weights.layers[first:]
        steps: list[Step] = [step for layer in layers for step in (layer, RELU)]
        return Chain(steps, [self.activations.grid] * len(steps), places)


def _steps(layer: Layer) -> np.ndarray:
    """Return how far a layer's taps reach along one axis, (k,)."""
    kernel = layer.weight.shape[2]
    found: np.ndarray = (np.arange(kernel) - kernel // 2) * layer.dilation
    return found
