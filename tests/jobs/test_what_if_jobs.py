"""What-ifs are told in the labels' numbering; notes come back as they were kept."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_networks import head_activations, random_features, small_network

from pspgui.evidence.psp import PSPEvidence
from pspgui.evidence.whatif import LiveWhatIf, WhatIf
from pspgui.imaging import encode_png
from pspgui.jobs.class_tables import Translation
from pspgui.jobs.messages import Turn
from pspgui.jobs.modelling import ModelRoom
from pspgui.jobs.what_if import WhatIfRoom, answering, lend
from pspgui.jobs.what_if_notes import (
    NoteChanges,
    NotesError,
    WhatIfNote,
    add_note,
    change_notes,
    drop_note,
    find_notes,
    notes_path,
    read_notes,
)
from pspgui.labels.classes import table

PADDED, IMAGE = (49, 57), (45, 50)


def run(job):
    """Run a job to its end and return what it gives."""
    steps = job(Turn(lambda step: None, lambda: False))
    try:
        while True:
            next(steps)
    except StopIteration as end:
        return end.value


def evidence(classes=5):
    """The evidence of a small random network."""
    model = small_network(3, classes=classes)
    found, head = head_activations(model, random_features(model, (6, 7), 4), PADDED, IMAGE)
    return model, PSPEvidence(found, head.weights())


def test_an_answer_is_numbered_like_the_labels():
    model, known = evidence()
    names = model.spec.classes.names
    # The labels know three of the five, two of them under another number, and one of their own.
    labels = table(
        (names[3], (1, 1, 1)), ("kerb", (2, 2, 2)), (names[0], (3, 3, 3)), (names[2], (4, 4, 4))
    )
    translation = Translation(model.spec.classes, labels)
    what = WhatIf(local=0.0)
    found = run(answering(WhatIfRoom(known), what, translation)).told
    plain = LiveWhatIf(known)
    answer = plain.answer(what)

    reading = translation.reading
    before, after = (translation.to_reading(a) for a in (plain.before, answer.labels))
    gained = np.bincount(after.ravel(), minlength=len(reading))
    gained -= np.bincount(before.ravel(), minlength=len(reading))
    assert np.array_equal(found.gained, gained)
    assert found.changed_px == int((before != after).sum()) > 0
    assert np.array_equal(found.prediction.labels, translation.to_labels(answer.labels))
    for label, name in enumerate(reading.names):
        if name in names:
            own = answer.scores[names.index(name)]
            assert np.array_equal(found.prediction.scores[label], own)
    assert found.confidence == (plain.confidence, answer.confidence)
    assert found.pixels == IMAGE[0] * IMAGE[1]


def test_what_goes_wrong_is_given_back_and_not_raised():
    _, known = evidence()
    found = run(answering(WhatIfRoom(known), WhatIf(levels={5: 0.0}), None))
    assert found.told is None and isinstance(found.error, KeyError)


def test_an_image_without_a_model_or_a_picture_lends_nothing(tmp_path):
    path = tmp_path / "none.png"
    path.write_bytes(encode_png(np.zeros((20, 30, 3), np.uint8)))
    found = run(lend(ModelRoom(), path))
    assert found.activations is None and "no model" in str(found.error)
    path.write_bytes(b"")
    assert run(lend(ModelRoom(), path)).error is not None


place = st.sampled_from([(b, r, c) for b in (1, 2, 3) for r in range(b) for c in range(b)])
factors = st.floats(0, 2)
notes = st.builds(
    WhatIfNote,
    st.builds(
        WhatIf, factors, st.dictionaries(st.sampled_from([1, 2, 3]), factors),
        st.dictionaries(place, factors), st.just({}), st.text(max_size=9),
    ),
    st.dictionaries(place, st.text(max_size=9)), st.text(max_size=9), st.text(max_size=9),
    st.integers(0, 10**9), st.integers(0, 10**9),
    st.dictionaries(st.text(max_size=9), st.integers(-10**9, 10**9)), st.text(max_size=9),
)  # fmt: skip


@given(notes)
def test_a_note_comes_back_as_it_was(note):
    found = WhatIfNote.from_json(json.loads(json.dumps(note.to_json())))
    assert found.to_json() == note.to_json()


def test_notes_are_added_in_order_and_deleted_one_by_one(tmp_path):
    path = notes_path(tmp_path / ".pspgui", tmp_path / ".pspgui" / "labels" / "a.png")
    assert path == tmp_path / ".pspgui" / "what_if" / "a.json" and read_notes(path) == ()
    first, second = (
        WhatIfNote(WhatIf(note=name).with_level(1, 0.0), saved=when)
        for name, when in (("dark", "1"), ("dark", "2"))
    )
    for note in (first, second):
        add_note(path, "a.jpg", note)
    assert [n.to_json() for n in read_notes(path)] == [first.to_json(), second.to_json()]
    drop_note(path, "a.jpg", first)
    assert [n.saved for n in read_notes(path)] == ["2"]


def test_what_is_not_understood_stays_in_the_file(tmp_path):
    path = tmp_path / "a.json"
    strange = {"note": "from later", "bins": "all of them"}
    path.write_text(json.dumps({"image": "a.jpg", "notes": [strange, 7]}))
    assert read_notes(path) == ()
    add_note(path, "a.jpg", WhatIfNote(WhatIf(note="mine")))
    assert json.loads(path.read_bytes())["notes"][:2] == [strange, 7]
    assert [n.name for n in read_notes(path)] == ["mine"]


@pytest.mark.parametrize("content", [b"", b"[]", b'{"notes": 3}', b"\xff", b"[" * 100_000])
def test_a_file_that_holds_no_notes_is_kept(tmp_path, content):
    path = tmp_path / "a.json"
    path.write_bytes(content)
    with pytest.raises(NotesError):
        read_notes(path)
    with pytest.raises(NotesError):
        add_note(path, "a.jpg", WhatIfNote(WhatIf()))
    assert path.read_bytes() == content


def test_a_project_that_cannot_be_changed_keeps_its_notes(tmp_path):
    path, image = tmp_path / "a.json", tmp_path / "a.jpg"

    def refuse():
        raise ValueError("Another window has this project.")

    def add(where):
        add_note(where, "a.jpg", WhatIfNote(WhatIf(note="mine")))

    changes = NoteChanges()
    changes.add(lambda: path, add, refuse)
    found = run(change_notes(image, lambda: path, changes))
    assert found.trouble == "The note was not kept. Another window has this project."
    assert found.was_refused and not found.changed and not path.exists()
    changes.add(lambda: path, add, lambda: None)
    found = run(change_notes(image, lambda: path, changes))
    assert found.changed and [n.name for n in found.notes] == ["mine"]
    assert run(find_notes(image, lambda: path)).notes[0].name == "mine"


def test_a_change_whose_job_was_superseded_is_made_by_the_next_one(tmp_path):
    """Of jobs of one kind only the newest is run; two notes kept in a row are both kept."""
    path, image, changes = tmp_path / "a.json", tmp_path / "a.jpg", NoteChanges()
    for name in ("one", "two"):
        note = WhatIfNote(WhatIf(note=name))
        changes.add(
            lambda: path, lambda where, note=note: add_note(where, "a.jpg", note), lambda: None
        )
        newest = change_notes(image, lambda: path, changes)
    found = run(newest)
    assert [note.name for note in found.notes] == ["one", "two"]
    assert changes.carry_out() == ()
    assert len(read_notes(path)) == 2
