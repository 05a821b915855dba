# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a user can read a file, from modes and access control lists (acl(5)). Private to this
collection.
"""

from __future__ import annotations

import grp
import os
from typing import Iterator, NamedTuple

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.acl import EXECUTE, READ
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.paths import PathInfo, User, inspect


class Reader(NamedTuple):
    """The user of a process and all its groups, by number. A user who does not exist yet has the uid -1."""

    uid: int
    gids: frozenset[int]


def reader_of(user: User | None, gid: int | None) -> Reader:
    """The user and groups of a service that systemd starts: User= and, unless GID is None, Group=."""
    if user is None:
        return Reader(-1, frozenset() if gid is None else frozenset([gid]))
    primary = user.gid if gid is None else gid
    return Reader(user.uid, frozenset(os.getgrouplist(user.name, primary)))


def gid_named(name: str) -> int | None:
    """The number of a group, given by name or number."""
    try:
        return grp.getgrnam(name).gr_gid
    except KeyError:
        return int(name) if name.isascii() and name.isdigit() else None


def first_denied(path: str, reader: Reader) -> str | None:
    """The first folder on the path that a user may not enter, or else the unreadable file; None if it can be read."""
    real = os.path.realpath(path)
    for folder in _folders(real):
        if not allows(inspect(folder), reader, EXECUTE):
            return folder
    return None if allows(inspect(real), reader, READ) else real


def _folders(path: str) -> Iterator[str]:
    """The folders of a path, from the root down."""
    names = os.path.dirname(path).split("/")
    for number in range(1, len(names) + 1):
        yield "/".join(names[:number]) or "/"


def allows(place: PathInfo, reader: Reader, needed: int) -> bool:
    """Whether the kernel grants this access. The checks have the kernel's order."""
    if reader.uid == 0:
        return True
    if reader.uid == place.uid:
        return bool((place.mode >> 6) & needed)
    for entry in place.acl.entries:
        if entry.is_user and entry.number == reader.uid:
            return bool(entry.permissions & needed)
    of_groups = [entry.permissions for entry in place.acl.entries if not entry.is_user and entry.number in reader.gids]
    if place.gid in reader.gids:
        of_groups.append(place.acl.group_permissions(place.mode))
    if of_groups:
        return any(permissions & needed for permissions in of_groups)
    return bool(place.mode & needed)
