"""Evidence of networks without a pyramid of bins: branches of DeepLabV3, taps of a dilated FCN.

All gates stay as they are and the gradient of one logit is followed back to the map where the
parts stand beside each other; what biases add on the way is the constant.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from pspgui.evidence.psp_reads import cells_of, checked_pixel, pixels_of
from pspgui.evidence.readings import (
    BranchEvidence,
    OpenedSource,
    Reading,
    Source,
    Target,
)
from pspgui.evidence.sparse import Patch, patch_of
from pspgui.evidence.targets import aim, offset_of, row_of
from pspgui.geometry import Pixel, Rect
from pspgui.inference.activations import Activations
from pspgui.inference.heads.aspp import ASPPWeights
from pspgui.inference.heads.dilated import ConvolutionWeights
from pspgui.inference.layers import Layer


class SplitEvidence(ABC):
    """Answers for one image by the split. Immutable after construction: any thread may ask."""

    readings: ClassVar[tuple[Reading, ...]] = ("split",)

    def __init__(
        self, activations: Activations, weights: ASPPWeights | ConvolutionWeights
    ) -> None:
        self.activations = activations
        self._classifier, self._biases = weights.classifier, weights.classifier_bias
        self._maps = dict(activations.maps)

    def at(
        self, pixel: tuple[int, int], target: Target | None = None, reading: Reading = "split"
    ) -> BranchEvidence:
        """Split the logit of a pixel (y, x); without a target the winner's margin.

        Raises IndexError for a pixel outside the image or an unknown class, ValueError for a
        class compared with itself or another reading.
        """
        if reading not in self.readings:
            raise ValueError(f"this network's evidence is read as {', '.join(self.readings)}")
        place, goal, logit, patch = self._begin(pixel, target)
        constant = offset_of(self._biases, goal)
        parts, biases = self._split(patch)
        return BranchEvidence(place, goal, logit, constant + biases, tuple(parts))

    def margin_target(self, pixel: tuple[int, int]) -> Target:
        """Return the winner and runner-up at a pixel; one class alone has no runner-up."""
        return aim(self.activations, checked_pixel(self.activations, pixel), None)[0]

    def open(
        self, pixel: tuple[int, int], source: Source, target: Target | None = None
    ) -> OpenedSource:
        """Open a source into the cells of the backbone's grid; raises as `at` does."""
        _, goal, _, patch = self._begin(pixel, target)
        values, constant = self._opened(patch, source)
        values.flags.writeable = False
        return OpenedSource(source, goal, values, constant)

    @abstractmethod
    def _split(self, patch: Patch) -> tuple[list[Source], float]:
        """Return the sources of a gradient at the classifier's input, and what biases add."""

    @abstractmethod
    def _opened(self, patch: Patch, source: Source) -> tuple[np.ndarray, float]:
        """Return a source's parts by cell, (h, w), and what its biases add."""

    def _begin(
        self, pixel: tuple[int, int], target: Target | None
    ) -> tuple[Pixel, Target, float, Patch]:
        place = checked_pixel(self.activations, pixel)
        goal, logit = aim(self.activations, place, target)
        cells = cells_of(self.activations, place)
        return place, goal, logit, patch_of(cells, row_of(self._classifier, goal))

    def _back(self, patch: Patch, layers: Sequence[Layer]) -> tuple[Patch, float]:
        """Pass layers that have no ReLU between them; return what their biases add, too."""
        biases = 0.0
        for layer in reversed(layers):
            biases += patch.bias_part(layer.bias)
            patch = patch.through(layer, self.activations.grid)
        return patch, biases

    def _region(self, patch: Patch) -> Rect:
        """Return the rectangle of image pixels around a patch's cells."""
        if not len(patch.rows):
            return Rect(0, 0, 0, 0)
        return pixels_of(
            self.activations, int(patch.rows.min()), int(patch.rows.max()) + 1,
            int(patch.columns.min()), int(patch.columns.max()) + 1,
        )  # fmt: skip


