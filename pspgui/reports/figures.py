"""The figures of a report as blocks of a sheet: the image, pins, waterfalls, bins, heat maps.

Every colour scale of evidence is symmetric about zero and in logits; blue is against the target,
orange for it, which every common colour vision tells apart.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from pspgui.evidence.naming import name_of
from pspgui.evidence.readings import (
    OpenedSource,
    PixelEvidence,
    PyramidEvidence,
    Source,
    level_source,
)
from pspgui.geometry import Rect
from pspgui.labels.raster import Stamp
from pspgui.reports.contents import Contents, Pin, heading_of
from pspgui.reports.sheet import (
    HEAD_PT,
    INK,
    LINE,
    QUIET,
    SMALL_PT,
    TEXT_PT,
    WIDTH_IN,
    Block,
    Sheet,
    drawable,
    signed,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Colormap

AGAINST, FOR, GROUND = "#1c63b5", "#c25a00", "#f4f4f5"
_SHOWN_PX = 1200  # the longer side of a picture in print
_LINE_IN, _HEAD_IN, _BAR_IN = 0.125, 0.2, 0.17
_GAP_IN, _SCALE_IN = 0.12, 0.34
_TALLEST_IN = 3.6
_SCALE_WIDTH_IN = 2.1
_LEGEND_COLUMNS = 5
_WRAP = 126
_OTHER_CELLS = (
    "Cells are of the split, against silence: the largest sources there, each with its amount there"
)


# -- the image --------------------------------------------------------------------------------


def overview(contents: Contents) -> list[Block]:
    """Return the title, the image with its pins, the overlay, the context share, the legend."""
    panels = 2 + (contents.context is not None)
    width = (WIDTH_IN - _GAP_IN * (panels - 1)) / panels
    drawn, height = _fitted(contents, width)

    def pictures(sheet: Sheet, top: float) -> None:
        left = 0.0
        for number, title in enumerate(("Image and pins", "Prediction", "Context share")[:panels]):
            sheet.text(left, top, title, fontsize=SMALL_PT + 0.5, color=QUIET)
            axes = sheet.axes(left, top + _HEAD_IN, width, height)
            _PANELS[number](sheet, axes, contents)
            if number == 2:
                _share_scale(sheet, axes, left, top + _HEAD_IN + height + 0.05, drawn)
            left += width + _GAP_IN
        _mark_pins(sheet.figure.axes[-panels - (panels == 3)], contents)

    scale = _SCALE_IN if panels == 3 else 0.0
    legend = _legend(contents)
    title = [_line(contents.title, HEAD_PT + 1.5, weight="bold")]
    return [*title, Block(_HEAD_IN + height + scale, pictures), legend]


def _show_image(sheet: Sheet, axes: Axes, contents: Contents) -> None:
    _picture(axes, thinned(contents.pixels), contents)


def _show_overlay(sheet: Sheet, axes: Axes, contents: Contents) -> None:
    shape = contents.pixels.shape[:2]
    pixels = thinned(contents.pixels)
    rows, columns = (
        (np.arange(n) * full // n) for n, full in zip(pixels.shape[:2], shape, strict=True)
    )
    labels = contents.labels[rows][:, columns]
    known = labels < len(contents.table)
    palette = np.array([c.colour for c in contents.table.classes], np.float32)
    colours = palette[np.where(known, labels, 0)]
    share = np.where(known, 0.62, 0.0)[..., None]
    _picture(axes, (pixels * (1 - share) + colours * share).round().astype(np.uint8), contents)


def _show_share(sheet: Sheet, axes: Axes, contents: Contents) -> None:
    assert contents.context is not None
    y0, x0, y1, x1 = contents.context.region
    axes.imshow(
        contents.context.share, cmap="cividis", vmin=0, vmax=1, interpolation="nearest",
        extent=(x0, x1, y1, y0), aspect="auto",
    )  # fmt: skip
    _frame(axes, contents)


_PANELS: Final = (_show_image, _show_overlay, _show_share)


def _share_scale(sheet: Sheet, axes: Axes, left: float, top: float, width: float) -> None:
    bar = sheet.axes(left, top, width, 0.07)
    found = sheet.figure.colorbar(axes.images[0], cax=bar, orientation="horizontal")
    found.set_ticks([0, 0.5, 1], labels=["0", "50 %", "100 % pyramid"])
    _plain_scale(found)


def _mark_pins(axes: Axes, contents: Contents) -> None:
    """Draw a numbered ring at every pin, its number on the side where there is room."""
    height, width = contents.pixels.shape[:2]
    for pin in contents.pins:
        y, x = pin.found.pixel
        if pin.place is None:
            _ring(axes, pin, 6)
        else:
            _edge(axes, pin.place)
        right = x < 0.88 * width
        axes.annotate(
            pin.name, (x + 0.5, y + 0.5), (5 if right else -5, 5 if y > 0.12 * height else -5),
            textcoords="offset points", ha="left" if right else "right",
            va="bottom" if y > 0.12 * height else "top", fontsize=TEXT_PT, fontweight="bold",
            bbox={"boxstyle": "round,pad=0.15", "facecolor": "white", "edgecolor": "none",
                  "alpha": 0.9},
        )  # fmt: skip


def _legend(contents: Contents) -> Block:
    """Return the classes of the prediction, largest first, with their share of pixels."""
    table = contents.table
    counts = np.bincount(contents.labels.ravel(), minlength=len(table))[: len(table)]
    shown = [i for i in np.argsort(-counts, kind="stable").tolist() if counts[i]]
    rows = -(-len(shown) // _LEGEND_COLUMNS)
    step = WIDTH_IN / _LEGEND_COLUMNS

    def draw(sheet: Sheet, top: float) -> None:
        from matplotlib.patches import Rectangle

        axes = sheet.axes(0, top, WIDTH_IN, rows * _LINE_IN * 1.15)
        axes.set(xlim=(0, WIDTH_IN), ylim=(rows, 0))
        axes.axis("off")
        for place, label in enumerate(shown):
            row, column = divmod(place, _LEGEND_COLUMNS)
            colour = [c / 255 for c in table.classes[label].colour]
            axes.add_patch(
                Rectangle((column * step, row + 0.15), 0.14, 0.7, facecolor=colour,
                          edgecolor=LINE, linewidth=0.4)
            )  # fmt: skip
            share = counts[label] / contents.labels.size
            axes.text(
                column * step + 0.2, row + 0.5, f"{_short(table.name_of(label), 17)}  {share:.1%}",
                va="center", fontsize=SMALL_PT + 0.4,
            )  # fmt: skip

    return Block(rows * _LINE_IN * 1.15, draw)


# -- a pin ------------------------------------------------------------------------------------


def pin_blocks(contents: Contents, pin: Pin) -> list[Block]:
    """Return a pin's heading, waterfall with grids, and heat maps."""
    blocks = [_line(heading_of(pin, contents.table), HEAD_PT, weight="bold")]
    if not pin.adds_up:
        told = f"The parts do not add up to the logit: {pin.residual:+.1e} is missing."
        blocks.append(_line(told, TEXT_PT, color="#b3261e"))
    bars = _steps(pin.found)
    height = max(1.45, _BAR_IN * len(bars) + 0.42)

    def numbers(sheet: Sheet, top: float) -> None:
        grids = len(pin.found.grids)
        side = min(1.02, 4.1 / max(1, grids) - 0.08)
        across = grids * (side + 0.08)
        _waterfall(sheet, bars, top, WIDTH_IN - across - (0.25 if grids else 0), height)
        if grids:
            _grids(sheet, pin.found, WIDTH_IN - across + 0.08, top, side)

    blocks.append(Block(height, numbers))
    if pin.cells and not pin.cells_as_told:
        blocks.append(_line(_OTHER_CELLS, SMALL_PT + 0.5, color=QUIET))
    if pin.cells:
        blocks.append(_heat_maps(contents, pin))
    return blocks


