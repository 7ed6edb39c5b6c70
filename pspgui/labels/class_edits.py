"""Changing a class table: a draft that says what each change does to labels beforehand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from pspgui.labels.classes import ClassTable, ClassTableError, LabelClass, name_key

UNLABELLED: Final = ""  # stands for the ignore label where a class is named

# Told apart by hue and lightness, for colour-blind people too (Okabe and Ito, 2008), then lighter.
_FRESH: Final = (
    (230, 159, 0), (86, 180, 233), (0, 158, 115), (240, 228, 66), (0, 114, 178), (213, 94, 0),
    (204, 121, 167), (153, 153, 153), (255, 204, 110), (168, 219, 246), (110, 205, 178),
    (250, 170, 120), (232, 185, 210),
)  # fmt: skip


@dataclass(frozen=True)
class DraftClass:
    """A class of the draft: name, colour, group, and the old classes whose labels it takes.

    `aliases` are those of the old classes.
    """

    name: str
    colour: tuple[int, int, int]
    origins: tuple[str, ...] = ()
    group: str = ""
    aliases: tuple[str, ...] = ()

    def label_class(self, label: int) -> LabelClass:
        """Return the class with its number; what it was called before becomes an alias."""
        own = name_key(self.name)
        names = dict.fromkeys(n for n in (*self.aliases, *self.origins) if name_key(n) != own)
        return LabelClass(label, self.name, self.colour, self.group, tuple(names))


@dataclass(frozen=True)
class Effect:
    """What happens to the labels of one old class: `after` is UNLABELLED where they are removed.

    `pixels` and `images` count what is affected; `alters` tells a change of meaning from a mere
    new name or number.
    """

    before: str
    after: str
    pixels: int
    images: int
    alters: bool

    @property
    def sentence(self) -> str:
        """One sentence for the person."""
        amount = f"{self.pixels:,} px in {self.images} image{'' if self.images == 1 else 's'}"
        amount = amount.replace(",", "\u2009")
        if not self.alters:
            return f"{self.before} is called {self.after} from now on ({amount} keep their meaning)"
        if self.after == UNLABELLED:
            return f"{self.before} is deleted: {amount} become unlabelled"
        return f"{self.before} becomes {self.after}: {amount} change"


@dataclass(frozen=True)
class ClassDraft:
    """A class table being changed; every change gives a new draft, so that undo keeps the old one.

    `before` is the table in use; `dropped` maps old names to what their labels become, a class of
    the draft or UNLABELLED. Rows are addressed by their index. Methods raise `ClassTableError`.
    """

    before: ClassTable
    rows: tuple[DraftClass, ...]
    dropped: tuple[str, ...] = ()

    @classmethod
    def of(cls, table: ClassTable) -> ClassDraft:
        """Return a draft that changes nothing yet."""
        rows = tuple(
            DraftClass(c.name, c.colour, (c.name,), c.group, c.aliases) for c in table.classes
        )
        return cls(table, rows)

    @property
    def is_changed(self) -> bool:
        """Whether there is anything to apply."""
        return self != ClassDraft.of(self.before)

    # -- changes ------------------------------------------------------------------------------

    def added(self, name: str, colour: tuple[int, int, int] | None = None) -> ClassDraft:
        """Append a class; without a colour it gets one that is not in use."""
        self._refuse_twin(name, None)
        return replace(self, rows=(*self.rows, DraftClass(name.strip(), colour or self._fresh())))

    def renamed(self, row: int, name: str) -> ClassDraft:
        """Give a class another name; its labels keep their meaning."""
        self._refuse_twin(name, row)
        return self._with(row, replace(self.rows[row], name=name.strip()))

    def recoloured(self, row: int, colour: tuple[int, int, int]) -> ClassDraft:
        """Give a class another colour."""
        return self._with(row, replace(self.rows[row], colour=colour))

    def grouped(self, row: int, group: str) -> ClassDraft:
        """Put a class into a group such as "vehicle"; an empty name takes it out."""
        return self._with(row, replace(self.rows[row], group=group.strip()))

    def moved(self, row: int, to: int) -> ClassDraft:
        """Give a class another place, hence another number; no label changes its meaning."""
        rows = list(self.rows)
        rows.insert(to, rows.pop(row))
        return replace(self, rows=tuple(rows))

    def merged(self, row: int, into: int) -> ClassDraft:
        """Let all labels of a class become those of another, and the class vanish."""
        if row == into:
            raise ClassTableError("a class cannot be merged into itself")
        taken = self.rows[row].origins
        target = self.rows[into]
        aliases = (*target.aliases, *self.rows[row].aliases)
        merged = replace(target, origins=(*target.origins, *taken), aliases=aliases)
        draft = self._with(into, merged)
        return replace(draft, rows=tuple(r for i, r in enumerate(draft.rows) if i != row))

    def deleted(self, row: int) -> ClassDraft:
        """Let all labels of a class become unlabelled, and the class vanish."""
        if len(self.rows) == 1:
            raise ClassTableError("the last class cannot be deleted; there must be one to paint")
        rows = tuple(r for i, r in enumerate(self.rows) if i != row)
        return replace(self, rows=rows, dropped=(*self.dropped, *self.rows[row].origins))

    def joined(self, table: ClassTable) -> ClassDraft:
        """Append the classes of another table that are not here yet, with their colours."""
        known = {name_key(row.name) for row in self.rows}
        further = [c for c in table.classes if name_key(c.name) not in known]
        rows = (DraftClass(c.name, c.colour, (), c.group, c.aliases) for c in further)
        return replace(self, rows=(*self.rows, *rows))

    # -- what comes of it ---------------------------------------------------------------------

    def table(self) -> ClassTable:
        """Return the new class table; its ignore label moves only where it must."""
        count = len(self.rows)
        ignore = self.before.ignore if self.before.ignore >= count else 65535
        return ClassTable(tuple(row.label_class(i) for i, row in enumerate(self.rows)), ignore)

    def becomes(self, name: str) -> str:
        """Return the new name of an old class, UNLABELLED if deleted; other names stay."""
        key = name_key(name)
        for row in self.rows:
            if key in map(name_key, row.origins):
                return row.name
        return UNLABELLED if key in map(name_key, self.dropped) else name

    def translation(self, own: ClassTable) -> tuple[ClassTable, np.ndarray]:
        """Return the new table of labels that use `own`, and the new label of every old one.

        The array has (max label of `own` + 1) entries, uint8 or uint16. Classes of `own` that the
        draft does not know are kept behind its own.
        """
        table = self.table()
        wanted = [self.becomes(c.name) for c in own.classes]
        ids = table.ids_by_key()
        further: list[LabelClass] = []
        for name, c in zip(wanted, own.classes, strict=True):
            if name != UNLABELLED and name_key(name) not in ids:
                ids[name_key(name)] = len(table) + len(further)
                further.append(replace(c, id=ids[name_key(name)]))
        count = len(table) + len(further)
        whole = ClassTable(
            (*table.classes, *further), table.ignore if table.ignore >= count else 65535
        )
        kind = np.uint8 if whole.ignore <= 255 else np.uint16
        labels = np.full(max(own.ignore, len(own)) + 1, whole.ignore, kind)
        for old, name in enumerate(wanted):
            labels[old] = whole.ignore if name == UNLABELLED else ids[name_key(name)]
        return whole, labels

    def effects(
        self, pixels: Mapping[str, int], images: Mapping[str, int] | None = None
    ) -> tuple[Effect, ...]:
        """Return what happens to the labels of every old class that does not stay as it is.

        `pixels` and `images` count labels and labelled images by old class name.
        """
        found = []
        for name in self._old_names(pixels):
            after = self.becomes(name)
            if after == name:
                continue
            alters = after == UNLABELLED or not self._is_heir(after, name)
            here = (images or {}).get(name, 0)
            found.append(Effect(name, after, pixels.get(name, 0), here, alters))
        return tuple(found)

    # -- inside -------------------------------------------------------------------------------

    def _old_names(self, pixels: Mapping[str, int]) -> Sequence[str]:
        return tuple(dict.fromkeys((*self.before.names, *(n for n in pixels if n))))

    def _is_heir(self, after: str, name: str) -> bool:
        """Whether a class of the draft is an old one under a new name, rather than another."""
        row = next(r for r in self.rows if r.name == after)
        return bool(row.origins) and name_key(row.origins[0]) == name_key(name)

    def _with(self, row: int, changed: DraftClass) -> ClassDraft:
        rows = tuple(changed if i == row else r for i, r in enumerate(self.rows))
        return replace(self, rows=rows)

    def _refuse_twin(self, name: str, row: int | None) -> None:
        if not name.strip():
            raise ClassTableError("a class needs a name")
        for i, other in enumerate(self.rows):
            if i != row and name_key(other.name) == name_key(name):
                raise ClassTableError(f"there is a class called {other.name} already")

    def _fresh(self) -> tuple[int, int, int]:
        used = np.array([row.colour for row in self.rows] or [(0, 0, 0)], int)
        far = [int(np.abs(used - colour).sum(axis=1).min()) for colour in _FRESH]
        return _FRESH[int(np.argmax(far))]
