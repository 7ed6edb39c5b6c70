"""Evidence as `pspgui explain` tells it to people, and opened sources as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from pspgui.evidence.readings import OpenedSource, PixelEvidence
    from pspgui.inference.activations import Activations
    from pspgui.labels.classes import ClassTable

_SHOWN = 6


class Told(NamedTuple):
    """Evidence, by how much its split misses the logit, and maybe a source opened into cells.

    `precision` is what the network ran in.
    """

    found: PixelEvidence
    residual: float
    precision: str
    opened: OpenedSource | None

    def show(self, table: ClassTable, known: Activations) -> None:
        """Print it for people."""
        _print_evidence(self.found, table)
        _print_residual(self.residual, self.precision)
        if self.opened is not None:
            _print_cells(self.opened, known)

    def to_json(self, table: ClassTable, known: Activations) -> dict[str, Any]:
        """Return the object that `--json` prints."""
        shown = self.found.to_json(table)
        y, x = self.found.pixel
        shown |= {"x": x, "y": y, "pixels": getattr(self.found, "pixels", 1)}
        shown |= {"residual": self.residual, "precision": self.precision}
        return shown if self.opened is None else shown | {"opened": _cells_json(self.opened, known)}


def _print_evidence(found: PixelEvidence, table: ClassTable) -> None:
    """Print sums of levels or of whole parts first, then the sources that matter most."""
    shown = found.to_json(table)
    count = getattr(found, "pixels", 1)
    at = f"at {found.pixel.x},{found.pixel.y}"
    if count > 1:
        at = f"on average over {count} pixels around {found.pixel.x},{found.pixel.y}"
    print(f"{shown['class']} ({shown['target']}) {at}: {found.logit:+.4f}")
    if found.reading == "ablate":
        levels = ", a level as a whole" if hasattr(found, "level_sums") else ""
        told = f"each by how much it falls when that source alone is silenced{levels}"
        print(f"  {told}; interaction is what is left:")
    for name, value in sums(found):
        print(f"  {name:<14} {value:+9.4f}")
    print(f"  {'constant':<14} {found.constant:+9.4f}")
    if found.reading == "ablate":
        print(f"  {'interaction':<14} {found.interaction:+9.4f}")
    if not found.grids:
        return
    from pspgui.evidence.naming import name_of
    from pspgui.evidence.readings import PyramidEvidence

    alone = found.reading == "ablate" and isinstance(found, PyramidEvidence)
    note = ", each silenced alone (bins of a level need not add up to it)" if alone else ""
    print(f"  strongest, as --open names them{note}:")
    strongest = sorted(found.sources[found.first_bin :], key=lambda s: -abs(s.value))[:_SHOWN]
    for s in strongest:
        y0, x0, y1, x1 = s.region
        print(f"    {name_of(s):<12} {s.value:+9.4f}  pixels {x0},{y0} to {x1},{y1}")


def _print_residual(missed: float, precision: str) -> None:
    """Print by how much the parts of the split miss the logit, plainly where that matters."""
    from pspgui.evidence.readings import RESIDUAL_LIMIT

    print(f"  {'residual':<14} {missed:+9.1e}")
    if abs(missed) > RESIDUAL_LIMIT:
        told = "" if precision == "fp32" else f": the network ran in {precision}, its parts in fp32"
        print(f"  The parts do NOT add up to the logit, by more than {RESIDUAL_LIMIT:g}{told}.")
        if precision != "fp32":
            print("  Ask with --precision fp32 for parts that do.")


def _print_cells(opened: OpenedSource, known: Activations) -> None:
    """Print the cells of an opened source that matter most."""
    from pspgui.evidence.naming import name_of

    values = opened.values
    rows, columns = np.nonzero(values)
    print(f"  {name_of(opened.source)} opened: {opened.source.value:+.4f}")
    print(f"    {opened.constant:+9.4f}  its biases")
    print(f"    {values.sum():+9.4f}  {len(rows)} cells")
    print(f"    {opened.source.value - opened.total:+9.1e}  residual")
    print("  strongest cells:")
    order = np.argsort(-np.abs(values[rows, columns]), kind="stable")[:_SHOWN]
    for row, column in zip(rows[order].tolist(), columns[order].tolist(), strict=True):
        x0, y0, x1, y1 = _cell(opened, known, row, column)
        print(f"    {values[row, column]:+9.4f}  pixels {x0},{y0} to {x1},{y1}")


def _cells_json(opened: OpenedSource, known: Activations) -> dict[str, Any]:
    """Return an opened source as JSON: values by row and column over `region`, x0 y0 x1 y1."""
    height, width = opened.values.shape
    first, last = _cell(opened, known, 0, 0), _cell(opened, known, height - 1, width - 1)
    return {
        "source": opened.source.to_json(),
        "constant": opened.constant,
        "residual": opened.source.value - opened.total,
        "values": opened.values.astype(float).tolist(),
        "region": [*first[:2], *last[2:]],
    }


def _cell(
    opened: OpenedSource, known: Activations, row: int, column: int
) -> tuple[int, int, int, int]:
    """Return the image pixels x0, y0, x1, y1 that a cell stands over, padding included."""
    from pspgui.inference.shown_map import Lattice

    height, width = opened.values.shape
    y0, x0, y1, x1 = opened.region or Lattice.of(known).extent((height, width))
    ys = [round(y0 + (y1 - y0) * (row + i) / height) for i in (0, 1)]
    xs = [round(x0 + (x1 - x0) * (column + i) / width) for i in (0, 1)]
    return xs[0], ys[0], xs[1], ys[1]


def sums(found: PixelEvidence) -> list[tuple[str, float]]:
    """Return what is printed first: local and levels of a pyramid, or every branch."""
    from pspgui.evidence.naming import name_of
    from pspgui.evidence.readings import PyramidEvidence

    if isinstance(found, PyramidEvidence):
        levels = [(f"{level}x{level}", total) for level, total in found.level_sums.items()]
        return [("local", found.local), *levels]
    return [(name_of(source), source.value) for source in found.sources]
