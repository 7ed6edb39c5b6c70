"""What the what-if has to do with the rest of the window: canvas, grids of bins, its own panel."""

from __future__ import annotations

from PySide6.QtWidgets import QWidget

from pspgui.gui.actions import Actions
from pspgui.gui.canvas.what_if_layer import WhatIfLayer
from pspgui.gui.commands.row import Parts
from pspgui.gui.panels.bin_grids import BinGrids
from pspgui.gui.panels.what_if import WhatIfPanel
from pspgui.gui.panels.what_if_menu import WhatIfMenu
from pspgui.gui.what_if_notes import WhatIfNotes


def what_if_panel(parts: Parts, parent: QWidget) -> WhatIfPanel:
    """Return the what-if panel of a window."""
    notes = WhatIfNotes(parts.document, parts.session, parts.what_if, parts.what_if)
    return WhatIfPanel(parts.document, parts.what_if, notes, parent)


def wire_what_if(parts: Parts, grids: BinGrids, panel: QWidget, actions: Actions) -> None:
    """Connect canvas, grids and panel with the what-if of the window; once a window."""
    what_if = parts.what_if
    parts.canvas.let_stand_in(WhatIfLayer(parts.document, what_if, parts.canvas))
    if isinstance(panel, WhatIfPanel):
        panel.menu = WhatIfMenu(what_if, parts.document, parts.session, grids)
    what_if.changed.connect(actions.refresh)
    what_if.look_changed.connect(actions.refresh)
