"""What the what-if has to do with the rest of the window: canvas, grids of bins, actions."""

from __future__ import annotations

from pspgui.gui.actions import Actions
from pspgui.gui.canvas.what_if_layer import WhatIfLayer
from pspgui.gui.commands.row import Parts
from pspgui.gui.panels.bin_grids import BinGrids
from pspgui.gui.panels.what_if_menu import WhatIfMenu


def wire_what_if(parts: Parts, grids: BinGrids, actions: Actions) -> None:
    """Connect canvas, grids and actions with the what-if of the window; once a window.

    The menu of the grids lives as long as they do, for it remembers which image came before.
    """
    what_if = parts.what_if
    parts.canvas.let_stand_in(WhatIfLayer(parts.document, what_if, parts.canvas))
    WhatIfMenu(what_if, parts.document, parts.session, grids)
    what_if.changed.connect(actions.refresh)
    what_if.look_changed.connect(actions.refresh)
