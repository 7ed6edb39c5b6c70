"""A small model and a small data set on disk, as a user of the command line has them."""

from __future__ import annotations

import json

import pytest

from pspgui.imaging import encode_labels, encode_png
from pspgui.labels.classes import CAMVID
from pspgui.scenes import render_scene


@pytest.fixture(scope="session")
def weights(tmp_path_factory):
    """A native checkpoint of an untrained network with CamVid's classes."""
    import torch

    from pspgui.models.checkpoints.native import save_checkpoint
    from pspgui.models.pspnet import PSPNet, PSPNetSpec

    torch.manual_seed(1)
    path = tmp_path_factory.mktemp("weights") / "small.safetensors"
    save_checkpoint(PSPNet(PSPNetSpec(classes=CAMVID, bottleneck_channels=16)).eval(), path)
    return path


@pytest.fixture(scope="session")
def dataset(tmp_path_factory):
    """A data set folder of six drawn scenes in `train` and three in `val`, 64 x 96 pixels."""
    root = tmp_path_factory.mktemp("dataset")
    for split, count in (("train", 6), ("val", 3)):
        for kind in ("images", "labels"):
            (root / kind / split).mkdir(parents=True)
        for number in range(count):
            scene = render_scene(number + 50 * count, 64, 96)
            name = f"{number:03}.png"
            (root / "images" / split / name).write_bytes(encode_png(scene.image))
            labels = encode_labels(scene.labels, CAMVID.palette())
            (root / "labels" / split / name).write_bytes(labels)
    (root / "classes.json").write_text(json.dumps(CAMVID.to_json()))
    return root


@pytest.fixture
def images(dataset):
    """The validation images, by name."""
    return sorted((dataset / "images" / "val").iterdir())


@pytest.fixture
def command(capsys):
    """Run `pspgui ...` in this process; return (exit code, standard output, standard error)."""
    from pspgui.cli import run

    def call(*arguments):
        code = run([str(a) for a in arguments])
        output = capsys.readouterr()
        return code, output.out, output.err

    return call
