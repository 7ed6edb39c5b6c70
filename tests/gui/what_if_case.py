"""Canvas, evidence and what-if panel of one image, for tests that alter its evidence."""

from __future__ import annotations

from fakes import fake_image
from PySide6.QtCore import QObject, QTimer, Signal
from small_networks import head_activations, random_features, small_network

from pspgui.evidence.psp import PSPEvidence
from pspgui.geometry import Pixel
from pspgui.gui.canvas.canvas import Canvas
from pspgui.gui.canvas.what_if_layer import WhatIfLayer
from pspgui.gui.document import Document
from pspgui.gui.panels.evidence import EvidencePanel
from pspgui.gui.panels.what_if import WhatIfPanel
from pspgui.gui.panels.what_if_menu import WhatIfMenu
from pspgui.gui.what_if import WhatIfSession
from pspgui.gui.what_if_notes import WhatIfNotes
from pspgui.inference.activations import Prediction
from pspgui.inference.argmax import full_resolution_labels
from pspgui.jobs.messages import Turn


class NoProject(QObject):
    """A project session of a folder without a project."""

    project_changed = Signal(object)
    project, read_only, reason = None, False, ""


class NoSession(QObject):
    """The surface of a session without threads."""

    model_changed = Signal(object)
    cancelled = Signal(str)
    notice = Signal(object)

    def __init__(self):
        super().__init__()
        self.images, self.model, self.room, self.store = (), None, None, None
        self.project, self.slots = NoProject(), {}

    def answer_to(self, kind, slot):
        """Send there what jobs of this kind give."""
        self.slots[kind] = slot

    def ask(self, lane, kind, job, urgency=None):
        """Run a what-if at the next turn of the event loop; nothing else is done."""
        if kind == "what_if":
            QTimer.singleShot(0, lambda: self.run(kind, job))

    def run(self, kind, job):
        """Run a job to its end."""
        steps = job(Turn(lambda step: None, lambda: False))
        try:
            while True:
                next(steps)
        except StopIteration as end:
            self.slots[kind](end.value)

    def cancel(self, kind):
        """Nothing runs."""


class Bench:
    """Canvas, evidence panel and what-if panel of one image, without a window around them."""

    def __init__(self, qtbot):
        self.qtbot = qtbot
        self.document, self.session = Document(), NoSession()
        self.what_if = WhatIfSession(self.document, self.session)
        notes = WhatIfNotes(self.document, self.session, self.what_if)
        self.evidence = EvidencePanel(self.document)
        self.grids = self.evidence.grids
        self.panel = WhatIfPanel(self.document, self.what_if, notes)
        self.panel.menu = WhatIfMenu(self.what_if, self.document, self.session, self.grids)
        self.canvas = Canvas(self.document)
        self.canvas.let_stand_in(WhatIfLayer(self.document, self.what_if, self.canvas))
        for widget, size in (
            (self.evidence, (320, 760)), (self.panel, (320, 640)), (self.canvas, (500, 450)),
        ):  # fmt: skip
            qtbot.addWidget(widget)
            widget.resize(*size)
            widget.show()
            qtbot.waitExposed(widget)

    def predict(self, seed=4):
        """Show an image and what a random network says of it."""
        model = small_network(3, classes=11)
        found, head = head_activations(model, random_features(model, (7, 8), seed), (49, 57),
                                       (45, 50))  # fmt: skip
        labels = full_resolution_labels(found.scores, (49, 57), (45, 50), found.align_corners)
        prediction = Prediction(
            labels, found.scores, (45, 50), (49, 57), found.align_corners, found.stamp, 0.0
        )
        self.document.set_image(fake_image(45, 50, seed), None, "made up")
        self.document.set_prediction(prediction, (), PSPEvidence(found, head.weights()))
        self.document.set_pin(Pixel(20, 30))

    def wait(self, condition):
        self.qtbot.waitUntil(condition)
