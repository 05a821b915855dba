# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes, replaces, renames and removes files that hold secrets. Private to this collection.

A file written here is always complete, either the old one or the new one. Only users who can read it with its final
owner and mode can ever read it. The rules:

* folder.py opens the folder.
* A new file starts as a temporary file in the same folder, with a random name, O_EXCL and mode 0600. It loses any
  access control list inherited from the folder. It gets its owner and mode while it is empty, then its content, and is
  flushed to disk. Only then it gets its name: link() fails if the name exists, rename() replaces the old file. Both are
  atomic on NFS too.
* No file is ever truncated. slurmctld and slurmdbd map their key, and would crash. The mapping is also why overwrite()
  works: one write of the same length changes the bytes in every process that has mapped the file.
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
import stat
import time
from contextlib import ExitStack
from typing import Callable, Iterator, NamedTuple, Sequence

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.acl import drop_acl
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.folder import (
    SecretFileError,
    SecretFileMissing,
    explained,
    folder_of,
    open_folder,
)
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.lock import TAKEN, names_it, same_file, try_lock
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.secret_file import (
    LIMIT,
    give_ownership,
    is_secret,
    names_in,
    open_file,
    plain,
    refuse_other_names,
    sync_folder,
    unlink_quietly,
)

_STALE = 600  # seconds; an older temporary file must be from a killed run
_BATCH = 100  # files flushed together; each needs two of the usual 1024 descriptors of a process
_LINKINGS = 10  # attempts, as other runs may remove stale files at the same time
_TEMPORARY = re.compile(r"^\.slurm_jwt\..+\.[0-9a-f]{16}\.tmp$")
_REWRITE = os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK)


def create(path: str, data: bytes, uid: int, gid: int, mode: int) -> bool:
    """Create PATH with this content; False if it exists already."""
    with AtomicFile(path, data, uid, gid, mode) as temporary:
        return temporary.link()


def replace(path: str, data: bytes, uid: int, gid: int, mode: int) -> None:
    """Replace PATH, or create it, with this content."""
    with AtomicFile(path, data, uid, gid, mode) as temporary:
        temporary.rename()


class NewFile(NamedTuple):
    """A file to write."""

    path: str
    data: bytes
    uid: int
    gid: int
    mode: int


def replace_all(files: Sequence[NewFile]) -> Iterator[NewFile]:
    """Replace many files, and yield each once it is on disk.

    The same as replace() for each file, but many times faster: a hundred files are flushed together. If one fails, most
    files that were not yielded yet are unchanged, and none is half written.
    """
    for first in range(0, len(files), _BATCH):
        batch = files[first : first + _BATCH]
        with ExitStack() as stack:
            opened = [stack.enter_context(AtomicFile(*file, in_batch=True)) for file in batch]
            _flush(opened)
            for temporary in opened:
                temporary.rename()
            _flush_folders(opened)
        yield from batch


def _flush(files: Sequence[AtomicFile]) -> None:
    # syncfs() needs one journal entry for all files. On older kernels it does not report failures. fsync() does, and
    # has little left to write.
    syncfs = _syncfs() if len(files) > 1 else None
    if syncfs is not None:
        for fd in {os.fstat(temporary.fd).st_dev: temporary.fd for temporary in files}.values():
            syncfs(fd)
    for temporary in files:
        with explained("write", temporary.path):
            os.fsync(temporary.fd)


def _flush_folders(files: Sequence[AtomicFile]) -> None:
    for temporary in {os.fstat(temporary.folder)[1:3]: temporary for temporary in files}.values():
        with explained("write", temporary.path):
            sync_folder(temporary.folder)


def _syncfs() -> Callable[[int], int] | None:
    """syncfs(2) from the C library, as Python does not offer it; None if the library does not have it."""
    import ctypes

    return getattr(ctypes.CDLL(None), "syncfs", None)


def remove(path: str) -> bool:
    """Remove PATH; False if it did not exist."""
    with folder_of(path, secret=False) as (folder, name), explained("remove", path):
        if plain(folder, name, path) is None:
            return False
        os.unlink(name, dir_fd=folder)
        sync_folder(folder)
    return True


