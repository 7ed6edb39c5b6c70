"""Files as they should not be, written by seed: images cut short, rotten, lying, absurd, or none.

`write_images(folder)` writes the corpus and returns what is to become of each file. `decode_all`
is what a child process runs, so that a crash or a hang of a decoder is seen and not suffered.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import resource
import signal
import socket
import struct
import subprocess
import sys
import warnings
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

READ, REFUSED, NOTED, EITHER = "read", "refused", "noted", "either"
HANG_S, ASLEEP_S = 5, 60
NOT_UTF8 = os.fsdecode(b"\xff\xfe-latin \xe9.png")
ODD_NAMES = (
    NOT_UTF8, "line\nbreak.png", "tab\there.png", "x" * 251 + ".png", "ü-nfc.png",
    "u\u0308-nfd.png", " leading.png", "trailing .png", "-dash.png", "per%cent 'q\" &.png",
    "日本語🙂.png",
)  # fmt: skip


def pixels(seed: int = 0, height: int = 40, width: int = 56) -> np.ndarray:
    """Return noise over a gradient, so that every format has something to pack."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width]
    base = np.stack([y * 5 % 256, x * 3 % 256, (x + y) * 2 % 256], -1)
    return ((base + random.integers(0, 40, base.shape)) % 256).astype(np.uint8)


def seeds() -> dict[str, bytes]:
    """Return one good file of each kind, by name."""
    colour, grey = Image.fromarray(pixels()), Image.fromarray(pixels()[..., 0])
    deep = Image.fromarray(pixels()[..., 0].astype(np.uint16) * 257)
    kinds = {
        "rgb.png": (colour, "PNG", {}), "deep.png": (deep, "PNG", {}),
        "palette.png": (colour.quantize(32), "PNG", {}), "plain.jpg": (colour, "JPEG", {}),
        "progressive.jpg": (colour, "JPEG", {"progressive": True}), "raw.tif": (colour, "TIFF", {}),
        "lzw.tif": (colour, "TIFF", {"compression": "tiff_lzw"}), "a.bmp": (colour, "BMP", {}),
        "lossless.webp": (colour, "WEBP", {"lossless": True}), "lossy.webp": (colour, "WEBP", {}),
        "a.gif": (colour.quantize(64), "GIF", {}), "a.ppm": (colour, "PPM", {}),
        "grey.pgm": (grey, "PPM", {}), "deep.pgm": (deep, "PPM", {}),
    }  # fmt: skip
    found = {}
    for name, (image, form, options) in kinds.items():
        buffer = io.BytesIO()
        image.save(buffer, form, **options)
        found[name] = buffer.getvalue()
    return found


def chunk(kind: bytes, content: bytes) -> bytes:
    """Return a PNG chunk."""
    checksum = zlib.crc32(kind + content)
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", checksum)


def png(width: int, height: int, rows: bytes = b"", *further: bytes) -> bytes:
    """Return an 8-bit grey PNG that claims a size, whatever its packed rows hold."""
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    body = chunk(b"IHDR", header) + b"".join(further) + chunk(b"IDAT", rows or zlib.compress(b""))
    return b"\x89PNG\r\n\x1a\n" + body + chunk(b"IEND", b"")


