"""Maps of the whole image in the window: by menu and panel, live, with legend and values."""

from __future__ import annotations

import numpy as np
import pytest
from canvas_case import open_canvas, rendered
from fakes import fake_image
from panel_fakes import predicted_document
from PySide6.QtCore import QEvent, QPointF, QRectF, Qt
from PySide6.QtGui import QMouseEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QWidget
from workplace import Workplace

from pspgui.geometry import Pixel
from pspgui.gui.canvas.camera import Camera
from pspgui.gui.canvas.legends import LegendStack
from pspgui.gui.canvas.map_layer import map_image
from pspgui.gui.canvas.map_legend import MapLegend
from pspgui.gui.map_scale import map_colours, part_colour, value_text
from pspgui.gui.panels.status import PixelReadout
from pspgui.gui.theme import DARK, LIGHT, apply_theme
from pspgui.imaging import encode_png
from pspgui.inference.shown_map import Lattice, Part, ShownMap
from pspgui.labels.classes import CAMVID

PARTS = (Part("Here", "#ff0000"), Part("There", "#00ff00"), Part("Nowhere", ""))
LATTICE = Lattice((64, 80), True, seen=(60, 80))


def signed_map(**fields):
    values = np.linspace(-2, 3, 48, dtype=np.float32).reshape(6, 8)
    return ShownMap("m", "Map: of it", values, "signed", LATTICE, "What it is", "logits", **fields)


# -- the seam ---------------------------------------------------------------------------------


def test_a_map_and_a_tile_exclude_each_other(qapp):
    document = predicted_document()
    changes = []
    document.display_changed.connect(lambda: changes.append(document.shown_map))
    shown = signed_map()
    document.set_shown_map("score")
    document.show_map(shown)
    document.show_map(shown)
    assert document.canvas_map is shown and document.shown_map == "m"
    document.set_shown_map("score")
    assert document.canvas_map is None and document.shown_map == "score"
    document.show_map(None)
    assert document.shown_map is None
    assert changes == ["score", "m", "score", None]


def test_a_map_goes_with_its_prediction(qapp):
    document = predicted_document()
    document.show_map(signed_map())
    document.set_prediction(document.prediction, document.views, document.engine)
    assert document.canvas_map is None


# -- on the canvas ----------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["signed", "share", "plain"])
def test_colours_are_those_of_the_values(qapp, kind):
    values = np.random.default_rng(0).random((4, 5)).astype(np.float32)
    shown = ShownMap("m", "Map", values, kind)
    image = map_image(shown)
    lut, low, high = map_colours(shown)

    assert (image.width(), image.height()) == (5, 4)
    for y in range(4):
        for x in range(5):
            step = round(255 * (values[y, x] - low) / (high - low))
            assert image.pixelColor(x, y).getRgb()[:3] == tuple(lut[step].tolist())
    assert (low, high) == {"signed": (-1, 1), "share": (0, 1)}.get(kind, shown.span)


def test_of_a_window_only_the_window_is_covered(qtbot):
    canvas = open_canvas(qtbot, prediction=np.zeros((60, 80), np.uint8))
    document = canvas.document
    document.set_opacity(1.0)
    document.set_view_mode("image")
    bare = rendered(canvas)
    lattice = Lattice((33, 41), True, (0, 40), (30, 40))  # padded beyond the window
    document.show_map(ShownMap("m", "Map", np.ones((5, 6), np.float32), "share", lattice))
    changed = (rendered(canvas) != bare).any(axis=-1)
    assert changed[30:150, 200:360].all()
    assert not changed[:30].any() and not changed[:100, :200].any()
    assert not changed[150:, 300:].any()  # the legend lies in the other corner


def test_parts_have_their_own_colours_and_some_none(qapp):
    values = np.array([[0, 1], [2, 0]], np.uint8)
    image = map_image(ShownMap("m", "Map", values, "parts", parts=PARTS))
    colours = [image.pixelColor(x, y) for y in range(2) for x in range(2)]
    assert [c.getRgb()[:3] for c in colours[:2]] == [(255, 0, 0), (0, 255, 0)]
    assert colours[2].alpha() == 0


def test_levels_and_local_features_look_different_in_both_themes(qapp):
    for theme in (DARK, LIGHT):
        apply_theme(qapp, theme)
        names = ["local", *(f"level-{i}" for i in range(4)), "constant"]
        found = {part_colour(Part(name, name)).rgba() for name in names}
        assert len(found) == len(names)


