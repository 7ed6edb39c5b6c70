"""The filter language of the image list: what a query is, how it is read, printed and completed.

    status:done class:car>5% -class:bus (doubt>0.3 or is:flagged) name:000* note:"left side"

Words side by side must all hold, `or` binds weaker, `-` or `not` turns a test round, quotes hold
words together. A word alone looks into the name. What a query selects is in `query_rows`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

OPERATORS: Final = (">=", "<=", ">", "<", "=")
STATUS_WORDS: Final = ("new", "predicted", "in work", "done", "accepted", "rejected", "flagged")
IS_WORDS: Final = ("flagged", "labelled", "read", "reviewed", "noted", "commented", "tagged")
MAX_TESTS: Final = 200
_MAX_DEPTH: Final = 40
_ALIASES: Final = {"work": "in work", "inwork": "in work", "in-work": "in work", "flag": "flagged"}


class Field(NamedTuple):
    """What can be asked: its kind, its units, and a few words with an example for the help.

    kind: "choice" of `words`, "text", "name" (text that may hold * and ?), "class", or "number".
    units: for numbers, what may follow; "" among them lets a number stand alone.
    """

    name: str
    kind: str
    help: str
    example: str
    units: tuple[str, ...] = ()
    words: tuple[str, ...] = ()


_SHARE: Final = ("%", "px")
_AGE: Final = ("min", "h", "d", "w")
FIELDS: Final[tuple[Field, ...]] = (
    Field("status", "choice", "how far an image is", "status:done", words=STATUS_WORDS),
    Field("is", "choice", "what an image has", "is:flagged", words=IS_WORDS),
    Field("name", "name", "file name; * and ? stand for anything", "name:000*"),
    Field("class", "class", "saved labels of a class, or their share", "class:car>5%", _SHARE),
    Field("unlabelled", "number", "share without a label", "unlabelled>1%", _SHARE),
    Field("doubt", "number", "how unsure the model is, 0 to 1", "doubt>0.3", ("", "%")),
    Field("entropy", "number", "entropy of its most unsure 1 %", "entropy>0.5", ("", "%")),
    Field("boundary", "number", "length of predicted outlines", "boundary>5000px", ("", "px")),
    Field("corrected", "number", "labels that differ from the prediction", "corrected>1%", _SHARE),
    Field("tag", "text", "a tag", "tag:night"),
    Field("note", "text", "words of the note", 'note:"left side"'),
    Field("reviewer", "text", "who reviewed it", "reviewer:ann"),
    Field("comment", "text", "words of the review's comment", "comment:kerb"),
    Field("changed", "number", "how long ago it was changed", "changed<2d", _AGE),
    Field("time", "number", "time spent on it", "time>5min", ("s", "min", "h")),
    Field("width", "number", "size in pixels", "width>1920", ("", "px")),
    Field("height", "number", "size in pixels", "height>1080", ("", "px")),
)
FIELD: Final = {field.name: field for field in FIELDS}
_UNIT_ALIASES: Final = {
    "m": "min", "mins": "min", "sec": "s", "hours": "h", "days": "d", "day": "d", "weeks": "w",
}  # fmt: skip


class QueryError(ValueError):
    """A query that cannot be read: one sentence; `start` and `end` are where in the text."""

    def __init__(self, message: str, start: int, end: int) -> None:
        super().__init__(message)
        self.start, self.end = start, end


@dataclass(frozen=True)
class Match:
    """A test of words: a field and what it should be."""

    field: str
    text: str


@dataclass(frozen=True)
class Compare:
    """A test of a number: field, one of OPERATORS, the number in `unit`, and whose (a class)."""

    field: str
    operator: str
    number: float
    unit: str = ""
    of: str = ""


@dataclass(frozen=True)
class Not:
    """What its query is not."""

    query: Query


@dataclass(frozen=True)
class All:
    """Every part holds; without parts, everything. Build with `all_of`."""

    parts: tuple[Query, ...] = ()


@dataclass(frozen=True)
class Either:
    """At least one of two or more parts holds. Build with `any_of`."""

    parts: tuple[Query, ...]


Query = Match | Compare | Not | All | Either
EVERYTHING: Final = All()


def all_of(parts: Iterable[Query]) -> Query:
    """Return the query that every part holds, nested ones taken apart."""
    flat: list[Query] = []
    for part in parts:
        flat.extend(part.parts if isinstance(part, All) else (part,))
    return flat[0] if len(flat) == 1 else All(tuple(flat))


def any_of(parts: Iterable[Query]) -> Query:
    """Return the query that one part or more holds, nested ones taken apart; of none, nothing."""
    flat: list[Query] = []
    for part in parts:
        flat.extend(part.parts if isinstance(part, Either) else (part,))
    return flat[0] if len(flat) == 1 else Either(tuple(flat))


# -- printing -----------------------------------------------------------------------------------


def text_of(query: Query) -> str:
    """Return the query as text that `parse` reads back as the same query."""
    if isinstance(query, Match):
        return f"{query.field}:{quoted(query.text)}"
    if isinstance(query, Compare):
        field = f"{query.field}:{quoted(query.of)}" if query.of else query.field
        return f"{field}{query.operator}{_number_text(query.number)}{query.unit}"
    if isinstance(query, Not):
        inner = text_of(query.query)
        return f"not ({inner})" if isinstance(query.query, All | Either) else f"not {inner}"
    if isinstance(query, Either):
        return " or ".join(text_of(part) for part in query.parts)
    return " ".join(
        f"({text_of(part)})" if isinstance(part, Either) else text_of(part) for part in query.parts
    )


def quoted(text: str) -> str:
    """Return the text as one word of a query, in quotes where it needs them."""
    if text and not re.search(r'[\s()"\\:<>=]', text) and not text.startswith("-"):
        return text
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _number_text(number: float) -> str:
    return str(int(number)) if number == int(number) and number < 1e15 else repr(number)


# -- reading ------------------------------------------------------------------------------------


def parse(text: str, classes: Sequence[str] | None = None) -> Query:
    """Return the query that a person wrote; empty text asks for everything.

    `classes` are the names there are: another name is then an error that lists them. Raises
    `QueryError`, one sentence about one word.
    """
    return _Parser(text, classes).read()


_NUMBER = re.compile(r"(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.IGNORECASE)
_FIELD_NAME = re.compile(r"[A-Za-z]+")


class _Parser:
    """Recursive descent over the text: either > all > not > test."""

    def __init__(self, text: str, classes: Sequence[str] | None) -> None:
        self._text, self._at = text, 0
        self._classes = None if classes is None else {name.casefold(): name for name in classes}
        self._tests = self._depth = 0

    def read(self) -> Query:
        self._skip()
        if self._at == len(self._text):
            return EVERYTHING
        query = self._either()
        if self._at < len(self._text):
            raise QueryError("This “)” closes nothing: take it away.", self._at, self._at + 1)
        return query

    def _either(self) -> Query:
        parts = [self._all()]
        while self._keyword("or"):
            parts.append(self._all())
        return any_of(parts)

    def _all(self) -> Query:
        parts: list[Query] = []
        while True:
            self._skip()
            if self._keyword("and"):
                if parts and not self._is_end():
                    continue
                self._wants_a_test("and")
            if self._is_end():
                break
            parts.append(self._factor())
        if not parts:
            self._wants_a_test("or" if self._at else "")
        return all_of(parts)

    def _is_end(self) -> bool:
        self._skip()
        at_end = self._at == len(self._text) or self._text[self._at] == ")"
        return at_end or self._peek_keyword("or")

    def _wants_a_test(self, word: str) -> None:
        end = min(self._at + 2, len(self._text))
        raise QueryError(
            "Something is missing here: write a test such as status:done or doubt>0.3.",
            max(0, min(self._at, end - 1)), end,
        )  # fmt: skip

    def _factor(self) -> Query:
        turns = 0
        while self._dash() or self._keyword("not"):
            turns += 1
            self._skip()
            if turns > _MAX_DEPTH:
                raise QueryError("This is turned round too often.", self._at - 1, self._at)
        if self._is_end():
            self._wants_a_test("not")
        query = self._group() if self._text[self._at] == "(" else self._test()
        for _ in range(turns):
            query = Not(query)
        return query

    def _group(self) -> Query:
        opened = self._at
        self._at += 1
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise QueryError("There are too many brackets in brackets.", opened, opened + 1)
        query = self._either()
        if self._at >= len(self._text):
            raise QueryError("This bracket is not closed: add “)”.", opened, opened + 1)
        self._at += 1
        self._depth -= 1
        return query

    # -- one test -------------------------------------------------------------------------------

    def _test(self) -> Query:
        start = self._at
        self._tests += 1
        if self._tests > MAX_TESTS:
            raise QueryError(f"A query holds at most {MAX_TESTS} tests.", start, len(self._text))
        name = _FIELD_NAME.match(self._text, start)
        sign = None if name is None else self._sign_at(name.end())
        if name is None or sign is None:
            return self._free_word(start)
        field = FIELD.get(name.group().lower())
        if field is None:
            raise QueryError(
                f"There is no field “{name.group()}”; fields are {_listed(FIELD)}. For a name with "
                f"“{sign}” in it use quotes.",
                start, name.end(),
            )  # fmt: skip
        self._at = name.end() + len(sign)
        if field.kind == "number":
            if sign == ":":
                sign = self._sign_at(self._at) or "="
                self._at += len(sign) if self._sign_at(self._at) else 0
            return self._compare(field, sign, start)
        if sign != ":":
            raise QueryError(
                f"“{field.name}” is asked with “:”, for example {field.example}.", start, self._at
            )
        return self._words(field, start)

    def _free_word(self, start: int) -> Query:
        text = self._value(stop=":<>=" if self._text[start] != '"' else "")
        if not text:
            found = self._text[self._at : self._at + 1]
            if found and found in ":<>=":
                raise QueryError(
                    f"A field belongs before “{found}”: {_listed(FIELD)}.",
                    self._at, self._at + 1,
                )  # fmt: skip
            raise QueryError("There is nothing in these quotes.", start, self._at)
        if self._at < len(self._text) and self._text[self._at] in ":<>=":
            raise QueryError(
                f"There is no field “{text}”; fields are {_listed(FIELD)}. For a name with "
                f"“{self._text[self._at]}” in it use quotes.",
                start, self._at,
            )  # fmt: skip
        return Match("name", text)

    def _words(self, field: Field, start: int) -> Query:
        at = self._at
        text = self._value(stop="<>=" if field.kind == "class" else "")
        if not text:
            wanted = f": {_listed(field.words)}" if field.words else f", as in {field.example}"
            raise QueryError(f"Say which {field.name} is meant{wanted}.", start, max(at, self._at))
        if field.kind == "choice":
            return Match(field.name, self._choice(field, text, at))
        if field.kind != "class":
            return Match(field.name, text)
        name = self._class(text, at)
        sign = self._sign_at(self._at)
        if sign is None or sign == ":":
            return Match("class", name)
        self._at += len(sign)
        return self._compare(field, sign, start, name)

    def _choice(self, field: Field, text: str, at: int) -> str:
        word = text.casefold()
        word = _ALIASES.get(word, word).replace("_", " ")
        if word not in field.words:
            raise QueryError(
                f"“{text}” is no {'status' if field.name == 'status' else 'state'}; there are "
                f"{_listed(field.words)}.",
                at, self._at,
            )  # fmt: skip
        return word

    def _class(self, text: str, at: int) -> str:
        if self._classes is None:
            return text
        known = self._classes.get(text.casefold())
        if known is None:
            near = [name for key, name in self._classes.items() if text.casefold() in key]
            shown = near or list(self._classes.values())
            raise QueryError(f"No class is called “{text}”; there are {_listed(shown, 8)}.",
                             at, self._at)  # fmt: skip
        return known

    def _compare(self, field: Field, sign: str, start: int, of: str = "") -> Query:
        self._skip()
        found = _NUMBER.match(self._text, self._at)
        number = float(found.group()) if found else float("inf")
        if found is None or number == float("inf"):
            end = self._end_of_word()
            raise QueryError(
                f"“{field.name}” is compared with a number, for example {field.example}.",
                start, end,
            )  # fmt: skip
        self._at = found.end()
        end = self._end_of_word()
        unit = self._text[self._at : end].lower()
        unit = _UNIT_ALIASES.get(unit, unit)
        if unit not in field.units and not (unit == "" and number == 0):
            after = f"“{unit}” is no unit here" if unit else "A unit is missing"
            raise QueryError(
                f"{after}: write the number of “{field.name}” with "
                f"{' or '.join(u for u in field.units if u)}, for example {field.example}.",
                start, end,
            )  # fmt: skip
        self._at = end
        return Compare(field.name, sign, number, unit, of)

    # -- characters -----------------------------------------------------------------------------

    def _skip(self) -> None:
        while self._at < len(self._text) and self._text[self._at].isspace():
            self._at += 1

    def _sign_at(self, at: int) -> str | None:
        for sign in (*OPERATORS, ":"):
            if self._text.startswith(sign, at):
                return sign
        return None

    def _end_of_word(self) -> int:
        at = self._at
        while at < len(self._text) and not self._text[at].isspace() and self._text[at] not in '()"':
            at += 1
        return at

    def _peek_keyword(self, word: str) -> bool:
        end = self._at + len(word)
        after = self._text[end : end + 1]
        here = self._text[self._at : end].lower() == word
        return here and (not after or after.isspace() or after in "()")

    def _keyword(self, word: str) -> bool:
        self._skip()
        if not self._peek_keyword(word):
            return False
        self._at += len(word)
        return True

    def _dash(self) -> bool:
        self._skip()
        if not self._text.startswith("-", self._at):
            return False
        self._at += 1
        return True

    def _value(self, stop: str) -> str:
        """Read one word, quoted or not; `stop` are further signs that end it unquoted."""
        if not self._text.startswith('"', self._at):
            start = self._at
            while self._at < len(self._text):
                sign = self._text[self._at]
                if sign.isspace() or sign in '()"' or sign in stop:
                    break
                self._at += 1
            return _encodable(self._text[start : self._at])
        opened = self._at
        read: list[str] = []
        self._at += 1
        while self._at < len(self._text):
            sign = self._text[self._at]
            self._at += 1
            if sign == '"':
                return _encodable("".join(read))
            if sign == "\\" and self._at < len(self._text):
                sign = self._text[self._at]
                self._at += 1
            read.append(sign)
        raise QueryError("These quotes are not closed: add “\"”.", opened, len(self._text))


def _encodable(text: str) -> str:
    """Return the text as every database can hold it."""
    return text.replace("\0", "").encode("utf-8", "replace").decode("utf-8")


def _listed(words: Iterable[str], limit: int = 24) -> str:
    found = list(words)
    more = f" and {len(found) - limit} more" if len(found) > limit else ""
    return ", ".join(found[:limit]) + more


# -- while typing -------------------------------------------------------------------------------


class Completion(NamedTuple):
    """What could stand at the cursor: `text` for `start`..`end` of the field, and what it means."""

    text: str
    meaning: str
    start: int
    end: int


Known = Callable[[str], Sequence[str]]


def completions(text: str, cursor: int, known: Known = lambda field: ()) -> list[Completion]:
    """Return what could be written at the cursor, best first.

    `known(field)` gives the words in use of "class", "tag", "reviewer".
    """
    start = _word_start(text, cursor)
    word = text[start:cursor].lstrip("-(")
    start = cursor - len(word)
    end = cursor
    while end < len(text) and not text[end].isspace() and text[end] not in '()"':
        end += 1
    name, colon, value = word.partition(":")
    if not colon:
        key = word.lower()
        fields = [f for f in FIELDS if f.name.startswith(key)]
        if len(fields) == 1 and fields[0].name == key:
            fields = []
        return [Completion(_opening(f), f.help, start, end) for f in fields]
    field = FIELD.get(name.lower())
    if field is None or re.search("[<>=]", value):
        return []
    needle = value.strip('"').casefold()
    words = field.words or tuple(known(field.name))
    found = sorted((w for w in words if needle in w.casefold()),
                   key=lambda w: not w.casefold().startswith(needle))  # fmt: skip
    return [
        Completion(f"{field.name}:{quoted(w)}", "", start, end)
        for w in found if w.casefold() != needle
    ]  # fmt: skip


def _opening(field: Field) -> str:
    return f"{field.name}>" if field.kind == "number" else f"{field.name}:"


def _word_start(text: str, cursor: int) -> int:
    """Return where the word begins that the cursor is in; quotes hold words together."""
    start, within = 0, False
    for at, sign in enumerate(text[:cursor]):
        if sign == '"':
            within = not within
        elif not within and (sign.isspace() or sign in "()"):
            start = at + 1
    return start
