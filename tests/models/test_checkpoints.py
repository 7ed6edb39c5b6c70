"""Checkpoints: our own format, the bubbliiiing family, and files that must be refused."""

from __future__ import annotations

import argparse
import io
import os
import pickle
import zipfile

import numpy as np
import pytest
import safetensors.torch
import torch

from pspgui.durable import SaveError
from pspgui.labels.classes import CAMVID
from pspgui.models.checkpoints import CheckpointError, load_checkpoint
from pspgui.models.checkpoints.native import encode_checkpoint, save_checkpoint
from pspgui.models.pspnet import PSPNet, PSPNetSpec


@pytest.fixture(scope="module")
def network() -> PSPNet:
    torch.manual_seed(3)
    spec = PSPNetSpec(classes=CAMVID, levels=(1, 2), bottleneck_channels=16, record={"a": 1})
    return PSPNet(spec).eval()


def outside_state(network: PSPNet) -> dict[str, torch.Tensor]:
    """The network's tensors under the bubbliiiing family's names, written down independently."""
    state = {}
    for key, tensor in network.state_dict().items():
        parts = key.split(".")
        if key.startswith("backbone.features.") and "conv" in parts:
            index = int(parts[2])
            inner = parts[4:]
            plain = index == 1
            place = {
                ("0", "0"): 0, ("0", "1"): 1,
                **({("1",): 3, ("2",): 4} if plain else
                   {("1", "0"): 3, ("1", "1"): 4, ("2",): 6, ("3",): 7}),
            }  # fmt: skip
            for nested, flat in place.items():
                if tuple(inner[: len(nested)]) == nested and len(inner) == len(nested) + 1:
                    key = f"backbone.features.{index}.conv.{flat}.{inner[-1]}"
                    break
        key = key.replace("pyramid.branches.", "master_branch.0.stages.")
        key = key.replace("classifier.", "master_branch.1.").replace(
            "auxiliary.", "auxiliary_branch."
        )
        if key.startswith("bottleneck."):
            key = f"master_branch.0.{key}"
        state[key] = tensor
    return state


def test_a_native_checkpoint_comes_back_the_same(tmp_path, network):
    path = tmp_path / "model.safetensors"
    save_checkpoint(network, path)

    loaded = load_checkpoint(path)

    assert (loaded.family, loaded.spec, loaded.notes) == ("pspgui", network.spec, ())
    image = torch.randn(1, 3, 33, 49)
    with torch.inference_mode():
        assert torch.equal(loaded.model(image).main, network(image).main)


def test_the_bubbliiiing_family_gives_the_same_logits(tmp_path):
    torch.manual_seed(4)
    ours = PSPNet(PSPNetSpec(classes=CAMVID)).eval()
    path = tmp_path / "theirs.pth"
    torch.save({f"module.{k}": v for k, v in outside_state(ours).items()}, path)

    loaded = load_checkpoint(path)

    assert loaded.family == "bubbliiiing"
    assert loaded.spec.normalisation.mean == (0.5, 0.5, 0.5)
    image = torch.randn(1, 3, 33, 49)
    with torch.inference_mode():
        assert torch.equal(loaded.model(image).main, ours(image).main)


def test_the_real_outside_weights_load(shared):
    loaded = load_checkpoint(shared / "weights" / "pspnet_mobilenetv2_camvid11.pth")

    assert (loaded.family, loaded.spec.output_stride) == ("bubbliiiing", 16)
    assert loaded.spec.classes == CAMVID


def test_a_container_with_optimizer_state_is_unwrapped(tmp_path):
    net = PSPNet(PSPNetSpec(classes=CAMVID))
    path = tmp_path / "run.pth"
    torch.save({"epoch": 3, "state_dict": outside_state(net), "optimizer": {"lr": 0.1}}, path)

    assert load_checkpoint(path).family == "bubbliiiing"


def test_a_native_checkpoint_of_eleven_megabytes_is_one_file(network):
    assert len(encode_checkpoint(network)) < 16 << 20


class Marker:
    """A pickle that would make a folder if anyone unpickled it."""

    def __init__(self, folder: str) -> None:
        self.folder = folder

    def __reduce__(self):
        return os.mkdir, (self.folder,)


def torch_bytes(value: object) -> bytes:
    buffer = io.BytesIO()
    torch.save(value, buffer)
    return buffer.getvalue()


def deflated(content: bytes) -> bytes:
    source, target = zipfile.ZipFile(io.BytesIO(content)), io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for entry in source.infolist():
            archive.writestr(entry.filename, source.read(entry))
    return target.getvalue()


def flipped(content: bytes) -> bytes:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        entry = max(archive.infolist(), key=lambda e: e.file_size)
    at = entry.header_offset + 200
    return content[:at] + bytes([content[at] ^ 64]) + content[at + 1 :]


