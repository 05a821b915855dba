# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Opens the folder of a secret file, and refuses one that others can tamper with. Private to this collection.

A folder is opened step by step without following links. The file is then opened relative to that descriptor, so nobody
can replace a folder by a link between the check and the write. A symbolic link is followed only if no unprivileged user
could have made it.
"""

from __future__ import annotations

import errno
import os
import stat
from contextlib import contextmanager
from typing import Iterator

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.acl import (
    NO_ACL,
    WRITE,
    Acl,
    mode_text,
    read_acl,
    writers,
)

_LINKS = 40  # the limit of Linux

_SEARCH = os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC | getattr(os, "O_PATH", os.O_RDONLY)
_LIST = os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_RDONLY

_REMEDIES = {
    errno.ENOSPC: "The file system is full (see df -h and df -i); make room and run again.",
    errno.EDQUOT: "The quota of this user is used up; make room and run again.",
    errno.EFBIG: "The largest file size allowed to this process is too small.",
    errno.EROFS: "The file system is mounted read-only.",
    errno.EACCES: "Run as root (become: true); on an NFS export with root_squash, as the owner (become_user).",
    errno.EPERM: "Run as root (become: true); on an NFS export with root_squash, as the owner (become_user)."
    " If it is root already, check for an immutable flag with lsattr.",
    errno.ENAMETOOLONG: "The name is too long for a temporary name beside it; choose a shorter one.",
}

_KINDS = (
    (stat.S_ISLNK, "a symbolic link"),
    (stat.S_ISDIR, "a directory"),
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISBLK, "a block device"),
    (stat.S_ISCHR, "a character device"),
)


class SecretFileError(Exception):
    """Something is wrong with a file or its folder; str() says what, where and what to do."""

    path: str | None = None
    """The file that could not be read or written."""


class SecretFileMissing(SecretFileError, FileNotFoundError):
    """The file does not exist."""


class FolderMissing(SecretFileMissing):
    """The folder does not exist either."""


@contextmanager
def folder_of(path: str, secret: bool = True) -> Iterator[tuple[int, str]]:
    """A descriptor of the folder of PATH, and the file's name in it; see open_folder()."""
    fd = open_folder(path, secret)
    try:
        yield fd, os.path.basename(path)
    finally:
        os.close(fd)


def open_folder(path: str, secret: bool = True) -> int:
    """A descriptor of the folder of PATH, which no other user can have redirected.

    For a SECRET, only owner and root may be able to replace folders on the path. Without SECRET, a group may be able to
    write to them: this is for files that everybody may read, and for removing files.
    """
    if not os.path.isabs(path) or os.path.basename(path) in ("", ".", ".."):
        raise SecretFileError(f"'{path}' is not the absolute path of a file; give the full path from / on.")
    todo = _steps(os.path.dirname(path))
    links = 0
    with explained("reach", path):
        fd = os.open("/", _SEARCH)
        try:
            while todo:
                step = todo.pop()
                target = _link_target(fd, step, path, secret)
                if target is None:
                    fd = exchange(fd, os.open(step, _SEARCH, dir_fd=fd))
                    continue
                links += 1
                if links > _LINKS:
                    raise SecretFileError(f"{path} leads through more than {_LINKS} symbolic links.")
                if target.startswith("/"):
                    fd = exchange(fd, os.open("/", _SEARCH))
                todo.extend(_steps(target))
            _refuse_shared(fd, path, secret)
            return exchange(fd, _listable(fd))
        except BaseException:
            os.close(fd)
            raise


def _steps(folder: str) -> list[str]:
    return [step for step in reversed(folder.split("/")) if step not in ("", ".")]


def exchange(old: int, new: int) -> int:
    """Close the old descriptor and return the new one."""
    os.close(old)
    return new


def _listable(fd: int) -> int:
    """The same folder, opened for listing and flushing; a copy of the descriptor if that is not permitted."""
    try:
        return os.open(".", _LIST, dir_fd=fd)
    except PermissionError:
        return os.dup(fd)


def _link_target(folder: int, step: str, path: str, secret: bool) -> str | None:
    """The target of a symbolic link on the path; None for a directory. Refuses a link that cannot be trusted."""
    holder = _refuse_shared(folder, path, secret)
    try:
        entry = os.stat(step, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        raise FolderMissing(
            f"The folder {os.path.dirname(path)} does not exist ('{step}' is missing);"
            " create it first, with its owner."
        ) from None
    if stat.S_ISDIR(entry.st_mode):
        return None
    if not stat.S_ISLNK(entry.st_mode):
        raise SecretFileError(f"'{step}' in {path} is {kind(entry.st_mode)}, not a folder; correct the path.")
    if is_replaceable(holder, entry, write_acl(folder, holder)):
        raise SecretFileError(
            f"'{step}' in {path} is a symbolic link in a folder where an unprivileged user can write, so that user"
            " decides where the file is written. Name the folder that the link leads to, or put a folder in its place."
        )
    return os.readlink(step, dir_fd=folder)


def is_replaceable(folder: os.stat_result, entry: os.stat_result, acl: Acl, *owners: int) -> bool:
    """Whether anybody but root, this process's user and OWNERS can replace an entry of the folder.

    ACL belongs to the folder.
    """
    trusted = {0, os.geteuid(), *owners}
    if folder.st_uid not in trusted:
        return True
    return is_shared(folder, acl) and not (folder.st_mode & stat.S_ISVTX and entry.st_uid in trusted)


def is_shared(info: os.stat_result, acl: Acl) -> bool:
    """Whether anybody but root and the owner may write to a file or folder."""
    if info.st_mode & 0o002:
        return True
    in_list = any(grant.permissions & WRITE and grant.number for grant in acl.grants)
    return in_list or bool(acl.group_permissions(info.st_mode) & WRITE and info.st_gid)


def write_acl(target: int | str, info: os.stat_result) -> Acl:
    """The list, if it can let anybody write: the group bits of the mode limit what it grants."""
    return read_acl(target) if info.st_mode & 0o020 else NO_ACL


def _refuse_shared(folder: int, path: str, secret: bool) -> os.stat_result:
    info = os.fstat(folder)
    # With the sticky bit nobody else can replace existing files.
    if not info.st_mode & 0o022 or info.st_mode & stat.S_ISVTX or not (secret or info.st_mode & 0o002):
        return info
    acl = write_acl(folder, info)
    who = writers(info, acl)
    if who:
        remedy = "chmod o-w" if info.st_mode & 0o002 else "chmod g-w"
        raise SecretFileError(
            f"{_where(folder)}, on the way to {path}, is writable by {' and by '.join(who)} (mode"
            f" {mode_text(info.st_mode, acl)}), who could replace files and folders in it. Remove that permission first"
            f" ({'setfacl -b, ' if acl.grants else ''}{remedy}), or choose another folder."
        )
    return info


def _where(folder: int) -> str:
    try:
        return os.readlink(f"/proc/self/fd/{folder}")
    except OSError:
        return "A folder"


def kind(mode: int) -> str:
    """The file type of a mode, in words."""
    return next((name for test, name in _KINDS if test(mode)), "a plain file")


@contextmanager
def explained(doing: str, path: str) -> Iterator[None]:
    """Turn an OSError into a SecretFileError that says what to do."""
    try:
        yield
    except SecretFileError as exc:
        exc.path = exc.path or path
        raise
    except OSError as exc:
        remedy = _REMEDIES.get(exc.errno or 0, "")
        failure = SecretFileError(f"Cannot {doing} {path}: {exc.strerror}. {remedy}".rstrip())
        failure.path = path
        raise failure from exc
