"""The table of commands, and how their errors reach the user. Heavy imports wait until used."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any

import click
import typer

from pspgui.cli import evaluate, explain, export, inspect, predict, train

COMMANDS: dict[str, Callable[..., Any]] = {
    "predict": predict.predict,
    "explain": explain.explain,
    "evaluate": evaluate.evaluate,
    "train": train.train,
    "export": export.export,
    "inspect": inspect.inspect,
}


def build() -> typer.Typer:
    """Return the command line with all its commands."""
    app = typer.Typer(
        name="pspgui",
        help="See what PSPNet sees, correct it with a brush, and teach it. "
        "Without a command the window opens.",
        add_completion=False,
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
    )
    for name, command in COMMANDS.items():
        app.command(name)(command)
    return app


def run(arguments: Sequence[str]) -> int:
    """Run one command; `arguments` are without the program's name. Return the exit code.

    Errors meant for people (`ValueError` and `OSError` families of this package) become one line
    on standard error and exit code 1; wrong usage is 2.
    """
    try:
        result = build()(list(arguments), prog_name="pspgui", standalone_mode=False)
    except click.exceptions.Exit as done:
        return int(done.exit_code)
    except click.exceptions.Abort:
        print("pspgui: stopped", file=sys.stderr)
        return 130
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except KeyboardInterrupt:
        print("pspgui: stopped", file=sys.stderr)
        return 130
    except (ValueError, OSError, RuntimeError) as error:
        print(f"pspgui: {error}", file=sys.stderr)
        return 1
    return int(result or 0)
