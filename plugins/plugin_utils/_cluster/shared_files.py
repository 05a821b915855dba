# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""If several hosts see the same slurm.conf, one of them edits it. Private to this collection.

A key host that can write the file edits it for all key hosts that see it. A host without a key never edits the file of
a key host. Its observation decides only about its own file: if it lies, only that file is not edited.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._inspect.problems import CONF_NOT_WRITABLE_REMEDY
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._inventory.hostlist import folded

Observed = Mapping[str, Any]

SLURM, SLURMDBD = "conf", "dbd_conf"
_DIFFERENCES = {SLURM: "slurm_conf", SLURMDBD: "slurmdbd_conf"}


def edited(observed: Observed, kind: str) -> list[Observed]:
    """The identities of the files that a run would edit on a host: those with differences, or the file itself."""
    identities = {each["path"]: each for each in (observed[kind] or {}).get("identities") or ()}
    paths = [change.get("path") for change in observed["differences"][_DIFFERENCES[kind]]]
    paths = paths or [(observed[kind] or {}).get("path")]
    return [identities[path] for path in dict.fromkeys(paths) if path in identities]


def is_same(one: Observed, other: Observed) -> bool:
    """Whether two hosts see one file, by the identities that they report."""
    if one["here"] and one["here"] == other["here"]:
        return True
    return bool(one["network"] or other["network"]) and one["anywhere"] == other["anywhere"]


def sees(observed: Observed, other: Observed, kind: str) -> bool:
    """Whether the other host sees every file that would be edited on a host."""
    files = edited(observed, kind)
    theirs = (other[kind] or {}).get("identities") or ()
    return bool(files) and all(any(is_same(file, their) for their in theirs) for file in files)


def may_be_shared(observed: Observed, kind: str) -> bool:
    """Whether hosts outside this run may see a file that would be edited."""
    return any(file["may_be_shared"] for file in edited(observed, kind))


def obstacle(observed: Observed, kind: str) -> str | None:
    """Why a host cannot edit its file; None if no reason is known."""
    return next((file["obstacle"] for file in edited(observed, kind) if file["obstacle"]), None)


def editors(observations: Mapping[str, Observed], hosts: Sequence[str], kind: str) -> dict[str, str | None]:
    """Key host -> the key host that edits its file; None if no key host that sees it can write it.

    ``hosts`` are those whose file differs, in order of preference.
    """
    groups: list[list[str]] = []
    for host in hosts:
        group = next((each for each in groups if sees(observations[host], observations[each[0]], kind)), None)
        if group is None:
            groups.append([host])
        else:
            group.append(host)
    chosen: dict[str, str | None] = {}
    for group in groups:
        editor = next((host for host in group if obstacle(observations[host], kind) is None), None)
        chosen.update(dict.fromkeys(group, editor))
    return chosen


def unwritable(observations: Mapping[str, Observed], chosen: Mapping[str, str | None], kind: str) -> list[str]:
    """A sentence for each key host whose file no key host can write."""
    lost = [host for host, editor in chosen.items() if editor is None]
    shared = "No controller and no host of slurmdbd that sees this file may write it. " if len(lost) > 1 else ""
    obstacles = [(host, obstacle(observations[host], kind), observations[host][kind]["path"]) for host in lost]
    return [
        f"{host}: {why}, so a rollout could not edit {path}. {shared}{CONF_NOT_WRITABLE_REMEDY}"
        for host, why, path in obstacles
    ]


def left_out(observed: Observed, kind: str) -> str:
    """Why a host without a key is left out: it cannot write its file."""
    why, path = obstacle(observed, kind), observed[kind]["path"]
    return f"{why}, so a rollout could not edit {path}. {CONF_NOT_WRITABLE_REMEDY}"


def notes(observations: Mapping[str, Observed], hosts: Sequence[str], kind: str = SLURM) -> list[str]:
    """Warnings about files that wait for a run with the controllers."""
    alike: dict[str, list[str]] = {}
    for host in hosts:
        alike.setdefault(observations[host][kind]["path"], []).append(host)
    return [
        f"{folded(names)}: {path} is on a file system that other hosts may see, controllers among them, and this run "
        "has no controller. It stays as it is: a rollout with the controllers changes it after the key is in place."
        for path, names in alike.items()
    ]
