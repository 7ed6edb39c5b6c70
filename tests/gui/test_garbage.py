"""Cycles are freed on the GUI thread and on no other."""

from __future__ import annotations

import gc
import threading
import weakref

from PySide6.QtWidgets import QWidget

from pspgui.gui.garbage import GuiGarbage


class Knot(QWidget):
    """A widget that holds itself, and tells which thread let it go."""

    def __init__(self):
        super().__init__()
        self.itself = self


def test_a_worker_that_allocates_frees_no_widget(qtbot):
    garbage = GuiGarbage()
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
    garbage._rounds = -1  # the next round looks at everything
    garbage.collect()
    assert where == [threading.main_thread()]
    garbage.close()
    assert gc.isenabled()
    gc.disable()  # as the tests have it


def test_what_comes_in_a_crowd_is_kept_for_good_and_not_looked_through(qtbot):
    garbage = GuiGarbage()
    garbage.collect()
    before = gc.get_freeze_count()
    crowd = [[number] for number in range(50_000)]  # as when modules are imported
    garbage.collect()
    assert gc.get_freeze_count() >= before + len(crowd)
    knot = Knot()
    gone = []
    weakref.finalize(knot, lambda: gone.append(True))
    del knot
    garbage._rounds = -1
    garbage.collect()
    assert gone == [True]
    garbage.close()
    gc.disable()
    del crowd
