"""What models there are: architectures, what is bundled, and the weights torchvision publishes.

Nothing here touches the network; `models.download` does, when a person asks.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

from pspgui import places
from pspgui.durable import printable

if TYPE_CHECKING:
    from pspgui.models.spec import ModelSpec

SEGMENTATION = (
    "fcn_resnet50",
    "fcn_resnet101",
    "deeplabv3_resnet50",
    "deeplabv3_resnet101",
    "deeplabv3_mobilenet_v3_large",
)
BACKBONES = (
    "mobilenet_v2", "mobilenet_v3_large", "resnet18", "resnet34", "resnet50", "resnet101",
    "resnet152", "vgg16",
)  # fmt: skip
# torchvision's own licence; its weights carry no other, though their training images may.
LICENCE = "BSD-3-Clause"

# Fields of a spec that are not a choice between forms of the network.
_NO_OPTIONS = frozenset(
    {"architecture", "backbone", "classes", "record", "normalisation", "size_rule"}
)
_MEBIBYTE = 1.048576  # torchvision gives sizes in units of 2^20 bytes


class CatalogError(ValueError):
    """A name that is not in the catalogue; the message lists those that are."""


@dataclass(frozen=True)
class ArchitectureEntry:
    """A network that can be built: its word in a spec, its backbones, its options.

    `options` gives for each option what it may be, as text.
    """

    name: str
    backbones: tuple[str, ...]
    options: Mapping[str, str]


@dataclass(frozen=True)
class BundledEntry:
    """Weights that come with the app; `miou` is what the file itself records, 0..1, or None."""

    title: str
    file: str
    classes: int
    size_mb: float
    miou: float | None


@dataclass(frozen=True)
class PublishedEntry:
    """Weights to download: of a whole segmentation network, or of a backbone to train from.

    `size_mb` is in 10^6 bytes; `score` is in percent of what `metric` names; `hash_prefix` is what
    the SHA-256 of the file starts with in hex, as its name says.
    """

    name: str
    kind: Literal["segmentation", "backbone"]
    classes: int
    size_mb: float
    licence: str
    metric: str
    score: float
    url: str

    @property
    def file(self) -> str:
        """The name of the file."""
        return PurePosixPath(urlsplit(self.url).path).name

    @property
    def hash_prefix(self) -> str:
        """The part of the file's name that is a prefix of its SHA-256."""
        return PurePosixPath(self.file).stem.rpartition("-")[2]


def models_folder() -> Path:
    """Return where downloaded weights are put."""
    return places.user_folder() / "models"


def architectures() -> tuple[ArchitectureEntry, ...]:
    """Return the networks that can be built, from the registry of architectures; imports torch."""
    from pspgui.models.architectures import ARCHITECTURES

    return tuple(_architecture(a.key, a.spec.model_json_schema()) for a in ARCHITECTURES)


def bundled() -> tuple[BundledEntry, ...]:
    """Return the shipped weights by file name; only their headers are read. Imports torch."""
    from safetensors import SafetensorError, safe_open

    from pspgui.models.architectures import parse_spec

    found = []
    for path in sorted((places.resources() / "models").glob("*.safetensors")):
        try:
            with safe_open(path, framework="numpy") as file:
                spec = parse_spec((file.metadata() or {}).get("pspgui.spec", ""))
        except (OSError, SafetensorError, ValueError):
            continue  # `pspgui inspect` says what is wrong with it
        found.append(_bundled(path, spec))
    return tuple(found)


def published() -> tuple[PublishedEntry, ...]:
    """Return the weights torchvision publishes for what can be built here; imports torch.

    Addresses, sizes and scores are those of the torchvision that is installed.
    """
    from pspgui.models.light_torchvision import models

    entries: list[PublishedEntry] = []
    for name in SEGMENTATION:
        entries += _entries(name, "segmentation", models.get_model_weights(name))
    for name in BACKBONES:
        entries += _entries(name, "backbone", models.get_model_weights(name))
    return tuple(entries)


def find(name: str, entries: Iterable[PublishedEntry]) -> PublishedEntry:
    """Return the entry of that name; raises `CatalogError` that lists the names there are."""
    known = tuple(entries)
    for entry in known:
        if entry.name == name.strip().casefold():
            return entry
    raise CatalogError(
        f"no published weights are called {name!r}; there are {', '.join(e.name for e in known)}"
    )


def to_json() -> dict[str, Any]:
    """Return the whole catalogue as the object that `pspgui models --json` prints."""
    return {
        "architectures": [asdict(entry) for entry in architectures()],
        "bundled": [asdict(entry) for entry in bundled()],
        "published": [
            {**asdict(e), "file": e.file, "hash_prefix": e.hash_prefix,
             "present": (models_folder() / e.file).is_file()}
            for e in published()
        ],
        "models_folder": printable(models_folder()),
    }  # fmt: skip


def _architecture(key: str, schema: Mapping[str, Any]) -> ArchitectureEntry:
    """Return the entry of an architecture from the JSON schema of its spec."""
    fields: Mapping[str, Any] = schema["properties"]
    backbone = fields["backbone"]
    backbones = tuple(str(v) for v in backbone.get("enum", [backbone.get("const", "")]))
    return ArchitectureEntry(
        key,
        backbones,
        {k: _choices(v) for k, v in fields.items() if k not in _NO_OPTIONS and "const" not in v},
    )


def _choices(field: Mapping[str, Any]) -> str:
    """Return what a field may be, as a person would read it, its default first."""
    default = field.get("default")
    shown = ",".join(map(str, default)) if isinstance(default, list | tuple) else default
    if "enum" in field:
        rest = [v for v in field["enum"] if v != default]
        return " | ".join(str(v) for v in (default, *rest))
    if field.get("type") == "boolean":
        return "yes | no" if default else "no | yes"
    return "automatic" if shown is None else str(shown)


def _bundled(path: Path, spec: ModelSpec) -> BundledEntry:
    miou = spec.record.get("validation_miou")
    return BundledEntry(
        title=spec.title,
        file=printable(path),
        classes=len(spec.classes),
        size_mb=round(path.stat().st_size / 1e6, 1),
        miou=float(miou) if isinstance(miou, int | float) else None,
    )


def _entries(
    name: str, kind: Literal["segmentation", "backbone"], weights: Iterable[Any]
) -> list[PublishedEntry]:
    """Return the entries of a network's weights; several versions get `-v1`, `-v2`."""
    usable = [w for w in weights if w.meta.get("categories") and _score(w.meta) is not None]
    entries = []
    for w in usable:
        version = w.name.rpartition("_")[2].casefold()
        metric, score = _score(w.meta) or ("", 0.0)
        entries.append(
            PublishedEntry(
                name=name if kind == "segmentation" else f"{name}-{version}",
                kind=kind,
                classes=len(w.meta["categories"]),
                size_mb=round(w.meta["_file_size"] * _MEBIBYTE, 1),
                licence=LICENCE,
                metric=metric,
                score=score,
                url=w.url,
            )
        )
    return entries


def _score(meta: Mapping[str, Any]) -> tuple[str, float] | None:
    """Return what was measured and the score in percent; None where none was published."""
    for measured, values in meta.get("_metrics", {}).items():
        for key, title in (("miou", "mIoU"), ("acc@1", "top-1")):
            if key in values and math.isfinite(values[key]):
                return f"{title} on {measured}", float(values[key])
    return None
