"""Where on Earth the pixels of a GeoTIFF lie, and writing labels that lie there too."""

from __future__ import annotations

import os
import uuid
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from pspgui.imaging.process_warnings import FILTERS_LOCK
from pspgui.imaging.scratch import let_go, strips
from pspgui.imaging.sources import DecodeError
from pspgui.imaging.tiff_header import tiff_header

_BLOCK: Final = 256
# GDAL looks for files beside the one it opens, and writes some; here it gets exactly one file.
GDAL_OPTIONS: Final = {
    "GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR",
    "GDAL_PAM_ENABLED": "NO",
    "GDAL_CACHEMAX": 64,
    "CPL_LOG": os.devnull,
}


@dataclass(frozen=True)
class Georeference:
    """The place of a picture: `crs` in WKT (empty if unknown) and its affine transform.

    Column x and row y of a pixel's corner lie at (a x + b y + c, d x + e y + f) of `transform`
    = (a, b, c, d, e, f), in units of the CRS.
    """

    crs: str
    transform: tuple[float, float, float, float, float, float]


def georeference(path: str | os.PathLike[str]) -> Georeference | None:
    """Return where a GeoTIFF lies; None for all other files. Any thread.

    Only headers are read. Raises `DecodeError` for what cannot be opened.
    """
    header = tiff_header(path)
    if header is None or not header.has_place:
        return None
    rasterio = gdal()
    try:
        with rasterio.Env(**GDAL_OPTIONS), rasterio.open(gdal_name(path), driver="GTiff") as opened:
            return place_of(opened)
    except (rasterio.errors.RasterioError, ValueError):
        return None


def place_of(opened: Any) -> Georeference | None:
    """Return the georeference of an opened rasterio data set; None where it has none."""
    crs = "" if opened.crs is None else str(opened.crs.to_wkt())
    if opened.transform.is_identity and not crs:
        return None
    return Georeference(crs, tuple(float(v) for v in opened.transform[:6]))  # type: ignore[arg-type]


def write_geotiff_labels(
    path: str | os.PathLike[str], labels: np.ndarray, place: Georeference | None
) -> None:
    """Write a label map (H, W) uint8 or uint16 as a tiled, compressed GeoTIFF at `place`.

    The file is written beside, read back and compared, and only then takes its name. Memory
    stays at a strip of rows. Any thread. Raises `ValueError` for other arrays and `OSError`.
    """
    if labels.ndim != 2 or not labels.size or labels.dtype not in (np.uint8, np.uint16):
        found = f"{labels.shape} {labels.dtype}"
        raise ValueError(f"a label map is (H, W) uint8 or uint16, not {found}")
    rasterio = gdal()
    path = Path(path)
    beside = path.with_name(f".{path.name[:200]}.{uuid.uuid4().hex[:8]}.tif")
    try:
        with rasterio.Env(**GDAL_OPTIONS):
            _write(beside, labels, place)
            _compare(beside, labels, place)
        with open(beside, "rb+") as file:  # noqa: PTH123 - for its descriptor alone
            os.fsync(file.fileno())
        beside.replace(path)
    except rasterio.errors.RasterioError as error:
        raise OSError(f"{path.name} could not be written ({error})") from error
    finally:
        beside.unlink(missing_ok=True)


def _write(path: Path, labels: np.ndarray, place: Georeference | None) -> None:
    rasterio = gdal()
    from rasterio.windows import Window

    height, width = labels.shape
    where: dict[str, Any] = {}
    if place is not None:
        where = {"transform": rasterio.Affine(*place.transform)}
        if place.crs:
            where["crs"] = rasterio.CRS.from_wkt(place.crs)
    tiles = {"tiled": True, "blockxsize": _BLOCK, "blockysize": _BLOCK}
    with rasterio.open(
        path, "w", driver="GTiff", height=height, width=width, count=1, dtype=labels.dtype.name,
        compress="deflate", bigtiff="if_safer", **(tiles if min(labels.shape) > _BLOCK else {}),
        **where,
    ) as file:  # fmt: skip
        for rows in _bands_of(labels):
            window = Window(0, rows.start, width, rows.stop - rows.start)
            file.write(np.ascontiguousarray(labels[rows]), 1, window=window)
            let_go(labels)


def _compare(path: Path, labels: np.ndarray, place: Georeference | None) -> None:
    rasterio = gdal()
    from rasterio.windows import Window

    with rasterio.open(path, driver="GTiff") as file:
        same = file.shape == labels.shape and file.dtypes[0] == labels.dtype.name
        for rows in _bands_of(labels) if same else ():
            window = Window(0, rows.start, labels.shape[1], rows.stop - rows.start)
            same &= bool(np.array_equal(file.read(1, window=window), labels[rows]))
            let_go(labels)
        there = place_of(file)
    if place is not None:
        same &= there is not None and bool(np.allclose(there.transform, place.transform))
    if not same:
        raise OSError(f"{path.name} does not read back as it was written")


def _bands_of(labels: np.ndarray) -> list[slice]:
    return [
        slice(rows.start * _BLOCK, min(rows.stop * _BLOCK, labels.shape[0]))
        for rows in strips((-(-labels.shape[0] // _BLOCK), labels.shape[1] * _BLOCK), labels.dtype)
    ]


def gdal() -> Any:
    """Return rasterio, imported only now, which takes a third of a second."""
    import rasterio

    # Most images have no place on Earth, and nobody needs to be warned of that.
    with FILTERS_LOCK:
        warnings.filterwarnings("ignore", category=rasterio.errors.NotGeoreferencedWarning)
    return rasterio


def gdal_name(path: str | os.PathLike[str]) -> str:
    """Return an absolute name that GDAL takes for nothing but a file."""
    name = str(Path(path).absolute())
    try:
        name.encode("utf-8")
    except UnicodeEncodeError as error:
        raise DecodeError(path, "files this large need a name in UTF-8; rename it") from error
    return name
