"""What the pyramid strip's modes take on their thread: `python benchmarks/strip.py`.

PSPNet: 2048 feature channels, levels 1, 2, 3 and 6, 512 hidden channels, 150 classes; a grid of
60 x 60 cells. Medians of wall and CPU time on one thread, and what one thumbnail of the channel
browser takes on the window's thread.
"""

from __future__ import annotations

import argparse

import torch
from evidence import activate
from head import large_network
from maps import told

from pspgui.evidence.channels import channel_shares
from pspgui.evidence.psp import PSPEvidence
from pspgui.evidence.readings import Target
from pspgui.inference.channels import all_statistics, channel_maps, principal_colours


def measure(evidence: PSPEvidence, times: int) -> None:
    """Print what every mode of one grid takes."""
    known = evidence.activations
    few = max(1, times // 5)
    for name, form in (("features", "reduced"), ("level-6", "pooled"), ("level-6", "upsampled")):
        maps = channel_maps(known, name, form)
        title = f"{name} {form if name != 'features' else ''}".strip()
        told(f"norm, {title}", maps.norm, times)
        told(f"one channel, {title}", lambda m=maps: m.channel(17), times)
        told(f"colours, {title}", lambda m=maps: principal_colours(m).picture(m), few)
    for name in ("features", "level-6", "fused"):
        told(f"channels' shares at a pixel, {name}",
             lambda n=name: channel_shares(evidence, n, "reduced", (200, 301), Target(7)), times)
        told(f"channels' shares, image, {name}",
             lambda n=name: channel_shares(evidence, n, "reduced", None, Target(7)), few)
    told("statistics of all maps", lambda: all_statistics(known), few)


def main() -> None:
    """Measure at 60 x 60 cells."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=15)
    times = parser.parse_args().runs
    torch.set_num_threads(1)
    model = large_network()
    _, evidence = activate(model, torch.rand(1, 2048, 60, 60))
    print("60 x 60 cells")
    measure(evidence, times)


if __name__ == "__main__":
    main()
