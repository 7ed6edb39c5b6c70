"""What a mode will take for an image: its windows, how often the network runs, how much memory.

Everything is known before the first pass. What a run holds beyond the image itself and the model is
told apart from what the network needs for one pass, which may lie on another device.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from pspgui.imaging.scratch import LARGE_BYTES
from pspgui.inference.memory import forecast_bytes
from pspgui.inference.modes import CellScorer, InferenceMode
from pspgui.inference.stitching import shifts
from pspgui.inference.windows import WindowPlan
from pspgui.models.spec import ModelSpec

# Columns of a window that are interpolated at once: what fits a core's cache is worked on faster.
CHUNK_COLUMNS = 512
# What one band of output rows may take, and the rows it may have: small enough that cancelling
# within it is quick.
_BAND_BYTES = 96 << 20
_BAND_ROWS = (32, 24, 16, 12, 8, 6, 4, 3, 2, 1)
# Index arrays, counts and what Python itself needs; more where labels are found block by block.
_SMALL_BYTES = 16 << 20
_BLOCK_BYTES = 64 << 20


@dataclass(frozen=True)
class Forecast:
    """What a run will take, known before it starts.

    passes: how often the network runs; windows: how many, over all scales; window: the (h, w) of
    the largest; bytes: the most that is held at once beyond image, model and passes; cells, band,
    output: its parts: scores kept, rows in work, what is returned; pass_bytes: what the network
    takes for one pass, 0 where its spec does not say.
    """

    passes: int
    windows: int
    window: tuple[int, int]
    cells: int
    band: int
    output: int
    pass_bytes: int

    @property
    def bytes(self) -> int:
        """All parts together."""
        return self.cells + self.band + self.output

    @property
    def text(self) -> str:
        """The cost in a few words."""
        plural = "" if self.passes == 1 else "es"
        network = f" and {byte_text(self.pass_bytes)} for a pass" if self.pass_bytes else ""
        return (
            f"{self.passes} pass{plural} over windows of up to {self.window[1]} × "
            f"{self.window[0]} pixels, about {byte_text(self.bytes)} for putting them together"
            f"{network}"
        )


@dataclass(frozen=True)
class ModePlan:
    """A mode applied to an image of `shape` (H, W), for a network of so many classes."""

    mode: InferenceMode
    shape: tuple[int, int]
    classes: int
    scales: tuple[WindowPlan, ...]
    grids: tuple[tuple[int, int], ...]
    cell_px: float
    pass_bytes: int

    @classmethod
    def of(cls, scorer: CellScorer, shape: tuple[int, int], mode: InferenceMode) -> ModePlan:
        """Return the plan; raises ValueError where `shift` does not divide the output stride."""
        spec = scorer.spec
        shifts(spec.output_stride, mode.shift, True)
        scales = tuple(WindowPlan.of(shape, mode, scale) for scale in mode.scales)
        grids, pass_bytes = [], 0
        for plan in scales:
            seen = (spec.size_rule.padded(plan.window[0]), spec.size_rule.padded(plan.window[1]))
            h, w = (-(-side // spec.output_stride) for side in seen)
            grids.append((h * mode.shift, w * mode.shift))
            if isinstance(spec, ModelSpec):
                pass_bytes = max(pass_bytes, forecast_bytes(spec, seen))
        return cls(
            mode=mode, shape=shape, classes=len(scorer.classes), scales=scales,
            grids=tuple(grids), cell_px=spec.output_stride / mode.shift, pass_bytes=pass_bytes,
        )  # fmt: skip

    @property
    def passes_a_window(self) -> int:
        """How often the network runs for one window."""
        return self.mode.shift**2 * (1 + self.mode.mirror)

    @property
    def is_one_pass(self) -> bool:
        """Whether one pass at the image's own size says it all."""
        return (
            self.passes_a_window == 1 and len(self.scales) == 1 and self.scales[0].count == 1
            and self.scales[0].size == self.scales[0].frame == self.shape
        )  # fmt: skip

    @cached_property
    def band_rows(self) -> int:
        """How many output rows are worked on at once."""
        return next((n for n in _BAND_ROWS if self._band_bytes(n) <= _BAND_BYTES), 1)

    def forecast(self, confidence: bool = False) -> Forecast:
        """Return what a run will take."""
        height, width = self.shape
        label_bytes = 1 if self.classes <= 255 else 2
        windows = sum(plan.count for plan in self.scales)
        cells, band = self._cell_bytes(), self._band_bytes(self.band_rows) + _SMALL_BYTES
        if self.is_one_pass and not confidence:
            cells, band = 2 * self._window_bytes(0), _BLOCK_BYTES
        return Forecast(
            passes=windows * self.passes_a_window,
            windows=windows,
            window=max(plan.window for plan in self.scales),
            cells=cells,
            band=band,
            output=_held(height * width * label_bytes) + _held(4 * height * width * confidence),
            pass_bytes=self.pass_bytes,
        )

    def source_rows(self, plan: WindowPlan, rows: int) -> int:
        """Return how many rows of a scaled image a band of output rows reads at most."""
        if plan.size == self.shape:
            return rows
        return min(plan.size[0], math.ceil(rows * plan.size[0] / self.shape[0]) + 2)

    def _window_bytes(self, index: int) -> int:
        height, width = self.grids[index]
        return 4 * self.classes * height * width

    def _cell_bytes(self) -> int:
        """Return the bytes of scores kept at the fullest moment, and of one more on its way."""
        kept = arriving = 0
        for index, plan in enumerate(self.scales):
            one, pixels = self._window_bytes(index), plan.window[0] * plan.window[1]
            kept += one * (1 + self.mode.mirror) * len(plan.columns) * self._live_rows(plan)
            # The raw scores and a copy on the way; the window's pixels as float, and mirrored.
            arriving = max(arriving, (2 + self.mode.mirror) * one + 24 * pixels)
        return kept + arriving

    def _live_rows(self, plan: WindowPlan) -> int:
        """Return how many rows of windows are held at once at most."""
        starts = np.asarray(plan.rows) - plan.offset[0]
        span = self.source_rows(plan, self.band_rows)
        tops = np.arange(0, plan.size[0])[:, None]
        live = (starts < tops + span) & (starts + plan.window[0] > tops)
        return int(live.sum(axis=1).max())

    def _band_bytes(self, rows: int) -> int:
        """Return what a band of so many output rows takes at its fullest."""
        width, most = self.shape[1], 0
        for plan in self.scales:
            read = self.source_rows(plan, rows)
            chunk = min(plan.window[1], CHUNK_COLUMNS)
            cell_rows = math.ceil(read / self.cell_px) + 2
            band = read * plan.size[1]
            fullest = band + chunk * (2 * read + 3 * cell_rows)
            if plan.size != self.shape:
                fullest = max(fullest, band + (read + rows) * width)
            most = max(most, fullest)
        if len(self.scales) > 1:
            most += rows * width
        return 4 * self.classes * most


def forecast(
    scorer: CellScorer, shape: tuple[int, int], mode: InferenceMode, confidence: bool = False
) -> Forecast:
    """Return what `run_mode` will take for an image of `shape` (H, W)."""
    return ModePlan.of(scorer, shape, mode).forecast(confidence)


def byte_text(count: int) -> str:
    """Return bytes as a person reads them."""
    if count >= 1 << 30:
        return f"{count / (1 << 30):.1f} GiB"
    return f"{max(1, round(count / (1 << 20)))} MiB"


def _held(nbytes: int) -> int:
    """Return how much memory a result takes: what is large lies over a file."""
    return nbytes if nbytes < LARGE_BYTES else 0
