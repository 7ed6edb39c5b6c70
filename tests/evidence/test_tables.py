"""Evidence written as rows and JSON says what the evidence says, to the last digit."""

from __future__ import annotations

import csv
import io
import json

import numpy as np
import pytest
from small_networks import head_activations, random_features, small_network

from pspgui.evidence.psp import PSPEvidence
from pspgui.evidence.readings import Target
from pspgui.evidence.shapley import group_shapley
from pspgui.evidence.tables import COLUMNS, Origin, as_csv, as_json, as_tsv, json_of, rows_of
from pspgui.labels.classes import table as class_table

NAMES = ("road", 'side, "walk"', "tram\tway\nnew", "tree", "sky")
ORIGIN = Origin("frame.png", "PSPNet", "ab12")


@pytest.fixture(scope="module")
def evidence():
    model = small_network(0, levels=(1, 2), align_corners=True).double()
    activations, head = head_activations(model, random_features(model, (6, 7), 1), (49, 57))
    return PSPEvidence(activations, head.weights())


@pytest.fixture
def table(evidence):
    classes = len(evidence.activations.scores)
    return class_table(*((name, (i, i, i)) for i, name in enumerate(NAMES[:classes])))


def read_back(text, delimiter):
    head, *rows = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    assert tuple(head) == COLUMNS
    return [dict(zip(head, row, strict=True)) for row in rows]


@pytest.mark.parametrize(("write", "delimiter"), [(as_tsv, "\t"), (as_csv, ",")])
@pytest.mark.parametrize("reading", ["split", "ig", "ablate"])
def test_rows_read_back_add_up_to_the_logit(evidence, table, write, delimiter, reading):
    found = evidence.at((11, 13), Target(1, 2), reading)
    rows = read_back(write(rows_of(found, table, "1")), delimiter)
    more = (1 + len(found.levels)) * (reading == "ablate")
    assert len(rows) == 1 + len(found.sources) + more
    summed = [row for row in rows if not more or row["kind"] != "bin"]
    assert np.isclose(sum(float(row["value"]) for row in summed), found.logit, atol=1e-12)
    kinds = [row["kind"] for row in rows]
    assert kinds[-1] == "interaction" if more else "interaction" not in kinds
    values = [float(row["value"]) for row in rows[1 : 1 + len(found.sources)]]
    assert values == [float(source.value) for source in found.sources]
    first = rows[0]
    assert (first["x"], first["y"], first["pin"], first["pixels"]) == ("13", "11", "1", "1")
    assert first["class"] == NAMES[1] and first["target"] == "margin over tram way new"
    assert rows[1]["source"] == "local" and rows[1]["level"] == ""
    assert rows[2]["source"] == "1x1:1,1" and rows[2]["level"] == "1"
    last = next(row for row in reversed(rows) if row["kind"] == "bin")
    assert (last["source"], last["row"], last["col"]) == ("2x2:2,2", "2", "2")


def test_names_on_several_lines_do_not_break_a_line(evidence, table):
    text = as_tsv(rows_of(evidence.at((3, 3), Target(2)), table))
    assert len(text.splitlines()) == 2 + len(evidence.at((3, 3)).sources)


def test_json_is_what_explain_prints_with_its_origin(evidence, table):
    found = evidence.at((11, 13))
    read = json.loads(as_json(json_of(found, table, ORIGIN)))
    assert {"image", "model", "model_digest", "x", "y", "pixels"} <= read.keys()
    assert {key: read[key] for key in found.to_json(table)} == found.to_json(table)
    assert (read["x"], read["y"], read["image"]) == (13, 11, "frame.png") and "pin" not in read
    several = json.loads(as_json([json_of(found, table, ORIGIN, pin) for pin in "12"]))
    assert [one["pin"] for one in several] == ["1", "2"]


def test_shapley_values_are_written_too(evidence, table):
    found = group_shapley(evidence, (11, 13))
    rows = rows_of(found, table)
    assert [row.source for row in rows] == ["constant", "local", "1x1", "2x2"]
    assert np.isclose(sum(row.value for row in rows), found.logit)
    assert json_of(found, table, ORIGIN)["reading"] == "shapley"
