"""OpenVINO against torch: same numbers, same maps, a cache that survives, a prompt stop."""

from __future__ import annotations

import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from small_networks import small_network

from pspgui.inference.backends import mixing
from pspgui.inference.backends import openvino_graphs as graphs
from pspgui.inference.backends.backend import Watch
from pspgui.inference.backends.mixing import TARGET
from pspgui.inference.errors import Cancelled, DeviceError
from pspgui.inference.predictor import Predictor
from pspgui.models.checkpoints import LoadedModel
from pspgui.places import cache_folder

# Asked without importing it: it would report its use.
pytestmark = pytest.mark.skipif(
    find_spec("openvino") is None, reason="the extra openvino is not installed"
)


@pytest.fixture(scope="module")
def source() -> LoadedModel:
    model = small_network(backbone="resnet18", stages=2, output_stride=8)
    return LoadedModel(model, model.spec, "random", Path(), "digest", ())


@pytest.fixture(autouse=True)
def one_cache(tmp_path_factory, monkeypatch):
    """Share converted networks among these tests, away from the user's; search little for int8."""
    monkeypatch.setattr(mixing, "_GROUPS", 2)
    place = tmp_path_factory.getbasetemp() / "cache"
    monkeypatch.setattr(graphs, "cache_folder", lambda: place)
    return place / "openvino"


def picture(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


def test_the_cache_is_the_users():
    assert cache_folder() == cache_folder() and cache_folder().name == "pspgui"


def test_fp32_gives_the_same_activations_at_any_size(source):
    plain = Predictor.of(source, "cpu")
    other = Predictor.of(source, backend="openvino")
    assert (other.backend.name, other.device, other.precision) == ("openvino", "cpu", "fp32")
    for shape in ((33, 33), (50, 91)):
        one, two = (p.set_image(picture(*shape)) for p in (plain, other))
        for name in ("features", "local_cells", "fused_cells", "scores"):
            a, b = getattr(one, name), getattr(two, name)
            assert np.allclose(a, b, atol=1e-4 * np.abs(a).max()), name


def test_a_converted_network_is_kept_and_read_again(source, one_cache, monkeypatch):
    Predictor.of(source, backend="openvino")
    kept = sorted(one_cache.iterdir())

    def convert_again(*_):
        raise AssertionError("converted though it was kept")

    monkeypatch.setattr(graphs, "converted", convert_again)
    scores = Predictor.of(source, backend="openvino").set_image(picture(33, 41)).scores
    assert np.isfinite(scores).all()
    assert sorted(one_cache.iterdir()) == kept
    monkeypatch.undo()


def test_a_damaged_file_is_made_again(source, one_cache):
    Predictor.of(source, backend="openvino")
    for place in one_cache.iterdir():
        (place / "trunk.xml").write_text("<net", encoding="ascii")
    assert Predictor.of(source, backend="openvino").agreement([picture(33, 33)]) > 0.99


def test_other_weights_are_another_graph(source, one_cache):
    Predictor.of(source, backend="openvino")
    count = len(list(one_cache.iterdir()))
    model = small_network(1, backbone="resnet18", stages=2, output_stride=8)
    Predictor.of(LoadedModel(model, model.spec, "random", Path(), "digest", ()), backend="openvino")
    assert len(list(one_cache.iterdir())) == count + 1


def test_a_cache_that_cannot_be_written_is_no_error(source, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("", encoding="ascii")
    monkeypatch.setattr(graphs, "cache_folder", lambda: tmp_path / "file")
    assert Predictor.of(source, backend="openvino").set_image(picture(33, 33)).scores.size


def test_a_conversion_that_computes_something_else_is_refused(source, tmp_path, monkeypatch):
    monkeypatch.setattr(graphs, "cache_folder", lambda: tmp_path)
    right = graphs.converted
    monkeypatch.setattr(
        graphs, "converted", lambda trunk, size: right(graphs.nn.Sequential(trunk.backbone), size)
    )
    with pytest.raises(DeviceError, match="choose the backend torch"):
        Predictor.of(source, backend="openvino")


def test_a_wish_to_stop_is_met_within_the_pass(source):
    backend = Predictor.of(source, backend="openvino").backend
    asked = []

    class Slow:
        """A request that would take for ever."""

        cancelled = False

        def set_input_tensor(self, tensor): ...
        def start_async(self): ...

        def wait_for(self, milliseconds):
            assert milliseconds <= 200
            return False

        def cancel(self):
            self.cancelled = True

        def wait(self):
            raise RuntimeError("Infer Request was canceled")

    def check():
        asked.append(1)
        if len(asked) == 3:
            raise Cancelled

    backend._request = Slow()
    with pytest.raises(Cancelled):
        backend.run(graphs.torch.zeros(1, 3, 33, 33), Watch(lambda f: None, check))
    assert backend._request.cancelled


def test_int8_keeps_the_labels_or_leaves_layers_in_float(source, one_cache):
    shutil.rmtree(one_cache, ignore_errors=True)  # of what is kept nothing is told
    samples = [picture(33, 41), picture(41, 33), picture(49, 33)]
    told = []
    small = Predictor.of(
        source, precision="int8", samples=samples, progress=lambda *step: told.append(step)
    )
    assert (small.backend.name, small.precision) == ("openvino", "int8")
    assert small.agreement(samples[2:]) >= TARGET - 0.002
    assert "fp32" in small.precision_note and 0 < told[0][0] < told[-1][0] <= 1
    count = len(list(one_cache.iterdir()))
    again = Predictor.of(source, precision="int8", samples=samples)
    assert again.precision_note == small.precision_note
    assert len(list(one_cache.iterdir())) == count
    one, two = (p.set_image(samples[0]).scores for p in (small, again))
    assert np.array_equal(one, two)


def test_only_int8_says_how_it_agrees(source):
    assert Predictor.of(source, backend="openvino").precision_note == ""


def test_a_graph_without_its_mixture_is_made_again(source, one_cache):
    samples = [picture(33, 41), picture(41, 33), picture(49, 33)]
    first = Predictor.of(source, precision="int8", samples=samples)
    for path in one_cache.glob("*/mixture.json"):
        path.write_text("{", encoding="utf-8")
    again = Predictor.of(source, precision="int8", samples=samples)
    assert again.precision_note == first.precision_note


def test_importing_it_reports_nothing_to_anyone():
    code = (
        "import sys\n"
        "from pspgui.inference.backends.openvino_graphs import silent\n"
        "with silent():\n    import openvino\n"
        "print('openvino_telemetry' in sys.modules)\n"
        "print(sys.modules['openvino.tools.ovc.telemetry_utils'].tm.__name__)"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.split() == ["False", "openvino.tools.ovc.telemetry_stub"]
