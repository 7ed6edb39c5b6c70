"""The door and the whole program, run as a person runs it: in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from fakes import fake_image

from pspgui.app import window_parser
from pspgui.imaging import decode_image, encode_png
from pspgui.labels.classes import CAMVID

ROOT = Path(__file__).resolve().parents[2]


def run(*arguments, code=None, home):
    """Run main.py, or a line of Python, with an empty home; return the finished process."""
    environment = dict(os.environ, QT_QPA_PLATFORM="offscreen", PYTHONPATH=str(ROOT))
    for name in ("HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME"):
        environment[name] = str(home)
    command = [sys.executable, *(["-c", code] if code else [str(ROOT / "main.py")])]
    return subprocess.run(
        [*command, *map(str, arguments)], capture_output=True, text=True, cwd=home,
        env=environment, timeout=240, check=False,
    )  # fmt: skip


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """A random small network of the CamVid classes, as a native checkpoint."""
    from small_networks import small_network

    from pspgui.models.checkpoints.native import save_checkpoint

    path = tmp_path_factory.mktemp("weights") / "small.safetensors"
    network = small_network(3, classes=len(CAMVID))
    save_checkpoint(network, path, network.spec.model_copy(update={"classes": CAMVID}))
    return path


def test_a_screenshot_is_the_size_asked_for_and_the_end_is_clean(tmp_path, weights):
    image, shot = tmp_path / "street.png", tmp_path / "shot.png"
    image.write_bytes(encode_png(fake_image(96, 128)))
    done = run(
        image, "--weights", weights, "--at", "60,40", "--size", "1100x700", "--theme", "light",
        "--screenshot", shot, "--timings", home=tmp_path,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    assert decode_image(shot).pixels.shape == (700, 1100, 3)
    timings = json.loads(done.stdout)
    assert 0 < timings["visible_s"] < timings["first_prediction_s"]
    assert not (tmp_path / ".pspgui").exists()


@pytest.mark.parametrize(
    ("name", "at", "words"),
    [("missing.png", "1,1", "missing.png"), ("street.png", "500,500", "500,500 lies outside")],
)
def test_a_screenshot_that_fails_says_why_in_one_line(tmp_path, weights, name, at, words):
    (tmp_path / "street.png").write_bytes(encode_png(fake_image(96, 128)))
    shot = tmp_path / "shot.png"
    done = run(
        tmp_path / name, "--weights", weights, "--at", at, "--screenshot", shot, home=tmp_path
    )

    assert done.returncode == 1 and words in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1 and not shot.exists()


SLOW_TO_IMPORT = (
    "torch", "torchvision", "cv2", "qtawesome", "matplotlib", "pydantic", "skimage", "rasterio",
    "pyqtgraph", "pspgui.formats", "pspgui.reports", "pspgui.evidence", "pspgui.models",
    "pspgui.gui.dialogs", "pspgui.gui.comparing_page", "pspgui.gui.panels.history",
    "pspgui.gui.panels.adjust", "pspgui.gui.panels.review", "pspgui.gui.panels.pins",
    "pspgui.gui.panels.what_if", "pspgui.gui.panels.maps", "pspgui.gui.panels.statistics",
)  # fmt: skip


def test_the_window_is_there_without_what_it_does_not_show_yet(tmp_path):
    code = (
        "import sys; from argparse import Namespace; from PySide6.QtWidgets import QApplication; "
        "from pspgui.gui.window_app import WindowApp; application = QApplication([]); "
        "options = Namespace(screenshot=None, theme=None, size=None); "
        "main = WindowApp(options, 0.0); main.show(); main.window.grab(); "
        f"print([name for name in {SLOW_TO_IMPORT} if name in sys.modules]); main.close()"
    )
    done = run(code=code, home=tmp_path)

    assert done.stdout.strip() == "[]", done.stderr


def test_without_qt_the_window_says_what_to_install(tmp_path):
    code = "import sys; sys.modules['PySide6'] = None; from pspgui.app import main; main([])"
    done = run(code=code, home=tmp_path)

    assert done.returncode == 1
    assert "needs PySide6" in done.stderr and "Traceback" not in done.stderr


def test_loading_models_leaves_torchs_compiler_alone(tmp_path):
    code = (
        "import sys, pspgui.models.backbones; print('torch._dynamo' in sys.modules); "
        "import torch._dynamo; print(hasattr(torch._dynamo, 'optimize'))"
    )
    done = run(code=code, home=tmp_path)

    assert done.stdout.split() == ["False", "True"], done.stderr


@pytest.mark.parametrize("bad", [["--at", "x"], ["--size", "10"], ["--theme", "pink"]])
def test_wrong_options_are_refused(bad, capsys):
    with pytest.raises(SystemExit) as stop:
        window_parser().parse_args(bad)

    assert stop.value.code == 2 and bad[0] in capsys.readouterr().err


def test_points_and_sizes_are_read():
    options = window_parser().parse_args(["a.png", "--at", "7,5", "--size", "1600x900"])

    assert options.at == (5, 7) and options.size == (1600, 900)