def test_the_divider_keeps_the_picture_to_its_left(qtbot):
    canvas = open_canvas(qtbot, prediction=np.zeros((60, 80), np.uint8))
    document = canvas.document
    document.set_opacity(1.0)
    document.show_map(ShownMap("m", "Map", np.ones((60, 80), np.float32), "share"))
    everywhere = rendered(canvas)
    document.set_aid("split", True)
    beside = rendered(canvas)
    assert (everywhere[100, 60] != 100).any() and (beside[100, 60] == 100).all()
    assert (beside[100, 330] == everywhere[100, 330]).all()


def test_under_hues_that_mean_something_the_picture_is_grey(qtbot):
    image = np.random.default_rng(0).integers(0, 256, (60, 80, 3), np.uint8)
    canvas = open_canvas(qtbot, image)
    document, nothing = canvas.document, np.zeros((60, 80), np.float32)

    def spread():
        shown = rendered(canvas)[34:100, 60:340].astype(int)  # above the legend, in the picture
        return np.ptp(shown, axis=-1).mean()

    document.show_map(ShownMap("m", "Map", nothing, "share"))
    coloured = spread()
    document.show_map(ShownMap("m", "Map", nothing, "signed"))
    assert spread() < 8 < coloured
    parts = nothing.astype(np.uint8)
    document.show_map(ShownMap("m", "Map", parts, "parts", parts=(Part("one", "#808080"),)))
    assert spread() < 2
    # Where a map leaves places out, they are the picture's own.
    document.show_map(ShownMap("m", "Map", parts + 2, "parts", parts=PARTS))
    assert spread() > coloured


# -- legends ----------------------------------------------------------------------------------


class Field:
    """A legend of a fixed size that notes where it was painted."""

    def __init__(self, height):
        self.height, self.painted = height, []

    def size(self, widest):
        return QRectF(0, 0, widest, self.height).size()

    def paint(self, painter, inner):
        self.painted.append(QRectF(inner))


def test_legends_stand_on_each_other_and_leave_those_without_room_out(qtbot):
    canvas = open_canvas(qtbot, size=(500, 400))
    low, high, too_much = Field(60), Field(90), Field(2000)
    canvas.legends.add(low, high, too_much)
    areas = dict(canvas.legends.areas())

    assert set(areas) == {low, high}
    assert not areas[low].intersects(areas[high])
    assert areas[high].bottom() < areas[low].top()
    assert QRectF(canvas.rect()).contains(areas[low].united(areas[high]))
    rendered(canvas)
    assert areas[low].contains(low.painted[-1])

    for aid in ("split", "rulers"):
        before = dict(canvas.legends.areas())[low]
        canvas.document.set_aid(aid, True)
        after = dict(canvas.legends.areas())[low]
        assert after.bottom() < before.bottom() or after.left() > before.left()
    canvas.document.set_overlay_hidden(True)
    assert canvas.legends.areas() == []


def test_the_legend_never_covers_the_minimap(qtbot):
    canvas = open_canvas(qtbot, size=(500, 400))
    canvas.document.show_map(signed_map())
    canvas.zoom_by(4)
    ((_, area),) = canvas.legends.areas()
    minimap = canvas._aids.minimap.area(canvas.camera)
    assert not minimap.isEmpty() and not area.intersects(minimap)


def move_mouse(canvas, point):
    """Move the mouse without asking the platform, which says nothing of where it was already."""
    no = Qt.MouseButton.NoButton
    move = QMouseEvent(
        QEvent.Type.MouseMove, point, canvas.mapToGlobal(point), no, no,
        Qt.KeyboardModifier.NoModifier,
    )  # fmt: skip
    QApplication.sendEvent(canvas, move)


@pytest.mark.parametrize("zoom", [1, 4])
def test_the_legend_makes_way_for_the_mouse(qtbot, zoom):
    canvas = open_canvas(qtbot, size=(500, 400))
    canvas.document.show_map(signed_map())
    canvas.zoom_by(zoom)
    rendered(canvas)
    ((_, usual),) = canvas.legends.areas()
    move_mouse(canvas, usual.center())
    ((_, beside),) = canvas.legends.areas()
    assert not beside.contains(usual.center()) and QRectF(canvas.rect()).contains(beside)
    assert not beside.intersects(canvas._aids.minimap.area(canvas.camera))
    shown = rendered(canvas)
    colours = {tuple(shown[int(a.top()) + 8, int(a.left()) + 6]) for a in (usual, beside)}
    assert len(colours) == 2  # it is painted where it went

    move_mouse(canvas, QPointF(250, 200))
    ((_, back),) = canvas.legends.areas()
    assert back == usual

    pinned = QPointF(170, 300)
    assert usual.contains(pinned)
    canvas.document.set_pin(canvas.camera.pixel_at(pinned))
    ((_, beside),) = canvas.legends.areas()
    assert not beside.contains(pinned)


