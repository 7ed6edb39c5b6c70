"""Networks written for others to run: ONNX and OpenVINO, from normalised images to logits.

Height and width stay open. Pooling into bins is written as products with matrices that are built
in the graph from the size at hand, for the formats' own adaptive pooling takes fixed sizes only.
"""

from __future__ import annotations

import copy
import logging
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from pspgui.durable import printable
from pspgui.imaging.process_warnings import no_warnings
from pspgui.inference.fusing import fuse_batch_norms
from pspgui.models.checkpoints import LoadedModel
from pspgui.models.segmenter import Segmenter
from pspgui.models.spec import ModelSpec

# Sides the graph is made at, and those it is then compared with torch at.
_EXAMPLE = (97, 129)
_CHECKS = ((65, 65), (121, 73), (81, 201))
_TOLERANCE = 1e-4
_OPSET = 18

Runner = Callable[[np.ndarray], np.ndarray]


class ExportError(RuntimeError):
    """A network could not be written in another format; the message is one sentence."""


def export_onnx(loaded: LoadedModel, path: Path) -> float:
    """Write a network as one ONNX file: `images` (1, 3, H, W) float32 to `logits` (1, N, H, W).

    Images are normalised as the spec says, which stands in the file's metadata as JSON; sizes
    must meet its rule. Returns the largest difference from torch's logits, of three sizes, as a
    share of the largest logit. Raises `ExportError` above 1e-4, and then writes nothing.
    """
    _require("onnx", "onnx", "onnxscript", "onnxruntime")
    network, path = WholeNetwork(loaded.model), Path(path)
    with _beside(path.parent, path) as folder:
        draft = folder / "network.onnx"
        _write_onnx(network, draft, loaded.spec)
        worst = _difference(loaded, _onnx_runner(draft), path)
        draft.replace(path)
    return worst


def export_openvino(loaded: LoadedModel, folder: Path) -> float:
    """Write a network as `network.xml` and `network.bin` into a folder; else as `export_onnx`."""
    _require("openvino", "openvino")
    # Here, so that export to ONNX does without OpenVINO's own code.
    from pspgui.inference.backends.openvino_graphs import converted, silent

    with silent():
        import openvino
    folder = Path(folder)
    example = tuple(loaded.spec.size_rule.padded(s) for s in _EXAMPLE)
    made = converted(WholeNetwork(loaded.model), example)
    made.inputs[0].get_tensor().set_names({"images"})
    made.outputs[0].get_tensor().set_names({"logits"})
    made.set_rt_info(loaded.spec.model_dump_json(), ["pspgui", "spec"])
    with _beside(folder.parent, folder) as drafts:
        openvino.save_model(made, drafts / "network.xml", compress_to_fp16=False)
        worst = _difference(loaded, _openvino_runner(drafts / "network.xml"), folder)
        folder.mkdir(exist_ok=True)
        for name in ("network.bin", "network.xml"):
            (drafts / name).replace(folder / name)
    return worst


WRITERS: dict[str, Callable[[LoadedModel, Path], float]] = {
    "onnx": export_onnx,
    "openvino": export_openvino,
}


class WholeNetwork(nn.Module):
    """A network in use, from images to logits at their size, in operations that every format has.

    Works on a copy; batch norms are folded.
    """

    def __init__(self, model: Segmenter) -> None:
        super().__init__()
        own = copy.deepcopy(model).eval().requires_grad_(False)
        own.auxiliary = None
        fuse_batch_norms(own)
        _replace_pools(own)
        self.model = own

    def forward(self, images: Tensor) -> Tensor:
        """Return (B, N, H, W) logits."""
        logits: Tensor = self.model(images).main
        return logits


class BinPool(nn.Module):
    """Adaptive average or maximum pooling, exactly, by matrices built from the size at hand.

    Bin i of b over n cells covers floor(i n / b) up to ceil((i + 1) n / b).
    """

    def __init__(self, bins: tuple[int, int], *, largest: bool) -> None:
        super().__init__()
        self._bins, self._largest = bins, largest

    def forward(self, maps: Tensor) -> Tensor:
        """Return (B, C, bins, bins) of (B, C, h, w)."""
        if self._bins == (1, 1):
            sides = (2, 3)
            return maps.amax(sides, keepdim=True) if self._largest else maps.mean(sides, True)
        rows = _members(maps.shape[2], self._bins[0])
        columns = _members(maps.shape[3], self._bins[1])
        if self._largest:
            return _largest(_largest(maps, columns).transpose(2, 3), rows).transpose(2, 3)
        return _shares(rows) @ maps @ _shares(columns).transpose(0, 1)


