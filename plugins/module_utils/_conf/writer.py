# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Replaces changed configuration files, all of them or none. Private to this collection.

A file keeps its owner, mode and extended attributes (SELinux, ACLs). A complete temporary file in the same folder is
renamed over the old one, so daemons and commands read the old or the new file. A symbolic link stays, and is followed
if root or the owner of the file made it in a safe folder: sites share slurm.conf that way.
"""

from __future__ import annotations

import os
import re
import stat
import time
from contextlib import ExitStack, contextmanager, suppress
from typing import Iterable, Iterator, Mapping, NamedTuple

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.atomic import AtomicFile, remove_stale
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.backup import STAMP, backup_names
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.folder import is_replaceable, write_acl
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.run_lock import locked
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.secret_file import check_path, set_attributes

_LINKS = 40  # the limit of Linux
_BACKUP = re.compile(STAMP + "~")


class ConfFileError(Exception):
    """A file cannot be replaced; str() says which, why, and what to do."""


class Change(NamedTuple):
    """The change of one file."""

    path: str
    """The path in the configuration, maybe with symbolic links."""
    real: str
    old: bytes
    new: bytes
    uid: int
    gid: int
    old_mode: int
    mode: int


def plan(old: Mapping[str, bytes], new: Mapping[str, bytes], top: str, private: bool) -> list[Change]:
    """The necessary changes of these files, in the given order.

    With private (slurmdbd.conf), the mode becomes 0600, which Slurm needs. The top file keeps 0640, which 25.11 and
    later accept. An included file changes only if it has the same owner as the top file, who can then still read it.
    """
    owner = os.stat(top).st_uid
    changes: dict[str, Change] = {}
    path_of: dict[str, str] = {}
    for path, data in old.items():
        info = os.stat(path)
        if not stat.S_ISREG(info.st_mode):
            continue  # an Include of a folder or of /dev/null: it is empty
        mode = new_mode = stat.S_IMODE(info.st_mode)
        if private and info.st_uid == owner and (mode != 0o640 if path == top else True):
            new_mode = 0o600
        real = os.path.realpath(path)
        after = new.get(path, data)
        if real in path_of and changes[real].new != after:
            raise ConfFileError(
                f"{path} and {path_of[real]} are the same file, so a change to one would change the other."
                " Include it under one name only; nothing was changed."
            )
        path_of[real] = path
        changes[real] = Change(path, real, data, after, info.st_uid, info.st_gid, mode, new_mode)
    return [change for change in changes.values() if change.new != change.old or change.mode != change.old_mode]


def examine(changes: list[Change]) -> None:
    """Refuse early what put() would refuse."""
    for change in changes:
        check_path(resolved(change.path), secret=False)


@contextmanager
def exclusive(path: str) -> Iterator[None]:
    """Lock out other runs on this host while this file is read, changed and written.

    put() detects a change by a run on another host that shares the file.
    """
    with locked(resolved(path)):
        yield


def resolved(path: str) -> str:
    """Follow symbolic links to the file. Refuses a link that others could have changed."""
    for _link in range(_LINKS):
        try:
            entry = os.lstat(path)
        except OSError as exc:
            raise ConfFileError(f"{path} cannot be reached: {exc.strerror}.") from exc
        if not stat.S_ISLNK(entry.st_mode):
            return path
        _refuse_planted(path, entry)
        path = os.path.join(os.path.dirname(path), os.readlink(path))
    raise ConfFileError(f"{path} has more than {_LINKS} symbolic links in a row.")


def _refuse_planted(path: str, entry: os.stat_result) -> None:
    """Refuse a link that others could have made. The owner of the file may make one, as they own the content."""
    folder = os.path.dirname(path)
    info = os.stat(folder)
    if is_replaceable(info, entry, write_acl(folder, info), os.stat(path).st_uid):
        raise ConfFileError(
            f"{path} is a symbolic link in {folder}, where users other than root can write (owner {info.st_uid}, mode"
            f" {stat.S_IMODE(info.st_mode):04o}): they decide which file would be changed. Name the file it leads to,"
            " or remove their permission. Nothing was changed."
        )


def put(changes: list[Change], backup: bool) -> dict[str, str]:
    """Write all changes; returns the backups, by real path. If one file cannot be replaced, the others are restored."""
    writes = [change for change in changes if change.new != change.old]
    backups: dict[str, str] = {}
    done: list[Change] = []
    try:
        with ExitStack() as stack:
            files = [(change, stack.enter_context(_like_original(change, change.new))) for change in writes]
            for change in writes if backup else ():
                backups[change.real] = _back_up(change)
            for change, file in files:
                _refuse_changed(change)
                file.rename()
                done.append(change)
        for change in changes:
            if change not in writes:
                set_attributes(resolved(change.path), change.uid, change.gid, change.mode, ours=False)
    except BaseException:
        for change in done:
            with _like_original(change._replace(mode=change.old_mode), change.old) as file:
                file.rename()
        for path in backups.values():
            with suppress(OSError):
                os.unlink(path)
        raise
    return backups


def _refuse_changed(change: Change) -> None:
    with open(change.real, "rb") as file:
        if file.read() != change.old:
            raise ConfFileError(
                f"{change.path} was changed by another process in the meantime. Nothing was written; run again."
            )


def _back_up(change: Change) -> str:
    """Copy the old file with its owner and attributes, but with the mode of the new file."""
    for name in backup_names(change.real, "~", time.time()):
        with _like_original(change, change.old, name) as file:
            if file.link():
                return name
    raise ConfFileError(f"{change.real} has a hundred backups of this second. Nothing was changed; run again.")


def needless_backups(paths: Iterable[str]) -> list[str]:
    """The backups of each file that is the same as its first backup again."""
    needless = []
    for path in paths:
        real = resolved(path)
        copies = backups_of(real)
        if copies and _content(copies[0]) is not None and _content(copies[0]) == _content(real):
            needless += copies
    return needless


def backups_of(real: str) -> list[str]:
    """The backups of a file that this collection made, oldest first."""
    folder, name = os.path.split(real)
    names = [each for each in os.listdir(folder) if each.startswith(name)]
    backups = [each for each in names if _BACKUP.fullmatch(each[len(name) :])]
    # A second backup in the same second has a number after its time, and sorts after the first without the ~.
    return [os.path.join(folder, each) for each in sorted(backups, key=lambda each: each.rstrip("~"))]


def _content(path: str) -> bytes | None:
    """The content of a regular file, else None."""
    try:
        with open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as file:
            return file.read() if stat.S_ISREG(os.fstat(file.fileno()).st_mode) else None
    except OSError:
        return None


@contextmanager
def _like_original(change: Change, data: bytes, path: str = "") -> Iterator[AtomicFile]:
    """A temporary file with the owner, mode and extended attributes of the file that it replaces."""
    target = resolved(change.path)
    remove_stale(target)
    # The site chose the folder, so it may be shared even if not everyone may read the file.
    with AtomicFile(path or target, data, change.uid, change.gid, change.mode, secret=False) as file:
        _copy_attributes(change, file.fd)
        yield file


def _copy_attributes(change: Change, fd: int) -> None:
    if not hasattr(os, "listxattr"):
        return
    for name in _attributes(change.real):
        if name == "system.posix_acl_access" and change.mode != change.old_mode:
            continue  # it would restore the old permissions
        with suppress(OSError):  # not every file system keeps every attribute
            os.setxattr(fd, name, os.getxattr(change.real, name))


def _attributes(path: str) -> list[str]:
    try:
        return os.listxattr(path)
    except OSError:
        return []
