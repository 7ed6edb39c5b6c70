"""Files of every form that is read, broken by seed: what they become, and what is said of them.

`python tests/malformed.py --count 20000` runs that many and prints a summary. Case n is always the
same. Cases run in child processes with a bound on memory, so that a crash or a hang of any decoder
is seen: the child says what it begins, the parent knows what it died of.
"""

from __future__ import annotations

import argparse
import functools
import io
import json
import os
import resource
import subprocess
import sys
import tarfile
import tempfile
import time
import traceback
import warnings
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from hostile_files import Hung, chunk, hang_guard, peak_bytes, seeds
from PIL import Image

MEMORY = 6 << 30
Files = dict[str, bytes]
Random = np.random.Generator
# What a reader may take for a number and should not, and sizes that no memory has.
NUMBERS = (
    b"NaN", b"Infinity", b"-1", b"0", b"1e999", b"-1e308", b"1e9", b"2147483648", b"4294967295",
    b"9223372036854775808", b"1" * 400, b"0.5", b"1e-320", b'"7"', b"null", b"[]", b"{}", b"true",
    b"", b"65535", b"200000", b"--5", b"0x10",
)  # fmt: skip


class Case(NamedTuple):
    """Files as they are given to a reader, which of them was broken, and how."""

    number: int
    kind: str
    files: Files
    broken: str
    how: str


class Fate(NamedTuple):
    """What became of a case: read, refused, crashed, hung, died or ill-told, and the words."""

    number: int
    kind: str
    how: str
    what: str
    words: str


# -- how things break ---------------------------------------------------------------------------


def flip(content: bytes, random: Random) -> bytes:
    """Turn some bits over."""
    broken = bytearray(content)
    for place in random.integers(0, len(broken), int(random.integers(1, 9))):
        broken[place] ^= 1 << int(random.integers(0, 8))
    return bytes(broken)


def replace(content: bytes, random: Random) -> bytes:
    """Put other bytes in some places."""
    broken = bytearray(content)
    for place in random.integers(0, len(broken), int(random.integers(1, 7))):
        broken[place] = int(random.choice((0, 1, 127, 128, 255, random.integers(0, 256))))
    return bytes(broken)


def truncate(content: bytes, random: Random) -> bytes:
    """Cut the end off."""
    return content[: int(random.integers(0, len(content)))]


def splice(content: bytes, random: Random) -> bytes:
    """Copy a stretch to another place, over what is there or between it."""
    start, stop = sorted(random.integers(0, len(content) + 1, 2).tolist())
    stretch = content[start : min(stop, start + 4096)] * int(random.integers(1, 4))
    place = int(random.integers(0, len(content) + 1))
    over = len(stretch) if random.integers(0, 2) else 0
    return content[:place] + stretch + content[place + over :]


def drop(content: bytes, random: Random) -> bytes:
    """Take a stretch out."""
    place = int(random.integers(0, len(content)))
    return content[:place] + content[place + int(random.integers(1, 200)) :]


def hollow(content: bytes, random: Random) -> bytes:
    """Fill a stretch with zeros."""
    start, stop = sorted(random.integers(0, len(content) + 1, 2).tolist())
    return content[:start] + bytes(stop - start) + content[stop:]


def other_number(content: bytes, random: Random) -> bytes:
    """Put something absurd for a number of a text."""
    return _other_words(content, random, rb"0123456789.-", NUMBERS)


def other_word(content: bytes, random: Random) -> bytes:
    """Put something else for a word of a text: a path that leads out, markup, no text at all."""
    words = (b"../../x", b"/etc/passwd", b"\0", b"\xff\xfe", b"a" * 5000, b"<!DOCTYPE a>", b"&lol;",
             b"\n", b"%s%n", b'"', b"]", b"C:\\x", b"\xed\xa0\x80")  # fmt: skip
    letters = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_"
    return _other_words(content, random, letters, words)


