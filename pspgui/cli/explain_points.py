"""`pspgui explain --points`: points of many images, each read once, told as they come."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from pspgui.cli.explaining import Asking, check_pixel, evidence_from, tell_reduction
from pspgui.cli.writing import write_and_tell
from pspgui.durable import printable, write_durably
from pspgui.imaging import DecodeError, decode_image
from pspgui.inference.errors import ImageTooLargeError

if TYPE_CHECKING:
    from pspgui.evidence import Evidence
    from pspgui.evidence.readings import PixelEvidence
    from pspgui.inference.predictor import Predictor

_NEEDED: Final = ("image", "x", "y")
_KNOWN: Final = (*_NEEDED, "class", "versus")


class Point(NamedTuple):
    """One line of the file: its number, the image as written, the pixel, and what is asked."""

    line: int
    name: str
    pixel: tuple[int, int]
    class_name: str | None
    versus: str | None


class _Refusals:
    """Says which lines were left out, and why, on standard error."""

    def __init__(self, points: Path) -> None:
        self._points = printable(points)
        self.count = 0

    def tell(self, line: int, reason: object) -> None:
        self.count += 1
        print(f"pspgui: {self._points}, line {line}: {' '.join(str(reason).split())}",
              file=sys.stderr, flush=True)  # fmt: skip


def explain_points(
    asking: Asking, points: Path, csv_out: Path | None, load: Callable[[], Predictor], as_json: bool
) -> int:
    """Tell every point's evidence, image by image; 1 if any line was left out.

    Raises ValueError where the images are no folder.
    """
    if asking.image.is_file():
        raise ValueError(
            f"--points goes with the folder of its images; {printable(asking.image)} is a file"
        )
    refused = _Refusals(points)
    by_image: dict[str, list[Point]] = {}
    for point in read_points(points, refused.tell):
        by_image.setdefault(point.name, []).append(point)
    predictor, rows = load(), _Rows() if csv_out is not None else None
    for name, wanted in by_image.items():
        path = asking.image / name
        try:
            pixels = decode_image(path).pixels
            evidence = evidence_from(predictor, pixels, str(path))
        except (DecodeError, ImageTooLargeError, OSError) as error:
            for point in wanted:
                refused.tell(point.line, error)
            continue
        tell_reduction(evidence, str(path))
        for point in wanted:
            try:
                check_pixel(point.pixel, pixels)
                found = _ask(asking, point, evidence, predictor)
            except (ValueError, IndexError) as error:
                refused.tell(point.line, str(error).removeprefix("--at "))
                continue
            _print(point, found, predictor, as_json)
            if rows is not None:
                rows.add(point.name, found, predictor, str(point.line))
    if rows is not None and csv_out is not None:
        rows.write(csv_out, as_json)
    return 1 if refused.count else 0


def write_table(
    out: Path, asking: Asking, evidence: Evidence, predictor: Predictor, as_json: bool
) -> None:
    """Write every amount of one image's pixels as CSV, and say where."""
    rows = _Rows()
    for number, place in enumerate(asking.places, start=1):
        target = asking.target(evidence, place, predictor.classes)
        found = asking.evidence(evidence, place, target)
        rows.add(str(asking.image), found, predictor, str(number))
    rows.write(out, as_json)


def read_points(path: Path, refuse: Callable[[int, object], None]) -> Iterator[Point]:
    """Yield the points of a CSV file; lines that are none are told to `refuse`.

    Raises ValueError for a file without the columns image, x and y, or one not to be read.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{printable(path)} is not UTF-8 text") from error
    except OSError as error:
        raise ValueError(f"{printable(path)} cannot be read: {error.strerror}") from error
    lines = csv.DictReader(io.StringIO(text, newline=""))
    try:
        heads = [(name or "").strip().lower() for name in lines.fieldnames or ()]
        missing = [name for name in _NEEDED if name not in heads]
        if missing:
            raise ValueError(
                f"{printable(path)} has no column {', '.join(missing)}: its first line names the "
                f"columns {', '.join(_NEEDED)}, and class or versus"
            )
        lines.fieldnames = heads
        for row in lines:
            cells = {k: (row.get(k) or "").strip() for k in _KNOWN}
            if not any(cells.values()):
                continue
            try:
                pixel = int(cells["y"]), int(cells["x"])
            except ValueError:
                refuse(lines.line_num, f"{cells['x']},{cells['y']} is not X,Y in whole pixels")
                continue
            if not cells["image"]:
                refuse(lines.line_num, "there is no image")
                continue
            yield Point(
                lines.line_num, cells["image"], pixel, cells["class"] or None,
                cells["versus"] or None,
            )  # fmt: skip
    except csv.Error as error:
        raise ValueError(f"{printable(path)}, line {lines.line_num}: {error}") from error


class _Rows:
    """A CSV file under way: an image's name, and then what `evidence.tables` says of an amount."""

    def __init__(self) -> None:
        from pspgui.evidence.tables import COLUMNS

        self._out = io.StringIO(newline="")
        self._writer = csv.writer(self._out)
        self._writer.writerow(("image", *COLUMNS))

    def add(self, name: str, found: PixelEvidence, predictor: Predictor, pin: str) -> None:
        from pspgui.evidence.tables import rows_of

        for row in rows_of(found, predictor.classes, pin):
            self._writer.writerow((printable(name), *row.texts))

    def write(self, path: Path, as_json: bool) -> None:
        content = self._out.getvalue().encode("utf-8")
        write_and_tell(path, lambda: write_durably(path, content), aside=as_json)


def _ask(
    asking: Asking, point: Point, evidence: Evidence, predictor: Predictor
) -> PixelEvidence:
    """Return a point's evidence; its own class and versus come before those of the command."""
    own = point.class_name, point.versus
    if any(own):
        asking = asking._replace(class_name=own[0], versus=own[1])
    target = asking.target(evidence, point.pixel, predictor.classes)
    return evidence.at(point.pixel, target, asking.reading)


def _print(point: Point, found: PixelEvidence, predictor: Predictor, as_json: bool) -> None:
    """Print one point's evidence, at once: a line of JSON, or the sums in words."""
    from pspgui.evidence.tables import Origin, json_of

    table = predictor.classes
    if as_json:
        origin = Origin(printable(point.name), predictor.spec.title, predictor.digest)
        told = {"line": point.line} | json_of(found, table, origin)
        print(json.dumps(told), flush=True)
        return
    from pspgui.cli.told_evidence import sums

    parts = " ".join(f"{name} {value:+.3f}" for name, value in sums(found))
    target = found.to_json(table)
    print(f"{printable(point.name)} {point.pixel[1]},{point.pixel[0]}: {target['class']} "
          f"({target['target']}) {found.logit:+.4f} = {found.constant:+.3f} constant, {parts}",
          flush=True)  # fmt: skip
