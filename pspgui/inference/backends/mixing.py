"""Which layers eight bits suit: as many as leave the labels what they are in float32.

How far each few layers alone move the scores is measured once; those that move them most for the
work they save go back to float32 until images that nothing was fitted to keep their labels.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from pspgui.inference.backends.quantising import Fitted, fit, layers_of, quantised

TARGET = 0.998
# Asked for of the few images that judge: on unseen photographs up to 1.6 times as many labels
# changed as on those.
_GOAL = 1 - (1 - TARGET) / 1.6
_GROUPS = 32
_FEW = 2

Scores = Callable[[tuple[Tensor, ...]], Tensor]
Report = Callable[[float, str], None]


@dataclass(frozen=True)
class Mixture:
    """What a search came to.

    rest: what all but the quantised layers are computed in, f32 or bf16; agreement: the share of
    cells with the label of float32, on images nothing was fitted to; quantised of layers: how many.
    """

    rest: str
    agreement: float
    quantised: int
    layers: int

    @property
    def text(self) -> str:
        """The result in words."""
        share = np.floor(self.agreement * 1e4) / 1e2
        return (
            f"{self.quantised} of {self.layers} large layers in 8 bits; {share:.2f} % of labels as "
            "in fp32 on images it was not fitted to"
        )

    def write(self, path: Path) -> None:
        """Keep it in a file; raises OSError."""
        path.write_text(json.dumps(asdict(self)), encoding="utf-8")

    @classmethod
    def read(cls, path: Path) -> Mixture:
        """Read it again; raises OSError, and ValueError or TypeError for something else."""
        return cls(**json.loads(path.read_text(encoding="utf-8")))


class _Measured(NamedTuple):
    agreement: float
    error: float


class Judge:
    """Compares graphs with the float one on a few images, by the scores at the cells."""

    def __init__(self, model: Any, inputs: Sequence[np.ndarray], scores: Scores) -> None:
        self._inputs, self._scores = inputs, scores
        self._wanted = [self._upsampled(s) for s in self._run(model, "f32", len(inputs))]

    def measure(self, model: Any, rest: str = "f32", few: int = 0) -> _Measured:
        """Return the share of equal labels, and how far the scores are off, squared.

        few: how many of the images to look at, 0 for all.
        """
        same, count, error = 0, 0, 0.0
        found = self._run(model, rest, few or len(self._inputs))
        for scores, wanted in zip(found, self._wanted, strict=False):
            own = self._upsampled(scores)
            same += int((own.argmax(0) == wanted.argmax(0)).sum())
            count += own[0].numel()
            error += float((own - wanted).square().mean())
        return _Measured(same / count, error)

    def _run(self, model: Any, rest: str, few: int) -> list[Tensor]:
        import openvino

        options = {
            "INFERENCE_PRECISION_HINT": rest,
            "INFERENCE_NUM_THREADS": torch.get_num_threads(),
            "PERFORMANCE_HINT": "LATENCY",
        }
        compiled = openvino.compile_model(model, "CPU", options)
        found = []
        for values in self._inputs[:few]:
            outputs = compiled(values)
            tensors = (torch.from_numpy(np.array(outputs[o])) for o in compiled.outputs)
            with torch.inference_mode():
                found.append(self._scores(tuple(tensors)))
        return found

    @staticmethod
    def _upsampled(scores: Tensor) -> Tensor:
        """Return scores between the cells too: most labels that change lie there."""
        return torch.nn.functional.interpolate(
            scores[None].float(), scale_factor=4, mode="bilinear", align_corners=True
        )[0]


def mixed(
    model: Any, inputs: Sequence[np.ndarray], scores: Scores, report: Report
) -> tuple[Any, Mixture]:
    """Return a graph with as many layers in eight bits as keep the target, and what it came to.

    inputs: normalised images (1, 3, H, W); every third judges and the others are fitted to, a
    single one does both. Takes some tens of passes over small images.
    """
    judged = list(inputs[2::3]) or list(inputs[-1:])
    shown = [one for i, one in enumerate(inputs) if i % 3 != 2][: max(1, len(inputs) - 1)]
    layers = layers_of(model)
    fitted: dict[str, Fitted] = {}
    for index, found in enumerate(fit(model, layers, shown)):
        fitted[layers[index].name] = found
        report(0.6 * (index + 1) / len(layers), "Fitting 8-bit weights")
    judge = Judge(model, judged, scores)
    for rest in ("bf16", "f32"):
        made = quantised(model, fitted)
        agreement = judge.measure(made, rest).agreement
        if agreement >= _GOAL:
            return made, Mixture(rest, agreement, len(layers), len(layers))
    return _least_float(model, fitted, judge, report)


def _least_float(
    model: Any, fitted: Mapping[str, Fitted], judge: Judge, report: Report
) -> tuple[Any, Mixture]:
    """Return the graph with the fewest layers not in eight bits that keeps the target.

    Found by bisection. Those layers are computed in bf16 where that alone would keep the target.
    """
    order = _by_harm(model, fitted, judge, report)
    enough, too_few = len(order), 0
    rest, best, agreement = "f32", model, 1.0
    half = judge.measure(model, "bf16").agreement
    if half >= _GOAL:
        rest, agreement = "bf16", half
    while enough - too_few > 1:
        tried = (enough + too_few) // 2
        floating = {name for group in order[:tried] for name in group}
        made = quantised(model, {n: f for n, f in fitted.items() if n not in floating})
        found = judge.measure(made, rest).agreement
        if found >= _GOAL:
            enough, best, agreement = tried, made, found
        else:
            too_few = tried
        report(0.95, "Choosing the layers in 8 bits")
    kept = sum(len(group) for group in order[enough:])
    return best, Mixture(rest, agreement, kept, len(fitted))


def _by_harm(
    model: Any, fitted: Mapping[str, Fitted], judge: Judge, report: Report
) -> list[list[str]]:
    """Return groups of neighbouring layers, those first that harm most for what they save."""
    names = list(fitted)
    size = -(-len(names) // _GROUPS)
    groups = [names[i : i + size] for i in range(0, len(names), size)]
    harm = []
    for index, group in enumerate(groups):
        alone = quantised(model, {name: fitted[name] for name in group})
        error = judge.measure(alone, few=_FEW).error
        harm.append(error / sum(fitted[name].cost for name in group))
        report(0.6 + 0.3 * (index + 1) / len(groups), "Measuring what 8 bits cost in each layer")
    return [groups[i] for i in np.argsort(harm)[::-1]]
