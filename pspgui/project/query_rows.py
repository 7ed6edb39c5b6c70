"""What a query selects: as SQL over the index, as plain Python over one image, and in which order.

Both say the same of every image; a test compares them. What is not known (doubt before the model
has read an image, the share of a class before there are labels) passes no test, and passes what
that test is not.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, Protocol

from pspgui.durable import printable
from pspgui.project.queries import STATUS_WORDS, All, Compare, Either, Match, Not, Query

SECONDS: Final = {"s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0, "": 1.0}
_COLUMNS: Final = {
    "entropy": "entropy", "boundary": "boundary_px", "time": "seconds",
    "width": "width", "height": "height", "doubt": "1.0 - margin",
}  # fmt: skip
_IS: Final = {
    "flagged": "status = 'flagged'",
    "labelled": "labels_digest <> ''",
    "read": "margin IS NOT NULL",
    "reviewed": "status IN ('accepted', 'rejected')",
    "noted": "note <> ''",
    "commented": "comment <> ''",
    "tagged": "trim(tags) <> ''",
}
SORTS: Final = {
    "name": "Name",
    "date": "Date of change",
    "doubt": "Doubt: mean margin",
    "entropy": "Doubt: entropy of the worst 1 %",
    "boundary": "Doubt: length of outlines",
    "corrected": "Size of correction",
    "status": "Status",
    "random": "Random",
}
# What one would look at first comes first: names from A, the rest with the largest on top.
DESCENDING: Final = frozenset({"date", "doubt", "entropy", "boundary", "corrected"})
_SORT_COLUMNS: Final = {
    "name": "natural",
    "date": "changed_at",
    "doubt": "1.0 - margin",
    "entropy": "entropy",
    "boundary": "boundary_px",
    "corrected": "corrected_px * 1.0 / pixel_count",
    "status": "CASE status "
    + " ".join(f"WHEN '{word}' THEN {place}" for place, word in enumerate(STATUS_WORDS))
    + " END",
}
_PRIME: Final = 2**31 - 1


class Row(Protocol):
    """What a query may ask of an image; `IndexedImage` is one."""

    @property
    def path(self) -> Path: ...
    @property
    def status(self) -> str: ...
    @property
    def note(self) -> str: ...
    @property
    def tags(self) -> tuple[str, ...]: ...
    @property
    def reviewer(self) -> str: ...
    @property
    def comment(self) -> str: ...
    @property
    def seconds(self) -> float: ...
    @property
    def height(self) -> int | None: ...
    @property
    def width(self) -> int | None: ...
    @property
    def pixels(self) -> Mapping[str, int]: ...
    @property
    def corrected_px(self) -> int | None: ...
    @property
    def margin(self) -> float | None: ...
    @property
    def entropy(self) -> float | None: ...
    @property
    def boundary_px(self) -> int | None: ...
    @property
    def changed_at(self) -> float | None: ...
    @property
    def labels_digest(self) -> str: ...


# -- SQL ----------------------------------------------------------------------------------------

Sql = tuple[str, tuple[object, ...]]


def where_sql(query: Query, now: float) -> Sql:
    """Return the condition on table `images` and its parameters; "" for everything.

    now: seconds since 1970, which ages are counted from.
    """
    return ("", ()) if query == All() else _sql(query, now)


def order_sql(sort: str, descending: bool | None = None, seed: int = 0) -> str:
    """Return what follows ORDER BY for one of SORTS; what is not known comes last.

    Without `descending`, what one would look at first comes first. `seed` shuffles "random".
    Raises KeyError for an unknown sort.
    """
    if sort == "random":
        start = seed % _PRIME + 1
        return f"((id + {start}) * (id + {start}) % {_PRIME}) * 48271 % {_PRIME}, id"
    down = sort in DESCENDING if descending is None else descending
    column = _SORT_COLUMNS[sort]
    direction = "DESC" if down else "ASC"
    tie = f"natural {direction}, id" if sort == "name" else "natural, id"
    if sort == "name":
        return tie
    return f"({column}) IS NULL, {column} {direction}, {tie}"


def _sql(query: Query, now: float) -> Sql:
    if isinstance(query, Not):
        inner, values = _sql(query.query, now)
        return f"NOT {inner}", values
    if isinstance(query, All | Either):
        parts = [_sql(part, now) for part in query.parts]
        word = " AND " if isinstance(query, All) else " OR "
        text = word.join(part for part, _ in parts) if parts else "1"
        return f"({text})", tuple(value for _, values in parts for value in values)
    text, values = _match_sql(query) if isinstance(query, Match) else _compare_sql(query, now)
    return f"COALESCE(({text}), 0)", values


def _match_sql(test: Match) -> Sql:
    field, text = test.field, test.text
    if field == "status":
        return "status = ?", (text,)
    if field == "is":
        return _IS[text], ()
    if field == "name":
        key = text.casefold()
        if not _is_pattern(key):
            return "instr(name_key, ?) > 0", (key,)
        pattern = key.replace("[", "[[]")
        return "name_key GLOB ? OR name_key GLOB ?", (pattern, f"{pattern}.*")
    if field == "tag":
        return "instr(tags, ?) > 0", (f" {text.casefold()} ",)
    if field == "class":
        return (
            "EXISTS (SELECT 1 FROM areas WHERE image_id = images.id AND class_key = ? "
            "AND pixels > 0)",
            (text.casefold(),),
        )
    if field == "reviewer":
        return "lower(reviewer) = ?", (ascii_lower(text),)
    return f"instr(lower({field}), ?) > 0", (ascii_lower(text),)  # note, comment


def _compare_sql(test: Compare, now: float) -> Sql:
    sign = test.operator
    if test.field == "changed":
        return f"(? - changed_at) {sign} ?", (now, test.number * SECONDS[test.unit])
    if test.field in ("class", "unlabelled"):
        covered = (
            "COALESCE((SELECT SUM(pixels) FROM areas WHERE image_id = images.id "
            "AND class_key = ?), 0)"
        )
        limit, values = _limit_sql(test)
        key = test.of.casefold() if test.field == "class" else ""
        return f"labels_digest <> '' AND {covered} {sign} {limit}", (key, *values)
    if test.field == "corrected":
        limit, values = _limit_sql(test)
        return f"corrected_px {sign} {limit}", values
    return f"({_COLUMNS[test.field]}) {sign} ?", (_number(test),)


def _limit_sql(test: Compare) -> Sql:
    if test.unit == "%":
        return "? * pixel_count", (test.number / 100,)
    return "?", (test.number,)


def _number(test: Compare) -> float:
    """Return a plain number: shares as 0..1, times in seconds."""
    if test.unit == "%":
        return test.number / 100
    return test.number * SECONDS.get(test.unit, 1.0)


# -- plain Python -------------------------------------------------------------------------------


def matches(query: Query, image: Row, now: float) -> bool:
    """Say whether an image passes, without a database."""
    if isinstance(query, Not):
        return not matches(query.query, image, now)
    if isinstance(query, All):
        return all(matches(part, image, now) for part in query.parts)
    if isinstance(query, Either):
        return any(matches(part, image, now) for part in query.parts)
    return _matches(query, image) if isinstance(query, Match) else _compares(query, image, now)


def _matches(test: Match, image: Row) -> bool:
    text = test.text
    if test.field == "name":
        return name_test(text)(printable(image.path.name).casefold())
    if test.field == "is":
        return _is(text, image)
    if test.field == "class":
        return _covered(image, text.casefold()) > 0
    if test.field == "tag":
        return text.casefold() in image.tags
    if test.field == "reviewer":
        return ascii_lower(image.reviewer) == ascii_lower(text)
    if test.field == "status":
        return image.status == text
    said = image.note if test.field == "note" else image.comment
    return ascii_lower(text) in ascii_lower(said)


def _is(word: str, image: Row) -> bool:
    found: dict[str, bool] = {
        "flagged": image.status == "flagged",
        "labelled": image.labels_digest != "",
        "read": image.margin is not None,
        "reviewed": image.status in ("accepted", "rejected"),
        "noted": image.note != "",
        "commented": image.comment != "",
        "tagged": bool(image.tags),
    }
    return found[word]


_PLAIN: Final[dict[str, Callable[[Row], float | None]]] = {
    "entropy": lambda i: i.entropy,
    "boundary": lambda i: i.boundary_px,
    "time": lambda i: i.seconds,
    "width": lambda i: i.width,
    "height": lambda i: i.height,
    "doubt": lambda i: None if i.margin is None else 1.0 - i.margin,
}
_OPERATORS: Final[dict[str, Callable[[float, float], bool]]] = {
    ">": operator.gt, ">=": operator.ge, "<": operator.lt, "<=": operator.le, "=": operator.eq,
}  # fmt: skip


def _compares(test: Compare, image: Row, now: float) -> bool:
    holds = _OPERATORS[test.operator]
    if test.field in ("class", "unlabelled", "corrected"):
        key = test.of.casefold() if test.field == "class" else ""
        value: float | None = image.corrected_px
        if test.field != "corrected":
            value = _covered(image, key) if image.labels_digest else None
        limit: float | None = test.number
        if test.unit == "%":
            whole = _pixel_count(image)
            limit = None if whole is None else test.number / 100 * whole
        return value is not None and limit is not None and holds(value, limit)
    if test.field == "changed":
        if image.changed_at is None:
            return False
        return holds(now - image.changed_at, test.number * SECONDS[test.unit])
    value = _PLAIN[test.field](image)
    return value is not None and holds(value, _number(test))


def _pixel_count(image: Row) -> int | None:
    if image.height is not None and image.width is not None:
        return image.height * image.width
    return sum(image.pixels.values()) if image.pixels else None


def name_test(text: str) -> Callable[[str], bool]:
    """Return what says whether a folded file name passes; made once for many names."""
    key = text.casefold()
    if not _is_pattern(key):
        return lambda name: key in name
    body = "".join({"*": ".*", "?": "."}.get(sign, re.escape(sign)) for sign in key)
    pattern = re.compile(rf"{body}(?:\..*)?", re.DOTALL)
    return lambda name: pattern.fullmatch(name) is not None


def name_filter(query: Query) -> Callable[[str], bool] | None:
    """Return what says of a folded name alone whether it passes; None where more is asked."""
    if isinstance(query, Match):
        return name_test(query.text) if query.field == "name" else None
    if isinstance(query, Compare):
        return None
    if isinstance(query, Not):
        inner = name_filter(query.query)
        return None if inner is None else lambda name: not inner(name)
    parts = [name_filter(part) for part in query.parts]
    tests = [test for test in parts if test is not None]
    if len(tests) < len(parts):
        return None
    if isinstance(query, All):
        return lambda name: all(test(name) for test in tests)
    return lambda name: any(test(name) for test in tests)


def _covered(image: Row, key: str) -> int:
    return sum(px for name, px in image.pixels.items() if name.casefold() == key)


def _is_pattern(text: str) -> bool:
    return "*" in text or "?" in text


_LOWER: Final = {upper: upper + 32 for upper in range(ord("A"), ord("Z") + 1)}


def ascii_lower(text: str) -> str:
    """Return the text with A to Z in small letters, as SQLite's own `lower` does."""
    return text.translate(_LOWER)
