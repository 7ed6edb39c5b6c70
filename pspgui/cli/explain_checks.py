"""`pspgui explain --check`: whether evidence holds on a person's own model and image."""

from __future__ import annotations

import json
import textwrap
from typing import TYPE_CHECKING

import numpy as np

from pspgui.cli.explaining import Asking
from pspgui.durable import printable

if TYPE_CHECKING:
    from pspgui.inference.predictor import Predictor
    from pspgui.reports.checks import Check


def explain_checks(
    asking: Asking, pixels: np.ndarray, predictor: Predictor, count: int, as_json: bool
) -> int:
    """Print the table, a line as soon as it is known; 1 if anything failed."""
    from pspgui.reports.checks import Case, run_checks

    case = Case.of(predictor, pixels, str(asking.image))
    found: list[Check] = []
    if not as_json:
        where = f"{predictor.device}, {predictor.precision}"
        print(f"{predictor.spec.title} on {printable(asking.image)}, {where}\n")
    for check in run_checks(case, list(asking.pixels), count):
        found.append(check)
        if not as_json:
            print(f"{check.verdict:<5} {check.name:<31} {check.figures}", flush=True)
    failed = [check.name for check in found if check.passed is False]
    if as_json:
        told = {
            "image": printable(asking.image), "model": predictor.spec.title,
            "model_digest": predictor.digest, "precision": predictor.precision,
            "passed": not failed, "checks": [check.to_json() for check in found],
        }  # fmt: skip
        print(json.dumps(told))
    else:
        _explain_lines(found)
        if failed:
            print(f"\n{len(failed)} of {len(found)} failed: {', '.join(failed)}")
        if failed and predictor.precision != "fp32":
            print(
                f"The network ran in {predictor.precision} and was compared with fp32: what "
                "rounding costs fails here. Ask with --precision fp32 whether evidence is exact."
            )
    return 1 if failed else 0


def _explain_lines(found: list[Check]) -> None:
    """Print once what each kind of line means."""
    print()
    told: set[str] = set()
    for check in found:
        if check.meaning in told:
            continue
        told.add(check.meaning)
        name = check.name.partition(",")[0]
        print(textwrap.fill(f"{name}: {check.meaning}", 100, subsequent_indent="  "))
