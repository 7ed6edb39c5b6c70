"""What-if while a slider is dragged, beside rerunning the head: `python benchmarks/what_if.py`.

PSPNet: 2048 feature channels, levels 1, 2, 3 and 6, 512 hidden channels, 150 classes; grids of
60 x 60 cells (473 x 473 pixels) and 90 x 90 (713 x 713). Then the PSPNet with learnt upsampling:
512 features, 1024 hidden channels, 21 classes, 60 x 60 cells (480 x 480). A frame is one answer of
`LiveWhatIf`: scores, the label of every pixel, changed pixels, counts by class and mean confidence.
One thread.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
import torch
from evidence import activate
from head import large_network

from pspgui.evidence import evidence_of
from pspgui.evidence.psp import PSPEvidence
from pspgui.evidence.whatif import Alterable, LiveWhatIf, WhatIf, answer_if
from pspgui.inference.activations import Activations, FeatureMap, Stamp
from pspgui.inference.argmax import full_resolution_labels
from pspgui.inference.heads import build_head
from pspgui.labels.classes import table
from pspgui.models.pspnet import PSPNet
from pspgui.models.pspnet_upsample import PSPUpsample, PSPUpsampleSpec


def frames(evidence: Alterable, name: str, whats: list[WhatIf]) -> None:
    """Print the time of an answer while a slider runs through these."""
    live, walls, cpus = LiveWhatIf(evidence), [], []
    live.answer(whats[0])
    for what in whats[1:]:
        wall, cpu = time.perf_counter(), time.thread_time()
        live.answer(what)
        walls.append((time.perf_counter() - wall) * 1e3)
        cpus.append((time.thread_time() - cpu) * 1e3)
    print(
        f"  {name:24} wall {np.median(walls):6.1f} ms (p95 {np.percentile(walls, 95):6.1f}), "
        f"CPU {np.median(cpus):6.1f}, {1e3 / np.median(walls):5.0f} frames a second"
    )


def rerun(model: PSPNet, features: torch.Tensor, what: WhatIf) -> np.ndarray:
    """Return the labels by the network's own head, its modules run again with altered bins."""
    with torch.inference_mode():
        priors = model.pyramid(features)
        for prior, level in zip(priors, model.spec.levels, strict=True):
            prior *= torch.from_numpy(what.factors(level))
        scores = model.classifier(
            model.bottleneck(model.concatenate(features * what.local, priors))
        )
        size = tuple(8 * (side - 1) + 1 for side in features.shape[2:])
        return model.upsample(scores, size)[0].argmax(dim=0).numpy()


def measure(model: PSPNet, evidence: PSPEvidence, features: torch.Tensor, runs: int) -> None:
    """Print a grid's frames and what the same labels cost otherwise."""
    steps = np.linspace(1.9, 0.0, runs)
    frames(evidence, "a bin of level 6", [WhatIf().with_bin((6, 2, 3), f) for f in steps])
    frames(evidence, "a bin of level 2", [WhatIf().with_bin((2, 0, 1), f) for f in steps])
    frames(evidence, "level 1 (the whole image)", [WhatIf().with_level(1, f) for f in steps])
    frames(evidence, "level 6 (the whole image)", [WhatIf().with_level(6, f) for f in steps])
    frames(evidence, "local features", [WhatIf(local=float(f)) for f in steps])
    known, what = evidence.activations, WhatIf().with_bin((6, 2, 3), 0.0)
    before = full_resolution_labels(
        known.scores, known.padded_shape, known.image_shape, known.align_corners
    )
    started = time.perf_counter()
    found = answer_if(evidence, before, what)
    print(f"  anew from what is cached {(time.perf_counter() - started) * 1e3:.0f} ms")
    times = []
    for _ in range(2):
        started = time.perf_counter()
        labels = rerun(model, features, what)
        times.append((time.perf_counter() - started) * 1e3)
    print(
        f"  rerunning the head       {min(times):.0f} ms; labels equal at "
        f"{np.mean(labels == found.labels):.5%}"
    )


def measure_upsampling(cells: int, runs: int) -> None:
    """Print the frames of a PSPNet with learnt upsampling beside its last layers run again."""
    classes = table(*((f"class {i}", (i, i, i)) for i in range(21)))
    spec = {"classes": classes, "backbone": "resnet34", "auxiliary": False}
    model = PSPUpsample(PSPUpsampleSpec.model_validate(spec)).eval().requires_grad_(False)
    features, size = torch.rand(1, model.backbone.channels[-1], cells, cells), (8 * cells,) * 2
    times = []
    with torch.inference_mode():
        for _ in range(2):
            started = time.perf_counter()
            found = model.cells((features,), size)
            times.append((time.perf_counter() - started) * 1e3)
    known = Activations(
        image_id="random", image_shape=size, padded_shape=size, grid=size,
        align_corners=model.spec.align_corners, features=features[0].numpy(),
        scores=found.scores[0].numpy(), stamp=Stamp("random", "none"),
        maps=tuple(FeatureMap(title, m[0].numpy()) for title, m in found.maps.items()),
    )  # fmt: skip
    evidence = evidence_of(known, build_head(model).weights())
    steps = np.linspace(1.9, 0.0, max(4, runs // 4))
    frames(evidence, "a bin of level 6", [WhatIf().with_bin((6, 2, 3), f) for f in steps])
    frames(evidence, "a bin of level 2", [WhatIf().with_bin((2, 0, 1), f) for f in steps])
    frames(evidence, "level 1 (the whole image)", [WhatIf().with_level(1, f) for f in steps])
    frames(evidence, "local features", [WhatIf(local=float(f)) for f in steps])
    print(f"  running the last layers  {min(times):.0f} ms, without labels")


def main() -> None:
    """Run all of them."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--runs", type=int, default=30)
    options.add_argument("--grids", type=int, nargs="*", default=[60, 90])
    chosen = options.parse_args()
    torch.set_num_threads(1)
    model = large_network()
    for cells in chosen.grids:
        # Features that vary slowly, so that labels form regions as they do in pictures.
        coarse = torch.rand(1, 2048, cells // 3, cells // 3)
        features = torch.nn.functional.interpolate(
            coarse, (cells, cells), mode="bilinear", align_corners=True
        )
        _, evidence = activate(model, features)
        print(f"{cells} x {cells} cells, 150 classes")
        measure(model, evidence, features, chosen.runs)
    print("60 x 60 cells, 21 classes, learnt upsampling")
    measure_upsampling(60, chosen.runs)


if __name__ == "__main__":
    main()
