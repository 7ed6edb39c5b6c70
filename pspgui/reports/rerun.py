"""A network's last layers run anew by its own modules: what evidence is checked against.

Nothing here shares code with `pspgui.evidence`: the answers come from torch's autograd and from
forward passes in which a part is silenced where it leaves its module. torch is imported when used.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import numpy as np

if TYPE_CHECKING:
    from torch import Tensor, nn

    from pspgui.evidence import Evidence
    from pspgui.evidence.readings import PixelEvidence, Source, Target
    from pspgui.inference.activations import Activations
    from pspgui.inference.predictor import Predictor
    from pspgui.models.segmenter import Segmenter

_Change = Callable[["Tensor"], "Tensor"]


class Products(NamedTuple):
    """Gradient times input, summed over channels: one (h, w) map a stage of the backbone, and one
    for each module whose outputs stand beside each other.
    """

    stages: tuple[np.ndarray, ...]
    parts: tuple[np.ndarray, ...]


class Rerun:
    """The head of a predictor's network on one image, in fp32 on the CPU. One thread at a time."""

    def __init__(
        self, predictor: Predictor, activations: Activations, pixels: np.ndarray
    ) -> None:
        """pixels: (H, W, 3) uint8 RGB, read again where the head needs more than `features`."""
        model = predictor.loaded.model
        # A silenced tap is a changed weight: of a copy, which shares the backbone.
        self.model: Segmenter = copy.deepcopy(
            model, {id(model.backbone): model.backbone, id(model.auxiliary): model.auxiliary}
        )
        self._known, self._predictor = activations, predictor
        self._pixels = pixels
        times = activations.reduction
        self._seen = activations.padded_shape[0] // times, activations.padded_shape[1] // times
        self._stages = self._read(predictor, pixels)

    def logit(
        self, pixel: tuple[int, int], target: Target, without: Source | None = None
    ) -> float:
        """Return the target's logit at a pixel (y, x), maybe with one source silent.

        Raises LookupError for a source that the network's modules cannot be run without.
        """
        import torch

        with torch.no_grad(), ExitStack() as changed:
            stages = self._stages
            if without is not None:
                stages = changed.enter_context(self._silenced(without))
            return float(self._at(stages, pixel, target))

    def products(self, pixel: tuple[int, int], target: Target) -> Products:
        """Return gradient times input at a pixel (y, x), by autograd."""
        import torch

        leaves: list[Tensor] = []

        def cut(outputs: Tensor) -> Tensor:
            leaves.append(outputs.detach().requires_grad_())
            return leaves[-1]

        modules = list(beside_each_other(self.model))
        with torch.enable_grad(), ExitStack() as changed:
            for module in modules:
                changed.enter_context(_changing(module, cut))
            stages = tuple(stage.clone().requires_grad_() for stage in self._stages)
            self._at(stages, pixel, target).backward()  # type: ignore[no-untyped-call]
        found = [_product(stage, stage) for stage in stages]
        inputs = [_unbiased(m, leaf) for m, leaf in zip(modules, leaves, strict=True)]
        return Products(
            tuple(found), tuple(_product(a, b) for a, b in zip(leaves, inputs, strict=True))
        )

    def shuffled(self, what: str, seed: int) -> Evidence:
        """Return the image's evidence by the same network with weights in a random order.

        what: "classifier", or "head" for every layer after the backbone, whose output stays.
        """
        from pspgui.evidence import evidence_of
        from pspgui.inference.predictor import Predictor

        model = copy.deepcopy(self.model, {id(self.model.backbone): self.model.backbone})
        model.auxiliary = None
        _shuffle(model, what, seed)
        model.backbone = _kept_stages(self._stages, model.backbone.channels)
        loaded, limit = self._predictor.loaded, self._predictor.max_pixels
        other = Predictor.of(replace(loaded, model=model), "cpu", "fp32", limit, "torch")
        found = evidence_of(other.set_image(self._pixels), other.weights)
        assert found is not None
        return found

    def _at(self, stages: tuple[Tensor, ...], pixel: tuple[int, int], target: Target) -> Tensor:
        """Return the target's logit from the backbone's stages, interpolated by torch."""
        scores = self.model.cells(stages, self._seen).scores
        wanted = [target.class_id] if target.versus is None else [target.class_id, target.versus]
        full = self.model.upsample(scores[:, wanted], self._known.padded_shape)
        values = full[0, :, pixel[0], pixel[1]]
        return values[0] if target.versus is None else values[0] - values[1]

    def _read(self, predictor: Predictor, pixels: np.ndarray) -> tuple[Tensor, ...]:
        """Return the stages that the head reads, last one last."""
        import torch

        from pspgui.inference.predictor import normalised
        from pspgui.inference.reducing import reduced

        features = torch.tensor(self._known.features)[None]
        if self.model.keep == 1 or self.model.auxiliary is not None:
            return (features,)
        seen = reduced(pixels, self._known.reduction)
        with torch.no_grad():
            inputs = normalised(torch.tensor(seen), predictor.spec, self._seen)
            stages: tuple[Tensor, ...] = self.model.backbone(inputs, self.model.keep)
        return (*stages[:-1], features)

    @contextmanager
    def _silenced(self, source: Source) -> Iterator[tuple[Tensor, ...]]:
        """Yield the backbone's stages while a source of the network is silent."""
        modules, stages = beside_each_other(self.model), self._stages
        with ExitStack() as changed:
            if source.kind == "bin":
                module = modules[self.model.spec.levels.index(source.level)]  # type: ignore[attr-defined]
                changed.enter_context(_changing(module, _without_bin(source)))
            elif source.kind == "level":
                module = modules[self.model.spec.levels.index(source.level)]  # type: ignore[attr-defined]
                changed.enter_context(_changing(module, lambda out: out * 0))
            elif source.kind in ("branch", "score") and modules:
                module = modules[source.level]
                changed.enter_context(_changing(module, lambda out: out - _unbiased(module, out)))
            elif source.kind == "local" and modules:
                # The levels go on saying what they read of the features.
                for level in modules:
                    changed.enter_context(_changing(level, _saying(level(stages[-1]))))
                stages = (stages[-1] * 0,)
            elif source.kind == "local":
                changed.enter_context(_without_tap(_first_convolution(self.model), source))
            elif self.model.spec.architecture == "fcn_stages" or source.title == "features":
                place = len(stages) - 1 - source.level
                stages = tuple(s * 0 if i == place else s for i, s in enumerate(stages))
            else:
                raise LookupError(f"{source.title} is no output of a module")
            yield stages


