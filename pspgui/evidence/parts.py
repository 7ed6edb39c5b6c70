"""What all evidence has in common that follows a logit through cells: aiming, splitting, silencing.

Somewhere in the network the parts that are asked about stand beside each other and are added up.
From there on a `Chain` leads to the logit. With its gates as they are, each part's share is
gradient times value (split); run without a part, it gives the network's own answer (ablate).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from pspgui.evidence.chain import Chain, Places
from pspgui.evidence.psp import gates_between
from pspgui.evidence.psp_reads import cells_of, checked_pixel, pixels_of
from pspgui.evidence.readings import (
    READINGS,
    BranchEvidence,
    ChannelShares,
    OpenedSource,
    PixelEvidence,
    PyramidEvidence,
    Reading,
    Source,
    Target,
)
from pspgui.evidence.targets import aim, offset_of, row_of
from pspgui.geometry import Pixel, Rect
from pspgui.inference.activations import Activations


class Aimed(NamedTuple):
    """A question: its pixel and target, the shown logit, and what the classifier reads of it.

    gradient (Q, C) of the logit at the classifier's input, at `places`; offset is its bias.
    """

    pixel: Pixel
    target: Target
    logit: float
    places: Places
    gradient: np.ndarray
    offset: float


class Parts(NamedTuple):
    """What stands beside each other at the start of a chain: base + all parts is what enters it.

    parts (S, P, C) and base (C,), which holds biases alone.
    """

    parts: np.ndarray
    base: np.ndarray

    @property
    def whole(self) -> np.ndarray:
        """What enters the chain, (P, C)."""
        found: np.ndarray = self.parts.sum(axis=0) + self.base
        return found


class CellsEvidence(ABC):
    """Answers for one image, by the few cells that a pixel reads; any thread may ask."""

    def __init__(
        self, activations: Activations, classifier: np.ndarray, biases: np.ndarray
    ) -> None:
        """classifier (N, C) and biases (N,)."""
        self.activations = activations
        self._classifier, self._biases = classifier, biases
        self._maps = dict(activations.maps)

    @property
    def readings(self) -> tuple[Reading, ...]:
        """The ways in which it can be read; "ig" has no closed form where gate follows gate."""
        return "split", "ablate"

    @abstractmethod
    def at(
        self, pixel: tuple[int, int], target: Target | None = None, reading: Reading = "split"
    ) -> PixelEvidence:
        """Take the logit of a pixel (y, x) apart; without a target the winner's margin.

        Raises IndexError for a pixel outside the image or an unknown class, ValueError for a
        class compared with itself or a reading that is not among `readings`.
        """

    @abstractmethod
    def open(
        self, pixel: tuple[int, int], source: Source, target: Target | None = None
    ) -> OpenedSource:
        """Open a source of the split into the cells it was made of; raises as `at` does."""

    @abstractmethod
    def worth(self, pixel: tuple[int, int], target: Target, kept: np.ndarray) -> np.ndarray:
        """Return the target's logit with only some sources, (V,) of V variants; gates anew.

        kept (V, S) bool over the reachable sources, in their order; raises as `at` does.
        """

    @abstractmethod
    def channels(
        self, pixel: tuple[int, int], title: str, target: Target | None = None
    ) -> ChannelShares:
        """Return what every channel of a map adds to the split at a pixel; raises as `at` does.

        `title` is that of one of the activations' maps, "" for the features; KeyError for another.
        """

    def at_places(
        self, places: Places, weights: np.ndarray, question: tuple[Pixel, Target, float],
        reading: Reading = "split",
    ) -> PixelEvidence:  # fmt: skip
        """Take apart what cells of the scores add to the mean logit of several pixels.

        weights (P,): the mean weight with which the pixels read them, which is 1 over all cells.
        question: a pixel that stands for all, the target, and the mean logit. Raises as `at` does.
        """
        aimed = self._aimed_at(places, weights, question)
        return self.at(aimed, question[1], reading)  # type: ignore[arg-type]  # see `_aim`

    def channels_at(
        self, places: Places, weights: np.ndarray, question: tuple[Pixel, Target, float],
        title: str,
    ) -> ChannelShares:  # fmt: skip
        """Return what a map's channels add through cells of the scores to a mean logit.

        Everything as in `at_places` and `channels`.
        """
        aimed = self._aimed_at(places, weights, question)
        return self.channels(aimed, title, question[1])  # type: ignore[arg-type]  # see `_aim`

    def open_at(
        self, places: Places, weights: np.ndarray, question: tuple[Pixel, Target, float],
        source: Source,
    ) -> OpenedSource:  # fmt: skip
        """Open what a source adds through cells of the scores to a mean logit.

        Everything as in `at_places` and `open`.
        """
        aimed = self._aimed_at(places, weights, question)
        return self.open(aimed, source, question[1])  # type: ignore[arg-type]  # see `_aim`

    def _aimed_at(
        self, places: Places, weights: np.ndarray, question: tuple[Pixel, Target, float]
    ) -> Aimed:
        offset = offset_of(self._biases, question[1]) * float(weights.sum())
        gradient = weights[:, None] * row_of(self._classifier, question[1])
        return Aimed(*question, places, gradient, offset)

    def margin_target(self, pixel: tuple[int, int]) -> Target:
        """Return the winner and runner-up at a pixel; one class alone has no runner-up."""
        return aim(self.activations, checked_pixel(self.activations, pixel), None)[0]

    def ablate(self, pixel: tuple[int, int], source: Source, target: Target | None = None) -> float:
        """Return by how much the logit falls when the source is silent and gates may change.

        Raises as `at` does, and KeyError for a source that there is not.
        """
        told = self.at(pixel, target, "ablate")
        if source.kind == "level" and isinstance(told, PyramidEvidence):
            return told.level_sums[source.level]
        for found in told.sources:
            if (found.level, found.row, found.col) == (source.level, source.row, source.col):
                return found.value
        raise KeyError(f"there is no source {source.title or source.kind}")

    def _aim(
        self, pixel: tuple[int, int] | Aimed, target: Target | None, reading: Reading = "split"
    ) -> Aimed:
        if reading not in self.readings:
            raise ValueError(f"this network's evidence is read as {' or '.join(self.readings)}")
        if isinstance(pixel, Aimed):
            return pixel
        known = self.activations
        place = checked_pixel(known, pixel)
        goal, logit = aim(known, place, target)
        cells = cells_of(known, place)
        places = Places(
            np.repeat(cells.rows, len(cells.columns)), np.tile(cells.columns, len(cells.rows)),
            known.grid,
        )  # fmt: skip
        gradient = cells.weights[:, None] * row_of(self._classifier, goal)
        return Aimed(place, goal, logit, places, gradient, offset_of(self._biases, goal))

    def _around(self, places: Places) -> Rect:
        """Return the rectangle of image pixels around some cells."""
        if not len(places.rows):
            return Rect(0, 0, 0, 0)
        return pixels_of(
            self.activations, int(places.rows.min()), int(places.rows.max()) + 1,
            int(places.columns.min()), int(places.columns.max()) + 1, places.shape,
        )  # fmt: skip


class UngatedEvidence(CellsEvidence):
    """Evidence of a network without gates between its sources and the logits.

    What a source adds is the same however it is asked, so that all readings are one.
    """

    @property
    def readings(self) -> tuple[Reading, ...]:
        """All: without gates they are the same."""
        return READINGS

    def at(
        self, pixel: tuple[int, int], target: Target | None = None, reading: Reading = "split"
    ) -> PixelEvidence:
        """Take the logit of a pixel (y, x) apart; without a target the winner's margin.

        Raises IndexError for a pixel outside the image or an unknown class, ValueError for a
        class compared with itself.
        """
        aimed = self._aim(pixel, target, reading)
        return branches(aimed, *self._sources(aimed), reading)

    def worth(self, pixel: tuple[int, int], target: Target, kept: np.ndarray) -> np.ndarray:
        """Return the target's logit with only some sources, (V,); without gates just a sum."""
        found = self.at(pixel, target)
        values = np.array([source.value for source in found.sources])
        total: np.ndarray = found.constant + kept @ values
        return total

    @abstractmethod
    def _sources(self, aimed: Aimed) -> tuple[list[Source], float]:
        """Return the sources with what each adds, and what biases add."""


