"""The queue of images: finding, marking, predicting many, reviewing."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from PySide6.QtWidgets import QMessageBox

from pspgui.gui.commands.row import ActionRow, Parts, has_prediction


def can_mark(parts: Parts) -> bool:
    """Whether statuses and words can be kept of the images selected."""
    queue = parts.queue
    return bool(queue.images) and queue.index is not None and not queue.read_only


def _mark_done(parts: Parts) -> None:
    """Mark the image shown done and go on; several selected ones are only marked.

    Who changes nothing in the prediction and calls it done accepts it: exports then have labels.
    """
    chosen, document = parts.images.selected(), parts.document
    if list(chosen) == [document.image_path] and not document.is_touched and has_prediction(parts):
        document.accept_prediction()  # says so where this is a first look
        document.finish_stroke()
        if document.is_preview:
            return
    parts.session.save_now()
    parts.queue.set_status(chosen, "done")
    if len(chosen) == 1:
        parts.images.step(1)


def _type_into(field: str, parts: Parts) -> None:
    details = parts.images.details
    if details is not None:
        details.set_paths(parts.images.selected())
        details.type_into(getattr(details, field))


def predict_images(parts: Parts, images: Sequence[Path], keep_labels: bool) -> None:
    """Let the model read images; before their labels are kept, the person is asked."""
    if keep_labels and not _may_keep(parts, len(images)):
        return
    parts.batch.predict(images, keep_labels)


def _label_done(parts: Parts) -> None:
    """Give images that are done without labels those of the model, once the person agrees.

    The image shown is accepted as Ctrl+D does; the others are read.
    """
    document, wanted = parts.document, parts.batch.unlabelled
    shown = document.image_path
    accepts = shown in wanted and has_prediction(parts) and not document.is_touched
    if not wanted or not _may_keep(parts, len(wanted), accepts):
        return
    parts.batch.settle_unlabelled()
    if accepts:
        document.accept_prediction()  # says so where this is a first look
        document.finish_stroke()
        parts.session.save_now()
    rest = [image for image in wanted if image != shown]
    if rest:
        parts.batch.predict(rest, keep_labels=True)


def _may_keep(parts: Parts, count: int, accepts_shown: bool = False) -> bool:
    box = QMessageBox(parts.canvas.window())
    box.setIcon(QMessageBox.Icon.Question)
    box.setWindowTitle("Keep predictions as labels")
    box.setText(
        f"Keep the model's labels of {count} image{'' if count == 1 else 's'} to start from?"
    )
    box.setInformativeText(
        "Only images without labels get them; labels that exist stay as they are. Each pixel is "
        "noted as the model's, and can be painted over like any other."
        + (" Those of the image shown are noted as accepted by you." if accepts_shown else "")
    )
    keep = box.addButton("Predict and keep", QMessageBox.ButtonRole.AcceptRole)
    box.addButton(QMessageBox.StandardButton.Cancel)
    box.exec()
    return box.clickedButton() is keep


def _filter(parts: Parts) -> None:
    field = parts.images.filter_field
    field.setFocus()
    field.selectAll()


ROWS: Final = (
    ActionRow("queue_next", "Next image by doubt", ("Shift+D",), lambda p: p.queue.go(1),
              "Images", "mdi6.skip-next-outline", repeats=True),
    ActionRow("queue_previous", "Previous image by doubt", ("Shift+A",),
              lambda p: p.queue.go(-1), "Images", "mdi6.skip-previous-outline", repeats=True),
    ActionRow("filter", "Filter the images", ("/", "Ctrl+Shift+F"), _filter, "Images",
              "mdi6.magnify"),
    ActionRow("mark_done", "Mark done and go on", ("Ctrl+D",), _mark_done, "Images", "mdi6.check",
              enabled=can_mark, line=True),
    ActionRow("flag", "Flag", ("F",), lambda p: p.queue.toggle_flag(p.images.selected()), "Images",
              "mdi6.flag-outline", enabled=can_mark),
    ActionRow("undo_status", "Undo the change of status", ("Ctrl+Alt+Z",),
              lambda p: p.queue.undo_status(), "Images", "mdi6.undo-variant",
              enabled=lambda p: p.queue.can_undo_status),
    ActionRow("tags", "Tags", ("Ctrl+T",), lambda p: _type_into("tags_field", p), "Images",
              "mdi6.tag-outline", enabled=can_mark),
    ActionRow("note", "Note", ("Ctrl+Shift+T",), lambda p: _type_into("note_field", p), "Images",
              "mdi6.note-text-outline", enabled=can_mark),
    ActionRow("predict_all", "Predict the images of the list", ("Ctrl+Shift+R",),
              lambda p: predict_images(p, p.images.shown_paths(), False), "Images",
              "mdi6.creation-outline", enabled=lambda p: p.batch.can_predict, line=True),
    ActionRow("predict_keep", "Predict and keep as starting labels…", (),
              lambda p: predict_images(p, p.images.shown_paths(), True), "Images",
              enabled=lambda p: p.batch.can_predict and can_mark(p)),
    ActionRow("keep_done", "Keep the model's labels of what is done…", (), _label_done, "Images",
              enabled=lambda p: bool(p.batch.unlabelled) and p.batch.can_predict and can_mark(p)),
    ActionRow("stop_batch", "Stop predicting", (), lambda p: p.batch.cancel(), "Images",
              "mdi6.stop-circle-outline", enabled=lambda p: p.batch.running),
    ActionRow("review_mode", "Review mode", ("Ctrl+Alt+R",),
              lambda p: p.review.set_active(not p.review.active), "Images",
              "mdi6.playlist-check", checked=lambda p: p.review.active, enabled=can_mark,
              line=True),
    ActionRow("review_accept", "Accept and go on", ("Y",), lambda p: p.review.accept(), "Images",
              "mdi6.check-decagram", enabled=lambda p: p.review.active and p.review.can_review),
    ActionRow("review_reject", "Reject and go on", ("Shift+Y",),
              lambda p: p.review.reject(), "Images", "mdi6.close-octagon-outline",
              enabled=lambda p: p.review.active and p.review.can_review),
)  # fmt: skip
