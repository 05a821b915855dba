# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The file lock: runs change a file one after the other. Private to this collection."""

from __future__ import annotations

import errno
import fcntl
import os
import time
from contextlib import contextmanager, suppress
from typing import Callable, Iterator, TypeVar

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.folder import (
    FolderMissing,
    SecretFileError,
    SecretFileMissing,
    exchange,
    explained,
    folder_of,
)
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.secret_file import READ, open_file

_PATIENCE = 60.0  # seconds to wait for another run that holds the lock
Outcome = TypeVar("Outcome")

TAKEN = (errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES)


@contextmanager
def file_lock(path: str, patience: float = _PATIENCE) -> Iterator[None]:
    """Lock PATH, which must exist, against other runs.

    The lock is on the file itself. Only users who can read the file can lock it, so no unprivileged user can keep it
    locked. On a file system without locks nothing is locked; link() and rename() still keep every file complete.
    """
    deadline = time.monotonic() + patience
    while True:
        with folder_of(path, secret=False) as (folder, name), explained("lock", path):
            fd = _open_locked(folder, name, path, deadline)
            if same_file(fd, folder, name):
                break
            os.close(fd)  # another run replaced it: lock the new one
    try:
        yield
    finally:
        os.close(fd)


def uncontested(path: str, attempt: Callable[[], Outcome | None], patience: float = _PATIENCE) -> Outcome:
    """Repeat attempt() until no other run creates or removes PATH during it, and return its result.

    If another run does, attempt() returns None, or raises SecretFileMissing because the file to lock is gone.
    """
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        try:
            outcome = attempt()
        except FolderMissing:
            raise
        except SecretFileMissing:
            continue
        if outcome is not None:
            return outcome
    raise SecretFileError(
        f"{path} has been created and removed by other processes for {patience:.0f} s. Find out which, for"
        " example with auditctl -w, and run again."
    )


def same_file(fd: int, folder: int, name: str) -> bool:
    """Whether the name belongs to the open file."""
    return names_it(folder, name, os.fstat(fd))


def names_it(folder: int, name: str, info: os.stat_result) -> bool:
    try:
        return os.path.samestat(info, os.stat(name, dir_fd=folder, follow_symlinks=False))
    except FileNotFoundError:
        return False


def _open_locked(folder: int, name: str, path: str, deadline: float) -> int:
    fd = open_file(folder, name, path)
    try:
        if not _lock(fd, path, deadline):
            # NFS locks only files that are open for writing. If this is not permitted either, go on without a lock.
            with suppress(OSError):
                fd = exchange(fd, os.open(name, READ | os.O_RDWR, dir_fd=folder))
                _lock(fd, path, deadline)
    except BaseException:
        os.close(fd)
        raise
    return fd


def _lock(fd: int, path: str, deadline: float) -> bool:
    """Wait for the lock; False if this descriptor cannot be locked."""
    while True:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except OSError as exc:
            if exc.errno not in TAKEN:
                return False
        if time.monotonic() > deadline:
            raise SecretFileError(
                f"Another process has locked {path} for too long (see fuser -v {path}). Nothing was changed. Run again"
                " when it has finished."
            )
        time.sleep(0.05)


def try_lock(fd: int) -> None:
    with suppress(OSError):  # the file system has no locks
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
