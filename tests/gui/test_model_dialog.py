"""The model dialog and every kind of model in the window, as a person uses them."""

from __future__ import annotations

import numpy as np
import pytest
from fakes import fake_image
from PySide6.QtCore import QEvent, Qt
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QApplication
from workplace import Workplace

from pspgui.geometry import Pixel
from pspgui.gui.theme import DARK, apply_theme
from pspgui.imaging import encode_png
from pspgui.jobs import modelling
from pspgui.jobs.class_tables import read_classes
from pspgui.labels.classes import CAMVID, table
from pspgui.project import LabelStore

pytestmark = pytest.mark.usefixtures("no_qthreads_left", "no_threads_left")
OTHERS = table(("car", (1, 2, 3)), ("Zebra", (200, 10, 10)), ("Road", (9, 9, 9)))


@pytest.fixture(scope="session")
def models(tmp_path_factory):
    """A tiny PSPNet of the CamVid classes, and a DeepLabV3 of others."""
    import torch
    from small_networks import small_network

    from pspgui.models.architectures import build_network
    from pspgui.models.checkpoints.native import save_checkpoint
    from pspgui.models.deeplabv3 import DeepLabV3Spec

    home = tmp_path_factory.mktemp("weights")
    pyramid, none = home / "pyramid.safetensors", home / "none.safetensors"
    small = {"backbone": "resnet18", "output_stride": 32, "auxiliary": False}
    network = small_network(3, classes=len(CAMVID), **small)
    save_checkpoint(network, pyramid, network.spec.changed(classes=CAMVID))
    torch.manual_seed(0)
    spec = DeepLabV3Spec(classes=OTHERS, aspp_channels=8, rates=(2,), **small)
    save_checkpoint(build_network(spec).eval(), none, spec)
    return pyramid, none


@pytest.fixture
def place(qtbot, qapp, models, tmp_path):
    """A window with the PSPNet and two small images, the first of them predicted."""
    apply_theme(qapp, DARK)
    for number in range(2):
        (tmp_path / f"street{number}.png").write_bytes(encode_png(fake_image(65, 81, number)))
    place = Workplace(qtbot, models[0])
    qtbot.addWidget(place.window)
    place.folder = tmp_path
    place.open(tmp_path / "street0.png")
    yield place
    if place.window.model_dialog is not None:
        place.window.model_dialog.close()
    place.close()


def use(place, weights):
    before = place.document.prediction  # which stays until the new one is there
    place.session.open_weights(weights)
    place.wait(lambda: place.document.prediction is not before and place.predicted())
    assert place.session.model.path == weights


def test_a_network_without_bins_works_and_back_again(place, models):
    document, window = place.document, place.window
    use(place, models[1])
    assert document.network.startswith("DeepLabV3")
    place.hover(40, 60)
    assert "p " in window.status.pixel.text
    shown = window.evidence.bar.sums
    assert shown.between == "branches"
    assert [part.name for part in shown.parts][-2:] == ["Image pool", "constant"]
    assert not window.evidence.grids.isVisible()
    assert window.evidence.targets.class_box.isEnabled()
    names = [tile.name for tile in window.pyramid.strip.tiles]
    assert names[0] == "features" and "map-0" in names and "confidence" in names
    place.key(Qt.Key.Key_B)
    place.drag((40, 30), (40, 50))
    assert document.is_dirty
    place.key(Qt.Key.Key_Return)
    assert (document.label_map.provenance == 1).all()

    place.session.show_image(place.folder / "street1.png")
    place.wait(lambda: document.image_title == "street1.png" and place.predicted())
    use(place, models[0])
    document.set_hover(Pixel(20, 20))
    assert document.evidence is not None and window.evidence.targets.class_box.isEnabled()


