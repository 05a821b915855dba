# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads secret files (keys, their records, tokens) and sets their ownership. Private to this collection.

Each folder of a path is opened by descriptor, so nobody can redirect the path.
"""

from __future__ import annotations

import errno
import os
import re
import stat
import time
from contextlib import suppress
from typing import NamedTuple

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.acl import (
    NO_ACL,
    Acl,
    drop_acl,
    mode_text,
    read_acl,
    writers,
)
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.folder import (
    FolderMissing,
    SecretFileError,
    SecretFileMissing,
    explained,
    folder_of,
    kind,
)

MODES = ("0400", "0440", "0600", "0640")
LIMIT = 1024 * 1024  # no secret of this collection is larger
READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_NO_SYNC = (errno.EBADF, errno.EINVAL, errno.EACCES, errno.EPERM, errno.ENOTSUP)


class SecretFile(NamedTuple):
    """A file's content, and its attributes from the same open file."""

    data: bytes
    uid: int
    gid: int
    mode: int
    mtime: float
    inode: int
    acl: Acl = NO_ACL
    """What an access control list grants beyond owner, group and mode."""

    def has_ownership(self, uid: int, gid: int, mode: int) -> bool:
        """Whether it has this ownership, and no access control list that grants more."""
        return (self.uid, self.gid, self.mode) == (uid, gid, mode) and not self.acl.grants

    def __repr__(self) -> str:
        # A traceback must not print the secret.
        return f"SecretFile({len(self.data)} bytes, uid={self.uid}, gid={self.gid}, mode={self.mode:04o})"


def parse_mode(value: object) -> int:
    """The mode of a secret file from a playbook; SecretFileError for anything looser."""
    allowed = {int(text, 8): text for text in MODES}
    advice = f"Allowed are {', '.join(MODES)}; write it as a quoted octal number, for example mode: '0400'."
    if isinstance(value, int) and not isinstance(value, bool):
        # YAML reads an unquoted 0400 as octal, which is right, and an unquoted 400 as decimal, which is wrong.
        if value in allowed:
            return value
        raise SecretFileError(f"mode: {value} is not octal 0{value} but a decimal number, octal {value:04o}. {advice}")
    text = str(value).strip()
    digits = text[2:] if text.lower().startswith("0o") else text
    if not re.match(r"^[0-7]{3,5}$", digits):
        raise SecretFileError(f"mode: '{text}' is not an octal number. {advice}")
    mode = int(digits, 8)
    if mode in allowed:
        return mode
    raise SecretFileError(f"mode: '{text}' {_objection(mode)}. {advice}")


def _objection(mode: int) -> str:
    if mode & 0o7:
        return "gives permissions to every user of the host"
    if mode & 0o7000:
        return "sets a set-user-ID, set-group-ID or sticky bit"
    if mode & 0o30:
        return "lets the group write or execute the file"
    return "does not let the owner read it, or lets the owner execute it"


def check_path(path: str, secret: bool = True) -> None:
    """Raise SecretFileError unless PATH is missing or a plain file, in a folder that other users cannot change."""
    with folder_of(path, secret) as (folder, name):
        plain(folder, name, path)


def read_secret(path: str, secret: bool = True, limit: int = LIMIT) -> SecretFile:
    """The content of a plain file and its attributes; SecretFileMissing if it does not exist.

    A file that is not SECRET, or is only read to be removed, may be in a folder that a group can write to.
    """
    with folder_of(path, secret) as (folder, name), explained("read", path):
        fd = open_file(folder, name, path)
        try:
            info = os.fstat(fd)
            if info.st_size > limit:
                raise SecretFileError(
                    f"{path} has {info.st_size} bytes, more than any secret of this collection ({limit}). Check the"
                    " path, and move the file away if it is the right one."
                )
            data, acl = _drain(fd, limit), _file_acl(fd, info)
        finally:
            os.close(fd)
    return SecretFile(data, info.st_uid, info.st_gid, stat.S_IMODE(info.st_mode), info.st_mtime, info.st_ino, acl)


def read_if_there(path: str, folder_may_be_missing: bool = True, secret: bool = True) -> SecretFile | None:
    """The same as read_secret(), or None if there is no such file."""
    try:
        return read_secret(path, secret)
    except FolderMissing:
        if folder_may_be_missing:
            return None
        raise
    except SecretFileMissing:
        return None


def refuse_public_folder(path: str, what: str) -> None:
    """Raise SecretFileError if anybody but root and the folder's owner could create WHAT there first."""
    folder = os.path.dirname(path)
    try:
        info, acl = os.stat(folder), read_acl(folder)
    except OSError:
        return  # reading the file gives a better message
    who = writers(info, acl)
    if who:
        raise SecretFileError(
            f"{folder} is writable by {' and by '.join(who)} (mode {mode_text(info.st_mode, acl)}), so they could"
            f" create {what} there first. Choose another folder, or remove that permission (chmod go-w, setfacl -b)."
        )


