# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One slurm.conf that several hosts see is one file: who edits it. Private to this collection.

Among key hosts one that may write does it, for all that see the file. A host without a key that sees a key host's file
never edits it. What such a host says of its file decides about that alone: one that lies keeps its own from being
edited, and no other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._inspect.problems import CONF_NOT_WRITABLE_REMEDY
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._inventory.hostlist import folded

Look = Mapping[str, Any]

SLURM, SLURMDBD = "conf", "dbd_conf"
_DIFFERENCES = {SLURM: "slurm_conf", SLURMDBD: "slurmdbd_conf"}


def edited(look: Look, kind: str) -> list[Look]:
    """The identities of the files that a run would edit on a host: those that differ, or the file itself."""
    found = {each["path"]: each for each in (look[kind] or {}).get("identities") or ()}
    paths = [change.get("path") for change in look["differences"][_DIFFERENCES[kind]]]
    paths = paths or [(look[kind] or {}).get("path")]
    return [found[path] for path in dict.fromkeys(paths) if path in found]


def is_same(one: Look, other: Look) -> bool:
    """Whether two hosts see one file, by what each says of it."""
    if one["here"] and one["here"] == other["here"]:
        return True
    return bool(one["network"] or other["network"]) and one["anywhere"] == other["anywhere"]


def sees(look: Look, other: Look, kind: str) -> bool:
    """Whether every file that would be edited on a host is one that the other one sees."""
    files = edited(look, kind)
    theirs = (other[kind] or {}).get("identities") or ()
    return bool(files) and all(any(is_same(file, their) for their in theirs) for file in files)


def may_be_shared(look: Look, kind: str) -> bool:
    """Whether hosts that were not asked may see a file that would be edited."""
    return any(file["may_be_shared"] for file in edited(look, kind))


def obstacle(look: Look, kind: str) -> str | None:
    """Why a host cannot edit its file; None if nothing is known against it."""
    return next((file["obstacle"] for file in edited(look, kind) if file["obstacle"]), None)


def editors(looks: Mapping[str, Look], hosts: Sequence[str], kind: str) -> dict[str, str | None]:
    """Key host -> the one that edits its file, itself or another; None where none of those that see it may write.

    HOSTS are those whose file differs, the first choice first.
    """
    groups: list[list[str]] = []
    for host in hosts:
        group = next((each for each in groups if sees(looks[host], looks[each[0]], kind)), None)
        if group is None:
            groups.append([host])
        else:
            group.append(host)
    found: dict[str, str | None] = {}
    for group in groups:
        editor = next((host for host in group if obstacle(looks[host], kind) is None), None)
        found.update(dict.fromkeys(group, editor))
    return found


def unwritable(looks: Mapping[str, Look], chosen: Mapping[str, str | None], kind: str) -> list[str]:
    """A sentence for each key host whose file nobody may write."""
    lost = [host for host, editor in chosen.items() if editor is None]
    shared = "No controller and no host of slurmdbd that sees this file may write it. " if len(lost) > 1 else ""
    found = [(host, obstacle(looks[host], kind), looks[host][kind]["path"]) for host in lost]
    return [
        f"{host}: {why}, so a rollout could not edit {path}. {shared}{CONF_NOT_WRITABLE_REMEDY}"
        for host, why, path in found
    ]


def left_out(look: Look, kind: str) -> str:
    """The same of a host without a key, which is left out."""
    why, path = obstacle(look, kind), look[kind]["path"]
    return f"{why}, so a rollout could not edit {path}. {CONF_NOT_WRITABLE_REMEDY}"


def notes(looks: Mapping[str, Look], hosts: Sequence[str], kind: str = SLURM) -> list[str]:
    """What is said of files that wait for the controllers' turn, as this run has none."""
    alike: dict[str, list[str]] = {}
    for host in hosts:
        alike.setdefault(looks[host][kind]["path"], []).append(host)
    return [
        f"{folded(names)}: {path} is on a file system that other hosts may see, controllers among them, and this run "
        "has no controller. It is left as it is: a rollout with the controllers changes it at their turn, after the "
        "key is in place."
        for path, names in alike.items()
    ]
