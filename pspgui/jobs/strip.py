"""What the pyramid strip shows beyond norms: channels, what counts most of them, colours, numbers.

Jobs over frozen activations, for any thread; they take milliseconds, or a second where thousands of
channels are weighed over a whole image.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

import numpy as np

from pspgui.geometry import Pixel
from pspgui.jobs.class_tables import plain_evidence
from pspgui.jobs.messages import Job, Step, Steps, Turn
from pspgui.labels.raster import Stamp

if TYPE_CHECKING:
    from pspgui.evidence import Evidence
    from pspgui.evidence.readings import ChannelShares, Target
    from pspgui.inference.channels import ChannelMaps, Form
    from pspgui.inference.views import LevelView

Show = Literal["norm", "channel", "top", "colours"]
SHOWS: Final[tuple[Show, ...]] = ("norm", "channel", "top", "colours")
Shape = Literal["pair", "pooled", "reduced", "upsampled"]
SHAPES: Final[tuple[Shape, ...]] = ("pair", "pooled", "reduced", "upsampled")
MOST_TOP: Final = 16
MOST_CHANNEL: Final = 9999


@dataclass(frozen=True)
class StripMode:
    """What all tiles show, and of a level which of its maps; "pair" is reduced and upsampled.

    channel: the number for "channel"; top: how many for "top".
    """

    show: Show = "norm"
    shape: Shape = "pair"
    channel: int = 0
    top: int = 3

    @property
    def is_plain(self) -> bool:
        """Whether it is what the strip has without being asked."""
        return self.show == "norm" and self.shape == "pair"

    def to_text(self) -> str:
        """Return it in a form that `from_text` reads."""
        return f"{self.show} {self.shape} {self.channel} {self.top}"

    @classmethod
    def from_text(cls, text: str) -> StripMode:
        """Read `to_text`; anything that makes no sense gives the plain mode."""
        show, shape, channel, top = (*text.split(), "", "", "", "")[:4]
        if show not in SHOWS or shape not in SHAPES:
            return cls()
        if not (channel.isdecimal() and top.isdecimal()):
            return cls()
        return cls(
            show, shape, min(int(channel), MOST_CHANNEL), min(max(1, int(top)), MOST_TOP)
        )


@dataclass(frozen=True, eq=False)
class Aim:
    """What channels are weighed for: a place, None for the image; a target, or the place's margin.

    The target is numbered like the labels.
    """

    place: Pixel | Stamp | None = None
    target: tuple[int | None, int | None] = (None, None)

    def words(self, of_image: str) -> str:
        """Return where it is, in a few words; `of_image` for the whole image."""
        if isinstance(self.place, Stamp):
            return f"in the region of {int(np.count_nonzero(self.place.mask))} px"
        return of_image if self.place is None else f"at {self.place.x},{self.place.y}"


class StripTile(NamedTuple):
    """One tile: its maps as a `LevelView`, what kind of values they are, and words on them.

    kind "norm": levels share a scale; "alone": a scale of its own; "signed": symmetric about zero;
    "colours": maps are (h, w, 3) in 0..1; "absent": there is no such channel. `badge` stands
    behind the title; `bins`: whether the last map has a value a bin rather than a cell.
    """

    view: LevelView
    kind: Literal["norm", "alone", "signed", "colours", "absent"]
    badge: str
    note: str
    bins: bool = False


class ChannelList(NamedTuple):
    """All channels of a map for the browser: activity (C,), shares where they are known.

    ids: the classes, numbered like the labels, that channels are of in score maps; else empty.
    """

    maps: ChannelMaps
    activity: np.ndarray
    shares: ChannelShares | None
    ids: tuple[int, ...] = ()


def weighable(engine: object) -> Evidence | None:
    """Return the evidence that channels can be asked of; None where the image has none."""
    evidence: Any = plain_evidence(engine)[0]  # type: ignore[arg-type]
    # Not by its type, whose module would load torch on the thread of the window.
    return evidence if hasattr(evidence, "activations") else None


def draw_strip(engine: object, mode: StripMode, aim: Aim) -> Job:
    """Return a job that gives a `StripTile` by name for every map with channels."""

    def job(turn: Turn) -> Steps:
        found: dict[str, StripTile] = {}
        evidence = weighable(engine)
        if evidence is None or mode.is_plain:
            return found
        for tile in _Drawing(evidence, mode, _target(engine, aim), aim.place, turn).tiles():
            found[tile.view.name] = tile
            yield Step("Drawing the strip")
        return found

    return job


def list_channels(engine: object, name: str, form: Form, aim: Aim) -> Job:
    """Return a job that gives the `ChannelList` of a tile; None where there is none."""

    def job(turn: Turn) -> Steps:
        from pspgui.evidence.channels import channel_shares
        from pspgui.inference.channels import channel_maps, channel_names

        evidence = weighable(engine)
        if evidence is None or name not in channel_names(evidence.activations):
            return None
        yield Step("Listing channels")
        maps = channel_maps(evidence.activations, name, form, pool_of(evidence))
        activity = maps.activity()
        yield Step("Weighing channels")
        try:
            target = _target(engine, aim)
            shares = channel_shares(evidence, name, form, aim.place, target, turn.check)
        except KeyError:
            shares = None
        return ChannelList(maps, activity, shares, _classes(engine, evidence, maps))

    return job


def count_strip(engine: object) -> Job:
    """Return a job that gives the `MapStatistics` of every map with channels."""

    def job(turn: Turn) -> Steps:
        from pspgui.inference.channels import all_statistics

        evidence = weighable(engine)
        yield Step("Counting channels")
        if evidence is None:
            return ()
        return all_statistics(evidence.activations, pool_of(evidence), turn.check)

    return job


def pool_of(evidence: Evidence) -> str:
    """Return how a pyramid's bins are pooled."""
    weights = getattr(evidence, "weights", None)
    return "max" if getattr(weights, "pool", "") == "max" else "average"