def _steps(found: PixelEvidence) -> list[tuple[str, float, float]]:
    """Return the waterfall's bars from constant to logit: name, start, end."""
    if isinstance(found, PyramidEvidence):
        parts = [("local", found.local)]
        parts += [(f"{level}×{level}", total) for level, total in found.level_sums.items()]
    else:
        parts = [(_said(source), source.value) for source in found.sources]
    bars, at = [("constant", 0.0, found.constant)], found.constant
    if found.reading == "ablate":
        parts.append(("interaction", found.interaction))
    for name, value in parts:
        bars.append((name, at, at + value))
        at += value
    return [*bars, ("logit" if found.target.versus is None else "margin", 0.0, found.logit)]


def _said(source: Source) -> str:
    return f"{source.level}×{source.level}" if source.kind == "level" else name_of(source)


def _waterfall(
    sheet: Sheet, bars: Sequence[tuple[str, float, float]], top: float, width: float, height: float
) -> None:
    """Draw bars from zero to the logit, each beginning where the one before it ended."""
    names = 0.085 * max(len(_short(name, 18)) for name, _, _ in bars) * TEXT_PT / 10 + 0.16
    axes = sheet.axes(names, top + 0.18, width - names, height - 0.44)
    sheet.text(0, top, "From the constant to the logit", fontsize=SMALL_PT + 0.5, color=QUIET)
    low = min(min(start, end) for _, start, end in bars)
    high = max(max(start, end) for _, start, end in bars)
    room = (high - low or 1.0) * 0.34
    axes.set(xlim=(low - (room if low < 0 else 0.04 * room), high + room))
    axes.set_ylim(len(bars) - 0.4, -0.6)
    axes.axvline(0, color=LINE, linewidth=0.8, zorder=0)
    last = len(bars) - 1
    for row, (_, start, end) in enumerate(bars):
        value = end - start
        colour = INK if row == last else QUIET if row == 0 else FOR if value >= 0 else AGAINST
        axes.barh(row, value, left=start, height=0.66, color=colour, linewidth=0)
        if row < last:
            axes.plot([end, end], [row + 0.33, row + 0.67], color=QUIET, linewidth=0.6)
        axes.annotate(
            signed(value), (max(start, end), row), (3, 0), textcoords="offset points",
            va="center", fontsize=SMALL_PT + 0.4,
            bbox={"boxstyle": "square,pad=0.1", "facecolor": "white", "edgecolor": "none"},
        )  # fmt: skip
    axes.set_yticks(range(len(bars)), [drawable(_short(name, 18)) for name, _, _ in bars])
    axes.tick_params(axis="y", length=0, pad=3)
    axes.tick_params(axis="x", length=2, labelsize=SMALL_PT, pad=1)
    axes.locator_params(axis="x", nbins=5)
    axes.set_xlabel("logits", fontsize=SMALL_PT, labelpad=1)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)


