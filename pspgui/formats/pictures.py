"""The image of an export: its own bytes where readers can take them, upright PNG otherwise."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass

from pspgui.durable import printable
from pspgui.formats.scheme import ExportItem
from pspgui.imaging import encode_png, image_from_bytes, is_image_name, read_file
from pspgui.imaging.checked_pillow import OpenedImage, open_image

SUFFIX_OF = {
    "PNG": ".png", "JPEG": ".jpg", "TIFF": ".tif", "BMP": ".bmp", "WEBP": ".webp",
    "GIF": ".gif", "PPM": ".ppm",
}  # fmt: skip
# What may hold an orientation in a PNG, wherever it stands.
_REMARKS = (b"eXIf", b"tEXt", b"zTXt", b"iTXt")
_END_OF_JPEG = b"\xff\xd9"


@dataclass
class Picture:
    """An image to write: suffix, bytes, size, and whether the bytes are those of its own file."""

    suffix: str
    content: bytes
    shape: tuple[int, int]
    is_source: bool = False
    was_turned: bool = False


def picture_of(item: ExportItem, only_png: bool, how: str) -> Picture:
    """Return what to write for an image; `how` is "copy", "link" or "none".

    Raises `DecodeError` for a file that is no image, cut short or damaged.
    """
    if item.pixels is not None:
        height, width = item.pixels.shape[:2]
        return Picture(".png", encode_png(item.pixels), (height, width))
    content = read_file(item.image)
    opened = open_image(item.image, content)
    stored = opened.shape  # a draft below changes it
    if _is_plain(opened) and not (only_png and opened.format != "PNG"):
        return Picture(_suffix(item, opened.format, only_png), content, stored, True)
    decoded = image_from_bytes(item.image, content)
    shape = decoded.pixels.shape[0], decoded.pixels.shape[1]
    # Readers that do not know of EXIF would lay upright labels on a turned picture.
    turned = decoded.orientation != 1
    if turned or (only_png and decoded.format != "PNG"):
        content = b"" if how == "none" else encode_png(decoded.pixels)
        return Picture(".png", content, shape, was_turned=turned)
    return Picture(_suffix(item, decoded.format, only_png), content, shape, True)


def about_turn(item: ExportItem, how: str) -> str:
    """Return the remark about an image that its EXIF turns."""
    name = printable(item.image.name)
    if how == "none":
        return f"{name}: its labels are for the picture turned by its EXIF"
    return f"{name}: its EXIF turn was applied to the pixels, saved as PNG"


def _is_plain(opened: OpenedImage) -> bool:
    """Whether a file is whole and stands upright, found out without all of its pixels.

    A PNG's checksums were compared already; a JPEG has a mark at its end. Where other bytes follow
    that, an eighth of its size is decoded, which reads all of its bits. Raises `DecodeError` for a
    file that is cut short.
    """
    if opened.format == "PNG":
        return not any(word in opened.content for word in _REMARKS)
    if opened.format == "JPEG":
        if opened.content.endswith(_END_OF_JPEG):
            return opened.orientation() == 1
        shape = opened.shape
        with contextlib.suppress(ValueError):
            opened.image.draft(None, (max(1, shape[1] // 8), max(1, shape[0] // 8)))
        opened.load()
        return opened.orientation() == 1
    return False


def _suffix(item: ExportItem, form: str, only_png: bool) -> str:
    if only_png:
        return ".png"
    return item.image.suffix if is_image_name(item.image.name) else SUFFIX_OF[form]
