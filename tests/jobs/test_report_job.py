"""The job that writes a report beside the window: windows, other class tables, pins left out."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from every_kind import CLASSES, predictor
from oracles import picture

from pspgui.evidence import evidence_of
from pspgui.evidence.readings import Target
from pspgui.geometry import Pixel, Rect
from pspgui.jobs.class_tables import Translation
from pspgui.jobs.messages import Turn
from pspgui.jobs.model_choice import ModelChoice, ModelFacts
from pspgui.jobs.pins import PinPlace, PinQuestion
from pspgui.jobs.reporting import ReportWanted, _pin, write_report_of
from pspgui.jobs.windowed import WindowEvidence
from pspgui.labels.classes import table
from pspgui.labels.raster import Stamp
from pspgui.reports.apart import report_bytes_apart

QUESTION = PinQuestion(None, None, "split", None)


@pytest.fixture(scope="module")
def found():
    network = predictor("pspnet")
    activations = network.set_image(picture(45, 70))
    return network, evidence_of(activations, network.weights), network.predict(activations)


def wanted(found, tmp_path, engine=None, classes=CLASSES, pixels=None, places=None):
    network, evidence, prediction = found
    image = tmp_path / "street.png"
    image.write_bytes(b"not read again but for its digest")
    facts = ModelFacts(
        tmp_path / "w.safetensors", "w", "native", "cpu", "fp32", network.digest, CLASSES,
        spec=network.spec,
    )  # fmt: skip
    if places is None:
        places = (("1", PinPlace(Pixel(20, 33), None)), ("2 far", PinPlace(Pixel(2, 3), None)))
    pixels = picture(45, 70) if pixels is None else pixels
    return ReportWanted(
        image, pixels, engine or evidence, prediction, classes, places, QUESTION, facts
    )


def written(asked, path):
    steps = write_report_of(asked, path)(Turn(lambda step: None, lambda: False))
    shares = []
    while True:
        try:
            shares.append(next(steps).fraction)
        except StopIteration as done:
            assert shares == sorted(shares)
            return done.value, path.read_text(encoding="utf-8")


def test_a_report_tells_its_pins_and_how_to_make_it_again(found, tmp_path):
    told, page = written(wanted(found, tmp_path), tmp_path / "out.html")

    assert str(tmp_path / "out.html") in told
    assert "Pin 2 far at 3,2" in page
    assert "--at 33,20 --at 3,2 --weights" in page
    assert "silencing it would change" in page


def test_another_process_draws_the_same_report_and_can_be_stopped(found, tmp_path, monkeypatch):
    asked, path = wanted(found, tmp_path), tmp_path / "out.html"
    _, page = written(asked, path)
    list(write_report_of(asked, path, apart=True)(Turn(lambda step: None, lambda: False)))
    assert path.read_text(encoding="utf-8") == page

    class Enough(Exception):  # noqa: N818 - not an error
        pass

    def check():
        raise Enough

    drawn = []
    monkeypatch.setattr("pspgui.reports.files.write_report", lambda c, *_: drawn.append(c))
    list(write_report_of(asked, path)(Turn(lambda step: None, lambda: False)))
    with pytest.raises(Enough):
        report_bytes_apart(drawn[0], "html", check)


def test_of_windows_the_one_that_is_explained(found, tmp_path):
    engine = WindowEvidence(found[1], Rect(10, 20, 55, 90))
    over = replace(found[2], labels=np.zeros((80, 100), np.uint8))
    asked = wanted((*found[:2], over), tmp_path, engine, pixels=picture(80, 100))

    _, page = written(asked, tmp_path / "out.html")

    assert "Pin 1 at 33,20" in page
    assert "Pin 2" not in page
    assert "from 20,10 to 90,55" in page
    assert "1 pin lies outside" in page
    assert "silencing it" not in page


def test_classes_are_named_as_the_labels_name_them(found, tmp_path):
    own = table(*((f"class {i}", (i, i, i)) for i in (3, 2, 1, 0)))
    translation = Translation(CLASSES, own)
    engine = translation.evidence(found[1])
    target = found[1].margin_target((20, 33))

    asked = wanted(found, tmp_path, engine, translation.reading)
    _, page = written(asked, tmp_path / "out.html")

    names = CLASSES.names
    assert f"{names[target.class_id]} over {names[target.versus]}" in page


def test_regions_are_outlined_and_without_any_pin_in_reach_it_fails(found, tmp_path):
    region = Stamp(Rect(5, 5, 12, 20), np.ones((7, 15), bool))
    places = (("1", PinPlace(Pixel(8, 12), region)),)
    _, page = written(wanted(found, tmp_path, places=places), tmp_path / "out.html")
    assert "105 px" in page and "--region 5,5,20,12" in page

    engine = WindowEvidence(found[1], Rect(40, 60, 85, 130))
    with pytest.raises(ValueError, match="No pin lies in the window"):
        written(wanted(found, tmp_path, engine, places=places), tmp_path / "out.html")


def test_the_command_runs_as_the_window_did_and_asks_what_the_model_knows(found, tmp_path):
    own = table(("elsewhere", (9, 9, 9)), *((n, (1, 1, 1)) for n in reversed(CLASSES.names)))
    engine = Translation(CLASSES, own).evidence(found[1])
    asked = wanted(found, tmp_path, engine, own)
    choice = ModelChoice(asked.model.path, precision="bf16", backend="torch")
    asked = replace(
        asked, model=replace(asked.model, choice=choice),
        question=QUESTION._replace(target=Target(1, 0)),
    )  # fmt: skip

    _, page = written(asked, tmp_path / "out.html")

    assert f"--class &#x27;{CLASSES.names[3]}&#x27; --weights" in page
    assert "--precision bf16 --backend torch --report" in page
    assert "--versus" not in page


def test_an_image_that_was_seen_reduced_is_said_to_be(found, tmp_path):
    network = replace(found[0], max_pixels=2000)
    activations = network.set_image(picture(45, 70))
    assert activations.reduction == 2
    evidence = evidence_of(activations, network.weights)
    asked = wanted((network, evidence, network.predict(activations)), tmp_path)

    _, page = written(asked, tmp_path / "out.html")

    assert "at 1/2 of its size" in page


def test_cells_are_said_to_be_of_the_split(found, tmp_path):
    asked = wanted(found, tmp_path)
    other = replace(asked, question=QUESTION._replace(reading="ig"))
    for one, said in ((asked, False), (other, True)):
        pin = _pin(one, "1", PinPlace(Pixel(20, 33), None), Turn(lambda s: None, lambda: False))
        assert pin.cells_as_told is not said
