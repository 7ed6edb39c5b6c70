"""Where each label of a map came from; a parallel (H, W) uint8 map holds these values."""

from __future__ import annotations

MODEL = 0  # predicted, and never touched by a person
PERSON = 1  # painted or confirmed by a person
IGNORED = 2  # set to the ignore label by a person, on purpose
IMPORTED = 3  # read from a label file of unknown history

NAMES = {MODEL: "model", PERSON: "person", IGNORED: "ignored", IMPORTED: "imported"}