def test_a_map_without_a_picture_has_no_legend(qapp, qtbot):
    document = predicted_document()
    canvas = QWidget()
    qtbot.addWidget(canvas)
    legend = MapLegend(document, canvas)
    assert legend.size(200).isEmpty()
    document.set_shown_map("score")
    assert not legend.size(200).isEmpty()
    stack = LegendStack(document, canvas, Camera())
    stack.add(legend)
    document.set_image(None, None, "")
    assert stack.areas() == []


def test_many_parts_are_cut_to_the_largest(qapp, qtbot):
    document = predicted_document()
    canvas = QWidget()
    qtbot.addWidget(canvas)
    legend = MapLegend(document, canvas)
    parts = tuple(Part(f"part {i}", "#123456") for i in range(40))
    values = np.zeros((60, 80), np.uint8)
    document.show_map(ShownMap("m", "Map", values, "parts", parts=parts[:8]))
    eight = legend.size(200).height()
    document.show_map(ShownMap("m", "Map", values, "parts", parts=parts))
    one = legend.size(200).height()
    document.show_map(
        ShownMap("m", "Map", np.arange(4800).reshape(60, 80) % 40, "parts", parts=parts)
    )
    assert one < eight < legend.size(200).height() < 2 * eight


def test_values_are_told_with_their_unit(qapp):
    shown = signed_map()
    assert value_text(shown, -1.5) == "−1.50 logits"
    small = ShownMap("m", "Map", shown.values / 1000, "signed", unit="logits")
    assert value_text(small, -0.0015) == "−0.00150 logits"
    assert value_text(ShownMap("m", "Map", shown.values, "share"), 0.25) == "0.250"
    parts = ShownMap("m", "Map", np.zeros((1, 1), np.uint8), "parts", parts=PARTS)
    assert value_text(parts, 1) == "There"
    assert value_text(parts, None) == ""


def test_the_status_bar_tells_the_value_that_is_drawn(qtbot):
    document = predicted_document()
    readout = PixelReadout(document)
    qtbot.addWidget(readout)
    shown = signed_map()
    document.show_map(shown)
    document.set_hover(Pixel(17, 23))
    assert f"Map: {value_text(shown, shown.value_at(17, 23))}" in readout.text
    document.set_shown_map("score")
    score = next(v for v in document.views if v.name == "score")
    there = ShownMap("s", "Score", score.after, "signed", LATTICE, unit="logits")
    assert f"Score: {value_text(there, there.value_at(17, 23))}" in readout.text
    document.show_map(None)
    assert "Score" not in readout.text


# -- the window -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """A random small network of the CamVid classes, as a native checkpoint."""
    from small_networks import small_network

    from pspgui.models.checkpoints.native import save_checkpoint

    path = tmp_path_factory.mktemp("weights") / "small.safetensors"
    network = small_network(3, classes=len(CAMVID))
    save_checkpoint(network, path, network.spec.model_copy(update={"classes": CAMVID}))
    return path


@pytest.fixture
def place(qtbot, qapp, weights, tmp_path):
    """A window with the first of two images open."""
    apply_theme(qapp, DARK)
    for number in range(2):
        pixels = fake_image(96, 128, seed=number)
        (tmp_path / f"street{number}.png").write_bytes(encode_png(pixels))
    made = Workplace(qtbot, weights)
    made.open(tmp_path / "street0.png")
    made.wait(lambda: made.document.engine is not None)
    yield made
    made.close()


def panel_of(place):
    """Return the panel of maps, in sight."""
    dock = place.window.more["Maps"]
    dock.setVisible(True)
    return dock.widget()


def shows(place, name):
    """Return whether the canvas shows a map of this name."""
    return lambda: place.document.shown_map == name


def titled(place, title):
    """Return whether the canvas shows a map of this title."""
    return lambda: getattr(place.document.canvas_map, "title", None) == title


def test_a_map_by_the_menu_its_value_by_the_mouse_and_off_again(place):
    document, actions = place.document, place.window.actions_table
    actions["map_evidence"].trigger()
    place.wait(shows(place, "whole-evidence"))
    assert actions["map_evidence"].isChecked()
    place.hover(20, 30)
    place.hover(40, 60)
    shown, pixel = document.canvas_map, document.hover
    text = value_text(shown, shown.value_at(*pixel))
    assert f"Pyramid: {text}" in place.window.status.pixel.text

    # another target, live; then by the keyboard off the canvas
    document.set_target(3)
    place.wait(lambda: document.canvas_map is not None and "Road" in document.canvas_map.title)
    assert document.canvas_map.value_at(*pixel) == pytest.approx(
        sum(document.evidence.level_sums.values()), abs=1e-4
    )
    place.key(Qt.Key.Key_Escape)
    assert document.shown_map is None and place.window.maps.choice is None
    assert not actions["map_evidence"].isChecked()


