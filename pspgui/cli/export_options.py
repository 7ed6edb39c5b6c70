"""Options of `pspgui export` that say how a data set is written; see `formats.options`."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from pspgui.formats import ExportOptions

SplitOption = Annotated[
    str | None,
    typer.Option(
        "--split", help="name of the split all images go to, or the share of train, such as 0.8"
    ),
]
GroupOption = Annotated[
    Literal["image", "sequence"],
    typer.Option("--group", help="what a share keeps together: images, or frames of one video"),
]
ImagesOption = Annotated[
    Literal["copy", "link", "none"],
    typer.Option("--images", help="copy the image files, link to them, or write labels alone"),
]
FirstValueOption = Annotated[
    int | None,
    typer.Option("--first-value", min=0, max=1, help="value of the first class (npy, mmseg)"),
]
IgnoreValueOption = Annotated[
    int | None,
    typer.Option("--ignore-value", min=0, max=65535, help="value of unlabelled pixels (npy)"),
]
MisfitsOption = Annotated[
    Literal["refuse", "resize", "skip"],
    typer.Option("--misfits", help="labels of another size than their image"),
]
AcceptedOption = Annotated[
    bool, typer.Option("--accepted", help="only images that were accepted in their project")
]


def export_options(
    split: str | None = None,
    group: Literal["image", "sequence"] = "image",
    images: Literal["copy", "link", "none"] = "copy",
    first_value: int | None = None,
    ignore_value: int | None = None,
    model: str | None = None,
    misfits: Literal["refuse", "resize", "skip"] = "refuse",
) -> tuple[str | None, ExportOptions]:
    """Return the split's name, if one was given, and the options of an export.

    `split` is a name, or a number that is the share of train. Raises `ValueError` in one sentence.
    """
    share = _number(split)
    if share is not None and not 0 < share < 1:
        raise ValueError(
            f"--split {split}: the share of train is above 0 and below 1, such as 0.8; "
            "or give the name of a split"
        )
    if group != "image" and share is None:
        raise ValueError(f"--group {group} needs a share of train, such as --split 0.8")
    options = ExportOptions(
        train_share=share, group=group, images=images, ignore_value=ignore_value, model=model,
        first_value=None if first_value is None else (1 if first_value else 0), misfits=misfits,
    )  # fmt: skip
    return (split if share is None else None), options


def _number(text: str | None) -> float | None:
    try:
        return None if text is None else float(text)
    except ValueError:
        return None
