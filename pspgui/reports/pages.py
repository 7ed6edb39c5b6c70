"""A report as one HTML file that needs nothing else: drawings inside, no scripts, fit to print."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from html import escape

from pspgui.evidence.tables import Row, rows_of
from pspgui.reports.contents import Contents, Pin, heading_of
from pspgui.reports.figures import overview, pin_blocks
from pspgui.reports.sheet import Block, encoded

_HEADS = ("source", "logits", "read weight", "pixels x0, y0 to x1, y1")
_STYLE = """
:root { color-scheme: light dark; --ground: #fff; --text: #1f2023; --quiet: #5c5d64;
  --line: #d4d5da; --field: #f4f4f5; --bad: #b3261e; }
@media (prefers-color-scheme: dark) { :root { --ground: #1f2023; --text: #e4e4e7;
  --quiet: #9a9ba2; --line: #3a3b40; --field: #27282c; --bad: #f2b8b5; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 24px; max-width: 1040px; background: var(--ground);
  color: var(--text); font: 15px/1.5 system-ui, sans-serif; }
h1 { font-size: 22px; margin: 0 0 8px; overflow-wrap: anywhere; }
h2 { font-size: 17px; margin: 32px 0 8px; border-top: 1px solid var(--line); padding-top: 16px; }
figure { margin: 8px 0; } figure img { width: 100%; height: auto; display: block; background: #fff;
  border: 1px solid var(--line); border-radius: 4px; }
p, li { max-width: 75ch; } .quiet { color: var(--quiet); } .bad { color: var(--bad); }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: 13px; }
th, td { padding: 2px 16px 2px 0; text-align: left; vertical-align: top; }
th { color: var(--quiet); font-weight: 500; border-bottom: 1px solid var(--line); }
td.number { text-align: right; } tr.sum td { border-top: 1px solid var(--line); font-weight: 600; }
tr.unreached { color: var(--quiet); }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 2px 16px; font-size: 13px; }
dt { color: var(--quiet); } dd { margin: 0; overflow-wrap: anywhere; }
pre { background: var(--field); padding: 8px 12px; border-radius: 4px; white-space: pre-wrap;
  overflow-wrap: anywhere; font-size: 12px; }
summary { cursor: pointer; color: var(--quiet); }
@media print { :root { --ground: #fff; --text: #000; --quiet: #444; --line: #bbb;
  --field: #f4f4f5; }
  body { padding: 0; max-width: none; font-size: 10pt; } section, figure { break-inside: avoid; }
  details:not([open]) > summary { display: none; } }
"""


def html_of(contents: Contents) -> str:
    """Return the page. Any thread."""
    _, *pictures = overview(contents)
    parts = [
        "<!DOCTYPE html>", '<html lang="en">', '<head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
        "img-src data:; style-src 'unsafe-inline'\">",
        f"<title>{escape(contents.title)}</title>", f"<style>{_STYLE}</style></head>", "<body>",
        f"<h1>{escape(contents.title)}</h1>",
        _figure(pictures, "The image with its pins, the prediction, and its classes"),
    ]  # fmt: skip
    if contents.context is not None:
        parts.append(f"<p>{escape(contents.context.whole.sentence())}</p>")
    parts += [f'<p class="quiet">{escape(note)}</p>' for note in contents.notes]
    for pin in contents.pins:
        parts += _section(contents, pin)
    parts += ["<h2>Where it came from</h2>", _facts(contents.facts), "<p>To make it again:</p>",
              f"<pre>{escape(contents.command)}</pre>"]  # fmt: skip
    if contents.spec:
        parts.append(
            f"<details><summary>The model's spec</summary><pre>{escape(contents.spec)}</pre>"
            "</details>"
        )
    return "\n".join([*parts, "</body></html>", ""])


def _section(contents: Contents, pin: Pin) -> list[str]:
    """Return a pin's figures, and its numbers as a table."""
    _, *blocks = pin_blocks(contents, pin)
    heading = heading_of(pin, contents.table)
    parts = [f"<section><h2>{escape(heading)}</h2>"]
    if not pin.adds_up:
        parts.append(
            f'<p class="bad">The parts do not add up to the logit: {pin.residual:+.1e} is '
            "missing.</p>"
        )
        blocks = blocks[1:]
    alt = f"Waterfall, bins and heat maps of pin {heading}"
    parts.append(_figure(blocks, alt))
    rows = rows_of(pin.found, contents.table, pin.name)
    reached = [row for row in rows if row.reachable is not False]
    left = len(rows) - len(reached)
    parts.append(_amounts(reached, pin))
    if left:
        parts.append(
            f'<p class="quiet">{left} more bins cannot reach this pixel: they add exactly '
            "nothing.</p>"
        )
    return [*parts, "</section>"]


def _amounts(rows: Sequence[Row], pin: Pin) -> str:
    """Return the table of a pin's amounts, in full, and what they add up to."""
    heads = "".join(f"<th>{head}</th>" for head in _HEADS)
    lines = [f'<table><thead><tr>{heads}</tr></thead><tbody data-pin="{escape(pin.name)}">']
    alone = [row for row in rows if row.kind == "bin"]
    if not any(row.kind == "level" for row in rows):
        alone = []  # they are what adds up
    lines += [_line(row, "value") for row in rows if not alone or row.kind != "bin"]
    found = pin.found
    total = found.logit if found.reading == "ablate" else found.total
    lines.append(
        f'<tr class="sum"><td>sum</td><td class="number" data-sum="{total!r}">{total:+.6f}</td>'
        f'<td></td><td>shown: <span data-logit="{found.logit!r}">{found.logit:+.6f}</span>, '
        f"residual of the split {pin.residual:+.1e}</td></tr>"
    )
    if alone:
        lines.append(
            '<tr><td colspan="4">Not in the sum: each bin silenced alone; bins of a level need not '
            "add up to it</td></tr>"
        )
    return "\n".join([*lines, *(_line(row, "alone") for row in alone), "</tbody></table>"])


def _line(row: Row, what: str) -> str:
    """Return a row of the table; `what` names the attribute that holds its amount in full."""
    region = "" if row.region is None else "{}, {} to {}, {}".format(*row.region)
    weight = "" if row.weight is None else f"{row.weight:.4f}"
    return (
        f'<tr><td>{escape(row.source)}</td><td class="number" data-{what}="{row.value!r}">'
        f'{row.value:+.6f}</td><td class="number">{weight}</td><td>{region}</td></tr>'
    )


def _figure(blocks: Sequence[Block], alt: str) -> str:
    """Return blocks as one drawing; by itself, so that names inside it meet no others."""
    drawn = base64.b64encode(encoded([blocks], "svg")).decode("ascii")
    return f'<figure><img alt="{escape(alt)}" src="data:image/svg+xml;base64,{drawn}"></figure>'


def _facts(facts: Iterable[tuple[str, str]]) -> str:
    lines = [f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in facts]
    return "\n".join(["<dl>", *lines, "</dl>"])
