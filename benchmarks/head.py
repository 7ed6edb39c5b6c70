"""The folded head beside the plain concat head, in one run: `python benchmarks/head.py`.

2048 feature channels, 512 a level and 512 hidden, 150 classes, at 60 x 60 and 90 x 90 cells. Prints
medians of wall and CPU time over alternating runs, their ratios, and the largest difference.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import torch
from torch import Tensor

from pspgui.inference.heads.folding import FoldedHead
from pspgui.labels.classes import ClassTable, LabelClass
from pspgui.models.pspnet import PSPNet, PSPNetSpec


def large_network() -> PSPNet:
    """Return PSPNet ResNet-50 at stride 8 with random weights, batch-norm statistics included."""
    torch.manual_seed(0)
    table = ClassTable(tuple(LabelClass(i, f"class {i}", (0, 0, i)) for i in range(150)))
    model = PSPNet(
        PSPNetSpec(backbone="resnet50", output_stride=8, auxiliary=False, classes=table)
    )
    for head in (model.pyramid, model.bottleneck):
        for module in head.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                torch.nn.init.uniform_(module.running_mean, -0.2, 0.2)
                torch.nn.init.uniform_(module.running_var, 0.5, 2.0)
    return model.eval().requires_grad_(False)


def plain_head(model: PSPNet, features: Tensor) -> Tensor:
    """Return the cell logits by the network's own modules, concat tensor and all."""
    stacked = model.concatenate(features, model.pyramid(features))
    return model.classifier(model.bottleneck(stacked))


def timed(work: Callable[[], Tensor]) -> tuple[float, float, Tensor]:
    """Return wall seconds, CPU seconds and the result."""
    wall, cpu = time.perf_counter(), time.process_time()
    result = work()
    return time.perf_counter() - wall, time.process_time() - cpu, result


def compare(model: PSPNet, cells: int, rounds: int) -> None:
    """Print one grid size's figures."""
    features = torch.rand((1, 2048, cells, cells))
    head = FoldedHead.fold(model)
    plain, folded = [], []
    for _ in range(rounds + 1):
        plain.append(timed(lambda: plain_head(model, features)))
        folded.append(timed(lambda: head.run(features).scores))
    difference = float((plain[0][2][0] - folded[0][2]).abs().max())
    same = float((plain[0][2][0].argmax(0) == folded[0][2].argmax(0)).float().mean())
    for index, name in enumerate(("wall", "CPU")):
        one = statistics.median(r[index] for r in plain[1:])
        other = statistics.median(r[index] for r in folded[1:])
        print(
            f"{cells} x {cells}  {name:4}  plain {one * 1e3:7.0f} ms  "
            f"folded {other * 1e3:7.0f} ms  ratio {one / other:.2f}"
        )
    print(f"{cells} x {cells}  max difference {difference:.1e}, equal winners {same:.2%}")


def main() -> None:
    """Run both grids."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--threads", type=int, default=1)
    options.add_argument("--rounds", type=int, default=5)
    chosen = options.parse_args()
    torch.set_num_threads(chosen.threads)
    print(f"torch {torch.__version__}, {chosen.threads} threads, {chosen.rounds} rounds")
    model = large_network()
    with torch.inference_mode():
        for cells in (60, 90):
            compare(model, cells, chosen.rounds)


if __name__ == "__main__":
    main()
