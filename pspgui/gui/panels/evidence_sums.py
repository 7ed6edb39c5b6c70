"""The sums of one pixel's evidence as they are printed: rounded so that they still add up.

No Qt here. Rounding each amount by itself can print 0.33 + 0.33 + 0.33 = 1.00; since the panel
claims an identity, the printed amounts are moved by at most one last digit so that it holds.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from pspgui.evidence.readings import PixelEvidence, Source
    from pspgui.labels.classes import ClassTable

DECIMALS = 2
_OPENS = "click to open it into cells"
_LOCAL = "the features around the pixel itself; click to open them into cells"
_INTERACTION = (
    "what is left, for sources stand in for each other or need each other: each was silenced alone"
)
_BIN_ALONE = "Silenced alone: bins of a level need not add up to what the level falls by as a whole"


@dataclass(frozen=True)
class Part:
    """One part of the sum; `shown` is what is printed.

    `kind` is "local", "level", "constant", or "interaction" for what is left where every source
    was silenced alone; `meaning` says in words what the amount is, as the evidence was read.
    """

    kind: str
    name: str
    value: float
    shown: float
    level: int = 0
    meaning: str = ""


@dataclass(frozen=True)
class Sums:
    """All parts in the order local, levels coarse to fine, constant, and what they make."""

    parts: tuple[Part, ...]
    total: float
    words: str
    between: str = "bins"

    @property
    def terms(self) -> tuple[tuple[str, float], ...]:
        """The sum in few words: (name, printed amount) of its terms, and last of what they make."""
        local = [("local", self.local)] if any(p.kind == "local" for p in self.parts) else []
        left = [(p.name, p.shown) for p in self.parts if p.kind == "interaction"]
        between = (self.between, self.bins)
        return (*local, between, ("constant", self.constant), *left, (self.words, self.total))

    @property
    def local(self) -> float:
        """The printed amount of the local features."""
        return sum(p.shown for p in self.parts if p.kind == "local")

    @property
    def bins(self) -> float:
        """The printed amounts of all levels, branches or taps, added up."""
        return sum(p.shown for p in self.parts if p.kind == "level")

    @property
    def constant(self) -> float:
        """The printed amount of the constant."""
        return sum(p.shown for p in self.parts if p.kind == "constant")


def sums_of(evidence: PixelEvidence, each_tap: bool = False) -> Sums:
    """Return the parts of a pixel's evidence, printed amounts adding up to the printed logit.

    The taps of a convolution are one part, or with `each_tap` one each.
    """
    words = "shown logit" if evidence.target.versus is None else "shown margin"
    if not hasattr(evidence, "level_sums"):
        return _sums_of_parts(evidence, words, each_tap)
    levels = evidence.level_sums
    left = [evidence.interaction] if evidence.reading == "ablate" else []
    values = [evidence.local, *levels.values(), evidence.constant, *left]
    shown = rounded_to_sum(values, evidence.logit)
    names = [f"{level}×{level}" for level in levels]
    parts = [
        Part("local", "local", values[0], shown[0], meaning=_silenced(_LOCAL, evidence.reading)),
        *(
            Part("level", name, value, digits, level, _of_level(name, level, evidence.reading))
            for name, level, value, digits in zip(
                names, levels, values[1:], shown[1:], strict=False
            )
        ),
        _constant(evidence, shown[len(levels) + 1]),
        *_interaction(left, shown),
    ]
    # Each of them silenced by itself, which all bins at once are not.
    between = "levels" if left else "bins"
    return Sums(tuple(parts), round(evidence.logit, DECIMALS), words, between)


def _sums_of_parts(evidence: PixelEvidence, words: str, each_tap: bool) -> Sums:
    """Return the sums of branches or score maps, or of a convolution's taps."""
    left = [evidence.interaction] if evidence.reading == "ablate" else []
    if evidence.grids and not each_tap:
        # All taps silenced at once leave the constant.
        amount = sum(source.value for source in evidence.sources) + sum(left)
        named, left = [("taps", amount)], []
    else:
        named = [(source.title, source.value) for source in evidence.sources]
    values = [*(value for _, value in named), evidence.constant, *left]
    shown = rounded_to_sum(values, evidence.logit)
    told = [_silenced(f"all that comes by {name}; {_OPENS}", evidence.reading) for name, _ in named]
    parts = [
        Part("level", name, value, shown[index], index, told[index])
        for index, (name, value) in enumerate(named)
    ]
    parts += [_constant(evidence, shown[len(named)]), *_interaction(left, shown)]
    kinds = {source.kind for source in evidence.sources}
    between = "taps" if evidence.grids else "branches" if "branch" in kinds else "scores"
    if len(named) == 1:
        between = named[0][0]
    return Sums(tuple(parts), round(evidence.logit, DECIMALS), words, between)


