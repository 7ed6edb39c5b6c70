"""JSON of unknown origin: a cap on its size and depth, and none of what is no JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NoReturn

from pspgui.durable import printable
from pspgui.formats.errors import FormatError
from pspgui.imaging import DecodeError, read_file

# Values take some six times their text in memory; COCO's own instances have 450 MB.
MAX_JSON_BYTES = 512 << 20


def read_json(path: Path, max_bytes: int = MAX_JSON_BYTES) -> Any:
    """Return the value of a JSON file in UTF-8; raises `FormatError` with the file and the reason.

    NaN and Infinity are refused; numbers such as 1e999, which become infinite, are for the reader
    of numbers to refuse.
    """
    try:
        content = read_file(path, max_bytes)
    except DecodeError as error:
        raise FormatError(f"{printable(path)}: {error.reason}") from error
    return json_from_bytes(path, content)


def json_from_bytes(path: str | Path, content: bytes) -> Any:
    """Return the value of a JSON file's bytes; as `read_json`."""
    try:
        return json.loads(content, parse_constant=_refuse)
    except RecursionError as error:
        raise FormatError(f"{printable(path)}: it is nested too deeply to be read") from error
    except MemoryError as error:
        raise FormatError(f"{printable(path)}: there is not enough memory to read it") from error
    except UnicodeDecodeError as error:
        raise FormatError(f"{printable(path)}: its text is not UTF-8") from error
    except ValueError as error:
        raise FormatError(f"{printable(path)}: it is no JSON ({_plain(error)})") from error


def start_of(path: Path, size: int = 1 << 16) -> str:
    """Return the first characters of a regular file, "" where it cannot be read."""
    try:
        if not path.is_file():
            return ""
        with path.open("rb") as file:
            return file.read(size).decode("utf-8", "replace").lstrip("\ufeff \t\r\n")
    except OSError:
        return ""


def _refuse(word: str) -> NoReturn:
    raise ValueError(f"{word} is no number of JSON")


def _plain(error: ValueError) -> str:
    text = str(error).split(";")[0]
    return text if len(text) < 160 else text[:157] + "..."
