"""A window over a folder of two labelled images, with no model."""

import numpy as np
from canvas_case import HEIGHT, TABLE, WIDTH, labelled
from PIL import Image

from pspgui.gui.document import Document
from pspgui.gui.engine_thread import Engine
from pspgui.gui.main_window import MainWindow
from pspgui.gui.session import Session
from pspgui.gui.settings import Settings
from pspgui.jobs.class_tables import write_classes
from pspgui.labels.provenance import PERSON
from pspgui.project import LabelStore


def window_of_labelled_images(qtbot, tmp_path):
    """Yield the window with `a.png` shown, and close it; its folder also has `b.png`."""
    store = LabelStore()
    for name in "ab":
        image = tmp_path / f"{name}.png"
        Image.fromarray(np.zeros((HEIGHT, WIDTH, 3), np.uint8)).save(image)
        palette = np.ascontiguousarray(TABLE.palette())
        store.save(image, labelled(), np.full((HEIGHT, WIDTH), PERSON, np.uint8), palette)
        write_classes(store.path_for(image), TABLE)
    document, engine, settings = Document(), Engine(), Settings()
    session = Session(document, engine, settings, store)
    made = MainWindow(document, session, settings)  # never closed: that would ask about the edits
    made.resize(1100, 700)
    made.show()
    engine.start()
    session.open_path(tmp_path)
    qtbot.waitUntil(lambda: document.label_map is not None)
    yield made
    made.hide()
    made.images.close_worker()
    session.close()
    made.deleteLater()
