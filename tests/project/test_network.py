"""Which folders lie on another machine."""

import pytest

from pspgui.project.network import is_remote, kind_of_mount

MOUNTS = r"""22 1 0:20 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
30 22 0:50 / /mnt/team rw,relatime shared:9 - nfs4 server:/team rw,vers=4.2
31 22 0:51 / /mnt/my\040drive rw - cifs //server/share rw
32 30 0:52 / /mnt/team/local rw - xfs /dev/sdb1 rw
33 22 0:53 / /home/ann/remote rw,nosuid - fuse.sshfs ann@host:/ rw
34 22 0:54 / /twice rw - ext4 /dev/sdc1 rw
35 34 0:55 / /twice rw - nfs server:/x rw
"""


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/", "ext4"), ("/mnt", "ext4"), ("/mnt/team", "nfs4"), ("/mnt/team/a/b", "nfs4"),
        ("/mnt/teams", "ext4"), ("/mnt/team/local/a", "xfs"), ("/mnt/my drive/a", "cifs"),
        ("/home/ann/remote/images", "fuse.sshfs"), ("/twice/a", "nfs"),
    ],
)  # fmt: skip
def test_a_path_is_of_the_mount_that_reaches_furthest(path, kind):
    assert kind_of_mount(path, MOUNTS) == kind


def test_nonsense_names_no_mount():
    assert kind_of_mount("/a", "\n - \nx y\n") == ""


def test_a_folder_of_this_machine_is_not_remote_even_before_it_is_there(tmp_path):
    assert not is_remote(tmp_path)
    assert not is_remote(tmp_path / "a" / "b")


def test_a_remote_folder_is_told_through_links(tmp_path, monkeypatch):
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "there")
    mounts = tmp_path / "mountinfo"
    mounts.write_text(f"1 0 0:1 / / rw - ext4 x rw\n2 1 0:2 / {tmp_path}/there rw - nfs x rw\n")
    monkeypatch.setattr("pspgui.project.network._MOUNTS", mounts)
    assert is_remote(link / "images")
    assert not is_remote(tmp_path)