def _other_words(content: bytes, random: Random, of: bytes, others: tuple[bytes, ...]) -> bytes:
    for _ in range(int(random.integers(1, 4))):
        place = int(random.integers(0, max(1, len(content))))
        while place < len(content) and content[place] not in of:
            place += 1
        start = stop = place
        while start > 0 and content[start - 1] in of:
            start -= 1
        while stop < len(content) and content[stop] in of:
            stop += 1
        content = content[:start] + others[int(random.integers(0, len(others)))] + content[stop:]
    return content


def other_png(content: bytes, random: Random) -> bytes:
    """Change one field of a PNG's header, or a stretch of a chunk, and make its sum right again."""
    if not content.startswith(b"\x89PNG") or len(content) < 45:
        return flip(content, random)
    place, chunks = 8, []
    while place + 12 <= len(content):
        size = int.from_bytes(content[place : place + 4], "big")
        chunks.append((content[place + 4 : place + 8], content[place + 8 : place + 8 + size]))
        place += 12 + size
    at = 0 if random.integers(0, 2) else int(random.integers(0, len(chunks)))
    name, body = chunks[at]
    if at == 0:
        sizes = (0, 1, 65535, 1 << 20, 2**31 - 1, 2**32 - 1, int(random.integers(1, 200)))
        fields = [int.from_bytes(body[i : i + 4], "big") for i in (0, 4)]
        fields[int(random.integers(0, 2))] = int(random.choice(sizes))
        tail = bytearray(body[8:])
        if random.integers(0, 3) == 0:
            tail[int(random.integers(0, len(tail)))] = int(random.integers(0, 17))
        body = b"".join(value.to_bytes(4, "big") for value in fields) + bytes(tail)
    elif body:
        body = (flip, drop, splice)[int(random.integers(0, 3))](body, random)
    chunks[at] = (name, body)
    return content[:8] + b"".join(chunk(*entry) for entry in chunks)


BYTES: tuple[Callable[[bytes, Random], bytes], ...] = (
    flip, replace, truncate, splice, drop, hollow,
)  # fmt: skip
TEXTS = (other_number, other_number, other_word, *BYTES)
PNGS = (other_png, other_png, *BYTES)


def broken(name: str, content: bytes, random: Random) -> tuple[bytes, str]:
    """Return a file broken in a way that suits it, and the name of the way."""
    if not content:
        return b"\0", "replace"
    ways = BYTES
    if name.endswith(".png"):
        ways = PNGS
    elif name.endswith((".json", ".xml", ".txt", ".yaml", ".py", ".csv")):
        ways = TEXTS
    way = ways[int(random.integers(0, len(ways)))]
    return way(content, random), way.__name__


# -- what there is to break ---------------------------------------------------------------------


