"""Imports that PySide's binding generator leaves alone."""

from __future__ import annotations

import sys
from typing import Any


def leave_imports_alone() -> None:
    """Keep Shiboken from reading the source of every module that anything imports.

    It looks for modules that name PySide6, in case one of them chose snake_case or properties by
    `from __feature__ import ...`; nobody does here. To find a source, `inspect` asks a module for
    `__wrapped__`, and where modules answer by a function of their own, that may import others:
    pydantic then imports itself in a circle, when another thread happens to be importing torch. It
    also takes a sixth of the time that torch's import does. Nothing is changed where a version of
    PySide does this otherwise. Before threads are started that import.
    """
    feature: Any = sys.modules.get("shibokensupport.feature")
    known = getattr(feature, "pyside_feature_dict", None)
    if not isinstance(known, dict) or not callable(getattr(feature, "feature_imported", None)):
        return

    def imported(module: object) -> None:
        name = getattr(module, "__name__", None)
        if isinstance(name, str):
            known.setdefault(name, 0)  # no feature chosen

    feature.feature_imported = imported


__all__ = ["leave_imports_alone"]
