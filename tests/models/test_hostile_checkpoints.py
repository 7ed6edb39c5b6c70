"""Files made to harm, or merely broken: each is refused in one sentence, or read for what it is."""

from __future__ import annotations

import argparse
import io
import json
import pickle
import struct
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch

from pspgui.models.checkpoints import CheckpointError, load_checkpoint, read_container


def torch_bytes(value: object, **options: bool) -> bytes:
    buffer = io.BytesIO()
    torch.save(value, buffer, **options)
    return buffer.getvalue()


def rewritten(content: bytes, change: object, **options: int) -> bytes:
    """The archive with its members [(name, bytes)] changed by a function."""
    source, target = zipfile.ZipFile(io.BytesIO(content)), io.BytesIO()
    members = [(e.filename, source.read(e)) for e in source.infolist()]
    with zipfile.ZipFile(target, "w", options.get("kind", zipfile.ZIP_STORED)) as archive:
        for name, data in change(members):
            archive.writestr(name, data)
    return target.getvalue()


def overlapping(content: bytes) -> bytes:
    """The archive with its last member's entry pointed at its first member's bytes."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        first, last = archive.infolist()[0], archive.infolist()[-1]
    at = content.rindex(b"PK\x01\x02")
    assert struct.unpack_from("<I", content, at + 42)[0] == last.header_offset
    moved = struct.pack("<I", first.header_offset)
    return content[: at + 42] + moved + content[at + 46 :]


def nested(depth: int) -> bytes:
    """A pickle of {"a": [[[...]]]}, which no recursive writer could make."""
    return b"\x80\x02}X\x01\x00\x00\x00a" + b"]" * depth + b"a" * (depth - 1) + b"s."


def archive_of(index: bytes) -> bytes:
    def change(members: list[tuple[str, bytes]]) -> list[tuple[str, bytes]]:
        return [(n, index if n.endswith("data.pkl") else d) for n, d in members]

    return rewritten(torch_bytes({"a": torch.zeros(3)}), change)


def safe_bytes(header: str | bytes, body: bytes = b"", length: int | None = None) -> bytes:
    raw = header.encode() if isinstance(header, str) else header
    return struct.pack("<Q", len(raw) if length is None else length) + raw + body


def entry(*shape: int, begin: int = 0, end: int = 4, dtype: str = "F32") -> dict[str, object]:
    return {"dtype": dtype, "shape": list(shape), "data_offsets": [begin, end]}


PLAIN = torch_bytes({"a": torch.ones(9, 9), "b": torch.zeros(5)})
FOUR = b"\0\0\x80\x3f"
TWICE = '{"a":%s,"a":%s}' % ((json.dumps(entry(1)),) * 2)
FILES = {
    "deflated": (rewritten(PLAIN, lambda m: m, kind=zipfile.ZIP_DEFLATED), "compressed"),
    "one name twice": (rewritten(PLAIN, lambda m: [*m, m[-1]]), "two entries of one name"),
    "overlapping": (overlapping(PLAIN), "archive"),
    "cut": (PLAIN[:-200], "archive"),
    "cut pickle": (torch_bytes({"a": torch.ones(9)}, _use_new_zipfile_serialization=False)[:-9],
                   ""),
    "torchscript": (rewritten(PLAIN, lambda m: [*m, ("archive/code/a.py", b"")]), "TorchScript"),
    "deep pickle": (archive_of(nested(100_000)), "no tensors"),
    "sparse": (torch_bytes({"a": torch.eye(3).to_sparse()}), "plain tensor"),
    "compressed rows": (torch_bytes({"a": torch.eye(3).to_sparse_csr()}), "plain tensor"),
    "meta": (torch_bytes({"a": torch.zeros(3, device="meta")}), "plain tensor"),
    "expanded": (torch_bytes({"a": torch.zeros(1).expand(10**6, 10**6)}), "repeats"),
    "shared": (torch_bytes({f"a{i}": t for t in [torch.zeros(300_000)] for i in range(20)}),
               "many times the bytes"),
    "not finite": (torch_bytes({"a": torch.tensor([1.0, float("-inf")])}), "not finite"),
    "half not finite": (torch_bytes({"a": torch.tensor([np.nan]).half()}), "not finite"),
    "too large for float32": (torch_bytes({"a": torch.tensor([1e300]).double()}), "not finite"),
    "zero-size": (torch_bytes({"a": torch.zeros(0, 3)}), "none of the"),
    "odd names": (torch_bytes({"../../etc\n\x1b[31mred\u202e": torch.zeros(1)}), "none of the"),
    "integers": (torch_bytes({1: torch.zeros(1)}), "no tensors"),
    "itself": (None, "no tensors"),
    "huge header": (safe_bytes("{}", length=1 << 62), "damaged"),
    "header beyond the file": (safe_bytes("{}", length=1 << 20), "damaged"),
    "one key twice": (safe_bytes(TWICE, FOUR), "stands twice"),
    "deep header": (safe_bytes('{"__metadata__":' + "[" * 100_000), "damaged"),
    "past the end": (safe_bytes(json.dumps({"a": entry(9, end=36)}), FOUR), "damaged"),
    "overlapping tensors": (
        safe_bytes(json.dumps({"a": entry(1), "b": entry(1)}), FOUR), "damaged"),
    "vast shape": (safe_bytes(json.dumps({"a": entry(2**40, 2**40)}), FOUR), "damaged"),
    "float8": (safetensors.torch.save({"a": torch.zeros(2).to(torch.float8_e5m2)}), "plain tensor"),
    "deep spec": (safetensors.torch.save({"a": torch.zeros(1)}, {"pspgui.spec": "[" * 99_999}),
                  "too deep"),
}  # fmt: skip


@pytest.mark.parametrize("name", FILES)
def test_it_is_refused_in_one_sentence(tmp_path, name):
    content, reason = FILES[name]
    if content is None:
        knot: dict[str, object] = {}
        knot["state_dict"] = knot
        content = torch_bytes(knot)
    path = tmp_path / "weights.pth"
    path.write_bytes(content)

    with pytest.raises(CheckpointError) as caught:
        load_checkpoint(path)

    message = str(caught.value)
    assert message.startswith("weights.pth can't be used as a model: ")
    assert reason in message
    assert len(message) <= 260
    assert message.isprintable()
    assert "weights_only" not in message


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")
def test_quantised_tensors_are_refused(tmp_path):
    try:
        tensor = torch.quantize_per_tensor(torch.ones(3), 0.1, 0, torch.qint8)
    except (RuntimeError, NotImplementedError):
        pytest.skip("this torch has no quantised tensors")
    torch.save({"a": tensor}, tmp_path / "w.pth")

    with pytest.raises(CheckpointError):
        load_checkpoint(tmp_path / "w.pth")


class HistoryBuffer:
    """Stands in for mmengine's, under its name."""


