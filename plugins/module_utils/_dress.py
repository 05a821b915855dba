# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Owner, group and mode that a file is to have: what is declared, and where nothing is, what it has. Private to this
collection."""

from __future__ import annotations

import grp
import os
import pwd
from typing import Any, Callable, Mapping, NamedTuple

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._places import group_name, user_name
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._secret_file import SecretFile, parse_mode

NOBODY = -1
"""Stands for a user or group that does not exist yet."""


class NobodyOfThatName(Exception):
    """A user or group is declared whom this host does not know. The text says whom, and what to do."""


class Dress(NamedTuple):
    """Owner, group and mode of a file, in the order in which _secret_file takes them."""

    uid: int
    gid: int
    mode: int


class Declared(NamedTuple):
    """What a task says of a file; None leaves the file what it has."""

    owner: str | None
    group: str | None
    uid: int | None
    gid: int | None
    mode: int

    def dress(self, file: SecretFile | None) -> Dress:
        """What the file is to have."""
        return dress(file, self.uid, self.gid, self.mode)

    def names(self, worn: Dress) -> dict[str, Any]:
        """In names; those of the task where check mode allows them to be missing on the host."""
        owner = self.owner if worn.uid == NOBODY else user_name(worn.uid)
        group = (self.group or owner) if worn.gid == NOBODY else group_name(worn.gid)
        numbers = {
            "uid": None if worn.uid == NOBODY else worn.uid,
            "gid": None if worn.gid == NOBODY else worn.gid,
        }
        return {"owner": owner, "group": group, "mode": f"{worn.mode:04o}", **numbers}


def declared(params: Mapping[str, Any], may_lack: bool) -> Declared:
    """The options owner, group and mode of a task; NobodyOfThatName unless users and groups MAY_LACK."""
    mode = parse_mode(params["mode"])
    uid = _number(params, "owner", "user", lambda name: pwd.getpwnam(name).pw_uid, may_lack)
    gid = _number(params, "group", "group", lambda name: grp.getgrnam(name).gr_gid, may_lack)
    return Declared(params["owner"], params["group"], uid, gid, mode)


def _number(
    params: Mapping[str, Any], option: str, kind: str, find: Callable[[str], int], may_lack: bool
) -> int | None:
    name = params[option]
    if name is None or name.isdigit():
        return None if name is None else int(name)
    try:
        return find(name)
    except KeyError:
        if may_lack:
            return NOBODY
    raise NobodyOfThatName(
        f"{option}: there is no {kind} '{name}' on this host. Install Slurm or create the {kind} first, or correct"
        " the name."
    )


def dress(file: SecretFile | None, uid: int | None, gid: int | None, mode: int) -> Dress:
    """Owner and group as given, else as the file has them, else ours and the primary group of the owner."""
    if uid is None:
        uid = file.uid if file else os.geteuid()
    if gid is None:
        gid = file.gid if file else _primary_group(uid)
    return Dress(uid, gid, mode)


def _primary_group(uid: int) -> int:
    try:
        return pwd.getpwuid(uid).pw_gid
    except KeyError:
        return NOBODY if uid == NOBODY else os.getegid()
