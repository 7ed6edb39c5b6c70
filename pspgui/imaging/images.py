"""Decoding image files to upright 8-bit RGB, and encoding RGB to PNG."""

from __future__ import annotations

import io
import os
import struct
from collections.abc import Generator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image, ImageCms

from pspgui.imaging.beside import Beside
from pspgui.imaging.checked_pillow import MAX_PIXELS, OpenedImage, open_image, turned
from pspgui.imaging.deep import DeepSamples, deep_samples
from pspgui.imaging.georeferencing import Georeference, georeference
from pspgui.imaging.sources import MAX_BYTES, DecodeError, read_file
from pspgui.imaging.windowed import (
    decode_windowed,
    judge_size,
    windowed_header,
    windowed_thumbnail,
)

_STRIP_BYTES = 1 << 20  # larger ones take fresh memory each, which costs more than copying


@dataclass(frozen=True, eq=False)
class DecodedImage:
    """An image as the viewer and the model see it.

    `pixels` is (H, W, 3) uint8 RGB, C-contiguous and read-only, upright; `digest` is the SHA-256
    of the file in hex; `format` is what the bytes are (PNG, JPEG, TIFF, BMP, WEBP, GIF, PPM);
    `orientation` is the EXIF turn that was applied (1 = none); `notes` are things a person may
    want to know, one clause each. `deep` holds samples of more than 8 bits, where they were asked
    for; `place` is the georeference of a GeoTIFF.
    """

    pixels: np.ndarray
    path: Path
    digest: str
    format: str = ""
    orientation: int = 1
    notes: tuple[str, ...] = ()
    deep: DeepSamples | None = None
    place: Georeference | None = None


def decode_image(
    path: str | os.PathLike[str], max_pixels: int = MAX_PIXELS, max_bytes: int = MAX_BYTES
) -> DecodedImage:
    """Read, check and decode one image file. Any thread.

    Transparent parts come out on white; 16-bit samples are scaled by 255/65535; float and 32-bit
    samples from their finite minimum..maximum. A large TIFF is read by windows into a mapped
    file. Raises `DecodeError` with one sentence.
    """
    steps = decode_steps(path, max_pixels, max_bytes, keep_deep=False)
    while True:
        try:
            next(steps)
        except StopIteration as done:
            decoded: DecodedImage = done.value
            return decoded


def decode_steps(
    path: str | os.PathLike[str],
    max_pixels: int = MAX_PIXELS,
    max_bytes: int = MAX_BYTES,
    keep_deep: bool = True,
) -> Generator[float, None, DecodedImage]:
    """Decode as `decode_image` does, yielding how far it is, 0..1; returns the image.

    `keep_deep` keeps samples of more than 8 bits, for the eye. A caller's own `max_pixels` holds
    for images read by windows, too.
    """
    header = windowed_header(path) if max_pixels >= MAX_PIXELS else None
    if header is None:
        content = read_file(path, max_bytes)
        decoded = image_from_bytes(path, content, max_pixels, keep_deep)
        if decoded.format != "TIFF" or decoded.orientation != 1:
            return decoded
        return replace(decoded, place=georeference(path))
    read = yield from decode_windowed(path, header)
    return DecodedImage(
        read.pixels, Path(path), read.digest, "TIFF", 1, read.notes,
        read.deep if keep_deep else None, read.place,
    )  # fmt: skip


def image_from_bytes(
    path: str | os.PathLike[str],
    content: bytes,
    max_pixels: int = MAX_PIXELS,
    keep_deep: bool = False,
) -> DecodedImage:
    """Decode an image from a file's bytes; `path` serves the messages. As `decode_steps`."""
    path = Path(path)
    opened = open_image(path, content, max_pixels)
    pixels, orientation, deep = opened.as_stored(), 1, None
    height, width = opened.shape
    beside = Beside(content, 3 * height * width if pixels is None else 0)
    if pixels is None:
        image = opened.load()
        orientation = opened.orientation()
        try:
            pixels = _rgb(opened, image, orientation, beside)
            deep = deep_samples(opened, image, orientation) if keep_deep else None
        except DecodeError:
            raise
        except Exception as error:  # conversions fail in as many ways as decoders do
            raise DecodeError(path, f"its pixels cannot be converted to RGB ({error})") from error
    if _has_more_pictures(opened.image):
        opened.notes.append("only the first of several pictures in the file is shown")
    pixels.setflags(write=False)
    notes = tuple(opened.notes)
    return DecodedImage(pixels, path, beside.digest(), opened.format, orientation, notes, deep)