def mean_words(engine: object) -> str:
    """Return what channels are weighed over where no pixel is pinned."""
    evidence = weighable(engine)
    if evidence is None or hasattr(evidence.activations, "level_priors"):
        return "mean over the image"
    return "mean of pixels spread over the image"


def knows_target(engine: Any, aim: Aim) -> bool:
    """Say whether the model has the class that channels are to be weighed for."""
    _, translation = plain_evidence(engine)
    one = aim.target[0]
    return one is not None and (translation is None or translation.model_class(one) is not None)


def _target(engine: Any, aim: Aim) -> Target | None:
    """Return the target in the model's numbers; None for a class that it does not know."""
    from pspgui.evidence.readings import Target

    _, translation = plain_evidence(engine)
    one, versus = aim.target
    wanted = None if one is None else Target(one, None if versus == one else versus)
    return wanted if translation is None else translation.to_model(wanted)


def _classes(engine: Any, evidence: Evidence, maps: ChannelMaps) -> tuple[int, ...]:
    """Return the class of every channel where they are classes: in the score maps of an FCN."""
    from pspgui.evidence.scores import ScoreEvidence

    if not isinstance(evidence, ScoreEvidence) or not maps.name.startswith("map-"):
        return ()
    _, translation = plain_evidence(engine)
    return tuple(range(maps.count)) if translation is None else tuple(translation.ids.tolist())