def _grids(sheet: Sheet, found: PixelEvidence, left: float, top: float, side: float) -> None:
    """Draw every level's bins on one scale; those that cannot reach the pixel are hatched."""
    from matplotlib.patches import Rectangle

    limit = _limit([reading.values for reading in found.grids.values()])
    for level, reading in found.grids.items():
        title = f"{level}×{level}" if isinstance(found, PyramidEvidence) else "taps"
        total = float(reading.values.sum())
        if isinstance(found, PyramidEvidence):
            total = found.level_sums[level]
        sheet.text(left, top, f"{title}  {signed(total)}", fontsize=SMALL_PT + 0.5, color=QUIET)
        axes = sheet.axes(left, top + 0.18, side, side)
        reached = np.ma.masked_where(~reading.reachable, reading.values)
        axes.imshow(
            reached, cmap=diverging(), vmin=-limit, vmax=limit, extent=(0, level, level, 0),
            interpolation="nearest",
        )  # fmt: skip
        for row, column in np.argwhere(~reading.reachable).tolist():
            axes.add_patch(
                Rectangle((column, row), 1, 1, facecolor="white", edgecolor=LINE, hatch="////",
                          linewidth=0)
            )  # fmt: skip
        _write_values(axes, reading.values, reading.reachable, limit)
        axes.set_xticks(range(level + 1))
        axes.set_yticks(range(level + 1))
        axes.grid(color="white", linewidth=0.6)
        axes.tick_params(length=0, labelbottom=False, labelleft=False)
        left += side + 0.08
    unit = "logits a bin" if isinstance(found, PyramidEvidence) else "logits a tap"
    if not all(reading.reachable.all() for reading in found.grids.values()):
        unit += "; hatched: cannot reach the pixel"
    _signed_scale(
        sheet, axes.images[0], limit, WIDTH_IN - _SCALE_WIDTH_IN, top + 0.18 + side + 0.07,
        _SCALE_WIDTH_IN, unit,
    )  # fmt: skip


