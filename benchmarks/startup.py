"""How soon the window is there, and the first prediction: whole processes, started several times.

Run `uv run python benchmarks/startup.py [IMAGE] [--runs N]` on a quiet machine. Times are seconds
since Python began to run it; importing torch alone stands beside them, for the window must not
wait for it.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def launch(image: Path | None, picture: Path) -> dict[str, float]:
    """Open the window on an image (the sample scene without one), and return its timings."""
    command = [sys.executable, ROOT / "main.py", "--timings", "--screenshot", picture]
    environment = {**os.environ, "QT_QPA_PLATFORM": "offscreen"}
    opened = [*command, *([image] if image else [])]
    done = subprocess.run(opened, capture_output=True, text=True, check=True, env=environment)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def import_torch() -> float:
    """Return the seconds that a process needs to import torch and end."""
    started = time.perf_counter()
    subprocess.run([sys.executable, "-c", "import torch"], check=True)
    return time.perf_counter() - started


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("image", nargs="?", type=Path)
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    rows: dict[str, list[float]] = {"import torch alone": []}
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(options.runs):
            rows["import torch alone"].append(import_torch())
            for name, seconds in launch(options.image, Path(folder) / "window.png").items():
                rows.setdefault(name, []).append(seconds)
    torch = statistics.median(rows["import torch alone"])
    print(f"{'':<24}{'min':>8}{'median':>8}{'max':>8}   x torch import")
    for name, values in rows.items():
        middle = statistics.median(values)
        print(f"{name:<24}{min(values):8.2f}{middle:8.2f}{max(values):8.2f}   {middle / torch:.2f}")


if __name__ == "__main__":
    main()
