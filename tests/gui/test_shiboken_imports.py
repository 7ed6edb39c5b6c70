"""Modules that answer for their attributes themselves, imported beside PySide."""

import os
import subprocess
import sys
from pathlib import Path

import pspgui

ROOT = Path(pspgui.__file__).parents[1]
ODD = '''
def __getattr__(name):
    raise ImportError("a circle")
'''
SCRIPT = """
import PySide6.QtCore
from pspgui.gui.shiboken_imports import leave_imports_alone
{call}
import odd
from PySide6.QtCore import QObject
made = QObject(objectName="as ever")
made.setObjectName("still")
print(made.objectName(), odd.__name__)
"""


def run(folder, call):
    (folder / "odd.py").write_text(ODD, encoding="ascii")
    script = SCRIPT.format(call=call)
    return subprocess.run(
        [sys.executable, "-c", script], cwd=folder, capture_output=True, text=True, timeout=120,
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join((str(folder), str(ROOT)))},
    )  # fmt: skip


def test_they_are_imported_and_not_looked_into(tmp_path):
    done = run(tmp_path, "leave_imports_alone()")
    assert (done.returncode, done.stdout.strip()) == (0, "still odd"), done.stderr


def test_an_engine_sees_to_it(tmp_path):
    call = (
        "from PySide6.QtCore import QCoreApplication\n"
        "from pspgui.gui.engine_thread import Engine\n"
        "app = QCoreApplication([]); engine = Engine(); engine.start(); engine.close()"
    )
    done = run(tmp_path, call)
    assert (done.returncode, done.stdout.strip()) == (0, "still odd"), done.stderr
