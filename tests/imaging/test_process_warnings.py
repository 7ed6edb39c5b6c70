"""Warnings are changed by one thread at a time, so that none puts back what another had changed."""

from __future__ import annotations

import threading
import warnings

import numpy as np
import pytest
from PIL import Image

from pspgui.imaging import decode_image
from pspgui.imaging.georeferencing import gdal
from pspgui.imaging.process_warnings import FILTERS_LOCK, no_warnings


def kept(category: type[Warning]) -> bool:
    return any(action == "ignore" and kind is category for action, _, kind, *_ in warnings.filters)


def test_what_is_ignored_for_good_is_not_forgotten_with_a_header(tmp_path, monkeypatch):
    from rasterio.errors import NotGeoreferencedWarning

    others = [threading.Thread(target=gdal)]
    plain = Image.open

    def opened(*arguments, **options):
        others[0].start()
        others[0].join(0.3)  # if it can be done within the reading of a header, it is
        return plain(*arguments, **options)

    Image.fromarray(np.zeros((4, 5, 3), np.uint8)).save(tmp_path / "a.png")
    monkeypatch.setattr(Image, "open", opened)
    with warnings.catch_warnings():
        warnings.resetwarnings()
        decode_image(tmp_path / "a.png")
        others[0].join()
        assert kept(NotGeoreferencedWarning)


@pytest.mark.filterwarnings("error")
def test_silence_begins_and_ends_beside_no_header():
    before, within, end = list(warnings.filters), threading.Event(), threading.Event()

    def be_silent():
        with no_warnings():
            within.set()
            end.wait(60)

    silent = threading.Thread(target=be_silent)
    with FILTERS_LOCK:
        silent.start()
        assert not within.wait(0.2) and warnings.filters == before
    assert within.wait(60)
    warnings.warn("nobody hears this", stacklevel=1)
    with FILTERS_LOCK:
        end.set()
        silent.join(0.2)
        assert silent.is_alive()
    silent.join()
    assert warnings.filters == before
