"""PSPNet in its folded form, which keeps apart what every bin adds."""

from __future__ import annotations

import copy

import torch.nn.functional as F  # noqa: N812 - the field's own name for it
from torch import Tensor, nn

from pspgui.inference.activations import Activations, ClassifierWeights, Frame, PSPActivations
from pspgui.inference.fusing import fuse_batch_norms
from pspgui.inference.heads.folding import FoldedHead
from pspgui.inference.heads.head import Head, to_numpy
from pspgui.models.backbones.stages import Backbone
from pspgui.models.pspnet import PSPNet
from pspgui.models.segmenter import Segmenter


class PyramidHead(Head):
    """Runs PSPNets whose head is linear between pooling and the hidden layer's gates."""

    @classmethod
    def runs(cls, model: Segmenter) -> bool:
        """Whether it is a PSPNet and not one of its relatives with another decoder."""
        return type(model) is PSPNet

    def __init__(self, model: Segmenter, device: str) -> None:
        assert isinstance(model, PSPNet)
        self.folded = FoldedHead.fold(model, device)
        self.trunk = _BackboneAndLocal(model.backbone, self.folded).to(device)

    def activations(self, outputs: tuple[Tensor, ...], frame: Frame) -> Activations:
        """Return the features, all levels and the hidden layer before its gates."""
        features, local = (t.float().contiguous() for t in outputs)
        found = self.folded.finish(features, local)
        return PSPActivations(
            **frame._asdict(),
            grid=(features.shape[2], features.shape[3]),
            align_corners=self.folded.align_corners,
            levels=self.folded.levels,
            features=to_numpy(features[0]),
            level_priors=tuple(to_numpy(t) for t in found.level_priors),
            level_taps=tuple(to_numpy(t) for t in found.level_taps),
            local_cells=to_numpy(found.local_cells),
            fused_cells=to_numpy(found.fused_cells),
            scores=to_numpy(found.scores),
        )

    def scores(self, outputs: tuple[Tensor, ...]) -> Tensor:
        """Return the folded head's."""
        features, local = (t.float().contiguous() for t in outputs)
        return self.folded.finish(features, local).scores

    def weights(self) -> ClassifierWeights:
        """Return those of the pyramid, the bottleneck and the classifier."""
        return self.folded.weights()


class _BackboneAndLocal(nn.Module):
    """Images to (features, the bottleneck's convolution over them)."""

    def __init__(self, backbone: Backbone, folded: FoldedHead) -> None:
        super().__init__()
        self.backbone = copy.deepcopy(backbone).eval()
        fuse_batch_norms(self.backbone)
        self.padding = folded.kernel // 2
        self.weight = nn.Parameter(folded.local_weight, requires_grad=False)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        (features,) = self.backbone(images, 1)
        return features, F.conv2d(features, self.weight, padding=self.padding)
