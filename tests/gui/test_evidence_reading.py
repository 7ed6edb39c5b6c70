"""Evidence can be read in more than one way, and the panel says which and what it means."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from small_networks import head_activations, random_features, small_network

from pspgui.evidence.coalitions import worth
from pspgui.evidence.psp import PSPEvidence
from pspgui.evidence.targets import aim
from pspgui.evidence.whatif import LiveWhatIf, WhatIf
from pspgui.geometry import Pixel
from pspgui.gui.document import Document
from pspgui.gui.panels.evidence import EvidencePanel
from pspgui.gui.panels.evidence_sums import bin_note, sums_of
from pspgui.inference.activations import Prediction
from pspgui.labels.classes import table

PADDED = (49, 57)


@pytest.fixture
def document():
    model = small_network(3, levels=(1, 2, 3))
    activations, head = head_activations(model, random_features(model, (6, 7)), PADDED)
    shown = Document()
    shown.set_table(table(*((f"class {i}", (i, i, i)) for i in range(5))))
    shown.set_image(np.zeros((*PADDED, 3), np.uint8), None, "street")
    labels = np.zeros(PADDED, np.uint8)
    said = Prediction(labels, activations.scores, PADDED, PADDED, True, activations.stamp, 0.0)
    shown.set_prediction(said, (), PSPEvidence(activations, head.weights()))
    shown.set_pin(Pixel(20, 30))
    return shown


def test_each_reading_is_shown_and_its_sum_holds(qtbot, document):
    panel = EvidencePanel(document)
    qtbot.addWidget(panel)
    split = document.evidence
    for reading in ("ig", "ablate", "split"):
        with qtbot.waitSignal(document.evidence_changed):
            panel.reading.choices[reading].click()
        assert document.evidence.reading == reading
        assert panel.reading.choices[reading].isChecked()
        sums = panel.bar.sums
        *parts, (_, total) = sums.terms
        assert round(sum(amount for _, amount in parts), 2) == total
    assert document.evidence.local == split.local


def test_what_silenced_sources_leave_is_a_part_of_its_own(document):
    document.set_reading("ablate")
    sums = sums_of(document.evidence)
    assert sums.parts[-1].kind == sums.parts[-1].name == "interaction"
    assert sums.parts[-1].value == pytest.approx(document.evidence.interaction)
    document.set_reading("ig")
    assert all(part.kind != "interaction" for part in sums_of(document.evidence).parts)


def test_every_part_says_what_its_amount_is_as_it_was_read(document):
    def meanings():
        return {part.name: part.meaning for part in sums_of(document.evidence).parts}

    assert "opens the same gates" in meanings()["constant"]
    assert "silenced" not in meanings()["3×3"]
    document.set_reading("ablate")
    told, found, pixel = meanings(), document.evidence, document.evidence.pixel
    assert "every source is silent" in told["constant"] and "its bins" not in told["1×1"]
    reachable = [source for source in found.sources if source.reachable]
    nothing = np.zeros((1, len(reachable)), bool)
    assert found.constant == pytest.approx(
        worth(document.engine, pixel, found.target, nothing)[0], abs=1e-5
    )
    assert "its bins, each silenced alone, need not add up" in told["3×3"]
    several = found.sources[-1]._replace(reachable=True)
    assert "need not add up" in bin_note(found, several)
    assert not bin_note(found, found.sources[1])  # the level itself


def test_the_amount_of_a_level_if_removed_is_that_of_muting_it_in_what_if(document):
    document.set_reading("ablate")
    found, live = document.evidence, LiveWhatIf(document.engine)
    known = document.engine.activations

    def margin(scores):
        return aim(replace(known, scores=scores), found.pixel, found.target)[1]

    whole = margin(known.scores)
    muted = [(p, WhatIf().with_level(p.level, 0.0)) for p in sums_of(found).parts if p.level]
    muted += [(p, WhatIf(local=0.0)) for p in sums_of(found).parts if p.kind == "local"]
    assert len(muted) == 1 + len(found.levels)
    for part, what in muted:
        assert part.value == pytest.approx(whole - margin(live.answer(what).scores), abs=1e-4)


def test_a_network_that_cannot_be_read_so_is_read_as_split(qtbot, document):
    panel = EvidencePanel(document)
    qtbot.addWidget(panel)
    document.set_reading("ig")

    class Other:
        readings = ("split",)

        def at(self, pixel, target=None):
            return None

    document.set_prediction(document.prediction, (), Other())
    assert document.reading == "split"
    assert not panel.reading.isEnabled()


def test_parts_that_miss_the_number_are_told(qtbot, document):
    panel = EvidencePanel(document)
    qtbot.addWidget(panel)
    panel.show()
    assert not panel.residual.isVisible()
    found = document.evidence

    class Blurred:
        readings = ("split",)

        def at(self, pixel, target=None):
            return replace(found, logit=found.logit + 0.02)

    document.set_prediction(document.prediction, (), Blurred())
    assert panel.residual.isVisible()
    assert "+0.0200" in panel.residual.text()
