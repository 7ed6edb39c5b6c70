"""The pyramid head without its concat tensor: exactly equal, about twice as fast.

With batch norm folded, the bottleneck is linear in the features and the level priors. A
convolution over an upsampled prior is a 1x1 product on its few bins for each kernel tap (V,
`level_taps`), spread over the grid with interpolation matrices whose rows are shifted by the
tap; rows that fall outside the map are zero, as the convolution's padding is. So only the
backbone's own channels need the full convolution, and what every bin adds stays known.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, NamedTuple, cast

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 - the field's own name for it
from torch import Tensor, nn

from pspgui.geometry import pooling_matrix
from pspgui.inference.activations import ClassifierWeights, LevelWeights
from pspgui.inference.resampling import tap_matrix
from pspgui.models.pspnet import PSPNet


class HeadOutputs(NamedTuple):
    """Everything the head computes for one image, as `Activations` names and lays it out."""

    level_priors: tuple[Tensor, ...]
    level_taps: tuple[Tensor, ...]
    local_cells: Tensor
    fused_cells: Tensor
    scores: Tensor


class _Reduction(NamedTuple):
    """One level: its 1x1 reduction (C_l, C) and bias, and its bottleneck part (C_l, k k K).

    A level that is not reduced has neither weight nor bias; `rectified`: whether a ReLU follows.
    """

    bins: int
    weight: Tensor | None
    bias: Tensor | None
    rectified: bool
    taps: Tensor


@dataclass(frozen=True, eq=False)
class FoldedHead:
    """Pyramid, bottleneck and classifier of a PSPNet in evaluation mode; build with `fold`.

    local_weight (K, C, k, k), bias (K,), classifier (N, K, c, c), classifier_bias (N,), all on
    one device and of one dtype. Not for training: dropout is left out.
    """

    levels: tuple[int, ...]
    align_corners: bool
    kernel: int
    pool: Literal["average", "max"]
    reductions: tuple[_Reduction, ...]
    local_weight: Tensor
    bias: Tensor
    classifier: Tensor
    classifier_bias: Tensor

    @classmethod
    def fold(
        cls, model: PSPNet, device: torch.device | str = "cpu", dtype: torch.dtype = torch.float32
    ) -> FoldedHead:
        """Return the folded head of `model`; folding itself is done in float64 on the CPU."""
        spec = model.spec

        def place(tensor: Tensor) -> Tensor:
            # The dtype first: not every device has float64.
            return tensor.detach().to(dtype).to(device).contiguous()

        reduced = [_fold_branch(cast(nn.Sequential, b)) for b in model.pyramid.branches]
        convolution = cast(nn.Conv2d, model.bottleneck[0])
        weight, bias = _fold_norm(convolution, cast(nn.BatchNorm2d, model.bottleneck[1]))
        channels = model.backbone.channels[-1]
        sizes = [channels if w is None else w.shape[0] for w, _, _ in reduced]
        if spec.concat == "features_first":
            local, *parts = torch.split(weight, [channels, *sizes], dim=1)
        else:
            *parts, local = torch.split(weight, [*sizes, channels], dim=1)
        reductions = tuple(
            _Reduction(
                bins,
                None if w is None else place(w.flatten(1)),
                None if c is None else place(c),
                rectified,
                # (K, C_l, k, k) -> (C_l, tap row, tap column, K): one product gives all taps.
                place(part.permute(1, 2, 3, 0).flatten(1)),
            )
            for bins, (w, c, rectified), part in zip(spec.levels, reduced, parts, strict=True)
        )
        offset = model.classifier.bias
        assert offset is not None
        return cls(
            levels=spec.levels,
            align_corners=spec.align_corners,
            kernel=convolution.kernel_size[0],
            pool=spec.pool,
            reductions=reductions,
            local_weight=place(local),
            bias=place(bias),
            classifier=place(model.classifier.weight),
            classifier_bias=place(offset),
        )

    def run(self, features: Tensor) -> HeadOutputs:
        """Compute the head for one image's features (1, C, h, w)."""
        local = F.conv2d(features, self.local_weight, padding=self.kernel // 2)
        return self.finish(features, local)

    def finish(self, features: Tensor, local: Tensor) -> HeadOutputs:
        """Compute the rest from one image's features and their convolution (1, K, h, w)."""
        if features.shape[0] != 1:
            raise ValueError("the folded head takes one image at a time")
        priors = self.priors(features[0])
        taps = tuple(self.taps(r, p) for r, p in zip(self.reductions, priors, strict=True))
        local_cells = local[0].permute(1, 2, 0).contiguous()
        fused = self.spread(taps, (features.shape[2], features.shape[3]))
        fused += local_cells
        fused += self.bias
        return HeadOutputs(priors, taps, local_cells, fused, self.classify(fused))

    def priors(self, features: Tensor) -> tuple[Tensor, ...]:
        """Pool (C, h, w) into every level's bins and reduce: one (C_l, b, b) map a level."""
        found = []
        for reduction, pooled in zip(self.reductions, self._pooled(features), strict=True):
            prior = pooled.flatten(1)
            if reduction.weight is not None and reduction.bias is not None:
                prior = torch.addmm(reduction.bias[:, None], reduction.weight, prior)
            if reduction.rectified:
                prior = prior.relu_()
            found.append(prior.view(-1, reduction.bins, reduction.bins))
        return tuple(found)

    def _pooled(self, features: Tensor) -> Iterator[Tensor]:
        """Yield (C, b, b) of every level."""
        if self.pool == "max":
            for bins in self.levels:
                yield F.adaptive_max_pool2d(features, bins)
            return
        height, width = features.shape[1:]
        columns = self._matrix([pooling_matrix(b, width) for b in self.levels], features)
        # All levels' column sums in one pass over the features; rows are a tiny product each.
        pooled_columns = torch.split(features @ columns.T, list(self.levels), dim=2)
        for bins, part in zip(self.levels, pooled_columns, strict=True):
            yield self._matrix([pooling_matrix(bins, height)], features) @ part

    def taps(self, reduction: _Reduction, prior: Tensor) -> Tensor:
        """Return V of one level, (k, b, k, b, K), see `Activations.level_taps`."""
        bins, kernel = reduction.bins, self.kernel
        product = prior.flatten(1).T @ reduction.taps
        return product.view(bins, bins, kernel, kernel, -1).permute(2, 0, 3, 1, 4).contiguous()

    def spread(self, taps: tuple[Tensor, ...], grid: tuple[int, int]) -> Tensor:
        """Return what the levels with these taps add to z over the grid, (h, w, K)."""
        rows, bands = [], []
        for bins, tap in zip(self.levels, taps, strict=True):
            side = self.kernel * bins
            columns = tap_matrix(grid[1], bins, self.kernel, self.align_corners)
            matrix = self._matrix([columns.reshape(grid[1], side)], tap)
            bands.append((matrix @ tap.view(side, side, -1)).flatten(1))
            rows.append(
                tap_matrix(grid[0], bins, self.kernel, self.align_corners).reshape(grid[0], side).T
            )
        return (self._matrix(rows, bands[0]).T @ torch.cat(bands)).view(*grid, -1)

    def classify(self, fused: Tensor) -> Tensor:
        """Return the (N, h, w) logits of pre-activations (h, w, K)."""
        hidden, reach = fused.relu(), self.classifier.shape[-1] // 2
        if reach:
            maps = hidden.permute(2, 0, 1)[None]
            return F.conv2d(maps, self.classifier, self.classifier_bias, padding=reach)[0]
        weight, cells = self.classifier.flatten(1), hidden.flatten(0, 1)
        scores = torch.addmm(self.classifier_bias[:, None], weight, cells.T)
        return scores.view(-1, *fused.shape[:2])

    def weights(self) -> ClassifierWeights:
        """Return the last layers in numpy, for evidence on the CPU."""
        return ClassifierWeights(
            self.classifier.cpu().numpy(),
            self.classifier_bias.cpu().numpy(),
            self.bias.cpu().numpy(),
            tuple(self._level_weights(reduction) for reduction in self.reductions),
            self.pool,
            self.local_weight.cpu().numpy(),
        )

    def _level_weights(self, reduction: _Reduction) -> LevelWeights:
        weight, bias = reduction.weight, reduction.bias
        taps = reduction.taps.view(-1, self.kernel, self.kernel, len(self.bias))
        return LevelWeights(
            None if weight is None else weight.cpu().numpy(),
            None if bias is None else bias.cpu().numpy(),
            reduction.rectified,
            taps.cpu().numpy(),
        )

    @staticmethod
    def _matrix(blocks: list[np.ndarray], like: Tensor) -> Tensor:
        """Stack float64 matrices by rows into one tensor beside `like`."""
        return torch.from_numpy(np.concatenate(blocks)).to(like.dtype).to(like.device)


def _fold_branch(branch: nn.Sequential) -> tuple[Tensor | None, Tensor | None, bool]:
    """Return (weight, bias, whether a ReLU follows) of the layers after a level's pooling."""
    layers = list(branch)[1:]
    if not layers:
        return None, None, False
    convolution, *after = layers
    assert isinstance(convolution, nn.Conv2d)
    rectified = bool(after) and isinstance(after[-1], nn.ReLU)
    if after and isinstance(after[0], nn.BatchNorm2d):
        return *_fold_norm(convolution, after[0]), rectified
    weight = convolution.weight.detach().cpu().double()
    bias = torch.zeros(len(weight), dtype=torch.float64)
    if convolution.bias is not None:
        bias = convolution.bias.detach().cpu().double()
    return weight, bias, rectified


def _fold_norm(convolution: nn.Conv2d, norm: nn.BatchNorm2d) -> tuple[Tensor, Tensor]:
    """Return (weight, bias) in float64 on the CPU of a convolution and the norm after it."""
    assert norm.running_mean is not None and norm.running_var is not None
    weight, gamma, beta, mean, variance = (
        t.detach().cpu().double()
        for t in (
            convolution.weight, norm.weight, norm.bias, norm.running_mean, norm.running_var
        )
    )  # fmt: skip
    scale = gamma / torch.sqrt(variance + norm.eps)
    bias = beta - mean * scale
    if convolution.bias is not None:
        bias = bias + convolution.bias.detach().cpu().double() * scale
    return weight * scale[:, None, None, None], bias
