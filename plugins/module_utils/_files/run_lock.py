# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The file lock for files that every user can read. Private to this collection.

Any user who can read a file can lock it forever, and so keep root from changing slurm.conf. So the lock is on a
separate file, in a folder that only root can enter.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import stat
import time
from contextlib import contextmanager, suppress
from typing import Iterator

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.folder import SecretFileError
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.lock import file_lock

FOLDER = "/run/slurm_jwt"
PATIENCE = 45.0
"""Seconds to wait for another run. It is less than the minute after which the host counts as not answering."""


@contextmanager
def locked(path: str) -> Iterator[None]:
    """Lock PATH, which must exist and must not contain symbolic links."""
    if os.geteuid() != 0:
        # On an export with root_squash this runs as the file's owner, who cannot use that folder.
        with file_lock(path, PATIENCE):
            yield
        return
    name = hashlib.sha256(path.encode("utf-8", "surrogateescape")).hexdigest()
    fd = _acquire(path, name, time.monotonic() + PATIENCE)
    try:
        yield
    finally:
        # Remove the file before unlocking it: no other run can have locked it yet.
        with suppress(OSError):
            os.unlink(os.path.join(FOLDER, name))
            os.rmdir(FOLDER)
        os.close(fd)


def _acquire(path: str, name: str, deadline: float) -> int:
    while True:
        fd = _open(name)
        if fd is not None:
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if _same(fd, name):
                    return fd
            except BlockingIOError:
                pass
            os.close(fd)
        if time.monotonic() > deadline:
            raise SecretFileError(
                f"Another run has been changing {path} for more than {PATIENCE:.0f} s (see fuser -v {FOLDER}/*)."
                " Nothing was changed. Run again when it has finished."
            )
        time.sleep(0.05)


def _open(name: str) -> int | None:
    """Open the file to lock; None if another run is removing it or its folder."""
    with suppress(FileExistsError):
        os.mkdir(FOLDER, 0o700)
    try:
        folder = os.open(FOLDER, os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except OSError as exc:
        raise SecretFileError(f"{FOLDER} is no folder ({exc.strerror}), and locks belong there. Remove it.") from exc
    try:
        info = os.fstat(folder)
        if info.st_uid != 0 or info.st_mode & 0o077:
            raise SecretFileError(
                f"{FOLDER} belongs to uid {info.st_uid} and has the mode {stat.S_IMODE(info.st_mode):04o}. Locks belong"
                " there, and only root may enter it. Remove it, and find out who can write to /run."
            )
        return os.open(name, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600, dir_fd=folder)
    except FileNotFoundError:
        return None
    finally:
        os.close(folder)


def _same(fd: int, name: str) -> bool:
    """Whether other runs still lock this same file."""
    try:
        return os.path.samestat(os.fstat(fd), os.lstat(os.path.join(FOLDER, name)))
    except FileNotFoundError:
        return False
