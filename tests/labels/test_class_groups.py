"""Classes under the headings of their groups."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pspgui.labels.class_groups import class_rows
from pspgui.labels.classes import ClassTable, LabelClass

tables = st.lists(st.sampled_from(["", "a", "b", "c"]), min_size=1, max_size=12).map(
    lambda groups: ClassTable(
        tuple(LabelClass(i, f"n{i}", (0, 0, 0), group) for i, group in enumerate(groups))
    )
)


@given(tables)
def test_every_class_stands_once_and_under_its_own_heading(table):
    heading, seen = "", []
    for row in class_rows(table):
        if row.label is None:
            heading = row.group
            assert row.labels == tuple(c.id for c in table.classes if c.group == heading)
            continue
        seen.append(row.label)
        assert row.group == table.classes[row.label].group
        assert not row.group or row.group == heading
    assert sorted(seen) == list(range(len(table)))


@given(tables, st.sets(st.sampled_from("abc")))
def test_folding_hides_just_the_classes_of_the_group(table, folded):
    rows = class_rows(table, folded)
    assert {r.label for r in rows if r.label is not None} == {
        c.id for c in table.classes if c.group not in folded
    }
    assert {r.group for r in rows if r.label is None} == {c.group for c in table.classes} - {""}


@given(tables, st.sampled_from(["n1", "A", "zz"]))
def test_finding_opens_what_is_folded(table, wanted):
    found = {r.label for r in class_rows(table, "abc", wanted) if r.label is not None}
    key = wanted.casefold()
    assert found == {c.id for c in table.classes if key in c.name or key in c.group}
