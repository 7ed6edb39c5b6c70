"""Weights to start a training from: what of a file of any family has a place in a new network."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from pspgui.models.checkpoints import CheckpointError, identify, read_container
from pspgui.models.checkpoints.container import Container
from pspgui.models.checkpoints.family import renamed
from pspgui.models.checkpoints.flat_mobilenet import nested_key
from pspgui.models.checkpoints.misfits import bare_backbone, stem_misfit, stem_of
from pspgui.models.segmenter import Segmenter

# A deep stem as three pairs of layers, for which we have one sequence.
_PAIRS = tuple(
    (rf"{kind}{n}\.", f"stem.{3 * n - 3 + place}.")
    for n in (1, 2, 3)
    for place, kind in enumerate(("conv", "bn"))
)
_PARTS = {
    "backbone": "parts of the backbone", "pyramid": "the pyramid", "bottleneck": "the bottleneck",
    "classifier": "the classifier", "auxiliary": "the auxiliary head",
}  # fmt: skip


def starting_tensors(path: Path, model: Segmenter) -> tuple[dict[str, Tensor], str, str]:
    """Return a file's tensors that fit `model`, by its names; a sentence; the file's digest.

    Whole networks of every known family and bare backbones are taken; heads for other classes
    are left out, and the sentence says what is kept and what is new. Raises `CheckpointError`
    when nothing fits, and for a ResNet of another stem.
    """
    container = read_container(path)
    found, origin = _named_as_ours(container)
    wanted = model.state_dict()
    misfit = stem_misfit(found, wanted)
    if misfit is not None:
        raise container.error(misfit)
    kept = {k: t for k, t in found.items() if k in wanted and wanted[k].shape == t.shape}
    weights = [k for k in wanted if not k.endswith("num_batches_tracked")]
    count = sum(k in kept for k in weights)
    # Biases alone fit by chance, wherever two layers are as wide.
    if not any(tensor.ndim > 1 for tensor in kept.values()):
        raise container.error("none of its tensors fit this network")
    sentence = f"{count} of {len(weights)} tensors kept from {origin}"
    return kept, sentence + _new_parts(weights, kept, found, wanted), container.digest


def _named_as_ours(container: Container) -> tuple[dict[str, Tensor], str]:
    """Return the tensors under our names and what they are of; any other file's as they are."""
    tensors = container.tensors
    backbone = bare_backbone(tensors)
    if backbone is not None:
        bare = {nested_key(key, tensors, "features."): t for key, t in tensors.items()}
        if stem_of(tensors, "") in ("deep64", "deep128"):
            bare = renamed(bare, _PAIRS)
        return {f"backbone.{key}": t for key, t in bare.items()}, f"a bare {backbone}"
    try:
        family, reading = identify(container)
    except CheckpointError:
        return {**tensors, **{f"backbone.{k}": t for k, t in tensors.items()}}, "an unknown network"
    return reading.state, f"a network of the family {family.name}"


def _new_parts(
    weights: list[str], kept: Mapping[str, Tensor], found: Mapping[str, Tensor],
    wanted: Mapping[str, Tensor],
) -> str:  # fmt: skip
    """Return the clause on what the file does not give, and on other classes."""
    roots = dict.fromkeys(key.partition(".")[0] for key in weights if key not in kept)
    if not roots:
        return ""
    parts = ", ".join(_PARTS.get(root, root) for root in roots)
    theirs, ours = found.get("classifier.weight"), wanted.get("classifier.weight")
    reason = ""
    if theirs is not None and ours is not None and theirs.shape[:1] != ours.shape[:1]:
        reason = f", for the file tells {len(theirs)} classes apart and the data set {len(ours)}"
    return f"; new: {parts}{reason}"
