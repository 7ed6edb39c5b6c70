"""Relabelling a class in all images of a folder, and taking that back from the backup."""

import numpy as np
import pytest
from canvas_case import HEIGHT, TABLE, WIDTH, labelled
from labelled_window import window_of_labelled_images
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QDialog

from pspgui.geometry import Rect
from pspgui.gui.dialogs.backups import BackupsDialog, Restoring
from pspgui.gui.dialogs.relabel_images import RelabelImagesDialog, Relabelling, relabel_in_all
from pspgui.labels.provenance import PERSON
from pspgui.labels.raster import Stamp
from pspgui.project.backups import list_backups


@pytest.fixture
def window(qtbot, tmp_path):
    yield from window_of_labelled_images(qtbot, tmp_path)


def test_all_images_are_relabelled_and_the_one_shown_is_read_anew(window, qtbot, tmp_path):
    document, said = window.document, []
    window.session.notice.connect(lambda notice: said.append(notice.text))
    document.set_active_class(1)
    dialog = RelabelImagesDialog(window.parts)
    qtbot.addWidget(dialog)
    qtbot.waitUntil(lambda: dialog._uses is not None)
    road = int((labelled() == 1).sum())
    assert f"{2 * road:,}".replace(",", "\u2009") in dialog.effect.text()
    dialog.target.choose("Road")
    assert not dialog._ok.isEnabled()
    dialog.target.choose("Car")
    assert dialog._ok.isEnabled()
    Relabelling(window.parts, window).apply("Road", "Car")
    assert not document.may_change()  # until it is done
    qtbot.waitUntil(lambda: any("were relabelled" in text for text in said))
    qtbot.waitUntil(
        lambda: document.label_map is not None and (document.label_map.labels == 2).any()
    )
    store = window.session.store
    for name in "ab":
        labels = store.load(tmp_path / f"{name}.png").labels
        assert np.array_equal(labels, np.where(labelled() == 1, 2, labelled()))
    assert document.may_change()
    (backup,) = list_backups(store.path_for(tmp_path / "a.png").parent.parent)
    assert backup.reason == "relabel"


def test_undo_takes_it_back_in_each_image(window, qtbot, tmp_path):
    document, said = window.document, []
    window.session.notice.connect(lambda notice: said.append(notice.text))
    document.set_active_class(1)
    document.write(Stamp(Rect(0, 0, 2, 2), np.ones((2, 2), bool)), "Corner", 0)
    document.finish_stroke()
    painted, plain = document.label_map.labels.copy(), labelled()
    first, second = tmp_path / "a.png", tmp_path / "b.png"
    Relabelling(window.parts, window).apply("Road", "Car")
    qtbot.waitUntil(lambda: any("Undo takes it back in each image" in text for text in said))
    for image, before in ((first, painted), (second, plain)):
        window.session.show_image(image)
        qtbot.waitUntil(lambda image=image: (
            document.image_path == image and document.label_map is not None
            and any(n.startswith("Relabel Road to Car in all images, ")
                    for n in document.history.undo_names[:1])
        ))  # fmt: skip
        after = document.label_map.labels.copy()
        assert np.array_equal(after, np.where(before == 1, 2, before))
        qtbot.keyClick(window, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
        qtbot.waitUntil(lambda before=before: np.array_equal(document.label_map.labels, before))
    assert document.history.undo_names == ()  # nothing was painted in the second one


def test_choosing_the_image_shown_does_not_stop_its_being_read_anew(window, qtbot):
    document, store = window.document, window.session.store
    image, changed = document.image_path, np.where(labelled() == 1, 2, labelled()).astype(np.uint8)
    palette = np.ascontiguousarray(TABLE.palette())
    store.save(image, changed, np.full((HEIGHT, WIDTH), PERSON, np.uint8), palette)
    window.session.reopen()
    window.session.show_image(image)  # a click into the list
    qtbot.waitUntil(lambda: document.label_map is not None
                    and np.array_equal(document.label_map.labels, changed))  # fmt: skip


def test_a_read_only_image_says_why_not(window):
    said = []
    window.document.message.connect(said.append)
    window.document.set_read_only("Another window holds this folder.")
    relabel_in_all(window.parts)
    assert said == ["Another window holds this folder."]


def known(window, images):
    window.session.project.flush()
    return [window.session.project.index.image_of(image).pixels for image in images]


def test_without_a_backup_the_dialog_says_when_there_is_one(window, qtbot):
    dialog = BackupsDialog(window.parts)
    qtbot.addWidget(dialog)
    qtbot.waitUntil(lambda: "no backups yet" in dialog.meaning.text())
    assert not dialog.take.isEnabled()


def test_relabelling_everywhere_is_taken_back_and_counted_again(window, qtbot, tmp_path):
    document, said = window.document, []
    images = [tmp_path / "a.png", tmp_path / "b.png"]
    window.session.notice.connect(said.append)
    qtbot.waitUntil(lambda: window.queue.found is not None)
    qtbot.waitUntil(lambda: all("Road" in pixels for pixels in known(window, images)))
    before = document.label_map.labels.copy()

    Relabelling(window.parts, window).apply("Road", "Car")
    qtbot.waitUntil(lambda: any("were relabelled" in notice.text for notice in said))
    assert said[-1].retry == "backups"
    qtbot.waitUntil(lambda: all("Road" not in pixels for pixels in known(window, images)))
    qtbot.waitUntil(lambda: not np.array_equal(document.label_map.labels, before))

    dialog = BackupsDialog(window.parts)
    qtbot.addWidget(dialog)
    qtbot.waitUntil(lambda: len(dialog.backups) == 1)
    dialog.show()
    qtbot.keyClick(dialog, Qt.Key.Key_Return)
    assert dialog.result() == QDialog.DialogCode.Rejected  # Enter alone puts nothing back
    dialog.view.selectRow(0)
    assert "a, b" in dialog.meaning.text() and dialog.take.isEnabled()
    Restoring(window.parts, window).apply(dialog.chosen)
    assert not document.may_change()
    qtbot.waitUntil(lambda: any("as they were in the backup" in n.text for n in said))
    qtbot.waitUntil(lambda: np.array_equal(document.label_map.labels, before))
    qtbot.waitUntil(lambda: all("Road" in pixels for pixels in known(window, images)))
    assert document.may_change()
