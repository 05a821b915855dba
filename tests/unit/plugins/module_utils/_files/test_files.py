# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import fcntl
import mmap
import os
import pathlib
import socket
import stat
import threading
import time

import pytest

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files import atomic, lock, secret_file
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.atomic import (
    AtomicFile,
    NewFile,
    create,
    link_as,
    move,
    overwrite,
    remove,
    remove_stale,
    rename_over,
    replace,
    replace_all,
)
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.folder import (
    FolderMissing,
    SecretFileError,
    SecretFileMissing,
)
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.lock import file_lock
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.secret_file import (
    check_path,
    parse_mode,
    read_secret,
    set_attributes,
)

ME, MINE = os.geteuid(), os.getegid()
STRANGER = 65534
as_root = pytest.mark.skipif(ME != 0, reason="changes owners, which only root can")


def temporary_name(path: str, number: int = 1) -> str:
    return f"{os.path.dirname(path)}/.slurm_jwt.{os.path.basename(path)}.{number:016x}.tmp"


@pytest.fixture
def path(tmp_path: pathlib.Path) -> str:
    return str(tmp_path / "secret")


def mode_of(path: str) -> int:
    return stat.S_IMODE(os.lstat(path).st_mode)


def names_in(path: str) -> list[str]:
    return sorted(os.listdir(os.path.dirname(path)))