def image_size(path: str | os.PathLike[str]) -> tuple[int, int]:
    """Return (height, width) of an image as it will be shown, without decoding it where possible.

    Raises `DecodeError` for what the header already shows to be wrong.
    """
    path = Path(path)
    large = windowed_header(path)
    if large is not None:
        judge_size(path, large)
        return large.height, large.width
    opened = open_image(path, read_file(path))
    height, width = opened.shape
    if opened.format == "TIFF" or (opened.format == "PNG" and not _may_turn(opened.content)):
        return height, width  # Pillow gives a TIFF's size already turned
    return (width, height) if opened.orientation() >= 5 else (height, width)


def thumbnail(
    path: str | os.PathLike[str], side_px: int = 96, max_pixels: int = MAX_PIXELS
) -> np.ndarray:
    """Return a small upright picture, (h, w, 3) uint8 with max(h, w) <= side_px; any thread.

    A JPEG is decoded at a fraction of its size. Raises `DecodeError`.
    """
    path = Path(path)
    large = windowed_header(path) if max_pixels >= MAX_PIXELS else None
    if large is not None:
        return windowed_thumbnail(path, large, side_px)
    opened = open_image(path, read_file(path), max_pixels)
    if opened.format == "JPEG":
        opened.image.draft(None, (2 * side_px, 2 * side_px))
    image = opened.load()
    orientation = opened.orientation()
    try:
        small = Image.fromarray(_rgb(opened, image, orientation))
        small.thumbnail((side_px, side_px), Image.Resampling.BOX, reducing_gap=None)
        return np.ascontiguousarray(small)
    except DecodeError:
        raise
    except Exception as error:  # as in decode_image
        raise DecodeError(path, f"its pixels cannot be converted to RGB ({error})") from error


def encode_png(rgb: np.ndarray) -> bytes:
    """Return (H, W, 3) uint8 RGB pixels, or (H, W, 4) RGBA, as the bytes of a PNG file."""
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(rgb)).save(buffer, "PNG", compress_level=3)
    return buffer.getvalue()


def _rgb(
    opened: OpenedImage, image: Image.Image, orientation: int, beside: Beside | None = None
) -> np.ndarray:
    """Return (H, W, 3) uint8, C-contiguous and upright; `beside` may have room for it."""
    if opened.bits == 16 and image.mode in ("RGB", "RGBA"):
        return _deep_colour(opened, orientation)
    image = turned(image, orientation)
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        grey = _grey_to_8_bits(opened, np.asarray(image))
        return np.ascontiguousarray(np.repeat(grey[..., None], 3, axis=2))
    if opened.maxval is not None:  # PGM or PPM with a white of its own
        values = np.asarray(image.convert("RGB"), np.float32)
        return _as_bytes(values * (255 / opened.maxval))
    if image.mode == "LAB":
        lab, srgb = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
        transform = ImageCms.buildTransform(lab, srgb, "LAB", "RGB")
        converted = ImageCms.applyTransform(image, transform)
        image = image if converted is None else converted
        opened.notes.append("converted from CIELAB to sRGB")
    elif image.mode == "CMYK":
        opened.notes.append("converted from CMYK without a colour profile")
    elif image.has_transparency_data:
        image = _on_white(opened, image)
    # convert copies even RGB to RGB, which at 8192 x 8192 is 0.2 GB for nothing
    return _array_of(image if image.mode == "RGB" else image.convert("RGB"), beside)


