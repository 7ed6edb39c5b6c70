"""Pillow behind a guard: named formats only, a pixel cap before decoding, one kind of error."""

from __future__ import annotations

import io
import os
import re
import struct
import threading
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from pspgui.durable import printable
from pspgui.imaging.png_rows import has_all_rows, is_interlaced
from pspgui.imaging.process_warnings import FILTERS_LOCK
from pspgui.imaging.sources import DecodeError, describe_stranger

MAX_PIXELS = 400_000_000
FORMATS = ("PNG", "JPEG", "TIFF", "BMP", "WEBP", "GIF", "PPM")
SUFFIXES = {
    ".png": "PNG", ".apng": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".jpe": "JPEG",
    ".jfif": "JPEG", ".tif": "TIFF", ".tiff": "TIFF", ".bmp": "BMP", ".dib": "BMP",
    ".webp": "WEBP", ".gif": "GIF", ".ppm": "PPM", ".pgm": "PPM", ".pbm": "PPM",
    ".pnm": "PPM", ".pfm": "PPM",
}  # fmt: skip

_ORIENTATION = 0x0112
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_PNM_GAP = rb"(?:\s|#[^\r\n]*[\r\n])+"
_PNM_FIELDS = re.compile(
    rb"P[56]" + _PNM_GAP + rb"\d{1,10}" + _PNM_GAP + rb"\d{1,10}" + _PNM_GAP + rb"(\d{1,5})\s"
)


@dataclass
class OpenedImage:
    """An image whose header was accepted and whose pixels are not decoded yet.

    `content` is the file as it was read; `bits` is what one sample has in the file (1..32);
    `maxval` is the white of a PNM file, else None.
    """

    path: Path
    content: bytes
    image: Image.Image
    format: str
    bits: int
    maxval: int | None
    notes: list[str] = field(default_factory=list)

    @property
    def shape(self) -> tuple[int, int]:
        """(height, width) as stored, before orientation."""
        return self.image.height, self.image.width

    def as_stored(self) -> np.ndarray | None:
        """Return (H, W, 3) uint8 over the file's own bytes, read-only, where these are the pixels.

        That is upright RGB of 8 bits, unpacked and row after row, as in plain TIFF and PPM files;
        None for everything else.
        """
        height, width = self.shape
        plain = self.image.mode == "RGB" and self.bits == 8 and self.maxval is None
        parts = list(getattr(self.image, "tile", ()))
        if not plain or not parts or "transparency" in self.image.info:
            return None
        row, at = 0, int(parts[0][2])
        start = at
        for codec, (left, top, right, bottom), offset, layout in parts:
            if codec != "raw" or layout not in ("RGB", ("RGB", 0, 1)):
                return None
            if (left, top, right, offset) != (0, row, width, at):
                return None
            row, at = bottom, at + 3 * width * (bottom - top)
        if row != height or start < 0 or at > len(self.content) or self.orientation() != 1:
            return None
        flat = np.frombuffer(self.content, np.uint8, 3 * height * width, start)
        return flat.reshape(height, width, 3)

    def load(self) -> Image.Image:
        """Decode the pixels; raises `DecodeError` for a truncated or damaged file."""
        try:
            self.image.load()
        except Exception as error:  # Pillow raises OSError, ValueError, SyntaxError, zlib.error…
            raise DecodeError(self.path, _why_not_decoded(error)) from error
        if self.format == "PNG" and self._may_lack_rows() and not has_all_rows(self.content):
            raise DecodeError(self.path, _why_not_decoded(EOFError()))
        return self.image

    def _may_lack_rows(self) -> bool:
        """Whether the last row is what missing rows become."""
        width, height = self.image.size
        last = self.image.crop((0, height - 1, width, height))
        return is_interlaced(self.content) or last.getbbox(alpha_only=False) is None

    def orientation(self) -> int:
        """Return the EXIF orientation still to be applied, 1..8; a senseless tag counts as 1.

        Call after `load`: Pillow applies a TIFF's own there, and reads a PNG's late chunks.
        """
        try:
            with FILTERS_LOCK, _collected(self.notes):
                value = self.image.getexif().get(_ORIENTATION, 1)
        except Exception:  # EXIF is a side matter: whatever is wrong in it, the pixels stand
            self.notes.append("its EXIF block is damaged and was ignored")
            return 1
        return value if isinstance(value, int) and value in _TURNS else 1


