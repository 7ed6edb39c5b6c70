"""Networks in other formats: the same logits at every size, or no file."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812 - the field's own name for it
from hypothesis import given, settings
from hypothesis import strategies as st
from small_networks import small_network

from pspgui.inference import export
from pspgui.inference.backends.openvino_graphs import silent
from pspgui.inference.export import BinPool, ExportError, WholeNetwork, export_onnx, export_openvino
from pspgui.models.checkpoints import LoadedModel

# Asked without importing it: it would report its use.
needs_openvino = pytest.mark.skipif(
    find_spec("openvino") is None, reason="the extra openvino is not installed"
)


def loaded(**fields: object) -> LoadedModel:
    # Two of ResNet's four layers: what is hard to export is the head.
    model = small_network(backbone="resnet18", stages=2, output_stride=8, **fields)
    return LoadedModel(model, model.spec, "random", Path(), "digest", ())


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 8), st.booleans())
def test_bins_by_matrices_are_adaptive_pooling(height, width, bins, largest):
    maps = torch.randn((1, 3, height, width), generator=torch.Generator().manual_seed(0))
    pool = F.adaptive_max_pool2d if largest else F.adaptive_avg_pool2d
    found = BinPool((bins, bins), largest=largest)(maps)
    assert torch.allclose(found, pool(maps, bins), atol=1e-5)


@pytest.mark.parametrize("pool", ["average", "max"])
def test_the_exported_form_is_the_same_network(pool):
    source = loaded(pool=pool)
    images = torch.randn(1, 3, 73, 41)
    with torch.inference_mode():
        wanted, found = source.model(images).main, WholeNetwork(source.model)(images)
    assert torch.allclose(found, wanted, atol=1e-5 * float(wanted.abs().max()))


@needs_openvino
@pytest.mark.parametrize("align_corners", [True, False])
def test_openvino_reads_it_at_any_size(tmp_path, align_corners):
    with silent():
        import openvino
    source = loaded(align_corners=align_corners)
    assert export_openvino(source, tmp_path / "out") <= 1e-4
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["network.bin", "network.xml"]
    model = openvino.Core().read_model(tmp_path / "out" / "network.xml")
    spec = json.loads(model.get_rt_info(["pspgui", "spec"]).value)
    assert spec["align_corners"] is align_corners
    images = torch.randn(1, 3, 49, 105)
    compiled = openvino.compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    found = compiled({"images": images.numpy()})["logits"]
    wanted = source.model(images).main.numpy()
    assert np.abs(found - wanted).max() <= 1e-4 * max(1, np.abs(wanted).max())


def test_onnx_reads_it_at_any_size(tmp_path):
    onnx = pytest.importorskip("onnx", reason="the extra onnx is not installed")
    runtime = pytest.importorskip("onnxruntime", reason="the extra onnx is not installed")
    pytest.importorskip("onnxscript", reason="the extra onnx is not installed")
    source = loaded()
    path = tmp_path / "network.onnx"
    assert export_onnx(source, path) <= 1e-4
    assert [p.name for p in tmp_path.iterdir()] == ["network.onnx"]
    stored = {p.key: p.value for p in onnx.load(path).metadata_props}
    assert json.loads(stored["pspgui.spec"])["backbone"] == "resnet18"
    images = torch.randn(1, 3, 49, 105)
    found = runtime.InferenceSession(path).run(None, {"images": images.numpy()})[0]
    wanted = source.model(images).main.numpy()
    assert np.abs(found - wanted).max() <= 1e-4 * max(1, np.abs(wanted).max())


class Wrong(torch.nn.Module):
    """A network that is not the one it is said to be."""

    def __init__(self, model) -> None:
        super().__init__()
        self.network = WholeNetwork(model)

    def forward(self, images):
        return self.network(images) * 1.01


@needs_openvino
def test_a_file_that_disagrees_is_not_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(export, "WholeNetwork", Wrong)
    with pytest.raises(ExportError, match="differ from torch's by"):
        export_openvino(loaded(), tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("form", ["onnx", "openvino"])
def test_a_missing_extra_is_named(tmp_path, form, monkeypatch):
    monkeypatch.setattr(export, "find_spec", lambda name: None)
    with pytest.raises(ExportError, match=rf"install pspgui\[{form}\]"):
        export.WRITERS[form](loaded(), tmp_path / "x")


@needs_openvino
def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("", encoding="ascii")
    with pytest.raises(ExportError, match="cannot be written"):
        export_openvino(loaded(), tmp_path / "file" / "out")
