"""Maps of the whole image: context, evidence, certainty."""

from __future__ import annotations

from typing import Final

from pspgui.gui.commands.row import ActionRow, Parts, has_image
from pspgui.jobs.maps import MAPS

GROUP: Final = "Maps of the image"


def _is_on(parts: Parts, name: str) -> bool:
    choice = parts.maps.choice
    return choice is not None and choice.name == name


ROWS: Final = (
    *(
        ActionRow(
            f"map_{kind.name}", kind.title, (),
            lambda p, name=kind.name: p.maps.toggle(name), GROUP,
            checked=lambda p, name=kind.name: _is_on(p, name),
            enabled=lambda p, kind=kind: p.maps.offers(kind), line=kind.name == "confidence",
        )
        for kind in MAPS
    ),
    ActionRow("map_none", "No map: the labels", (), lambda p: p.maps.choose(None), GROUP,
              enabled=has_image, line=True),
)  # fmt: skip
