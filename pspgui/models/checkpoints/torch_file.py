"""torch's own files: a zip around a pickle, or a bare pickle, opened with weights_only alone.

What that lets through is checked besides: torch accepts deflated members (a bomb) and does not
notice flipped bits.
"""

from __future__ import annotations

import threading
import zipfile
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from pspgui.models.checkpoints.errors import refusal, short
from pspgui.models.checkpoints.extras import TRAINING_STATE, Plain, plain_values

# The weights themselves, and averages of them, by the names that training programs give them.
_STATE = ("state_dict", "model_state_dict", "model_state", "model", "network", "net", "module")
_AVERAGED = ("state_dict_ema", "ema_state_dict", "model_ema", "ema", "ema_model", "params_ema")
_MAX_NESTING = 4
_MAX_INDEX = 64 << 20
# torch's list of allowed names is one for the whole process.
_LOADING = threading.Lock()
_SAVE_ALONE = "Save its state_dict alone, in the program that made it"


class TorchContents(NamedTuple):
    """Tensors by key, the plain values around them, and sentences on what was left out."""

    tensors: dict[str, Tensor]
    extras: dict[str, Plain]
    notes: tuple[str, ...]


def read_torch(path: Path, file: IO[bytes]) -> TorchContents:
    """Read a torch file from an open handle; raises `CheckpointError`."""
    file.seek(0)
    if file.read(2) == b"PK":
        _check_archive(path, file)
    loaded = _load(path, file)
    if not isinstance(loaded, dict):
        raise refusal(path, "it does not hold a dictionary of tensors")
    state, around = _unwrapped(loaded)
    tensors = {
        key: value.detach()
        for key, value in state.items()
        if isinstance(key, str) and isinstance(value, Tensor)
    }
    return TorchContents(tensors, plain_values(around), _left_out(around))


def _load(path: Path, file: IO[bytes]) -> Any:
    file.seek(0)
    with _LOADING, torch.serialization.safe_globals(_STAND_INS):
        try:
            return torch.load(file, map_location="cpu", weights_only=True)
        except Exception as error:
            reason, remedy = _why_refused(file, error)
            raise refusal(path, reason, remedy) from error


def _unwrapped(loaded: dict[Any, Any]) -> tuple[dict[Any, Any], list[dict[Any, Any]]]:
    """Return the state dict and, outermost first, what stands beside it on the way there."""
    around: list[dict[Any, Any]] = []
    state = loaded
    for _ in range(_MAX_NESTING):
        chosen = next((k for k in (*_STATE, *_AVERAGED) if isinstance(state.get(k), dict)), None)
        if chosen is None:
            break
        around.append({k: v for k, v in state.items() if k != chosen})
        state = state[chosen]
    return state, around


def _left_out(around: list[dict[Any, Any]]) -> tuple[str, ...]:
    """Return sentences on training's own state and on averaged weights that were not read."""
    beside = [item for level in around for item in level.items()]
    keys = [k for k, v in beside if isinstance(k, str) and isinstance(v, dict | list) and v]
    averaged = [k for k in keys if k in _AVERAGED]
    training = [k for k in keys if TRAINING_STATE.match(k) and k not in averaged]
    notes = []
    if training:
        shown = ", ".join(short(k, 30) for k in training[:4])
        notes.append(f"The state that training keeps ({shown}) is left out.")
    if averaged:
        notes.append(f"Averaged weights ({short(averaged[0], 30)}) are there too and not read.")
    return tuple(notes)


def _check_archive(path: Path, file: IO[bytes]) -> None:
    """Refuse an archive that torch would not have written; raises `CheckpointError`."""
    size = file.seek(0, 2)
    try:
        with zipfile.ZipFile(file) as archive:
            entries = archive.infolist()
            reason = _odd_archive(entries, size)
            if reason is not None:
                raise refusal(path, reason)
            if any("/code/" in entry.filename for entry in entries):
                raise refusal(path, "it is a TorchScript program, not only tensors", _SAVE_ALONE)
            broken = archive.testzip()
    # zipfile raises NotImplementedError for compression methods and features it does not know.
    except (zipfile.BadZipFile, OSError, EOFError, NotImplementedError, RuntimeError) as error:
        raise refusal(path, f"its archive is broken ({short(str(error), 60)})") from error
    if broken is not None:
        raise refusal(path, f"it is damaged: the checksum of {short(broken, 40)} does not match")


def _odd_archive(entries: list[zipfile.ZipInfo], size: int) -> str | None:
    """Return what is wrong with the list of an archive's members, if anything."""
    if any(entry.compress_type != zipfile.ZIP_STORED for entry in entries):
        return "its archive is compressed, which torch never writes"
    if len({entry.filename for entry in entries}) < len(entries):
        return "its archive holds two entries of one name"
    ordered = sorted(entries, key=lambda entry: entry.header_offset)
    ends = [*(entry.header_offset for entry in ordered[1:]), size]
    for entry, end in zip(ordered, ends, strict=True):
        if entry.file_size != entry.compress_size:
            return "its archive claims more bytes than the file has"
        if entry.header_offset + entry.compress_size > end:
            return "entries of its archive overlap"
        if entry.filename.endswith("data.pkl") and entry.file_size > _MAX_INDEX:
            return f"its list of tensors is larger than {_MAX_INDEX >> 20} MiB"
    return None


def _why_refused(file: IO[bytes], error: Exception) -> tuple[str, str | None]:
    """Say in plain words why torch refused, without torch's advice to trust the file."""
    try:
        file.seek(0)
        unsafe = torch.serialization.get_unsafe_globals_in_checkpoint(file)
    except Exception:
        unsafe = []
    if unsafe:
        objects = short(", ".join(sorted(unsafe)), 80)
        return f"it holds program objects ({objects}), not only tensors", _SAVE_ALONE
    reason = str(error).split("\n", 1)[0]
    if not reason or "weights_only" in reason or "Weights only" in reason:
        reason = "it is damaged or of an unknown kind"
    return short(reason, 80).rstrip("."), None


class _NumberKind:
    """Stands in for numpy.dtype, whose own state a hostile file could fill with nonsense."""

    def __init__(self, name: object = "", *_: object) -> None:
        self.name = name if isinstance(name, str) else ""

    def __setstate__(self, state: object) -> None:
        """Ignore what follows the name: byte order and the like."""


def _number(kind: object, raw: object = b"") -> float | int | bool | None:
    """Stand in for numpy's constructor of scalars: training programs keep their best score so."""
    if not isinstance(kind, _NumberKind) or kind.name not in ("f8", "f4", "f2", "i8", "i4", "b1"):
        return None
    if not isinstance(raw, bytes) or len(raw) != int(kind.name[1]):
        return None
    value: float | int | bool = np.frombuffer(raw, f"<{kind.name}")[0].item()
    return value


_STAND_INS: list[Any] = [
    (_NumberKind, "numpy.dtype"),
    (_number, "numpy.core.multiarray.scalar"),
    (_number, "numpy._core.multiarray.scalar"),
]