def beside_each_other(model: Segmenter) -> list[nn.Module]:
    """Return the modules whose outputs are a network's sources, in the order of its sources.

    Those of a pyramid's levels, of branches, of score maps; none where sources are none's outputs.
    """
    from pspgui.models.deeplabv3 import DeepLabV3
    from pspgui.models.fcn import FCN
    from pspgui.models.pspnet import PSPNet
    from pspgui.models.pspnet_upsample import PSPUpsample

    if isinstance(model, PSPNet):
        return list(model.pyramid.branches)
    if isinstance(model, PSPUpsample):
        return list(model.pyramid)
    if isinstance(model, DeepLabV3) and model.aspp is not None:
        return list(model.aspp.branches)
    return [model.score, *model.skip_scores] if isinstance(model, FCN) else []


def differences(found: PixelEvidence, products: Products) -> np.ndarray:
    """Return by how much the split's sources differ from gradient times input.

    Not for networks whose sources are no outputs of modules: see `Products` and opened cells.
    """
    from pspgui.evidence.readings import PyramidEvidence

    if isinstance(found, PyramidEvidence):
        levels = zip(found.levels.values(), products.parts, strict=True)
        gaps = [(level.values - product).ravel() for level, product in levels]
        return np.concatenate([*gaps, [found.local - products.stages[-1].sum()]])
    maps = products.parts or tuple(reversed(products.stages))
    values = np.array([source.value for source in found.sources])
    missed: np.ndarray = values - [product.sum() for product in maps[: len(values)]]
    return missed


