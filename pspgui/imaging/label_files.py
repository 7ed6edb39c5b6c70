"""Label maps as files: palette and grey PNGs whose values are class ids, never scaled."""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from pspgui.imaging.checked_pillow import MAX_PIXELS, OpenedImage, check_png, open_image, turned
from pspgui.imaging.scratch import LARGE_BYTES, ScratchError, let_go, strips
from pspgui.imaging.sources import MAX_BYTES, DecodeError, read_file
from pspgui.imaging.strip_png import (
    PngHeader,
    StripPngError,
    decode_by_strips,
    encode_by_strips,
    png_extras,
    png_header,
)

# zlib level; label maps are runs of equal values, which higher levels hardly pack better.
COMPRESSION = 3


@dataclass(frozen=True, eq=False)
class DecodedLabels:
    """A label map from a file.

    `labels` is (H, W) uint8, or uint16 from a file of 16-bit samples, C-contiguous and writable;
    `palette` is (256, 3) uint8, or None where the file has no colours; `texts` are the remarks of
    a PNG file.
    """

    labels: np.ndarray
    palette: np.ndarray | None
    path: Path
    digest: str
    notes: tuple[str, ...] = ()
    texts: Mapping[str, str] = field(default_factory=dict)


def decode_labels(
    path: str | os.PathLike[str], max_pixels: int = MAX_PIXELS, max_bytes: int = MAX_BYTES
) -> DecodedLabels:
    """Read a label map: palette indices are kept, 1/2/4-bit and PGM values are given unscaled.

    Any thread. Raises `DecodeError` for colour pictures and JPEGs, which cannot hold class ids,
    and for all that `decode_image` refuses.
    """
    return labels_from_bytes(path, read_file(path, max_bytes), max_pixels)


def labels_from_bytes(
    path: str | os.PathLike[str], content: bytes, max_pixels: int = MAX_PIXELS
) -> DecodedLabels:
    """Read a label map from a file's bytes; `path` serves the messages. As `decode_labels`."""
    path = Path(path)
    header = png_header(content)
    pixels = 0 if header is None else header.height * header.width
    if header is not None and header.is_large and pixels <= max_pixels:
        try:
            return _large_labels(path, content, header)
        except StripPngError as error:
            if pixels > MAX_PIXELS:
                raise DecodeError(path, str(error)) from error
    opened = open_image(path, content, max_pixels)
    if opened.format == "JPEG":
        raise DecodeError(path, "a JPEG changes class ids, so it holds none; save labels as PNG")
    image = turned(opened.load(), opened.orientation())
    palette = _palette(image) if image.mode == "P" else None
    labels = np.array(_values(opened, image), order="C")
    digest = hashlib.sha256(content).hexdigest()
    return DecodedLabels(labels, palette, path, digest, tuple(opened.notes), _texts(opened))


def same_values(a: np.ndarray, b: np.ndarray) -> bool:
    """Whether two label maps are equal; of mapped ones little is held at once. Any thread."""
    if a.shape != b.shape:
        return False
    same = True
    for rows in strips(a.shape, a.dtype):
        same = same and bool(np.array_equal(a[rows], b[rows]))
        let_go(a)
        let_go(b)
    return same


def _large_labels(path: Path, content: bytes, header: PngHeader) -> DecodedLabels:
    """Read a large label map by strips, over a mapped file; raises `StripPngError`, too."""
    check_png(path, content)
    try:
        labels = decode_by_strips(content, header)
    except ScratchError as error:
        raise DecodeError(path, str(error.strerror)) from error
    palette, texts = png_extras(content)
    digest = hashlib.sha256(content).hexdigest()
    return DecodedLabels(labels, palette, path, digest, (), texts)


def read_texts(path: str | os.PathLike[str]) -> dict[str, str]:
    """Return the text remarks of an image file that stand before its pixels; none are decoded.

    Raises `DecodeError` for a file that is missing or no image.
    """
    content = read_file(path)
    header = png_header(content)
    if header is not None and header.is_large:
        return png_extras(content)[1]
    return _texts(open_image(path, content))


def encode_labels(
    labels: np.ndarray, palette: np.ndarray, texts: Mapping[str, str] | None = None
) -> bytes:
    """Return a label map as PNG bytes: uint8 with the (256, 3) palette, uint16 as 16-bit grey.

    `texts` are ASCII remarks kept in the file. `decode_labels` of the result gives equal labels.
    Raises `ValueError` for other arrays.
    """
    if labels.ndim != 2 or labels.size == 0 or labels.dtype not in (np.uint8, np.uint16):
        found = f"{labels.shape} {labels.dtype}"
        raise ValueError(f"a label map is (H, W) uint8 or uint16, not {found}")
    if labels.nbytes >= LARGE_BYTES:
        return encode_by_strips(labels, palette, texts or {}, COMPRESSION)
    image = Image.fromarray(np.ascontiguousarray(labels))
    if labels.dtype == np.uint8:
        colours = np.zeros((256, 3), np.uint8)
        colours[: len(palette)] = palette[:256]
        image.putpalette(colours.tobytes(), "RGB")  # all 256: fewer would save fewer bits
    buffer = io.BytesIO()
    remarks = PngInfo()
    for key, text in (texts or {}).items():
        remarks.add_text(key, text)
    image.save(buffer, "PNG", compress_level=COMPRESSION, pnginfo=remarks)
    return buffer.getvalue()


def _texts(opened: OpenedImage) -> dict[str, str]:
    found = opened.image.info.items()
    return {key: str(text) for key, text in found if isinstance(key, str) and type(text) is str}


def _palette(image: Image.Image) -> np.ndarray:
    """Return the colours of a palette image, (256, 3) uint8, black past its end."""
    colours = np.zeros(768, np.uint8)
    stored = (image.getpalette("RGB") or [])[:768]
    colours[: len(stored)] = stored
    return colours.reshape(256, 3)


def _values(opened: OpenedImage, image: Image.Image) -> np.ndarray:
    """Return the values as they stand in the file, (H, W) uint8 or uint16."""
    mode = image.mode
    if mode == "1":
        bits = np.asarray(image, np.uint8)
        return 1 - bits if opened.format == "PPM" else bits  # a PBM's 1 is black
    if mode == "P":
        return np.asarray(image, np.uint8)
    if mode == "L":
        step = {1: 255, 2: 85, 4: 17}.get(opened.bits, 1)
        return np.asarray(image, np.uint8) // np.uint8(step)
    if mode == "I" or mode.startswith("I;16"):
        deep = np.asarray(image)
        low, high = int(deep.min()), int(deep.max())
        if low < 0 or high > 65535:
            wrong = low if low < 0 else high
            raise DecodeError(opened.path, f"the value {wrong} is no class id (0..65535)")
        return deep.astype(np.uint16)
    if mode == "F":
        raise DecodeError(opened.path, "it holds fractions, not class ids; save labels as PNG")
    if mode in ("LA", "PA"):
        raise DecodeError(
            opened.path, "labels with a transparency channel are not read; save them without"
        )
    raise DecodeError(
        opened.path,
        "a colour picture, not labels; expected a palette or grey file whose values are class ids",
    )