class _Drawing:
    """Making all tiles of one mode."""

    def __init__(
        self, evidence: Evidence, mode: StripMode, target: Target | None,
        place: Pixel | Stamp | None, turn: Turn,
    ) -> None:  # fmt: skip
        self._evidence, self._mode = evidence, mode
        self._target, self._place, self._turn = target, place, turn
        self._known, self._pool = evidence.activations, pool_of(evidence)

    def tiles(self) -> Iterator[StripTile]:
        """Yield the tiles, one after another."""
        from pspgui.inference.channels import channel_names

        for name in channel_names(self._known):
            self._turn.check()
            forms = self._forms(name)
            yield self._tile([self._maps(name, form) for form in forms])

    def _forms(self, name: str) -> tuple[Form, ...]:
        if not name.startswith("level-"):
            return ("reduced",)
        shape = self._mode.shape
        return ("reduced", "upsampled") if shape == "pair" else (shape,)

    def _maps(self, name: str, form: Form) -> ChannelMaps:
        from pspgui.inference.channels import channel_maps

        return channel_maps(self._known, name, form, self._pool)

    def _tile(self, maps: list[ChannelMaps]) -> StripTile:
        mode, last = self._mode, maps[-1]
        if mode.show == "channel":
            if mode.channel >= last.count:
                return self._made(maps, [], "absent", "", f"It has only {last.count} channels.")
            words = f"channel {mode.channel} of {last.count}, on a scale of its own"
            found = [one.channel(mode.channel) for one in maps]
            return self._made(maps, found, "alone", f"· {mode.channel}", words)
        if mode.show == "top":
            return self._top(maps)
        if mode.show == "colours":
            return self._colours(maps)
        words = f"norm over its {last.count} channels"
        return self._made(maps, [one.norm() for one in maps], "norm", "", words)

    def _top(self, maps: list[ChannelMaps]) -> StripTile:
        from pspgui.evidence.channels import channel_shares

        form: Form = maps[-1].form or "reduced"
        try:
            shares = channel_shares(
                self._evidence, maps[-1].name, form, self._place, self._target, self._turn.check
            )
        except KeyError:
            words = "What its channels add to a class is not known for this network."
            return self._made(maps, [], "absent", "", words)
        weights, numbers = strongest(shares.values, self._mode.top)
        found = [one.mixed(weights[None])[0] for one in maps]
        listed = ", ".join(
            f"{number} ({shares.values[number]:+.2g})".replace("-", "\u2212")
            for number in numbers.tolist()
        )
        words = (
            f"the {len(numbers)} channels that add most, for or against: {listed}.\n"
            "Their activations, each weighted by its share of what they add, with its sign"
        )
        return self._made(maps, found, "signed", f"· top {len(numbers)}", words)

    def _colours(self, maps: list[ChannelMaps]) -> StripTile:
        from pspgui.inference.channels import principal_colours

        last = maps[-1]
        # Bins that are pooled have the features' own channels; what is reduced has the level's.
        whole = last
        if last.form is not None:
            whole = (
                self._maps("features", "reduced") if last.form == "pooled"
                else self._maps(last.name, "upsampled")
            )  # fmt: skip
        colours = principal_colours(whole)
        share = f"{100 * colours.shares.sum():.0f} %" if colours.shares.any() else "no spread"
        of = " of the features" if last.form == "pooled" else ""
        holds = f"they hold {share} of the variance" if colours.shares.any() else "cells are alike"
        words = (
            f"the three strongest directions{of} among {last.count} channels as red, green and "
            f"blue; {holds}.\nColours run from the 1st to the 99th percentile of each"
        )
        found = [colours.picture(one) for one in maps]
        return self._made(maps, found, "colours", "", words, share)

    def _made(
        self, maps: list[ChannelMaps], found: list[np.ndarray], kind: Any, badge: str, note: str,
        share: str = "",
    ) -> StripTile:  # fmt: skip
        from pspgui.inference.views import LevelView

        last = maps[-1]
        before = found[0] if len(found) == 2 else None
        after = found[-1] if found else np.zeros((1, 1), np.float32)
        view = LevelView(last.name, last.title, before, after)
        bins = last.form in ("pooled", "reduced")
        return StripTile(view, kind, badge or share, note, bins)


def strongest(shares: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the weights (C,) of the channels that add most in size, and their numbers.

    Each weight is the channel's part of what they all add in size, with its sign; channels that
    add nothing are left out.
    """
    order = np.argsort(-np.abs(shares), kind="stable")[:count]
    numbers = order[shares[order] != 0]
    weights = np.zeros(len(shares), np.float64)
    total = np.abs(shares[numbers]).sum()
    if total:
        weights[numbers] = shares[numbers] / total
    return weights, numbers
