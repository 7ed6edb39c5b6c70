"""Labels without a meaning are named before anything runs, with the mistake they look like."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pspgui import places
from pspgui.formats import FormatError, Sample, read_dataset, seen_values
from pspgui.formats.checking import LOOK_AHEAD, check_labels
from pspgui.formats.coding import PLAIN, FileValues
from pspgui.imaging import encode_labels
from pspgui.labels.classes import table

FOUR = table(*((name, (i, i, i)) for i, name in enumerate("abcd")))
TWO = table(("ground", (0, 0, 0)), ("thing", (255, 255, 255)))


def grey(path: Path, *values: int) -> Sample:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.resize(np.array(values, np.uint8), (16, 16))).save(path)
    return Sample(path.with_suffix(".jpg"), path)


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ((0, 3, 10), r"a\.png holds the value 10; classes\.json ends at 3 \(ignore is 255\)$"),
        ((1, 2, 4, 255), r"value 4; .* 1 to 4: are these one-based labels\? If so, subtract 1"),
        ((0, 1, 2, 4), r"value 4; .* 0 to 4: is a class missing in classes\.json, or is 0 .other."),
        ((0, 85, 170), r"value 85; .* multiples of 85: were labels stretched"),
        (tuple(range(200)), r"value 4; .* 200 different values: a photo, or labels resized"),
    ],
)
def test_a_value_without_a_class_names_file_value_and_mistake(
    tmp_path: Path, values: tuple[int, ...], sentence: str
) -> None:
    with pytest.raises(FormatError, match=sentence):
        check_labels([grey(tmp_path / "a.png", *values)], FOUR)


def test_masks_of_0_and_255_ask_what_255_is(tmp_path: Path) -> None:
    samples = [grey(tmp_path / f"{i}.png", 0, 255) for i in range(2)]
    with pytest.raises(FormatError, match="0 and 255 only: is 255 the foreground"):
        check_labels(samples, TWO)
    other = table(("ground", (0, 0, 0)), ("thing", (1, 1, 1)), ignore=254)
    with pytest.raises(FormatError, match=r"value 255; .* 0 and 255 only: is 255 the foreground"):
        check_labels(samples, other)


def test_0_and_255_are_fine_in_a_palette_file_or_beside_other_labels(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(encode_labels(np.array([[0, 255]], np.uint8), TWO.palette()))

    check_labels([Sample(path, path)], TWO)
    check_labels([grey(tmp_path / "b.png", 0, 255), grey(tmp_path / "c.png", 1)], TWO)


def test_a_split_that_is_all_ignored_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="every pixel of these 1 label files"):
        check_labels([grey(tmp_path / "a.png", 255)], FOUR)


def test_the_first_wrong_file_is_named_and_the_pass_ends_soon_after(tmp_path: Path) -> None:
    good = grey(tmp_path / "good.png", 0, 1)
    samples = [good, grey(tmp_path / "wrong.png", 9), *[good] * 100]
    told: list[tuple[int, int]] = []

    with pytest.raises(FormatError, match=r"wrong\.png holds the value 9"):
        check_labels(samples, FOUR, lambda *step: told.append(step))

    assert told == [(i + 1, 102) for i in range(2 + LOOK_AHEAD)]


@pytest.mark.parametrize("mode", ["RGB", "JPEG"])
def test_what_is_no_label_file_is_named(tmp_path: Path, mode: str) -> None:
    path = tmp_path / "a.png"
    Image.new("RGB" if mode == "RGB" else "L", (4, 4)).save(path, "PNG" if mode == "RGB" else mode)

    with pytest.raises(FormatError, match=r"a\.png: (a colour picture|a JPEG changes)"):
        check_labels([Sample(path, path)], FOUR)


def test_progress_may_stop_the_pass(tmp_path: Path, no_threads_left: None) -> None:
    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        check_labels([grey(tmp_path / "a.png", 0)] * 50, FOUR, stop)


class CountingCoding(type(PLAIN)):
    """Plain values that count how many files were read."""

    def __init__(self) -> None:
        self.reads = 0

    def values_of(self, path: Path) -> FileValues:
        self.reads += 1
        return super().values_of(path)


def test_unchanged_files_are_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seen_values, "SMALLEST", 1)
    coding = CountingCoding()
    samples = [Sample(s.image, s.labels, coding)
               for s in (grey(tmp_path / f"{i}.png", 0, i) for i in range(4))]  # fmt: skip

    check_labels(samples, FOUR)
    check_labels(samples, FOUR)
    assert coding.reads == 4

    grey(samples[2].labels, 9)
    os.utime(samples[2].labels, ns=(1, 1))
    with pytest.raises(FormatError, match=r"2\.png holds the value 9"):
        check_labels(samples, FOUR)
    assert coding.reads == 5


def test_a_file_that_changes_while_it_is_read_is_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(seen_values, "SMALLEST", 1)

    class Overtaken(CountingCoding):
        def values_of(self, path: Path) -> FileValues:
            found = super().values_of(path)
            if self.reads == 1:
                os.utime(grey(path, 9).labels, ns=(1, 1))
            return found

    coding = Overtaken()
    sample = Sample(tmp_path / "a.jpg", grey(tmp_path / "a.png", 0, 1).labels, coding)
    check_labels([sample], FOUR)
    with pytest.raises(FormatError, match=r"a\.png holds the value 9"):
        check_labels([sample], FOUR)


@pytest.mark.parametrize("content", [b"{", b"[]", b'{"x": 1}', b"\xff", b'{"KEY": [1, 2]}'])
def test_a_damaged_memory_is_read_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes
) -> None:
    monkeypatch.setattr(seen_values, "SMALLEST", 1)
    sample = grey(tmp_path / "a.png", 0, 1)
    check_labels([sample], FOUR)
    (kept,) = (places.user_folder() / "checked-labels").iterdir()
    status = sample.labels.stat()
    entry = {ascii(str(sample.labels)): [status.st_size, status.st_mtime_ns, True, "many"]}
    kept.write_bytes(content if b"KEY" not in content else json.dumps(entry).encode())

    check_labels([sample], FOUR)


def test_read_dataset_checks_and_tells_progress(tmp_path: Path) -> None:
    for stem, value in (("a", 1), ("b", 4)):
        grey(tmp_path / "labels" / f"{stem}.png", 0, value)
        (tmp_path / "images").mkdir(exist_ok=True)
        Image.new("RGB", (16, 16)).save(tmp_path / "images" / f"{stem}.png")
    (tmp_path / "classes.json").write_text(json.dumps(FOUR.to_json()))
    told: list[tuple[int, int]] = []

    with pytest.raises(FormatError, match=r"b\.png holds the value 4"):
        read_dataset(tmp_path, None, lambda *step: told.append(step))

    assert told == [(1, 2), (2, 2)]
