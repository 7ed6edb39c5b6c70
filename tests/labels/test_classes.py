"""Class tables refuse what would mislabel pixels, and survive JSON."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pspgui.labels.classes import CAMVID, ClassTable, ClassTableError, LabelClass, table


def test_json_round_trip() -> None:
    assert ClassTable.from_json(CAMVID.to_json()) == CAMVID


def test_names_colours_and_palette() -> None:
    assert CAMVID.find(" road ").id == 3
    assert CAMVID.name_of(255) == "unlabelled"
    assert CAMVID.name_of(77) == "label 77"
    assert tuple(CAMVID.palette()[3]) == CAMVID.classes[3].colour
    assert CAMVID.palette().shape == (256, 3)
    assert not np.any(CAMVID.palette()[len(CAMVID) :])


@pytest.mark.parametrize(
    ("classes", "ignore", "word"),
    [
        ((), 255, "empty"),
        ((LabelClass(1, "a", (0, 0, 0)),), 255, "in order"),
        ((LabelClass(0, "a", (0, 0, 0)), LabelClass(1, "a", (0, 0, 0))), 255, "differ"),
        ((LabelClass(0, " ", (0, 0, 0)),), 255, "filled in"),
        ((LabelClass(0, "a", (0, 0, 256)),), 255, "colour"),
        ((LabelClass(0, "a", (0, 0, 0)),), 0, "ignore"),
        ((LabelClass(0, "a", (0, 0, 0)),), 65536, "ignore"),
        ((LabelClass(0, "a", (0, 0, 0)),), -1, "ignore"),
    ],
)
def test_wrong_tables_are_refused(classes: tuple[LabelClass, ...], ignore: int, word: str) -> None:
    with pytest.raises(ClassTableError, match=word):
        ClassTable(classes, ignore)


@pytest.mark.parametrize(
    "content",
    [
        "", "[]", "{}", "nonsense", '{"classes": 3}', '{"classes": [{"id": 0}]}', "[" * 9999,
        '{"classes": [], "ignore": 1e999}',
    ],
)  # fmt: skip
def test_a_broken_file_is_named(tmp_path: Path, content: str) -> None:
    path = tmp_path / "classes.json"
    path.write_text(content)
    with pytest.raises(ClassTableError, match=r"classes\.json: "):
        ClassTable.load(path)


def test_an_unknown_name_lists_those_there_are() -> None:
    with pytest.raises(ClassTableError, match="there are a, b"):
        table(("a", (0, 0, 0)), ("b", (1, 1, 1))).find("c")
