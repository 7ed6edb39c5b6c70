"""Reports from the window: asked for a file, written beside it, told when they are there."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PySide6.QtWidgets import QFileDialog
from workplace import Workplace

from pspgui.geometry import Pixel, Rect
from pspgui.gui.dialogs import report_file
from pspgui.imaging import encode_png
from pspgui.jobs.messages import Step
from pspgui.labels.classes import CAMVID
from pspgui.labels.raster import Stamp
from pspgui.scenes import render_scene


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """A random small network of the CamVid classes."""
    from small_networks import small_network

    from pspgui.models.checkpoints.native import save_checkpoint

    path = tmp_path_factory.mktemp("weights") / "small.safetensors"
    network = small_network(3, classes=len(CAMVID))
    save_checkpoint(network, path, network.spec.model_copy(update={"classes": CAMVID}))
    return path


@pytest.fixture
def place(qtbot, tmp_path, weights):
    (tmp_path / "street.png").write_bytes(encode_png(render_scene(5, 96, 128).image))
    there = Workplace(qtbot, weights)
    there.open(tmp_path / "street.png")
    yield there
    there.close()


def asked_for(monkeypatch, path, chosen=""):
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *a, **k: (str(path), chosen))


def notices(place):
    heard = []
    place.session.notice.connect(heard.append)
    return heard


def ask(place):
    place.window.actions_table["report"].trigger()


def test_a_report_of_all_pins_is_written_and_told(place, monkeypatch, tmp_path):
    out, heard = tmp_path / "out.html", notices(place)
    asked_for(monkeypatch, out)
    place.document.pins.add(Pixel(10, 20))
    place.document.pins.add_region(Stamp(Rect(30, 30, 40, 44), np.ones((10, 14), bool)))
    place.document.set_reading("ig")

    ask(place)
    place.wait(lambda: bool(heard))

    assert not heard[0].is_error
    assert str(out) in heard[0].text
    page = out.read_text(encoding="utf-8")
    for words in ("Pin 1 at 20,10", "Pin 2 around", "140 px", "--at 20,10", "--region 30,30,44,40",
                  "--reading ig", "Weights SHA-256"):  # fmt: skip
        assert words in page


def test_without_a_pin_it_says_how_to_set_one(place, monkeypatch):
    told = []
    place.document.message.connect(told.append)
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *a, **k: pytest.fail("asked"))

    ask(place)

    assert any("Pin a pixel first" in text for text in told)


def test_a_report_that_cannot_be_written_is_a_notice(place, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    asked_for(monkeypatch, tmp_path / "file" / "out.png")
    place.document.set_pin(Pixel(3, 4))
    heard = notices(place)

    ask(place)
    place.wait(lambda: bool(heard))

    assert heard[0].is_error
    assert "was not saved" in heard[0].text


def test_two_reports_asked_for_at_once_are_both_written(place, monkeypatch, tmp_path):
    def quick(wanted, path, apart):
        def job(turn):
            yield Step("Drawing")
            path.write_text("A report")
            return f"The report was written to {path}."

        return job

    monkeypatch.setattr(report_file, "write_report_of", quick)
    place.document.set_pin(Pixel(3, 4))
    heard = notices(place)
    for name in ("one.svg", "other.svg"):
        asked_for(monkeypatch, tmp_path / name)
        ask(place)
    place.wait(lambda: len(heard) == 2)

    assert all((tmp_path / name).is_file() for name in ("one.svg", "other.svg"))
    assert all(str(tmp_path / name) in heard[1].text for name in ("one.svg", "other.svg"))


def test_a_name_ends_as_typed_or_as_chosen():
    chosen = report_file.FILTERS[".pdf"]
    assert report_file.with_suffix(Path("a.SVG"), chosen) == Path("a.SVG")
    assert report_file.with_suffix(Path("a.b"), chosen) == Path("a.b.pdf")
    assert report_file.with_suffix(Path("a")) == Path("a.html")
