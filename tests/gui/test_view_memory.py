"""How the picture is looked at comes back with the next window."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QObject

from pspgui.gui.document import Document
from pspgui.gui.settings import Settings
from pspgui.gui.view_memory import ViewMemory
from pspgui.imaging.adjusting import NEUTRAL, Adjustment


def window():
    """Return a document whose look is remembered, and what else must live."""
    document, owner = Document(), QObject()
    return document, owner, ViewMemory(document, Settings(), owner)


def test_aids_outlines_and_adjustment_come_back(qtbot):
    first, *_held = window()
    first.set_aid("rulers", True)
    first.set_aid("minimap", False)
    first.set_outline_px(4)
    first.set_adjustment(Adjustment(brightness=0.25, gamma=2.0))
    again, *_held_too = window()

    assert again.has_aid("rulers") and not again.has_aid("minimap") and not again.has_aid("split")
    assert again.outline_px == 4
    assert again.adjustment == Adjustment(brightness=0.25, gamma=2.0)


@pytest.mark.parametrize(
    "kept",
    ["no json", "[]", '{"aids": 3, "outline_px": "x", "adjustment": {"gamma": 1}}',
     '{"adjustment": {"low": 1, "high": 0, "brightness": 0, "contrast": 0, "gamma": 1}}',
     '{"adjustment": {"low": 0, "high": 1, "brightness": 9, "contrast": 0, "gamma": 1}}'],
)  # fmt: skip
def test_what_makes_no_sense_counts_as_missing(qtbot, kept):
    Settings().set_choice("view/look", kept)
    document, *_held = window()

    assert document.has_aid("minimap") and document.outline_px == 2
    assert document.adjustment == NEUTRAL
