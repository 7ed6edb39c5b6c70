"""What the image list, batches and reviews have to do with the rest of the window."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from pspgui.gui.actions import Actions
from pspgui.gui.commands.queue import predict_images
from pspgui.gui.commands.row import Parts
from pspgui.gui.panels.image_view import LOOKS
from pspgui.gui.settings import Settings

_KEPT_LOOK: Final = "images/look"


def wire_queue(parts: Parts, actions: Actions) -> None:
    """Connect the list, its batches and reviews with actions and settings; once a window."""
    queue, batch, review, images = parts.queue, parts.batch, parts.review, parts.images

    def predict(paths: Sequence[Path], keep_labels: bool) -> None:
        predict_images(parts, paths, keep_labels)

    images.predict_wanted.connect(predict)
    images.export_wanted.connect(parts.window.data_sets.export)
    for signal in (
        queue.project_changed, queue.counts_changed, queue.found_changed, batch.running_changed,
        batch.unlabelled_changed, review.active_changed, parts.session.model_changed,
    ):  # fmt: skip
        signal.connect(actions.refresh)
    settings = Settings(images)
    look = settings.choice(_KEPT_LOOK, "list")
    if look in LOOKS:
        images.set_look(look)
    images.look_changed.connect(lambda chosen: settings.set_choice(_KEPT_LOOK, chosen))
