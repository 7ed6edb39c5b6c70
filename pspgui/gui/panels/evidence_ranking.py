"""All sources of a pixel by size, and how much of everything they are. No Qt here."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from pspgui.evidence.readings import PixelEvidence, Source


class Ranked(NamedTuple):
    """One amount among all: its share of the absolute sum, and that of all down to it, 0..1.

    `source` is None for the constant and for the interaction of sources silenced alone.
    """

    name: str
    value: float
    share: float
    so_far: float
    source: Source | None = None


class Ranking(NamedTuple):
    """Amounts from the largest to the smallest, whatever their sign; and how many cannot reach."""

    rows: tuple[Ranked, ...]
    unreachable: int

    @property
    def peak(self) -> float:
        """The largest amount, without its sign."""
        return abs(self.rows[0].value) if self.rows else 0.0


def ranking_of(evidence: PixelEvidence) -> Ranking:
    """Return all sources and the constant by size; those that cannot reach are only counted.

    The interaction is of the amounts in the sum: where these are whole levels, and the list has
    their bins, it is no part of it.
    """
    found: list[tuple[str, float, Source | None]] = [
        (short_name(source), source.value, source)
        for source in evidence.sources
        if source.reachable
    ]
    unreachable = len(evidence.sources) - len(found)
    found.append(("constant", evidence.constant, None))
    if evidence.reading == "ablate" and not hasattr(evidence, "level_sums"):
        found.append(("interaction", evidence.interaction, None))
    found.sort(key=lambda one: -abs(one[1]))
    total = sum(abs(value) for _, value, _ in found) or 1.0
    rows, so_far = [], 0.0
    for name, value, source in found:
        so_far += abs(value)
        rows.append(Ranked(name, value, abs(value) / total, min(1.0, so_far / total), source))
    return Ranking(tuple(rows), unreachable)


def short_name(source: Source) -> str:
    """Return a source's name as people count: rows and columns from 1."""
    if source.title:
        return source.title
    if source.kind == "local":
        return "local"
    name = f"{source.level}×{source.level}"
    if source.kind == "level" or source.level == 1:
        return name
    return f"{name} row {source.row + 1}, col {source.col + 1}"


def tight_name(source: Source | None, name: str) -> str:
    """Return a bin's name for where there is no room for the usual one; other names as they are."""
    if source is None or source.kind != "bin" or source.level == 1:
        return name
    return f"{source.level}×{source.level} r{source.row + 1} c{source.col + 1}"


def unreachable_text(evidence: PixelEvidence, count: int) -> str:
    """Return "32 bins cannot reach this pixel"."""
    kinds = {source.kind for source in evidence.sources if not source.reachable}
    one = {"bin": "bin", "local": "tap", "branch": "branch"}.get(kinds.pop() if kinds else "", "")
    one = one or "source"
    plural = "branches" if one == "branch" else f"{one}s"
    return f"{count} {one if count == 1 else plural} cannot reach this pixel"
