# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The declared owner, group and mode of a file; root if no owner is declared. Private to this collection.

The owner of an existing file proves nothing: anyone who can write to the folder may have created it, to get the secret
that is written next.
"""

from __future__ import annotations

import grp
import os
import pwd
from typing import Any, Callable, Mapping, NamedTuple

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.names import group_name, user_name
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.secret_file import SecretFile, parse_mode

UNKNOWN = -1
"""The number of a user or group that does not exist yet."""


class OwnershipError(Exception):
    """The ownership of a file is unclear. The text says why, and what to do."""


class UnknownOwner(OwnershipError):
    """A declared user or group does not exist on this host."""


class OwnerUndeclared(OwnershipError):
    """A file belongs to a user or group that is not declared, but daemons may need it."""


class Ownership(NamedTuple):
    """Owner, group and mode of a file, in the order of the arguments in atomic.py."""

    uid: int
    gid: int
    mode: int


class DeclaredOwnership(NamedTuple):
    """What a task declares for a file; None for the rest."""

    owner: str | None
    group: str | None
    uid: int | None
    gid: int | None
    mode: int

    def ownership(self, file: SecretFile | None) -> Ownership:
        """The ownership that the file gets. An undeclared owner stays only if it is root or this run's user.

        An undeclared group stays if it is root's or the owner's primary group, or if the mode gives a group no access.
        Others are refused: a daemon that runs as that user or group might not start again.
        """
        desired = ownership(self.uid, self.gid, self.mode)
        if file is None:
            return desired
        if self.uid is None:
            self._refuse("owner", f"the user {user_name(file.uid)}", file.uid in (0, os.geteuid()))
            desired = ownership(file.uid, self.gid, self.mode)
        if self.gid is None:
            known = file.gid in (0, desired.gid) or not self.mode & 0o070
            self._refuse("group", f"the group {group_name(file.gid)}", known)
            desired = desired._replace(gid=file.gid)
        return desired

    def _refuse(self, option: str, whom: str, known: bool) -> None:
        if not known:
            raise OwnerUndeclared(
                f"{option}: the file belongs to {whom}, and the task declares no {option}. Nothing was changed. If"
                f" that is right, name them in {option}; if not, name root."
            )

    @staticmethod
    def of_copy(file: SecretFile, desired: Ownership) -> Ownership:
        """The ownership of a backup: owner and group of the file if they are root or DESIRED, else DESIRED."""
        uid = file.uid if file.uid in (0, desired.uid) else desired.uid
        gid = file.gid if file.gid in (0, desired.gid) else desired.gid
        # A user that does not exist on this host can own nothing.
        return Ownership(os.geteuid() if uid == UNKNOWN else uid, os.getegid() if gid == UNKNOWN else gid, 0o400)

    def names(self, current: Ownership) -> dict[str, Any]:
        """Owner and group by name. In check mode they need not exist on the host: then the names of the task."""
        owner = self.owner if current.uid == UNKNOWN else user_name(current.uid)
        group = (self.group or owner) if current.gid == UNKNOWN else group_name(current.gid)
        numbers = {
            "uid": None if current.uid == UNKNOWN else current.uid,
            "gid": None if current.gid == UNKNOWN else current.gid,
        }
        return {"owner": owner, "group": group, "mode": f"{current.mode:04o}", **numbers}


def declared(params: Mapping[str, Any], may_be_missing: bool) -> DeclaredOwnership:
    """The options owner, group and mode of a task. UnknownOwner if one must exist on this host but does not."""
    mode = parse_mode(params["mode"])
    uid = _number(params, "owner", "user", uid_of, may_be_missing)
    gid = _number(params, "group", "group", gid_of, may_be_missing)
    return DeclaredOwnership(params["owner"], params["group"], uid, gid, mode)


def _number(
    params: Mapping[str, Any], option: str, kind: str, find: Callable[[str], int | None], may_be_missing: bool
) -> int | None:
    name = params[option]
    if name is None:
        return None
    number = find(name)
    if number is not None:
        return number
    if may_be_missing:
        return UNKNOWN
    raise UnknownOwner(
        f"{option}: there is no {kind} '{name}' on this host. Install Slurm or create the {kind} first, or correct"
        " the name."
    )


def uid_of(name: str) -> int | None:
    """The uid of a user. Tries the name first, as a name may consist of digits. A number need not exist."""
    try:
        return pwd.getpwnam(name).pw_uid
    except KeyError:
        return _number_in(name)


def gid_of(name: str) -> int | None:
    """The gid of a group, in the same way."""
    try:
        return grp.getgrnam(name).gr_gid
    except KeyError:
        return _number_in(name)


def _number_in(name: str) -> int | None:
    return int(name) if name.isascii() and name.isdigit() else None


def ownership(uid: int | None, gid: int | None, mode: int) -> Ownership:
    """The given owner and group. Default: this process's user (usually root), and the owner's primary group."""
    uid = os.geteuid() if uid is None else uid
    return Ownership(uid, _primary_group(uid) if gid is None else gid, mode)


def _primary_group(uid: int) -> int:
    try:
        return pwd.getpwuid(uid).pw_gid
    except KeyError:
        return UNKNOWN if uid == UNKNOWN else os.getegid()