@functools.cache
def label_files() -> Files:
    """Return good label files."""
    values = (np.arange(48 * 40) // 97 % 12).astype(np.uint8).reshape(40, 48)
    palette = Image.fromarray(values)
    palette.putpalette(bytes(range(256)) * 3)
    kinds = {
        "palette.png": (palette, "PNG"), "grey.png": (Image.fromarray(values), "PNG"),
        "deep.png": (Image.fromarray(values.astype(np.uint16) * 300), "PNG"),
        "grey.tif": (Image.fromarray(values), "TIFF"), "grey.bmp": (Image.fromarray(values), "BMP"),
        "grey.pgm": (Image.fromarray(values), "PPM"), "grey.gif": (palette, "GIF"),
    }  # fmt: skip
    found = {}
    for name, (image, form) in kinds.items():
        buffer = io.BytesIO()
        image.save(buffer, form)
        found[name] = buffer.getvalue()
    return found


@functools.cache
def data_sets() -> dict[str, Files]:
    """Return a data set of two images in every form, and some that only others write."""
    from pspgui.formats import FORMATS, ExportItem
    from pspgui.labels.classes import table

    classes = table(("road", (1, 2, 3)), ("car", (4, 5, 6)), ("sky", (7, 8, 9)))
    y, x = np.mgrid[:30, :40]
    labels = np.where((y - 15) ** 2 + (x - 20) ** 2 < 90, 1, np.where(y < 9, 2, 0)).astype(np.uint8)
    labels[:2, :5] = 255
    pixels = np.stack([labels * 60, y * 8 % 256, x * 6 % 256], -1).astype(np.uint8)
    found: dict[str, Files] = {}
    with tempfile.TemporaryDirectory() as home:
        for form in FORMATS:
            root = Path(home) / form.key
            items = [ExportItem(Path(name), labels, pixels) for name in ("a", "b")]
            form.export(items, root, classes)
            found[form.key] = {
                str(path.relative_to(root)): path.read_bytes()
                for path in sorted(root.rglob("*"))
                if path.is_file()
            }
    instances = dict(found["coco"])
    for name in [name for name in instances if "panoptic" in name]:
        del instances[name]
    found["coco-instances"] = instances
    found["cvat-shapes"] = {"annotations.xml": SHAPES_XML, "images/a.png": found["voc"][
        "JPEGImages/a.png"]}  # fmt: skip
    found["cvat-tracks"] = {
        "annotations.xml": TRACKS_XML, "images/frame_000000.png": found["voc"]["JPEGImages/a.png"],
    }  # fmt: skip
    found["labelme-shapes"] = {"a.json": SHAPES_JSON, "a.png": found["voc"]["JPEGImages/a.png"]}
    found["label-studio-shapes"] = {"label_studio_train.json": SHAPES_TASKS,
                                    "images/a.png": found["voc"]["JPEGImages/a.png"]}  # fmt: skip
    return found


TRACKS_XML = b"""<?xml version="1.0" encoding="utf-8"?>
<annotations><version>1.1</version><meta><task><size>1</size><start_frame>0</start_frame>
<stop_frame>0</stop_frame><frame_filter/><labels>
<label><name>road</name><color>#ff0000</color></label>
<label><name>car</name></label></labels></task></meta><track id="0" label="car">
<box frame="0" keyframe="1" outside="0" xtl="4.0" ytl="2.0" xbr="8.0" ybr="6.0" z_order="2"></box>
</track><track id="1" label="road"><mask frame="0" keyframe="1" outside="0" rle="1, 2, 3" left="1"
 top="4" width="3" height="2" z_order="1"></mask></track></annotations>"""
SHAPES_XML = b"""<?xml version="1.0" encoding="utf-8"?>
<annotations><version>1.1</version><meta><task><labels>
<label><name>road</name><color>#ff0000</color></label>
<label><name>car</name><color>#00ff00</color></label></labels></task></meta>
<image id="0" name="a.png" width="40" height="30">
<box label="car" occluded="0" xtl="4.0" ytl="2.0" xbr="18.0" ybr="16.0" rotation="30.0" z_order="2">
</box>
<ellipse label="car" cx="20.5" cy="10.0" rx="8.0" ry="4.0" rotation="45.0" z_order="1"></ellipse>
<polygon label="road" points="0.0,0.0;40.0,0.0;40.0,30.0;0.0,30.0" z_order="0"></polygon>
<mask label="car" rle="1, 2, 3" left="1" top="9" width="3" height="2" z_order="1"></mask>
</image></annotations>"""
SHAPES_JSON = json.dumps({
    "version": "5.5.0", "flags": {}, "imagePath": "a.png", "imageData": None, "imageHeight": 30,
    "imageWidth": 40, "shapes": [
        {"label": "car", "shape_type": "polygon", "points": [[1, 1], [20.5, 3], [9, 25]]},
        {"label": "road", "shape_type": "rectangle", "points": [[1, 1], [9, 9]]},
        {"label": "road", "shape_type": "circle", "points": [[20, 20], [25, 20]]},
        {"label": "car", "shape_type": "oriented_rectangle",
         "points": [[5, 5], [15, 9], [13, 14], [3, 10]]},
    ],
}).encode()  # fmt: skip
SHAPES_TASKS = json.dumps([{
    "id": 1, "data": {"image": "/data/local-files/?d=images/a.png"}, "annotations": [{"result": [
        {"type": kind, "original_width": 40, "original_height": 30, "from_name": "tag",
         "to_name": "image", "value": {kind: [name], **value}}
        for kind, name, value in (
            ("rectanglelabels", "car", {"x": 10, "y": 10, "width": 30, "height": 20,
                                        "rotation": 20}),
            ("ellipselabels", "road", {"x": 50, "y": 50, "radiusX": 20, "radiusY": 10,
                                       "rotation": 70}),
            ("polygonlabels", "sky", {"points": [[1, 1], [90, 5], [40, 80]]}),
        )
    ]}],
}]).encode()  # fmt: skip


def packed(files: Files, kind: str) -> bytes:
    """Return files as a zip or a tar."""
    buffer = io.BytesIO()
    if kind == "zip":
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in files.items():
                archive.writestr(zipfile.ZipInfo(name), content)
        return buffer.getvalue()
    with tarfile.open(fileobj=buffer, mode="w:gz" if kind == "tgz" else "w") as tar:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def tricked_zip(files: Files, random: Random) -> tuple[bytes, str]:
    """Return a zip whose directory lies: about sizes, names, kinds, sums, packing or places."""
    content = bytearray(packed(files, "zip"))
    central = list(_places(content, b"PK\x01\x02"))
    local = list(_places(content, b"PK\x03\x04"))
    fields = {"method": (10, 2), "flags": (8, 2), "crc": (16, 4), "packed": (20, 4),
              "size": (24, 4), "name length": (28, 2), "extra": (30, 2), "mode": (38, 4),
              "place": (42, 4), "name": (46, 4)}  # fmt: skip
    name = list(fields)[int(random.integers(0, len(fields)))]
    offset, size = fields[name]
    at = central[int(random.integers(0, len(central)))] + offset
    content[at : at + size] = random.bytes(size) if random.integers(0, 2) else b"\xff" * size
    if random.integers(0, 3) == 0:
        at = local[int(random.integers(0, len(local)))] + int(random.integers(4, 30))
        content[at] = int(random.integers(0, 256))
    return bytes(content), f"zip {name}"


def tricked_tar(files: Files, random: Random) -> tuple[bytes, str]:
    """Return a tar of which a header lies, its sum being right."""
    content = bytearray(packed(files, "tar"))
    heads = [at - 257 for at in _places(content, b"ustar") if at >= 257 and (at - 257) % 512 == 0]
    at = heads[int(random.integers(0, len(heads)))]
    fields = {"name": (0, 100), "mode": (100, 8), "size": (124, 12), "time": (136, 12),
              "type": (156, 1), "link": (157, 100), "prefix": (345, 155)}  # fmt: skip
    name = list(fields)[int(random.integers(0, len(fields)))]
    start, length = fields[name]
    choices = (b"../../x", b"/x", b"777777777777"[:length], b"\xff" * length, b"-1", b"1", b"2",
               b"5", b"L", b"x", b"g", b"S", b"K", random.bytes(length))  # fmt: skip
    word = choices[int(random.integers(0, len(choices)))][:length].ljust(length, b"\0")
    content[at + start : at + start + length] = word
    content[at + 148 : at + 156] = b" " * 8
    content[at + 148 : at + 156] = b"%06o\0 " % sum(content[at : at + 512])
    return bytes(content), f"tar {name}"


def _places(content: bytes | bytearray, mark: bytes) -> Iterator[int]:
    place = content.find(mark)
    while place >= 0:
        yield place
        place = content.find(mark, place + 1)


def case(number: int) -> Case:
    """Return a case; the same for the same number."""
    random = np.random.default_rng((20_000, number))
    kind = ("image", "labels", "set", "set", "set", "archive")[number % 6]
    if kind in ("image", "labels"):
        good = seeds() if kind == "image" else label_files()
        name = sorted(good)[number // 6 % len(good)]
        content, how = broken(name, good[name], random)
        return Case(number, f"{kind} {name}", {name: content}, name, how)
    sets = data_sets()
    key = sorted(sets)[(number // 6 * 3 + number % 6 - 2) % len(sets)]
    files = dict(sets[key])
    if kind == "archive":
        form = ("zip", "tgz", "tar")[int(random.integers(0, 3))]
        trick = int(random.integers(0, 2)) and form != "tgz"
        if trick:
            content, how = (tricked_zip if form == "zip" else tricked_tar)(files, random)
        else:
            way = BYTES[int(random.integers(0, len(BYTES)))]
            content, how = way(packed(files, form), random), way.__name__
        return Case(number, f"archive {form}", {f"set.{form}": content}, f"set.{form}", how)
    # dataset.json is for people: readers of ours look into it for classes alone
    names = sorted(files)
    name = names[int(random.integers(0, len(names)))]
    if random.integers(0, 10) == 0:
        other = names[int(random.integers(0, len(names)))]
        files[name], how = files[other], "other file"
    elif random.integers(0, 15) == 0:
        del files[name]
        how = "gone"
    else:
        files[name], how = broken(name, files[name], random)
    return Case(number, f"set {key}", files, name, how)


# -- what becomes of them -----------------------------------------------------------------------


def tried(case: Case, home: Path) -> tuple[str, str]:
    """Read a case as the program would; return read or refused, and the words of the refusal."""
    from pspgui.formats import FormatError
    from pspgui.formats.sources import opened_source
    from pspgui.imaging import DecodeError, decode_image, decode_labels

    for name, content in case.files.items():
        path = home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    target = home / case.broken
    try:
        if case.kind.startswith("image"):
            shape = decode_image(target).pixels.shape
            assert len(shape) == 3 and shape[2] == 3
        elif case.kind.startswith("labels"):
            assert decode_labels(target).labels.ndim == 2
        else:
            root = target if case.kind.startswith("archive") else home
            with opened_source(root) as source:
                for samples, classes in source.parts(None):
                    for sample in samples:
                        assert sample.coding.read(sample.labels).ndim == 2 and len(classes)
    except (FormatError, DecodeError) as error:
        return _told(case, home, str(error))
    if case.kind.startswith("set") and case.number % 7 == 0:
        return imported(case, home)
    return "read", ""


def imported(case: Case, home: Path) -> tuple[str, str]:
    """Import a case into a folder of its own, as a person does."""
    from pspgui.durable import SaveError
    from pspgui.formats import FormatError
    from pspgui.jobs.importing import ImportOptions, run_import
    from pspgui.jobs.messages import Turn
    from pspgui.project import LabelStore

    folder = home.parent / f"{home.name}-images"
    folder.mkdir()
    steps = run_import(home, folder, LabelStore(), ImportOptions())(
        Turn(lambda step: None, lambda: False)
    )
    try:
        while True:
            next(steps)
    except StopIteration as end:
        reasons = [reason for _, reason in end.value.failed]
        return _told(case, home, reasons[0]) if reasons else ("read", "")
    except (FormatError, SaveError) as error:
        return _told(case, home, str(error))


def _told(case: Case, home: Path, words: str) -> tuple[str, str]:
    """Judge a refusal: one line that names a file, neither Python's words nor endless."""
    from pspgui.durable import printable

    single = case.kind.startswith(("image", "labels"))
    # Images of an import are called by their names alone, which are those of the folder's images.
    images = {f"{Path(name).name}: " for name in case.files if "mage" in name or "Img" in name
              or single}  # fmt: skip
    names = printable(home) in words or words.startswith((*images, "a.png: ", "b.png: "))
    python = any(word in words for word in ("Errno", "Traceback", "object has no", "Error: '"))
    python |= "/imports/" in words
    good = names and words.isprintable() and 20 < len(words) < 1200 and not python
    return ("refused" if good else "ill-told"), words.replace(str(home), "~")


def child(numbers: list[int]) -> None:
    """Try cases; print a line when one begins and one when it is done, and the peak of memory."""
    import pspgui.formats.sources
    import pspgui.imaging.opencv  # noqa: F401

    warnings.simplefilter("ignore")
    data_sets(), label_files()
    before = peak_bytes()
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    for number in numbers:
        sys.stdout.write(f"{number}\n")
        sys.stdout.flush()
        one = case(number)
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            os.environ["XDG_CACHE_HOME"] = folder
            home = Path(folder) / "set"
            home.mkdir()
            try:
                with hang_guard():
                    what, words = tried(one, home)
            except Hung:
                what, words = "hung", one.broken
            except Exception:
                what, words = "crashed", traceback.format_exc()[-1500:]
        sys.stdout.write(json.dumps([one.kind, one.how, what, words]) + "\n")
    sys.stdout.write(f"{peak_bytes() - before}\n")


class Summary(NamedTuple):
    """Fates of all cases, and the most memory that a child took beyond what it began with."""

    fates: list[Fate]
    peak_bytes: int

    @property
    def wrong(self) -> list[Fate]:
        """What should not have happened."""
        return [fate for fate in self.fates if fate.what not in ("read", "refused")]

    def lines(self) -> list[str]:
        """Return the summary as text."""
        rows = Counter((fate.kind.split()[0], fate.what) for fate in self.fates)
        return [
            *(f"{kind:8} {what:9} {count}" for (kind, what), count in sorted(rows.items())),
            f"peak {self.peak_bytes / 2**20:.0f} MB",
            *(f"{f.number} {f.kind}, {f.how}: {f.what}\n{f.words}" for f in self.wrong[:400]),
        ]


def run(numbers: list[int], a_child: int = 400) -> Summary:
    """Try cases in children, some at a time."""
    fates: list[Fate] = []
    peak = 0
    left = list(numbers)
    while left:
        part = left[:a_child]
        done = subprocess.run(
            [sys.executable, "-c", _CHILD, json.dumps(part)], capture_output=True, timeout=900,
            text=True, check=False,
        )  # fmt: skip
        lines = done.stdout.splitlines()
        told = [json.loads(line) for line in lines if line.startswith("[")]
        fates += [Fate(n, *words) for n, words in zip(part, told, strict=False)]
        if done.returncode:
            if len(told) == len(part):
                raise AssertionError(done.stderr[-2000:])
            lost = case(part[len(told)])
            words = f"exit {done.returncode}: {done.stderr[-500:]}"
            fates.append(Fate(lost.number, lost.kind, lost.how, "died", words))
            left = left[len(told) + 1 :]
            continue
        peak = max(peak, int(lines[-1]))
        left = left[len(part) :]
    return Summary(fates, peak)


_CHILD = (
    f"import json, sys; sys.path[:0] = {[str(Path(__file__).parent)]!r}\n"
    f"sys.path.append({str(Path(__file__).resolve().parents[1])!r})\n"
    "import malformed; malformed.child(json.loads(sys.argv[1]))"
)


def main() -> None:
    """Run many cases and print what became of them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=20_000)
    parser.add_argument("--first", type=int, default=0)
    asked = parser.parse_args()
    began = time.monotonic()
    summary = run(list(range(asked.first, asked.first + asked.count)))
    sys.stdout.write("\n".join(summary.lines()) + f"\n{time.monotonic() - began:.0f} s\n")


if __name__ == "__main__":
    main()
