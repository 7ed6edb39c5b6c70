"""`pspgui models`: what networks and weights there are, and fetching weights on request."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from pspgui.cli.options import JsonOption
from pspgui.durable import printable

if TYPE_CHECKING:
    from pspgui.models.catalog import PublishedEntry


def models(
    action: Annotated[
        Literal["list", "get"], typer.Argument(help="list all, or get one by NAME")
    ] = "list",
    name: Annotated[str, typer.Argument(help="published weights to get")] = "",
    to: Annotated[
        Path | None, typer.Option("--to", help="folder to put them in; your own if not given")
    ] = None,
    as_json: JsonOption = False,
) -> int:
    """List architectures, bundled weights and torchvision's published ones; or get one of these.

    Only `get` uses the network. What it fetches is checked against the hash in the file's name.
    """
    from pspgui.models import catalog

    if action == "list":
        if name or to is not None:
            raise ValueError("to fetch weights, write `pspgui models get NAME`")
        content = catalog.to_json()
        if as_json:
            print(json.dumps(content))
        else:
            _print(content)
        return 0
    if not name:
        raise ValueError("name the weights to get; `pspgui models` lists them")
    return _get(catalog.find(name, catalog.published()), to or catalog.models_folder(), as_json)


def _get(entry: PublishedEntry, folder: Path, as_json: bool) -> int:
    from tqdm import tqdm

    from pspgui.models.download import fetch

    with tqdm(
        unit="B", unit_scale=True, desc=entry.file, disable=True if as_json else None, leave=False
    ) as bar:

        def show(done: int, total: int) -> None:
            bar.total = total or None
            bar.update(done - bar.n)

        path, fetched = fetch(entry, folder, show)
    if as_json:
        print(json.dumps({"name": entry.name, "file": str(path), "fetched": fetched}))
    else:
        print(f"{entry.name}: {'saved as' if fetched else 'already there,'} {printable(path)}")
    return 0


def _print(content: Mapping[str, Any]) -> None:
    print("architectures")
    for entry in content["architectures"]:
        print(f"  {entry['name']}")
        print(f"    {'backbone':<22} {' | '.join(entry['backbones'])}")
        for option, choices in entry["options"].items():
            print(f"    {option:<22} {choices}")
    print("bundled")
    for entry in content["bundled"]:
        miou = "not recorded" if entry["miou"] is None else f"{entry['miou']:.4f}"
        print(f"  {entry['title']}, {entry['classes']} classes, {entry['size_mb']} MB, "
              f"mIoU {miou}\n    {entry['file']}")  # fmt: skip
    for kind, title in (("segmentation", "networks"), ("backbone", "backbones to train from")):
        print(f"published by torchvision: {title}")
        _print_published(e for e in content["published"] if e["kind"] == kind)
    print(f"`pspgui models get NAME` puts them into {content['models_folder']}")


def _print_published(entries: Iterable[Mapping[str, Any]]) -> None:
    for e in entries:
        here = "  (here)" if e["present"] else ""
        print(f"  {e['name']:<29} {e['classes']:>4} classes {e['size_mb']:>6} MB  {e['licence']}  "
              f"{e['metric']} {e['score']:.1f}{here}\n    {e['url']}")  # fmt: skip
