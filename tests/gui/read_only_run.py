"""A window on a folder that nobody may write: `read_only_run FOLDER`, in a mount of it.

Somebody paints and closes the window. Prints what was said and a checksum of the labels as JSON.
"""

from __future__ import annotations

import json
import os
import random
import sys
import zlib
from pathlib import Path

from closing_runs import Run
from PySide6.QtWidgets import QApplication

from pspgui.project import LabelStore


def main() -> None:
    """Paint on the first image of the folder."""
    folder = Path(sys.argv[1])
    try:
        (folder / "probe").touch()
    except OSError:
        pass
    else:
        sys.exit("the folder can be written after all")
    application = QApplication([])
    run = Run(folder, None, LabelStore())
    said: list[str] = []
    run.session.notice.connect(lambda notice: said.append(notice.text))
    run.session.open_path(folder)
    run.until(lambda: run.can_paint)
    chance = random.Random(1)
    for _ in range(3):
        run.brush(chance)
    edits = len(run.document.history.edits)
    checksum = zlib.crc32(run.document.label_map.labels.tobytes())
    run.close()
    told = {"said": said, "problems": run.problems, "edits": edits, "checksum": checksum}
    sys.stdout.write(json.dumps(told) + "\n")
    application.processEvents()
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