def test_painted_labels_keep_their_meaning_under_another_models_classes(place, models):
    document, window = place.document, place.window
    car = CAMVID.find("Car").id
    place.key(Qt.Key.Key_B)
    document.set_active_class(car)
    place.drag((30, 30), (30, 60))
    painted = document.label_map.labels.copy()
    place.wait(lambda: not document.is_dirty)
    assert read_classes(LabelStore().path_for(document.image_path)) == CAMVID

    use(place, models[1])
    assert document.table == CAMVID and np.array_equal(document.label_map.labels, painted)
    assert document.reading_table.names == (*CAMVID.names, "Zebra")
    assert set(np.unique(document.prediction.labels)) <= {car, CAMVID.find("Road").id, 255}
    assert "keep their own 11 classes" in window.banner.text
    assert car == document.active_class  # which it knows; of the sky it has no score
    document.set_active_class(CAMVID.find("Sky").id)
    place.wait(lambda: any(t.title == "Best score" for t in window.pyramid.strip.tiles))
    document.set_active_class(car)
    place.wait(lambda: any(t.title == "Car score" for t in window.pyramid.strip.tiles))
    total = document.prediction.probability_at(10, 10)
    assert total.sum() == pytest.approx(1, abs=1e-5) and total[CAMVID.find("Sky").id] == 0

    # the choice: take the model's other class in, too
    window.banner._retry.click()
    zebra = len(CAMVID)
    place.wait(lambda: place.predicted() and document.table.name_of(zebra) == "Zebra")
    assert window.banner.text == "" and np.array_equal(document.label_map.labels, painted)

    # an image without labels takes the model's classes; the first keeps its own
    place.session.show_image(place.folder / "street1.png")
    place.wait(lambda: document.image_title == "street1.png" and place.predicted())
    assert document.table.names == OTHERS.names
    place.session.show_image(place.folder / "street0.png")
    place.wait(lambda: document.image_title == "street0.png" and place.predicted())
    assert document.table.name_of(int(document.label_map.labels[30, 40])) == "Car"


def test_the_dialog_tells_reloads_and_keeps_the_model_on_an_error(place, models, monkeypatch):
    place.window.actions_table["model"].trigger()
    dialog, session = place.window.model_dialog, place.session
    assert dialog.isVisible() and dialog.file._title.text() == session.model.network
    assert not dialog.apply.isEnabled()
    dialog.compare.click()
    place.wait(lambda: "fp32 itself" in dialog.agreement.text())

    dialog.precision.choose("bf16")
    dialog.apply.click()
    place.wait(lambda: session.model.precision == "bf16" and place.predicted())
    dialog.compare.click()
    place.wait(lambda: "% of this image's pixels" in dialog.agreement.text())

    before = session.model

    def refuse(choice, overrides, turn):
        raise modelling.NoModelError("The weights were moved away.")

    monkeypatch.setattr(modelling, "_predictor", refuse)
    dialog.precision.choose("fp32")
    dialog.apply.click()
    place.wait(lambda: "moved away" in dialog.message.text())
    assert session.model is before and "stays in use" in dialog.message.text()


def test_what_was_assumed_can_be_decided_and_is_remembered(place, models, monkeypatch):
    """The family's reading is made to assume what a native file would tell."""
    from dataclasses import replace

    from pspgui.inference import predictor as predictors

    load = predictors.load_checkpoint

    def assuming(path, assume=None):
        fields = tuple(n for n in ("align_corners", "classes") if n not in (assume or {}))
        return replace(load(path, assume), assumed=fields)

    monkeypatch.setattr("pspgui.models.checkpoints.load_checkpoint", assuming)
    place.session.open_weights(models[0])
    place.wait(lambda: place.session.model.assumed == ("align_corners", "classes"))
    place.window.actions_table["model"].trigger()
    dialog, session = place.window.model_dialog, place.session
    assert set(dialog.assumptions.controls) == {"align_corners", "classes"}
    dialog.assumptions.controls["align_corners"].choose(False)
    dialog.apply.click()
    place.wait(lambda: session.model.spec.align_corners is False)
    digest = session.model.digest
    assert place.settings.overrides == {digest: {"align_corners": False}}

    before = session.model
    session.open_weights(models[0])  # remembered for these weights
    place.wait(lambda: session.model is not before)
    assert session.model.spec.align_corners is False
    dialog.defaults.click()
    place.wait(lambda: session.model.spec.align_corners is True)
    assert place.settings.overrides == {}


def test_a_first_look_comes_first_and_nothing_is_taken_from_it(place, models, monkeypatch):
    monkeypatch.setattr(modelling, "_takes_long", lambda *_: True)
    document = place.document
    seen = []

    def look():
        if document.is_preview:
            said = []
            document.message.connect(said.append)
            document.accept_prediction()
            document.begin_stroke(5, 5, "brush")
            document.message.disconnect(said.append)
            words = place.window.status.preview.text
            assert document.evidence is None
            seen.append((document.label_map, document.prediction.reduction, words, said))

    document.prediction_changed.connect(look)
    place.session.show_image(place.folder / "street1.png")
    place.wait(lambda: document.image_title == "street1.png" and place.predicted())
    ((labels, reduction, words, said),) = seen
    assert labels is None and reduction == 2 and "half-size, refining" in words
    assert "first look" in said[0] and "first look" in said[1]
    assert place.window.status.preview.isHidden()
    assert document.prediction.reduction == 1
    assert np.array_equal(document.label_map.labels, document.prediction.labels)


