"""Every backend against torch in float32, and what happens where one is not there."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from small_networks import small_network

from pspgui.inference import devices
from pspgui.inference.backends.backend import TrunkRequest
from pspgui.inference.backends.compiled import CompiledBackend
from pspgui.inference.backends.eager import EagerBackend
from pspgui.inference.devices import choose, choose_backend, choose_precision
from pspgui.inference.errors import Cancelled, DeviceError
from pspgui.inference.heads import build_head
from pspgui.inference.predictor import Predictor
from pspgui.models.checkpoints import LoadedModel

needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")


def loaded(**fields: object) -> LoadedModel:
    model = small_network(**{"backbone": "resnet18", "stages": 2, "output_stride": 8, **fields})
    return LoadedModel(model, model.spec, "random", Path(), "digest", ())


def picture(height: int = 40, width: int = 57) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


def test_agreement_of_torch_in_fp32_with_itself_is_whole():
    predictor = Predictor.of(loaded(), "cpu")
    assert predictor.exact
    assert predictor.agreement([picture()]) == 1.0


def test_agreement_counts_the_pixels_that_differ():
    plain, other = Predictor.of(loaded(), "cpu"), Predictor.of(loaded(), "cpu", "bf16")
    pixels = [picture(), picture(33, 33)]
    one, two = ([p.predict(p.set_image(x)).labels for x in pixels] for p in (plain, other))
    same = sum(int((a == b).sum()) for a, b in zip(one, two, strict=True))
    assert not other.exact
    assert other.agreement(pixels) == same / sum(a.size for a in one)
    with pytest.raises(ValueError, match="no images"):
        other.agreement([])
    with pytest.raises(Cancelled):
        other.agreement(pixels, lambda: True)


def test_a_backend_takes_over_the_trunk_and_leaves_the_model():
    source = loaded()
    before = {k: v.clone() for k, v in source.model.state_dict().items()}
    Predictor.of(source, "cpu", "bf16")
    assert all(torch.equal(before[k], v) for k, v in source.model.state_dict().items())


def test_wishes_come_to_a_choice_or_to_a_sentence(monkeypatch):
    assert choose("cpu") == ("cpu", "torch", "fp32")
    assert choose("cpu", "bf16", "compile") == ("cpu", "compile", "bf16")
    for call, words in (
        (lambda: choose("cpu", backend="tensorrt"), "auto, torch, openvino or compile"),
        (lambda: choose("cpu", "fp16"), "fp16 needs a CUDA device"),
        (lambda: choose("cpu", "int8", "torch"), "choose the backend openvino"),
        (lambda: choose_backend("openvino", "cuda"), "runs on the CPU"),
        (lambda: choose_precision("fp16", "mps"), "fp16 needs a CUDA device, not mps"),
    ):
        with pytest.raises(DeviceError, match=words):
            call()
    monkeypatch.setattr(devices, "find_spec", lambda name: None)
    for wishes in (("cpu", "fp32", "openvino"), ("auto", "int8", "auto")):
        with pytest.raises(DeviceError, match=r"install pspgui\[openvino\]"):
            choose(*wishes)


def test_the_missing_backend_is_found_out_before_the_file_is_read(monkeypatch):
    monkeypatch.setattr(devices, "find_spec", lambda name: None)
    with pytest.raises(DeviceError, match="install"):
        Predictor.load(Path("no such file"), "cpu", backend="openvino")


def test_nothing_slow_or_optional_is_imported_until_it_is_asked_for():
    code = (
        "import sys, numpy\n"
        "from pspgui.inference.backends.compiled import CompiledBackend\n"
        "from pspgui.inference.predictor import Predictor\n"
        "from pspgui.labels.classes import CAMVID\n"
        "from pspgui.models.architectures import ARCHITECTURES, outline\n"
        "from pspgui.places import bundled_model\n"
        "for known in ARCHITECTURES:\n"
        "    outline(known.spec.model_validate({'classes': CAMVID}))\n"
        "predictor = Predictor.load(bundled_model(), 'cpu')\n"
        "predictor.predict(predictor.set_image(numpy.zeros((33, 33, 3), numpy.uint8)))\n"
        "slow = 'torch._dynamo', 'torch._inductor', 'sympy', 'openvino', 'nncf', 'onnx'\n"
        "print([m for m in slow if m in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


class FakeCompiler:
    """Stands in for torch.compile, which takes half a minute."""

    def __init__(self, works: bool) -> None:
        self.works, self.calls = works, 0

    def __call__(self, network, **options):
        self.calls += 1
        if not self.works:
            raise RuntimeError("InvalidCxxCompiler: no C++ compiler was found\nmore lines")
        return network


def test_compiling_happens_once_and_at_the_first_image(monkeypatch):
    compiler = FakeCompiler(works=True)
    monkeypatch.setattr(torch, "compile", compiler)
    source = loaded()
    predictor = Predictor.of(source, "cpu", backend="compile")
    assert isinstance(predictor.backend, CompiledBackend) and compiler.calls == 0
    plain = Predictor.of(source, "cpu")
    for pixels in (picture(), picture(33, 65)):
        one, other = (p.set_image(pixels).scores for p in (predictor, plain))
        assert np.allclose(one, other, atol=1e-4)
    assert compiler.calls == 1


def test_a_compiler_that_cannot_work_is_one_sentence(monkeypatch):
    monkeypatch.setattr(torch, "compile", FakeCompiler(works=False))
    with pytest.raises(DeviceError, match=r"no C\+\+ compiler was found\): choose the backend"):
        Predictor.of(loaded(), "cpu", backend="compile").set_image(picture())


@needs_cuda
@pytest.mark.parametrize("precision", ["fp32", "bf16", "fp16"])
def test_cuda_replays_what_it_computed(precision):
    head, images = build_head(small_network()), torch.randn(3, 1, 3, 65, 97)
    with torch.inference_mode():
        wanted = [head.trunk(x) for x in images]
    backend = EagerBackend(TrunkRequest(head.trunk, "cuda", precision))
    # The second run of a size is recorded, later ones replay it.
    found = [backend.run(x) for x in (*images, images[0])]
    tolerance = 1e-4 if precision == "fp32" else 0.05
    for outputs, exact in zip(found, (*wanted, wanted[0]), strict=True):
        for one, other in zip(outputs, exact, strict=True):
            assert one.dtype == torch.float32 and one.device.type == "cuda"
            assert torch.allclose(one.cpu(), other, atol=tolerance * float(other.abs().max()))
    assert len(backend._graphs._recordings) == 1


@needs_cuda
def test_cuda_keeps_the_last_few_sizes_and_runs_on_where_recording_fails(monkeypatch):
    backend = EagerBackend(TrunkRequest(build_head(small_network()).trunk, "cuda", "fp32"))
    for side in (33, 41, 49, 57, 65):
        for _ in range(3):
            backend.run(torch.randn(1, 3, side, side))
    assert len(backend._graphs._recordings) == 3

    def fail(images):
        raise RuntimeError("capture failed")

    monkeypatch.setattr(backend._graphs, "_record", fail)
    images = torch.randn(1, 3, 73, 73)
    runs = [backend.run(images) for _ in range(3)]
    assert all(torch.allclose(a, b, atol=1e-4) for a, b in zip(runs[0], runs[2], strict=True))
