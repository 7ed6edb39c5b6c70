"""The whole window used by a person: open, look, paint, undo, switch, close, reopen."""

from __future__ import annotations

import numpy as np
import pytest
from fakes import fake_image
from PySide6.QtCore import QEvent, QMimeData, QObject, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QMessageBox, QSpinBox, QToolButton, QWidget
from workplace import Workplace

from pspgui import places
from pspgui.durable import SaveError
from pspgui.gui.theme import DARK, apply_theme
from pspgui.gui.window_verbs import local_path
from pspgui.imaging import decode_labels, encode_png
from pspgui.labels.classes import CAMVID
from pspgui.project import LabelStore

pytestmark = pytest.mark.usefixtures("no_qthreads_left", "no_threads_left")


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
def folder(tmp_path):
    """Three small images."""
    for number in range(3):
        pixels = fake_image(96, 128, seed=number)
        (tmp_path / f"street{number}.png").write_bytes(encode_png(pixels))
    return tmp_path


@pytest.fixture
def opened(qtbot, qapp, weights):
    """Return a function that opens workplaces, which are closed at the end."""
    apply_theme(qapp, DARK)
    places_ = []

    def build(store=None):
        places_.append(Workplace(qtbot, weights, store))
        qtbot.addWidget(places_[-1].window)
        return places_[-1]

    yield build
    for place in places_:
        place.close()


