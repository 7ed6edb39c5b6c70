"""PASCAL VOC 2012 with its segmentation lists, and the "aug" labels that others add to it.

JPEGImages/<stem>.jpg, SegmentationClass/<stem>.png (palette PNG, value = class, 255 = border),
ImageSets/Segmentation/<split>.txt with one stem a line. The 10 582 training images of SBD lie in
SegmentationClassAug; their lists (train_aug.txt, trainaug.txt, aug.txt) hold stems, or an image
and a label path a line, relative to the folder.
"""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from pspgui.durable import printable
from pspgui.formats.coding import ValueCoding, identity_and
from pspgui.formats.errors import FormatError
from pspgui.formats.samples import Layout, Sample, first_folder, images_by_stem
from pspgui.formats.value_map import written_coding
from pspgui.labels.classes import IGNORE, ClassTable
from pspgui.labels.palettes import palette

CODING = ValueCoding(
    identity_and([IGNORE], 21),
    "VOC has 0 (background), 1 to 20 and 255 (border). Are these instances (SegmentationObject), "
    "or the labels of another data set?",
)
_LISTS = ("ImageSets/Segmentation", "ImageSets/SegmentationAug")
_PUBLISHED, _ADDED = "SegmentationClass", "SegmentationClassAug"


def _find(root: Path) -> Path | None:
    below = ("VOC2012", "VOCdevkit/VOC2012", "VOCdevkit/VOC2007", "VOC2007")
    for needed in (("JPEGImages", _PUBLISHED), ("JPEGImages", _ADDED), (_PUBLISHED, "ImageSets")):
        found = first_folder(root, below, *needed)
        if found is not None:
            return found
    return None


def _lists(root: Path) -> dict[str, Path]:
    """Return the lists of a VOC folder by the name of their split."""
    return {path.stem: path for folder in _LISTS for path in sorted((root / folder).glob("*.txt"))}


def _splits(root: Path) -> tuple[str, ...]:
    return tuple(sorted(_lists(root)))


def _read(root: Path, split: str | None) -> tuple[tuple[Sample, ...], ClassTable]:
    path = _lists(root)[str(split)]
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise FormatError(f"{printable(path)}: the list cannot be read ({error})") from error
    folders = (_ADDED, _PUBLISHED) if "aug" in path.stem.casefold() else (_PUBLISHED, _ADDED)
    present = {name: _stems(root / name) for name in ("JPEGImages", *folders)}
    own = written_coding(root)
    coding, classes = own or (CODING, palette("voc2012"))
    samples = []
    for number, line in enumerate(lines, 1):
        if line.strip():
            image, labels = _entry(path, number, line.split(), present)
            samples.append(Sample(image, labels, coding))
    if not samples:
        raise FormatError(f"{printable(path)}: the list is empty")
    return tuple(samples), classes


def _stems(folder: Path) -> dict[str, Path]:
    return images_by_stem(folder) if folder.is_dir() else {}


def _entry(
    path: Path, number: int, words: list[str], present: dict[str, dict[str, Path]]
) -> tuple[Path, Path]:
    """Return the image and label file of a line; raises `FormatError` when one is not there."""
    stem = PurePosixPath(words[0]).stem if "/" in words[0] else words[0]
    images = present["JPEGImages"]
    image = images.get(stem) if images else path.parents[2] / "JPEGImages" / f"{stem}.jpg"
    if image is None:
        raise FormatError(
            f"{printable(path)}, line {number}: {stem!r} has no image in JPEGImages"
        )  # fmt: skip
    folders = [name for name in present if name != "JPEGImages"]
    if len(words) > 1:  # the line says in which folder its labels are
        folders = [PurePosixPath(words[1]).parent.name]
        stem = PurePosixPath(words[1]).stem
    for name in folders:
        found = present.get(name, {}).get(stem)
        if found is not None:
            return image, found
    raise FormatError(
        f"{printable(path)}, line {number}: {stem!r} has no labels in {' or '.join(folders)}; "
        "VOC withholds those of its test split"
    )


LAYOUT = Layout(
    "voc", "PASCAL VOC 2012", "JPEGImages/, SegmentationClass/ and ImageSets/Segmentation/",
    _find, _splits, _read,
)  # fmt: skip
