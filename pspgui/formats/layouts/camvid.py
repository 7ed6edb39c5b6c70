"""CamVid: as prepared for SegNet, and the coloured original with 32 classes put into the same 11.

- SegNet: train/ and trainannot/ (val, test), values 0..10 and 11 = void.
- coloured: train/ and train_labels/, or 701_StillsRaw_full/ and LabeledApproved_full/, whose
  labels are called <stem>_L.png. The eleven classes take the published grouping of the 32.
The original has no splits: train.txt, val.txt and test.txt beside it are followed; without them
the frames fall into SegNet's 367 / 101 / 233 by sequence.
"""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath

from pspgui.durable import printable
from pspgui.formats.coding import ColourCoding, LabelCoding, ValueCoding, identity_and
from pspgui.formats.errors import FormatError
from pspgui.formats.samples import Layout, Sample, first_folder, images_by_stem, paired
from pspgui.labels.classes import CAMVID, IGNORE, ClassTable

# The 32 classes of the original by the name of the class they are put into; Void is ignored.
_GROUPS: dict[str, tuple[tuple[int, int, int], ...]] = {
    "Sky": ((128, 128, 128),),
    # Building, Bridge, Wall, Tunnel, Archway
    "Building": ((128, 0, 0), (0, 128, 64), (64, 192, 0), (64, 0, 64), (192, 0, 128)),
    "Pole": ((192, 192, 128), (0, 0, 64)),  # Column_Pole, TrafficCone
    "Road": ((128, 64, 128), (128, 0, 192), (192, 0, 64)),  # Road, LaneMkgsDriv, LaneMkgsNonDriv
    "Pavement": ((0, 0, 192), (64, 192, 128), (128, 128, 192)),  # Sidewalk, ParkingBlock, Shoulder
    "Tree": ((128, 128, 0), (192, 192, 0)),  # Tree, VegetationMisc
    "SignSymbol": ((192, 128, 128), (128, 128, 64), (0, 64, 64)),  # Sign, Misc_Text, TrafficLight
    "Fence": ((64, 64, 128),),
    # Car, SUVPickupTruck, Truck_Bus, Train, OtherMoving
    "Car": ((64, 0, 128), (64, 128, 192), (192, 128, 192), (192, 64, 128), (128, 64, 64)),
    # Pedestrian, Child, CartLuggagePram, Animal
    "Pedestrian": ((64, 64, 0), (192, 128, 64), (64, 0, 192), (64, 128, 64)),
    "Bicyclist": ((0, 128, 192), (192, 0, 192)),  # Bicyclist, MotorcycleScooter
}
PREPARED = ValueCoding(
    identity_and([11, IGNORE], 11),
    "CamVid as prepared for SegNet has 0 to 10 and 11 (void)",
)
COLOURED = ColourCoding(
    {
        (0, 0, 0): IGNORE,
        **{c: CAMVID.find(name).id for name, colours in _GROUPS.items() for c in colours},
    },
    "that is none of CamVid's 32. Were the labels resized with smoothing?",
)
_SPLITS = ("train", "val", "test")
_WHOLE_IMAGES, _WHOLE_LABELS = "701_StillsRaw_full", "LabeledApproved_full"
_BELOW = ("CamVid", "camvid", "SegNet/CamVid")
_FRAME = re.compile(r"(\w+?)_f?(\d+)")


def _find(root: Path) -> Path | None:
    needed = [(s, f"{s}{ending}") for s in _SPLITS for ending in ("annot", "_labels")]
    for folders in (*needed, (_WHOLE_IMAGES, _WHOLE_LABELS)):
        found = first_folder(root, _BELOW, *folders)
        if found is not None:
            return found
    return None


def _splits(root: Path) -> tuple[str, ...]:
    if (root / _WHOLE_IMAGES).is_dir():
        return _SPLITS
    return tuple(split for split in _SPLITS if _label_folder(root, split)[0].is_dir())


def _label_folder(root: Path, split: str) -> tuple[Path, str, LabelCoding]:
    """Return where a split's labels are, how their stems end, and how they are coded."""
    if (root / f"{split}annot").is_dir():
        return root / f"{split}annot", "", PREPARED
    if (root / _WHOLE_LABELS).is_dir():
        return root / _WHOLE_LABELS, "_L", COLOURED
    return root / f"{split}_labels", "_L", COLOURED


def _read(root: Path, split: str | None) -> tuple[tuple[Sample, ...], ClassTable]:
    name = str(split)
    where, ending, coding = _label_folder(root, name)
    whole = where.name == _WHOLE_LABELS
    images = images_by_stem(root / (_WHOLE_IMAGES if whole else name))
    labels = images_by_stem(where, ending)
    listed = root / f"{name}.txt"
    if listed.is_file():
        stems = _listed(listed, images)
    elif whole:
        stems = [stem for stem in images if _split_of(stem) == name]
    else:
        stems = list(images)
    chosen = set(stems)
    if whole or listed.is_file():
        labels = {stem: path for stem, path in labels.items() if stem in chosen}
    return paired({stem: images[stem] for stem in stems}, labels, where, coding), CAMVID


def _listed(path: Path, images: dict[str, Path]) -> list[str]:
    """Return the stems a list names; its paths are of the machine where it was written."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise FormatError(f"{printable(path)}: the list cannot be read ({error})") from error
    stems: dict[str, None] = {}
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        name = line.split()[0]
        stem = PurePosixPath(name.replace("\\", "/")).name
        stem = stem if stem in images else PurePosixPath(stem).stem
        if stem not in images:
            raise FormatError(f"{printable(path)}, line {number}: there is no image {stem!r}")
        stems[stem] = None
    return list(stems)


def _split_of(stem: str) -> str:
    """Return SegNet's split of a frame of the original.

    Test is Seq05VD and the second half of 0001TP; validation is the part of 0016E5 that was
    labelled fifteen times a second.
    """
    match = _FRAME.fullmatch(stem)
    if match is None:
        return "train"
    sequence, frame = match[1], int(match[2])
    if sequence == "Seq05VD" or (sequence == "0001TP" and frame >= 8550):
        return "test"
    return "val" if sequence == "0016E5" and 7959 <= frame <= 8159 else "train"


LAYOUT = Layout(
    "camvid", "CamVid",
    "train/ with trainannot/ or train_labels/, or 701_StillsRaw_full/ with LabeledApproved_full/",
    _find, _splits, _read,
)  # fmt: skip
