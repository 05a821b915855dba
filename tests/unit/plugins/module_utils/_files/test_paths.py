# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import pathlib
import pwd
import subprocess

import pytest

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files import names, ownership, paths

MOUNTINFO = """\
22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
30 22 0:26 / /sys rw - sysfs sysfs rw
95 22 0:50 / /var/spool/slurm\\040state rw,relatime shared:2 master:3 - nfs4 nfs1:/slurm rw,vers=4.2
96 22 0:51 / /var/spool/slurm rw - ext4 /dev/vdb rw
97 96 0:52 / /var/spool/slurm rw - ext4 /dev/vdc rw
"""


def test_what_is_at_a_path(tmp_path: pathlib.Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"12345")
    file.chmod(0o640)
    found = paths.inspect(str(file))
    assert (found.kind, found.is_link, found.octal, found.size) == ("file", False, "0640", 5)
    assert (found.uid, found.gid) == (os.geteuid(), file.stat().st_gid)
    assert found.inode == file.stat().st_ino
    assert paths.inspect(str(tmp_path)).kind == "directory"
    os.mkfifo(tmp_path / "pipe")
    assert paths.inspect(str(tmp_path / "pipe")).kind == "other"
    assert paths.inspect(str(tmp_path / "none")) is paths.MISSING


def test_readme_are_followed_and_named(tmp_path: pathlib.Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    (tmp_path / "link").symlink_to("file")
    (tmp_path / "broken").symlink_to("nothing")
    found = paths.inspect(str(tmp_path / "link"))
    assert (found.kind, found.is_link) == ("file", True)
    broken = paths.inspect(str(tmp_path / "broken"))
    assert (broken.kind, broken.is_link) == ("missing", True)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/etc/slurm", ("/", "ext4", "/dev/vda")),
        ("/var/spool/slurm state/jwt", ("/var/spool/slurm state", "nfs4", "nfs1:/slurm")),
        ("/var/spool/slurm/jwt", ("/var/spool/slurm", "ext4", "/dev/vdc")),
        ("/var/spool/slurmctld", ("/", "ext4", "/dev/vda")),
        ("/sys", ("/sys", "sysfs", "sysfs")),
    ],
)
def test_the_file_system_of_a_path(path: str, expected: tuple[str, str, str]) -> None:
    assert tuple(paths.mount_of(path, MOUNTINFO))[:3] == expected


def test_the_real_mounts_are_understood() -> None:
    text = pathlib.Path("/proc/self/mountinfo").read_text(encoding="utf-8")
    assert paths.mount_of("/proc/self", text).type == "proc"


def test_users_by_name_and_number() -> None:
    root = paths.find_user("root")
    assert root is not None
    assert (root.name, root.uid, root.gid) == ("root", 0, 0)
    assert paths.find_user("0") == root
    assert paths.find_user("no such user") is None
    assert paths.find_user("4294967290") is None
    for no_name in ("\u0660", "\u00b2", "9" * 30, "a\0b", "\ud800", ""):
        assert paths.find_user(no_name) is None
    assert names.user_name(0) == names.group_name(0) == "root"
    assert names.user_name(4294967290) == names.group_name(4294967290) == "4294967290"


def test_a_login_name_of_digits_is_a_name_first(monkeypatch: pytest.MonkeyPatch) -> None:
    # As Slurm's uid_from_string() has it.
    known = {"2024": pwd.struct_passwd(("2024", "x", 7001, 7002, "", "/", "/bin/sh"))}
    monkeypatch.setattr(pwd, "getpwnam", known.__getitem__)
    user = paths.find_user("2024")
    assert user is not None
    assert (user.name, user.uid, user.gid) == ("2024", 7001, 7002)
    declared = ownership.declared({"owner": "2024", "group": None, "mode": "0400"}, may_be_missing=False)
    assert declared.uid == 7001


def test_room_where_there_is_room(tmp_path: pathlib.Path) -> None:
    assert paths.obstacle(str(tmp_path)) is None
    assert paths.obstacle(str(tmp_path / "not/yet/there")) is None


PLENTY = (4096, 4096, 10**6, 10**6, 10**6, 10**6, 10**6, 10**6, 0, 255)
"""What os.statvfs() says: block size twice, blocks, free, free for users, files, free, free for users, flags, names."""


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, None),
        ({8: os.ST_RDONLY}, "read-only"),
        ({3: 255}, "only 1044480 bytes free"),
        ({3: 256}, None),
        # What is left for root counts, who writes everything.
        ({4: 0, 7: 0}, None),
        ({6: 0}, "no inode free"),
        # btrfs and others count no inodes.
        ({5: 0, 6: 0}, None),
    ],
)
def test_file_systems_without_room(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, changes: dict[int, int], expected: str | None
) -> None:
    values = [changes.get(index, value) for index, value in enumerate(PLENTY)]
    monkeypatch.setattr(os, "statvfs", lambda path: os.statvfs_result(values))
    obstacle = paths.obstacle(str(tmp_path))
    assert obstacle is None if expected is None else expected in str(obstacle)


def test_a_file_system_that_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(path: str) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "statvfs", fail)
    assert paths.obstacle("/") == "/ has an unknown amount of free space (Input/output error)"


def test_a_folder_that_root_may_not_write(tmp_path: pathlib.Path) -> None:
    """As on a file server that takes root for nobody: the kernel says so, whatever the mode."""
    if subprocess.run(["chattr", "+i", str(tmp_path)], check=False, capture_output=True).returncode:
        pytest.skip("No folder can be made immutable here.")
    try:
        found = str(paths.obstacle(str(tmp_path)))
        assert f"{tmp_path} cannot be written by {names.user_name(os.geteuid())}" in found
    finally:
        subprocess.run(["chattr", "-i", str(tmp_path)], check=True)
