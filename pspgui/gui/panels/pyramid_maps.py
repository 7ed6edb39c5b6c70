"""What the strip's tiles show beyond norms: asked for on a thread of its own, kept per image."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal, Slot

from pspgui.geometry import Pixel
from pspgui.gui.errands import Errands
from pspgui.gui.panels.pyramid_tiles import Tile, number_words
from pspgui.jobs.strip import (
    Aim,
    StripMode,
    StripTile,
    count_strip,
    draw_strip,
    knows_target,
    mean_words,
    weighable,
)

if TYPE_CHECKING:
    from pspgui.gui.document import Document
    from pspgui.gui.settings import Settings
    from pspgui.inference.channels import MapStatistics
    from pspgui.inference.shown_map import Kind, ShownMap

_KEY = "strip/mode"
_PREFIX = "strip/"


class StripMaps(QObject):
    """The mode of the strip and what it comes to for the image shown. GUI thread only.

    Signals: `mode_changed()`; `drawn_changed()` when other maps are there; `counted()` when the
    statistics are; `aim_changed()` when channels are weighed for another pixel or target.
    """

    mode_changed = Signal()
    drawn_changed = Signal()
    counted = Signal()
    aim_changed = Signal()

    def __init__(
        self, document: Document, settings: Settings | None = None,
        parent: QObject | None = None,
    ) -> None:  # fmt: skip
        super().__init__(parent)
        self._document, self._settings = document, settings
        self._errands = Errands(self)
        self._errands.failed.connect(document.message)
        kept = "" if settings is None else settings.choice(_KEY)
        self._mode = StripMode.from_text(kept)
        self._engine: object = None
        self._asked: tuple[object, ...] = ()
        self._drawn: dict[str, StripTile] = {}
        self._pending = False
        self._aim = Aim()
        self._numbers: tuple[MapStatistics, ...] = ()
        self._words: dict[str, str] = {}
        document.evidence_changed.connect(self._follow)
        document.pin_changed.connect(self._follow)
        document.score_class_changed.connect(self._follow)
        document.prediction_changed.connect(self._follow)
        self._follow()

    # -- what there is ------------------------------------------------------------------------

    @property
    def mode(self) -> StripMode:
        """What all tiles show."""
        return self._mode

    @property
    def aim(self) -> Aim:
        """What channels are weighed for."""
        return self._aim

    @property
    def can_draw(self) -> bool:
        """Whether channels can be shown: the image was read whole, and its network is known."""
        return weighable(self._document.engine) is not None

    @property
    def is_pending(self) -> bool:
        """Whether the maps of the mode are still to come."""
        return self._pending

    @property
    def drawn(self) -> Mapping[str, StripTile]:
        """The maps of the mode, by tile; empty for norms."""
        return self._drawn

    @property
    def numbers(self) -> tuple[MapStatistics, ...]:
        """The statistics of all maps, once they are there."""
        return self._numbers

    @property
    def words(self) -> Mapping[str, str]:
        """Statistics as words, by tile."""
        return self._words

    def aim_words(self) -> str:
        """Return what channels are weighed for, in a few words."""
        class_id, versus = self._aim.target
        table = self._document.reading_table
        what = "the margin"
        if class_id is not None and knows_target(self._engine, self._aim):
            what = table.name_of(class_id)
            if versus is not None:
                what += f" over {table.name_of(versus)}"
        return f"for {what}, {self._aim.words(mean_words(self._engine))}"

    def set_mode(self, mode: StripMode) -> None:
        """Let all tiles show something else."""
        if mode == self._mode:
            return
        self._mode = mode
        if self._settings is not None:
            self._settings.set_choice(_KEY, mode.to_text())
        self._ask()
        self.mode_changed.emit()

    def canvas_map(self, tile: Tile) -> ShownMap | None:
        """Return a tile's map as the canvas shows it; None where its norm is what is shown."""
        from pspgui.inference.shown_map import Lattice, ShownMap

        own, prediction = self._drawn.get(tile.name), self._document.prediction
        if own is None or own.kind == "absent" or prediction is None:
            return None
        aligned = prediction.align_corners and not own.bins
        kind: Kind = "signed" if tile.is_signed else "plain"
        if own.kind == "colours":
            kind = "colours"
        meaning = own.note.partition("\n")[0]
        return ShownMap(
            f"{_PREFIX}{tile.name}", f"{tile.title} {tile.badge}".strip(), own.view.after, kind,
            Lattice(prediction.padded_shape, aligned), meaning, limits=tile.limits,
            smooth=not own.bins,
        )  # fmt: skip

    def tile_shown(self) -> str | None:
        """Return the tile whose map is on the canvas, whatever of it; None for no such."""
        name = self._document.shown_map
        if name is None:
            return None
        parts = name.split("/")
        return parts[1] if len(parts) > 1 and parts[0] in ("strip", "channel") else name

    # -- inside -------------------------------------------------------------------------------

    @Slot()
    def _follow(self) -> None:
        """Take up another engine, pin or target."""
        document = self._document
        aimed = self._take_aim()
        if document.engine is not self._engine:
            self._engine = document.engine
            self._numbers, self._words = (), {}
            if weighable(self._engine) is not None:
                engine = self._engine
                self._errands.ask(
                    "count", count_strip(engine), lambda rows: self._take_numbers(engine, rows)
                )
        self._ask()
        if aimed:
            self.aim_changed.emit()

    def _take_aim(self) -> bool:
        """Look at which place and target are explained; return whether that is another one."""
        pin, before = self._document.pins.current, self._aim
        place = None if pin is None else pin.region or pin.pixel
        same = place is before.place
        if isinstance(place, Pixel) and isinstance(before.place, Pixel):
            same = place == before.place
        if same and self._document.target == before.target:
            return False
        self._aim = Aim(place, self._document.target)
        return True

    def _ask(self) -> None:
        mode, engine = self._mode, self._engine
        plain = mode.is_plain or weighable(engine) is None
        weighs = mode.show == "top"
        key = () if plain else (engine, mode, self._aim if weighs else None)
        if key == self._asked:
            return
        self._asked = key
        self._pending = not plain
        if plain:
            self._errands.cancel("draw")
            self._take_drawn(key, {})
            return
        job = draw_strip(engine, mode, self._aim)
        self._errands.ask("draw", job, lambda found: self._take_drawn(key, found))

    def _take_drawn(self, key: tuple[object, ...], found: dict[str, StripTile]) -> None:
        if key == self._asked:
            self._drawn, self._pending = found, False
            self.drawn_changed.emit()

    def _take_numbers(self, engine: object, rows: tuple[MapStatistics, ...]) -> None:
        if engine is self._engine:
            self._numbers, self._words = rows, number_words(rows)
            self.counted.emit()
