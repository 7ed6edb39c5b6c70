"""What a checkpoint family must offer, and the renaming that most of them need."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from torch import Tensor

from pspgui.models.checkpoints.container import Container
from pspgui.models.spec import ModelSpec


@dataclass(frozen=True)
class Reading:
    """A family's reading of a file: the spec, tensors under our names, and notes for the user.

    `assumed` names the spec's fields that the file does not tell, so that the family's default
    stands in for them; a person may override these. `digest` is of all files, where the family
    read more than the one it was given. `keeps_rates`: its authors' atrous rates are the same at
    every output stride.
    """

    spec: ModelSpec
    state: dict[str, Tensor]
    notes: tuple[str, ...] = ()
    assumed: tuple[str, ...] = ()
    digest: str = ""
    keeps_rates: bool = False


class Family(Protocol):
    """One way of naming a network's tensors, with the defaults that its authors used."""

    name: str

    def matches(self, container: Container) -> bool:
        """Say whether the file is of this family, by its keys."""

    def read(self, container: Container) -> Reading:
        """Return spec and renamed tensors; raises `CheckpointError`.

        KeyError, IndexError and ValueError are turned into one by the caller: a tensor that is
        missing, or shapes that no such network has.
        """


def renamed(
    tensors: Mapping[str, Tensor], rules: Sequence[tuple[str, str]]
) -> dict[str, Tensor]:
    """Return the tensors under new names: the first rule whose pattern starts a key rewrites it.

    Rules are (regular expression at the key's start, replacement for what it matched). Keys that
    no rule knows keep their names, and are later reported as not used.
    """
    compiled = [(re.compile(pattern), replacement) for pattern, replacement in rules]

    def name(key: str) -> str:
        for pattern, replacement in compiled:
            if pattern.match(key):
                return pattern.sub(replacement, key, count=1)
        return key

    return {name(key): tensor for key, tensor in tensors.items()}
