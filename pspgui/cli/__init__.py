"""The command line: `pspgui predict|explain|evaluate|train|export|import|inspect`. Needs no Qt."""

from __future__ import annotations

from pspgui.cli.root import COMMANDS, run

__all__ = ["COMMANDS", "run"]