def _array_of(image: Image.Image, beside: Beside | None) -> np.ndarray:
    """Return an RGB image's pixels; by strips, since Pillow makes two more copies on the way."""
    shape = (image.height, image.width, 3)
    pixels = np.empty(shape, np.uint8) if beside is None else beside.room(shape)
    rows = max(1, _STRIP_BYTES // (4 * image.width))
    for y in range(0, image.height, rows):
        stop = min(y + rows, image.height)
        pixels[y:stop] = np.asarray(image.crop((0, y, image.width, stop)))
    return pixels


def _has_more_pictures(image: Image.Image) -> bool:
    try:
        return bool(getattr(image, "is_animated", False))
    except Exception:  # a GIF looks for its second frame here, which may be damaged
        return True


def _on_white(opened: OpenedImage, image: Image.Image) -> Image.Image:
    """Lay transparent parts on white, so that colour hidden under them stays hidden."""
    rgba = image.convert("RGBA")
    if rgba.getchannel("A").getextrema() == (255, 255):
        return rgba
    opened.notes.append("transparent parts are shown on white")
    ground = Image.new("RGBA", rgba.size, (255, 255, 255, 255))
    return Image.alpha_composite(ground, rgba)


def _grey_to_8_bits(opened: OpenedImage, values: np.ndarray) -> np.ndarray:
    """Scale deep grey to (H, W) uint8: 16 bits by a fixed rule, the rest by its finite range."""
    if values.dtype.kind in "iu" and opened.bits == 16 and int(values.min()) >= 0:
        white = opened.maxval or 65535
        if white == 65535 and int(values.max()) < 4096:
            white = 4095
            opened.notes.append("12-bit values in a 16-bit file; 4095 is shown as white")
        return _as_bytes(values.astype(np.float32) * (255 / white))
    finite = np.isfinite(values)
    if not finite.all():
        opened.notes.append("values that are not numbers are shown as black")
    if not finite.any():
        return np.zeros(values.shape, np.uint8)
    low, high = float(values[finite].min()), float(values[finite].max())
    opened.notes.append(f"values {low:g}..{high:g} are shown as black..white")
    span = (high - low) or 1.0
    scaled = (np.where(finite, values, low).astype(np.float64) - low) * (255 / span)
    return _as_bytes(np.where(finite, scaled, 0))


def _as_bytes(values: np.ndarray) -> np.ndarray:
    """Round values of 0..255 to uint8."""
    return np.asarray(np.minimum(np.rint(values), 255), np.uint8)


def _deep_colour(opened: OpenedImage, orientation: int) -> np.ndarray:
    """Decode 16-bit RGB by OpenCV from the same bytes; Pillow would cut it to its high bytes."""
    from pspgui.imaging.opencv import cv2  # 0.1 s to import, and few files need it

    flags = cv2.IMREAD_ANYDEPTH | cv2.IMREAD_UNCHANGED | cv2.IMREAD_IGNORE_ORIENTATION
    deep = cv2.imdecode(np.frombuffer(opened.content, np.uint8), flags)
    if deep is None or deep.dtype != np.uint16 or deep.ndim != 3:
        raise DecodeError(opened.path, "its 16-bit pixels are damaged or of an unknown layout")
    opened.notes.append("16-bit colour is shown in 8 bits")
    if deep.shape[2] == 4:
        alpha = deep[..., 3:].astype(np.float32) / 65535
        if alpha.min() < 1:
            opened.notes.append("transparent parts are shown on white")
        flat = deep[..., :3] * alpha + 65535 * (1 - alpha)
    else:
        flat = deep.astype(np.float32)
    white = opened.maxval or 65535
    small = _as_bytes(flat * np.float32(255 / white))
    return np.array(turned(Image.fromarray(small[..., ::-1].copy()), orientation), order="C")


def _may_turn(png: bytes) -> bool:
    """Whether a PNG has a chunk that can hold an orientation; if not, it need not be decoded."""
    at = 8
    while at + 12 <= len(png):
        (length,) = struct.unpack_from(">I", png, at)
        if png[at + 4 : at + 8] in (b"eXIf", b"zTXt", b"tEXt", b"iTXt"):
            return True
        at += 12 + length
    return False
