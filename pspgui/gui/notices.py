"""What a session tells the window: notices that must not be missed, and jobs under way."""

from __future__ import annotations

from dataclasses import dataclass

from pspgui.jobs.messages import Step


@dataclass(frozen=True)
class Notice:
    """Something to tell that must not be missed; `retry` names the action of its button.

    `about` is "open", "predict", "model", "classes" or "save": the next success takes the notice
    away, and so does a later notice about the same. `button` is the text of the button.
    """

    text: str
    is_error: bool = True
    retry: str = ""
    about: str = ""
    button: str = "Try again"


@dataclass(frozen=True)
class Activity:
    """A job under way, for the status bar; `kind` is what `Session.cancel` takes."""

    kind: str
    step: Step