@pytest.mark.parametrize(
    ("beside", "named"),
    [({"args": argparse.Namespace(lr=1)}, "argparse.Namespace"),
     ({"message_hub": HistoryBuffer()}, "HistoryBuffer"), ({"path": Path("x")}, "athlib")],
)  # fmt: skip
def test_program_objects_are_named_and_the_remedy_is_the_state_dict(tmp_path, beside, named):
    torch.save({"model": {"a": torch.zeros(1)}, **beside}, tmp_path / "w.pth")

    with pytest.raises(CheckpointError) as caught:
        load_checkpoint(tmp_path / "w.pth")

    message = str(caught.value)
    assert named in message
    assert message.endswith("Save its state_dict alone, in the program that made it.")
    assert "weights_only" not in message


@pytest.mark.parametrize(
    "wrap",
    [lambda s: s, lambda s: {"state_dict": s}, lambda s: {"model": {"state_dict": s}},
     lambda s: {"model_state": s, "cur_itrs": 3}, lambda s: {"model_state_dict": s},
     lambda s: {"network": s}, lambda s: {"net": s, "rng": torch.zeros(3)},
     lambda s: {"model_ema": s}, lambda s: {f"module.{k}": v for k, v in s.items()},
     lambda s: {f"_orig_mod.module.{k}": v for k, v in s.items()},
     lambda s: {"state_dict": {**{f"model.{k}": v for k, v in s.items()},
                               "loss.weight": torch.zeros(1)}}],
)  # fmt: skip
@pytest.mark.parametrize("zipped", [True, False])
def test_containers_and_wrappers_are_taken_off(tmp_path, wrap, zipped):
    state = {f"layer.{n}": torch.full((2,), float(n)) for n in range(20)}
    content = torch_bytes(wrap(state), _use_new_zipfile_serialization=zipped)
    path = tmp_path / "w.pth"
    path.write_bytes(content)

    found = read_container(path).tensors

    assert all(torch.equal(found[key], tensor) for key, tensor in state.items())
    assert set(found) - set(state) <= {"loss.weight"}


