"""Looking through the backups of a list of images, and putting one back. Any thread."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from pspgui.durable import SaveError, printable
from pspgui.jobs.messages import Job, Step, Steps, Turn
from pspgui.project import LabelStore
from pspgui.project.backups import Backup, fault_of, list_backups, restore
from pspgui.project.class_files import classes_beside, folder_classes_beside
from pspgui.project.errors import ProjectError
from pspgui.project.pending import changing

# What each reason of `backups.REASONS` is to a person: "before ...".
_BEFORE: Final = {
    "import": "an import", "relabel": "relabelling in all images",
    "class-delete": "a change of classes", "migration": "the project's form changed",
    "batch-apply": "predictions were kept as labels", "misfit": "labels of another size came",
    "restore": "another backup was put back", "repair": "a repair",
    "rename": "an image was renamed",
}  # fmt: skip


class Restored(NamedTuple):
    """What putting a backup back did; with an `error` everything is as before."""

    images: int
    error: str = ""

    @property
    def sentence(self) -> str:
        """What to tell the person."""
        if self.error:
            return self.error
        noun = "image" if self.images == 1 else "images"
        return (
            f"The labels of {self.images} {noun} are as they were in the backup; what they held "
            "until now is a backup of its own."
        )


def before(backup: Backup) -> str:
    """Return what a backup was made before, as a clause."""
    if any(f"-{whose}-" in backup.name for whose in ("mine", "theirs")):
        return "labels changed by another program were settled"
    return _BEFORE.get(backup.reason, backup.reason)


def labels_in(backup: Backup) -> tuple[str, ...]:
    """Return the names of the label files in a backup, without their suffix."""
    paths = [Path(below) for below, _, _ in backup.files]
    return tuple(path.stem for path in paths if path.parts[:1] == ("labels",))


def homes_of(images: Sequence[Path], store: LabelStore) -> list[Path]:
    """Return the `.pspgui` folders, there or not, that hold work on images."""
    one_of_each = {image.parent: image for image in images}
    every = (home for image in one_of_each.values() for home in store.homes(image))
    return list(dict.fromkeys(every))


def find_backups(images: Sequence[Path], store: LabelStore) -> Job:
    """Return a job that gives the backups of the images' folders that hold labels, newest first."""

    def job(turn: Turn) -> Steps:
        yield Step("Looking for backups")
        found = [b for home in homes_of(images, store) for b in list_backups(home) if labels_in(b)]
        return tuple(sorted(found, key=lambda backup: -backup.made_at))

    return job


def restore_backup(backup: Backup, is_saved: Callable[[], bool]) -> Job:
    """Return a job that puts the files of a backup back where they were; it gives `Restored`.

    What they replace is backed up first; what a crash or a full disk interrupts is taken back as a
    whole. Images that had no labels then keep those they have. `is_saved()` waits for saves under
    way, on the job's thread, and raises `ProjectError` where nothing may change. Labels must not
    be edited meanwhile.
    """

    def job(turn: Turn) -> Steps:
        yield Step("Putting a backup back")
        try:
            if not is_saved():
                return Restored(0, "Some labels are not saved yet; save them first.")
            put_back(backup)
        except (ProjectError, SaveError) as error:
            return Restored(0, str(error))
        return Restored(len(labels_in(backup)))

    return job


def put_back(backup: Backup) -> None:
    """Put the files of a backup back, as a whole or not at all.

    What a change made beside labels that were there, or for the whole folder, goes: class tables
    and provenance would say of the earlier labels what is not so. Labels that it made stay.
    Raises `SaveError` for a damaged backup or a disk that refuses; everything is then as before.
    """
    fault = fault_of(backup)
    if fault:
        raise SaveError(f"The backup was not put back: {fault}. Nothing was changed.")
    files, made = [backup.home / below for below, _, _ in backup.files], _made_beside(backup)
    with changing("restore", {backup.home: [*files, *made]}):
        restore(backup, keep_current=False)
        for file in made:
            try:
                file.unlink(missing_ok=True)
            except OSError as error:
                raise SaveError(f"{printable(file)} could not be removed: {error}") from error


def _made_beside(backup: Backup) -> list[Path]:
    """Return the files that were made since and belong to what the backup holds."""
    labels = [backup.home / "labels" / f"{name}.png" for name in labels_in(backup)]
    theirs = {folder_classes_beside(backup.home / "labels" / "any.png")}
    for file in labels:
        theirs |= {classes_beside(file), backup.home / "provenance" / file.name}
    return [file for below in backup.absent if (file := backup.home / below) in theirs]