def test_a_day_with_the_window(opened, folder):
    place = opened()
    document, window = place.document, place.window
    assert window.pages.currentWidget() is window.start
    place.open(folder / "street1.png")
    assert window.pages.currentWidget() is window.canvas
    assert window.images.model.rowCount() == 3
    assert np.array_equal(document.label_map.labels, document.prediction.labels)

    # hover and pin: what is shown adds up
    place.hover(40, 60)
    place.wait(lambda: document.evidence is not None)
    assert document.evidence.total == pytest.approx(document.evidence.logit, abs=1e-4)
    QTest.mouseClick(window.canvas, Qt.MouseButton.LeftButton, pos=place.at(40, 60))
    assert document.pin == (40, 60)

    # brush, undo, redo by the keyboard
    before = document.label_map.labels.copy()
    wrong = int((before[40, 60] + 1) % 11)
    place.key(Qt.Key.Key_B)
    document.set_active_class(wrong)
    place.drag((40, 40), (40, 90))
    painted = document.label_map.labels.copy()
    assert (painted[40, 40:91] == wrong).all()
    place.key(Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert np.array_equal(document.label_map.labels, before)
    place.key(Qt.Key.Key_Y, Qt.KeyboardModifier.ControlModifier)
    assert np.array_equal(document.label_map.labels, painted)

    # saved by itself, and found again after switching and after closing
    place.wait(lambda: not document.is_dirty)
    saved = folder / ".pspgui" / "labels" / "street1.png"
    assert np.array_equal(decode_labels(saved).labels, painted)
    place.key(Qt.Key.Key_D)
    place.wait(lambda: document.image_title == "street2.png" and place.predicted())
    place.key(Qt.Key.Key_A)
    place.wait(lambda: document.image_title == "street1.png" and document.label_map is not None)
    assert np.array_equal(document.label_map.labels, painted)
    place.close()

    again = opened()
    again.open(folder)
    again.session.show_image(folder / "street1.png")
    again.wait(lambda: again.document.image_title == "street1.png")
    assert np.array_equal(again.document.label_map.labels, painted)
    assert not again.document.is_dirty


def test_switching_at_once_after_a_stroke_loses_nothing(opened, folder):
    place = opened()
    place.open(folder / "street0.png")
    place.key(Qt.Key.Key_B)
    place.document.set_active_class(5)
    place.drag((10, 10), (60, 100))
    painted = place.document.label_map.labels.copy()
    place.key(Qt.Key.Key_D)
    place.wait(lambda: place.document.image_title == "street1.png")
    place.key(Qt.Key.Key_A)
    place.wait(lambda: place.document.image_title == "street0.png")

    assert np.array_equal(place.document.label_map.labels, painted)


def test_closing_at_once_after_a_stroke_loses_nothing(opened, folder):
    place = opened()
    place.open(folder / "street0.png")
    place.key(Qt.Key.Key_B)
    place.drag((10, 10), (60, 100))
    painted = place.document.label_map.labels.copy()
    place.close()

    assert np.array_equal(LabelStore().load(folder / "street0.png").labels, painted)


def test_right_drag_erases_to_the_prediction(opened, folder):
    place = opened()
    place.open(folder / "street0.png")
    place.key(Qt.Key.Key_B)
    place.document.set_active_class(int((place.document.prediction.labels[40, 60] + 1) % 11))
    place.drag((40, 40), (40, 90))
    place.drag((40, 30), (40, 100), Qt.MouseButton.RightButton)

    assert np.array_equal(place.document.label_map.labels, place.document.prediction.labels)
    assert place.document.history.undo_names[0].startswith("Erase to prediction")


class FailingStore(LabelStore):
    """A store on a full disk, until space is freed."""

    def __init__(self):
        super().__init__()
        self.is_full = True

    def save(self, image, *what):
        """Fail as `write_durably` does, or save."""
        if self.is_full:
            raise SaveError(f"{image} was not saved: no space left. Free some space.")
        return super().save(image, *what)


def test_a_failed_save_says_so_keeps_the_mark_and_can_be_repeated(opened, folder):
    store = FailingStore()
    place = opened(store)
    place.open(folder / "street0.png")
    place.key(Qt.Key.Key_B)
    place.drag((10, 10), (60, 100))
    place.wait(lambda: "no space left" in place.window.banner.text)
    assert place.document.is_dirty and place.document.saved_text == "Not saved"

    # the work is kept through a switch of images too
    painted = place.document.label_map.labels.copy()
    place.session.show_image(folder / "street1.png")
    place.wait(lambda: place.document.image_title == "street1.png")
    place.session.show_image(folder / "street0.png")
    place.wait(lambda: place.document.image_title == "street0.png")
    assert np.array_equal(place.document.label_map.labels, painted)
    assert place.document.is_dirty

    store.is_full = False
    place.window.banner.retried.emit("save")
    place.wait(lambda: not place.document.is_dirty)
    assert np.array_equal(store.load(folder / "street0.png").labels, painted)
    assert place.window.banner.text == ""


def test_closing_with_work_that_cannot_be_saved_asks(opened, folder, monkeypatch):
    store = FailingStore()
    place = opened(store)
    place.open(folder / "street0.png")
    place.key(Qt.Key.Key_B)
    place.drag((10, 10), (60, 100))
    answers = [QMessageBox.StandardButton.Cancel, QMessageBox.StandardButton.Retry]

    def answer(_box):
        given = answers.pop(0)
        store.is_full = given == QMessageBox.StandardButton.Cancel
        return given

    monkeypatch.setattr(QMessageBox, "exec", answer)
    assert not place.window.close() and place.window.isVisible()
    assert place.window.close() and not answers
    assert store.load(folder / "street0.png") is not None


def test_bad_files_are_told_and_what_was_there_stays(opened, folder):
    place = opened()
    place.open(folder / "street0.png")
    shown = place.document.image
    (folder / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nnot really")
    (folder / "bad.safetensors").write_bytes(b"\x00" * 40)

    place.session.open_path(folder / "broken.png")
    place.wait(lambda: "broken.png" in place.window.banner.text)
    place.session.open_path(folder / "missing.png")
    place.wait(lambda: "missing.png" in place.window.banner.text)
    model = place.session.model
    place.session.open_path(folder / "bad.safetensors")
    place.wait(lambda: "bad.safetensors" in place.window.banner.text)
    assert f"{model.title} stays in use" in place.window.banner.text
    assert place.session.model is model and place.document.image is shown
    empty = folder / "empty"
    empty.mkdir()
    place.session.open_path(empty)
    place.wait(lambda: "no images in" in place.window.banner.text)


def test_dropping_files_opens_them(opened, folder):
    place = opened()
    urls = QMimeData()
    urls.setUrls([QUrl.fromLocalFile(str(folder / f"street{n}.png")) for n in (2, 0)])
    point, button = QPoint(50, 50), Qt.MouseButton.LeftButton
    enter = QDragEnterEvent(
        point, Qt.DropAction.CopyAction, urls, button, Qt.KeyboardModifier.NoModifier
    )
    place.window.dragEnterEvent(enter)
    assert enter.isAccepted()
    place.window.dropEvent(
        QDropEvent(
            QPointF(point), Qt.DropAction.CopyAction, urls, button, Qt.KeyboardModifier.NoModifier
        )
    )
    place.wait(lambda: place.document.image_title == "street2.png")

    assert [p.name for p in place.session.images] == ["street2.png", "street0.png"]


def test_the_export_equals_the_screen(opened, folder, tmp_path_factory):
    place = opened()
    place.open(folder / "street0.png")
    target = tmp_path_factory.mktemp("out") / "set"
    place.session.export_to(target)
    place.wait(lambda: "no labels to export yet" in place.window.banner.text)
    place.key(Qt.Key.Key_Return)
    place.key(Qt.Key.Key_B)
    place.document.set_active_class(4)
    place.drag((10, 10), (60, 100))
    place.session.export_to(target)
    place.wait(lambda: place.window.banner.text.startswith("1 image"))

    exported = decode_labels(target / "labels" / "street0.png").labels
    assert np.array_equal(exported, place.document.label_map.labels)
    assert (target / "images" / "street0.png").read_bytes() == (folder / "street0.png").read_bytes()


def test_the_sample_scene_is_an_image_like_any_other(opened):
    place = opened()
    place.window.start.sample_requested.emit()
    place.wait(place.predicted)
    assert place.document.image.shape == (720, 960, 3)
    assert place.document.image_title == "Sample scene"
    place.key(Qt.Key.Key_Return)
    place.wait(lambda: place.document.has_saved_labels)
    assert (places.user_folder() / "sample").is_dir()
    place.key(Qt.Key.Key_Home, Qt.KeyboardModifier.ControlModifier)
    assert place.window.pages.currentWidget() is place.window.start
    place.window.start.sample_requested.emit()
    assert place.window.pages.currentWidget() is place.window.canvas


def test_every_action_has_a_key_that_no_other_has(opened):
    place = opened()
    keys = [key for row in place.window.actions_table.rows for key in row.keys]
    sequences = [s.toString() for a in place.window.actions_table for s in a.shortcuts()]

    assert len(set(keys)) == len(keys) and len(set(sequences)) == len(sequences)
    assert all(sequences)


def test_keys_choose_tools_classes_views_and_sizes(opened, folder):
    place = opened()
    place.open(folder / "street0.png")
    document, canvas = place.document, place.window.canvas
    for key, name, action in (
        (Qt.Key.Key_B, "brush", "tool_brush"), (Qt.Key.Key_E, "eraser", "erase_prediction"),
        (Qt.Key.Key_H, "probe", "tool_probe"),
    ):  # fmt: skip
        place.key(key)
        assert canvas.tool.name == name
        assert place.window.actions_table[action].isChecked()
    place.key(Qt.Key.Key_4)
    assert document.active_class == 3
    place.key(Qt.Key.Key_X)
    assert document.active_class == 0
    place.key(Qt.Key.Key_V)
    assert document.view_mode == "difference"
    size = document.brush_diameter
    place.key(Qt.Key.Key_BracketRight)
    assert document.brush_diameter > size
    place.key(Qt.Key.Key_Period)
    assert document.opacity == pytest.approx(0.6)


def test_typing_in_the_filter_is_no_command(opened, folder):
    place = opened()
    place.open(folder / "street0.png")
    field = place.window.images.filter_field
    place.window.activateWindow()
    field.setFocus()
    QTest.keyClicks(field, "beh1")
    QTest.keyClick(field, Qt.Key.Key_Return)

    assert field.text() == "beh1" and place.window.canvas.tool.name == "probe"
    assert not place.document.is_dirty


def test_docks_and_theme_are_remembered(opened, folder):
    place = opened()
    place.window.docks[3].hide()
    place.window.verbs.choose_theme("light")
    place.window.resize(790, 640)  # the offscreen screen is 800 x 800
    place.close()
    again = opened()
    again.window.restore_layout()

    assert again.window.docks[3].isHidden()
    assert (again.window.width(), again.window.height()) == (790, 640)
    assert again.settings.theme == "light"
    assert again.session.device == "cpu"


def test_recent_files_are_listed_and_open_again(opened, folder):
    place = opened()
    place.open(folder / "street2.png")
    assert place.settings.recent == (folder / "street2.png",)
    (action,) = place.window.recent_menu.actions()
    place.session.show_image(folder / "street0.png")
    place.wait(lambda: place.document.image_title == "street0.png")
    action.trigger()
    place.wait(lambda: place.document.image_title == "street2.png")


def test_what_cannot_be_opened_changes_neither_list_nor_recent_files(opened, folder):
    place = opened()
    place.open(folder / "street0.png")
    listed = place.session.images
    other = folder / "other"
    (other / "empty").mkdir(parents=True)
    (other / "broken.png").write_text("no image")
    for path, words in (
        (other / "broken.png", "street0.png stays open"), (other / "empty", "no images in"),
        (other / "missing.png", "missing.png"),
    ):  # fmt: skip
        place.session.open_path(path)
        place.wait(lambda words=words: words in place.window.banner.text)
        assert place.session.images == listed
        assert place.settings.recent == (folder / "street0.png",)

    place.key(Qt.Key.Key_D)
    place.wait(lambda: place.document.image_title == "street1.png")
    assert place.window.banner.text == ""  # what it told of is over


def test_dropped_folders_are_listed_image_by_image(opened, folder):
    place = opened()
    for name in ("b", "a"):
        (folder / name).mkdir()
        (folder / name / "one.png").write_bytes((folder / "street0.png").read_bytes())
    place.session.open_paths((folder / "b", folder / "a", folder / "street1.png"))
    place.wait(lambda: place.document.image_path == folder / "b" / "one.png")

    assert place.session.images == (
        folder / "b" / "one.png", folder / "a" / "one.png", folder / "street1.png"
    )  # fmt: skip


def test_a_dropped_name_that_is_no_utf8_keeps_its_bytes(tmp_path):
    url = QUrl.fromEncoded(b"file:///tmp/bad%FF%20name.png")
    assert bytes(local_path(url)) == b"/tmp/bad\xff name.png"


def test_enter_belongs_to_what_has_the_keyboard(opened, folder):
    place = opened()
    place.open(folder / "street0.png")
    window, document = place.window, place.document
    window.activateWindow()
    place.qtbot.waitUntil(window.isActiveWindow)
    strip = window.pyramid.strip
    strip.setFocus()
    QTest.keyClick(strip, Qt.Key.Key_Return)
    assert document.shown_map == strip.tiles[0].name
    QTest.keyClick(strip, Qt.Key.Key_Escape)
    assert document.shown_map is None and window.canvas.hasFocus()

    field = window.toolbar.findChild(QSpinBox)
    field.setFocus()
    field.selectAll()
    QTest.keyClicks(field, "37")
    QTest.keyClick(field, Qt.Key.Key_Return)
    assert document.brush_diameter == 37

    filter_field = window.images.filter_field
    filter_field.setFocus()
    QTest.keyClicks(filter_field, "street")
    QTest.keyClick(filter_field, Qt.Key.Key_Return)
    assert window.images.view.hasFocus()
    filter_field.setFocus()
    QTest.keyClick(filter_field, Qt.Key.Key_Escape)
    assert window.canvas.hasFocus()

    window.verbs.show_start()
    window.start.setFocus()
    QTest.keyClick(window.start, Qt.Key.Key_Return)
    assert not document.is_dirty and not document.has_saved_labels
    (row,) = window.start.recent_rows
    row.setFocus()
    QTest.keyClick(row, Qt.Key.Key_Return)
    place.wait(window.canvas.isVisible)


def test_a_narrower_window_shortens_the_models_name_and_keeps_the_device(opened):
    place = opened()
    window = place.window
    place.wait(lambda: place.session.model is not None)
    bar = window.toolbar
    for width in (1440, 1100):
        window.resize(width, 700)
        place.wait(lambda width=width: bar.width() == width)
    more = bar.findChild(QToolButton, "qt_toolbar_ext_button")

    place.wait(more.isHidden)
    assert bar._device.isVisible()


def test_the_toolbar_spares_captions_before_it_shortens_the_models_name(opened):
    place = opened()
    place.wait(lambda: place.session.model is not None)  # which has a name of its own
    bar = place.window.toolbar
    bar._title = "pspnet_mobilenetv2_camvid"

    def shown():
        captions = [w.isVisible() for w in (bar._size_caption, bar._opacity_caption)]
        return bar._model.text() == bar._title, all(captions), any(captions)

    wanted = {
        1600: (True, True, True), 1300: (True, True, True), 1100: (True, False, False),
        1000: (False, False, False),
    }  # fmt: skip
    for width in (1600, 1300, 1100, 1000, 1600):
        place.window.resize(width, 700)
        place.wait(lambda width=width: bar._device.geometry().right() <= width)
        place.wait(lambda width=width: shown() == wanted[width])
        assert bar._diameter.isVisible() and bar._opacity.isVisible()


def test_a_full_folder_is_the_reason_when_nothing_was_exported(opened, folder, tmp_path_factory):
    place = opened()
    place.open(folder / "street0.png")
    place.key(Qt.Key.Key_Return)
    target = tmp_path_factory.mktemp("full")
    (target / "images").mkdir()
    (target / "images" / "old.png").write_bytes(b"x")
    place.session.export_to(target)
    place.wait(lambda: "choose an empty folder" in place.window.banner.text)

    assert (target / "images" / "old.png").read_bytes() == b"x"
    assert not (target / "labels").exists() or not any((target / "labels").iterdir())


class Comings(QObject):
    """Notes every window of its own that is shown."""

    def __init__(self, app):
        super().__init__(app)
        self.shown = []
        app.installEventFilter(self)

    def eventFilter(self, watched, event):
        if event.type() == QEvent.Type.Show and isinstance(watched, QWidget):
            self.shown += [type(watched).__name__] if watched.isWindow() else []
        return False


def test_nothing_flashes_up_as_a_window_of_its_own(opened, folder, qapp):
    comings = Comings(qapp)
    try:
        place = opened()
        place.open(folder / "street0.png")
        for dock in place.window.more.values():
            dock.setVisible(True)
            QApplication.processEvents()
    finally:
        qapp.removeEventFilter(comings)

    assert comings.shown == ["MainWindow"]


def test_panels_lie_one_behind_the_other_so_that_the_window_keeps_its_size(opened, folder):
    place = opened()
    place.open(folder / "street0.png")
    window = place.window
    before = window.size()
    for dock in window.more.values():
        dock.toggleViewAction().trigger()
        assert dock.isVisible()
    place.wait(lambda: window.more["Statistics"].widget().isVisible())
    QApplication.processEvents()

    assert window.size() == before


def test_no_menu_is_higher_than_a_small_screen(opened):
    """Long menus are grouped; the key list still shows all keys under the menus' names."""
    from pspgui.gui.dialogs.shortcuts import key_groups

    window = opened().window
    menus = [action.menu() for action in window.menuBar().actions()]
    assert all(menu.sizeHint().height() < 700 for menu in menus)
    names = {menu.title() for menu in menus}
    groups = {group.title: group.hints for group in key_groups(window.actions_table.rows)}
    assert set(groups) - {"On the image"} <= names
    assert any(hint.text.startswith("Split view") for hint in groups["View"])
