"""What the mouse does, for the list of keys."""

from __future__ import annotations

from typing import Final

# (what, how)
GESTURES: Final = (
    ("Zoom at the cursor", "Wheel"),
    ("Pan, in every tool", "Space or middle drag"),
    ("Pin a pixel's evidence", "Click with the probe"),
    ("Erase as the eraser would", "Right-drag with the brush"),
    ("Straight line from the last point", "Shift+Click"),
    ("Paint only over the class pressed on", "Ctrl+Drag"),
    ("Pick the class under the cursor", "Alt+Click"),
    ("Brush size", "Shift+Wheel"),
    ("Erase an area", "Alt+Drag / Right-drag"),
    ("Fill like colours; drag: tolerance", "Shift+Drag"),
    ("Square, circle", "Shift+Drag"),
    ("Corner of a polygon: set, move", "Click / Drag"),
    ("Fill the polygon", "Enter / Double-click"),
    ("Erase the polygon", "Alt+Enter / Ctrl+Enter"),
    ("Take back the last corner", "Backspace"),
    ("Abort the running stroke", "Esc"),
    ("Hide the overlay while held; a tap toggles", "Tab"),
)
