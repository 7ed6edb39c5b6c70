"""Notices above the canvas: the latest is shown, and none that matters is covered for good."""

from __future__ import annotations

import pytest
from PySide6.QtCore import Qt

from pspgui.gui.banner import Banner
from pspgui.gui.notices import Notice

FAILED = Notice("Not saved.", retry="save", about="save")
REMARK = Notice("The model has read 3 images.", is_error=False, about="batch")
CLASSES = Notice("These labels keep their own classes.", is_error=False, about="classes")


@pytest.fixture
def banner(qtbot):
    """A banner that heard of nothing yet."""
    banner = Banner()
    qtbot.addWidget(banner)
    return banner


def test_what_can_be_answered_comes_back_from_beneath_a_remark(qtbot, banner):
    asked = []
    banner.retried.connect(asked.append)
    for notice in (FAILED, REMARK, CLASSES):
        banner.tell(notice)
        assert banner.text == notice.text
    qtbot.mouseClick(banner._close, Qt.MouseButton.LeftButton)
    assert banner.text == FAILED.text  # and not the remark that was over
    qtbot.mouseClick(banner._retry, Qt.MouseButton.LeftButton)
    assert asked == ["save"] and banner.text == "" and banner.isHidden()


def test_a_notice_replaces_the_one_about_the_same_and_goes_when_that_is_settled(banner):
    again = Notice("Not saved: the disk is full.", retry="save", about="save")
    banner.tell(FAILED)
    banner.tell(again)
    banner.tell(CLASSES)
    banner.settle("save")
    assert banner.text == CLASSES.text
    banner.settle("classes")
    assert banner.text == ""


def test_of_many_errors_the_latest_wait(qtbot, banner):
    for number in range(9):
        banner.tell(Notice(f"error {number}"))
    seen = []
    while banner.text:
        seen.append(banner.text)
        qtbot.mouseClick(banner._close, Qt.MouseButton.LeftButton)
    assert seen == [f"error {number}" for number in (8, 7, 6, 5, 4)]