def test_what_stands_beside_the_weights_is_kept_if_plain_and_short(tmp_path):
    laughs: list[object] = ["ha"]
    for _ in range(40):
        laughs = [laughs] * 10
    torch.save(
        {"state_dict": {"a": torch.zeros(1)}, "epoch": 7, "best_score": np.float64(0.5),
         "count": np.int64(3), "name": "x" * 70_000, "many": list(range(5000)), "laughs": laughs,
         "optimizer": {"lr": 0.1}, "rate": float("nan"),
         "meta": {"dataset_meta": {"classes": ("cat", "dog"), "palette": [[1, 2, 3], [4, 5, 6]]}}},
        tmp_path / "w.pth",
    )  # fmt: skip

    found = read_container(tmp_path / "w.pth")

    assert dict(found.extras) == {
        "epoch": 7, "best_score": 0.5, "count": 3, "rate": None,
        "meta.dataset_meta.classes": ("cat", "dog"),
        "meta.dataset_meta.palette": ((1, 2, 3), (4, 5, 6)),
    }  # fmt: skip
    assert found.notes == ("The state that training keeps (optimizer) is left out.",)


def test_a_dtype_in_a_file_is_never_numpys_own(tmp_path, monkeypatch):
    made = []
    monkeypatch.setattr(np, "dtype", lambda *a: made.append(a))
    scalar = (b"\x80\x02}(X\x01\x00\x00\x00ncnumpy.core.multiarray\nscalar\ncnumpy\ndtype\n"
              b"X\x02\x00\x00\x00O8\x89\x88\x87RX\x01\x00\x00\x00z\x86Ru.")  # fmt: skip
    path = tmp_path / "w.pth"
    path.write_bytes(archive_of(scalar))

    with pytest.raises(CheckpointError, match="no tensors"):
        read_container(path)
    assert made == []


def test_a_list_of_tensors_without_end_is_not_read(tmp_path, monkeypatch):
    monkeypatch.setattr("pspgui.models.checkpoints.torch_file._MAX_INDEX", 1 << 20)
    path = tmp_path / "w.pth"
    path.write_bytes(archive_of(b"\x80\x02" + b"]" * (2 << 20) + b"."))

    with pytest.raises(CheckpointError, match="larger than 1 MiB"):
        read_container(path)


def test_a_file_that_changes_while_it_is_read_is_refused(tmp_path, monkeypatch):
    path = tmp_path / "w.safetensors"
    path.write_bytes(safetensors.torch.save({"a": torch.zeros(9)}))
    load = safetensors.torch.load

    def slow(content: bytes) -> object:
        with path.open("ab") as file:
            file.write(b"more")
        return load(content)

    monkeypatch.setattr(safetensors.torch, "load", slow)
    with pytest.raises(CheckpointError, match=r"changed while it was read\. Open it again"):
        read_container(path)


# Not ru_maxrss, which begins with what the process held that this one was started by.
PEAK = """
import sys
from pathlib import Path
from pspgui.models.checkpoints import read_container
def peak():
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))
for name in sys.argv[1:]:
    before = peak()
    read_container(Path(name))
    print(peak() - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's alone")
def test_a_file_is_not_held_three_times_in_memory(tmp_path):
    tensors = {f"a{n}": torch.rand(1 << 20) for n in range(16)}
    zipped, safe = tmp_path / "w.pth", tmp_path / "w.safetensors"
    torch.save(tensors, zipped)
    safetensors.torch.save_file(tensors, safe)

    said = subprocess.run(
        [sys.executable, "-c", PEAK, zipped, safe], capture_output=True, text=True, check=True
    ).stdout

    once, more = (int(line) * 1024 / zipped.stat().st_size for line in said.split())
    assert once < 1.5
    # The peak stands where the first file left it.
    assert once + more < 2.5


def test_nothing_is_run_by_any_of_it(tmp_path):
    marker = tmp_path / "made"
    call = pickle.dumps(Runs(str(marker)))
    for content in (call, archive_of(call)):
        path = tmp_path / "w.pth"
        path.write_bytes(content)
        with pytest.raises(CheckpointError):
            load_checkpoint(path)
    assert not marker.exists()


class Runs:
    def __init__(self, folder: str) -> None:
        self.folder = folder

    def __reduce__(self) -> object:
        import os

        return os.mkdir, (self.folder,)
