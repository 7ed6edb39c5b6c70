"""The table of commands, and how their errors reach the user. Heavy imports wait until used."""

from __future__ import annotations

import functools
import sys
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import typer

from pspgui.cli import (
    backups,
    check,
    convert,
    evaluate,
    explain,
    export,
    import_,
    inspect,
    models,
    predict,
    repair,
    stats,
    train,
)

COMMANDS: dict[str, Callable[..., int]] = {
    "predict": predict.predict,
    "explain": explain.explain,
    "evaluate": evaluate.evaluate,
    "train": train.train,
    "export": export.export,
    "import": import_.import_,
    "inspect": inspect.inspect,
    "convert": convert.convert,
    "models": models.models,
    "stats": stats.stats,
    "check": check.check,
    "repair": repair.repair,
    "backups": backups.backups,
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
        app.command(name)(_exiting(command))
    return app


def run(arguments: Sequence[str]) -> int:
    """Run one command; `arguments` are without the program's name. Return the exit code.

    Errors meant for people (`ValueError`, `OSError` and kinds of `RuntimeError`) become one line on
    standard error and exit code 1; wrong usage is 2.
    """
    # torch warns about the files it refuses; our own sentence says what matters.
    warnings.filterwarnings("ignore", category=UserWarning, module="torch")
    try:
        build()(list(arguments), prog_name="pspgui")
    except SystemExit as done:
        return done.code if isinstance(done.code, int) else int(done.code is not None)
    except (ValueError, OSError, RuntimeError) as error:
        if type(error) is RuntimeError:
            raise  # torch's own: a defect, which needs its traceback
        print(f"pspgui: {' '.join(_sentence(error).split())}", file=sys.stderr)
        return 1
    return 0


def _sentence(error: Exception) -> str:
    """Return an error's words; of pydantic's, only which value is wrong and why."""
    from pydantic import ValidationError

    if not isinstance(error, ValidationError):
        return str(error)
    faults = error.errors(include_url=False, include_context=False)
    return "; ".join(
        f"{'.'.join(map(str, f['loc']))}: {f['msg']}, not {f['input']}" if f["loc"] else f["msg"]
        for f in faults
    )


def _exiting(command: Callable[..., int]) -> Callable[..., Any]:
    """Return the command with its result as the exit code, which typer itself would drop."""

    @functools.wraps(command)
    def wrapped(*arguments: Any, **options: Any) -> None:
        raise typer.Exit(command(*arguments, **options))

    return wrapped