class PartsEvidence(CellsEvidence):
    """Evidence of a network whose parts all enter one chain, whose last step is a ReLU."""

    @property
    def readings(self) -> tuple[Reading, ...]:
        """All where that ReLU is the only one."""
        return READINGS if self._rectifiers == 1 else ("split", "ablate")

    @property
    @abstractmethod
    def _rectifiers(self) -> int:
        """How many gates follow one another in the chain."""

    def at(
        self, pixel: tuple[int, int], target: Target | None = None, reading: Reading = "split"
    ) -> PixelEvidence:
        """Take the logit of a pixel (y, x) apart; without a target the winner's margin.

        Raises IndexError for a pixel outside the image or an unknown class, ValueError for a
        class compared with itself or a reading that is not among `readings`.
        """
        aimed = self._aim(pixel, target, reading)
        chain = self._chain(aimed.places)
        if reading == "split":
            values, constant = self._split(chain, aimed)
        elif reading == "ablate":
            groups = self._groups(chain.start)
            values, constant = silenced(
                chain, self._parts(chain.start), aimed.gradient, groups
            )
        else:
            values, constant = rescaled(chain, self._parts(chain.start), aimed.gradient)
        return self._found(aimed, chain.start, values, aimed.offset + constant, reading)

    def open(
        self, pixel: tuple[int, int], source: Source, target: Target | None = None
    ) -> OpenedSource:
        """Open a source of the split into the cells of the backbone; raises as `at` does."""
        aimed = self._aim(pixel, target)
        chain = self._chain(aimed.places)
        gates = self._gates(chain, aimed.places, self._parts(chain.start))
        gradient, _ = chain.back(aimed.gradient, gates)
        values, constant = self._opened(chain.start, gradient, source)
        values.flags.writeable = False
        return OpenedSource(source, aimed.target, values, constant)

    def worth(self, pixel: tuple[int, int], target: Target, kept: np.ndarray) -> np.ndarray:
        """Return the target's logit with only some sources, (V,) of V variants; gates anew.

        kept (V, S) bool over the reachable sources, in their order; raises as `at` does.
        """
        aimed = self._aim(pixel, target)
        chain = self._chain(aimed.places)
        parts = self._parts(chain.start)
        speaking = parts.parts[self._reached(chain.start, len(parts.parts))]
        variants = np.tensordot(kept.astype(speaking.dtype), speaking, axes=1) + parts.base
        found: np.ndarray = (chain.run(variants)[0] * aimed.gradient).sum(axis=(1, 2))
        return found + aimed.offset

    def channels(
        self, pixel: tuple[int, int], title: str, target: Target | None = None
    ) -> ChannelShares:
        """Return what every channel of a map adds to the split at a pixel; raises as `at` does.

        `title` is that of one of the activations' maps, "" for the features; KeyError for another.
        """
        if title and title not in self._maps:
            raise KeyError(f"there is no map {title}")
        aimed = self._aim(pixel, target)
        behind = self._steps_behind(title, aimed.places)
        if behind is not None:
            maps = self._maps[title]
            gates = behind.run(behind.start.of(maps)[None])[1]
            pull, biases = behind.back(aimed.gradient, gates)
            values = np.einsum("pc,pc->c", pull, behind.start.of(maps))
            return ChannelShares(values, aimed.offset + biases)
        chain = self._chain(aimed.places)
        gates = self._gates(chain, aimed.places, self._parts(chain.start))
        return self._channels_of(title, chain.start, chain.back(aimed.gradient, gates)[0])

    @abstractmethod
    def _steps_behind(self, title: str, outputs: Places) -> Chain | None:
        """Return the steps from a map that everything passes to the classifier, None for others."""

    @abstractmethod
    def _channels_of(
        self, title: str, places: Places, gradient: np.ndarray
    ) -> ChannelShares:
        """Return the channels of a part's map, or of the features for "", from where parts meet."""

    def _split(self, chain: Chain, aimed: Aimed) -> tuple[np.ndarray, float]:
        """Return every part's gradient times value, (S,), and what the biases add."""
        parts = self._parts(chain.start)
        pull, biases = chain.back(aimed.gradient, self._gates(chain, aimed.places, parts))
        values: np.ndarray = np.einsum("spc,pc->s", parts.parts, pull)
        return values, biases + float(pull.sum(axis=0) @ parts.base)

    @abstractmethod
    def _chain(self, outputs: Places) -> Chain:
        """Return the steps from where the parts meet to the classifier's input."""

    @abstractmethod
    def _parts(self, places: Places) -> Parts:
        """Return what meets at the places."""

    def _reached(self, places: Places, count: int) -> np.ndarray:
        """Return which of `count` parts are sources that reach the places, (S,) bool."""
        return np.ones(count, bool)

    def _groups(self, places: Places) -> Sequence[slice]:
        """Return which parts "ablate" silences at once, too: of a pyramid every level's bins."""
        return ()

    def _gates(self, chain: Chain, outputs: Places, parts: Parts) -> list[np.ndarray]:
        """Return how far the chain's gates are open, as `Chain.run` does."""
        return chain.run(parts.whole[None])[1]

    @abstractmethod
    def _found(
        self, aimed: Aimed, places: Places, values: np.ndarray, constant: float, reading: Reading
    ) -> PixelEvidence:
        """Return the evidence of the parts' values (S,); of "ablate" those of `_groups` follow."""

    @abstractmethod
    def _opened(
        self, places: Places, gradient: np.ndarray, source: Source
    ) -> tuple[np.ndarray, float]:
        """Return a source's parts by cell, (h, w), and what its biases add."""


