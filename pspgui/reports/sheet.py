"""Sheets of figures laid out in inches, so that nothing overlaps; matplotlib by its objects alone.

A sheet is a column of blocks, each of a height of its own. The same blocks make a page of a PDF, a
tall picture, or one drawing each for a web page.
"""

from __future__ import annotations

import io
import threading
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH_IN: Final = 7.2
"""Two columns of a journal."""
_MARGIN_IN, _GAP_IN = 0.12, 0.14
_PNG_DPI = 220
TEXT_PT: Final = 7.0
SMALL_PT: Final = 5.8
HEAD_PT: Final = 8.5
INK, QUIET, LINE = "#1f2023", "#5c5d64", "#c9cacf"
# Fonts as TrueType, text in pictures as outlines, and nothing that differs from run to run.
_SETTINGS: Final[dict[Any, Any]] = {
    "font.family": "sans-serif", "font.sans-serif": ["DejaVu Sans"], "font.size": TEXT_PT,
    "text.color": INK, "axes.edgecolor": LINE, "axes.labelcolor": QUIET, "xtick.color": QUIET,
    "ytick.color": INK, "axes.linewidth": 0.6, "xtick.major.width": 0.6, "ytick.major.width": 0.6,
    "hatch.linewidth": 0.5, "hatch.color": LINE, "pdf.fonttype": 42, "svg.fonttype": "path",
    "svg.hashsalt": "pspgui", "text.parse_math": False, "axes.unicode_minus": True,
}  # fmt: skip
_METADATA: Final = {
    "pdf": {"CreationDate": None, "ModDate": None, "Creator": "pspgui", "Producer": "matplotlib"},
    "svg": {"Date": None, "Creator": "pspgui"},
    "png": {"Software": "pspgui"},
}  # fmt: skip
# Settings are the library's only state that all threads share.
_settings = threading.Lock()


class Block(NamedTuple):
    """Something to draw: its height, and what draws it at a distance from the top, both inches."""

    height_in: float
    draw: Callable[[Sheet, float], None]


class Sheet:
    """One figure whose places are inches from its top left corner."""

    def __init__(self, blocks: Sequence[Block]) -> None:
        """Draw blocks below one another; only within `drawing`."""
        from matplotlib.figure import Figure

        gaps = _GAP_IN * (len(blocks) - 1)
        self.height_in = 2 * _MARGIN_IN + sum(b.height_in for b in blocks) + gaps
        self.width_in = WIDTH_IN + 2 * _MARGIN_IN
        self.figure: Figure = Figure((self.width_in, self.height_in), facecolor="white")
        top = _MARGIN_IN
        for block in blocks:
            block.draw(self, top)
            top += block.height_in + _GAP_IN

    def axes(self, left: float, top: float, width: float, height: float) -> Axes:
        """Return axes over a rectangle."""
        found: Axes = self.figure.add_axes((
            (left + _MARGIN_IN) / self.width_in,
            1 - (top + height) / self.height_in,
            width / self.width_in,
            height / self.height_in,
        ))  # fmt: skip
        return found

    def text(self, left: float, top: float, text: str, **style: Any) -> None:
        """Write text whose top left corner is there."""
        look: dict[str, Any] = {"va": "top", "ha": "left", "fontsize": TEXT_PT} | style
        at = (left + _MARGIN_IN) / self.width_in, 1 - top / self.height_in
        self.figure.text(*at, drawable(text), **look)


def encoded(pages: Sequence[Sequence[Block]], kind: str) -> bytes:
    """Return pages of blocks as a "pdf", or a single page as "png" or "svg". Any thread.

    The same blocks give the same bytes.
    """
    from matplotlib import rc_context

    with _settings, rc_context(_SETTINGS):
        return _pdf(pages) if kind == "pdf" else _picture(pages[0], kind)


def signed(value: float, digits: int = 3) -> str:
    """Return a number as it is printed: with its sign, and a true minus."""
    return f"{value:+.{digits}f}".replace("-", "\N{MINUS SIGN}")


def drawable(text: str) -> str:
    """Return text with characters that the font does not have replaced."""
    known = _characters()
    return "".join(c if ord(c) in known or c == "\n" else "\N{REPLACEMENT CHARACTER}" for c in text)


def _pdf(pages: Iterable[Sequence[Block]]) -> bytes:
    from matplotlib.backends.backend_pdf import PdfPages

    out = io.BytesIO()
    with PdfPages(out, metadata=_METADATA["pdf"]) as book:
        for blocks in pages:
            book.savefig(Sheet(blocks).figure)
    return out.getvalue()


def _picture(blocks: Sequence[Block], kind: str) -> bytes:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.backends.backend_svg import FigureCanvasSVG

    out, figure = io.BytesIO(), Sheet(blocks).figure
    canvas: Any
    if kind == "svg":
        canvas = FigureCanvasSVG(figure)
        canvas.print_svg(out, metadata=_METADATA["svg"])
    else:
        figure.set_dpi(_PNG_DPI)
        canvas = FigureCanvasAgg(figure)
        canvas.print_png(out, metadata=_METADATA["png"])
    return out.getvalue()


@cache
def _characters() -> frozenset[int]:
    from matplotlib.font_manager import FontProperties, findfont, get_font

    font = get_font(findfont(FontProperties(family="DejaVu Sans")))
    return frozenset(font.get_charmap())