SIGNATURE = "master_branch.0.stages.0.1.weight"
HOSTILE = {
    "empty": (b"", "empty"),
    "text": (b"<html>not found</html>" * 20, "neither safetensors nor a torch file"),
    "cut": (torch_bytes({"a": torch.randn(99, 99)})[:-3000], ""),
    "deflated": (deflated(torch_bytes({"a": torch.zeros(999)})), "compressed"),
    "bit flip": (flipped(torch_bytes({"a": torch.randn(9999)})), "damaged"),
    "namespace": (torch_bytes({"model": {}, "args": argparse.Namespace(x=1)}), "program objects"),
    "no dictionary": (torch_bytes([1, 2]), "dictionary of tensors"),
    "no tensors": (torch_bytes({"a": 1}), "no tensors"),
    "not finite": (torch_bytes({"a": torch.tensor([1.0, np.nan])}), "not finite"),
    "huge view": (torch_bytes({"a": torch.zeros(1).expand(10**6, 10**6)}), "repeats"),
    "sparse": (torch_bytes({"a": torch.eye(3).to_sparse()}), "plain tensor"),
    "unknown keys": (torch_bytes({"a": torch.zeros(3)}), "none of the"),
    "other backbone": (torch_bytes({SIGNATURE: torch.zeros(80, 320, 1, 1)}), "neither MobileNetV2"),
    "complex": (torch_bytes({"a": torch.zeros(3, dtype=torch.complex64)}), "plain tensor"),
    "bad header": (
        safetensors.torch.save({"a": torch.zeros(1)}, {"pspgui.spec": '{"levels": []}'}),
        "does not describe a model",
    ),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_files_are_refused_in_one_sentence(tmp_path, name):
    content, reason = HOSTILE[name]
    path = tmp_path / "weights.pth"
    path.write_bytes(content)

    with pytest.raises(CheckpointError) as caught:
        load_checkpoint(path)

    message = str(caught.value)
    assert message.startswith("weights.pth can't be used as a model: ")
    assert reason in message
    assert len(message) <= 260
    assert "weights_only" not in message
    assert "\n" not in message


@pytest.mark.parametrize(
    ("key", "tensor", "reason"),
    [
        ("auxiliary_branch.0.weight", torch.tensor(1.0), "shapes"),
        ("master_branch.0.bottleneck.0.weight", torch.tensor(1.0), "shapes"),
        ("master_branch.1.weight", torch.zeros(0, 80, 1, 1), "shapes"),
        ("master_branch.1.weight", None, "is missing"),
    ],
)
def test_outside_tensors_that_make_no_sense_are_refused(tmp_path, key, tensor, reason):
    state = outside_state(PSPNet(PSPNetSpec(classes=CAMVID)))
    state[key] = tensor
    torch.save(state, tmp_path / "odd.pth")

    with pytest.raises(CheckpointError, match=reason):
        load_checkpoint(tmp_path / "odd.pth")


def test_a_header_takes_no_memory_before_the_tensors_are_known_to_fit(tmp_path, monkeypatch):
    built_on = []

    def watched(spec: PSPNetSpec) -> PSPNet:
        built_on.append(torch.empty(0).device.type)
        return PSPNet(spec)

    monkeypatch.setattr("pspgui.models.architectures.build_network", watched)
    vast = PSPNetSpec(classes=CAMVID, level_channels=4096, bottleneck_channels=8192)
    header = {"pspgui.spec": vast.model_dump_json()}
    path = tmp_path / "vast.safetensors"
    path.write_bytes(safetensors.torch.save({"a": torch.zeros(1)}, header))

    with pytest.raises(CheckpointError, match="is missing"):
        load_checkpoint(path)
    assert built_on == ["meta"]


def test_nothing_in_a_file_is_run(tmp_path):
    path, made = tmp_path / "weights.pth", tmp_path / "made"
    for content in (
        pickle.dumps(Marker(str(made))),
        torch_bytes({"a": Marker(str(made))}),
    ):
        path.write_bytes(content)
        with pytest.raises(CheckpointError):
            load_checkpoint(path)

    assert not made.exists()


def test_missing_files_folders_and_pipes_are_refused(tmp_path):
    os.mkfifo(tmp_path / "pipe.pth")
    for name in ("nothing.pth", ".", "pipe.pth"):
        with pytest.raises(CheckpointError):
            load_checkpoint(tmp_path / name)


def test_a_tensor_of_another_shape_is_named(tmp_path, network):
    tensors = {k: v.contiguous() for k, v in network.state_dict().items()}
    tensors["classifier.weight"] = torch.zeros(5, 16, 1, 1)
    header = {"pspgui.spec": network.spec.model_dump_json()}
    path = tmp_path / "odd.safetensors"
    path.write_bytes(safetensors.torch.save(tensors, header))

    with pytest.raises(CheckpointError, match=r"classifier\.weight has the shape \(5, 16, 1, 1\)"):
        load_checkpoint(path)


@pytest.mark.parametrize("first_byte", [0x80, 0x50])
def test_a_header_whose_length_looks_like_a_pickle_or_zip_is_still_safetensors(
    tmp_path, network, first_byte
):
    content = encode_checkpoint(network)
    length = int.from_bytes(content[:8], "little")
    padding = (first_byte - length) % 256
    moved = (length + padding).to_bytes(8, "little")
    path = tmp_path / "model.safetensors"
    path.write_bytes(moved + content[8 : 8 + length] + b" " * padding + content[8 + length :])

    assert path.read_bytes()[0] == first_byte
    assert load_checkpoint(path).spec == network.spec


def test_keys_that_are_not_used_are_reported(tmp_path, network):
    tensors = {**network.state_dict(), "extra.weight": torch.zeros(2)}
    header = {"pspgui.spec": network.spec.model_dump_json()}
    path = tmp_path / "more.safetensors"
    path.write_bytes(safetensors.torch.save(tensors, header))

    assert load_checkpoint(path).notes == ("1 tensors of the file are not used: extra.weight",)


def test_a_save_that_fails_keeps_the_old_checkpoint(tmp_path, network, monkeypatch):
    path = tmp_path / "model.safetensors"
    save_checkpoint(network, path)
    before = path.read_bytes()

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(SaveError, match="No space left"):
        save_checkpoint(network, path)

    assert path.read_bytes() == before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["model.safetensors"]
