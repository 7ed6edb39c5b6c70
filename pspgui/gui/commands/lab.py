"""The context lab: scenes in which only context decides, and the two networks that read them."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from pspgui import places
from pspgui.gui.commands.comparing import show_list
from pspgui.gui.commands.row import ActionRow, Parts
from pspgui.jobs.context_lab import lay_out_lab
from pspgui.jobs.messages import Urgency


def _open(parts: Parts) -> None:
    def opened(folder: Path) -> None:
        parts.session.open_paths((places.context_lab_model(), folder))

    parts.session.answer_to("lab", opened)
    parts.session.ask("files", "lab", lay_out_lab(places.user_folder()), Urgency.LOOK)


def _open_both(parts: Parts) -> None:
    """Open the lab with its labels, and the FCN beside the PSPNet."""
    fcn = places.context_lab_model("fcn")

    def opened(folder: Path) -> None:
        parts.comparing.stop()
        parts.session.open_paths((places.context_lab_model(), folder))
        if parts.comparing.add(fcn):
            parts.comparing.set_side_by_side(True)
            show_list(parts)

    parts.session.answer_to("lab", opened)
    job = lay_out_lab(places.user_folder(), labels=parts.session.store)
    parts.session.ask("files", "lab", job, Urgency.LOOK)


ROWS: Final = (
    ActionRow("context_lab", "Context lab: where only context decides", (), _open, "Help",
              "mdi6.flask-outline"),
    ActionRow("context_lab_fcn", "Context lab: read it with the FCN that cannot see far", (),
              lambda p: p.session.open_weights(places.context_lab_model("fcn")), "Help"),
    ActionRow("context_lab_both", "Context lab: PSPNet and FCN side by side", (), _open_both,
              "Help"),
)  # fmt: skip
