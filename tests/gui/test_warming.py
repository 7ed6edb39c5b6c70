"""What was not imported at the start is imported behind the first prediction, step by step."""

from __future__ import annotations

import sys
from importlib.util import find_spec

from pspgui.gui.docks import DOCKS
from pspgui.gui.warming import PUT_OFF, Warming


def test_modules_come_one_after_another_and_then_it_rests(qtbot, tmp_path, monkeypatch):
    names = [f"put_off_{number}" for number in range(3)]
    for name in names:
        (tmp_path / f"{name}.py").write_text("import sys\nbefore = set(sys.modules)\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    warming = Warming(names)
    assert not warming.is_running
    with qtbot.waitSignal(warming.done):
        warming.begin()

    assert not warming.is_running
    assert names[2] not in sys.modules[names[1]].before
    warming.begin()
    assert not warming.is_running


def test_everything_put_off_is_there():
    assert all(find_spec(name) is not None for name in PUT_OFF)


def test_no_dock_imports_a_panel_that_was_not_put_off():
    for row in DOCKS:
        asked = [name for name in row.build.__code__.co_names if name.startswith("pspgui.gui")]
        assert asked and set(asked) <= set(PUT_OFF) | {"pspgui.gui.panels.what_if_menu"}, row.title
