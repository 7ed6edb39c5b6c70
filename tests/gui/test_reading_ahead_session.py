"""The images beside the one shown are decoded while it is looked at."""

from __future__ import annotations

import numpy as np

from pspgui.gui.document import Document
from pspgui.gui.panels.image_model import ImageModel
from pspgui.gui.reading_ahead import ReadingAhead
from pspgui.imaging import encode_png
from pspgui.jobs.reading_ahead import KeptImages


def test_the_neighbours_in_the_list_are_there_when_wanted(qtbot, tmp_path):
    paths = [tmp_path / f"{number}.png" for number in range(5)]
    pixels = np.zeros((8, 9, 3), np.uint8)
    for path in paths:
        path.write_bytes(encode_png(pixels))
    document, kept = Document(), KeptImages()
    rows = ImageModel(thumbnails=None)
    rows.set_paths(paths)
    ReadingAhead(document, rows, kept, document)
    document.set_image(pixels, paths[2], "2")
    qtbot.waitUntil(lambda: all(kept.get(paths[n]) is not None for n in (1, 3)))
    assert kept.get(paths[0]) is None
    assert kept.get(paths[4]) is None
