# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How changed files are put in place, on a real file system."""

from __future__ import annotations

import os
import pathlib
import resource
import signal
import struct
from typing import Iterator

import pytest

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._conf import writer
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._conf.writer import ConfFileError, plan, put, resolved
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.folder import SecretFileError

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="changes owners, which only root can")


@pytest.fixture
def folder(tmp_path: pathlib.Path) -> pathlib.Path:
    tmp_path.chmod(0o755)
    (tmp_path / "slurm.conf").write_bytes(b"old\n")
    (tmp_path / "more.conf").write_bytes(b"more\n")
    return tmp_path


def changes(folder: pathlib.Path, private: bool = False, **new: bytes) -> list[writer.Change]:
    files = {str(folder / name.replace("_", ".")): data for name, data in new.items()}
    old = {path: pathlib.Path(path).read_bytes() for path in (str(folder / "slurm.conf"), str(folder / "more.conf"))}
    return plan(old, files, str(folder / "slurm.conf"), private)


def names(folder: pathlib.Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


def test_only_what_differs_is_written(folder: pathlib.Path) -> None:
    inode = (folder / "more.conf").stat().st_ino
    assert put(changes(folder, slurm_conf=b"new\n", more_conf=b"more\n"), False) == {}
    assert (folder / "slurm.conf").read_bytes() == b"new\n"
    assert (folder / "more.conf").stat().st_ino == inode
    assert names(folder) == ["more.conf", "slurm.conf"]


@as_root
def test_owner_mode_and_attributes_stay(folder: pathlib.Path) -> None:
    file = folder / "slurm.conf"
    os.chown(file, 1234, 2345)
    file.chmod(0o664)
    try:
        os.setxattr(file, "user.site", b"x")
    except OSError:
        pytest.skip("no extended attributes here")
    backups = put(changes(folder, slurm_conf=b"new\n"), True)
    for path, content in ((str(file), b"new\n"), (backups[str(file)], b"old\n")):
        info = os.stat(path)
        assert (info.st_uid, info.st_gid, info.st_mode & 0o7777) == (1234, 2345, 0o664)
        assert os.getxattr(path, "user.site") == b"x"
        assert pathlib.Path(path).read_bytes() == content


def test_backups_of_one_second_have_different_names(folder: pathlib.Path) -> None:
    first = put(changes(folder, slurm_conf=b"1\n"), True)
    second = put(changes(folder, slurm_conf=b"2\n"), True)
    made = {*first.values(), *second.values()}
    assert len(made) == 2
    assert all(name.endswith("~") for name in made)
    assert sorted(pathlib.Path(name).read_bytes() for name in made) == [b"1\n", b"old\n"]


def test_a_file_for_slurmdbd_becomes_private(folder: pathlib.Path) -> None:
    (folder / "slurm.conf").chmod(0o644)
    (folder / "more.conf").chmod(0o640)
    planned = changes(folder, private=True, slurm_conf=b"new\n")
    assert [(change.old_mode, change.mode) for change in planned] == [(0o644, 0o600), (0o640, 0o600)]
    backups = put(planned, True)
    assert list(backups) == [str(folder / "slurm.conf")]
    for path in (folder / "slurm.conf", folder / "more.conf", pathlib.Path(backups[str(folder / "slurm.conf")])):
        assert path.stat().st_mode & 0o777 == 0o600
    assert changes(folder, private=True) == []


def test_an_acl_stays_unless_it_would_open_what_is_to_be_private(folder: pathlib.Path) -> None:
    """Version, then tag, permissions and number of: owner, user 1234, group, mask, other."""
    entries = ((1, 6, -1), (2, 4, 1234), (4, 4, -1), (16, 4, -1), (32, 0, -1))
    acl = struct.pack("<I", 2) + b"".join(struct.pack("<HHi", *entry) for entry in entries)
    name = "system.posix_acl_access"
    try:
        os.setxattr(folder / "slurm.conf", name, acl)
    except OSError:
        pytest.skip("no ACLs here")
    put(changes(folder, slurm_conf=b"new\n"), False)
    assert os.getxattr(folder / "slurm.conf", name) == acl
    put(changes(folder, private=True, slurm_conf=b"newer\n"), False)
    # 0640, which the ACL shows as, may stay; what is mended loses it.
    assert os.getxattr(folder / "slurm.conf", name) == acl
    os.chmod(folder / "slurm.conf", 0o660)
    put(changes(folder, private=True, slurm_conf=b"newest\n"), False)
    assert name not in os.listxattr(folder / "slurm.conf")
    assert (folder / "slurm.conf").stat().st_mode & 0o777 == 0o600


def test_the_newer_mode_of_slurmdbd_conf_stays(folder: pathlib.Path) -> None:
    (folder / "slurm.conf").chmod(0o640)
    (folder / "more.conf").chmod(0o600)
    assert changes(folder, private=True) == []


@as_root
def test_an_include_with_another_owner_stays(folder: pathlib.Path) -> None:
    (folder / "slurm.conf").chmod(0o600)
    os.chown(folder / "more.conf", 1234, 2345)
    assert changes(folder, private=True) == []


def test_a_link_is_followed_and_stays(folder: pathlib.Path) -> None:
    shared = folder / "shared"
    shared.mkdir(mode=0o755)
    (folder / "slurm.conf").rename(shared / "real.conf")
    (folder / "slurm.conf").symlink_to("shared/real.conf")
    backups = put(changes(folder, slurm_conf=b"new\n"), True)
    assert (folder / "slurm.conf").is_symlink()
    assert (shared / "real.conf").read_bytes() == b"new\n"
    assert pathlib.Path(backups[str(shared / "real.conf")]).parent == shared


@as_root
@pytest.mark.parametrize(
    ("owner", "mode", "allowed"), [(0, 0o755, True), (0, 0o775, True), (0, 0o1777, True), (1234, 0o755, False)]
)
def test_a_link_is_followed_only_where_others_cannot_write(
    folder: pathlib.Path, owner: int, mode: int, allowed: bool
) -> None:
    subfolder = folder / "folder"
    subfolder.mkdir()
    (subfolder / "link").symlink_to(folder / "slurm.conf")
    os.chown(subfolder, owner, 0)
    subfolder.chmod(mode)
    if allowed:
        assert resolved(str(subfolder / "link")) == str(folder / "slurm.conf")
    else:
        with pytest.raises(ConfFileError, match="is a symbolic link in .* where users other than root can write"):
            resolved(str(subfolder / "link"))
        os.chown(folder / "slurm.conf", owner, 0)  # it is the owner's own file
        assert resolved(str(subfolder / "link")) == str(folder / "slurm.conf")


def test_readme_in_a_circle_end(folder: pathlib.Path) -> None:
    (folder / "a").symlink_to("b")
    (folder / "b").symlink_to("a")
    with pytest.raises((ConfFileError, OSError)):
        resolved(str(folder / "a"))


def test_one_file_under_two_names_is_refused(folder: pathlib.Path) -> None:
    (folder / "more.conf").unlink()
    (folder / "more.conf").symlink_to("slurm.conf")
    with pytest.raises(ConfFileError, match="are the same file"):
        changes(folder, slurm_conf=b"new\n")
    assert [change.new for change in changes(folder, slurm_conf=b"new\n", more_conf=b"new\n")] == [b"new\n"]


@pytest.fixture
def little_room() -> Iterator[None]:
    """A file system in which a file may have few bytes, as it is when it is full."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    old = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    signal.signal(signal.SIGXFSZ, old)


@pytest.mark.usefixtures("little_room")
@pytest.mark.parametrize("order", [("slurm_conf", "more_conf"), ("more_conf", "slurm_conf")])
def test_without_room_for_all_files_none_changes(folder: pathlib.Path, order: tuple[str, str]) -> None:
    with pytest.raises(SecretFileError):
        put(changes(folder, **{order[0]: b"x\n", order[1]: b"y" * 200}), True)
    assert (folder / "slurm.conf").read_bytes() == b"old\n"
    assert (folder / "more.conf").read_bytes() == b"more\n"
    assert names(folder) == ["more.conf", "slurm.conf"]


def test_replaced_files_are_restored_if_the_next_file_fails(folder: pathlib.Path) -> None:
    planned = changes(folder, slurm_conf=b"new\n", more_conf=b"newer\n")
    (folder / "more.conf").write_bytes(b"by somebody else\n")
    with pytest.raises(ConfFileError, match=r"more\.conf was changed by another process in the meantime"):
        put(planned, True)
    assert (folder / "slurm.conf").read_bytes() == b"old\n"
    assert (folder / "more.conf").read_bytes() == b"by somebody else\n"
    assert names(folder) == ["more.conf", "slurm.conf"]
