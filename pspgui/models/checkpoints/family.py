"""What a checkpoint family must offer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from torch import Tensor

from pspgui.models.checkpoints.container import Container
from pspgui.models.spec import ModelSpec


@dataclass(frozen=True)
class Reading:
    """A family's reading of a file: the spec, tensors under our names, and notes for the user."""

    spec: ModelSpec
    state: dict[str, Tensor]
    notes: tuple[str, ...] = ()


class Family(Protocol):
    """One way of naming a network's tensors, with the defaults that its authors used."""

    name: str

    def matches(self, container: Container) -> bool:
        """Say whether the file is of this family, by its keys."""

    def read(self, container: Container) -> Reading:
        """Return spec and renamed tensors; raises `CheckpointError`."""
