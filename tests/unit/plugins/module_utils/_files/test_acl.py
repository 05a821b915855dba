# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Access control lists, of files and of the folders on the way to them."""

from __future__ import annotations

import os
import pathlib
import stat

import pytest

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files import atomic, paths, secret_file
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.acl import read_acl, writers
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.atomic import AtomicFile, create, remove
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.folder import SecretFileError
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.secret_file import (
    read_secret,
    refuse_public_folder,
    set_attributes,
)
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._inspect.daemon_problems import (
    key_attributes,
    writable_by_others,
)
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._slurm.releases import parse
from ansible_collections.hpc.slurm_jwt.tests.unit.plugins.access_lists import DEFAULT, let_in, names_in, needs_acl

NOBODY, DAEMON, USERS = 65534, 1, 100
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="wants root")
ME = (os.geteuid(), os.getegid())


@pytest.fixture
def secret(tmp_path: pathlib.Path) -> pathlib.Path:
    path = tmp_path / "secret"
    path.write_text("s")
    path.chmod(0o400)
    return path


@needs_acl
class TestFiles:
    @pytest.mark.parametrize("whom", [{"user": NOBODY}, {"group": USERS}])
    def test_whom_a_list_lets_in_counts(self, secret: pathlib.Path, whom: dict[str, int]) -> None:
        secret.chmod(0o440)
        assert read_secret(str(secret)).has_ownership(*ME, 0o440)
        let_in(secret, **whom)
        found = read_secret(str(secret))
        assert found.mode == 0o440 and not found.has_ownership(*ME, 0o440)
        assert set_attributes(str(secret), *ME, 0o440)
        assert names_in(secret) == set() and read_secret(str(secret)).has_ownership(*ME, 0o440)
        assert not set_attributes(str(secret), *ME, 0o440)

    def test_a_list_that_gives_nothing_is_no_fault(self, secret: pathlib.Path) -> None:
        let_in(secret, user=NOBODY)
        secret.chmod(0o400)  # the mask is gone
        assert read_secret(str(secret)).has_ownership(*ME, 0o400)

    def test_a_file_of_the_sites_keeps_its_list(self, secret: pathlib.Path) -> None:
        let_in(secret, user=NOBODY)
        assert not set_attributes(str(secret), *ME, 0o440, ours=False)
        assert set_attributes(str(secret), *ME, 0o640, ours=False)
        assert names_in(secret)

    def test_a_new_file_has_nothing_of_its_folders_list_before_its_first_byte(self, tmp_path, monkeypatch) -> None:
        let_in(tmp_path, user=NOBODY, permissions=7, name=DEFAULT)
        (tmp_path / "other").write_text("")
        assert names_in(tmp_path / "other")
        write, seen = os.write, []

        def look_and_write(fd: int, data: bytes) -> int:
            seen.append((os.listxattr(fd), stat.S_IMODE(os.fstat(fd).st_mode)))
            return write(fd, data)

        monkeypatch.setattr(secret_file.os, "write", look_and_write)
        assert create(str(tmp_path / "new"), b"s", *ME, 0o440)
        assert seen == [([], 0o440)] and names_in(tmp_path / "new") == set()

    def test_one_that_cannot_be_taken_away_is_refused(self, tmp_path, monkeypatch) -> None:
        let_in(tmp_path, user=NOBODY, permissions=7, name=DEFAULT)
        monkeypatch.setattr(atomic, "drop_acl", lambda _fd: None)
        with pytest.raises(SecretFileError, match="it set .* 0440[+]"):
            create(str(tmp_path / "new"), b"s", *ME, 0o440)
        assert os.listdir(tmp_path) == []

    @as_root
    def test_an_inspection_says_so(self, secret: pathlib.Path) -> None:
        let_in(secret, user=NOBODY)
        place = paths.inspect(str(secret))
        assert place.octal == "0440+"
        codes = [each.code for each in key_attributes("slurmctld", str(secret), place, None, parse("24.11.5"))]
        assert codes == ["key_shared"]


