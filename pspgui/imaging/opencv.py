"""OpenCV, imported without the Qt settings its wheel makes; cv2 is given arrays only, never a path.

A str path holding a byte that is not UTF-8 ends the process in cv2 5.0, and its reader shows a
truncated file as a grey picture; so files are read by `pspgui.imaging.sources` alone.
"""

from __future__ import annotations

import os
from pathlib import Path

import cv2

# The wheel bundles Qt plugins for imshow and points Qt at them on import: PySide6 would then
# load the wrong platform plugin. A setting of the user's own is left alone.
for _name in ("QT_QPA_PLATFORM_PLUGIN_PATH", "QT_QPA_FONTDIR"):
    if os.environ.get(_name, "").startswith(str(Path(cv2.__file__).parent)):
        del os.environ[_name]

__all__ = ["cv2"]