def set_attributes(path: str, uid: int, gid: int, mode: int, ours: bool = True) -> bool:
    """Give PATH this ownership, and remove all other access. False if it is up to date.

    For a file of the site (not OURS), keep the access control list, and accept a folder that a group shares.
    """
    with folder_of(path, ours and is_secret(mode)) as (folder, name), explained("set owner and mode of", path):
        fd = open_file(folder, name, path)
        try:
            info = os.fstat(fd)
            if _has_ownership(info, uid, gid, mode) and not (ours and _file_acl(fd, info).grants):
                return False
            if info.st_nlink > 1:
                refuse_other_names(fd, path, "its owner and mode are")
            # First remove what the new mode does not grant: a new owner or group must never get the old permissions.
            if ours:
                drop_acl(fd)
            os.fchmod(fd, stat.S_IMODE(info.st_mode) & mode)
            give_ownership(fd, uid, gid, mode, path, ours)
            os.fsync(fd)
        finally:
            os.close(fd)
    return True


def plain(folder: int, name: str, path: str) -> os.stat_result | None:
    """stat() of a plain file, None if the name is free; an error for anything else."""
    try:
        info = os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return None
    if stat.S_ISREG(info.st_mode):
        return info
    remedy = "name the file it leads to" if stat.S_ISLNK(info.st_mode) else "choose another path"
    raise SecretFileError(f"{path} is {kind(info.st_mode)}, not a file. Remove it, or {remedy}. Nothing was changed.")


def open_file(folder: int, name: str, path: str, flags: int = READ) -> int:
    """A plain file opened for reading, never a link, a pipe or a device."""
    if plain(folder, name, path) is None:
        raise SecretFileMissing(f"{path} does not exist.")
    try:
        fd = os.open(name, flags, dir_fd=folder)
    except FileNotFoundError:
        raise SecretFileMissing(f"{path} does not exist.") from None
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise SecretFileError(f"{path} was replaced while it was opened, and is not a file now. Find out who did that.")
    return fd


def _drain(fd: int, limit: int) -> bytes:
    parts = []
    left = limit
    while left > 0:
        part = os.read(fd, left)
        if not part:
            break
        parts.append(part)
        left -= len(part)
    return b"".join(parts)


def _has_ownership(info: os.stat_result, uid: int, gid: int, mode: int) -> bool:
    return (info.st_uid, info.st_gid, stat.S_IMODE(info.st_mode)) == (uid, gid, mode)


def give_ownership(fd: int, uid: int, gid: int, mode: int, path: str, ours: bool = True) -> None:
    """Set the owner while nobody else has access, then the mode. Then check: some file systems only pretend."""
    info = os.fstat(fd)
    if (info.st_uid, info.st_gid) != (uid, gid):
        os.fchown(fd, uid, gid)
    os.fchmod(fd, mode)
    info = os.fstat(fd)
    acl = _file_acl(fd, info) if ours else NO_ACL
    if not _has_ownership(info, uid, gid, mode) or acl.grants:
        raise SecretFileError(
            f"The file system of {path} does not keep owners and modes: instead of {uid}:{gid} {mode:04o} it set"
            f" {info.st_uid}:{info.st_gid} {mode_text(info.st_mode, acl)}. Choose a folder on another file system."
        )


def _file_acl(fd: int, info: os.stat_result) -> Acl:
    """The list of a file, if it can grant anything: the group bits of the mode limit what it grants."""
    return read_acl(fd) if info.st_mode & 0o070 else NO_ACL


def is_secret(mode: int) -> bool:
    return not mode & 0o004


def refuse_other_names(fd: int, path: str, what: str) -> None:
    """Refuse a file with hard links: somebody may have made one to get access to a file of another user.

    A run that creates the file gives it a second name for an instant, so wait for a second.
    """
    for _attempt in range(20):
        if os.fstat(fd).st_nlink < 2:
            return
        time.sleep(0.05)
    raise SecretFileError(
        f"{path} has {os.fstat(fd).st_nlink} names (hard links), so {what} not changed: anyone"
        " who has another name for it would keep access. Find them with find -samefile and remove them, or have a new"
        " secret made."
    )


def names_in(folder: int) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError:
        return []  # this user may enter the folder, but not list it


def unlink_quietly(folder: int, name: str) -> None:
    with suppress(OSError):  # another run removed it, or the next one will
        os.unlink(name, dir_fd=folder)


def sync_folder(folder: int) -> None:
    try:
        os.fsync(folder)
    except OSError as exc:
        # This user may not list the folder, or the file system cannot flush folders.
        if exc.errno not in _NO_SYNC:
            raise
