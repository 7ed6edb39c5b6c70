"""Whether a PNG file is whole: every chunk's checksum, which decoders do not all look at."""

from __future__ import annotations

import struct
import zlib
from typing import Final

_SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
_PIXELS: Final = frozenset({b"IHDR", b"IDAT", b"IEND"})


def png_faults(content: bytes) -> list[str]:
    """Return what is wrong with the bytes of a PNG file, a few words each; none for a whole one.

    A chunk whose checksum is wrong is named; any one flipped bit shows. Faults of chunks that hold
    no pixels leave the labels sound, see `pixels_only`.
    """
    if content[:8] != _SIGNATURE:
        return ["it does not begin as a PNG file does"]
    faults: list[str] = []
    at, ended = 8, False
    while at < len(content) and not ended:
        if at + 12 > len(content):
            return [*faults, "it is cut off"]
        length, kind = struct.unpack_from(">I4s", content, at)
        end = at + 12 + length
        if end > len(content):
            return [*faults, "it is cut off"]
        (found,) = struct.unpack_from(">I", content, end - 4)
        if zlib.crc32(content[at + 4 : end - 4]) != found:
            faults.append(f"the checksum of {kind.decode('ascii', 'backslashreplace')} is wrong")
        ended = kind == b"IEND"
        at = end
    if not ended:
        faults.append("it has no end")
    elif at < len(content):
        faults.append("there is more behind its end")
    return faults


def pixels_only(content: bytes) -> bytes | None:
    """Return a damaged PNG file without its remarks and colours; None if its pixels are hit, too.

    Palette indices stay; every one gets a grey of its own.
    """
    if content[:8] != _SIGNATURE:
        return None
    at, kept = 8, [_SIGNATURE]
    stream, seen = b"", set()
    while at + 12 <= len(content):
        (length,) = struct.unpack_from(">I", content, at)
        chunk = content[at : at + 12 + length]
        name, body = chunk[4:8], chunk[8:-4]
        if len(chunk) < 12 + length:
            return None
        if name in _PIXELS:
            if _chunk(name, body) != chunk:
                return None
            seen.add(name)
            stream += body if name == b"IDAT" else b""
            kept.append(chunk)
            if name == b"IHDR" and body[9:10] == b"\x03":
                kept.append(_chunk(b"PLTE", bytes(v for v in range(256) for _ in range(3))))
        at += len(chunk)
    try:
        zlib.decompress(stream)  # a chunk of pixels whose name was hit would be missing here
    except zlib.error:
        return None
    return b"".join(kept) if seen == _PIXELS else None


def _chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
