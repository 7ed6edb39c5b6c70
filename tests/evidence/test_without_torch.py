"""Evidence and reports work on arrays: importing them does not bring torch along."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pspgui

_ALL = """
import importlib, pkgutil, sys
import pspgui.evidence, pspgui.reports.files, pspgui.reports.pages
for one in pkgutil.iter_modules(pspgui.evidence.__path__):
    importlib.import_module("pspgui.evidence." + one.name)
print("torch" in sys.modules)
"""


def test_evidence_and_reports_are_imported_without_torch():
    env = {**os.environ, "PYTHONPATH": str(Path(pspgui.__file__).parent.parent)}
    told = subprocess.run(
        [sys.executable, "-c", _ALL], env=env, capture_output=True, text=True, check=True
    )
    assert told.stdout.strip() == "False"
