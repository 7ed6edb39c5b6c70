"""Jobs behind the image list: finding, ordering and looking up images of the index, off-thread.

Rows of the list are numbers of images in the list as it was opened (`Listing`), so that finding
among 100 000 images makes no path anew.
"""

from __future__ import annotations

import os
import time
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from pspgui.imaging import texts_of
from pspgui.jobs.messages import Job, Step, Steps, Turn
from pspgui.project.index import STATUSES, IndexedImage, ProjectIndex, ProjectTotals
from pspgui.project.queries import EVERYTHING, Query
from pspgui.project.query_rows import order_sql, where_sql

_FINISHED = ("done", "accepted")


@dataclass(frozen=True, eq=False)
class Listing:
    """The images of the list and their ids in the index; `ids[i]` is 0 for one it lacks.

    `places` are those of images by their text, which is far quicker to look up than a path.
    """

    images: Sequence[Path]
    ids: array[int]
    places: Mapping[str, int]
    place_of_id: Mapping[int, int]

    def place_of(self, image: Path | None) -> int:
        """Return the place of an image in the list; -1 for one that is not there."""
        return -1 if image is None else self.places.get(str(image), -1)

    def id_of(self, image: Path) -> int:
        """Return the id of an image; 0 for one that the index lacks."""
        place = self.place_of(image)
        return 0 if place < 0 else self.ids[place]


@dataclass(frozen=True)
class Order:
    """How a list is ordered: one of SORTS, turned round or not, and the seed of "random"."""

    sort: str = "name"
    descending: bool = False
    seed: int = 0

    def sql(self) -> str:
        """Return what follows ORDER BY."""
        return order_sql(self.sort, self.descending, self.seed)


class Found(NamedTuple):
    """What passes a query: places in `Listing.images`, in order; None for all as they are."""

    query: Query
    order: Order
    rows: array[int] | None
    listing: Listing
    seconds: float


def make_listing(index: ProjectIndex, images: Sequence[Path]) -> Job:
    """Return a job that gives the `Listing` of these images; fails with `ProjectError`."""

    def job(turn: Turn) -> Steps:
        yield Step("Reading the list of images")
        return listing_of(index, images)

    return job


def listing_of(index: ProjectIndex, images: Sequence[Path]) -> Listing:
    """Bring a list of images and the index together."""
    places = {text: place for place, text in enumerate(texts_of(images))}
    ids = array("q", bytes(8 * len(images)))
    place_of_id: dict[int, int] = {}
    prefix = str(index.root / "x")[:-1]
    with index.database.reading() as c:
        for id_, raw in c.execute("SELECT id, path FROM images WHERE missing = 0"):
            text = os.fsdecode(raw)
            place = places.get(prefix + text)
            if place is None:
                place = places.get(text)  # of another folder: a whole path
            if place is not None:
                ids[place] = id_
                place_of_id[id_] = place
    return Listing(images, ids, places, place_of_id)


def find(index: ProjectIndex, listing: Listing, query: Query, order: Order) -> Job:
    """Return a job that gives `Found`; fails with `ProjectError`."""

    def job(turn: Turn) -> Steps:
        yield Step("Finding images")
        started = time.perf_counter()
        plain = query == EVERYTHING and order == Order() and 0 not in listing.ids
        rows = None if plain else _rows(index, listing, query, order)
        return Found(query, order, rows, listing, time.perf_counter() - started)

    return job


def _rows(index: ProjectIndex, listing: Listing, query: Query, order: Order) -> array[int]:
    where, values = where_sql(query, time.time())
    ids = index.select(where, values, order.sql())
    places = map(listing.place_of_id.get, ids)
    rows = array("q", (place for place in places if place is not None))
    if query == EVERYTHING:  # images that the index does not have yet are not kept back
        rows.extend(place for place, id_ in enumerate(listing.ids) if not id_)
    return rows


def neighbour(
    index: ProjectIndex, listing: Listing, query: Query, current: Path | None, by: int
) -> Job:
    """Return a job that gives the next (by = 1) or previous (-1) image by doubt, or None.

    Going on passes over what is done; going back does not. Without a current image among them it
    begins at the most doubtful.
    """

    def job(turn: Turn) -> Steps:
        yield Step("Looking for the next image")
        rows = _rows(index, listing, query, Order("doubt", True))
        if by < 0:
            places = list(rows)
        else:
            where, values = where_sql(query, time.time())
            left = f"status NOT IN ({', '.join('?' * len(_FINISHED))})"
            both = f"({where}) AND {left}" if where else left
            open_ids = set(index.select(both, (*values, *_FINISHED)))
            places = [p for p in rows if listing.ids[p] in open_ids or not listing.ids[p]
                      or listing.images[p] == current]  # fmt: skip
        here = listing.place_of(current)
        at = places.index(here) if here in places else -1
        target = at + by if at >= 0 else 0
        return listing.images[places[target]] if 0 <= target < len(places) else None

    return job