class ASPPEvidence(SplitEvidence):
    """What each branch of a DeepLabV3 adds: the 1x1, the atrous ones, the pooled image."""

    def __init__(self, activations: Activations, weights: ASPPWeights) -> None:
        super().__init__(activations, weights)
        self.weights = weights

    def _joint(self, patch: Patch) -> tuple[Patch, float]:
        """Follow the gradient to the branches' concatenated maps."""
        biases = 0.0
        if self.weights.decoder:
            patch, biases = self._back(patch.gated(self._maps["Decoder"]), self.weights.decoder)
        patch, more = self._back(patch.gated(self._maps["Project"]), self.weights.project)
        return patch, biases + more

    def _split(self, patch: Patch) -> tuple[list[Source], float]:
        joint, biases = self._joint(patch)
        sources, begin = [], 0
        for index, (title, layers) in enumerate(self.weights.branches.items()):
            maps = self._maps[title]
            part = joint.channels(slice(begin, begin + len(maps)))
            begin += len(maps)
            if title == self.weights.pool:
                value = float(part.gradient.sum(axis=0) @ maps[:, 0, 0])
                height, width = self.activations.image_shape
                region, share = Rect(0, 0, height, width), 1.0
            else:
                value = float(part.parts(maps).sum())
                region, share = self._reads(part, layers)
            sources.append(
                Source("branch", index, 0, 0, value, share, share > 0, region, title)
            )
        return sources, biases

    def _opened(self, patch: Patch, source: Source) -> tuple[np.ndarray, float]:
        joint, _ = self._joint(patch)
        title = list(self.weights.branches)[source.level]
        sizes = [len(self._maps[t]) for t in self.weights.branches]
        begin = sum(sizes[: source.level])
        part = joint.channels(slice(begin, begin + sizes[source.level]))
        layers, features = self.weights.branches[title], self.activations.features
        if title != self.weights.pool:
            back, biases = self._back(part.gated(self._maps[title]), layers)
            return back.scattered(back.parts(features), self.activations.grid), biases
        (layer,) = layers
        pull = part.gradient.sum(axis=0) * (self._maps[title][:, 0, 0] > 0)
        values = np.tensordot(pull @ layer.weight[:, :, 0, 0], features, axes=1)
        return values / values.size, float(pull @ layer.bias)

    def constellation(
        self, pixel: tuple[int, int], source: Source
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the cells that a branch reads for a pixel, and those it would in the padding.

        Both (P, 2) int of (row, column); a branch whose taps are mostly of the second kind is
        little more than its middle tap.
        """
        _, _, _, patch = self._begin(pixel, None)
        joint, _ = self._joint(patch)
        title = list(self.weights.branches)[source.level]
        height, width = self.activations.grid
        if title == self.weights.pool:
            return np.argwhere(np.ones((height, width), bool)), np.empty((0, 2), int)
        places = np.stack([joint.rows, joint.columns], axis=1)
        for layer in reversed(self.weights.branches[title]):
            step = (np.arange(layer.weight.shape[2]) - layer.weight.shape[2] // 2) * layer.dilation
            taps = np.stack(np.meshgrid(step, step, indexing="ij"), axis=-1).reshape(-1, 2)
            places = np.unique((places[:, None] + taps).reshape(-1, 2), axis=0)
        inside = ((places >= 0) & (places < (height, width))).all(axis=1)
        return places[inside], places[~inside]

    def _reads(self, part: Patch, layers: Sequence[Layer]) -> tuple[Rect, float]:
        """Return the region around the cells a branch reads, and the share of taps inside."""
        height, width = self.activations.grid
        reach = sum(layer.dilation * (layer.weight.shape[2] // 2) for layer in layers)
        spread = max((layer for layer in layers), key=lambda layer: layer.weight.shape[2])
        step = (np.arange(spread.weight.shape[2]) - spread.weight.shape[2] // 2) * spread.dilation
        rows, columns = part.rows[:, None] + step, part.columns[:, None] + step
        inside = ((rows >= 0) & (rows < height)).sum(axis=1) * (
            (columns >= 0) & (columns < width)
        ).sum(axis=1)
        region = pixels_of(
            self.activations,
            max(0, int(part.rows.min()) - reach), min(height, int(part.rows.max()) + reach + 1),
            max(0, int(part.columns.min()) - reach),
            min(width, int(part.columns.max()) + reach + 1),
        )  # fmt: skip
        return region, float(inside.sum() / (len(inside) * len(step) ** 2))


class TapEvidence(SplitEvidence):
    """What each tap of a dilated FCN's first convolution adds: nine neighbours of the pixel."""

    def __init__(self, activations: Activations, weights: ConvolutionWeights) -> None:
        super().__init__(activations, weights)
        self.weights = weights

    def _first(self, patch: Patch) -> tuple[Patch, float]:
        """Follow the gradient to before the first convolution's output."""
        biases = 0.0
        layers = list(zip(self.weights.titles, self.weights.layers, strict=True))
        for title, layer in reversed(layers[1:]):
            patch, more = self._back(patch.gated(self._maps[title]), (layer,))
            biases += more
        patch = patch.gated(self._maps[layers[0][0]])
        return patch, biases + patch.bias_part(layers[0][1].bias)

    def _split(self, patch: Patch) -> tuple[list[Source], float]:
        patch, biases = self._first(patch)
        kernel = self.weights.layers[0].weight.shape[2]
        sources = []
        for row in range(kernel):
            for column in range(kernel):
                tap = self._tap(patch, row, column)
                value = float(tap.parts(self.activations.features).sum())
                share = len(tap.rows) / len(patch.rows)
                title = f"tap {row - kernel // 2:+d}, {column - kernel // 2:+d}"
                sources.append(
                    Source("local", kernel, row, column, value, share, share > 0,
                           self._region(tap), title)
                )  # fmt: skip
        return sources, biases

    def _opened(self, patch: Patch, source: Source) -> tuple[np.ndarray, float]:
        patch, _ = self._first(patch)
        tap = self._tap(patch, source.row, source.col)
        return tap.scattered(tap.parts(self.activations.features), self.activations.grid), 0.0

    def _tap(self, patch: Patch, row: int, column: int) -> Patch:
        """Return the gradient at the features that one tap reads."""
        layer, (height, width) = self.weights.layers[0], self.activations.grid
        middle = layer.weight.shape[2] // 2
        rows = patch.rows + (row - middle) * layer.dilation
        columns = patch.columns + (column - middle) * layer.dilation
        inside = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
        gradient = patch.gradient[inside] @ layer.weight[:, :, row, column]
        return Patch(rows[inside], columns[inside], gradient)
