"""What the mouse does, for the list of keys."""

from __future__ import annotations

from typing import Final

# (what, how)
GESTURES: Final = (
    ("Zoom at the cursor", "Wheel"),
    ("Pan, in every tool", "Space or middle drag"),
    ("Pin a pixel's evidence", "Click with the probe"),
    ("Keep the pin and set another", "Shift+Click"),
    ("Explain a pin, let go of it", "Click its number"),
    ("Move a pin", "Drag it"),
    ("Pin a region: a box, brushed", "Drag / Alt+Drag"),
    ("Remove the pin that is explained", "Delete"),
    ("Erase as the eraser would", "Right-drag with the brush"),
    ("Straight line from the last point", "Shift+Click"),
    ("Paint only over the class pressed on", "Ctrl+Drag"),
    ("Pick the class under the cursor", "Alt+Click"),
    ("Brush size", "Shift+Wheel"),
    ("Erase with a pen", "Its eraser end"),
    ("Erase an area", "Alt+Drag / Right-drag"),
    ("Fill like colours; drag: tolerance", "Shift+Drag"),
    ("Superpixels: their size", "Shift+Wheel"),
    ("Smoothing brush: how strongly", "Shift+Wheel"),
    ("Select a piece, an area", "Click / Drag"),
    ("Add to the selection, take away", "Shift / Alt"),
    ("Relabel the selection, erase it", "Enter / Delete"),
    ("Cut out: the thing, the ground", "Drag / Right-drag"),
    ("Live-wire: fix the path", "Click"),
    ("Square, circle", "Shift+Drag"),
    ("Corner of a polygon: set, move", "Click / Drag"),
    ("Fill polygon, wire or cut-out", "Enter / Double-click"),
    ("Erase it instead", "Alt+Enter / Ctrl+Enter"),
    ("Take back its last step", "Backspace"),
    ("Select several images of the list", "Ctrl+Click / Shift+Click"),
    ("Abort the running stroke", "Esc"),
    ("Leave one by one: map, what-if, pin", "Esc"),
    ("Models side by side: fit, leave", "Double-click / Esc"),
    ("Mute a bin of the pyramid, unmute it", "Double-click / M on it"),
    ("Scale or borrow a bin", "Right-click on it"),
    ("What-if: show what was before while held", "U"),
    ("Hide the overlay while held; a tap toggles", "Tab"),
    ("Move the divider of the split view", "Drag its grip"),
    ("Go to a place of the picture", "Click or drag in the minimap"),
)
