"""Opening, saving, exporting."""

from __future__ import annotations

from typing import Final

from pspgui.gui.commands import backups, reporting
from pspgui.gui.commands.row import ActionRow, has_image

ROWS: Final = (
    ActionRow("open_image", "Open image…", ("Ctrl+O",), lambda p: p.window.open_image(), "File",
              "mdi6.image-outline"),
    ActionRow("open_folder", "Open folder…", ("Ctrl+Shift+O",), lambda p: p.window.open_folder(),
              "File", "mdi6.folder-outline"),
    ActionRow("open_sample", "Open the sample scene", ("Ctrl+Alt+O",),
              lambda p: p.session.open_sample(), "File", "mdi6.city-variant-outline"),
    ActionRow("open_weights", "Open weights…", ("Ctrl+M",), lambda p: p.window.open_weights(),
              "File", "mdi6.cube-outline", line=True),
    ActionRow("model", "Model…", ("Ctrl+Shift+M",), lambda p: p.window.show_model(), "File",
              "mdi6.tune-variant"),
    ActionRow("bundled_model", "Use the bundled model", (),
              lambda p: p.session.use_bundled_model(), "File"),
    ActionRow("predict", "Predict again", ("Ctrl+R", "F5"), lambda p: p.session.predict_again(),
              "File", "mdi6.refresh", enabled=has_image),
    ActionRow("save", "Save labels now", ("Ctrl+S",), lambda p: p.session.save_now(), "File",
              "mdi6.content-save-outline", enabled=has_image, line=True),
    ActionRow("import", "Import labels…", ("Ctrl+I",), lambda p: p.window.import_labels(), "File",
              "mdi6.import", line=True),
    ActionRow("export", "Export labels…", ("Ctrl+E",), lambda p: p.window.export_labels(), "File",
              "mdi6.export-variant", enabled=has_image),
    *backups.ROWS,
    *reporting.ROWS,
    ActionRow("start_page", "Start page", ("Ctrl+Home",), lambda p: p.window.show_start(), "File",
              "mdi6.home-outline", line=True),
    ActionRow("quit", "Quit", ("Ctrl+Q",), lambda p: p.window.quit(), "File"),
)  # fmt: skip
