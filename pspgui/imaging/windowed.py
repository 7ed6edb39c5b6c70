"""TIFF and GeoTIFF images too large for memory, decoded strip by strip into mapped files.

Memory stays at one strip, GDAL's cache of 64 MB and what is looked at; the disk needs three bytes
a pixel while the image is open, and for samples deeper than 8 bits two to six bytes more. The cap
rises to MAX_WINDOWED_PIXELS only for files whose header says that they can be read in pieces and
whose size could hold so many pixels.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
from PIL import Image

from pspgui.imaging.deep import WHITE, DeepSamples, quantised, white_of
from pspgui.imaging.georeferencing import (
    GDAL_OPTIONS,
    Georeference,
    gdal,
    gdal_name,
    place_of,
)
from pspgui.imaging.scratch import ScratchError, let_go, zeros
from pspgui.imaging.sources import DecodeError, open_regular
from pspgui.imaging.tiff_header import TiffHeader, tiff_header

WINDOWED_PIXELS: Final = 100_000_000
MAX_WINDOWED_PIXELS: Final = 1_000_000_000
_WINDOWED_BYTES: Final = 1 << 30
_STRIP_BYTES: Final = 48 << 20
_MOST_BLOCK_BYTES: Final = 256 << 20
_MOST_RATIO: Final = 1100  # deflate reaches 1032 at most
_MOST_SIDE: Final = 100_000
_MIDDLE_SIDE: Final = 1024


@dataclass(frozen=True, eq=False)
class WindowedImage:
    """A large image: `pixels` (H, W, 3) uint8 RGB over a mapped file, read-only, with the rest."""

    pixels: np.ndarray
    digest: str
    notes: tuple[str, ...] = ()
    deep: DeepSamples | None = None
    place: Georeference | None = None


def windowed_header(path: str | os.PathLike[str]) -> TiffHeader | None:
    """Return the header of a TIFF that is to be read by windows; None for every other file.

    Raises `DecodeError` for what cannot be opened.
    """
    header = tiff_header(path)
    if header is None or not header.pixels:
        return None
    large = header.pixels > WINDOWED_PIXELS or header.file_bytes > _WINDOWED_BYTES
    return header if large else None


def decode_windowed(
    path: str | os.PathLike[str], header: TiffHeader
) -> Generator[float, None, WindowedImage]:
    """Decode a large TIFF, yielding how far it is, 0..1; the generator returns the image.

    Closing the generator gives up and frees everything. Any thread. Raises `DecodeError`.
    """
    path = Path(path)
    judge_size(path, header)
    rasterio = gdal()
    try:
        with rasterio.Env(**GDAL_OPTIONS), rasterio.open(gdal_name(path), driver="GTiff") as file:
            reading = _Reading(path, file)
            reading.judge()
            pixels, deep = yield from reading.decode()
            place = place_of(file)
    except rasterio.errors.RasterioError as error:
        why = "the file is truncated or damaged; copy or download it again"
        raise DecodeError(path, why) from error
    except (ScratchError, MemoryError) as error:
        why = getattr(error, "strerror", None) or "there is not enough memory to decode it"
        raise DecodeError(path, why) from error
    digest = yield from _digest(path)
    return WindowedImage(pixels, digest, tuple(reading.notes), deep, place)


def windowed_thumbnail(
    path: str | os.PathLike[str], header: TiffHeader, side_px: int
) -> np.ndarray:
    """Return a small picture (h, w, 3) uint8 of a large TIFF, by its overviews.

    Without overviews that would mean to decode all of it: it is then its middle that is shown.
    Raises `DecodeError`.
    """
    path = Path(path)
    judge_size(path, header)
    rasterio = gdal()
    from rasterio.windows import Window

    try:
        with rasterio.Env(**GDAL_OPTIONS):
            level = _smallest_overview(path, header, side_px)
            chosen = {} if level is None else {"overview_level": level}
            with rasterio.open(gdal_name(path), driver="GTiff", **chosen) as file:
                reading = _Reading(path, file)
                reading.judge()
                height, width = (min(side, _MIDDLE_SIDE) for side in file.shape)
                corner = (file.width - width) // 2, (file.height - height) // 2
                # Not read at a smaller size: GDAL takes seconds for that.
                values = file.read(reading.bands, window=Window(*corner, width, height))
                middle = reading.small(np.ascontiguousarray(np.moveaxis(values, 0, -1)))
    except rasterio.errors.RasterioError as error:
        raise DecodeError(path, "the file is truncated or damaged") from error
    small = Image.fromarray(middle)
    small.thumbnail((side_px, side_px), Image.Resampling.BOX, reducing_gap=None)
    return np.ascontiguousarray(small)


def _smallest_overview(path: Path, header: TiffHeader, side_px: int) -> int | None:
    """Return which overview to make a thumbnail from; None where there is none small enough."""
    with gdal().open(gdal_name(path), driver="GTiff") as file:
        factors = list(file.overviews(1))
    side = max(header.height, header.width)
    fits = [k for k, f in enumerate(factors) if side_px <= side // f <= _MIDDLE_SIDE]
    return fits[-1] if fits else None


def judge_size(path: Path, header: TiffHeader) -> None:
    """Refuse what the header already shows to be too much; raises `DecodeError`."""
    if header.pixels > MAX_WINDOWED_PIXELS or max(header.height, header.width) > _MOST_SIDE:
        raise DecodeError(
            path,
            f"the image has {header.pixels / 1e6:g} million pixels, more than the "
            f"{MAX_WINDOWED_PIXELS / 1e6:g} million that are opened",
        )
    if header.pixels > _MOST_RATIO * header.file_bytes:
        raise DecodeError(
            path,
            f"its {header.file_bytes / 1e6:.1f} MB claim to hold {header.pixels / 1e6:g} million "
            "pixels, so it was refused",
        )
    if header.orientation != 1:
        raise DecodeError(path, "images this large are not turned; save it upright first")


@dataclass
class _Reading:
    """One opened rasterio data set and how its bands become RGB."""

    path: Path
    file: Any
    notes: list[str] = field(default_factory=list)

    @property
    def bands(self) -> list[int]:
        """The bands that are shown, counted from 1: one for grey or palette, else R, G, B."""
        names = [colour.name for colour in self.file.colorinterp]
        if {"red", "green", "blue"} <= set(names):
            return [names.index(name) + 1 for name in ("red", "green", "blue")]
        return [1, 2, 3] if self.file.count >= 3 else [1]

    def judge(self) -> None:
        """Refuse what cannot be read in pieces; raises `DecodeError`."""
        kinds = {self.file.dtypes[band - 1] for band in self.bands}
        if len(kinds) != 1 or np.dtype(next(iter(kinds))).kind not in "uif":
            raise DecodeError(self.path, f"its samples ({', '.join(sorted(kinds))}) are not read")
        if self._rows() * self._row_bytes() > _MOST_BLOCK_BYTES:
            raise DecodeError(
                self.path,
                "it is stored in one piece, which does not fit into memory; save it tiled first "
                "(gdal_translate -co TILED=YES)",
            )
        if self.file.count > len(self.bands):
            self.notes.append(f"bands {', '.join(map(str, self.bands))} of {self.file.count}")

    @property
    def kind(self) -> np.dtype[Any]:
        """The dtype of the samples."""
        kind: np.dtype[Any] = np.dtype(self.file.dtypes[self.bands[0] - 1])
        return kind

    def decode(self) -> Generator[float, None, tuple[np.ndarray, DeepSamples | None]]:
        """Return RGB and the deep samples, if there are any."""
        if self.kind == np.uint8:
            pixels = yield from self._shallow()
            return pixels, None
        deep = yield from self._deep()
        pixels = yield from self._reduced(deep)
        return pixels, deep

    def small(self, values: np.ndarray) -> np.ndarray:
        """Return a thumbnail's (h, w, bands) values as RGB uint8."""
        if self.kind == np.uint8:
            return np.ascontiguousarray(self._rgb(values))
        finite = values[np.isfinite(values)]
        low, high = (finite.min(), finite.max()) if finite.size else (0, 1)
        grey = (quantised(values, float(low), float(high)) >> 8).astype(np.uint8)
        return np.ascontiguousarray(np.broadcast_to(grey, (*grey.shape[:2], 3)))

    def _shallow(self) -> Generator[float, None, np.ndarray]:
        height, width = self.file.shape
        pixels = zeros((height, width, 3), np.uint8)
        for rows, values in self._strips():
            pixels[rows] = self._rgb(values)
            let_go(pixels)
            yield 0.9 * rows.stop / height
        pixels.setflags(write=False)
        return pixels

    def _rgb(self, values: np.ndarray) -> np.ndarray:
        """Return (h, w, bands) uint8 samples as (h, w, 3): palettes looked up, bits spread."""
        if values.shape[2] == 3:
            return values
        if self.file.colorinterp[0].name == "palette":
            table = np.zeros((256, 3), np.uint8)
            for value, colour in self.file.colormap(1).items():
                table[value] = colour[:3]
            return np.asarray(table[values[..., 0]])
        bits = int(self.file.tags(1, ns="IMAGE_STRUCTURE").get("NBITS", 8))
        if bits < 8:
            values = values * np.uint8(255 // (2**bits - 1))
        return np.broadcast_to(values, (*values.shape[:2], 3))

    def _deep(self) -> Generator[float, None, DeepSamples]:
        """Keep the samples as uint16: as they are, or spread over their range."""
        height, width = self.file.shape
        plain = self.kind == np.uint16
        low, high = (0.0, 0.0) if plain else (yield from self._range())
        plain = plain or (self.kind == np.int16 and low >= 0)
        shape = (height, width, 3) if len(self.bands) == 3 else (height, width)
        samples = zeros(shape, np.uint16)
        highest = 0
        for rows, values in self._strips():
            here = values if plain else quantised(self._masked(values), low, high)
            samples[rows] = here if samples.ndim == 3 else here[..., 0]
            highest = max(highest, int(here.max()))
            let_go(samples)
            yield (0.0 if plain else 0.3) + 0.3 * rows.stop / height
        samples.setflags(write=False)
        if not plain:
            self.notes.append(f"values {low:g}..{high:g} are shown as black..white")
            return DeepSamples(samples, WHITE, low, high)
        white = white_of(highest)
        if white != WHITE:
            self.notes.append("12-bit values in a 16-bit file; 4095 is shown as white")
        return DeepSamples(samples, white, 0.0, float(white))

    def _range(self) -> Generator[float, None, tuple[float, float]]:
        low, high = np.inf, -np.inf
        for rows, values in self._strips():
            finite = self._masked(values)
            finite = finite[np.isfinite(finite)]
            if finite.size:
                low, high = min(low, float(finite.min())), max(high, float(finite.max()))
            yield 0.3 * rows.stop / self.file.height
        return (low, high) if low <= high else (0.0, 1.0)

    def _masked(self, values: np.ndarray) -> np.ndarray:
        """Return samples with those that mean "no value" as NaN."""
        if self.file.nodata is None or np.isnan(self.file.nodata):
            return values
        return np.where(values == self.file.nodata, np.nan, values)

    def _reduced(self, deep: DeepSamples) -> Generator[float, None, np.ndarray]:
        """Return the 8-bit picture of deep samples, by the rule of all decoding."""
        height, width = deep.samples.shape[:2]
        table = np.rint(np.arange(deep.white + 1) * (255 / deep.white)).astype(np.uint8)
        pixels = zeros((height, width, 3), np.uint8)
        step = self._rows()
        for y in range(0, height, step):
            rows = slice(y, min(y + step, height))
            small = table.take(deep.samples[rows], mode="clip")
            pixels[rows] = small if small.ndim == 3 else small[..., None]
            let_go(pixels)
            let_go(deep.samples)
            yield 0.6 + 0.3 * rows.stop / height
        pixels.setflags(write=False)
        return pixels

    def _row_bytes(self) -> int:
        return int(self.file.width) * len(self.bands) * self.kind.itemsize

    def _rows(self) -> int:
        """Return how many rows are read at once: whole blocks of the file."""
        block = max(int(shape[0]) for shape in self.file.block_shapes)
        return max(block, _STRIP_BYTES // self._row_bytes() // block * block)

    def _strips(self) -> Iterator[tuple[slice, np.ndarray]]:
        from rasterio.windows import Window

        height, width = self.file.shape
        step = self._rows()
        for y in range(0, height, step):
            rows = slice(y, min(y + step, height))
            window = Window(0, y, width, rows.stop - y)
            yield rows, np.moveaxis(self.file.read(self.bands, window=window), 0, -1)


def _digest(path: Path) -> Generator[float, None, str]:
    found = hashlib.sha256()
    with open_regular(path) as file:
        size = max(1, os.fstat(file.fileno()).st_size)
        while block := file.read(8 << 20):
            found.update(block)
            yield 0.9 + 0.1 * min(1.0, file.tell() / size)
    return found.hexdigest()
