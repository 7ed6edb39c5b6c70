"""Cycles are freed on the GUI thread and on no other."""

from __future__ import annotations

import gc
import sys
import threading
import weakref
from types import ModuleType

import pytest
from PySide6.QtWidgets import QWidget

from pspgui.gui.garbage import GuiGarbage


class Knot(QWidget):
    """A widget that holds itself, and tells which thread let it go."""

    def __init__(self):
        super().__init__()
        self.itself = self


@pytest.fixture
def garbage(qtbot):
    """The collector's keeper; the collector is off again afterwards, as the tests have it."""
    found = GuiGarbage()
    yield found
    found.close()
    assert gc.isenabled()
    gc.disable()


def look_at_everything(garbage):
    garbage._rounds = -1  # the next round is one of those that do
    garbage.collect()


def test_a_worker_that_allocates_frees_no_widget(garbage):
    assert not gc.isenabled()
    knot = Knot()
    where = []
    weakref.finalize(knot, lambda: where.append(threading.current_thread()))
    del knot

    def allocate():
        kept = [[number] for number in range(50_000)]
        del kept

    worker = threading.Thread(target=allocate)
    worker.start()
    worker.join()
    assert where == []
    look_at_everything(garbage)
    assert where == [threading.main_thread()]


def test_what_comes_with_modules_is_kept_for_good_and_not_looked_through(garbage, monkeypatch):
    garbage.collect()
    before = gc.get_freeze_count()
    crowd = [[number] for number in range(50_000)]
    monkeypatch.setitem(sys.modules, "came_with_it", ModuleType("came_with_it"))
    garbage.collect()
    assert gc.get_freeze_count() >= before + len(crowd)
    knot = Knot()
    gone = []
    weakref.finalize(knot, lambda: gone.append(True))
    del knot
    look_at_everything(garbage)
    assert gone == [True]
    del crowd


def test_a_crowd_without_modules_is_freed_when_it_is_let_go(garbage):
    garbage.collect()
    before = gc.get_freeze_count()
    gone = []

    def network():  # a module graph holds its owner, which holds it
        knots = [Knot() for _ in range(3)]
        weakref.finalize(knots[0], lambda: gone.append(True))
        return knots, [[number] for number in range(50_000)]

    kept = network()
    garbage.collect()
    assert gc.get_freeze_count() == before and gone == []
    del kept
    look_at_everything(garbage)
    assert gone == [True]


def test_only_what_lives_at_first_is_never_looked_at_again(garbage):
    garbage.settle()
    knot, gone = Knot(), []
    weakref.finalize(knot, lambda: gone.append(True))
    garbage.settle()  # another model
    del knot
    look_at_everything(garbage)
    assert gone == [True]