def move(path: str, target: str) -> None:
    """Rename PATH within its folder. Refuses a name that exists."""
    with folder_of(path) as (folder, name), explained("rename", path):
        new = os.path.basename(target)
        if plain(folder, new, target) is not None:
            raise SecretFileError(f"{target} exists already; move it away and run again.")
        os.rename(name, new, src_dir_fd=folder, dst_dir_fd=folder)
        sync_folder(folder)


def overwrite(path: str, data: bytes) -> None:
    """Overwrite the bytes of PATH, for every process that has mapped it. The length must be the same.

    This is one write to allocated blocks: a full disk cannot stop it half-way, and a kill takes effect before or after
    it. If it still fails, the old bytes are written back.
    """
    with folder_of(path) as (folder, name), explained("overwrite", path):
        fd = open_file(folder, name, path, _REWRITE)
        try:
            old = os.pread(fd, LIMIT, 0)
            if len(old) != len(data):
                raise SecretFileError(
                    f"{path} has {len(old)} bytes and would get {len(data)}. Processes that have mapped it would"
                    " die of that, so it was left as it is."
                )
            if os.fstat(fd).st_nlink > 1:
                refuse_other_names(fd, path, "its content is")
            try:
                if os.pwrite(fd, data, 0) != len(data):
                    raise OSError(errno.EIO, "only a part of it was written")
            except OSError:
                os.pwrite(fd, old, 0)
                raise
            os.fsync(fd)
        finally:
            os.close(fd)


def link_as(path: str, target: str) -> bool:
    """Give PATH a second name in its folder, and replace a file of that name. False without hard links."""
    with folder_of(path) as (folder, name), explained("link", path):
        new = os.path.basename(target)
        plain(folder, new, target)
        for attempts_left in reversed(range(_LINKINGS)):
            temporary = _temporary_name(name)
            try:
                os.link(name, temporary, src_dir_fd=folder, dst_dir_fd=folder, follow_symlinks=False)
            except OSError as exc:
                if exc.errno in _NO_LINKS:
                    return False
                raise
            try:
                os.replace(temporary, new, src_dir_fd=folder, dst_dir_fd=folder)
                break
            except FileNotFoundError:
                # Another run just removed stale files. A second name of PATH looks like one.
                if not attempts_left:
                    raise
            finally:
                # rename() does nothing if both names belong to the same file.
                unlink_quietly(folder, temporary)
        sync_folder(folder)
    return True


def rename_over(path: str, target: str) -> None:
    """Rename PATH within its folder, and replace a file of that name."""
    with folder_of(path) as (folder, name), explained("rename", path):
        new = os.path.basename(target)
        plain(folder, new, target)
        os.replace(name, new, src_dir_fd=folder, dst_dir_fd=folder)
        sync_folder(folder)


def remove_stale(path: str) -> list[str]:
    """Remove the temporary files that killed runs left in the folder of PATH; returns their names."""
    removed = []
    with folder_of(path, secret=False) as (folder, name):
        for temporary in filter(_TEMPORARY.match, names_in(folder)):
            if _is_stale(folder, temporary, name):
                unlink_quietly(folder, temporary)
                removed.append(temporary)
    return removed


class Renames:
    """Several renames, each within its folder, at nearly the same instant.

    __enter__() does the slow part and most that can fail: it opens the folders and checks the files. go() only renames.
    """

    def __init__(self, pairs: Sequence[tuple[str, str]]) -> None:
        self._pairs = pairs
        self._folders: dict[str, int] = {}

    def __enter__(self) -> Renames:
        try:
            for path, target in self._pairs:
                with explained("rename", path):
                    folder = self._reach(path)
                    if plain(folder, os.path.basename(path), path) is None:
                        raise SecretFileMissing(f"{path} does not exist.")
                    plain(folder, os.path.basename(target), target)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_exc: object) -> None:
        for fd in self._folders.values():
            os.close(fd)
        self._folders = {}

    def go(self) -> list[float | SecretFileError]:
        """Return the time of each rename, or its error. A failure does not stop the others."""
        steps = [
            (self._folders[os.path.dirname(path)], os.path.basename(path), os.path.basename(target), path)
            for path, target in self._pairs
        ]
        done: list[float | SecretFileError] = []
        for folder, old, new, path in steps:
            try:
                with explained("rename", path):
                    os.replace(old, new, src_dir_fd=folder, dst_dir_fd=folder)
                done.append(time.time())
            except SecretFileError as exc:
                done.append(exc)
        for folder in self._folders.values():
            sync_folder(folder)
        return done

    def _reach(self, path: str) -> int:
        name = os.path.dirname(path)
        if name not in self._folders:
            self._folders[name] = open_folder(path)
        return self._folders[name]


