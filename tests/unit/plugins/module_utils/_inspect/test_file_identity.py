# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import pathlib
import subprocess
from typing import Iterator

import pytest

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._inspect import file_identity, network


def alone(path: pathlib.Path) -> dict[str, object]:
    (found,) = file_identity.identities([str(path)])
    return found


def test_one_file_by_two_names(tmp_path: pathlib.Path) -> None:
    path, other = tmp_path / "slurm.conf", tmp_path / "other.conf"
    path.write_text("ClusterName=lab\n")
    (tmp_path / "link").symlink_to("slurm.conf")
    other.write_text("ClusterName=lab\n")
    first = alone(path)
    assert first["path"] == str(path)
    assert first["obstacle"] is None
    assert alone(tmp_path / "link")["here"] == first["here"]
    assert alone(tmp_path / "link")["anywhere"] == first["anywhere"]
    assert alone(other)["here"] != first["here"]
    assert alone(other)["anywhere"] != first["anywhere"]


def test_a_file_that_was_replaced_is_another_one(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "slurm.conf"
    path.write_text("a")
    before = alone(path)
    (tmp_path / "new").write_text("a")
    os.rename(tmp_path / "new", path)
    assert alone(path)["here"] != before["here"]


def test_what_is_not_there(tmp_path: pathlib.Path) -> None:
    there = tmp_path / "slurm.conf"
    there.write_text("")
    assert [each["path"] for each in file_identity.identities([str(tmp_path / "no"), str(there)])] == [str(there)]


def test_a_kernel_that_does_not_say_which_it_is(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_identity, "BOOT_ID", str(tmp_path / "none"))
    (tmp_path / "slurm.conf").write_text("")
    assert alone(tmp_path / "slurm.conf")["here"] is None


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("95 22 0:50 / {point} rw - nfs4 nfs1:/slurm rw", (True, True)),
        ("95 22 0:50 / {point} rw - ext4 /dev/vdb rw", (False, False)),
        # A folder of the machine in a container.
        ("95 22 0:50 /srv/conf {point} rw - ext4 /dev/vda rw", (False, True)),
        ("95 22 0:50 /@conf {point} rw - btrfs /dev/vda rw,subvolid=257,subvol=/@conf", (False, False)),
        ("95 22 0:50 /@/srv/conf {point} rw - btrfs /dev/vda rw,subvolid=257,subvol=/@", (False, True)),
        # How some systems deploy themselves.
        ("95 22 0:50 /ostree/deploy/x / rw - xfs /dev/vda rw", (False, False)),
    ],
)
def test_what_other_hosts_may_see(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, line: str, expected: tuple[bool, bool]
) -> None:
    (tmp_path / "slurm.conf").write_text("")
    mounts = tmp_path / "mountinfo"
    mounts.write_text(f"22 1 254:0 / / rw - ext4 /dev/vda rw\n{line.format(point=tmp_path)}\n")
    monkeypatch.setattr(file_identity, "MOUNTINFO", str(mounts))
    found = alone(tmp_path / "slurm.conf")
    assert (found["network"], found["may_be_shared"]) == expected


@pytest.fixture
def mounted_twice(tmp_path: pathlib.Path) -> Iterator[tuple[pathlib.Path, pathlib.Path]]:
    """A folder, and the same one mounted read-only elsewhere."""
    folder, again = tmp_path / "folder", tmp_path / "again"
    folder.mkdir()
    again.mkdir()
    try:
        subprocess.run(["mount", "--bind", str(folder), str(again)], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("Mounting is not allowed here.")
    subprocess.run(["mount", "-o", "remount,bind,ro", str(again)], check=True)
    yield folder, again
    subprocess.run(["umount", str(again)], check=True)


def test_a_folder_that_is_mounted_in_two_places(mounted_twice: tuple[pathlib.Path, pathlib.Path]) -> None:
    folder, again = mounted_twice
    (folder / "slurm.conf").write_text("")
    one, other = alone(folder / "slurm.conf"), alone(again / "slurm.conf")
    assert one["here"] == other["here"]
    assert one["obstacle"] is None
    assert other["obstacle"] == f"{again} is on a read-only file system"
    assert other["may_be_shared"] is True


def test_network_file_systems() -> None:
    assert all(map(network.is_network, ("nfs", "nfs4", "lustre", "fuse.ceph", "beegfs_nodev")))
    assert not any(map(network.is_network, ("ext4", "xfs", "overlay", "tmpfs", "fuseblk")))