def open_image(
    path: str | os.PathLike[str], content: bytes, max_pixels: int = MAX_PIXELS
) -> OpenedImage:
    """Read and judge the header of an image file's bytes; nothing is decoded yet.

    Any thread. Raises `DecodeError` when it is no image, too large, or a PNG with a bad checksum.
    """
    path = Path(path)
    notes: list[str] = []
    maxval = _pnm_maxval(content)
    readable = _with_plain_maxval(content, maxval) if maxval else content
    try:
        # Pillow's cap is one for all threads too: only around the quick reading of headers,
        # never around decoding.
        with FILTERS_LOCK, _collected(notes), _pixel_cap(max_pixels):
            image = Image.open(io.BytesIO(readable), formats=FORMATS)
    except UnidentifiedImageError as error:
        raise DecodeError(path, describe_stranger(content)) from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        found = re.search(r"\d+", str(error))
        raise DecodeError(path, _too_large(int(found[0]) if found else 0, max_pixels)) from error
    except Exception as error:  # a header can break a plugin in any way it likes
        raise DecodeError(path, _why_not_decoded(error)) from error
    if image.width * image.height > max_pixels:
        raise DecodeError(path, _too_large(image.width * image.height, max_pixels))
    if image.width < 1 or image.height < 1:
        raise DecodeError(path, "the image has no pixels")
    form = "JPEG" if image.format == "MPO" else str(image.format)
    if form == "PNG":
        check_png(path, content)
    expected = SUFFIXES.get(path.suffix.lower())
    if expected not in (None, form):
        notes.append(f"the file is {_with_article(form)} despite its name")
    return OpenedImage(path, content, image, form, _bits(image, form, content), maxval, notes)


def turned(image: Image.Image, orientation: int) -> Image.Image:
    """Return the image upright for an EXIF orientation of 1..8; values stay as they are."""
    turn = _TURNS.get(orientation)
    return image if turn is None else image.transpose(turn)


@contextmanager
def _collected(notes: list[str]) -> Iterator[None]:
    """Turn Pillow's warnings into notes, and those that tell of lost pixels into errors."""
    caught: list[str] = []
    thread = threading.get_ident()

    def keep(message: Warning | str, *_: object, **__: object) -> None:
        if threading.get_ident() == thread:  # what others warn of meanwhile is not of this image
            caught.append(str(message))

    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        warnings.showwarning = keep
        yield
    for text in caught:
        if "truncated" in text.lower():
            raise OSError(text)
        note = "its metadata are damaged and were ignored in part"
        if note not in notes:
            notes.append(note)


@contextmanager
def _pixel_cap(max_pixels: int) -> Iterator[None]:
    """Set Pillow's own cap, so that a plugin which looks at frames on opening keeps to it too."""
    before = Image.MAX_IMAGE_PIXELS
    Image.MAX_IMAGE_PIXELS = max_pixels
    try:
        yield
    finally:
        Image.MAX_IMAGE_PIXELS = before


def _too_large(pixels: int, max_pixels: int) -> str:
    found = f"the image has {pixels / 1e6:g} million pixels"
    return f"{found}, more than the {max_pixels / 1e6:g} million that are opened"


def _why_not_decoded(error: Exception) -> str:
    """Return the reason that a person can act on; Pillow's words only in brackets."""
    text = str(error).strip().rstrip(".").lower()
    if isinstance(error, MemoryError):
        return "there is not enough memory to decode it"
    if "truncated" in text or isinstance(error, EOFError) or "not enough" in text:
        return "the file is truncated (cut short); copy or download it again"
    if "text chunk" in text or "decompressed data too large" in text:
        return "a text block in it unpacks to an absurd size, so it was refused"
    detail = text or type(error).__name__
    return f"the image data are damaged ({detail}); copy or download it again"


def _with_article(form: str) -> str:
    name = {"WEBP": "WebP", "PPM": "PNM"}.get(form, form)
    return f"{'a' if name[0] in 'BGJPTW' else 'an'} {name}"


def check_png(path: Path, content: bytes) -> None:
    """Refuse a PNG with a wrong checksum or without its end; Pillow lets a bad IDAT pass."""
    view = memoryview(content)
    at = len(_PNG_SIGNATURE)
    while at + 12 <= len(content):
        (length,) = struct.unpack_from(">I", content, at)
        end = at + 12 + length
        if end > len(content):
            break
        (checksum,) = struct.unpack_from(">I", content, end - 4)
        kind = content[at + 4 : at + 8]
        if zlib.crc32(view[at + 4 : end - 4]) != checksum:
            shown = printable(kind)
            raise DecodeError(
                path, f"damaged (checksum of PNG chunk {shown} is wrong); copy or download it again"
            )
        if kind == b"IEND":
            return
        at = end
    raise DecodeError(path, _why_not_decoded(EOFError()))


def _bits(image: Image.Image, form: str, content: bytes) -> int:
    """Return the bits of one sample as stored, which Pillow's mode does not always tell."""
    if form == "PNG":
        return content[24]
    if form == "TIFF":
        stored = image.tag_v2.get(258, (1,))  # type: ignore[attr-defined]
        return int(stored[0]) if isinstance(stored, tuple) else int(stored)
    return {"1": 1, "I": 16, "I;16": 16, "F": 32}.get(image.mode, 8)


def _pnm_maxval(content: bytes) -> int | None:
    """Return the white value of a binary PGM or PPM file when it is not 255 or 65535."""
    fields = _PNM_FIELDS.match(content)
    maxval = int(fields[1]) if fields else 0
    return maxval if 0 < maxval < 65535 and maxval != 255 else None


def _with_plain_maxval(content: bytes, maxval: int) -> bytes:
    """Return the file with a white of 255 or 65535, so that Pillow hands out raw values.

    With any other white Pillow rescales label values, in a Python loop over every pixel.
    """
    fields = _PNM_FIELDS.match(content)
    if fields is None:
        return content
    white = b"255" if maxval < 256 else b"65535"
    return content[: fields.start(1)] + white + content[fields.end(1) :]
