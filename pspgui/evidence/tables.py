"""Evidence written down: as rows for a spreadsheet (TSV, CSV) and as JSON. No Qt, no torch.

For one pixel and for several alike: rows carry what they are about, so that those of several pins
go below one another.

    rows = rows_of(evidence, table)                     # constant, then every source
    rows = rows_of(one, table, "1") + rows_of(other, table, "2")
    text = as_tsv(rows)                                 # for the clipboard
    text = as_csv(rows)                                 # for a file
    text = as_json(json_of(evidence, table, Origin("a.png", "PSPNet", digest)))
    text = as_json([json_of(e, table, origin, pin) for pin, e in pins])

Numbers are written in full (what Python reads back as the same float), never rounded.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple

from pspgui.evidence.naming import name_of
from pspgui.evidence.readings import (
    ZERO,
    PixelEvidence,
    PyramidEvidence,
    Source,
    level_source,
)
from pspgui.geometry import Pixel
from pspgui.labels.classes import ClassTable

COLUMNS: Final = (
    "pin", "x", "y", "pixels", "class", "target", "reading", "baseline", "source", "kind",
    "level", "row", "col", "value", "weight", "reachable", "x0", "y0", "x1", "y1",
)  # fmt: skip
"""The heads of the columns, in the order of `Row.cells`; row and col are counted from 1."""


class Origin(NamedTuple):
    """What evidence is about: the image's file, the model in words, and its weights' digest."""

    image: str = ""
    model: str = ""
    digest: str = ""


class About(NamedTuple):
    """What a row's evidence explains: the pin's name, the pixel, and the target in words.

    `pixels` is how many a region has, whose mean the amounts are; 1 for a pixel.
    """

    pin: str
    pixel: Pixel
    pixels: int
    class_name: str
    target: str
    reading: str
    baseline: str


class Row(NamedTuple):
    """One amount: the constant, a source, or what else belongs to the sum.

    kind: "constant", a `Source.kind`, or "interaction" for what is left where every source was
    silenced alone; level, row, col: None where the kind has no such place, rows and columns
    counted from 1 as in the window; `region` is (x0, y0, x1, y1) in image pixels, half-open, or
    None.
    """

    about: About
    source: str
    kind: str
    value: float
    level: int | None = None
    row: int | None = None
    col: int | None = None
    weight: float | None = None
    reachable: bool | None = None
    region: tuple[int, int, int, int] | None = None

    @property
    def cells(self) -> tuple[object, ...]:
        """The row's cells, one for each of COLUMNS; None where there is nothing to say."""
        pin, (y, x), *about = self.about
        return (
            pin, x, y, *about, self.source, self.kind, self.level, self.row, self.col, self.value,
            self.weight, self.reachable, *(self.region or (None,) * 4),
        )  # fmt: skip

    @property
    def texts(self) -> tuple[str, ...]:
        """The cells as a file has them, each on one line."""
        return tuple(map(_cell, self.cells))


def rows_of(
    evidence: PixelEvidence, table: ClassTable, pin: str = ""
) -> tuple[Row, ...]:
    """Return the constant and every source, in the network's order; their values add up.

    Of "ablate" a last row holds the interaction, with which they do. Of a pyramid there are then
    rows of whole levels, too: all rows but those of bins add up, for bins were silenced alone.
    """
    about = _about(evidence, table, pin)
    found = [Row(about, "constant", "constant", evidence.constant)]
    for source in (*evidence.sources, *_levels(evidence)):
        row = Row(about, name_of(source), source.kind, source.value)
        if source.kind == "bin":
            row = row._replace(level=source.level, row=source.row + 1, col=source.col + 1)
        elif source.kind == "level":
            row = row._replace(level=source.level)
        y0, x0, y1, x1 = source.region
        found.append(
            row._replace(
                weight=source.weight, reachable=source.reachable, region=(x0, y0, x1, y1)
            )
        )
    if evidence.reading == "ablate":
        found.append(Row(about, "interaction", "interaction", evidence.interaction))
    return tuple(found)


def _levels(evidence: PixelEvidence) -> tuple[Source, ...]:
    """Return a pyramid's levels where they are not the sum of their bins."""
    if not isinstance(evidence, PyramidEvidence) or evidence.level_falls is None:
        return ()
    return tuple(level_source(evidence, level) for level in evidence.level_falls)


def json_of(
    evidence: PixelEvidence, table: ClassTable, origin: Origin, pin: str = ""
) -> dict[str, Any]:
    """Return what `pspgui explain --json` prints, with pixel, image and model before it."""
    pixel = evidence.pixel
    head: dict[str, Any] = {
        "image": origin.image, "model": origin.model, "model_digest": origin.digest,
    }  # fmt: skip
    if pin:
        head["pin"] = pin
    head |= {"x": pixel.x, "y": pixel.y, "pixels": _pixels(evidence)}
    rect = getattr(evidence, "rect", None)
    if rect is not None:  # of a region
        head["rect"] = [rect.x0, rect.y0, rect.x1, rect.y1]
    return head | evidence.to_json(table)


def as_tsv(rows: Iterable[Row]) -> str:
    """Return rows under their heads, tabs between cells: what spreadsheets take when pasted."""
    return _written(rows, "\t", "\n")


def as_csv(rows: Iterable[Row]) -> str:
    """Return rows under their heads as RFC 4180 has it: commas, quotes, lines ending in CR LF."""
    return _written(rows, ",", "\r\n")


def as_json(found: dict[str, Any] | Sequence[dict[str, Any]]) -> str:
    """Return one object of `json_of`, or an array of several, indented.

    Raises ValueError for numbers that JSON does not have, such as an infinite logit.
    """
    return json.dumps(found, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def _about(evidence: PixelEvidence, table: ClassTable, pin: str) -> About:
    versus = evidence.target.versus
    return About(
        pin,
        evidence.pixel,
        _pixels(evidence),
        table.name_of(evidence.target.class_id),
        "logit" if versus is None else f"margin over {table.name_of(versus)}",
        evidence.reading,
        getattr(evidence, "baseline", ZERO),
    )


def _pixels(evidence: object) -> int:
    """Return of how many pixels evidence is the mean."""
    return int(getattr(evidence, "pixels", 1))


def _written(rows: Iterable[Row], between: str, end: str) -> str:
    out = io.StringIO(newline="")
    writer = csv.writer(out, delimiter=between, lineterminator=end)
    writer.writerow(COLUMNS)
    for row in rows:
        writer.writerow(row.texts)
    return out.getvalue()


def _cell(cell: object) -> str:
    """Return a cell's text, on one line: a class may be called anything."""
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return "true" if cell else "false"
    return repr(float(cell)) if isinstance(cell, float) else " ".join(str(cell).split())
