"""A network small enough to predict within a test of the window."""

from __future__ import annotations

import pytest

from pspgui.labels.classes import CAMVID


def _saved(folder, **spec):
    from small_networks import small_network

    from pspgui.models.checkpoints.native import save_checkpoint

    path = folder / "small.safetensors"
    network = small_network(3, classes=len(CAMVID), backbone="resnet18", **spec)
    save_checkpoint(network, path, network.spec.model_copy(update={"classes": CAMVID}))
    return path


@pytest.fixture(scope="session")
def small_weights(tmp_path_factory):
    """A checkpoint of a random small network of the CamVid classes."""
    return _saved(tmp_path_factory.mktemp("weights"))


@pytest.fixture(scope="session")
def quick_weights(tmp_path_factory):
    """The same with few cells, for tests that predict many images."""
    return _saved(tmp_path_factory.mktemp("weights"), output_stride=32)
