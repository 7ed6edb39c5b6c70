"""A draft of a class table keeps every label's meaning unless it says otherwise beforehand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pspgui.labels.class_edits import UNLABELLED, ClassDraft
from pspgui.labels.classes import CAMVID, ClassTable, ClassTableError, table

SMALL = table(("Road", (1, 2, 3)), ("Car", (4, 5, 6)), ("Tree", (7, 8, 9)), ("Sky", (9, 9, 9)))


def test_a_fresh_draft_changes_nothing() -> None:
    draft = ClassDraft.of(CAMVID)
    whole, labels = draft.translation(CAMVID)
    assert not draft.is_changed
    assert whole == CAMVID
    assert np.array_equal(labels[: len(CAMVID)], np.arange(len(CAMVID)))
    assert labels[255] == 255
    assert draft.effects({"Road": 5}) == ()


def test_renaming_keeps_labels_and_says_so() -> None:
    draft = ClassDraft.of(SMALL).renamed(1, "Vehicle")
    whole, labels = draft.translation(SMALL)
    assert whole.names == ("Road", "Vehicle", "Tree", "Sky")
    assert labels[1] == 1
    (effect,) = draft.effects({"Car": 1234}, {"Car": 2})
    assert not effect.alters
    assert "1\u2009234 px in 2 images keep their meaning" in effect.sentence


def test_merging_and_deleting_spell_out_what_changes() -> None:
    draft = ClassDraft.of(SMALL).merged(1, 0).deleted(1)  # Car into Road; then Tree
    whole, labels = draft.translation(SMALL)
    assert whole.names == ("Road", "Sky")
    assert labels[[0, 1, 2, 3]].tolist() == [0, 0, 255, 1]
    told = {e.before: e for e in draft.effects({"Car": 7, "Tree": 9}, {"Car": 1, "Tree": 1})}
    assert told["Car"].sentence == "Car becomes Road: 7 px in 1 image change"
    assert told["Tree"].sentence == "Tree is deleted: 9 px in 1 image become unlabelled"


def test_a_merged_class_that_was_renamed_later_still_alters_only_the_other_one() -> None:
    draft = ClassDraft.of(SMALL).merged(1, 0).renamed(0, "Ground")
    told = {e.before: e.alters for e in draft.effects({"Road": 1, "Car": 1})}
    assert told == {"Road": False, "Car": True}


def test_labels_of_another_table_are_matched_by_name_and_keep_their_further_classes() -> None:
    other = table(("bus", (1, 1, 1)), ("car", (2, 2, 2)), ("SKY", (3, 3, 3)), ignore=200)
    draft = ClassDraft.of(SMALL).renamed(1, "Vehicle").moved(3, 0)
    whole, labels = draft.translation(other)
    assert whole.names == ("Sky", "Road", "Vehicle", "Tree", "bus")
    assert labels[:3].tolist() == [4, 2, 0]
    assert labels[200] == 255


@pytest.mark.parametrize("name", ["", "  ", "car", "CAR ", "c_a r".replace(" ", "")])
def test_names_are_filled_in_and_differ(name: str) -> None:
    if name == "c_ar":
        ClassDraft.of(SMALL).added(name)  # another word
        return
    with pytest.raises(ClassTableError):
        ClassDraft.of(SMALL).added(name)


def test_the_last_class_stays() -> None:
    with pytest.raises(ClassTableError, match="last class"):
        ClassDraft.of(table(("one", (0, 0, 0)))).deleted(0)
    with pytest.raises(ClassTableError, match="itself"):
        ClassDraft.of(SMALL).merged(1, 1)


def test_many_classes_make_room_for_the_ignore_label() -> None:
    draft = ClassDraft.of(table(*((f"c{i}", (i % 256, 0, 0)) for i in range(255))))
    assert draft.table().ignore == 255
    draft = draft.added("one more")
    whole, labels = draft.translation(draft.before)
    assert whole.ignore == 65535
    assert labels.dtype == np.uint16
    assert labels[255] == 65535


def test_new_classes_get_colours_that_differ() -> None:
    draft = ClassDraft.of(SMALL)
    for number in range(8):
        draft = draft.added(f"new {number}")
    assert len({row.colour for row in draft.rows}) == len(draft.rows)


def test_groups_survive_json_and_change_no_label() -> None:
    draft = ClassDraft.of(SMALL).grouped(1, "vehicle")
    whole, labels = draft.translation(SMALL)
    assert ClassTable.from_json(whole.to_json()) == whole
    assert whole.classes[1].group == "vehicle"
    assert labels[:4].tolist() == [0, 1, 2, 3]


def test_what_a_class_was_called_before_stays_an_alias() -> None:
    draft = ClassDraft.of(SMALL).renamed(3, "Heaven").merged(1, 0)
    whole = draft.table()
    assert whole.classes[2].aliases == ("Sky",)
    assert whole.classes[0].aliases == ("Car",)
    assert whole.ids_by_key()["car"] == whole.ids_by_key()["road"] == 0
    assert ClassTable.from_json(whole.to_json()) == whole
    again = ClassDraft.of(whole).renamed(2, "Sky").added("Car").table()
    assert again.classes[2].aliases == ("Heaven",)
    assert again.ids_by_key()["car"] == 3


@st.composite
def changes(draw: st.DrawFn) -> ClassDraft:
    """Return a draft after some changes."""
    draft = ClassDraft.of(SMALL)
    for number in range(draw(st.integers(0, 8))):
        row = draw(st.integers(0, len(draft.rows) - 1))
        other = draw(st.integers(0, len(draft.rows) - 1))
        kind = draw(st.sampled_from(["rename", "move", "merge", "delete", "add", "recolour"]))
        if kind == "rename":
            draft = draft.renamed(row, f"name {number}")
        elif kind == "move":
            draft = draft.moved(row, other)
        elif kind == "merge" and row != other:
            draft = draft.merged(row, other)
        elif kind == "delete" and len(draft.rows) > 1:
            draft = draft.deleted(row)
        elif kind == "add":
            draft = draft.added(f"added {number}")
        elif kind == "recolour":
            draft = draft.recoloured(row, (number, 0, 0))
    return draft


@given(changes())
def test_every_old_label_becomes_what_its_effect_says(draft: ClassDraft) -> None:
    whole, labels = draft.translation(SMALL)
    told = {e.before: e.after for e in draft.effects(dict.fromkeys(SMALL.names, 1))}
    for old in SMALL.classes:
        after = told.get(old.name, old.name)
        found = int(labels[old.id])
        assert (found == whole.ignore) if after == UNLABELLED else whole.name_of(found) == after
    assert labels[SMALL.ignore] == whole.ignore
    assert whole.names == draft.table().names