def _members(size: int, bins: int) -> Tensor:
    """Return (bins, size): one where a cell belongs to a bin, zero elsewhere."""
    number, cells = torch.arange(bins)[:, None], torch.arange(size)[None]
    begin = torch.div(number * size, bins, rounding_mode="floor")
    end = torch.div((number + 1) * size + (bins - 1), bins, rounding_mode="floor")
    return ((cells >= begin) & (cells < end)).float()


def _shares(members: Tensor) -> Tensor:
    return members / members.sum(1, keepdim=True)


def _largest(maps: Tensor, members: Tensor) -> Tensor:
    """Return (B, C, h, bins): the largest value of every bin along the last side."""
    parts = [maps.masked_fill(row == 0, float("-inf")).amax(3) for row in members.unbind(0)]
    return torch.stack(parts, 3)


def _replace_pools(module: nn.Module) -> None:
    for name, child in list(module.named_children()):
        if isinstance(child, nn.AdaptiveAvgPool2d | nn.AdaptiveMaxPool2d):
            wanted: Any = child.output_size
            bins = (wanted, wanted) if isinstance(wanted, int) else tuple(wanted)
            largest = isinstance(child, nn.AdaptiveMaxPool2d)
            setattr(module, name, BinPool((bins[0], bins[1]), largest=largest))
        else:
            _replace_pools(child)


def _write_onnx(network: nn.Module, path: Path, spec: ModelSpec) -> None:
    import onnx

    size = tuple(spec.size_rule.padded(s) for s in _EXAMPLE)
    sides = {2: torch.export.Dim.DYNAMIC, 3: torch.export.Dim.DYNAMIC}
    try:
        with _quiet():
            torch.onnx.export(
                network,
                (torch.zeros(1, 3, *size),),
                path,
                input_names=["images"],
                output_names=["logits"],
                opset_version=_OPSET,
                dynamic_shapes=(sides,),
                dynamo=True,
                external_data=False,
                verbose=False,
            )
    except (torch.onnx.OnnxExporterError, RuntimeError, ValueError) as error:
        raise ExportError("This network cannot be written as ONNX by torch's exporter.") from error
    written = onnx.load(path)
    onnx.helper.set_model_props(written, {"pspgui.spec": spec.model_dump_json()})
    onnx.save(written, path)


def _onnx_runner(path: Path) -> Runner:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    return lambda images: np.asarray(session.run(["logits"], {"images": images})[0])


def _openvino_runner(path: Path) -> Runner:
    import openvino

    # OpenVINO computes in bf16 where it is faster, unless it is told not to.
    compiled = openvino.Core().compile_model(path, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    return lambda images: np.asarray(compiled(images)["logits"])


def _difference(loaded: LoadedModel, run: Runner, path: Path) -> float:
    """Return the largest difference, relative to the largest logit; raises `ExportError`."""
    worst, generator = 0.0, torch.Generator().manual_seed(0)
    for sides in _CHECKS:
        size = tuple(loaded.spec.size_rule.padded(s) for s in sides)
        images = torch.randn((1, 3, *size), generator=generator)
        with torch.inference_mode():
            wanted = loaded.model.eval()(images).main.numpy()
        try:
            found = run(images.numpy())
        except Exception as error:  # each engine has kinds of its own
            raise _refusal(path, "it cannot be run at other sizes") from error
        if found.shape != wanted.shape or not np.isfinite(found).all():
            raise _refusal(path, "its logits have another shape or are not finite")
        worst = max(worst, float(np.abs(found - wanted).max() / max(1.0, np.abs(wanted).max())))
    if worst > _TOLERANCE:
        raise _refusal(path, f"its logits differ from torch's by {worst:.1e} of the largest")
    return worst


def _refusal(path: Path, reason: str) -> ExportError:
    return ExportError(
        f"{printable(path)} was not written: {reason}. Keep the network as safetensors."
    )


def _require(extra: str, *packages: str) -> None:
    missing = [p for p in packages if find_spec(p) is None]
    if missing:
        raise ExportError(f"{' and '.join(missing)} must be installed: install pspgui[{extra}].")


@contextmanager
def _beside(parent: Path, target: Path) -> Iterator[Path]:
    """Make a folder for drafts on the target's own disk, so that moving them there is one step."""
    try:
        parent.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(dir=parent, prefix=".pspgui-"))
    except OSError as error:
        raise ExportError(
            f"{printable(target)} cannot be written: {error.strerror}. Choose another folder."
        ) from error
    try:
        yield folder
    except OSError as error:
        raise ExportError(
            f"{printable(target)} cannot be written: {error.strerror}. Choose another place."
        ) from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep torch's exporter from telling users how it is made."""
    log = logging.getLogger("torch.onnx")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        with no_warnings():
            yield
    finally:
        log.setLevel(level)
