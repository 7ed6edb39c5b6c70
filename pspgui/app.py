"""The door: a command opens the command line, anything else the window."""

from __future__ import annotations

import argparse
import gc
import os
import re
import sys
import time
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

COMMANDS = (
    "predict", "explain", "evaluate", "train", "export", "import", "inspect", "convert", "models",
    "stats", "check", "repair", "backups",
)  # fmt: skip
# What the window offers; what each means is said where it is carried out, which imports more.
BACKENDS = ("auto", "torch", "openvino")
PRECISIONS = ("auto", "fp32", "bf16", "fp16", "int8")
MODES = ("whole", "windows", "semseg-ss", "semseg-ms", "mmseg-slide", "shift-2", "shift-4")
LEAST_CROP, MOST_CROP = 129, 4097
_STARTED = time.time()


def main(arguments: Sequence[str] | None = None) -> None:
    """Run `pspgui ARGUMENTS` and exit with its code; Qt is imported only for the window."""
    # torch takes and gives back tens of megabytes with every layer, by huge pages much cheaper;
    # what an image leaves behind is freed on the window's thread. Read when torch first allocates.
    os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")
    given = list(sys.argv[1:] if arguments is None else arguments)
    if given and given[0] in COMMANDS:
        sys.exit(import_module("pspgui.cli").run(given))
    sys.exit(_open_window(window_parser().parse_args(given)))


def window_parser() -> argparse.ArgumentParser:
    """Return the parser of the window's own options."""
    parser = argparse.ArgumentParser(
        prog="pspgui",
        description="See what PSPNet sees, correct it with a brush, and teach it.",
        epilog="Commands that need no window: " + ", ".join(COMMANDS)
        + ". `pspgui COMMAND --help` tells more.",
    )  # fmt: skip
    parser.add_argument("path", nargs="?", type=Path, metavar="IMAGE|FOLDER", help="what to open")
    parser.add_argument("--weights", type=Path, help="weights to use instead of the bundled ones")
    parser.add_argument("--device", default=None, help="auto, cpu, cuda or mps")
    parser.add_argument("--backend", choices=BACKENDS, help="what computes the network")
    parser.add_argument(
        "--precision", choices=PRECISIONS, help="fp16 on CUDA, int8 by OpenVINO; fp32 is exact"
    )
    parser.add_argument("--mode", choices=MODES, help="how images are read")
    parser.add_argument("--crop", type=_crop, metavar="N", help="side of a mode's windows, pixels")
    parser.add_argument("--theme", choices=("system", "dark", "light"), default=None)
    parser.add_argument("--size", type=_size, metavar="WxH", help="size of the window")
    parser.add_argument("--at", type=_point, metavar="X,Y", help="pixel whose evidence is pinned")
    parser.add_argument(
        "--screenshot", type=Path, metavar="OUT.png",
        help="write a picture of the window after the first prediction, and quit",
    )  # fmt: skip
    # For benchmarks: prints {"visible_s", "first_prediction_s"} since the process began.
    parser.add_argument("--timings", action="store_true", help=argparse.SUPPRESS)
    return parser


def _open_window(options: argparse.Namespace) -> int:
    # Hovering asks numpy for products so small that waking BLAS's other threads costs more than
    # it gains; numpy reads this when it is first imported. torch has threads of its own.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    trouble = _no_display(options.screenshot is not None)
    if trouble:
        return _say(trouble)
    gc.disable()  # as GuiGarbage does in the end: looking through what is imported takes a tenth
    try:
        window = import_module("pspgui.gui.window_app")
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] != "PySide6":
            raise
        return _say(
            "The window needs PySide6, which is not installed: `pip install PySide6-Essentials` "
            "adds it. The commands work without it."
        )
    except ImportError as error:
        missing = re.search(r"lib[\w.+-]+\.so[\d.]*", str(error))
        if missing is None:
            raise
        return _say(
            f"The window needs the system library {missing[0]}, which is not installed; the "
            "README lists the packages. The commands work without it."
        )
    code: int = window.run(options, _process_start() if options.timings else _STARTED)
    return code


def _process_start() -> float:
    """Return when this process began, in seconds of time.time(); Linux tells it to 10 ms."""
    try:
        fields = Path("/proc/self/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        uptime_s = float(Path("/proc/uptime").read_text(encoding="utf-8").split()[0])
        return time.time() - uptime_s + int(fields[19]) / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, IndexError):
        return _STARTED


def _no_display(is_screenshot: bool) -> str:
    """Return why no window can open; a screenshot needs no screen."""
    if not sys.platform.startswith("linux") or os.environ.get("QT_QPA_PLATFORM"):
        return ""
    if os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"):
        return ""
    if is_screenshot:
        os.environ["QT_QPA_PLATFORM"] = "offscreen"
        return ""
    return (
        "There is no screen to open a window on (neither DISPLAY nor WAYLAND_DISPLAY is set); "
        "`pspgui --screenshot OUT.png` and the commands work without one."
    )


def _say(sentence: str) -> int:
    sys.stderr.write(f"pspgui: {sentence}\n")
    return 1


def _size(text: str) -> tuple[int, int]:
    """Parse WxH."""
    match = re.fullmatch(r"(\d{2,5})[x×](\d{2,5})", text)
    if match is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not a size such as 1600x900")
    return int(match[1]), int(match[2])


def _crop(text: str) -> int:
    """Parse the side of a window."""
    if not text.isdecimal() or not LEAST_CROP <= int(text) <= MOST_CROP:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a side in pixels, {LEAST_CROP} to {MOST_CROP}"
        )
    return int(text)


def _point(text: str) -> tuple[int, int]:
    """Parse X,Y and return (y, x)."""
    match = re.fullmatch(r"\s*(\d+)\s*,\s*(\d+)\s*", text)
    if match is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not a pixel such as 240,180")
    return int(match[2]), int(match[1])


if __name__ == "__main__":
    main()
