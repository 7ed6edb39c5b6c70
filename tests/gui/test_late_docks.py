"""A panel built when its dock is first shown looks like one that was there from the start."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from fakes import fake_image
from PySide6.QtWidgets import QApplication
from small_networks import small_network
from workplace import Workplace

from pspgui.geometry import Pixel
from pspgui.gui import time_spent
from pspgui.gui.docks import DOCKS
from pspgui.gui.theme import DARK, apply_theme
from pspgui.gui.tools import Brush
from pspgui.imaging import encode_png
from pspgui.labels.classes import CAMVID

SIZE = (420, 640)


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """A random small network of the CamVid classes."""
    from pspgui.models.checkpoints.native import save_checkpoint

    path = tmp_path_factory.mktemp("weights") / "small.safetensors"
    network = small_network(3, classes=len(CAMVID))
    save_checkpoint(network, path, network.spec.model_copy(update={"classes": CAMVID}))
    return path


@pytest.fixture
def places(qtbot, qapp, weights, tmp_path, monkeypatch):
    """Two windows of equal images; the panels of the first are built at once."""
    apply_theme(qapp, DARK)
    # However long the work takes here, the statistics tell the same time.
    monkeypatch.setattr(time_spent, "time", SimpleNamespace(monotonic=lambda: 0.0))
    found = []
    for name in ("early", "late"):
        folder = tmp_path / name / "street"
        folder.mkdir(parents=True)
        (folder / "street0.png").write_bytes(encode_png(fake_image(96, 128, seed=0)))
        found.append(Workplace(qtbot, weights))
        qtbot.addWidget(found[-1].window)
        found[-1].folder = folder
    for dock in found[0].window.more.values():
        dock.widget()
    yield found
    for place in found:
        place.close()


def work(place):
    """Do what panels tell of: predict, paint, pin, alter, show a map."""
    document, window = place.document, place.window
    place.open(place.folder / "street0.png")
    window.canvas.set_tool(Brush)  # by no key, which goes to one of two windows
    document.set_active_class(4)
    place.drag((20, 20), (50, 90))
    document.set_pin(Pixel(40, 60))
    document.pins.keep(document.pins.current)
    document.set_pin(Pixel(70, 30))
    window.what_if.toggle_mute((2, 0, 1))
    place.wait(lambda: window.what_if.told is not None)
    window.actions_table["map_confidence"].trigger()
    place.wait(lambda: window.maps.choice is not None)
    place.session.save_now()
    place.wait(lambda: not document.is_dirty and window.queue.index is not None)
    place.session.project.flush()


def picture(place, title):
    """Show a dock and return what its panel looks like."""
    dock = place.window.more[title]
    dock.setVisible(True)
    dock.raise_()
    QApplication.processEvents()
    panel = dock.widget()
    panel.resize(*SIZE)
    return panel.grab().toImage()


def test_panels_built_late_show_what_they_find(places):
    early, late = places
    work(early)
    work(late)
    for row in DOCKS:
        assert late.window.more[row.title].isVisible() is False, row.title
        early.wait(lambda row=row: picture(early, row.title) == picture(late, row.title))
