"""Whole-image maps made beside the window: what can be asked of an image, and each as a job.

Numbering: questions and titles are in that of the labels (`Translation.reading`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, cast

import numpy as np

from pspgui.jobs.class_tables import plain_evidence
from pspgui.jobs.messages import Job, Step, Steps, Turn

if TYPE_CHECKING:
    from pspgui.evidence.maps import EvidenceMaps, LevelStack, PyramidShare
    from pspgui.evidence.readings import Target
    from pspgui.evidence.score_maps import ScoreMapSplit
    from pspgui.inference.shown_map import Kind, ShownMap
    from pspgui.labels.classes import ClassTable

Needs = Literal["pyramid", "sources", "logits", "confidence"]
Bin = tuple[int, int, int]
_NO_CLASS: Final = -1e3  # logits below belong to classes that the model does not know


class MapKind(NamedTuple):
    """A map that can be asked for: its name, title, meaning, what it needs and follows.

    `parts`: it is of one part of the evidence, which is chosen beside it; `by_bin`: it is about
    the bin pointed at; `by_target`: it is about the target of the evidence.
    """

    name: str
    title: str
    meaning: str
    needs: Needs
    parts: bool = False
    by_bin: bool = False
    by_target: bool = False


MAPS: Final = (
    MapKind("context", "Context share", "How much of the evidence comes from the pyramid",
            "pyramid", by_target=True),
    MapKind("strongest", "Strongest source", "Which source adds most in each cell",
            "sources", by_target=True),
    MapKind("evidence", "Evidence by source", "What one source adds to the target's logit",
            "sources", parts=True, by_target=True),
    MapKind("bin", "Evidence of the bin pointed at", "What this bin adds to the target's logit",
            "pyramid", by_bin=True, by_target=True),
    MapKind("reach", "Reach of the bin pointed at", "The weight with which each cell reads it",
            "pyramid", by_bin=True),
    MapKind("confidence", "Confidence", "Probability of the class that wins",
            "confidence"),
    MapKind("margin", "Margin", "Logit of the winner over the runner-up",
            "logits"),
    MapKind("entropy", "Entropy", "Doubt among all classes: 0 none, 1 all alike",
            "logits"),
)  # fmt: skip


@dataclass(frozen=True)
class MapChoice:
    """Which map a person wants: the name of one of MAPS, and of "evidence" which part.

    part: "pyramid", "local", "constant", "all", "level-" and bins a side, or for score maps "map-"
    and their place; see `MapRoom.parts`.
    """

    name: str
    part: str = "pyramid"

    @property
    def kind(self) -> MapKind:
        """Its row in MAPS; raises KeyError for another name."""
        for kind in MAPS:
            if kind.name == self.name:
                return kind
        raise KeyError(f"there is no map called {self.name}")


@dataclass(frozen=True)
class MapQuestion:
    """A map to make: the choice, the target (class, versus), and the bin where it is about one."""

    choice: MapChoice
    target: tuple[int | None, int | None] = (None, None)
    bin: Bin | None = None


class MapRoom:
    """What maps of one image need, and what is kept between them.

    Made on any thread at no cost; jobs on one lane fill it. Dropped with the image.
    """

    def __init__(self, engine: Any, prediction: Any, table: ClassTable) -> None:
        self._frame = getattr(engine, "frame", None)
        plain, self._translation = plain_evidence(
            engine if self._frame is None else engine.engine
        )
        self._plain: Any = plain
        self._prediction = prediction
        self._table = table
        self._stack: LevelStack | None = None
        self._last: tuple[Target | None, EvidenceMaps | ScoreMapSplit] | None = None
        self._share: PyramidShare | None = None

    # -- what there is ------------------------------------------------------------------------

    @property
    def levels(self) -> tuple[int, ...]:
        """The levels of the pyramid, bins a side; none for other networks."""
        return tuple(self._plain.activations.levels) if self.offers("pyramid") else ()

    @property
    def parts(self) -> tuple[tuple[str, str], ...]:
        """The parts that "evidence" can show: their name in `MapChoice` and a title."""
        if self.offers("pyramid"):
            levels = ((f"level-{bins}", f"{bins}×{bins} bins") for bins in self.levels)
            own = (("pyramid", "Pyramid, all levels"), ("local", "Local features"), *levels)
        elif self.offers("sources"):
            own = tuple(
                (f"map-{index}", title.capitalize())
                for index, title in enumerate(self._plain.weights.biases)
            )
        else:
            return ()
        return (*own, ("constant", "Constant (biases)"), ("all", "All sources: the logit"))

    def offers(self, needs: Needs) -> bool:
        """Whether there is what a map needs."""
        pyramid = hasattr(self._plain, "context_share")
        if needs == "pyramid":
            return pyramid
        if needs == "sources":
            return pyramid or self._sums_scores
        by_windows = getattr(self._prediction, "windows", None) is not None
        return self._prediction is not None and (needs == "confidence" or not by_windows)

    # -- making -------------------------------------------------------------------------------

    def make(self, question: MapQuestion, stop: Callable[[], None]) -> ShownMap:
        """Return the map; raises KeyError where there is not what it needs."""
        kind = question.choice.kind
        if not self.offers(kind.needs):
            raise KeyError(f"this network has no {kind.title.lower()}")
        if kind.needs in ("logits", "confidence"):
            return self._doubt(kind, stop)
        target = self._target(question.target)
        if question.choice.name == "context":
            share = self.share(stop)
            of = "On this image" if self._frame is None else "In this window"
            meaning = kind.meaning if share is None else share.sentence(of)
            values = self._pyramid_maps(target, stop).context_share
            return self._shown(kind, values, "share", self._of(target), meaning=meaning)
        if question.choice.name == "strongest":
            return self._strongest(kind, self._maps(target, stop), target)
        if question.choice.name == "evidence":
            return self._part(question.choice, self._maps(target, stop), target)
        return self._of_bin(kind, question, target, stop)

    def share(self, stop: Callable[[], None]) -> PyramidShare | None:
        """Return how much the pyramid matters in this image; None without one."""
        from pspgui.evidence.maps import LevelStack, pyramid_share

        if self._share is None and self.offers("pyramid"):
            # It reads every part once: nothing is kept for a person who never asks for a map.
            stack = self._stack or LevelStack(self._plain, most_bytes=0, stop=stop)
            self._share = pyramid_share(stack, stop)
        return self._share

    # -- inside -------------------------------------------------------------------------------

    def _level_stack(self, stop: Callable[[], None]) -> LevelStack:
        if self._stack is None:
            from pspgui.evidence.maps import LevelStack

            self._stack = LevelStack(self._plain, stop=stop)
        return self._stack

    @property
    def _sums_scores(self) -> bool:
        """Whether the network adds score maps up, whose parts are cheap to have everywhere."""
        if self._plain is None or not hasattr(self._plain, "weights"):
            return False
        from pspgui.evidence.score_maps import is_cheap
        from pspgui.evidence.scores import ScoreEvidence

        return isinstance(self._plain, ScoreEvidence) and is_cheap(self._plain)

    def _maps(
        self, target: Target | None, stop: Callable[[], None]
    ) -> EvidenceMaps | ScoreMapSplit:
        """Return the split of a target everywhere; the last one is kept."""
        if self._last is None or self._last[0] != target:
            if self.offers("pyramid"):
                self._last = target, self._level_stack(stop).maps(target)
            else:
                from pspgui.evidence.score_maps import split_scores

                self._last = target, split_scores(self._plain, target, stop)
        return self._last[1]

    def _pyramid_maps(self, target: Target | None, stop: Callable[[], None]) -> EvidenceMaps:
        return cast("EvidenceMaps", self._maps(target, stop))

    def _target(self, target: tuple[int | None, int | None]) -> Target | None:
        """Return a target in the model's numbers, the one that the Evidence panel explains."""
        from pspgui.evidence.readings import Target

        wanted = None if target[0] is None else Target(target[0], target[1])
        return wanted if self._translation is None else self._translation.to_model(wanted)

    def _of(self, target: Target | None) -> str:
        """Return the words that say what a map is about."""
        if target is None:
            return "winner over runner-up"
        own = target if self._translation is None else self._translation.from_model(target)
        return " over ".join(self._table.name_of(i) for i in own if i is not None)

    def _shown(
        self, kind: MapKind, values: np.ndarray, way: Kind, subject: str = "", **more: Any
    ) -> ShownMap:
        from pspgui.inference.shown_map import Lattice, ShownMap

        values.flags.writeable = False
        origin = (0, 0) if self._frame is None else (self._frame.y0, self._frame.x0)
        title = more.pop("title", kind.title)
        lattice = Lattice.of(self._plain.activations, origin)
        return ShownMap(
            f"whole-{kind.name}", f"{title}: {subject}" if subject else title, values, way,
            lattice, more.pop("meaning", kind.meaning), **more,
        )  # fmt: skip

    def _strongest(
        self, kind: MapKind, maps: EvidenceMaps | ScoreMapSplit, target: Target | None
    ) -> ShownMap:
        from pspgui.evidence.maps import EvidenceMaps
        from pspgui.inference.shown_map import Part

        if isinstance(maps, EvidenceMaps):
            names, own = [f"{b}×{b}" for b in maps.levels], [Part("Local features", "local")]
        else:
            names, own = [title.capitalize() for title in maps.parts], []
        parts = (*own, *(Part(name, f"level-{i}") for i, name in enumerate(names)))
        return self._shown(kind, maps.strongest(), "parts", self._of(target), parts=parts)

    def _part(
        self, choice: MapChoice, maps: EvidenceMaps | ScoreMapSplit, target: Target | None
    ) -> ShownMap:
        """Return one part of the evidence, on a scale that can be compared.

        The pyramid and its levels have one scale, the others another: where a pyramid adds little
        one would see nothing of it on the scale of the local features.
        """
        from pspgui.inference.shown_map import Lattice, nice_limit

        every = _by_part(maps)
        title, values = every[choice.part]
        alike = [name for name in every if _is_outer(name) == _is_outer(choice.part)]
        known = self._plain.activations
        inside = Lattice.of(known).visible(known.grid)
        limit = nice_limit(max(float(np.abs(every[name][1][inside]).max()) for name in alike))
        scale = "all sources"
        if self.offers("pyramid"):
            outer = _is_outer(choice.part)
            scale = "the pyramid and its levels" if outer else "all but the levels"
        return self._shown(
            choice.kind, np.array(values), "signed", self._of(target), title=title,
            meaning=f"What it adds to the logit; {scale} have one scale", unit="logits",
            limits=(-limit, limit),
        )  # fmt: skip

    def _of_bin(
        self, kind: MapKind, question: MapQuestion, target: Target | None,
        stop: Callable[[], None],
    ) -> ShownMap:  # fmt: skip
        if question.bin is None:
            raise KeyError("no bin was pointed at")
        level, row, column = question.bin
        title = f"{level}×{level}"
        if level > 1:
            title += f" row {row + 1}, column {column + 1}"
        if kind.name == "reach":
            values = self._plain.reach_map(level, row, column)
            return self._shown(kind, values, "share", title, title="Reach of a bin")
        values = self._level_stack(stop).bin(level, row, column, target)
        return self._shown(
            kind, values, "signed", self._of(target), title=title, unit="logits"
        )

    def _doubt(self, kind: MapKind, stop: Callable[[], None]) -> ShownMap:
        """Return what the logits of every pixel say of how sure the network is."""
        from pspgui.evidence.maps import confidence, entropy, margin, read_pixels
        from pspgui.inference.shown_map import Lattice, ShownMap

        way: Kind = "plain" if kind.name == "margin" else "share"
        unit = "logits" if kind.name == "margin" else ""
        known = self._prediction
        if getattr(known, "windows", None) is not None:
            values, step = known.confidence, 1
        else:
            read = {"confidence": confidence, "margin": margin, "entropy": entropy}[kind.name]
            values, step = read_pixels(self._scores(), read, stop)
            values.flags.writeable = False
        lattice = None
        if step > 1:
            size = (values.shape[0] * step, values.shape[1] * step)
            lattice = Lattice(size, align_corners=False)
        return ShownMap(
            f"whole-{kind.name}", kind.title, values, way, lattice, kind.meaning, unit,
            limits=(0.0, float(values.max())) if way == "plain" else None,
        )  # fmt: skip

    def _scores(self) -> Any:
        """Return the logits of the classes that the model knows."""
        from pspgui.inference.activations import CellScores

        known = self._prediction
        own = known.scores.reshape(len(known.scores), -1).max(axis=1) > _NO_CLASS
        scores = known.scores if own.all() else known.scores[own]
        return CellScores(scores, known.padded_shape, known.shape, known.align_corners)


