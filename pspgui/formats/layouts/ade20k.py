"""ADE20K as the SceneParsing benchmark publishes it (ADEChallengeData2016).

images/{training,validation}/*.jpg and annotations/{training,validation}/*.png of grey values:
0 is "other" and not scored, 1..150 are the classes of objectInfo150 in their order.
"""

from __future__ import annotations

from pathlib import Path

from pspgui.formats.coding import ValueCoding
from pspgui.formats.samples import Layout, Sample, first_folder, folders_of, images_by_stem, paired
from pspgui.formats.value_map import written_coding
from pspgui.labels.classes import IGNORE, ClassTable
from pspgui.labels.palettes import palette

CODING = ValueCoding(
    {0: IGNORE, **{value: value - 1 for value in range(1, 151)}},
    "ADE20K SceneParsing has 0 (other) and 1 to 150. Labels that were reduced to 0..149 before, or "
    "come from the full ADE20K, need to be replaced by the published ADEChallengeData2016",
)


def _find(root: Path) -> Path | None:
    return first_folder(root, ("ADEChallengeData2016",), "images", "annotations")


def _splits(root: Path) -> tuple[str, ...]:
    return folders_of(root / "images")


def _read(root: Path, split: str | None) -> tuple[tuple[Sample, ...], ClassTable]:
    images = images_by_stem(root / "images" / str(split))
    where = root / "annotations" / str(split)
    coding, classes = written_coding(root) or (CODING, palette("ade20k150"))
    return paired(images, images_by_stem(where), where, coding), classes


LAYOUT = Layout(
    "ade20k", "ADE20K SceneParsing", "images/ and annotations/", _find, _splits, _read
)  # fmt: skip