@as_root
class TestFolders:
    def refused(self, folder: pathlib.Path, who: str) -> None:
        for act in (
            lambda: read_secret(str(folder / "secret")),
            lambda: AtomicFile(str(folder / "new"), b"s", 0, 0, 0o400).__enter__(),
            lambda: set_attributes(str(folder / "secret"), 0, 0, 0o600),
            lambda: refuse_public_folder(str(folder / "new"), "a key"),
        ):
            with pytest.raises(SecretFileError, match=who):
                act()
        assert read_secret(str(folder / "secret"), secret=False).data == b"s"
        with AtomicFile(str(folder / "new"), b"s", 0, 0, 0o644) as temporary:
            temporary.rename()
        assert remove(str(folder / "new"))

    def fine(self, folder: pathlib.Path) -> None:
        assert read_secret(str(folder / "secret")).data == b"s"
        refuse_public_folder(str(folder / "new"), "a key")
        assert create(str(folder / "new"), b"s", 0, 0, 0o400) and remove(str(folder / "new"))

    def test_a_group_of_strangers(self, secret: pathlib.Path) -> None:
        folder = secret.parent
        os.chown(folder, 0, USERS)
        folder.chmod(0o770)
        self.refused(folder, "writable by the group users .mode 0770., who could put|writable by the group users .mode")
        os.chown(folder, NOBODY, DAEMON)
        self.refused(folder, "the group daemon")

    def test_a_group_of_strangers_further_up(self, secret: pathlib.Path) -> None:
        os.chown(secret.parent, 0, USERS)
        secret.parent.chmod(0o770)
        (secret.parent / "deep").mkdir(mode=0o700)
        with pytest.raises(SecretFileError, match="the group users"):
            create(str(secret.parent / "deep" / "new"), b"s", 0, 0, 0o400)
        secret.parent.chmod(0o1770)  # what is there stays there
        assert create(str(secret.parent / "deep" / "new"), b"s", 0, 0, 0o400)

    @pytest.mark.parametrize(
        ("owner", "group"),
        [(0, 0), (NOBODY, 0), (DAEMON, DAEMON), (0, DAEMON)],
        ids=["root's", "root's group", "its owner's", "of one user, in a folder of root's"],
    )
    def test_a_group_that_is_as_good_as_the_owner(self, secret: pathlib.Path, owner: int, group: int) -> None:
        os.chown(secret.parent, owner, group)
        secret.parent.chmod(0o770)
        self.fine(secret.parent)

    @needs_acl
    def test_a_list(self, secret: pathlib.Path) -> None:
        folder = secret.parent
        let_in(folder, user=NOBODY, permissions=7)
        self.refused(folder, "by an access control list, the user nobody .rwx.")
        let_in(folder, group=USERS, permissions=3)
        self.refused(folder, "by an access control list, the group users .wx.")
        let_in(folder, user=NOBODY, permissions=5)
        self.fine(folder)
        let_in(folder, user=0, permissions=7)
        self.fine(folder)

    @needs_acl
    def test_the_mask_is_not_the_group(self, secret: pathlib.Path) -> None:
        os.chown(secret.parent, 0, USERS)
        let_in(secret.parent, user=0, permissions=7)
        assert secret.parent.stat().st_mode & 0o020
        assert writers(secret.parent.stat(), read_acl(str(secret.parent))) == []
        assert not writable_by_others(paths.inspect(str(secret.parent)), None)
        let_in(secret.parent, user=NOBODY, permissions=7)
        assert writable_by_others(paths.inspect(str(secret.parent)), None)
        assert not writable_by_others(paths.inspect(str(secret.parent)), paths.User("nobody", NOBODY, 0))

    @needs_acl
    def test_a_link_that_somebody_in_a_list_could_have_put_there(self, secret: pathlib.Path) -> None:
        (secret.parent / "link").symlink_to(secret.parent)
        let_in(secret.parent, user=NOBODY, permissions=7)
        with pytest.raises(SecretFileError, match="is a symbolic link in a folder"):
            read_secret(str(secret.parent / "link" / "secret"), secret=False)
