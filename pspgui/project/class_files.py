"""The class tables kept beside label files: what each number meant when it was saved.

Each file bears a digest of what it says, so that damage shows; who edits one by hand may leave
the digest out.
"""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any, Final

from pspgui.durable import printable, write_durably
from pspgui.labels.classes import ClassTable, ClassTableError

_DIGEST: Final = "digest"
_LONGEST_NAME: Final = 255  # bytes, of the usual file systems


def classes_beside(label_file: Path) -> Path:
    """Return the file that names the classes of a label file of the label store."""
    name = f"{label_file.stem}.json"
    if len(os.fsencode(name)) > _LONGEST_NAME:  # one letter more than that of the labels
        name = hashlib.sha256(os.fsencode(label_file.stem)).hexdigest() + ".json"
    return label_file.parent.parent / "classes" / name


def read_classes(label_file: Path) -> ClassTable | None:
    """Return the classes that a label file was saved with; None where nothing tells.

    Raises `ClassTableError` for a file that is there and cannot be read. Any thread.
    """
    path = classes_beside(label_file)
    return ClassTable.load(path) if path.is_file() else None


def write_classes(label_file: Path, table: ClassTable) -> None:
    """Keep the classes of a label file beside it, unless the file says so already.

    Raises `SaveError`. Any thread.
    """
    try:
        if read_classes(label_file) == table:
            return
    except ClassTableError:
        pass  # damaged: written anew
    write_durably(classes_beside(label_file), _content(table))


def folder_classes_beside(label_file: Path) -> Path:
    """Return the file that names the classes chosen for all images of a folder."""
    return label_file.parent.parent / "classes.json"


def read_folder_classes(label_file: Path) -> ClassTable | None:
    """Return the classes that a person chose for the folder of a label file; None for none.

    Raises `ClassTableError` for a file that is there and cannot be read. Any thread.
    """
    path = folder_classes_beside(label_file)
    return ClassTable.load(path) if path.is_file() else None


def write_folder_classes(label_file: Path, table: ClassTable) -> None:
    """Choose the classes of all images of a folder that have no labels yet.

    Raises `SaveError`. Any thread.
    """
    write_durably(folder_classes_beside(label_file), _content(table))


def fault_of(path: Path) -> str:
    """Return what is wrong with a class file, one clause; "" for a sound one.

    A file from before there were digests is sound when it can be read.
    """
    if not path.is_file():
        return "it is no file"
    try:
        table = ClassTable.load(path)
        told: Any = json.loads(path.read_bytes())
    except (ClassTableError, OSError, ValueError) as error:
        return f"it cannot be read ({str(error).removeprefix(f'{printable(path)}: ')})"
    known = {"ignore", "classes", _DIGEST}
    if not known >= set(told):
        return f"it holds {', '.join(sorted(set(told) - known))}, which no class table has"
    if _DIGEST in told and told[_DIGEST] != _digest(table.to_json()):
        return "it was changed by hand or is damaged: its digest is another"
    return ""


def _content(table: ClassTable) -> bytes:
    told = table.to_json()
    told[_DIGEST] = _digest(table.to_json())
    return json.dumps(told, ensure_ascii=False, indent=1).encode()


def _digest(told: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode("ascii")).hexdigest()


__all__ = [
    "classes_beside",
    "fault_of",
    "folder_classes_beside",
    "read_classes",
    "read_folder_classes",
    "write_classes",
    "write_folder_classes",
]
