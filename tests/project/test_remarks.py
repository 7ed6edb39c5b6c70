"""The log of what people said: whole lines come back, damaged ones are told from them."""

import errno
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pspgui.project import remarks
from pspgui.project.errors import ProjectError
from pspgui.project.remarks import FIELDS, Remark, RemarkLog, folded, line_of, read

VALUES = st.fixed_dictionaries(
    {},
    optional={name: st.text(max_size=9) for name in FIELDS[:5]}
    | {"seconds": st.floats(0, 1e6, allow_nan=False)},
)
REMARKS = st.builds(
    Remark,
    st.floats(0, 2e9).map(lambda t: round(t, 3)),
    st.lists(st.binary(min_size=1, max_size=9), min_size=1, max_size=3).map(tuple),
    VALUES,
)


@settings(max_examples=60)
@given(st.lists(REMARKS, max_size=6))
def test_what_is_appended_is_read_back(tmp_path_factory, said):
    path = tmp_path_factory.mktemp("log") / remarks.NAME
    log = RemarkLog(path)
    for remark in said:
        log.append(remark.images, remark.values, remark.time)
    log.sync()
    assert read(path) == (said, [])


def test_any_flipped_bit_is_told_and_costs_one_line(tmp_path):
    path = tmp_path / remarks.NAME
    lines = [line_of(Remark(1.0, (b"a%d.png" % i,), {"status": "done"})) for i in range(5)]
    whole = b"".join(lines)
    for bit in range(0, len(whole) * 8, 7):
        damaged = bytearray(whole)
        damaged[bit // 8] ^= 1 << bit % 8
        path.write_bytes(damaged)
        found, told = read(path)
        assert told, f"bit {bit} was not noticed"
        assert len(found) >= 3, f"bit {bit} cost {5 - len(found)} lines"


def test_a_torn_end_is_told_and_swallows_nothing_that_follows(tmp_path):
    path = tmp_path / remarks.NAME
    log = RemarkLog(path)
    log.append([b"a.png"], {"status": "done"}, 1.0)
    whole = path.stat().st_size
    log.append([b"b.png"], {"status": "done"}, 2.0)
    with path.open("r+b") as file:
        file.truncate(whole + 10)
    assert [remark.images for remark in read(path)[0]] == [(b"a.png",)]
    assert read(path)[1] == [2]
    log.append([b"c.png"], {"note": "x"}, 3.0)
    found, damaged = read(path)
    assert [remark.images for remark in found] == [(b"a.png",), (b"c.png",)]
    assert damaged == [2]


def test_later_remarks_win_field_by_field():
    said = [
        Remark(1, (b"a", b"b"), {"status": "done", "note": "x"}),
        Remark(2, (b"a",), {"status": "flagged"}),
    ]
    assert folded(said) == {
        b"a": {"status": "flagged", "note": "x"}, b"b": {"status": "done", "note": "x"},
    }  # fmt: skip
    assert folded(remarks.condensed(folded(said))) == folded(said)


def test_many_images_make_lines_of_bounded_length(tmp_path):
    log = RemarkLog(tmp_path / remarks.NAME)
    images = [b"%06d.png" % i for i in range(1201)]
    log.append(images, {"status": "done"}, 1.0)
    found, _ = read(log.path)
    assert [len(remark.images) for remark in found] == [500, 500, 201]
    assert set(folded(found)) == set(images)


def test_a_full_disk_adds_no_half_line(tmp_path, monkeypatch):
    log = RemarkLog(tmp_path / remarks.NAME)
    log.append([b"a.png"], {"status": "done"}, 1.0)
    before = log.path.read_bytes()
    really = Path.open

    def full(path, *arguments, **options):
        file = really(path, *arguments, **options)
        if arguments == ("ab",):
            write = file.write

            def half(content):
                write(content[: len(content) // 2])
                raise OSError(errno.ENOSPC, "No space left on device")

            return _Stand(file, half)
        return file

    monkeypatch.setattr(Path, "open", full)
    with pytest.raises(ProjectError, match="could not be written"):
        log.append([b"b.png"], {"status": "done"}, 2.0)
    assert log.path.read_bytes() == before


class _Stand:
    """A file whose write is another."""

    def __init__(self, file, write):
        self._file, self.write = file, write

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self._file.close()

    def __getattr__(self, name):
        return getattr(self._file, name)
