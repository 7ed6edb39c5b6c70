"""The context lab: scenes in which only context decides, and the two networks that read them."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from pspgui import places
from pspgui.gui.commands.row import ActionRow, Parts
from pspgui.jobs.context_lab import lay_out_lab
from pspgui.jobs.messages import Urgency


def _open(parts: Parts) -> None:
    def opened(folder: Path) -> None:
        parts.session.open_paths((places.context_lab_model(), folder))

    parts.session.answer_to("lab", opened)
    parts.session.ask("files", "lab", lay_out_lab(places.user_folder()), Urgency.LOOK)


ROWS: Final = (
    ActionRow("context_lab", "Context lab: where only context decides", (), _open, "Help",
              "mdi6.flask-outline"),
    ActionRow("context_lab_fcn", "Context lab: read it with the FCN that cannot see far", (),
              lambda p: p.session.open_weights(places.context_lab_model("fcn")), "Help"),
)  # fmt: skip
