"""The filter language: reading, printing, errors that point, and what is selected."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pspgui.project.queries import (
    EVERYTHING,
    FIELD,
    IS_WORDS,
    MAX_TESTS,
    OPERATORS,
    STATUS_WORDS,
    All,
    Compare,
    Either,
    Match,
    Not,
    QueryError,
    all_of,
    any_of,
    completions,
    parse,
    text_of,
)
from pspgui.project.query_rows import SORTS, matches, order_sql, where_sql

NOW = 1_000_000.0
CLASSES = ("car", "bus", "Traffic Light", "Straße")


# -- reading ------------------------------------------------------------------------------------


def test_the_sentence_of_the_guide():
    query = parse(
        "status:done class:car>5% -class:bus doubt>0.3 corrected>1% name:000* tag:night "
        'note:"left side" reviewer:ann is:flagged changed<2d'
    )
    assert query == All((
        Match("status", "done"), Compare("class", ">", 5.0, "%", "car"),
        Not(Match("class", "bus")), Compare("doubt", ">", 0.3),
        Compare("corrected", ">", 1.0, "%"), Match("name", "000*"), Match("tag", "night"),
        Match("note", "left side"), Match("reviewer", "ann"), Match("is", "flagged"),
        Compare("changed", "<", 2.0, "d"),
    ))  # fmt: skip


def test_words_alone_look_into_names_and_or_binds_weaker():
    assert parse("") == parse("   ") == EVERYTHING
    assert parse("road") == Match("name", "road")
    a, b, c = (Match("name", n) for n in "abc")
    assert parse("a b or c") == parse("a and b OR c") == Either((All((a, b)), c))
    assert parse("a (b or c)") == All((a, Either((b, c))))
    assert parse("not (a or b) -c") == All((Not(Either((a, b))), Not(c)))
    assert parse('"or" "a b"') == All((Match("name", "or"), Match("name", "a b")))


def test_known_classes_get_their_own_spelling_and_statuses_their_short_names():
    assert parse('class:"traffic light"', CLASSES) == Match("class", "Traffic Light")
    assert parse("status:work") == parse('status:"In Work"') == Match("status", "in work")
    assert parse("time>=5m") == Compare("time", ">=", 5.0, "min")
    assert parse("doubt:0.3") == Compare("doubt", "=", 0.3)


@pytest.mark.parametrize(
    ("text", "word", "told"),
    [
        ("status:don", "don", "in work"),
        ("road statsu:done", "statsu", "status"),
        ("class:cra>5%", "cra", "car"),
        ("class:car>5", "class:car>5", "% or px"),
        ("doubt>high", "doubt>high", "doubt>0.3"),
        ("changed<2y", "changed<2y", "h or d or w"),
        ("a (b or c", "(", "bracket"),
        ("a b)", ")", "closes nothing"),
        ('note:"left', '"left', "quotes"),
        ("status>done", "status>", "status:done"),
        ("tag:", "tag:", "tag:night"),
        (">5", ">", "field"),
        ("a=b.png", "a", "quotes"),
        ("a or", "r", "missing"),
        ('""', '""', "quotes"),
        ("is:", "is:", "flagged"),
    ],
)
def test_errors_are_one_sentence_that_points(text, word, told):
    with pytest.raises(QueryError) as caught:
        parse(text, CLASSES)
    error = caught.value
    assert text[error.start : error.end] == word
    assert told in str(error) and str(error).count("\n") == 0


def test_nothing_too_deep_or_too_long_is_read():
    for text in ("(" * 500 + "a" + ")" * 500, "-" * 500 + "a", " ".join("a" * (MAX_TESTS + 1))):
        with pytest.raises(QueryError):
            parse(text)


@given(st.text(alphabet=st.sampled_from('ab:<>="()\\- \t%5.orntdclsu*?é'), max_size=30))
def test_any_text_is_a_query_or_an_error_within_it(text):
    try:
        query = parse(text)
    except QueryError as error:
        assert 0 <= error.start <= error.end <= len(text)
    else:
        assert parse(text_of(query)) == query


# -- printing -----------------------------------------------------------------------------------

words = st.text(min_size=1, max_size=8).filter(lambda t: "\0" not in t)
plain = st.sampled_from(["", "a", "night", "left side", "Ä", "CAR", 'qu"ote', "b\\s", "-x", "[a]"])
numbers = st.one_of(st.integers(0, 10**6).map(float), st.floats(0, 1e6, allow_subnormal=False))


def _compare(name, operator, number, of):
    unit = FIELD[name].units[int(number) % len(FIELD[name].units)]
    return Compare(name, operator, number, unit, of if name == "class" else "")


def _tests(texts):
    said = texts.filter(bool)
    return st.one_of(
        st.builds(Match, st.sampled_from(["name", "tag", "note", "comment", "reviewer"]), said),
        st.builds(Match, st.just("class"), said),
        st.builds(Match, st.just("status"), st.sampled_from(STATUS_WORDS)),
        st.builds(Match, st.just("is"), st.sampled_from(IS_WORDS)),
        st.builds(
            _compare,
            st.sampled_from(["class", *(f.name for f in FIELD.values() if f.kind == "number")]),
            st.sampled_from(OPERATORS), numbers, said,
        ),
    )  # fmt: skip


def _queries(texts):
    return st.recursive(
        _tests(texts),
        lambda inner: st.one_of(
            inner.map(Not),
            st.lists(inner, min_size=2, max_size=3).map(all_of),
            st.lists(inner, min_size=2, max_size=3).map(any_of),
        ),
        max_leaves=8,
    )


@given(_queries(words))
def test_what_is_printed_reads_back_the_same(query):
    assert parse(text_of(query)) == query


# -- selecting ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Image:
    """What the index knows of an image."""

    path: Path
    status: str = "new"
    note: str = ""
    tags: tuple[str, ...] = ()
    reviewer: str = ""
    comment: str = ""
    seconds: float = 0.0
    height: int | None = None
    width: int | None = None
    pixels: dict = field(default_factory=dict)
    corrected_px: int | None = None
    margin: float | None = None
    entropy: float | None = None
    boundary_px: int | None = None
    changed_at: float | None = None
    labels_digest: str = ""


COLUMNS = (
    "id", "name", "name_key", "natural", "status", "note", "tags", "reviewer", "comment",
    "seconds", "height", "width", "pixel_count", "corrected_px", "margin", "entropy",
    "boundary_px", "changed_at", "labels_digest",
)  # fmt: skip


def database(images):
    """Return a database with the columns of the index."""
    found = sqlite3.connect(":memory:")
    found.execute(f"CREATE TABLE images ({', '.join(COLUMNS)})")
    found.execute("CREATE TABLE areas (image_id, class, class_key, pixels)")
    for number, i in enumerate(images, 1):
        count = sum(i.pixels.values()) if i.pixels else None
        if i.height is not None and i.width is not None:
            count = i.height * i.width
        tags = f" {' '.join(i.tags)} " if i.tags else ""
        row = (
            number, i.path.name, i.path.name.casefold(), i.path.name, i.status, i.note, tags,
            i.reviewer, i.comment, i.seconds, i.height, i.width, count, i.corrected_px, i.margin,
            i.entropy, i.boundary_px, i.changed_at, i.labels_digest,
        )  # fmt: skip
        found.execute(f"INSERT INTO images VALUES ({', '.join('?' * len(row))})", row)
        found.executemany(
            "INSERT INTO areas VALUES (?, ?, ?, ?)",
            [(number, name, name.casefold(), px) for name, px in i.pixels.items()],
        )
    return found


def maybe(strategy):
    return st.one_of(st.none(), strategy)


images = st.builds(
    Image,
    path=st.sampled_from(["a.png", "A b.JPG", "[a].png", "qu\"ote", "ä1.png", "car*.x"]).map(Path),
    status=st.sampled_from(STATUS_WORDS), note=plain, comment=plain, reviewer=plain,
    tags=st.lists(st.sampled_from(["a", "night", "ä"]), unique=True, max_size=2).map(tuple),
    seconds=st.sampled_from([0.0, 60.0, 300.0, 1e4]),
    height=maybe(st.integers(1, 40)), width=maybe(st.integers(1, 40)),
    pixels=st.dictionaries(st.sampled_from(["car", "Ä", "left side", "", "a"]),
                           st.integers(0, 900), max_size=3),
    corrected_px=maybe(st.integers(0, 900)), margin=maybe(st.floats(0, 1)),
    entropy=maybe(st.floats(0, 1)), boundary_px=maybe(st.integers(0, 900)),
    changed_at=maybe(st.sampled_from([NOW, NOW - 3600, NOW - 200_000])),
    labels_digest=st.sampled_from(["", "x"]),
)  # fmt: skip
texts = st.one_of(plain, st.sampled_from(["*", "a*", "?.png", "*[a]*", "car", "ä", "left"]))


@settings(max_examples=150)
@given(_queries(texts), st.lists(images, max_size=6))
def test_sql_and_python_select_the_same(query, rows):
    where, values = where_sql(query, NOW)
    found = database(rows).execute(
        f"SELECT id FROM images WHERE {where or '1'} ORDER BY id", values
    )
    assert [i for (i,) in found] == [
        number for number, image in enumerate(rows, 1) if matches(query, image, NOW)
    ]


def test_a_share_is_of_the_image_and_unknown_passes_neither():
    rows = [
        Image(Path("x"), height=10, width=10, pixels={"car": 6, "": 94}, labels_digest="d"),
        Image(Path("y"), height=10, width=10, labels_digest="d"),
        Image(Path("z")),
    ]
    for text, wanted in (
        ("class:Car>5%", [1]), ("class:car<5%", [2]), ("-class:car>5%", [2, 3]),
        ("unlabelled>90%", [1]), ("class:car=6px", [1]), ("class:car", [1]),
    ):  # fmt: skip
        where, values = where_sql(parse(text), NOW)
        found = database(rows).execute(f"SELECT id FROM images WHERE {where}", values)
        assert [i for (i,) in found] == wanted, text


def test_orders_put_the_doubtful_first_and_the_unknown_last():
    rows = [
        Image(Path("c"), margin=0.9, status="done"), Image(Path("a")),
        Image(Path("b"), margin=0.1, status="predicted"),
    ]  # fmt: skip
    base = database(rows)

    def order(sort, **how):
        sql = f"SELECT id FROM images ORDER BY {order_sql(sort, **how)}"
        return [i for (i,) in base.execute(sql)]

    assert order("doubt") == [3, 1, 2] and order("doubt", descending=False) == [1, 3, 2]
    assert order("name") == [2, 3, 1] and order("name", descending=True) == [1, 3, 2]
    assert order("status") == [2, 3, 1]
    assert all(sorted(order(sort)) == [1, 2, 3] for sort in SORTS)


def test_random_orders_differ_by_seed_and_look_shuffled():
    base = database([Image(Path(f"{i:04}")) for i in range(2000)])
    select = "SELECT id FROM images ORDER BY "
    orders = [[i for (i,) in base.execute(select + order_sql("random", seed=s))] for s in (1, 1, 2)]
    assert orders[0] == orders[1] != orders[2]
    rises = sum(b > a for a, b in zip(orders[0], orders[0][1:], strict=False))
    assert 850 < rises < 1150


# -- completing ---------------------------------------------------------------------------------


def known(name):
    return {"class": CLASSES, "tag": ("night", "rain")}.get(name, ())


def test_completions_at_the_cursor():
    def at(text, cursor=None):
        return [c.text for c in completions(text, len(text) if cursor is None else cursor, known)]

    assert at("sta") == ["status:"] and at("dou") == ["doubt>"]
    assert at("a -st") == ["status:"]
    assert at("status:d")[0] == "status:done"
    assert at("class:tr") == ['class:"Traffic Light"', "class:Straße"]
    assert at("tag:") == ["tag:night", "tag:rain"]
    assert at("status:done") == [] and at("class:car>") == [] and at("xyz:") == []
    assert len(at("")) == len(FIELD)
    found = completions("(sta or b", 4, known)[0]
    assert (found.start, found.end) == (1, 4)
