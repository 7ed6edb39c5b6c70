"""Whether a PNG file is whole: every chunk's checksum, which decoders do not all look at."""

from __future__ import annotations

import struct
import zlib
from typing import Final

_SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
_PIXELS: Final = frozenset({"IHDR", "IDAT", "IEND"})


def png_faults(content: bytes) -> list[str]:
    """Return what is wrong with the bytes of a PNG file, a few words each; none for a whole one.

    A chunk whose checksum is wrong is named; any one flipped bit shows. Faults of chunks that hold
    no pixels leave the labels sound, see `spares_pixels`.
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


def spares_pixels(content: bytes) -> bool:
    """Whether the labels in a damaged PNG file are sound: only its remarks or colours are not."""
    at, stream, seen = 8, b"", set()
    if content[:8] != _SIGNATURE:
        return False
    while at + 12 <= len(content):
        length, kind = struct.unpack_from(">I4s", content, at)
        end = at + 12 + length
        if end > len(content):
            return False
        name = kind.decode("ascii", "replace")
        (found,) = struct.unpack_from(">I", content, end - 4)
        if name in _PIXELS:
            if zlib.crc32(content[at + 4 : end - 4]) != found:
                return False
            seen.add(name)
            stream += content[at + 8 : end - 4] if name == "IDAT" else b""
        at = end
    try:
        zlib.decompress(stream)  # a chunk of pixels whose name was hit would be missing here
    except zlib.error:
        return False
    return seen == _PIXELS