def test_the_panel_chooses_map_target_and_source(place):
    panel, document = panel_of(place), place.document
    QTest.mouseClick(panel.button("evidence"), Qt.MouseButton.LeftButton)
    place.wait(shows(place, "whole-evidence"))
    panel.target_box.setCurrentIndex(panel.target_box.findText("Tree"))
    panel.target_box.activated.emit(panel.target_box.currentIndex())
    panel.part_box.setCurrentIndex(panel.part_box.findData("level-2"))
    panel.part_box.activated.emit(panel.part_box.currentIndex())
    place.wait(titled(place, "2×2: Tree"))
    assert document.target == (5, None)
    document.set_target(5, 3)
    place.wait(titled(place, "2×2: Tree over Road"))
    assert panel.target_box.currentText() == "Tree over Road"
    QTest.mouseClick(panel.button("evidence"), Qt.MouseButton.LeftButton)
    assert document.shown_map is None


def test_the_next_image_gets_the_same_map_until_another_is_chosen(place):
    document, maps = place.document, place.window.maps
    maps.choose("entropy")
    place.wait(shows(place, "whole-entropy"))
    first = document.canvas_map
    place.key(Qt.Key.Key_D)
    place.wait(lambda: document.image_title == "street1.png" and document.canvas_map is not None)
    assert document.canvas_map is not first and maps.choice.name == "entropy"
    document.set_shown_map("features")
    assert maps.choice is None


def test_maps_of_a_bin_follow_the_bin_pointed_at(place):
    document, maps, messages = place.document, place.window.maps, []
    document.message.connect(messages.append)
    maps.choose("reach")
    assert maps.waits_for_bin and "Point at a bin" in messages[-1]
    assert "Point at a bin" in panel_of(place).words and "pin a pixel" in panel_of(place).words
    document.set_pin(Pixel(40, 60))  # which no stray mouse takes elsewhere
    bins = {(s.level, s.row, s.col): s for s in document.evidence.sources if s.kind == "bin"}
    most = max(bins.values(), key=lambda source: source.value)
    named = f"{most.level}×{most.level}" + (
        f" row {most.row + 1}, column {most.col + 1}" if most.level > 1 else ""
    )
    place.wait(titled(place, f"Reach of a bin: {named}"))
    assert not maps.waits_for_bin and "Point at a bin" not in panel_of(place).words
    document.set_hovered_bin(bins[6, 2, 3])
    place.wait(lambda: document.canvas_map.title.endswith("row 3, column 4"))
    assert document.canvas_map.title == "Reach of a bin: 6×6 row 3, column 4"
    document.set_hovered_bin(bins[1, 0, 0])
    place.wait(titled(place, "Reach of a bin: 1×1"))
    document.set_hovered_bin(None)  # on the way to the image, to read the map
    assert document.canvas_map.title.endswith("1×1")
    maps.choose("bin")
    place.wait(shows(place, "whole-bin"))
    assert document.canvas_map.value_at(40, 60) == pytest.approx(bins[1, 0, 0].value, abs=1e-4)


def test_a_map_of_a_bin_is_at_once_that_of_the_pinned_pixels_strongest(place):
    document, maps = place.document, place.window.maps
    document.set_pin(Pixel(40, 60))
    most = max(
        (s for s in document.evidence.sources if s.kind == "bin"), key=lambda source: source.value
    )
    maps.choose("bin")
    assert not maps.waits_for_bin
    place.wait(shows(place, "whole-bin"))
    assert document.canvas_map.value_at(40, 60) == pytest.approx(most.value, abs=1e-4)


def test_how_much_the_pyramid_matters_is_told_quietly(place):
    panel, maps = panel_of(place), place.window.maps
    place.wait(lambda: maps.share is not None)
    assert "On this image the pyramid carries" in panel.words
    assert panel.words == maps.share_text


def test_without_a_prediction_or_a_pyramid_there_is_nothing_to_choose(place):
    panel, maps, messages = panel_of(place), place.window.maps, []
    document = place.document
    document.message.connect(messages.append)
    document.set_prediction(document.prediction, document.views, None)
    assert not panel.button("context").isEnabled() and panel.button("entropy").isEnabled()
    assert not place.window.actions_table["map_context"].isEnabled()
    maps.choose("entropy")
    place.wait(shows(place, "whole-entropy"))
    maps.choose("context")
    assert "needs the bins" in messages[-1] and document.shown_map is None
    assert "Esc takes a map off" in panel.words
    document.set_prediction(document.prediction, document.views, None, preview=True)
    assert "full prediction" in panel.words
    document.forget_prediction()
    assert not panel.button("entropy").isEnabled() and maps.share_text == ""
    maps.choose("entropy")
    assert "comes with the prediction" in messages[-1]
