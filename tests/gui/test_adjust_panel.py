"""The Adjust panel is used by dragging handles and sliders; the picture alone changes."""

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest

from pspgui.gui.document import Document
from pspgui.gui.panels.adjust import AdjustPanel
from pspgui.imaging.adjusting import NEUTRAL
from pspgui.imaging.deep import DeepSamples

LEFT = Qt.MouseButton.LeftButton


@pytest.fixture
def document(qtbot):
    document = Document()
    yield document
    document.deleteLater()


def opened(qtbot, document, deep=None):
    panel = AdjustPanel(document)
    qtbot.addWidget(panel)
    panel.resize(320, 400)
    panel.show()
    image = np.full((40, 50, 3), 60, np.uint8)
    image[:, 25:] = 180
    if deep is not None:
        document.set_deep(image, deep)
    document.set_image(image, None, "picture", np.zeros((40, 50), np.uint8))
    qtbot.waitUntil(lambda: panel.counts is not None)
    return panel


def test_without_an_image_there_is_nothing_to_adjust(qtbot, document):
    panel = AdjustPanel(document)
    qtbot.addWidget(panel)
    assert not panel.isEnabled()


def test_dragging_a_handle_moves_black_or_white(qtbot, document):
    panel = opened(qtbot, document)
    plot, middle = panel.histogram._plot(), 40
    start = QPoint(round(plot.left()), middle)
    end = QPoint(round(plot.left() + plot.width() / 4), middle)
    QTest.mousePress(panel.histogram, LEFT, Qt.KeyboardModifier.NoModifier, start)
    QTest.mouseMove(panel.histogram, end)
    QTest.mouseRelease(panel.histogram, LEFT, Qt.KeyboardModifier.NoModifier, end)

    assert document.adjustment.low == pytest.approx(0.25, abs=0.01)
    assert document.adjustment.high == 1.0


def test_the_handles_do_not_pass_each_other(qtbot, document):
    panel = opened(qtbot, document)
    plot = panel.histogram._plot()
    start, end = QPoint(round(plot.right()), 40), QPoint(0, 40)
    QTest.mousePress(panel.histogram, LEFT, Qt.KeyboardModifier.NoModifier, start)
    QTest.mouseMove(panel.histogram, end)

    assert 0 < document.adjustment.high - document.adjustment.low <= 0.02


def test_sliders_auto_and_reset(qtbot, document):
    panel = opened(qtbot, document)
    panel.gamma.setValue(50)
    panel.brightness.setValue(-30)
    assert document.adjustment.gamma == pytest.approx(2.0)
    assert document.adjustment.brightness == pytest.approx(-0.3)

    QTest.mouseClick(panel.auto, LEFT)
    assert (document.adjustment.low, document.adjustment.high) == (60 / 256, 181 / 256)
    assert panel.gamma.value() == 0
    QTest.mouseClick(panel.reset, LEFT)
    assert document.adjustment == NEUTRAL and not panel.reset.isEnabled()
    assert (document.image[:, :25] == 60).all()


def test_deep_samples_are_counted_and_named_in_their_own_units(qtbot, document):
    samples = np.full((40, 50), 65535, np.uint16)
    samples[:20] = 0
    panel = opened(qtbot, document, DeepSamples(samples, 65535, -1.5, 2.5))

    assert panel.counts.tolist() == [[1000, *[0] * 254, 1000]]
    assert [end.text() for end in panel._ends] == ["\u22121.5", "2.5"]


def test_the_panel_says_that_the_model_sees_none_of_it(qtbot, document):
    assert "the model sees the picture as its file has it" in opened(qtbot, document)._note.text()
