"""Export and import in the window: what the dialogs ask for, run on the worker lanes, reported."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from PySide6.QtCore import QObject, Signal, Slot
from PySide6.QtWidgets import QDialog, QWidget

from pspgui.durable import printable
from pspgui.gui.errors import Failure, telling
from pspgui.gui.notices import Notice
from pspgui.jobs.messages import Job, Step, Steps, Turn, Urgency
from pspgui.labels.classes import ClassTable

if TYPE_CHECKING:
    from pspgui.gui.dialogs.report import Told
    from pspgui.gui.document import Document
    from pspgui.gui.session import Session
    from pspgui.gui.settings import Settings
    from pspgui.jobs.exporting import Exportable, ExportOutcome, ExportRequest
    from pspgui.jobs.importing import ImportOptions, ImportPlan, ImportReport

_SAVING_S: Final = 30.0


class DataSets(QObject):
    """Exports and imports the labels of the images listed. GUI thread only.

    Signals for the import dialog: `planned(ImportPlan)`, and `refused(str)` when a source cannot
    be read. Dialogs are made when they are first wanted, and so is what they import.
    """

    planned = Signal(object)
    refused = Signal(str)

    def __init__(
        self, document: Document, session: Session, settings: Settings, window: QWidget
    ) -> None:
        super().__init__(window)
        self._document, self._session = document, session
        self._settings, self._window = settings, window
        self.dialog: QDialog | None = None
        self.report: QDialog | None = None
        self._only: tuple[Path, ...] | None = None  # the images that an export was asked for
        for kind, slot in (
            ("exportable", self._ask_export), ("import_ready", self._ask_import),
            ("import_plan", self._on_planned),
        ):  # fmt: skip
            session.answer_to(kind, slot)

    # -- export -------------------------------------------------------------------------------

    def export(self, only: Sequence[Path] | None = None) -> None:
        """Find out what there is to export, then ask how; `only` these images, else all."""
        from pspgui.jobs.exporting import find_exportable

        if self._is_asking():
            return
        self._document.finish_stroke()
        self._session.autosave.save_now()
        self._only = None if only is None else tuple(only)
        index = self._session.project.index
        images = self._only or self._images()
        job = find_exportable(images, set(self._unsaved()), self._session.store, index)
        self._session.ask("files", "exportable", _prepared(job), Urgency.LOOK)

    @Slot(object)
    def _ask_export(self, exportable: Exportable) -> None:
        from pspgui.gui.dialogs.export import ExportDialog

        if self._is_asking():
            return
        dialog = ExportDialog(exportable, self._home(), self._settings, self._window)
        dialog.accepted.connect(self._export_chosen)
        self._show(dialog)

    @Slot()
    def _export_chosen(self) -> None:
        self.run_export(self.dialog.request())

    def run_export(self, request: ExportRequest) -> None:
        """Export as asked; the report follows."""
        from pspgui.jobs.exporting import LabelSource, run_export

        session = self._session
        self._document.finish_stroke()
        session.autosave.save_now()
        unsaved = self._unsaved()
        tables = {image: session.autosave.table_of(image) for image in unsaved}
        document, shown = self._document, self._document.image_path
        own = document.table if document.has_saved_labels or shown in unsaved else None
        model = session.model
        options = request.options
        if options is not None and model is not None:
            request = request._replace(options=options.model_copy(update={"model": model.digest}))
        source = LabelSource(
            session.store, {image: (s.labels, tables[image]) for image, s in unsaved.items()},
            document.table if model is None else model.table,
            {} if own is None or shown is None else {shown: own},
            {image: s.provenance for image, s in unsaved.items()},
            any_size=options is not None and options.misfits == "resize",
        )  # fmt: skip
        images = self._only or self._images()
        first = () if own is None or shown is None else (shown,)  # its numbers are those seen

        def table(check: Callable[[], None]) -> ClassTable:
            return source.table((*first, *images), check)

        job = run_export(images, source.marked_labels_of, table, request)
        what = f"The export to {printable(request.destination.name)}"
        session.in_turn.ask("export_set", what, job, self._on_exported, Urgency.PREDICT)

    @Slot(object)
    def _on_exported(self, outcome: ExportOutcome) -> None:
        self._show_report(_export_told(outcome))

    # -- import -------------------------------------------------------------------------------

    def import_(self) -> None:
        """Ask for a data set and what to do with it."""
        if self._is_asking():
            return
        reason = self._document.read_only_reason or self._session.project.reason
        if self._document.image_path is None and not self._session.images:
            reason = "Open the folder of images that is to get the labels first."
        if reason:
            self._session.notice.emit(Notice(reason, about="import"))
            return

        def nothing(turn: Turn) -> Steps:
            yield Step("Preparing the import")

        self._session.ask("files", "import_ready", _prepared(nothing), Urgency.LOOK)

    @Slot(object)
    def _ask_import(self, _: object = None) -> None:
        from pspgui.gui.dialogs.import_ import ImportDialog

        if self._is_asking():
            return
        dialog = ImportDialog(self, self._home(), self._settings, self._window)
        dialog.accepted.connect(self._import_chosen)
        self._show(dialog)

    def plan(self, source: Path, folder: Path, options: ImportOptions) -> None:
        """Look into a data set; answered by `planned` or `refused`."""
        from pspgui.jobs.importing import plan_import

        job = plan_import(source, folder, self._session.store, options)
        self._session.ask("files", "import_plan", telling(job), Urgency.LOOK)

    @Slot(object)
    def _on_planned(self, found: ImportPlan | Failure) -> None:
        if isinstance(found, Failure):
            self.refused.emit(found.sentence)
        else:
            self.planned.emit(found)

    @Slot()
    def _import_chosen(self) -> None:
        dialog: Any = self.dialog
        self.run_import(dialog.source, self._home(), dialog.options())

    def run_import(self, source: Path, folder: Path, options: ImportOptions) -> None:
        """Import as asked; the labels shown may not be edited meanwhile. The report follows."""
        from pspgui.jobs.importing import run_import

        session = self._session
        job = run_import(
            source, folder, session.store, options, partial(session.autosave.wait, _SAVING_S)
        )
        session.holding.run(
            "background", "import_set", job, "The import", self._on_imported, Urgency.BACKGROUND
        )

    def _on_imported(self, found: ImportReport) -> None:
        if found.copied or self._document.image_path is None:
            self._session.open_path(found.folder)
        else:
            self._session.images_changed.emit(self._session.images)  # statistics are read anew
        self._show_report(_import_told(found))

    # -- both ---------------------------------------------------------------------------------

    def _images(self) -> Sequence[Path]:
        shown, images = self._document.image_path, self._session.images
        return images if shown is None or shown in images else (*images, shown)

    def _home(self) -> Path:
        images = self._images()
        return images[0].parent if images else Path.home()

    def _unsaved(self) -> dict[Path, Any]:
        autosave = self._session.autosave
        found = {image: autosave.snapshot_of(image) for image in autosave.unsaved}
        return {image: snapshot for image, snapshot in found.items() if snapshot is not None}

    def _is_asking(self) -> bool:
        if self.dialog is None or not self.dialog.isVisible():
            return False
        self.dialog.raise_()
        return True

    def _show(self, dialog: QDialog) -> None:
        self.dialog = dialog
        dialog.setModal(True)
        dialog.show()

    def _show_report(self, told: Told) -> None:
        from pspgui.gui.dialogs.report import ReportDialog

        self.report = ReportDialog(told, self._window)
        self.report.show()


def _prepared(job: Job) -> Job:
    """Return a job that also imports what the dialogs need, which takes a moment."""

    def prepared(turn: Turn) -> Steps:
        yield Step("Preparing")
        import pspgui.formats
        import pspgui.jobs.importing  # noqa: F401

        return (yield from job(turn))

    return prepared


def _export_told(outcome: ExportOutcome) -> Told:
    from pspgui.gui.dialogs.plain_table import number
    from pspgui.gui.dialogs.report import Told

    report = outcome.report
    noun = "image" if report.images == 1 else "images"
    headings: tuple[str, ...] = ("Class", "Pixels", "Share", "Read back")
    rows = [
        [name, number(pixels), _share(share), number(back), number(loss.pixels), number(loss.holes)]
        for name, pixels, share, back, loss in report.rows()
    ]
    if report.losses:
        headings = (*headings, "Lost", "Holes filled")
    else:
        rows = [row[:4] for row in rows]
    return Told(
        "Export", f"{number(report.images)} {noun} with labels exported", report.proof(),
        report.is_equal, headings, rows, outcome.lines()[len(report.pixels) + 2 :],
        report.destination, "\n".join(outcome.lines()),
    )  # fmt: skip


def _import_told(report: ImportReport) -> Told:
    from pspgui.gui.dialogs.plain_table import number
    from pspgui.gui.dialogs.report import Told

    total = sum(report.pixels.values()) or 1
    noun = "image" if report.images == 1 else "images"
    failed = f"{len(report.failed)} could not be imported; see the remarks."
    return Told(
        "Import", f"Labels of {number(report.images)} {noun} imported",
        failed if report.failed else "Every label map was written and read back.",
        not report.failed, ("Class", "Pixels", "Share"),
        [[name, number(px), _share(px / total)] for name, px in report.pixels.items()],
        report.lines()[len(report.pixels) + 1 :], report.folder, "\n".join(report.lines()),
    )  # fmt: skip


def _share(share: float) -> str:
    return "0 %" if not share else "<0.1 %" if share < 0.001 else f"{share:.1%}".replace("%", " %")
