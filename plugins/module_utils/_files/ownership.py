# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Owner, group and mode that a file is to have: what is declared, and root where nothing is.

Private to this collection.

The owner of a file that is there already counts for nothing by itself: whoever can write to the folder may have put it
there to be given the secret that is written next.
"""

from __future__ import annotations

import grp
import os
import pwd
from typing import Any, Callable, Mapping, NamedTuple

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.names import group_name, user_name
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.secret_file import SecretFile, parse_mode

UNKNOWN = -1
"""Stands for a user or group that does not exist yet."""


class OwnershipError(Exception):
    """Whose a file is to be cannot be told. The text says why, and what to do."""


class UnknownOwner(OwnershipError):
    """A user or group is declared whom this host does not know."""


class OwnerUndeclared(OwnershipError):
    """A file belongs to somebody whom nobody has declared, and daemons may need that it does."""


class Ownership(NamedTuple):
    """Owner, group and mode of a file, in the order in which the functions of atomic.py take them."""

    uid: int
    gid: int
    mode: int


class DeclaredOwnership(NamedTuple):
    """What a task says of a file; None is what it does not say."""

    owner: str | None
    group: str | None
    uid: int | None
    gid: int | None
    mode: int

    def ownership(self, file: SecretFile | None) -> Ownership:
        """What the file is to have. One that is there keeps its owner and group only if they are root's or ours.

        Neither is it simply taken from another owner: a daemon that runs as that user would not start again.
        """
        wanted = ownership(self.uid, self.gid, self.mode)
        if file is None:
            return wanted
        if self.uid is None:
            self._refuse("owner", f"the user {user_name(file.uid)}", file.uid in (0, os.geteuid()))
            wanted = ownership(file.uid, self.gid, self.mode)
        if self.gid is None:
            known = file.gid in (0, wanted.gid) or not self.mode & 0o070
            self._refuse("group", f"the group {group_name(file.gid)}", known)
            wanted = wanted._replace(gid=file.gid)
        return wanted

    def _refuse(self, option: str, whom: str, known: bool) -> None:
        if not known:
            raise OwnerUndeclared(
                f"{option}: the file belongs to {whom}, and the task does not say whose it is to be. Nothing was"
                f" changed. If it belongs to them by right, name them in {option}; if not, name root."
            )

    @staticmethod
    def of_copy(file: SecretFile, wanted: Ownership) -> Ownership:
        """What a copy of a file is to have that is kept aside: what the file has as far as that is root's or WANTED."""
        uid = file.uid if file.uid in (0, wanted.uid) else wanted.uid
        gid = file.gid if file.gid in (0, wanted.gid) else wanted.gid
        # Whoever does not exist on this host can own nothing.
        return Ownership(os.geteuid() if uid == UNKNOWN else uid, os.getegid() if gid == UNKNOWN else gid, 0o400)

    def names(self, found: Ownership) -> dict[str, Any]:
        """In names; those of the task where check mode allows them to be missing on the host."""
        owner = self.owner if found.uid == UNKNOWN else user_name(found.uid)
        group = (self.group or owner) if found.gid == UNKNOWN else group_name(found.gid)
        numbers = {
            "uid": None if found.uid == UNKNOWN else found.uid,
            "gid": None if found.gid == UNKNOWN else found.gid,
        }
        return {"owner": owner, "group": group, "mode": f"{found.mode:04o}", **numbers}


def declared(params: Mapping[str, Any], may_lack: bool) -> DeclaredOwnership:
    """The options owner, group and mode of a task; NobodyOfThatName unless users and groups MAY_LACK."""
    mode = parse_mode(params["mode"])
    uid = _number(params, "owner", "user", uid_of, may_lack)
    gid = _number(params, "group", "group", gid_of, may_lack)
    return DeclaredOwnership(params["owner"], params["group"], uid, gid, mode)


def _number(
    params: Mapping[str, Any], option: str, kind: str, find: Callable[[str], int | None], may_lack: bool
) -> int | None:
    name = params[option]
    if name is None:
        return None
    number = find(name)
    if number is not None:
        return number
    if may_lack:
        return UNKNOWN
    raise UnknownOwner(
        f"{option}: there is no {kind} '{name}' on this host. Install Slurm or create the {kind} first, or correct"
        " the name."
    )


def uid_of(name: str) -> int | None:
    """The uid of a user: by name first, as a name may be made of digits; a number need not be known."""
    try:
        return pwd.getpwnam(name).pw_uid
    except KeyError:
        return _number_in(name)


def gid_of(name: str) -> int | None:
    """The gid of a group, likewise."""
    try:
        return grp.getgrnam(name).gr_gid
    except KeyError:
        return _number_in(name)


def _number_in(name: str) -> int | None:
    return int(name) if name.isascii() and name.isdigit() else None


def ownership(uid: int | None, gid: int | None, mode: int) -> Ownership:
    """Owner and group as given, else ours, who are root as a rule, and the primary group of the owner."""
    uid = os.geteuid() if uid is None else uid
    return Ownership(uid, _primary_group(uid) if gid is None else gid, mode)


def _primary_group(uid: int) -> int:
    try:
        return pwd.getpwuid(uid).pw_gid
    except KeyError:
        return UNKNOWN if uid == UNKNOWN else os.getegid()