def _write_values(axes: Axes, values: np.ndarray, reachable: np.ndarray, limit: float) -> None:
    """Write the numbers into the bins, as large as they fit; of very fine levels none."""
    side = len(values)
    if side > 8:
        return
    size = min(TEXT_PT, 27.0 / side)
    for row, column in np.argwhere(reachable).tolist():
        value = float(values[row, column])
        digits = 2 if abs(value) < 9.995 else 1 if abs(value) < 99.95 else 0
        dark = abs(value) > 0.62 * limit
        told = f"{round(value, digits) + 0.0:.{digits}f}"  # no minus before a zero
        if side > 4:  # where every character counts
            told = "0" if float(told) == 0 else told.replace("0.", ".")
        axes.text(
            column + 0.5, row + 0.5, told.replace("-", "\N{MINUS SIGN}"),
            ha="center", va="center", fontsize=size, color="white" if dark else INK,
        )  # fmt: skip


# -- heat maps --------------------------------------------------------------------------------


def _heat_maps(contents: Contents, pin: Pin) -> Block:
    """Return the largest sources opened into cells, each with its scale in logits."""
    count = max(4, len(pin.cells))
    width = (WIDTH_IN - _GAP_IN * (count - 1)) / count
    drawn, height = _fitted(contents, width)
    grey = thinned(contents.pixels).astype(np.float32) @ np.array([0.299, 0.587, 0.114], np.float32)
    grey = np.repeat((255 - 0.5 * (255 - grey)).astype(np.uint8)[..., None], 3, axis=2)

    def draw(sheet: Sheet, top: float) -> None:
        for number, cells in enumerate(pin.cells):
            left = number * (width + _GAP_IN)
            sheet.text(
                left, top, f"{_said(cells.source)}  {signed(cells.source.value)}",
                fontsize=SMALL_PT + 0.5, color=QUIET,
            )  # fmt: skip
            axes = sheet.axes(left, top + 0.17, width, height)
            _picture(axes, grey, contents)
            limit = _limit([cells.values])
            shown = _show_cells(axes, contents, cells, limit)
            _outline(axes, cells.source)
            if pin.place is None:
                _ring(axes, pin)
            else:
                _edge(axes, pin.place)
            _signed_scale(
                sheet, shown, limit, left, top + 0.17 + height + 0.05, max(drawn, 0.9),
                "logits a cell" if number == 0 else "",
            )  # fmt: skip

    return Block(0.17 + height + _SCALE_IN, draw)


def _show_cells(
    axes: Axes, contents: Contents, cells: OpenedSource, limit: float
) -> ScalarMappable:
    y0, x0, y1, x1 = cells.region or Rect(0, 0, *contents.pixels.shape[:2])
    found = axes.imshow(
        cells.values, cmap=_glass(), vmin=-limit, vmax=limit, extent=(x0, x1, y1, y0),
        interpolation="nearest", aspect="auto",
    )  # fmt: skip
    _frame(axes, contents)
    return found


def _outline(axes: Axes, source: Source) -> None:
    """Frame what a source looks at."""
    from matplotlib.patches import Rectangle

    y0, x0, y1, x1 = source.region
    axes.add_patch(
        Rectangle((x0, y0), x1 - x0, y1 - y0, fill=False, edgecolor=INK, linewidth=0.7)
    )


