"""Which folders lie on another machine, where locks, renames and memory maps mean less."""

from __future__ import annotations

import ctypes
import os
import sys
from pathlib import Path
from typing import Any, Final

# Kinds of mounts as Linux names them; "fuse.x" stands for the program x.
_REMOTE: Final = frozenset({
    "nfs", "nfs4", "cifs", "smb3", "smbfs", "ncpfs", "afs", "9p", "ceph", "lustre", "beegfs",
    "gpfs", "glusterfs", "ocfs2", "pvfs2", "orangefs", "davfs", "fuse.sshfs", "fuse.glusterfs",
    "fuse.davfs2", "fuse.rclone", "fuse.s3fs", "fuse.gcsfuse", "fuse.curlftpfs", "fuse.smbnetfs",
    "fuse.juicefs", "fuse.mfs", "fuse.ceph-fuse", "fuse.beegfs", "fuse.goofys",
    "fuse.gvfsd-fuse", "vboxsf", "prl_fs", "fuse.vmhgfs-fuse",
})  # fmt: skip
_MOUNTS: Final = Path("/proc/self/mountinfo")
_MNT_LOCAL: Final = 0x1000  # macOS, sys/mount.h
_DRIVE_REMOTE: Final = 4  # Windows, GetDriveTypeW


def is_remote(folder: Path) -> bool:
    """Whether a folder lies on a network file system; False where the system does not tell.

    Any thread. The folder itself may still be missing.
    """
    real = os.path.realpath(folder)
    try:
        if sys.platform == "win32":
            return _is_remote_drive(real)
        if sys.platform == "darwin":
            return _is_not_local(real)
        return kind_of_mount(real, _MOUNTS.read_text("utf-8", "surrogateescape")) in _REMOTE
    except (OSError, ValueError, AttributeError):
        return False


def kind_of_mount(path: str, mounts: str) -> str:
    """Return the file system type of a path by the text of /proc/self/mountinfo; "" for none."""
    best, kind = -1, ""
    for line in mounts.splitlines():
        left, _, right = line.partition(" - ")
        fields, types = left.split(" "), right.split(" ")
        if len(fields) < 5 or not types[0]:
            continue
        point = _unescaped(fields[4])
        inside = point == "/" or path == point or path.startswith(point + "/")
        if inside and len(point) >= best:  # of two at one place the later lies on top
            best, kind = len(point), types[0]
    return kind


def _unescaped(text: str) -> str:
    r"""Return a mount point with \040 and the like as the characters they stand for."""
    parts = text.split("\\")
    whole = os.fsencode(parts[0])
    for part in parts[1:]:
        if len(part) >= 3 and part[:3].isdigit():
            whole += bytes([int(part[:3], 8)]) + os.fsencode(part[3:])
        else:
            whole += b"\\" + os.fsencode(part)
    return os.fsdecode(whole)


def _is_remote_drive(path: str) -> bool:
    if path.startswith("\\\\"):
        return True
    windows: Any = getattr(ctypes, "windll")  # noqa: B009 - unknown to mypy elsewhere
    return bool(windows.kernel32.GetDriveTypeW(os.path.splitdrive(path)[0] + "\\") == _DRIVE_REMOTE)


def _is_not_local(path: str) -> bool:
    """Ask macOS's statfs, whose struct holds f_flags at byte 64 and is 2168 bytes long."""
    room = ctypes.create_string_buffer(4096)
    libc = ctypes.CDLL(None, use_errno=True)
    call = getattr(libc, "statfs$INODE64", libc.statfs)
    while call(os.fsencode(path), room) != 0:
        parent = os.path.dirname(path)  # noqa: PTH120 - a plain string
        if parent == path:
            return False
        path = parent
    flags = int.from_bytes(room.raw[64:68], sys.byteorder)
    return not flags & _MNT_LOCAL
