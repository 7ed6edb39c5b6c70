"""Other models beside the one in use."""

from __future__ import annotations

from typing import Final

from pspgui.gui.commands.row import ActionRow, Parts, has_image

LIST_TITLE: Final = "Differences"


def _add(parts: Parts) -> None:
    from pspgui.gui.dialogs.compare import ask_for_model

    path = ask_for_model(parts.comparing, parts.session, parts.canvas.window())
    if path is not None and parts.comparing.add(path):
        parts.comparing.set_side_by_side(True)


def show_list(parts: Parts) -> None:
    """Bring the list of differences into view."""
    dock = parts.canvas.window().more[LIST_TITLE]
    dock.show()
    dock.raise_()


def _is_on(parts: Parts) -> bool:
    return parts.comparing.is_on


def _chosen(parts: Parts) -> str:
    comparing = parts.comparing
    if comparing.chosen is None:
        return "Map of where the models differ"
    return f"Map of where {comparing.name_of(comparing.chosen)} differs"


ROWS: Final = (
    ActionRow("compare_add", "Compare with another model…", ("Ctrl+Alt+M",), _add, "Compare",
              "mdi6.compare", enabled=has_image),
    ActionRow("compare_page", "Models side by side", ("Ctrl+Alt+S",),
              lambda p: p.comparing.set_side_by_side(not p.comparing.side_by_side), "Compare",
              "mdi6.view-parallel-outline", checked=lambda p: p.comparing.side_by_side,
              enabled=_is_on, line=True),
    ActionRow("compare_map", "Map of where the models differ", (),
              lambda p: p.comparing.show_map(not p.comparing.wants_map), "Compare",
              "mdi6.vector-difference", checked=lambda p: p.comparing.wants_map, enabled=_is_on,
              live=_chosen),
    ActionRow("compare_list", "List of differences", (), show_list, "Compare",
              "mdi6.format-list-bulleted", enabled=_is_on),
    ActionRow("compare_again", "Read the image again by the other models", (),
              lambda p: p.comparing.read_again(), "Compare", enabled=_is_on),
    ActionRow("compare_stop", "Stop comparing", (), lambda p: p.comparing.stop(), "Compare",
              "mdi6.close", enabled=_is_on, line=True),
)  # fmt: skip
