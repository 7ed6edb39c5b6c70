"""How a what-if is drawn over the picture: changed pixels, and lines around them."""

from __future__ import annotations

import numpy as np
import pytest

from pspgui.gui.canvas.screen_labels import Fill
from pspgui.gui.canvas.what_if_layer import AlteredLook, thick
from pspgui.labels.provenance import MODEL, PERSON


def test_painted_pixels_are_drawn_as_they_are():
    colours = np.arange(5, dtype=np.uint32) + 0xFF000000
    look = AlteredLook(Fill(colours), colours + 0x100, 1)
    labels, altered, before = (np.zeros((8, 8), np.uint8) for _ in range(3))
    marks = np.full((8, 8), MODEL, np.uint8)
    at = ([0, 0, 5, 5], [0, 5, 0, 5])  # single pixels, around which no line is drawn
    labels[at], altered[at], before[at] = [2, 1, 1, 0], [3, 3, 1, 3], [1, 1, 1, 0]
    marks[at] = [PERSON, MODEL, MODEL, PERSON]
    drawn = look.draw((labels, altered, before, marks))
    assert drawn[at].tolist() == [0xFF000002, 0xFF000103, 0xFF000001, 0xFF000000]


@pytest.mark.parametrize("reach", [1, 2, 4])
def test_slivers_are_what_no_square_fits_into(reach):
    mask = np.random.default_rng(reach).random((30, 41)) < 0.8
    kept = np.zeros_like(mask)
    for y in range(30 - reach):
        for x in range(41 - reach):
            square = (slice(y, y + reach + 1), slice(x, x + reach + 1))
            if mask[square].all():
                kept[square] = True
    assert np.array_equal(thick(mask, reach), kept)
