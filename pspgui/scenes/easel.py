"""The easel: one image and one label map that are always painted together.

Shapes enter as pixel polygons or as textures with a homography. The label map gets the same
outline without anti-aliasing; memory for textures is bounded by painting in strips.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from pspgui.scenes.camera import Array

_SHIFT = 4
_STRIP_ROWS = 512


class Easel:
    """An image (H, W, 3) uint8 RGB and its labels (H, W) uint8, painted from far to near."""

    def __init__(self, height: int, width: int, label: int) -> None:
        self.image: Array = np.zeros((height, width, 3), np.uint8)
        self.labels: Array = np.full((height, width), label, np.uint8)
        self.height, self.width = height, width

    def fill(self, points: Array, colour: Sequence[float] | Array, label: int | None) -> None:
        """Fill a polygon (M, 2) of pixels; label None paints the image only."""
        if len(points) < 3:
            return
        fixed = np.rint(points * (1 << _SHIFT)).astype(np.int32)
        x, y, w, h = cv2.boundingRect(fixed)
        limit = 1 << _SHIFT
        if x + w < 0 or y + h < 0 or x >= self.width * limit or y >= self.height * limit:
            return
        r, g, b = colour
        cv2.fillPoly(self.image, [fixed], (float(r), float(g), float(b)), cv2.LINE_AA, _SHIFT)
        if label is not None:
            cv2.fillPoly(self.labels, [fixed], label, cv2.LINE_8, _SHIFT)

    def mark(self, points: Array, label: int) -> None:
        """Label a polygon (M, 2) of pixels without painting it."""
        if len(points) >= 3:
            fixed = np.rint(points * (1 << _SHIFT)).astype(np.int32)
            cv2.fillPoly(self.labels, [fixed], label, cv2.LINE_8, _SHIFT)

    def sees(self, points: Array) -> bool:
        """Whether the bounding box of a pixel polygon meets the frame."""
        x0, y0 = points.min(axis=0)
        x1, y1 = points.max(axis=0)
        return bool(x1 >= 0 and y1 >= 0 and x0 < self.width and y0 < self.height)

    def paste(
        self, homography: Array, texture: Array, outline: Array, label: int | None,
        alpha: Array | None = None, extent: Array | None = None,
    ) -> None:  # fmt: skip
        """Paint a texture (h, w, 3) uint8 through a homography from texture pixels to pixels.

        `outline` (M, 2) bounds it in the frame. With `alpha` (h, w) uint8 the texture is blended
        and labelled where alpha (or `extent`, when given) is at least 128; without, the outline
        itself is filled.
        """
        if len(outline) < 3 or not self.sees(outline):
            return
        x0, y0 = np.maximum(np.floor(outline.min(axis=0)).astype(int), 0)
        x1, y1 = np.minimum(np.ceil(outline.max(axis=0)).astype(int) + 1, (self.width, self.height))
        for top in range(int(y0), int(y1), _STRIP_ROWS):
            bottom = min(top + _STRIP_ROWS, int(y1))
            if bottom > top and x1 > x0:
                self._paste_strip(
                    homography, texture, outline, label, (alpha, extent),
                    (top, int(x0), bottom, int(x1)),
                )  # fmt: skip

    def _paste_strip(
        self, homography: Array, texture: Array, outline: Array, label: int | None,
        cut_out: tuple[Array | None, Array | None], window: tuple[int, int, int, int],
    ) -> None:  # fmt: skip
        alpha, extent = cut_out
        y0, x0, y1, x1 = window
        size = (x1 - x0, y1 - y0)
        move = np.array([[1.0, 0, -x0], [0, 1, -y0], [0, 0, 1]])
        warp = move @ homography
        colours = cv2.warpPerspective(texture, warp, size, borderMode=cv2.BORDER_REPLICATE)
        if alpha is None:
            fixed = np.rint((outline - (x0, y0)) * (1 << _SHIFT)).astype(np.int32)
            cover: Array = np.zeros((size[1], size[0]), np.uint8)
            cv2.fillPoly(cover, [fixed], 255, cv2.LINE_AA, _SHIFT)
        else:
            cover = cv2.warpPerspective(alpha, warp, size, borderMode=cv2.BORDER_CONSTANT)
            magnified = float(homography[1, 1])
            if magnified > 2:  # keep the edge of an enlarged cut-out as crisp as the rest
                cover = _sharpen(cover, magnified / 2)
        blend(self.image[y0:y1, x0:x1], colours, cover)
        if label is None:
            return
        if alpha is None:
            hard = np.zeros((size[1], size[0]), np.uint8)
            cv2.fillPoly(hard, [fixed], 255, cv2.LINE_8, _SHIFT)
            self.labels[y0:y1, x0:x1][hard > 0] = label
        else:
            if extent is not None:
                cover = cv2.warpPerspective(extent, warp, size, borderMode=cv2.BORDER_CONSTANT)
            self.labels[y0:y1, x0:x1][cover >= 128] = label


def _sharpen(cover: Array, gain: float) -> Array:
    """Return an alpha map with its edge steepened about one half."""
    table = np.clip((np.arange(256) - 127.5) * gain + 127.5, 0, 255).astype(np.uint8)
    return np.asarray(cv2.LUT(cover, table))


def blend(target: Array, colours: Array, cover: Array) -> None:
    """Blend colours into target (h, w, 3) uint8 in place by cover (h, w) uint8."""
    weight = cv2.cvtColor(cover, cv2.COLOR_GRAY2RGB)
    if not weight.any():
        return
    over = cv2.multiply(colours, weight, scale=1 / 255)
    under = cv2.multiply(target, cv2.bitwise_not(weight), scale=1 / 255)
    np.copyto(target, cv2.add(over, under))