def _by_part(maps: EvidenceMaps | ScoreMapSplit) -> dict[str, tuple[str, np.ndarray]]:
    """Return the title and the values of every part, by its name in `MapChoice`."""
    from pspgui.evidence.maps import EvidenceMaps

    if isinstance(maps, EvidenceMaps):
        own = {
            "pyramid": ("Pyramid", maps.pyramid), "local": ("Local features", maps.local),
            **{f"level-{b}": (f"{b}×{b}", part) for b, part in maps.levels.items()},
        }  # fmt: skip
    else:
        own = {
            f"map-{index}": (title.capitalize(), part)
            for index, (title, part) in enumerate(maps.parts.items())
        }
    return own | {"constant": ("Constant", maps.constant), "all": ("All sources", maps.logit)}


def _is_outer(part: str) -> bool:
    return part == "pyramid" or part.startswith("level-")


def make_map(room: MapRoom, question: MapQuestion) -> Job:
    """Return a job that gives (room, question, `ShownMap`)."""

    def job(turn: Turn) -> Steps:
        yield Step(f"Drawing a map: {question.choice.kind.title}")
        return room, question, room.make(question, turn.check)

    return job


def measure_share(room: MapRoom) -> Job:
    """Return a job that gives (room, `PyramidShare` or None)."""

    def job(turn: Turn) -> Steps:
        yield Step("Measuring the pyramid's share")
        return room, room.share(turn.check)

    return job
