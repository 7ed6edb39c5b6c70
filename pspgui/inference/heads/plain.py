"""Any network as its own modules compute it: the trunk is all of it up to the cell scores."""

from __future__ import annotations

import copy

from torch import Tensor, nn

from pspgui.inference.activations import Activations, FeatureMap, Frame
from pspgui.inference.fusing import fuse_batch_norms
from pspgui.inference.heads.head import Head, to_numpy
from pspgui.models.segmenter import Segmenter


class PlainHead(Head):
    """Runs every network; knows the maps that it names, and has no evidence."""

    @classmethod
    def runs(cls, model: Segmenter) -> bool:
        """Always."""
        return True

    def __init__(self, model: Segmenter, device: str) -> None:
        self.trunk = _Whole(model).to(device)
        self._align_corners = model.spec.align_corners
        self._whole = self.trunk

    def activations(self, outputs: tuple[Tensor, ...], frame: Frame) -> Activations:
        """Return features, named maps and scores."""
        features, scores, *maps = (to_numpy(t[0].float()) for t in outputs)
        titles = self._whole.titles
        return Activations(
            **frame._asdict(),
            grid=(scores.shape[1], scores.shape[2]),
            align_corners=self._align_corners,
            features=features,
            maps=tuple(FeatureMap(t, m) for t, m in zip(titles, maps, strict=True)),
            scores=scores,
        )

    def scores(self, outputs: tuple[Tensor, ...]) -> Tensor:
        """Return the network's own."""
        return outputs[1][0].float()


class _Whole(nn.Module):
    """Images to (features, scores, maps...); `titles` name the maps after the first pass."""

    def __init__(self, model: Segmenter) -> None:
        super().__init__()
        own = copy.deepcopy(model).eval()
        # The auxiliary head is for training; without it fewer stages are kept in memory.
        own.auxiliary = None
        fuse_batch_norms(own)
        self.model = own
        self.titles: tuple[str, ...] = ()

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        stages = self.model.backbone(images, self.model.keep)
        cells = self.model.cells(stages, (images.shape[-2], images.shape[-1]))
        self.titles = tuple(cells.maps)
        return stages[-1], cells.scores, *cells.maps.values()
