"""One row of the table of everything the window can do, and what its verb may act on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pspgui.gui.batch_session import BatchSession
    from pspgui.gui.canvas.canvas import Canvas
    from pspgui.gui.comparing import Comparing
    from pspgui.gui.document import Document
    from pspgui.gui.maps_session import MapsSession
    from pspgui.gui.panels.images import ImagesPanel
    from pspgui.gui.pins_session import PinsSession
    from pspgui.gui.project_session import ProjectSession
    from pspgui.gui.queue_session import QueueSession
    from pspgui.gui.review_session import ReviewSession
    from pspgui.gui.session import Session
    from pspgui.gui.what_if import WhatIfSession
    from pspgui.gui.window_verbs import WindowVerbs


@dataclass(frozen=True)
class Parts:
    """What verbs act on."""

    document: Document
    session: Session
    canvas: Canvas
    images: ImagesPanel
    window: WindowVerbs
    project: ProjectSession
    queue: QueueSession
    batch: BatchSession
    review: ReviewSession
    comparing: Comparing
    maps: MapsSession
    what_if: WhatIfSession
    pins: PinsSession


@dataclass(frozen=True)
class ActionRow:
    """One thing the user can do.

    `group` is its heading in menus and in the key list. `checked` makes it a toggle and says
    whether it is on; `enabled` says whether it can be done now. A `live` text follows the state
    ("Undo Brush Road"). `repeats`: holding the key repeats it. `line`: a line stands above it in
    its menu.
    """

    id: str
    text: str
    keys: tuple[str, ...]
    verb: Callable[[Parts], Any]
    group: str
    icon: str = ""
    checked: Callable[[Parts], bool] | None = None
    enabled: Callable[[Parts], bool] | None = None
    live: Callable[[Parts], str] | None = None
    repeats: bool = False
    line: bool = False


def has_image(parts: Parts) -> bool:
    """Whether an image is open."""
    return parts.document.image is not None


def has_prediction(parts: Parts) -> bool:
    """Whether the image has a prediction."""
    return parts.document.prediction is not None