def look_up(index: ProjectIndex, listing: Listing, images: Sequence[Path]) -> Job:
    """Return a job that gives what is known of these images, by path."""

    def job(turn: Turn) -> Steps:
        yield Step("Reading the index")
        return known_of(index, listing, images)

    return job


def known_of(
    index: ProjectIndex, listing: Listing, images: Sequence[Path]
) -> dict[Path, IndexedImage]:
    """Return what the index knows of images of the listing, by their path there."""
    ids = [listing.id_of(image) for image in images]
    found = index.images([id_ for id_ in ids if id_])
    return {listing.images[listing.place_of_id[image.id]]: image for image in found}


@dataclass(frozen=True)
class Before:
    """The statuses that images had before they were changed; filled in by the worker.

    What was known on the screen is in `statuses` from the start.
    """

    listing: Listing
    images: tuple[Path, ...]
    statuses: dict[Path, str]

    def fill(self, index: ProjectIndex) -> None:
        """Read the statuses as they are now."""
        wanted = {self.listing.id_of(image): image for image in self.images}
        for status in STATUSES:
            for id_ in index.select("status = ?", (status,), "id"):
                image = wanted.get(id_)
                if image is not None:
                    self.statuses[image] = status

    def restore(self, index: ProjectIndex) -> None:
        """Give every image its status again."""
        for status in dict.fromkeys(self.statuses.values()):
            index.set_status([i for i, said in self.statuses.items() if said == status], status)


def words_in_use(index: ProjectIndex) -> Job:
    """Return a job that gives the classes, tags and reviewers there are, by field of a query."""

    def job(turn: Turn) -> Steps:
        yield Step("Reading the words in use")
        with index.database.reading() as c:
            classes = [n for (n,) in c.execute("SELECT DISTINCT class FROM areas") if n]
            tags = {w for (t,) in c.execute("SELECT DISTINCT tags FROM images") for w in t.split()}
            people = [p for (p,) in c.execute("SELECT DISTINCT reviewer FROM images") if p]
        return {"class": tuple(classes), "tag": tuple(sorted(tags)), "reviewer": tuple(people)}

    return job


class Comments(NamedTuple):
    """Images that bear a comment, the latest first, and how many images have each status."""

    images: Sequence[IndexedImage]
    counts: dict[str, int]


def commented(index: ProjectIndex, most: int = 200) -> Job:
    """Return a job that gives the `Comments` of a project, `most` at most."""

    def job(turn: Turn) -> Steps:
        yield Step("Reading comments")
        ids = index.select("comment <> ''", (), "changed_at DESC, id")[:most]
        with index.database.reading() as c:
            counts = dict(c.execute(
                "SELECT status, COUNT(*) FROM images WHERE missing = 0 GROUP BY status"
            ))  # fmt: skip
        return Comments(tuple(index.images(ids)), counts)

    return job


class Statistics(NamedTuple):
    """Totals of a project, and images accepted by the day of their last change (days of 1970)."""

    totals: ProjectTotals
    accepted: Mapping[int, int]
    finished: Mapping[int, int]


def statistics(index: ProjectIndex) -> Job:
    """Return a job that gives the `Statistics` of a project."""

    def job(turn: Turn) -> Steps:
        yield Step("Adding up")
        totals = index.totals()
        return Statistics(
            totals, _by_day(index, ("accepted",)), _by_day(index, ("done", "accepted", "rejected"))
        )

    return job


def _by_day(index: ProjectIndex, statuses: Sequence[str]) -> dict[int, int]:
    marks = ", ".join("?" * len(statuses))
    zone = time.localtime().tm_gmtoff or 0
    with index.database.reading() as c:
        return dict(c.execute(
            "SELECT CAST((changed_at + ?) / 86400 AS INTEGER) AS day, COUNT(*) FROM images "
            f"WHERE missing = 0 AND changed_at IS NOT NULL AND status IN ({marks}) GROUP BY day",
            (zone, *statuses),
        ))  # fmt: skip