def _shuffle(model: Segmenter, what: str, seed: int) -> None:
    """Permute the weights of the last layers, or of every layer after the backbone."""
    import torch

    generator = torch.Generator().manual_seed(seed)
    for layer in _scoring(model) if what == "classifier" else _after_backbone(model):
        weight = layer.weight.data
        order = torch.randperm(weight.numel(), generator=generator)
        weight.copy_(weight.flatten()[order].view_as(weight))


def _scoring(model: Segmenter) -> list[nn.Conv2d]:
    """Return the layers that give classes their scores."""
    from pspgui.models.fcn import FCN

    if isinstance(model, FCN):
        return [cast("nn.Conv2d", layer) for layer in (model.score, *model.skip_scores)]
    return [cast("nn.Conv2d", model.classifier)]


def _after_backbone(model: Segmenter) -> list[nn.Conv2d]:
    """Return the convolutions of the head; an FCN's bilinear kernels are not learnt."""
    from torch import nn

    is_fcn = model.spec.architecture == "fcn"
    learnt: tuple[type[nn.Module], ...] = (nn.Conv2d,) + (nn.ConvTranspose2d,) * (not is_fcn)
    heads = [part for name, part in model.named_children() if name not in ("backbone", "auxiliary")]
    return [
        cast("nn.Conv2d", m) for part in heads for m in part.modules() if isinstance(m, learnt)
    ]


def _kept_stages(stages: tuple[Tensor, ...], channels: tuple[int, ...]) -> Any:
    """Return what stands in for a backbone and gives the stages of one image, whatever it reads."""
    from torch import nn

    class Kept(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.channels = channels

        def forward(self, _images: Tensor, keep: int) -> tuple[Tensor, ...]:
            return stages[-keep:]

    return Kept()


@contextmanager
def _changing(module: nn.Module, change: _Change) -> Iterator[None]:
    """Let a module's output be changed meanwhile."""
    hook = module.register_forward_hook(lambda _module, _inputs, outputs: change(outputs))
    try:
        yield
    finally:
        hook.remove()


@contextmanager
def _without_tap(convolution: nn.Conv2d, source: Source) -> Iterator[None]:
    """Silence one tap of a convolution meanwhile."""
    weight = convolution.weight.data
    kept = weight[:, :, source.row, source.col].clone()
    weight[:, :, source.row, source.col] = 0
    try:
        yield
    finally:
        weight[:, :, source.row, source.col] = kept


def _first_convolution(model: Segmenter) -> nn.Conv2d:
    """Return the first convolution of a dilated FCN's head."""
    return cast("nn.Conv2d", model.convolutions[0][0])  # type: ignore[index]


def _without_bin(source: Source) -> _Change:
    def change(outputs: Tensor) -> Tensor:
        changed = outputs.clone()
        changed[..., source.row, source.col] = 0
        return changed

    return change


def _saying(outputs: Tensor) -> _Change:
    return lambda _: outputs


def _unbiased(module: nn.Module, outputs: Tensor) -> Tensor:
    """Return a module's outputs less its own bias, which is the constant's; scores have one."""
    from torch import nn

    if isinstance(module, nn.Conv2d) and module.bias is not None:
        return outputs - module.bias[:, None, None]
    return outputs


def _product(leaf: Tensor, inputs: Tensor) -> np.ndarray:
    """Return gradient times input summed over channels, (h, w)."""
    if leaf.grad is None:
        return np.zeros(leaf.shape[-2:])
    found: np.ndarray = (leaf.grad * inputs.detach()).sum(dim=1)[0].numpy()
    return found
