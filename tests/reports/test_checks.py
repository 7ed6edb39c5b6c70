"""Checks pass for evidence that is right, on every kind of network, and fail for what is not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from every_kind import SPECS, predictor
from oracles import picture

from pspgui.evidence.psp import PSPEvidence
from pspgui.reports.checks import (
    Case,
    ablations,
    children,
    completeness,
    deletion,
    gradients,
    run_checks,
)
from pspgui.reports.rerun import Rerun

EXACT = ("completeness, split", "cells add up", "equality to autograd", "equality to reruns")


class Wrong:
    """A PSPNet's evidence with one bin's amount handed to another reading or made up."""

    def __init__(self, engine: PSPEvidence) -> None:
        self.engine = engine
        self.readings = engine.readings

    def __getattr__(self, name):
        return getattr(self.engine, name)

    def at(self, pixel, target=None, reading="split"):
        found = self.engine.at(pixel, target, reading)
        return replace(found, local=-found.local - 1.0)


@pytest.fixture(scope="module")
def case():
    return Case.of(predictor("pspnet"), picture(45, 70))


@pytest.mark.parametrize("name", SPECS)
def test_exact_statements_hold_of_every_network(name):
    case = Case.of(predictor(name), picture(45, 70))
    rerun = Rerun(case.predictor, case.activations, case.pixels)
    pixels = [(20, 33), (0, 0), (44, 69)]

    found = [
        *completeness(case.evidence, pixels), children(case.evidence, pixels),
        gradients(case.evidence, rerun, pixels), ablations(case.evidence, rerun, pixels),
    ]  # fmt: skip

    assert {check.name for check in found} >= set(EXACT)
    assert [check.name for check in found if not check.passed] == []
    assert all(0 <= check.numbers["worst"] < 1e-3 for check in found)


def test_parts_within_a_layer_cannot_be_silenced_and_say_so():
    from pspgui.models.dilated_fcn import DilatedFCNSpec

    SPECS["joint"] = DilatedFCNSpec(
        classes=SPECS["fcn"].classes, backbone="mobilenet_v2", auxiliary=False, concat_input=True
    )
    try:
        case = Case.of(predictor("joint"), picture(45, 70))
    finally:
        del SPECS["joint"]
    rerun = Rerun(case.predictor, case.activations, case.pixels)

    found = ablations(case.evidence, rerun, [(20, 33)])

    assert found.passed is None
    assert found.verdict == "—"
    assert gradients(case.evidence, rerun, [(20, 33)]).passed


def test_wrong_evidence_fails_what_it_is_wrong_about(case):
    wrong = Wrong(case.evidence)
    rerun = Rerun(case.predictor, case.activations, case.pixels)
    pixels = [(20, 33), (3, 4)]

    assert [check.passed for check in completeness(wrong, pixels)] == [False, False]
    assert gradients(wrong, rerun, pixels).verdict == "FAIL"
    assert ablations(wrong, rerun, pixels).passed is False


def test_an_order_no_better_than_chance_fails(case):
    class Backwards(Wrong):
        def at(self, pixel, target=None, reading="split"):
            found = self.engine.at(pixel, target, reading)
            levels = {
                bins: level._replace(values=-level.values) for bins, level in found.levels.items()
            }
            return replace(found, local=-found.local, levels=levels)

    pixels = [(20, 33), (3, 4), (40, 60)]

    right = list(deletion(case.evidence, pixels, np.random.default_rng(0)))
    turned = list(deletion(Backwards(case.evidence), pixels, np.random.default_rng(0)))

    assert [check.passed for check in right] == [True] * 3
    assert [check.passed for check in turned] == [False] * 3


def test_all_checks_of_one_network_and_what_they_tell(case):
    found = list(run_checks(case, [(20, 33)], count=6))

    names = [check.name for check in found]
    assert names[-2:] == ["shuffled classifier", "shuffled head"]
    assert all(check.meaning.endswith(".") and check.figures for check in found)
    assert {check.to_json()["passed"] for check in found} <= {True, False, None}
    for check in found[-2:]:
        assert -1 <= check.numbers["sources"] <= 1
        assert check.numbers["size"] > 0


def test_the_network_is_as_it_was_after_everything_was_silenced(case):
    rerun = Rerun(case.predictor, case.activations, case.pixels)
    target = case.evidence.margin_target((20, 33))
    before = rerun.logit((20, 33), target)
    for source in case.evidence.at((20, 33), target).sources[:4]:
        rerun.logit((20, 33), target, source)
    rerun.shuffled("head", 0)

    assert rerun.logit((20, 33), target) == before
    assert before == pytest.approx(case.evidence.at((20, 33), target).logit, abs=1e-5)