def zeros(count: int) -> bytes:
    """Return so many zero bytes, packed: one packed stretch over and over."""
    stretch = 1 << 20
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    whole = packer.compress(bytes(stretch)) + packer.flush(zlib.Z_FULL_FLUSH)
    rest = zlib.compressobj(9, zlib.DEFLATED, -15)
    end = rest.compress(bytes(count % stretch)) + rest.flush()
    checksum = struct.pack(">I", count % 65521 << 16 | 1)  # Adler-32 of zeros
    return b"\x78\xda" + whole * (count // stretch) + end + checksum


def bombs() -> dict[str, bytes]:
    """Return small files that claim to be, or unpack to, something huge."""
    bmp = b"BM" + struct.pack("<IHHI", 60, 0, 0, 54) + struct.pack(
        "<IiiHHIIiiII", 40, 60000, 60000, 1, 24, 0, 0, 0, 0, 0, 0
    )  # fmt: skip
    entries = [(256, 4, 1, 60000), (257, 4, 1, 60000), (258, 3, 1, 8), (259, 3, 1, 1),
               (262, 3, 1, 1), (273, 4, 1, 8), (277, 3, 1, 1), (278, 4, 1, 60000),
               (279, 4, 1, 10)]  # fmt: skip
    tiff = b"II*\0" + struct.pack("<IH", 8, len(entries))
    tiff += b"".join(struct.pack("<HHII", *entry) for entry in entries) + bytes(4)
    return {
        "900-mp.png": png(30000, 30000, zeros(900_030_000)),
        "claims.png": png(2**31 - 1, 2**31 - 1), "wide.png": png(2**31 - 1, 1),
        "60000.bmp": bmp, "60000.tif": tiff,
        "65535.gif": b"GIF89a" + struct.pack("<HHBBB", 65535, 65535, 0, 0, 0) + b","
        + struct.pack("<HHHHB", 0, 0, 65535, 65535, 0) + b"\x02\x02\x4c\x01\x00;",
        "60000.ppm": b"P6\n60000 60000\n255\n", "digits.ppm": b"P6\n" + b"9" * 5000 + b" 1\n255\n",
        "ztxt.png": png(4, 4, zlib.compress(bytes(20)), chunk(b"zTXt", b"a\0\0" + zeros(1 << 28))),
        "icc.png": png(4, 4, zlib.compress(bytes(20)), chunk(b"iCCP", b"a\0\0" + zeros(1 << 28))),
    }  # fmt: skip


STRANGERS = {
    "empty.png": b"", "one.png": b"\x89", "text.png": b"hello", "page.png": b"<!doctype html><p>",
    "drawing.png": b'<svg xmlns="http://www.w3.org/2000/svg"/>', "paper.png": b"%PDF-1.7\n",
    "script.png": b"%!PS-Adobe-3.0\n", "pickle.png": b"\x80\x02}q\0.", "packed.png": b"PK\x03\x04",
    "program.png": b"\x7fELF\x02\x01\x01", "photo.heic.png": bytes(4) + b"ftypheic",
    "pointer.png": b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n",
    "nothing.png": bytes(4096), "nothing.jpg": bytes(4096),
}  # fmt: skip


def write_images(folder: Path) -> dict[str, str]:
    """Write the corpus; return what is to become of each file by its name."""
    expected: dict[str, str] = {}

    def keep(name: str, content: bytes, fate: str) -> None:
        (folder / name).write_bytes(content)
        expected[name] = fate

    random = np.random.default_rng(7)
    for name, content in seeds().items():
        keep(f"good-{name}", content, READ)
        for share in (0.1, 0.5, 0.9):
            keep(f"cut{share}-{name}", content[: int(share * len(content))], REFUSED)
        middle = len(content) // 2
        keep(f"hollow-{name}", content[:middle] + bytes(len(content) - middle), EITHER)
        for number in range(2):
            rotten = bytearray(content)
            for place in random.integers(20, len(content), 6):
                rotten[place] ^= 1 << int(random.integers(0, 8))
            keep(f"rotten{number}-{name}", bytes(rotten), EITHER)
    good = seeds()
    for name, content in (
        ("a.jpg", "rgb.png"),
        ("b.png", "plain.jpg"),
        ("c.tif", "a.gif"),
        ("d.bmp", "lossless.webp"),
        ("e.webp", "a.bmp"),
        ("f.gif", "raw.tif"),
    ):
        keep(f"lies-{name}", good[content], NOTED)
    for name, content in {**STRANGERS, **bombs()}.items():
        keep(name, content, REFUSED)
    for name in ODD_NAMES:
        keep(name, good["rgb.png"], READ)
    expected |= dict.fromkeys(_special(folder), REFUSED)
    return expected


def _special(folder: Path) -> list[str]:
    """Write what is no file at all."""
    os.mkfifo(folder / "pipe.png")
    (folder / "folder.png").mkdir()
    (folder / "gone.png").symlink_to("nowhere")
    (folder / "circle.png").symlink_to("circle.png")
    names = ["pipe.png", "folder.png", "gone.png", "circle.png"]
    with socket.socket(socket.AF_UNIX) as listener, contextlib.suppress(OSError):
        here = Path.cwd()
        try:
            os.chdir(folder)  # the path of a socket may have some 100 bytes
            listener.bind("socket.png")
        finally:
            os.chdir(here)
        names.append("socket.png")
    return names


class Hung(BaseException):
    """A file took too long; no decoder can swallow this."""


def _ring(*_: object) -> None:
    raise Hung


@contextlib.contextmanager
def hang_guard(seconds: int = HANG_S) -> Iterator[None]:
    """Raise `Hung` after so many seconds of work, or a minute of waiting. For a child process.

    Work is counted in the process' own time, which a busy machine does not stretch.
    """
    for number in (signal.SIGPROF, signal.SIGALRM):
        signal.signal(number, _ring)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    signal.alarm(ASLEEP_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.alarm(0)


def decode_all(folder: Path, names: list[str]) -> dict[str, list]:
    """Decode files, each within HANG_S; return [fate, words] by name. For a child process."""
    from pspgui.imaging import DecodeError, decode_image

    found: dict[str, list] = {}
    for name in names:
        try:
            with hang_guard():
                decoded = decode_image(folder / name)
            found[name] = [NOTED if decoded.notes else READ, "; ".join(decoded.notes)]
        except DecodeError as error:
            found[name] = [REFUSED, str(error)]
        except Hung:
            found[name] = ["hung", ""]
    return found


def in_child(call: str, *words: str, memory: int = 6 << 30) -> dict:
    """Run `hostile_files.<call>` in a process of its own; return its JSON and `peak_bytes`.

    `peak_bytes` is what it took beyond importing what it needs.
    """
    lines = (
        f"import sys; sys.path[:0] = {[str(Path(__file__).parent), *sys.path]!r}\n"
        f"import hostile_files; hostile_files.main({call!r}, {list(words)!r}, {memory})"
    )
    done = subprocess.run([sys.executable, "-c", lines], capture_output=True, timeout=240)
    assert done.returncode == 0, done.stderr.decode("utf-8", "replace")[-2000:]
    return json.loads(done.stdout)


def main(call: str, words: list[str], memory: int) -> None:
    """Be the child: do what is asked, print JSON."""
    import pspgui.formats.sources
    import pspgui.imaging.opencv  # noqa: F401

    warnings.simplefilter("ignore")
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    before = peak_bytes()
    result = {"decode": _decode, "open": _open}[call](words)
    print(json.dumps({"result": result, "peak_bytes": peak_bytes() - before}))  # noqa: T201


def peak_bytes() -> int:
    """Return the most memory that this process held so far.

    On Linux without that of the process that started it, with which `ru_maxrss` begins there.
    """
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _decode(words: list[str]) -> dict[str, list]:
    folder, listed = words
    return decode_all(Path(folder), json.loads(Path(listed).read_text(encoding="utf-8")))


def _open(words: list[str]) -> dict[str, str]:
    """Read data sets whole; return "" or why it was refused for each."""
    return {word: _opened(word) for word in words}


def _opened(word: str) -> str:
    from pspgui.formats import FormatError
    from pspgui.formats.sources import opened_source
    from pspgui.imaging import DecodeError

    try:
        with hang_guard(HANG_S * 4), opened_source(Path(word)) as source:
            for samples, _ in source.parts(None):
                for sample in samples:
                    sample.coding.read(sample.labels)
    except (FormatError, DecodeError) as error:
        return str(error)
    return ""