class TestCreate:
    def test_makes_the_file_with_what_was_asked_for_and_nothing_beside_it(self, path: str) -> None:
        assert create(path, b"secret", ME, MINE, 0o440) is True
        assert pathlib.Path(path).read_bytes() == b"secret"
        assert mode_of(path) == 0o440
        assert os.stat(path).st_nlink == 1
        assert names_in(path) == ["secret"]

    def test_leaves_a_file_that_exists_alone(self, path: str) -> None:
        create(path, b"first", ME, MINE, 0o400)
        before = os.stat(path)
        assert create(path, b"second", ME, MINE, 0o600) is False
        assert os.stat(path) == before
        assert pathlib.Path(path).read_bytes() == b"first"
        assert names_in(path) == ["secret"]

    @pytest.mark.parametrize("umask", [0o000, 0o777])
    def test_the_umask_has_no_say(self, path: str, umask: int) -> None:
        old = os.umask(umask)
        try:
            create(path, b"secret", ME, MINE, 0o400)
        finally:
            os.umask(old)
        assert mode_of(path) == 0o400

    def test_the_temporary_file_has_its_attributes_before_its_content(
        self, path: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        seen = []
        write = os.write

        def look_and_write(fd: int, data: bytes) -> int:
            info = os.fstat(fd)
            seen.append((info.st_size, stat.S_IMODE(info.st_mode)))
            return write(fd, data[:3])

        monkeypatch.setattr(secret_file.os, "write", look_and_write)
        create(path, b"secret", ME, MINE, 0o400)
        assert seen == [(0, 0o400), (3, 0o400)]
        assert pathlib.Path(path).read_bytes() == b"secret"

    @pytest.mark.parametrize("action", [create, replace])
    def test_nobody_can_slip_us_a_temporary_file(
        self, path: str, action: object, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Who guesses the temporary name, and links it to a file or keeps it open, gets an error and not the key."""
        monkeypatch.setattr(secret_file.os, "urandom", lambda size: b"\1" * size)
        pathlib.Path(path + "-of-others").write_bytes(b"precious")
        temporary = f"{os.path.dirname(path)}/.slurm_jwt.secret.{'01' * 8}.tmp"
        for slip in (os.symlink, os.link):
            slip(path + "-of-others", temporary)
            with pytest.raises(SecretFileError, match="Cannot write .*secret: File exists"):
                action(path, b"secret", ME, MINE, 0o400)  # type: ignore[operator]
            assert pathlib.Path(path + "-of-others").read_bytes() == b"precious"
            assert names_in(path) == [os.path.basename(temporary), "secret-of-others"]
            os.unlink(temporary)

    @as_root
    def test_for_another_owner(self, path: str) -> None:
        create(path, b"secret", STRANGER, STRANGER, 0o400)
        assert (os.stat(path).st_uid, os.stat(path).st_gid) == (STRANGER, STRANGER)

    def test_a_failure_leaves_nothing(self, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
        def fail(_fd: int) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(secret_file.os, "fsync", fail)
        with pytest.raises(SecretFileError, match=r"Cannot write .*secret: No space left.*make room"):
            create(path, b"secret", ME, MINE, 0o400)
        assert names_in(path) == []

    def test_refuses_a_file_system_that_does_not_keep_modes(self, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(secret_file.os, "fchmod", lambda _fd, _mode: None)
        with pytest.raises(SecretFileError, match="does not keep owners and modes.*another file system"):
            create(path, b"secret", ME, MINE, 0o400)
        assert names_in(path) == []

    def test_believes_its_eyes_more_than_an_answer_that_came_twice(
        self, path: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """An NFS client that did not get the answer asks again, and is told that the name it made exists."""
        link = os.link

        def link_and_lose_the_answer(*args: object, **options: object) -> None:
            link(*args, **options)  # type: ignore[arg-type]
            raise FileExistsError(17, "File exists")

        monkeypatch.setattr(secret_file.os, "link", link_and_lose_the_answer)
        assert create(path, b"secret", ME, MINE, 0o400) is True
        assert names_in(path) == ["secret"]

    @as_root
    def test_a_default_acl_of_the_folder_lets_nobody_in(self, path: str) -> None:
        entries = [(0x01, 7, -1), (0x02, 4, STRANGER), (0x04, 5, -1), (0x10, 7, -1), (0x20, 5, -1)]
        acl = b"\x02\0\0\0" + b"".join(
            tag.to_bytes(2, "little") + perm.to_bytes(2, "little") + (who & 0xFFFFFFFF).to_bytes(4, "little")
            for tag, perm, who in entries
        )
        try:
            os.setxattr(os.path.dirname(path), "system.posix_acl_default", acl)
        except OSError:
            pytest.skip("no ACLs on this file system")
        create(path, b"secret", ME, MINE, 0o440)
        assert "system.posix_acl_access" not in os.listxattr(path)
        assert mode_of(path) == 0o440


class TestWithoutHardLinks:
    @pytest.fixture(autouse=True)
    def no_links(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def link(*_args: object, **_options: object) -> None:
            raise PermissionError(1, "Operation not permitted")

        monkeypatch.setattr(secret_file.os, "link", link)

    def test_creates_all_the_same(self, path: str) -> None:
        assert create(path, b"first", ME, MINE, 0o400) is True
        assert create(path, b"second", ME, MINE, 0o400) is False
        assert pathlib.Path(path).read_bytes() == b"first"
        assert names_in(path) == ["secret"]

    def test_not_while_another_run_holds_the_folder(self, path: str) -> None:
        fd = os.open(os.path.dirname(path), os.O_RDONLY)
        fcntl.flock(fd, fcntl.LOCK_EX)
        with pytest.raises(SecretFileError, match="no hard links, and another process holds"):
            create(path, b"secret", ME, MINE, 0o400)
        os.close(fd)
        assert names_in(path) == []

    def test_not_without_locks_either(self, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
        def no_lock(_fd: int, _how: int) -> None:
            raise OSError(37, "No locks available")

        monkeypatch.setattr(lock.fcntl, "flock", no_lock)
        with pytest.raises(SecretFileError, match="no hard links, and it cannot lock.*Nothing was written"):
            create(path, b"secret", ME, MINE, 0o400)
        assert names_in(path) == []


class TestReplace:
    def test_puts_another_file_in_the_place(self, path: str) -> None:
        create(path, b"old", ME, MINE, 0o400)
        with open(path, "rb") as mapped:
            replace(path, b"new", ME, MINE, 0o440)
            assert mapped.read() == b"old"
        assert pathlib.Path(path).read_bytes() == b"new"
        assert mode_of(path) == 0o440
        assert names_in(path) == ["secret"]

    def test_serves_for_a_file_that_does_not_exist(self, path: str) -> None:
        replace(path, b"new", ME, MINE, 0o400)
        assert pathlib.Path(path).read_bytes() == b"new"

    def test_a_failure_leaves_the_old_file(self, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
        create(path, b"old", ME, MINE, 0o400)
        before = os.stat(path)

        def fail(_fd: int, _data: bytes) -> int:
            raise OSError(122, "Disk quota exceeded")

        monkeypatch.setattr(secret_file.os, "write", fail)
        with pytest.raises(SecretFileError, match="Disk quota exceeded. The quota"):
            replace(path, b"new", ME, MINE, 0o400)
        assert os.stat(path) == before
        assert names_in(path) == ["secret"]


class TestRead:
    def test_content_and_attributes(self, path: str) -> None:
        create(path, b"secret", ME, MINE, 0o440)
        found = read_secret(path)
        assert found[:4] == (b"secret", ME, MINE, 0o440)
        assert found.inode == os.stat(path).st_ino
        assert found.mtime == os.stat(path).st_mtime

    def test_the_content_is_not_in_the_repr(self, path: str) -> None:
        create(path, b"secret", ME, MINE, 0o400)
        assert "b'secret'" not in f"{read_secret(path)!r}"

    def test_missing(self, path: str) -> None:
        with pytest.raises(SecretFileMissing, match=f"^{path} does not exist"):
            read_secret(path)
        with pytest.raises(FileNotFoundError):
            read_secret(path)

    def test_missing_folder(self, path: str) -> None:
        with pytest.raises(FolderMissing, match=r"'secret' is missing\); create it first"):
            read_secret(path + "/deep/file")

    def test_a_link_put_there_between_the_look_and_the_opening(
        self, path: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        look = secret_file.plain

        def look_and_be_tricked(folder: int, name: str, path: str) -> object:
            info = look(folder, name, path)
            os.replace(path, path + ".real")
            os.symlink(path + ".real", path)
            return info

        create(path, b"secret", ME, MINE, 0o400)
        monkeypatch.setattr(secret_file, "plain", look_and_be_tricked)
        with pytest.raises(SecretFileError, match="Cannot read .*secret: Too many levels of symbolic links"):
            read_secret(path)

    def test_too_large(self, path: str) -> None:
        create(path, b"secret", ME, MINE, 0o400)
        assert read_secret(path, limit=6).data == b"secret"
        with pytest.raises(SecretFileError, match="has 6 bytes.*more than any secret .*5.*Check the path"):
            read_secret(path, limit=5)

    def test_empty(self, path: str) -> None:
        create(path, b"", ME, MINE, 0o400)
        assert read_secret(path).data == b""


class TestWhatIsNoFile:
    def symlink(self, path: str) -> None:
        os.symlink("/etc/hostname", path)

    def dangling_link(self, path: str) -> None:
        os.symlink("/nowhere/at/all", path)

    def directory(self, path: str) -> None:
        os.mkdir(path)

    def pipe(self, path: str) -> None:
        os.mkfifo(path)

    def socket(self, path: str) -> None:
        here = os.getcwd()
        os.chdir(os.path.dirname(path))  # the whole path may be too long for a socket
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(os.path.basename(path))
        os.chdir(here)

    def device(self, path: str) -> None:
        if ME != 0:
            pytest.skip("only root makes devices")
        try:
            os.mknod(path, 0o666 | stat.S_IFCHR, os.makedev(1, 5))
        except PermissionError:
            pytest.skip("no devices in this container")

    @pytest.mark.parametrize(
        ("make", "kind"),
        [
            (symlink, "a symbolic link"),
            (dangling_link, "a symbolic link"),
            (directory, "a directory"),
            (pipe, "a named pipe"),
            (socket, "a socket"),
            (device, "a character device"),
        ],
    )
    def test_is_refused_by_every_function(self, path: str, make: object, kind: str) -> None:
        make(self, path)  # type: ignore[operator]
        before = os.lstat(path)
        for action in (
            lambda: check_path(path),
            lambda: read_secret(path),
            lambda: create(path, b"secret", ME, MINE, 0o400),
            lambda: replace(path, b"secret", ME, MINE, 0o400),
            lambda: set_attributes(path, ME, MINE, 0o400),
            lambda: remove(path),
            lambda: file_lock(path, 0).__enter__(),
        ):
            with pytest.raises(SecretFileError, match=f"secret is {kind}, not a file. Remove it, or"):
                action()
        assert os.lstat(path)[:7] == before[:7]
        assert names_in(path) == ["secret"]


class TestPlaces:
    def test_a_free_name_and_a_file_are_fine(self, path: str) -> None:
        check_path(path)
        create(path, b"secret", ME, MINE, 0o400)
        check_path(path)

    @pytest.mark.parametrize("wrong", ["secret", "./secret", "/tmp/", "/tmp/.", "/tmp/..", "", "/"])
    def test_only_absolute_paths_of_files(self, wrong: str) -> None:
        with pytest.raises(SecretFileError, match="is not the absolute path of a file"):
            check_path(wrong)

    def test_a_file_for_a_folder(self, path: str) -> None:
        create(path, b"secret", ME, MINE, 0o400)
        with pytest.raises(SecretFileError, match="'secret' in .* is a plain file, not a folder"):
            check_path(path + "/deep")

    @pytest.mark.parametrize("target", ["{0}/real", "real", "../{1}/real", "./real/../real/."])
    def test_a_link_to_a_folder_where_only_we_can_write(self, tmp_path: pathlib.Path, target: str) -> None:
        (tmp_path / "real").mkdir()
        (tmp_path / "link").symlink_to(target.format(tmp_path, tmp_path.name))
        create(str(tmp_path / "link" / "secret"), b"secret", ME, MINE, 0o400)
        assert (tmp_path / "real" / "secret").read_bytes() == b"secret"

    def test_readme_in_a_circle(self, tmp_path: pathlib.Path) -> None:
        (tmp_path / "one").symlink_to("two")
        (tmp_path / "two").symlink_to("one")
        with pytest.raises(SecretFileError, match="more than 40 symbolic links"):
            check_path(str(tmp_path / "one" / "secret"))

    def test_a_folder_that_everyone_can_write_to(self, tmp_path: pathlib.Path) -> None:
        (tmp_path / "open").mkdir()
        (tmp_path / "open" / "inner").mkdir()
        (tmp_path / "open").chmod(0o777)
        for path in ("open/secret", "open/inner/secret"):
            with pytest.raises(SecretFileError, match="open, on the way to .* writable by every user.*0777.*chmod o-w"):
                check_path(str(tmp_path / path))
        (tmp_path / "open").chmod(0o1777)
        check_path(str(tmp_path / "open" / "secret"))

    @pytest.mark.parametrize(("mode", "group"), [(0o777, 0), (0o775, STRANGER)])
    @as_root
    def test_a_link_that_a_stranger_could_have_made(self, tmp_path: pathlib.Path, mode: int, group: int) -> None:
        (tmp_path / "shared").mkdir()
        (tmp_path / "shared" / "link").symlink_to(tmp_path)
        os.chown(tmp_path / "shared", 0, group)
        (tmp_path / "shared").chmod(mode)
        with pytest.raises(SecretFileError):
            check_path(str(tmp_path / "shared" / "link" / "secret"))

    @as_root
    def test_a_link_in_the_folder_of_another_user(self, tmp_path: pathlib.Path) -> None:
        for name in ("slurm", "trap", "slurm/real"):
            (tmp_path / name).mkdir(mode=0o755)
        (tmp_path / "slurm" / "state").symlink_to(tmp_path / "trap")
        os.chown(tmp_path / "slurm", STRANGER, STRANGER)
        with pytest.raises(SecretFileError, match="'state' in .* symbolic link in a folder where an unprivileged user"):
            create(str(tmp_path / "slurm" / "state" / "secret"), b"secret", ME, MINE, 0o400)
        assert list((tmp_path / "trap").iterdir()) == []
        check_path(str(tmp_path / "slurm" / "real" / "secret"))

    @as_root
    def test_readme_in_a_sticky_folder_belong_to_whoever_made_them(self, tmp_path: pathlib.Path) -> None:
        (tmp_path / "tmp").mkdir()
        for name, owner in (("ours", 0), ("theirs", STRANGER)):
            (tmp_path / "tmp" / name).symlink_to(tmp_path)
            os.lchown(tmp_path / "tmp" / name, owner, owner)
        (tmp_path / "tmp").chmod(0o1777)
        check_path(str(tmp_path / "tmp" / "ours" / "secret"))
        with pytest.raises(SecretFileError, match="'theirs' in"):
            check_path(str(tmp_path / "tmp" / "theirs" / "secret"))

    def test_a_folder_swapped_for_a_link_while_we_write(self, tmp_path: pathlib.Path) -> None:
        """The folder was looked at and opened; what its name leads to afterwards makes no difference."""
        for name in ("folder", "trap"):
            (tmp_path / name).mkdir()
        with AtomicFile(str(tmp_path / "folder" / "secret"), b"secret", ME, MINE, 0o400) as temporary:
            (tmp_path / "folder").rename(tmp_path / "moved")
            (tmp_path / "folder").symlink_to(tmp_path / "trap")
            temporary.rename()
        assert (tmp_path / "moved" / "secret").exists()
        assert list((tmp_path / "trap").iterdir()) == []

    def test_no_descriptor_is_left_open(self, path: str) -> None:
        before = sorted(os.listdir("/proc/self/fd"))
        for _round in range(3):
            replace(path, b"secret", ME, MINE, 0o400)
            read_secret(path)
            create(path, b"secret", ME, MINE, 0o400)
            set_attributes(path, ME, MINE, 0o440)
            with file_lock(path):
                pass
            remove_stale(path)
            for wrong in (path + "/no", path + "-folder/no"):
                with pytest.raises(SecretFileError):
                    check_path(wrong)
            with pytest.raises(SecretFileError):
                create(os.path.dirname(path), b"", ME, MINE, 0o400)
        assert sorted(os.listdir("/proc/self/fd")) == before


class TestAttributes:
    def test_says_whether_it_changed_anything(self, path: str) -> None:
        create(path, b"secret", ME, MINE, 0o400)
        assert set_attributes(path, ME, MINE, 0o640) is True
        assert mode_of(path) == 0o640
        assert set_attributes(path, ME, MINE, 0o640) is False

    def test_the_content_stays(self, path: str) -> None:
        create(path, b"secret", ME, MINE, 0o400)
        before = os.stat(path)
        set_attributes(path, ME, MINE, 0o600)
        assert pathlib.Path(path).read_bytes() == b"secret"
        assert (os.stat(path).st_ino, os.stat(path).st_mtime) == (before.st_ino, before.st_mtime)

    @as_root
    def test_takes_away_before_it_gives(self, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
        """A key of root that the group could read must not be readable by a new group for an instant."""
        create(path, b"secret", 0, 0, 0o640)
        steps = []
        chown, chmod = os.fchown, os.fchmod
        monkeypatch.setattr(secret_file.os, "fchown", lambda fd, *who: (steps.append(mode_of(path)), chown(fd, *who)))
        monkeypatch.setattr(secret_file.os, "fchmod", lambda fd, mode: (steps.append(oct(mode)), chmod(fd, mode)))
        set_attributes(path, STRANGER, STRANGER, 0o400)
        assert steps == ["0o400", 0o400, "0o400"]
        steps.clear()
        set_attributes(path, 0, 0, 0o640)
        assert steps == ["0o400", 0o400, "0o640"]

    @as_root
    def test_a_file_with_another_name_is_not_given_away(self, path: str) -> None:
        """SlurmUser could link another user's file into its own folder and wait for us to hand it over."""
        create(path + "-of-root", b"secret", 0, 0, 0o400)
        os.link(path + "-of-root", path)
        with pytest.raises(SecretFileError, match=r"has 2 names \(hard links\).*find -samefile"):
            set_attributes(path, STRANGER, STRANGER, 0o400)
        assert os.stat(path).st_uid == 0
        assert set_attributes(path, 0, 0, 0o400) is False

    def test_missing(self, path: str) -> None:
        with pytest.raises(SecretFileMissing):
            set_attributes(path, ME, MINE, 0o400)


class TestRemoveAndMove:
    def test_remove(self, path: str) -> None:
        create(path, b"secret", ME, MINE, 0o400)
        assert remove(path) is True
        assert names_in(path) == []
        assert remove(path) is False

    def test_move(self, path: str) -> None:
        create(path, b"secret", ME, MINE, 0o400)
        move(path, path + ".old")
        assert names_in(path) == ["secret.old"]

    def test_move_overwrites_nothing(self, path: str) -> None:
        for name, data in ((path, b"one"), (path + ".old", b"two")):
            create(name, data, ME, MINE, 0o400)
        with pytest.raises(SecretFileError, match="secret.old exists already"):
            move(path, path + ".old")
        assert pathlib.Path(path + ".old").read_bytes() == b"two"


class TestSweep:
    def stale_file(self, path: str, number: int = 1, age: float = 3600) -> str:
        name = temporary_name(path, number)
        pathlib.Path(name).write_bytes(b"secret")
        os.utime(name, (time.time() - age, time.time() - age))
        return name

    def test_old_temporary_files_are_removed_and_nothing_else(self, path: str) -> None:
        self.stale_file(path)
        self.stale_file(path + ".record", 2)
        keep = [self.stale_file(path, 3, age=60)]
        for name in (".slurm_jwt.secret.tmp", ".slurm_jwt.secret.000000000000000g.tmp", "secret.0000000000000001.tmp"):
            keep.append(os.path.join(os.path.dirname(path), name))
            pathlib.Path(keep[-1]).write_bytes(b"")
            os.utime(keep[-1], (0, 0))
        os.mkdir(temporary_name(path, 4))
        os.utime(temporary_name(path, 4), (0, 0))
        gone = [os.path.basename(temporary_name(path)), os.path.basename(temporary_name(path + ".record", 2))]
        assert sorted(remove_stale(path)) == sorted(gone)
        assert names_in(path) == sorted(os.path.basename(name) for name in [*keep, temporary_name(path, 4)])

    def test_a_temporary_file_that_got_its_name_is_removed_at_once(self, path: str) -> None:
        create(path, b"secret", ME, MINE, 0o400)
        os.link(path, temporary_name(path))
        assert remove_stale(path) == [os.path.basename(temporary_name(path))]
        assert names_in(path) == ["secret"]

    def test_what_an_old_link_leads_to_is_safe(self, path: str) -> None:
        pathlib.Path(path).write_bytes(b"")
        os.symlink(path, temporary_name(path))
        os.utime(temporary_name(path), (0, 0), follow_symlinks=False)
        assert remove_stale(path) == []
        assert os.path.exists(path)


class TestHeld:
    def test_one_after_the_other(self, path: str) -> None:
        create(path, b"secret", ME, MINE, 0o400)
        order = []

        def other() -> None:
            with file_lock(path):
                order.append("other")

        with file_lock(path):
            thread = threading.Thread(target=other)
            thread.start()
            time.sleep(0.2)
            order.append("first")
        thread.join()
        assert order == ["first", "other"]

    def test_who_waited_holds_the_file_that_is_there_by_then(self, path: str) -> None:
        create(path, b"old", ME, MINE, 0o400)
        seen = []

        def other() -> None:
            with file_lock(path):
                seen.append(read_secret(path).data)
                with pytest.raises(SecretFileError, match="for too long"), file_lock(path, 0.1):
                    pass

        with file_lock(path), AtomicFile(path, b"new", ME, MINE, 0o400) as temporary:
            thread = threading.Thread(target=other)
            thread.start()
            time.sleep(0.2)
            temporary.rename()
        thread.join()
        assert seen == [b"new"]

    def test_what_has_just_appeared_is_held_until_its_maker_is_done(self, path: str) -> None:
        with AtomicFile(path, b"new", ME, MINE, 0o400) as temporary:
            assert temporary.link()
            with pytest.raises(SecretFileError, match="Another process has locked .* for too long"):
                file_lock(path, 0.1).__enter__()
        with file_lock(path, 0.1):
            pass

    def test_a_file_system_without_locks_stops_nobody(self, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
        def no_lock(_fd: int, _how: int) -> None:
            raise OSError(37, "No locks available")

        create(path, b"secret", ME, MINE, 0o400)
        monkeypatch.setattr(lock.fcntl, "flock", no_lock)
        with file_lock(path, 0.1):
            pass

    def test_nfs_locks_what_is_open_for_writing(self, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
        flock = fcntl.flock

        def nfs_flock(fd: int, how: int) -> None:
            if fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDONLY:
                raise OSError(9, "Bad file descriptor")
            flock(fd, how)

        create(path, b"secret", ME, MINE, 0o600)
        monkeypatch.setattr(lock.fcntl, "flock", nfs_flock)
        with file_lock(path), pytest.raises(SecretFileError, match="for too long"), file_lock(path, 0.1):
            pass
        assert pathlib.Path(path).read_bytes() == b"secret"

    def test_missing(self, path: str) -> None:
        with pytest.raises(SecretFileMissing), file_lock(path):
            pass


class TestOverwrite:
    def test_changes_the_bytes_in_every_mapping(self, path: str) -> None:
        create(path, b"secret", ME, MINE, 0o440)
        before = os.stat(path)
        with open(path, "rb") as stream:
            mapped = mmap.mmap(stream.fileno(), 0, mmap.MAP_SHARED, mmap.PROT_READ)
        overwrite(path, b"SECRET")
        assert mapped[:] == pathlib.Path(path).read_bytes() == b"SECRET"
        mapped.close()
        after = os.stat(path)
        assert (after.st_ino, after.st_mode, after.st_uid) == (before.st_ino, before.st_mode, before.st_uid)
        assert names_in(path) == ["secret"]

    @pytest.mark.parametrize("data", [b"", b"secre", b"secrets"])
    def test_refuses_another_length(self, path: str, data: bytes) -> None:
        create(path, b"secret", ME, MINE, 0o400)
        with pytest.raises(SecretFileError, match=f"has 6 bytes and would get {len(data)}.*would die of that"):
            overwrite(path, data)
        assert pathlib.Path(path).read_bytes() == b"secret"

    def test_writes_once_and_never_truncates(self, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
        create(path, b"secret", ME, MINE, 0o400)
        written, opened = [], []
        pwrite, open_ = os.pwrite, os.open

        def note_write(fd: int, data: bytes, offset: int) -> int:
            written.append((data, offset))
            return pwrite(fd, data, offset)

        def note_open(name: str, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
            opened.append(flags)
            return open_(name, flags, mode, dir_fd=dir_fd)

        monkeypatch.setattr(secret_file.os, "pwrite", note_write)
        monkeypatch.setattr(secret_file.os, "open", note_open)
        overwrite(path, b"SECRET")
        assert written == [(b"SECRET", 0)]
        assert not any(flags & (os.O_TRUNC | os.O_CREAT) for flags in opened)

    @pytest.mark.parametrize("error", [True, False])
    def test_a_write_that_fails_half_way_is_undone(
        self, path: str, error: bool, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        create(path, b"secret", ME, MINE, 0o400)
        pwrite = os.pwrite
        calls = []

        def stop_half_way(fd: int, data: bytes, offset: int) -> int:
            calls.append(data)
            if len(calls) > 1:
                return pwrite(fd, data, offset)
            written = pwrite(fd, data[:3], offset)
            if error:
                raise OSError(5, "Input/output error")
            return written

        monkeypatch.setattr(secret_file.os, "pwrite", stop_half_way)
        with pytest.raises(SecretFileError, match="Cannot overwrite .*secret: "):
            overwrite(path, b"SECRET")
        assert pathlib.Path(path).read_bytes() == b"secret"

    def test_refuses_a_file_of_two_names(self, path: str) -> None:
        create(path, b"secret", ME, MINE, 0o400)
        os.link(path, path + ".other")
        with pytest.raises(SecretFileError, match="has 2 names .hard links., so its content is not changed"):
            overwrite(path, b"SECRET")
        assert pathlib.Path(path).read_bytes() == b"secret"

    def test_refuses_what_is_no_file(self, path: str) -> None:
        with pytest.raises(SecretFileMissing):
            overwrite(path, b"SECRET")
        create(path + ".other", b"secret", ME, MINE, 0o400)
        os.symlink(path + ".other", path)
        with pytest.raises(SecretFileError, match="is a symbolic link"):
            overwrite(path, b"SECRET")
        assert pathlib.Path(path + ".other").read_bytes() == b"secret"


class TestASecondName:
    def test_is_of_the_very_file(self, path: str) -> None:
        create(path, b"secret", ME, MINE, 0o400)
        create(path + ".old", b"older", ME, MINE, 0o400)
        for _again in range(2):
            assert link_as(path, path + ".old") is True
            assert os.path.samefile(path, path + ".old")
            assert os.stat(path).st_nlink == 2
            assert names_in(path) == ["secret", "secret.old"]

    def test_where_there_are_no_links(self, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
        def no_links(*_args: object, **_options: object) -> None:
            raise OSError(1, "Operation not permitted")

        create(path, b"secret", ME, MINE, 0o400)
        monkeypatch.setattr(secret_file.os, "link", no_links)
        assert link_as(path, path + ".old") is False
        assert names_in(path) == ["secret"]

    def test_is_there_at_every_instant(self, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
        """The name that is taken is never free in between."""
        create(path, b"secret", ME, MINE, 0o400)
        create(path + ".old", b"older", ME, MINE, 0o400)
        seen = []
        for name in ("link", "replace", "unlink"):

            def look(*args: object, _call: object = getattr(os, name), **options: object) -> None:
                seen.append(pathlib.Path(path + ".old").read_bytes())
                _call(*args, **options)  # type: ignore[operator]

            monkeypatch.setattr(secret_file.os, name, look)
        link_as(path, path + ".old")
        assert seen[:2] == [b"older", b"older"]
        assert set(seen[2:]) <= {b"secret"}

    def test_another_run_that_sweeps_meanwhile_does_no_harm(self, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
        """A second name that is just made looks to it as one that was left."""
        create(path, b"secret", ME, MINE, 0o400)
        replace_ = os.replace
        swept = []

        def sweep_and_replace(*args: object, **options: object) -> None:
            if len(swept) < 3:
                swept.append(remove_stale(path))
            replace_(*args, **options)  # type: ignore[arg-type]

        monkeypatch.setattr(secret_file.os, "replace", sweep_and_replace)
        assert link_as(path, path + ".old") is True
        assert [len(names) for names in swept] == [1, 1, 1]
        assert names_in(path) == ["secret", "secret.old"]

    def test_refuses_what_is_no_file(self, path: str) -> None:
        create(path, b"secret", ME, MINE, 0o400)
        os.mkdir(path + ".old")
        for act in (link_as, rename_over):
            with pytest.raises(SecretFileError, match="old is a directory, not a file"):
                act(path, path + ".old")
        assert names_in(path) == ["secret", "secret.old"]

    def test_a_name_is_taken_from_another_file(self, path: str) -> None:
        create(path, b"secret", ME, MINE, 0o400)
        create(path + ".old", b"older", ME, MINE, 0o400)
        inode = os.stat(path + ".old").st_ino
        rename_over(path + ".old", path)
        assert (os.stat(path).st_ino, pathlib.Path(path).read_bytes()) == (inode, b"older")
        assert names_in(path) == ["secret"]
        with pytest.raises(SecretFileError, match="Cannot rename .*secret.old: No such file"):
            rename_over(path + ".old", path)


class TestMode:
    @pytest.mark.parametrize("value", ["0400", "400", "0o400", "00400", 0o400])
    def test_ways_to_write_it(self, value: object) -> None:
        assert parse_mode(value) == 0o400

    @pytest.mark.parametrize("text", ["0400", "0440", "0600", "0640"])
    def test_what_is_allowed(self, text: str) -> None:
        assert parse_mode(text) == int(text, 8)

    @pytest.mark.parametrize(
        ("value", "said"),
        [
            ("0404", "every user of the host"),
            ("0644", "every user of the host"),
            ("0401", "every user of the host"),
            ("0660", "lets the group write"),
            ("0450", "lets the group write or execute"),
            ("4400", "set-user-ID"),
            ("1600", "sticky"),
            ("0700", "lets the owner execute"),
            ("0200", "does not let the owner read"),
            ("0000", "does not let the owner read"),
            ("0040", "does not let the owner read"),
            (400, "400 is not octal 0400 but a decimal number, octal 0620"),
            (600, "decimal number, octal 1130"),
            (0, "decimal"),
            (0o644, "decimal"),
            (True, "'True' is not an octal number"),
            (None, "is not an octal number"),
            ("256", "every user of the host"),
            ("384", "'384' is not an octal number"),
            ("u=r", "'u=r' is not an octal number"),
            ("preserve", "not an octal number"),
            ("", "not an octal number"),
            ("0", "not an octal number"),
        ],
    )
    def test_everything_else_is_refused(self, value: object, said: str) -> None:
        with pytest.raises(SecretFileError, match=said) as caught:
            parse_mode(value)
        assert "mode: '0400'" in str(caught.value)


@pytest.mark.parametrize("number", [1, 5, 13, 27, 28, 30, 36, 116, 122])
def test_whatever_the_system_says_reaches_the_reader(path: str, number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_args: object, **_options: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(secret_file.os, "fsync", fail)
    with pytest.raises(SecretFileError) as caught:
        create(path, b"secret", ME, MINE, 0o400)
    assert str(caught.value).startswith(f"Cannot write {path}: {os.strerror(number)}")
    assert names_in(path) == []


class TestManyAtOnce:
    @staticmethod
    def files(folder: pathlib.Path, number: int) -> list[NewFile]:
        return [
            NewFile(f"{folder}/token{each:03}", f"secret {each}".encode(), ME, MINE, 0o400) for each in range(number)
        ]

    @pytest.mark.parametrize("number", [0, 1, 2, 250])
    def test_each_is_there_when_it_is_named(self, tmp_path, number):
        files = self.files(tmp_path, number)
        named = []
        for file in replace_all(files):
            assert pathlib.Path(file.path).read_bytes() == file.data
            assert mode_of(file.path) == 0o400
            named.append(file)
        assert named == files
        assert sorted(os.listdir(tmp_path)) == [os.path.basename(file.path) for file in files]

    def test_what_is_there_is_replaced(self, tmp_path):
        files = self.files(tmp_path, 3)
        pathlib.Path(files[1].path).write_text("old", encoding="utf-8")
        assert list(replace_all(files)) == files
        assert pathlib.Path(files[1].path).read_bytes() == b"secret 1"

    def test_one_that_cannot_be_written_is_named_and_no_temporary_file_is_left(self, tmp_path):
        files = self.files(tmp_path, 250)
        os.mkdir(files[220].path)
        named = []
        with pytest.raises(SecretFileError, match="is a directory") as caught:
            for file in replace_all(files):
                named.append(file)
        assert caught.value.path == files[220].path
        assert named == files[:200]
        assert sorted(os.listdir(tmp_path)) == [os.path.basename(file.path) for file in [*files[:200], files[220]]]

    def test_a_disk_that_fails_when_it_is_flushed_leaves_the_old_files(self, tmp_path, monkeypatch):
        files = self.files(tmp_path, 3)
        pathlib.Path(files[0].path).write_text("old", encoding="utf-8")

        def full(_fd):
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(secret_file.os, "fsync", full)
        with pytest.raises(SecretFileError, match="No space left") as caught:
            list(replace_all(files))
        assert caught.value.path == files[0].path
        assert {name: (tmp_path / name).read_text() for name in os.listdir(tmp_path)} == {"token000": "old"}

    def test_it_does_without_syncfs(self, tmp_path, monkeypatch):
        monkeypatch.setattr(atomic, "_syncfs", lambda: None)
        files = self.files(tmp_path, 3)
        assert list(replace_all(files)) == files