def test_windows_are_read_and_one_of_them_is_explained_on_a_click(place, models):
    document, window = place.document, place.window
    (place.folder / "large.png").write_bytes(encode_png(fake_image(200, 260, 7)))
    window.actions_table["model"].trigger()
    dialog = window.model_dialog
    dialog.reading.choose("windows")
    dialog.crop.setValue(129)
    dialog.apply.click()
    place.wait(lambda: document.by_windows)
    place.session.show_image(place.folder / "large.png")
    place.wait(lambda: document.image_title == "large.png" and place.predicted())
    assert document.prediction.confidence.shape == (200, 260) and document.by_windows
    assert window.evidence._empty.title == "Click to explain this window"
    document.set_hover(Pixel(190, 250))
    winner = document.table.name_of(int(document.prediction.winners[190, 250]))
    assert winner in window.status.pixel.text

    document.set_pin(Pixel(190, 250))
    place.wait(lambda: document.evidence is not None)
    frame = document.window_frame
    assert frame.contains(190, 250) and (frame.height, frame.width) == (129, 129)
    evidence = document.evidence
    assert evidence.pixel == (190, 250)
    assert evidence.total == pytest.approx(evidence.logit, abs=1e-4)
    assert all(frame.intersect(s.region) == s.region for s in evidence.sources)
    document.set_pin(None)
    document.set_hover(Pixel(2, 2))  # another window
    assert document.evidence is None


def tab(canvas, kind, key=Qt.Key.Key_Tab, modifier=Qt.KeyboardModifier.NoModifier):
    QApplication.sendEvent(canvas, QKeyEvent(kind, key, modifier))


def test_tab_hides_the_overlay_while_held_and_a_tap_toggles(place):
    canvas, document = place.window.canvas, place.document
    times = iter([0.0, 1.0, 2.0, 2.1, 3.0, 3.1])
    canvas._overlay_key._clock = lambda: next(times)
    tab(canvas, QEvent.Type.KeyPress)
    assert document.overlay_hidden and document.labels_in_view() is None
    tab(canvas, QEvent.Type.KeyRelease)
    assert not document.overlay_hidden
    for hidden in (True, False):
        tab(canvas, QEvent.Type.KeyPress)
        tab(canvas, QEvent.Type.KeyRelease)
        assert document.overlay_hidden is hidden


def test_tab_let_go_with_shift_held_is_let_go_and_a_tap_says_how_to_undo_it(place):
    canvas, document = place.window.canvas, place.document
    times = iter([0.0, 1.0, 2.0, 2.1])
    canvas._overlay_key._clock = lambda: next(times)
    said = []
    document.message.connect(said.append)
    tab(canvas, QEvent.Type.KeyPress)
    tab(canvas, QEvent.Type.KeyRelease, Qt.Key.Key_Backtab, Qt.KeyboardModifier.ShiftModifier)
    assert not document.overlay_hidden and said == []
    tab(canvas, QEvent.Type.KeyPress)
    tab(canvas, QEvent.Type.KeyRelease)
    assert said == ["The overlay is hidden; Tab brings it back."]
    document.message.disconnect(said.append)


def test_there_is_nothing_to_compare_before_an_image(qtbot, models, qapp):
    place = Workplace(qtbot, models[0])
    qtbot.addWidget(place.window)
    try:
        place.window.actions_table["model"].trigger()
        dialog = place.window.model_dialog
        assert not dialog.compare.isEnabled() and "Open an image" in dialog.agreement.text()
        dialog.close()
    finally:
        place.close()


def test_images_with_labels_from_earlier_have_their_dot(place, qtbot, models):
    place.key(Qt.Key.Key_Return)
    place.wait(lambda: not place.document.is_dirty)
    place.close()
    again = Workplace(qtbot, models[0])
    qtbot.addWidget(again.window)
    try:
        again.session.open_path(place.folder)
        model = again.window.images.model
        again.wait(lambda: model.status_of(place.folder / "street0.png") == "saved")
        assert model.status_of(place.folder / "street1.png") == ""
    finally:
        again.close()


def test_nine_tiles_fit_at_1280(place):
    place.window.resize(1280, 720)
    place.window.arrange()
    QApplication.processEvents()
    strip = place.window.pyramid.strip
    assert len(strip.tiles) == 9
    assert strip.rect_of("share").right() <= strip.parentWidget().width()
