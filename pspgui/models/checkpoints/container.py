"""Files of tensors, read without running anything that is in them.

safetensors is plain; a torch file is a zip around a pickle, which is opened only with
weights_only=True after its shape has been checked: torch accepts deflated members (a bomb) and does
not notice flipped bits.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import stat
import zipfile
from dataclasses import dataclass, field
from pathlib import Path

import safetensors
import safetensors.torch
import torch
from torch import Tensor

MAX_BYTES = 8 << 30
_STATE_KEYS = ("state_dict", "model_state_dict", "model_state", "model")


class CheckpointError(ValueError):
    """A checkpoint that cannot be used: the message names file, reason and remedy."""


@dataclass(frozen=True)
class Container:
    """Tensors by key as found (a `module.` prefix stripped), and the header's strings."""

    path: Path
    tensors: dict[str, Tensor]
    metadata: dict[str, str] = field(default_factory=dict)
    digest: str = ""

    def error(self, reason: str) -> CheckpointError:
        """Return the error to raise for this file."""
        return refusal(self.path, reason)


def refusal(path: Path, reason: str) -> CheckpointError:
    """Return a `CheckpointError` in the house form: file, reason, what to do."""
    name = os.fsencode(path.name).decode("utf-8", "backslashreplace")
    return CheckpointError(
        f"{short(name, 60)} can't be used as a model: {reason}. Choose another weights file."
    )


def short(text: str, limit: int) -> str:
    """Return `text` as one printable line of at most `limit` characters."""
    line = "".join(c if c.isprintable() else "·" for c in text)
    return line if len(line) <= limit else line[: limit - 1] + "…"


def read_container(path: Path) -> Container:
    """Read all tensors of a safetensors or torch file onto the CPU.

    Raises `CheckpointError`. Never executes code from the file; refuses files over 8 GiB,
    compressed archives, broken checksums, views that repeat memory, and values that are not finite.
    """
    content = _read_regular_file(path)
    digest = hashlib.sha256(content).hexdigest()
    if _is_torch(content):
        tensors = _read_torch(path, content)
        metadata: dict[str, str] = {}
    else:
        tensors, metadata = _read_safetensors(path, content)
    for key, tensor in tensors.items():
        _check_tensor(path, key, tensor)
    if not tensors:
        raise refusal(path, "there are no tensors in it")
    return Container(path, tensors, metadata, digest)


def _read_regular_file(path: Path) -> bytes:
    try:
        # O_NONBLOCK: opening a named pipe would otherwise wait for a writer for ever.
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    except (OSError, ValueError) as error:
        raise refusal(path, getattr(error, "strerror", None) or str(error)) from error
    status = os.fstat(handle)
    if not stat.S_ISREG(status.st_mode):
        os.close(handle)
        raise refusal(path, "it is not a regular file")
    with os.fdopen(handle, "rb") as file:
        if status.st_size == 0:
            raise refusal(path, "the file is empty")
        if status.st_size > MAX_BYTES:
            raise refusal(path, f"it is larger than {MAX_BYTES >> 30} GiB")
        return file.read()


def _is_torch(content: bytes) -> bool:
    """Tell a torch file from safetensors, whose first bytes are a length and can look like any."""
    return content[8:9] != b"{" and (content[:2] == b"PK" or content[:1] == b"\x80")


def _read_safetensors(path: Path, content: bytes) -> tuple[dict[str, Tensor], dict[str, str]]:
    try:
        tensors = safetensors.torch.load(content)
    except Exception as error:  # the binding raises its own types, and KeyError for odd dtypes
        raise refusal(
            path, f"it is neither safetensors nor a torch file ({short(str(error), 60)})"
        ) from error
    # safetensors gives metadata only from a path, and the path may have changed since.
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    metadata = header.get("__metadata__") or {}
    return _strip(tensors), {str(k): str(v) for k, v in metadata.items()}


def _read_torch(path: Path, content: bytes) -> dict[str, Tensor]:
    if content[:2] == b"PK":
        _check_archive(path, content)
    try:
        loaded = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except Exception as error:
        raise refusal(path, _why_refused(content, error)) from error
    for key in _STATE_KEYS:
        if isinstance(loaded, dict) and isinstance(loaded.get(key), dict):
            loaded = loaded[key]
            break
    if not isinstance(loaded, dict):
        raise refusal(path, "it does not hold a dictionary of tensors")
    return _strip({k: v for k, v in loaded.items() if isinstance(k, str) and torch.is_tensor(v)})


def _check_archive(path: Path, content: bytes) -> None:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            entries = archive.infolist()
            if any(entry.compress_type != zipfile.ZIP_STORED for entry in entries):
                raise refusal(path, "its archive is compressed, which torch never writes")
            if sum(entry.file_size for entry in entries) > len(content) + (1 << 20):
                raise refusal(path, "its archive claims more bytes than the file has")
            broken = archive.testzip()
    # zipfile raises NotImplementedError for compression methods and features it does not know.
    except (zipfile.BadZipFile, OSError, EOFError, NotImplementedError, RuntimeError) as error:
        raise refusal(path, f"its archive is broken ({short(str(error), 60)})") from error
    if broken is not None:
        raise refusal(path, f"it is damaged: the checksum of {short(broken, 40)} does not match")


def _why_refused(content: bytes, error: Exception) -> str:
    """Say in plain words why torch refused, without torch's advice to trust the file."""
    try:
        unsafe = torch.serialization.get_unsafe_globals_in_checkpoint(io.BytesIO(content))
    except Exception:
        unsafe = []
    if unsafe:
        return (
            f"it holds program objects ({short(', '.join(unsafe), 60)}), not only tensors; "
            "save its state_dict alone"
        )
    reason = str(error).split("\n", 1)[0]
    if not reason or "weights_only" in reason:
        reason = "it is damaged or of an unknown kind"
    return short(reason, 80).rstrip(".")


def _strip(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Drop the prefix that DataParallel puts before every key."""
    if tensors and all(key.startswith("module.") for key in tensors):
        return {key.removeprefix("module."): value for key, value in tensors.items()}
    return tensors


def _check_tensor(path: Path, key: str, tensor: Tensor) -> None:
    if tensor.layout != torch.strided or tensor.device.type != "cpu" or tensor.is_complex():
        raise refusal(path, f"{short(key, 40)} is not a plain tensor")
    if tensor.numel() * tensor.element_size() > tensor.untyped_storage().nbytes():
        raise refusal(path, f"{short(key, 40)} repeats a few bytes {tensor.numel()} times")
    if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
        raise refusal(path, f"{short(key, 40)} holds values that are not finite")