def _edge(axes: Axes, place: Stamp) -> None:
    """Draw the outline of a region."""
    inside = np.pad(place.mask.astype(np.float32), 1)
    rows = np.arange(len(inside)) + place.rect.y0 - 0.5
    columns = np.arange(inside.shape[1]) + place.rect.x0 - 0.5
    for colour, thick in (("white", 2.0), ("black", 0.9)):
        axes.contour(columns, rows, inside, [0.5], colors=colour, linewidths=thick)


def _ring(axes: Axes, pin: Pin, size: float = 4.5) -> None:
    y, x = pin.found.pixel
    for colour, thick in (("white", 2.0), ("black", 0.9)):
        axes.plot(
            [x + 0.5], [y + 0.5], "o", markersize=size, markerfacecolor="none",
            markeredgecolor=colour, markeredgewidth=thick, clip_on=False,
        )  # fmt: skip


def _signed_scale(
    sheet: Sheet, shown: Any, limit: float, left: float, top: float, width: float, label: str
) -> None:
    """Draw a scale from -limit to +limit."""
    bar = sheet.axes(left, top, width, 0.06)
    found = sheet.figure.colorbar(shown, cax=bar, orientation="horizontal")
    ends = [f"{value:+.3g}".replace("-", "\N{MINUS SIGN}") for value in (-limit, limit)]
    found.set_ticks([-limit, 0, limit], labels=[ends[0], "0", ends[1]])
    _plain_scale(found)
    if label:
        bar.set_xlabel(label, fontsize=SMALL_PT, labelpad=2)


def _plain_scale(bar: Any) -> None:
    """Give a scale with three ticks a thin frame, its outer numbers within its width."""
    for text, side in zip(bar.ax.get_xticklabels(), ("left", "center", "right"), strict=True):
        text.set_horizontalalignment(side)
    bar.outline.set_linewidth(0.4)
    bar.outline.set_edgecolor(LINE)
    bar.ax.tick_params(length=1.5, width=0.4, labelsize=SMALL_PT, pad=1, labelcolor=QUIET)


# -- words ------------------------------------------------------------------------------------


def words(contents: Contents) -> Block:
    """Return the facts, notes and the command, wrapped."""
    lines: list[tuple[str, str]] = []
    told = [*contents.facts, ("To make it again", contents.command)]
    if contents.context is not None:
        told.insert(0, ("Context", contents.context.whole.sentence()))
    for name, value in [*told, *(("Note", note) for note in contents.notes)]:
        wrapped = textwrap.wrap(value, _WRAP) or [""]
        lines += [(name if i == 0 else "", text) for i, text in enumerate(wrapped)]

    def draw(sheet: Sheet, top: float) -> None:
        for number, (name, text) in enumerate(lines):
            at = top + number * _LINE_IN
            sheet.text(0, at, name, fontsize=SMALL_PT + 0.4, color=QUIET)
            sheet.text(1.15, at, text, fontsize=SMALL_PT + 0.4)

    return Block(len(lines) * _LINE_IN, draw)


def _amount_rows(found: PixelEvidence) -> list[tuple[str, str]]:
    """Return what a pin's numbers are: all that add up, the sum, and then what is beside it."""
    summed = [source for source in found.sources if source.reachable]
    beside: list[Source] = []
    left = ("residual", f"{found.interaction:+.0e}".replace("-", "\N{MINUS SIGN}"))
    if found.reading == "ablate":
        left = ("interaction", signed(found.interaction, 6))
        if isinstance(found, PyramidEvidence):
            beside = [source for source in summed if source.kind == "bin"]
            levels = [level_source(found, level) for level in found.levels]
            summed = [source for source in summed if source.kind != "bin"] + levels
    told = [
        [(_said(source), signed(source.value, 6)) for source in _by_size(some)]
        for some in (summed, beside)
    ]
    constant, total = signed(found.constant, 6), signed(found.logit, 6)
    return [("constant", constant), *told[0], left, ("sum", total), *told[1]]


