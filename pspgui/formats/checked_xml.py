"""XML of unknown origin: read piece by piece, without a document type, a bounded depth and size."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element, ParseError

from pspgui.durable import printable
from pspgui.formats.errors import FormatError
from pspgui.imaging import DecodeError, read_file

MAX_XML_BYTES = 1 << 30
_DEEPEST = 32


def read_xml(path: Path, *wanted: str, max_bytes: int = MAX_XML_BYTES) -> Iterator[Element]:
    """Yield the outermost elements of the wanted names, whole, and forget each after its turn.

    All else is dropped while it is read, so memory is bounded by the largest element. Raises
    `FormatError` naming the file for what is no XML, has a document type or entities of its own
    (which can grow without end or read other files), or is nested absurdly.
    """
    from defusedxml.common import DefusedXmlException
    from defusedxml.ElementTree import iterparse

    try:
        content = read_file(path, max_bytes)
    except DecodeError as error:
        raise FormatError(f"{printable(path)}: {error.reason}") from error
    try:
        yield from _walk(iterparse(io.BytesIO(content), ("start", "end"), forbid_dtd=True), wanted)
    except DefusedXmlException as error:
        raise FormatError(
            f"{printable(path)}: it declares a document type or entities, which are refused since "
            "they can grow without end or read other files"
        ) from error
    except ParseError as error:
        raise FormatError(f"{printable(path)}: it is no XML ({error})") from error
    except (ValueError, LookupError) as error:  # an encoding that nobody knows
        if isinstance(error, FormatError):
            raise FormatError(f"{printable(path)}: {error}") from error
        raise FormatError(f"{printable(path)}: its text cannot be read ({error})") from error


def _walk(events: Any, wanted: tuple[str, ...]) -> Iterator[Element]:
    open_elements: list[Element] = []
    inside = 0
    for event, element in events:
        if event == "start":
            open_elements.append(element)
            if len(open_elements) > _DEEPEST:
                raise FormatError(f"it is nested more than {_DEEPEST} deep")
            inside += element.tag in wanted
            continue
        open_elements.pop()
        if element.tag in wanted:
            inside -= 1
            if not inside:
                yield element
        if not inside:
            element.clear()
            if open_elements:
                open_elements[-1].clear()