class AtomicFile:
    """A complete temporary file. link() or rename() gives it its final name.

    It has the file lock until the end of the with block: another run that wants to change the new file waits. At the
    end the temporary file is removed if it got no name.

    With in_batch, the file does not flush itself or its folder: replace_all() flushes all files together. Only owner
    and root may write to the folders of a secret file. By default a file is secret if others cannot read it.
    """

    def __init__(
        self, path: str, data: bytes, uid: int, gid: int, mode: int, in_batch: bool = False, secret: bool | None = None
    ) -> None:
        self.path = path
        self._in_batch = in_batch
        self._secret = is_secret(mode) if secret is None else secret
        self._data = data
        self._ownership = (uid, gid, mode)
        self._fd = self._folder = -1
        self._name = os.path.basename(path)
        self._temporary = _temporary_name(self._name)
        self._left = False

    def __enter__(self) -> AtomicFile:
        try:
            with explained("write", self.path):
                self._folder = open_folder(self.path, self._secret)
                plain(self._folder, self._name, self.path)
                self._write()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_exc: object) -> None:
        if self._left:
            unlink_quietly(self._folder, self._temporary)
        for fd in (self._fd, self._folder):
            if fd >= 0:
                os.close(fd)
        self._fd = self._folder = -1
        self._left = False

    @property
    def fd(self) -> int:
        return self._fd

    @property
    def folder(self) -> int:
        return self._folder

    def link(self) -> bool:
        """Give the file its name; False if the name exists."""
        with explained("write", self.path):
            try:
                here = self._folder
                os.link(self._temporary, self._name, src_dir_fd=here, dst_dir_fd=here, follow_symlinks=False)
            except FileExistsError:
                # An NFS server also reports this if it made the link but its first answer was lost.
                if not same_file(self._fd, self._folder, self._name):
                    return False
            except OSError as exc:
                if exc.errno not in _NO_LINKS:
                    raise
                return self._rename_if_free()
            unlink_quietly(self._folder, self._temporary)
            self._left = False
            sync_folder(self._folder)
        return True

    def rename(self) -> None:
        """Give the file its name, and replace the old file."""
        with explained("write", self.path):
            os.replace(self._temporary, self._name, src_dir_fd=self._folder, dst_dir_fd=self._folder)
            self._left = False
            if not self._in_batch:
                sync_folder(self._folder)

    def _write(self) -> None:
        self._fd = os.open(self._temporary, _CREATE, 0o600, dir_fd=self._folder)
        self._left = True
        drop_acl(self._fd)
        give_ownership(self._fd, *self._ownership, path=self.path)
        try_lock(self._fd)
        rest = memoryview(self._data)
        while rest:
            rest = rest[os.write(self._fd, rest) :]
        if not self._in_batch:
            os.fsync(self._fd)

    def _rename_if_free(self) -> bool:
        """link() for a file system without hard links: lock out other runs, then rename.

        The lock is on the folder, as there is no file yet. Without links and locks two runs could each make a key, so
        none is made.
        """
        try:
            fcntl.flock(self._folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as exc:
            cause = "another process holds" if exc.errno in TAKEN else "it cannot lock"
            raise SecretFileError(
                f"The file system of {self.path} has no hard links, and {cause} the folder, so two runs at once"
                " could both write it. Nothing was written. Run again, or choose a folder on another file system."
            ) from exc
        try:
            if plain(self._folder, self._name, self.path) is not None:
                return False
            self.rename()
            return True
        finally:
            fcntl.flock(self._folder, fcntl.LOCK_UN)


def _temporary_name(name: str) -> str:
    return f".slurm_jwt.{name}.{os.urandom(8).hex()}.tmp"


def _is_stale(folder: int, temporary: str, name: str) -> bool:
    """Whether a temporary file is old, or only a second name of the final file."""
    try:
        info = os.stat(temporary, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return False
    if not stat.S_ISREG(info.st_mode):
        return False
    return info.st_mtime < time.time() - _STALE or (info.st_nlink > 1 and names_it(folder, name, info))