def _by_size(sources: Sequence[Source]) -> list[Source]:
    return sorted(sources, key=lambda source: -abs(source.value))


def amounts(pin: Pin) -> Block:
    """Return a pin's reachable sources in numbers, largest first, in two columns."""
    rows = _amount_rows(pin.found)
    last = [name for name, _ in rows].index("sum")
    per = -(-len(rows) // 4)

    def draw(sheet: Sheet, top: float) -> None:
        beside = "; after the sum every bin, silenced alone" if last < len(rows) - 1 else ""
        sheet.text(0, top, f"In numbers, logits{beside}", fontsize=SMALL_PT + 0.5, color=QUIET)
        for number, (name, value) in enumerate(rows):
            column, row = divmod(number, per)
            left, at = column * (WIDTH_IN / 4), top + _HEAD_IN * 0.8 + row * _LINE_IN
            bold = {"fontweight": "bold"} if number == last else {}
            sheet.text(left, at, _short(name, 16), fontsize=SMALL_PT + 0.4, **bold)
            sheet.text(
                left + 1.55, at, value, ha="right", fontsize=SMALL_PT + 0.4, **bold
            )

    return Block(_HEAD_IN * 0.8 + per * _LINE_IN, draw)


def _line(text: str, size: float, **style: Any) -> Block:
    shown = _short(text, int(WIDTH_IN * 72 / (0.62 * size)))
    return Block(size * 1.35 / 72, lambda sheet, top: sheet.text(0, top, shown, fontsize=size,
                                                                 **style))  # fmt: skip


# -- inside -----------------------------------------------------------------------------------


def thinned(pixels: np.ndarray) -> np.ndarray:
    """Return an image no larger than print needs, averaged."""
    from pspgui.imaging.opencv import cv2

    height, width = pixels.shape[:2]
    scale = _SHOWN_PX / max(height, width)
    if scale >= 1:
        return pixels
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA))


def _fitted(contents: Contents, width: float) -> tuple[float, float]:
    """Return how wide and high the image is drawn in a column of a width, inches."""
    rows, columns = contents.pixels.shape[:2]
    height = min(_TALLEST_IN, width * rows / columns)
    return height * columns / rows, height


def _picture(axes: Axes, pixels: np.ndarray, contents: Contents) -> None:
    height, width = contents.pixels.shape[:2]
    axes.imshow(pixels, extent=(0, width, height, 0), aspect="auto", interpolation="antialiased")
    _frame(axes, contents)


def _frame(axes: Axes, contents: Contents) -> None:
    """Cut axes to the image, without ticks; a tall image keeps its shape."""
    height, width = contents.pixels.shape[:2]
    axes.set(xlim=(0, width), ylim=(height, 0), xticks=[], yticks=[])
    axes.set_aspect("equal", anchor="NW")


def _limit(arrays: Sequence[np.ndarray]) -> float:
    """Return the largest size, the end of a scale; never zero."""
    largest = max((float(np.abs(values).max()) for values in arrays if values.size), default=0.0)
    return largest if np.isfinite(largest) and largest > 0 else 1.0


def _short(text: str, most: int) -> str:
    text = drawable(" ".join(text.split()))
    return text if len(text) <= most else f"{text[: most - 1]}…"


@cache
def diverging() -> Colormap:
    """Return the map from against to for, by the ground at zero."""
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list("evidence", [AGAINST, GROUND, FOR], N=511)


@cache
def _glass() -> Colormap:
    """Return the same for over a picture: zero is clear, and larger amounts cover more."""
    from matplotlib.colors import LinearSegmentedColormap, to_rgba

    ends = [(*to_rgba(AGAINST)[:3], 0.95), (*to_rgba(AGAINST)[:3], 0.0)]
    ends += [(*to_rgba(FOR)[:3], 0.0), (*to_rgba(FOR)[:3], 0.95)]
    places = [0.0, 0.5, 0.5, 1.0]
    return LinearSegmentedColormap.from_list("glass", list(zip(places, ends, strict=True)), N=511)
