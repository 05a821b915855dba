# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""POSIX access control lists: who has access to a file beyond its mode. Private to this collection.

The kernel shows a list as an extended attribute. With a list, the group bits of the mode are its mask, which limits
what it grants. They are then not the permissions of the owning group.
"""

from __future__ import annotations

import errno
import os
import stat
import struct
from typing import NamedTuple

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.names import group_name, user_name

READ, WRITE, EXECUTE = 4, 2, 1

_ATTRIBUTE = "system.posix_acl_access"
_HEADER, _ENTRY = struct.Struct("<I"), struct.Struct("<HHI")
_USER, _GROUP_OBJ, _GROUP, _MASK = 0x02, 0x04, 0x08, 0x10
_NONE = (errno.ENODATA, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOENT, errno.EINVAL)


class Grant(NamedTuple):
    """What a list grants to a user or a group."""

    is_user: bool
    number: int
    permissions: int

    def __str__(self) -> str:
        name = user_name(self.number) if self.is_user else group_name(self.number)
        letters = "".join(letter for bit, letter in zip((READ, WRITE, EXECUTE), "rwx") if self.permissions & bit)
        return f"{'user' if self.is_user else 'group'} {name} ({letters})"


class Acl(NamedTuple):
    """A list, with its mask applied."""

    entries: tuple[Grant, ...] = ()
    """For named users and groups. One without permissions denies what the mode grants to others."""
    group: int | None = None
    """The permissions of the owning group; None if the mode has them."""

    @property
    def grants(self) -> tuple[Grant, ...]:
        """Entries that grant something."""
        return tuple(entry for entry in self.entries if entry.permissions)

    def words(self) -> str:
        return ", ".join(map(str, self.grants))

    def group_permissions(self, mode: int) -> int:
        return (mode >> 3) & 0o7 if self.group is None else self.group


NO_ACL = Acl()


def read_acl(target: int | str) -> Acl:
    """The list of an open file or a path. Follows links."""
    # A descriptor opened with O_PATH has no attributes; its name in /proc does.
    path = f"/proc/self/fd/{target}" if isinstance(target, int) else target
    try:
        data = os.getxattr(path, _ATTRIBUTE)
    except OSError as exc:
        if exc.errno in _NONE:
            return NO_ACL
        raise
    return parse_acl(data)


def parse_acl(data: bytes) -> Acl:
    """Parse the extended attribute."""
    entries = list(_ENTRY.iter_unpack(data[_HEADER.size :]))
    mask = next((permissions for tag, permissions, _number in entries if tag == _MASK), 0o7)
    group = next((permissions & mask for tag, permissions, _number in entries if tag == _GROUP_OBJ), None)
    named = (
        Grant(tag == _USER, number, permissions & mask)
        for tag, permissions, number in entries
        if tag in (_USER, _GROUP)
    )
    return Acl(tuple(named), group)


def drop_acl(fd: int) -> None:
    """Remove the list of an open file: only its mode counts then."""
    try:
        os.removexattr(fd, _ATTRIBUTE)
    except OSError as exc:
        if exc.errno not in _NONE:
            raise


def writers(info: os.stat_result, acl: Acl) -> list[str]:
    """Who may write to a folder, in words: without root, its owner and groups that are as trusted."""
    words = []
    if info.st_mode & 0o002:
        words.append("every user of the host")
    if acl.group_permissions(info.st_mode) & WRITE and not _is_harmless(info.st_gid, info.st_uid):
        words.append(f"the group {group_name(info.st_gid)}")
    for grant in acl.grants:
        harmless = grant.number in (0, info.st_uid) if grant.is_user else _is_harmless(grant.number, info.st_uid)
        if grant.permissions & WRITE and not harmless:
            words.append(f"by an access control list, the {grant}")
    return words


def _is_harmless(gid: int, owner: int) -> bool:
    """Whether the members of a group are as trusted as the owner or root.

    This is true for the primary group of the owner. If root owns the folder, it is also true for the group of a single
    user, for example StateSaveLocation with root:slurm and 0770: that user could just as well own the folder.
    """
    import grp
    import pwd

    if gid == 0:
        return True
    try:
        if pwd.getpwuid(owner).pw_gid == gid:
            return True
        if owner:
            return False
        group = grp.getgrgid(gid)
        user = pwd.getpwnam(group.gr_name)
    except KeyError:
        return False
    return user.pw_gid == gid and not set(group.gr_mem) - {user.pw_name, "root"}


def mode_text(mode: int, acl: Acl) -> str:
    """Permissions in octal, with a + if a list grants more, as in ls."""
    return f"{stat.S_IMODE(mode):04o}{'+' if acl.grants else ''}"
