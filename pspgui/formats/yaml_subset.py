"""The little YAML that data set descriptions are written in: keys with a value, a list or a table.

Read by hand, so that nothing in a file can do more than name things.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

from pspgui.durable import printable
from pspgui.formats.errors import FormatError

Value = str | list[str] | dict[str, str]
_MAX_BYTES = 4 << 20
_FLOW = re.compile(r"""\s*("(?:[^"\\]|\\.)*"|'(?:[^']|'')*'|[^,:\[\]{}]+?)\s*([,:]|$)""")


def read_yaml(path: Path) -> dict[str, Value]:
    """Return the keys of a file; a value is text, a list of texts or a table of texts.

    What is deeper is left out. Raises `FormatError` naming file and line for what is neither.
    """
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise FormatError(f"{printable(path)}: it is larger than any description")
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise FormatError(f"{printable(path)}: it cannot be read ({error})") from error
    found: dict[str, Value] = {}
    key, indent = "", -1
    for number, line in enumerate(lines, 1):
        bare = _without_remark(line)
        if not bare.strip() or bare.strip() in ("---", "..."):
            continue
        try:
            if not bare[0].isspace() and not bare.startswith("- "):
                key, text = _pair(bare)
                found[key], indent = (_value(text) if text else ""), -1
                continue
            depth = len(bare) - len(bare.lstrip())
            indent = depth if indent < 0 else indent
            if depth == indent and key:
                found[key] = _joined(found[key], bare.strip())
        except ValueError as error:
            raise FormatError(f"{printable(path)}, line {number}: {error}") from error
    return found


def names_of(path: Path, found: dict[str, Value]) -> list[str]:
    """Return `names` in the order of their numbers, 0 first; raises `FormatError`."""
    names = found.get("names")
    if isinstance(names, list):
        return names
    if isinstance(names, dict) and names:
        if all(key.isdecimal() and len(key) < 6 for key in names):
            ordered = sorted((int(key), name) for key, name in names.items())
            if [number for number, _ in ordered] == list(range(len(ordered))):
                return [name for _, name in ordered]
        raise FormatError(f"{printable(path)}: `names` does not count its classes 0, 1, 2 …")
    raise FormatError(f"{printable(path)}: there are no `names` of classes")


def _joined(before: Value, text: str) -> Value:
    if text.startswith("- "):
        return [*(before if isinstance(before, list) else []), _scalar(text[2:])]
    key, value = _pair(text)
    return {**(before if isinstance(before, dict) else {}), key: _scalar(value)}


def _pair(text: str) -> tuple[str, str]:
    found = re.match(r"""("(?:[^"\\]|\\.)*"|'(?:[^']|'')*'|[^:]+?)\s*:(?:\s+(.*)|$)""", text)
    if found is None:
        raise ValueError("expected `key: value`")
    return _scalar(found[1]), (found[2] or "").strip()


def _value(text: str) -> Value:
    if text.startswith("[") and text.endswith("]"):
        return [word for word, _ in _flow(text[1:-1])]
    if text.startswith("{") and text.endswith("}"):
        words = _flow(text[1:-1])
        if len(words) % 2 or any(mark != ":" for _, mark in words[::2]):
            raise ValueError("expected `{key: value, …}`")
        pairs = zip(words[::2], words[1::2], strict=True)
        return {key: value for (key, _), (value, _) in pairs}
    return _scalar(text)


def _flow(text: str) -> list[tuple[str, str]]:
    words, at = [], 0
    while text[at:].strip():
        found = _FLOW.match(text, at)
        if found is None:
            raise ValueError(f"{text[at : at + 20]!r} cannot be read")
        words.append((_scalar(found[1]), found[2]))
        at = found.end()
    return words


def _scalar(text: str) -> str:
    text = text.strip()
    if len(text) > 1 and text[0] == text[-1] == '"':
        return str(json.loads(text))
    if len(text) > 1 and text[0] == text[-1] == "'":
        return text[1:-1].replace("''", "'")
    return text


def _without_remark(line: str) -> str:
    quote = ""
    for place, character in enumerate(line):
        if quote:
            quote = "" if character == quote else quote
        elif character in "\"'" and (not place or line[place - 1] in " [{,:-"):
            quote = character
        elif character == "#" and (not place or line[place - 1].isspace()):
            return line[:place].rstrip()
    return line.rstrip()
