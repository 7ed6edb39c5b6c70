"""Files of tensors, read without running anything that is in them.

A file is opened once and read through that handle, so that a file put in its place meanwhile does
not matter; one that is written to meanwhile is refused. Nothing is mapped into memory: a mapped
file that is cut short under us would end the process.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import safetensors.torch
import torch
from torch import Tensor

from pspgui.models.checkpoints.errors import CheckpointError, refusal, short
from pspgui.models.checkpoints.extras import Plain
from pspgui.models.checkpoints.torch_file import read_torch

MAX_BYTES = 8 << 30
_PIECE = 1 << 20
# A file may hold tensors that share memory, such as tied weights, but not much more than it has.
_MAX_SHARING = 4
_DTYPES = frozenset({
    torch.float16, torch.bfloat16, torch.float32, torch.float64, torch.uint8, torch.int8,
    torch.int16, torch.int32, torch.int64, torch.bool,
})  # fmt: skip
# Prefixes that wrappers of a network put before all its keys, or nearly all: a training module
# (Lightning) may have a few tensors of its own.
_PREFIXES = ("module.", "_orig_mod.", "model.", "net.", "network.", "base.")
_NEARLY_ALL = 0.9
_IN_FOLDERS = ("model.safetensors", "pytorch_model.bin")


@dataclass(frozen=True)
class Container:
    """What a file holds: tensors by key as found, less the prefixes that wrappers add.

    metadata: the strings of a safetensors header; extras: what else a torch file says, such as
    class names or the epoch, by dotted key; notes: sentences on what was left out; wrappers: the
    prefixes that were taken off, outermost first.
    """

    path: Path
    tensors: dict[str, Tensor]
    metadata: dict[str, str] = field(default_factory=dict)
    digest: str = ""
    extras: Mapping[str, Plain] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    wrappers: tuple[str, ...] = ()

    def error(self, reason: str, remedy: str | None = None) -> CheckpointError:
        """Return the error to raise for this file."""
        return refusal(self.path, reason, remedy)


def read_container(path: Path) -> Container:
    """Read all tensors of a safetensors or torch file onto the CPU.

    At its peak it holds a torch file once and a safetensors file twice. Raises `CheckpointError`.
    Never executes code from the file; refuses files over 8 GiB, compressed or overlapping
    archives, broken checksums, views that repeat memory, and values that are not finite. For a
    folder that `save_pretrained` wrote, the weights in it are read.
    """
    if (path / "config.json").is_file():
        path = next((path / n for n in _IN_FOLDERS if (path / n).is_file()), path)
    with _opened(path) as file:
        before = _state(file)
        head = file.read(9)
        if _is_torch(head):
            file.seek(0)
            digest = _digest(file)
            tensors, extras, notes = read_torch(path, file)
            metadata: dict[str, str] = {}
        else:
            file.seek(0)
            tensors, metadata, digest = _read_safetensors(path, file.read())
            extras, notes = {}, ()
        if _state(file) != before:
            raise refusal(path, "it changed while it was read", "Open it again once it is written")
    if not tensors:
        raise refusal(path, "there are no tensors in it")
    _check_tensors(path, tensors, before[0])
    plain, wrappers = _stripped(tensors)
    return Container(path, plain, metadata, digest, extras, notes, wrappers)


def _opened(path: Path) -> IO[bytes]:
    try:
        # O_NONBLOCK: opening a named pipe would otherwise wait for a writer for ever.
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    except (OSError, ValueError) as error:
        raise refusal(path, getattr(error, "strerror", None) or str(error)) from error
    status = os.fstat(handle)
    reason = None
    if not stat.S_ISREG(status.st_mode):
        reason = "it is not a regular file"
    elif status.st_size == 0:
        reason = "the file is empty"
    elif status.st_size > MAX_BYTES:
        reason = f"it is larger than {MAX_BYTES >> 30} GiB"
    if reason is not None:
        os.close(handle)
        raise refusal(path, reason)
    return os.fdopen(handle, "rb")


def _state(file: IO[bytes]) -> tuple[int, int]:
    status = os.fstat(file.fileno())
    return status.st_size, status.st_mtime_ns


def _digest(file: IO[bytes]) -> str:
    found = hashlib.sha256()
    while piece := file.read(_PIECE):
        found.update(piece)
    return found.hexdigest()


def _is_torch(head: bytes) -> bool:
    """Tell a torch file from safetensors, whose first bytes are a length and can look like any."""
    return head[8:9] != b"{" and (head[:2] == b"PK" or head[:1] == b"\x80")


def _read_safetensors(path: Path, content: bytes) -> tuple[dict[str, Tensor], dict[str, str], str]:
    """Return tensors, the header's strings and the digest."""
    try:
        tensors = safetensors.torch.load(content)
        # safetensors gives metadata only from a path, and the path may have changed since. It
        # also takes the last of two equal keys, where nobody can say which is meant.
        length = int.from_bytes(content[:8], "little")
        header = json.loads(content[8 : 8 + length], object_pairs_hook=_unique)
    except Exception as error:  # the binding raises its own types, and KeyError for odd dtypes
        known = content[8:9] == b"{"
        what = "its header is damaged" if known else "it is neither safetensors nor a torch file"
        raise refusal(path, f"{what} ({short(str(error), 60)})") from error
    metadata = header.get("__metadata__") or {}
    named = {str(k): str(v) for k, v in metadata.items()}
    return tensors, named, hashlib.sha256(content).hexdigest()


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key stands twice in the header")
    return found


def _stripped(tensors: dict[str, Tensor]) -> tuple[dict[str, Tensor], tuple[str, ...]]:
    """Drop the prefixes of wrappers such as DataParallel, one inside another; say which."""
    wrappers: tuple[str, ...] = ()
    while True:
        for prefix in _PREFIXES:
            count = sum(key.startswith(prefix) for key in tensors)
            if count >= max(1, _NEARLY_ALL * len(tensors)):
                shorter = {key.removeprefix(prefix): t for key, t in tensors.items()}
                if len(shorter) == len(tensors):
                    tensors, wrappers = shorter, (*wrappers, prefix)
                    break
        else:
            return tensors, wrappers


def _check_tensors(path: Path, tensors: dict[str, Tensor], size: int) -> None:
    claimed = 0
    for key, tensor in tensors.items():
        _check_plain(path, key, tensor)
        claimed += tensor.numel() * tensor.element_size()
        if claimed > _MAX_SHARING * size + _PIECE:
            raise refusal(path, "its tensors claim many times the bytes that the file has")
    for key, tensor in tensors.items():
        if tensor.is_floating_point() and not _finite(tensor):
            raise refusal(path, f"{short(key, 40)} holds values that are not finite")


def _check_plain(path: Path, key: str, tensor: Tensor) -> None:
    plain = (
        tensor.layout == torch.strided
        and tensor.device.type == "cpu"
        and not tensor.is_quantized
        and tensor.dtype in _DTYPES
    )
    if not plain:
        raise refusal(path, f"{short(key, 40)} is not a plain tensor")
    if tensor.numel() * tensor.element_size() > tensor.untyped_storage().nbytes():
        raise refusal(path, f"{short(key, 40)} repeats a few bytes {tensor.numel()} times")


def _finite(tensor: Tensor) -> bool:
    """Say whether all values are finite, and still are once they are float32."""
    if tensor.numel() == 0:
        return True
    low, high = torch.aminmax(tensor)
    return bool(torch.isfinite(torch.stack([low, high]).float()).all())


__all__ = ["CheckpointError", "Container", "read_container", "refusal", "short"]
