"""The main window: puts canvas, docks, toolbar, menus and status bar together. No logic here."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from PySide6.QtCore import QEvent, QObject, Qt, QTimer, Signal, Slot
from PySide6.QtGui import QCloseEvent, QDragEnterEvent, QDropEvent, QKeyEvent, QPaintEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QAbstractSpinBox,
    QApplication,
    QDialog,
    QDockWidget,
    QLineEdit,
    QMainWindow,
    QMenu,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from pspgui.durable import printable
from pspgui.gui.actions import Actions, takes_enter
from pspgui.gui.banner import Banner
from pspgui.gui.batch_session import BatchSession
from pspgui.gui.canvas.canvas import Canvas
from pspgui.gui.canvas.readout import ZoomReadout
from pspgui.gui.commands import SUBMENUS
from pspgui.gui.commands.row import Parts
from pspgui.gui.comparing import Comparing
from pspgui.gui.comparing_stage import CompareStage
from pspgui.gui.docks import DOCKS
from pspgui.gui.document import Document
from pspgui.gui.evidence_session import EvidenceSession
from pspgui.gui.maps_session import MapsSession
from pspgui.gui.panel_dock import PanelDock
from pspgui.gui.panels.classes import ClassesPanel
from pspgui.gui.panels.evidence import EvidencePanel
from pspgui.gui.panels.images import ImagesPanel
from pspgui.gui.panels.pyramid import PyramidPanel
from pspgui.gui.panels.start import StartPage
from pspgui.gui.panels.status import StatusBar
from pspgui.gui.pen import PenWatch
from pspgui.gui.pins_session import PinsSession
from pspgui.gui.queue_session import QueueSession
from pspgui.gui.queue_wiring import wire_queue
from pspgui.gui.reading_ahead import ReadingAhead
from pspgui.gui.review_session import ReviewSession
from pspgui.gui.session import Activity, Session
from pspgui.gui.settings import Settings
from pspgui.gui.toolbar import MainToolBar
from pspgui.gui.view_memory import ViewMemory
from pspgui.gui.what_if import WhatIfSession
from pspgui.gui.what_if_wiring import wire_what_if
from pspgui.gui.window_verbs import WindowVerbs, local_path
from pspgui.jobs.modelling import ModelFacts

_LEFT, _RIGHT = Qt.DockWidgetArea.LeftDockWidgetArea, Qt.DockWidgetArea.RightDockWidgetArea
_BOTTOM = Qt.DockWidgetArea.BottomDockWidgetArea


class MainWindow(QMainWindow):
    """Assembles the parts and connects them; `first_painted` comes once it can be seen.

    `closing` comes while work can still be handed to be kept.
    """

    first_painted = Signal()
    closing = Signal()

    def __init__(self, document: Document, session: Session, settings: Settings) -> None:
        super().__init__()
        self.setObjectName("main_window")
        self.setWindowTitle("pspgui")
        self.setAcceptDrops(True)
        self.setDockNestingEnabled(True)
        self.document, self.session, self.settings = document, session, settings
        self._seen = False
        self._activity: Activity | None = None
        self.model_dialog: QDialog | None = None
        self.keeps_layout = True
        self.verbs = WindowVerbs(document, session, settings, self)
        self.canvas = Canvas(document)
        PenWatch(document.pen, self.canvas)
        ViewMemory(document, settings, self)
        self.queue = QueueSession(document, session, session.project, self)
        self.batch = BatchSession(document, session, self.queue)
        self.images = ImagesPanel(document, self, queue=self.queue)
        ReadingAhead(document, self.images.model, session.kept, self)
        self.review = ReviewSession(document, session, self.queue, self.images, settings)
        comparing = Comparing(document, session, settings, self)
        self.maps = MapsSession(document, session, self)
        self.what_if = WhatIfSession(document, session, self)
        pins = PinsSession(document, session, self)
        self.closing.connect(pins.keep_now)
        self.parts = Parts(
            document, session, self.canvas, self.images, self.verbs, session.project,
            self.queue, self.batch, self.review, comparing, self.maps,
            self.what_if, pins,
        )  # fmt: skip
        self.actions_table = Actions(self.parts, self)
        self._build_centre()
        self._build_docks()
        self.toolbar = MainToolBar(document, session, self.actions_table, self)
        self.addToolBar(self.toolbar)
        self._build_menus()
        self._build_status()
        self._connect()
        EvidenceSession(document, session, settings, self.evidence)
        self.installEventFilter(self)
        self.pages.setCurrentWidget(self.start)
        self.start.setFocus()

    # -- parts --------------------------------------------------------------------------------

    def _build_centre(self) -> None:
        self.start = StartPage(self.document, self)
        self.banner = Banner()
        self.pages = QStackedWidget()
        self.pages.addWidget(self.start)
        self.pages.addWidget(self.canvas)
        centre = QWidget()
        column = QVBoxLayout(centre)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.banner)
        column.addWidget(self.pages, 1)
        self.setCentralWidget(centre)

    def _build_docks(self) -> None:
        self.classes = ClassesPanel(self.document, self)
        self.evidence = EvidencePanel(self.document, self)
        self.pyramid = PyramidPanel(self.document, self, self.canvas, self.settings)
        self.docks = [
            self._dock("Images", self.images, _LEFT),
            self._dock("Classes", self.classes, _RIGHT),
            self._dock("Evidence", self.evidence, _RIGHT),
            self._dock("Pyramid", self.pyramid, _BOTTOM),
        ]
        self.more: dict[str, QDockWidget] = {}
        for row in DOCKS:
            dock = PanelDock(row.title, partial(row.build, self.parts), self)
            self.addDockWidget(row.area, dock)
            if row.area == _RIGHT:  # one behind the other: side by side they outgrow the screen
                self.tabifyDockWidget(self.docks[2], dock)
            dock.setVisible(False)
            dock.toggleViewAction().triggered.connect(dock.raise_)
            self.more[row.title] = dock
        wire_what_if(self.parts, self.evidence.grids, self.actions_table)
        self.docks[2].raise_()
        self.setCorner(Qt.Corner.BottomLeftCorner, _BOTTOM)
        self.setCorner(Qt.Corner.BottomRightCorner, _RIGHT)

    def _dock(self, title: str, panel: QWidget, area: Qt.DockWidgetArea) -> QDockWidget:
        dock = QDockWidget(title, self)
        dock.setObjectName(f"dock_{title.lower()}")
        dock.setWidget(panel)
        self.addDockWidget(area, dock)
        return dock

    def _build_menus(self) -> None:
        actions = self.actions_table
        menus: dict[str, QMenu] = {}
        for row in actions.rows:
            if row.group not in menus:
                around = SUBMENUS.get(row.group)
                parent = self.menuBar() if around is None else menus[around]
                menus[row.group] = parent.addMenu(row.group)
            if row.line:
                menus[row.group].addSeparator()
            menus[row.group].addAction(actions[row.id])
            self.addAction(actions[row.id])
        self.recent_menu = QMenu("Open recent", self)
        menus["File"].insertMenu(actions["open_sample"], self.recent_menu)
        panels = menus["View"].addMenu("Panels")
        for dock in (*self.docks, *self.more.values()):
            panels.addAction(dock.toggleViewAction())
        self._show_recent()

    def _build_status(self) -> None:
        self.status = StatusBar(self.document, self)
        self.status.addPermanentWidget(ZoomReadout(self.canvas))
        self.setStatusBar(self.status)

    def _connect(self) -> None:
        document, session = self.document, self.session
        document.image_changed.connect(self._image_changed)
        self.canvas.tool_changed.connect(self.actions_table.refresh)
        self.pyramid.maps.mode_changed.connect(self.actions_table.refresh)
        self.maps.changed.connect(self.actions_table.refresh)
        self.images.image_chosen.connect(session.show_image)
        session.images_changed.connect(self.images.set_images)
        session.current_changed.connect(self.images.set_current)
        session.labelled.connect(self.images.set_labelled)
        session.notice.connect(self.banner.tell)
        session.settled.connect(self.banner.settle)
        session.image_saved.connect(self._image_saved)
        session.keeping.changed.connect(self.actions_table.refresh)
        self.banner.retried.connect(self._retry)
        wire_queue(self.parts, self.actions_table)
        session.current_changed.connect(self._current_changed)
        session.activity_changed.connect(self._activity_changed)
        session.model_changed.connect(self._model_changed)
        self.status.job.cancel_requested.connect(self._cancel)
        self.start.open_image_requested.connect(self.verbs.open_image)
        self.start.open_folder_requested.connect(self.verbs.open_folder)
        self.start.sample_requested.connect(session.open_sample)
        self.start.recent_chosen.connect(session.open_path)
        self.settings.recent_changed.connect(self._show_recent)
        self.verbs.start_page_wanted.connect(self._show_start)
        self.verbs.keys_wanted.connect(self._show_keys)
        self.verbs.model_wanted.connect(self._show_model)
        self.verbs.quit_wanted.connect(self.close)
        self.stage = CompareStage(self.parts, self.actions_table, self.pages)

    # -- slots --------------------------------------------------------------------------------

    @Slot()
    def _image_changed(self) -> None:
        title = self.document.image_title
        self.setWindowTitle(f"{title} – pspgui" if title else "pspgui")
        page = self.start if self.document.image is None else self.canvas
        self.pages.setCurrentWidget(page)
        if not isinstance(QApplication.focusWidget(), QAbstractItemView):
            page.setFocus()  # so that single keys are tools, not letters of the filter

    @Slot(object)
    def _current_changed(self, path: Path | None) -> None:
        if path is not None and path == self.document.image_path:
            self.pages.setCurrentWidget(self.canvas)

    @Slot(object)
    def _activity_changed(self, activity: Activity | None) -> None:
        job, before = self.status.job, self._activity
        self._activity = activity
        if activity is None:
            job.end()
            return
        if before is None or before.kind != activity.kind:
            job.begin(activity.step.text)
        job.set_progress(activity.step.fraction, activity.step.text)

    @Slot()
    def _cancel(self) -> None:
        if self._activity is not None:
            self.session.cancel(self._activity.kind)

    @Slot(object)
    def _model_changed(self, facts: ModelFacts | None) -> None:
        if facts is None:
            self.status.set_model("no model", "", "")
            return
        self.status.set_model(facts.title, facts.device, facts.running, printable(facts.path))

    @Slot(object)
    def _image_saved(self, image: Path) -> None:
        if image != self.document.image_path or not self.document.is_dirty:
            self.images.set_status(image, "saved")

    @Slot()
    def _show_start(self) -> None:
        self.pages.setCurrentWidget(self.start)

    @Slot()
    def _show_keys(self) -> None:
        from pspgui.gui.dialogs.shortcuts import ShortcutsDialog

        ShortcutsDialog(self.actions_table.rows, self).exec()

    @Slot()
    def _show_model(self) -> None:
        if self.model_dialog is None:
            from pspgui.gui.dialogs.model import ModelDialog

            self.model_dialog = ModelDialog(self.document, self.session, self)
        self.model_dialog.show()
        self.model_dialog.raise_()

    @Slot(str)
    def _retry(self, action: str) -> None:
        self.actions_table[action].trigger()

    @Slot()
    def _show_recent(self) -> None:
        self.recent_menu.clear()
        for path in self.settings.recent:
            action = self.recent_menu.addAction(printable(path))
            action.setData(str(path))
            action.triggered.connect(self._open_recent)
        self.start.set_recent(self.settings.recent)
        self.recent_menu.setEnabled(bool(self.settings.recent))

    @Slot()
    def _open_recent(self) -> None:
        self.session.open_path(Path(self.sender().data()))

    # -- events -------------------------------------------------------------------------------

    def arrange(self) -> None:
        """Share the window out anew: the strip as high as its tiles, evidence before classes."""
        images, classes, evidence, pyramid = self.docks
        width, height = self.width(), self.height()
        beside = max(200, height - 110)
        few = max(152, min(40 + 28 * len(self.document.table) + 24, beside - 472))
        strip = 108 + max(32, min(128, (width - 500) // 17))
        self.resizeDocks([images, evidence], [232, 320], Qt.Orientation.Horizontal)
        self.resizeDocks([classes, evidence], [few, beside - few], Qt.Orientation.Vertical)
        self.resizeDocks([pyramid], [strip], Qt.Orientation.Vertical)

    def restore_layout(self) -> None:
        """Put size and docks back where they were left."""
        if self.settings.geometry is not None:
            self.restoreGeometry(self.settings.geometry)
        if self.settings.docks is not None:
            self.restoreState(self.settings.docks)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Tell, once, that the window can be seen."""
        super().paintEvent(event)
        if not self._seen:
            self._seen = True
            QTimer.singleShot(0, self.first_painted.emit)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Leave Enter to the widget that has the keyboard and a use for it.

        A filter of the window itself, for `event` would be under every painting of every widget,
        and PySide ends the process when exceptions meet there.
        """
        if event.type() == QEvent.Type.ShortcutOverride and isinstance(event, QKeyEvent):
            self.actions_table.catch_up()
            is_enter = event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter)
            if is_enter and takes_enter(QApplication.focusWidget()):
                event.accept()
                return True
        return False

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Esc in a panel leaves it for the picture; where nothing is typed it steps back too."""
        shown = self.stage.page if self.stage.is_shown else self.canvas
        if event.key() != Qt.Key.Key_Escape or shown is None or not shown.isVisible():
            super().keyPressEvent(event)
            return
        typing = isinstance(QApplication.focusWidget(), QLineEdit | QAbstractSpinBox)
        shown.setFocus()
        if not typing:
            shown.step_back()

    def closeEvent(self, event: QCloseEvent) -> None:
        """Close when everything is saved, or the person says so."""
        self.closing.emit()
        if not self.verbs.may_close():
            event.ignore()
            return
        if self.keeps_layout:
            self.settings.keep_layout(self.saveGeometry(), self.saveState())
        self.images.close_worker()
        event.accept()

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        """Accept files and folders."""
        if any(url.isLocalFile() for url in event.mimeData().urls()):
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        """Open what was dropped: images, a folder, or weights."""
        urls = [url for url in event.mimeData().urls() if url.isLocalFile()]
        self.session.open_paths(local_path(url) for url in urls)
        event.acceptProposedAction()