def _of_level(name: str, level: int, reading: str) -> str:
    """Return what a level's amount is; bins silenced one by one are not the level silenced."""
    if reading != "ablate":
        return f"all that comes by {name}; {_OPENS}"
    if level == 1:
        return f"how far the number falls when it is silenced; {_OPENS}"
    return (
        "how far the number falls when the whole level is silenced at once, as when it is muted "
        f"in What if; its bins, each silenced alone, need not add up to this; {_OPENS}"
    )


def _silenced(meaning: str, reading: str) -> str:
    """Return what an amount is, which of sources silenced is how far the number falls."""
    return f"how far the number falls without {meaning}" if reading == "ablate" else meaning


def _interaction(left: Sequence[float], shown: Sequence[float]) -> list[Part]:
    """Return what is left of a sum as a part, if anything can be; the last that is printed."""
    kind = "interaction"
    return [Part(kind, kind, value, shown[-1], meaning=_INTERACTION) for value in left]


def bin_note(evidence: PixelEvidence | None, source: Source) -> str:
    """Return a line on what a bin's amount is where that is not its part of its level's."""
    if evidence is None or evidence.reading != "ablate" or source.kind != "bin":
        return ""
    return f"\n{_BIN_ALONE}" if source.level > 1 and source.reachable else ""


def _constant(evidence: PixelEvidence, shown: float) -> Part:
    """Return the constant, which readings that evaluate gates anew take where sources are away."""
    mean = getattr(evidence, "baseline", "zero") != "zero"
    if evidence.reading == "split":
        meaning = "all biases; the same for every pixel that opens the same gates"
        if mean:
            meaning = "all biases, and what the mean bin brings in place of every bin"
    elif mean:
        meaning = "what the network says of mean bins alone, local features silent"
    else:
        meaning = "what the network says while every source is silent: its biases alone"
    return Part("constant", "constant", evidence.constant, shown, meaning=meaning)


class Step(NamedTuple):
    """One step of a walk to the logit: a part, the sum before and after it.

    `running` is what is printed of the sum so far: of printed amounts, so that they add up.
    """

    part: Part
    before: float
    after: float
    running: float


class Walk(NamedTuple):
    """All steps from the constant to the logit, and the ends of an axis that holds them."""

    steps: tuple[Step, ...]
    low: float
    high: float


def walk_of(sums: Sums) -> Walk:
    """Return the steps from the constant over local and levels to the logit."""
    constants = [part for part in sums.parts if part.kind == "constant"]
    rest = [part for part in sums.parts if part.kind != "constant"]
    steps: list[Step] = []
    exact = running = 0.0
    for part in (*constants, *rest):
        before, exact = exact, exact + part.value
        running = round(running + part.shown, DECIMALS)
        steps.append(Step(part, before, exact, running))
    low = min(0.0, sums.total, *(step.after for step in steps))
    high = max(0.0, sums.total, *(step.after for step in steps))
    if low == high:
        return Walk(tuple(steps), -1.0, 1.0)
    # A margin keeps bars off the names and numbers beside them.
    over = (high - low) / 40
    return Walk(tuple(steps), low - over if low < 0 else low, high + over if high > 0 else high)


def source_of(evidence: PixelEvidence, part: Part) -> Source | None:
    """Return the source that a part stands for: local, a whole level, a branch; else None."""
    from pspgui.evidence.readings import PyramidEvidence, level_source

    if part.kind not in ("local", "level"):
        return None
    if isinstance(evidence, PyramidEvidence) and part.kind == "level":
        return level_source(evidence, part.level) if part.level in evidence.levels else None
    for source in evidence.sources:
        if part.kind == "local" and source.kind == "local":
            return source
        if part.kind == "level" and (
            part.name == source.title or (source.kind == "level" and source.level == part.level)
        ):
            return source
    return None


def rounded_to_sum(
    values: Sequence[float], total: float, decimals: int = DECIMALS
) -> tuple[float, ...]:
    """Round `values` so that they add up to `total` rounded, moving each by less than one digit.

    The amounts with the largest cut-off remainders go up (largest remainder method). When the
    values do not add up to the total to begin with, they are only rounded: a true gap is shown.
    """
    unit = 10.0**-decimals
    if not all(map(math.isfinite, [*values, total])) or abs(sum(values) - total) > unit / 2:
        return tuple(round(v, decimals) for v in values)
    floors = [math.floor(v / unit) for v in values]
    missing = round(total / unit) - sum(floors)
    order = sorted(range(len(values)), key=lambda i: floors[i] - values[i] / unit)
    for i in order[: max(0, missing)]:
        floors[i] += 1
    return tuple(round(f * unit, decimals) for f in floors)


def target_words(evidence: PixelEvidence, table: ClassTable) -> str:
    """Return what the amount is, in words: "over Road" for a margin, or "logit"."""
    versus = evidence.target.versus
    return "logit" if versus is None else f"over {table.name_of(versus)}"
