"""Everything in the window fails once: the app lives, work is saved, each error is told once."""

from __future__ import annotations

import json
import re
import sys

import pytest
from exception_runs import NEEDED
from test_closing import HERE, assert_no_orphan, begin, ended

from pspgui.gui.errors import Surprises

pytestmark = pytest.mark.timeout(600)  # the first test waits for the whole run


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    """What a window says in which every slot, callback and painting raised once."""
    folder, home = tmp_path_factory.mktemp("images"), tmp_path_factory.mktemp("home")
    running = begin(HERE / "exception_runs.py", folder, home=home)
    out, err = ended(running, 500)
    assert running.returncode == 0, err[-4000:]
    assert_no_orphan(running)
    return json.loads(out.splitlines()[-1])


def test_the_app_lives_though_everything_fails_once(report):
    assert len(report["failed"]) > 150
    assert set(report["failed"]) >= NEEDED


def test_what_was_painted_is_saved_all_the_same(report):
    assert report["problems"] == []
    assert report["images_painted"] >= 1


def test_each_error_is_told_once_and_its_traceback_is_in_the_log(report):
    told = [re.search(r"Injected: ([\w.]+)\)", text) for text in report["told"]]
    assert all(told)
    assert sorted(found[1] for found in told) == report["failed"]
    assert report["not_in_log"] == []
    assert report["tracebacks"] >= len(report["failed"])


def test_a_painting_that_always_fails_is_told_once(report):
    assert report["told_of_one_that_always_fails"] == 1


def test_an_error_with_other_numbers_is_the_same_error(qtbot):
    surprises, told = Surprises(), []
    surprises.told.connect(told.append)
    for number in range(3):
        try:
            raise ValueError(f"Error calling Python override of QWidget::event(): row {number}")
        except ValueError:
            surprises.catch(*sys.exc_info())
    qtbot.waitUntil(lambda: bool(told))
    qtbot.wait(1)

    assert len(told) == 1
    assert "(ValueError: row 0)" in told[0]
