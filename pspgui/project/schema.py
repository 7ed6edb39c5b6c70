"""The tables of project.sqlite, their version, and the steps from every earlier version."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import Final

APPLICATION_ID: Final = 0x50535047  # "PSPG"
STATUSES: Final = ("new", "predicted", "in work", "done", "accepted", "rejected", "flagged")

_IMAGES: Final = """
CREATE TABLE images (
    id INTEGER PRIMARY KEY,
    path BLOB NOT NULL UNIQUE,
    name TEXT NOT NULL,
    name_key TEXT NOT NULL,
    natural BLOB NOT NULL,
    status TEXT NOT NULL DEFAULT 'new',
    note TEXT NOT NULL DEFAULT '',
    tags TEXT NOT NULL DEFAULT '',
    reviewer TEXT NOT NULL DEFAULT '',
    comment TEXT NOT NULL DEFAULT '',
    seconds REAL NOT NULL DEFAULT 0,
    height INTEGER,
    width INTEGER,
    pixel_count INTEGER,
    corrected_px INTEGER,
    margin REAL,
    entropy REAL,
    boundary_px INTEGER,
    predicted_by TEXT NOT NULL DEFAULT '',
    changed_at REAL,
    labels_digest TEXT NOT NULL DEFAULT '',
    labels_stamp TEXT NOT NULL DEFAULT '',
    missing INTEGER NOT NULL DEFAULT 0
)
"""
_TABLES: Final = (
    _IMAGES,
    "CREATE INDEX images_natural ON images (missing, natural, id)",
    "CREATE INDEX images_status ON images (missing, status)",
    """
    CREATE TABLE areas (
        image_id INTEGER NOT NULL, class TEXT NOT NULL, class_key TEXT NOT NULL,
        pixels INTEGER NOT NULL, PRIMARY KEY (image_id, class)
    ) WITHOUT ROWID
    """,
    "CREATE INDEX areas_class ON areas (class_key, image_id, pixels)",
    """
    CREATE TABLE confusions (
        image_id INTEGER NOT NULL, predicted TEXT NOT NULL, labelled TEXT NOT NULL,
        pixels INTEGER NOT NULL, PRIMARY KEY (image_id, predicted, labelled)
    ) WITHOUT ROWID
    """,
    "CREATE TABLE facts (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
)

# MIGRATIONS[i] leads from version i + 1 to i + 2; each runs within one transaction.
MIGRATIONS: tuple[Callable[[sqlite3.Connection], None], ...] = ()


def version() -> int:
    """Return the version of the tables that this program writes."""
    return len(MIGRATIONS) + 1


def version_of(connection: sqlite3.Connection) -> int:
    """Return the version of a database; 0 for one without tables."""
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def create(connection: sqlite3.Connection) -> None:
    """Make the tables of the current version; the caller is within a transaction."""
    for statement in _TABLES:
        connection.execute(statement)
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version = {version()}")


def migrate(connection: sqlite3.Connection) -> None:
    """Bring older tables up to the current version; the caller is within a transaction."""
    for number in range(version_of(connection), version()):
        MIGRATIONS[number - 1](connection)
        connection.execute(f"PRAGMA user_version = {number + 1}")