def silenced(
    chain: Chain, parts: Parts, gradient: np.ndarray, groups: Sequence[slice] = ()
) -> tuple[np.ndarray, float]:
    """Return by how much the logit falls without each part, (S + G,), and what is left without all.

    The last G are those of parts that are silenced at once.
    """
    whole = parts.whole
    silence = np.broadcast_to(parts.base, whole.shape)
    without = [whole - parts.parts[group].sum(axis=0) for group in groups]
    variants = np.concatenate(
        [whole[None], whole - parts.parts, *(one[None] for one in without), silence[None]]
    )
    worth = (chain.run(variants)[0] * gradient).sum(axis=(1, 2))
    return worth[0] - worth[1:-1], float(worth[-1])


def rescaled(chain: Chain, parts: Parts, gradient: np.ndarray) -> tuple[np.ndarray, float]:
    """Return every part's integrated gradients, (S,), and what is left without all parts.

    In closed form, which takes a chain whose only gates are its last step.
    """
    silence = np.broadcast_to(parts.base, parts.whole.shape)
    z, base = chain.before_last(np.stack([parts.whole, silence]))
    pull, _ = chain.back(gradient, [gates_between(z, base, "ig")[None]])
    values: np.ndarray = np.einsum("spc,pc->s", parts.parts, pull)
    return values, float((np.maximum(base, 0) * gradient).sum())


def branches(
    aimed: Aimed, sources: Sequence[Source], constant: float, reading: Reading
) -> BranchEvidence:
    """Return the evidence of parts that stand beside each other."""
    return BranchEvidence(aimed.pixel, aimed.target, aimed.logit, constant, tuple(sources), reading)
