"""Where compared models are seen: a page in the canvas's place, made when it is first wanted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Slot
from PySide6.QtWidgets import QAbstractItemView, QApplication, QStackedWidget

from pspgui.geometry import Rect
from pspgui.gui.actions import Actions
from pspgui.gui.canvas.pyramid_image import PyramidImage
from pspgui.gui.canvas.zooming import with_room
from pspgui.gui.commands.row import Parts

if TYPE_CHECKING:
    from pspgui.gui.comparing_page import ComparePage


class CompareStage(QObject):
    """Puts the page of compared models before the canvas, or away. GUI thread only.

    Made after the window has connected its own slots, so that the page stays in front when the
    window turns to the canvas for another image.
    """

    def __init__(self, parts: Parts, actions: Actions, pages: QStackedWidget) -> None:
        super().__init__(pages)
        self._parts, self._pages = parts, pages
        self.page: ComparePage | None = None
        comparing = parts.comparing
        for signal in (
            comparing.models_changed, comparing.side_by_side_changed, comparing.compared,
            comparing.readings_changed,
        ):  # fmt: skip
            signal.connect(actions.refresh)
        comparing.side_by_side_changed.connect(self._show)
        comparing.region_chosen.connect(self._zoom_to)
        parts.document.image_changed.connect(self._stay)
        parts.session.current_changed.connect(self._stay)

    @property
    def is_shown(self) -> bool:
        """Whether the page is what is seen."""
        return self.page is not None and self._pages.currentWidget() is self.page

    @Slot()
    def _show(self) -> None:
        if self._parts.comparing.side_by_side:
            self._stay()
        elif self.is_shown:
            self._pages.setCurrentWidget(self._parts.canvas)
            self._parts.canvas.setFocus()

    @Slot()
    def _stay(self, *_what: object) -> None:
        comparing, document = self._parts.comparing, self._parts.document
        if not comparing.side_by_side or document.image is None:
            return
        if self.page is None:
            from pspgui.gui.comparing_page import ComparePage

            picture = self._parts.canvas.findChild(PyramidImage)
            self.page = ComparePage(document, comparing, picture)
            self._pages.addWidget(self.page)
        self._pages.setCurrentWidget(self.page)
        if not isinstance(QApplication.focusWidget(), QAbstractItemView):
            self.page.setFocus()

    @Slot(object)
    def _zoom_to(self, rect: Rect) -> None:
        if self.is_shown and self.page is not None:
            self.page.zoom_to(rect)
        else:
            self._parts.canvas.zoom_to(with_room(rect))
