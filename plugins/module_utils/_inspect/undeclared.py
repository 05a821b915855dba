# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Finds paths, programs and units that the daemons use and the site has to declare. Private to this collection.

The rest of the inspection uses them, so one run reports all problems.
"""

from __future__ import annotations

import os
from typing import NamedTuple, Sequence

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._inspect import inventory_values, located_daemon
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._inspect.located_daemon import LocatedDaemon
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._inspect.problems import ERROR, Problem
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._slurm import install_paths

USUAL_SLURMRESTD = "/usr/sbin/slurmrestd"

CODE = "undeclared"
_EFFECT = "The run would work with other files, programs or units than the cluster does."
_NOT_RUN = f"{_EFFECT} Others than root can change these programs, so none of them was run as root to find out more."


class UndeclaredSetting(NamedTuple):
    """A variable that the site has to set, with the value that was found."""

    variable: str
    value: str | list[str]
    problem: Problem
    """What was found, and what happens if the site does not set it."""
    usable: bool = True
    """Whether the inspection itself may use it."""


def service(component: str, named: str, unit: str) -> UndeclaredSetting:
    """The daemon runs in another unit than the declared one."""
    daemon, variable = install_paths.DAEMON_OF[component], inventory_values.SERVICE_VARIABLES[component]
    found, remedy = f"{daemon} runs in the unit {unit}, and not in {named}.", f"Set {variable} to {unit}."
    return UndeclaredSetting(variable, unit, Problem(ERROR, CODE, component, None, found, _EFFECT, remedy))


def programs(daemons: Sequence[LocatedDaemon], declared: Sequence[str]) -> UndeclaredSetting | None:
    """The folders of Slurm's programs."""
    elsewhere = [daemon for daemon in daemons if _is_elsewhere(daemon, declared)]
    if not elsewhere:
        return None
    paths = [daemon.program or "" for daemon in elsewhere]
    folders = list(dict.fromkeys(folder for path in paths for folder in located_daemon.bin_dirs(path)))
    usable = all(map(located_daemon.only_root_writes, [*paths, *folders]))
    first, path = elsewhere[0], paths[0]
    program, verb = os.path.basename(path), _verb(first)
    at = install_paths.find_program(program, list(declared))
    found = f"{program} {verb} {path}, and there is none in the usual folders."
    if at:
        found = f"{program} {verb} {path}, and the one that is found is {at}."
    effect = _EFFECT if usable else _NOT_RUN
    named = ", ".join(folders)
    remedy = f"Set slurm_jwt_bin_dirs to [{named}]."
    problem = Problem(ERROR, CODE, first.component, None, found, effect, remedy)
    return UndeclaredSetting("slurm_jwt_bin_dirs", folders, problem, usable)


def _is_elsewhere(daemon: LocatedDaemon, declared: Sequence[str]) -> bool:
    path = daemon.program
    if not path or not os.path.exists(path) or not inventory_values.is_path(path):
        return False
    at = install_paths.find_program(os.path.basename(path), list(declared))
    return at is None or not (_is_declared(at, declared) or _is_same_file(at, path))


def _verb(daemon: LocatedDaemon) -> str:
    if daemon.process:
        return "runs as"
    return "is, by its unit," if daemon.unit.program else "is"


def _is_declared(path: str, declared: Sequence[str]) -> bool:
    return any(os.path.normpath(folder) == os.path.dirname(path) for folder in declared)


def slurm_conf(daemons: Sequence[LocatedDaemon], declared: str) -> UndeclaredSetting | None:
    """The slurm.conf that a daemon reads. slurmdbd reads none."""
    for daemon in daemons:
        found = located_daemon.conf(daemon) if daemon.component != "slurmdbd" else None
        # If neither -f nor SLURM_CONF is set and the declared file exists, assume that the daemon reads it.
        if found and not _is_same_file(found, declared) and (daemon.conf or not os.path.exists(declared)):
            return _conf("slurm_jwt_conf_path", found, declared, daemon)
    return None


def slurmdbd_conf(daemons: Sequence[LocatedDaemon], declared: str) -> UndeclaredSetting | None:
    """The slurmdbd.conf that slurmdbd reads."""
    for daemon in daemons:
        found = located_daemon.dbd_conf(daemon) if daemon.component == "slurmdbd" else None
        if found and not _is_same_file(found, declared) and (daemon.conf or not os.path.exists(declared)):
            return _conf("slurm_jwt_dbd_conf_path", found, declared, daemon)
    return None


def _is_same_file(path: str, other: str) -> bool:
    return os.path.realpath(path) == os.path.realpath(other)


def _conf(variable: str, path: str, declared: str, daemon: LocatedDaemon) -> UndeclaredSetting:
    found = f"{daemon.name} reads {path}, and not {declared}."
    if not os.path.exists(declared):
        found = f"{daemon.name} reads {path}, and not {declared}, which does not exist."
    remedy = f"Set {variable} to {path}."
    return UndeclaredSetting(variable, path, Problem(ERROR, CODE, daemon.component, None, found, _EFFECT, remedy))


def slurmrestd(
    daemons: Sequence[LocatedDaemon], declared: str | None, folders: Sequence[str]
) -> UndeclaredSetting | None:
    """The program of slurmrestd, which a rollout names in its unit."""
    if declared is None:
        return None
    for daemon in daemons:
        if daemon.component != "slurmrestd":
            continue
        path = daemon.program
        if not path or not os.path.exists(path):
            path = install_paths.find_program("slurmrestd", list(folders))
        if not path or not inventory_values.is_path(path) or _is_same_file(path, declared):
            return None
        # If the declared program exists and is not the default, the site has chosen it.
        if os.path.exists(declared) and declared != USUAL_SLURMRESTD:
            return None
        found, remedy = f"slurmrestd is {path}, and not {declared}.", f"Set slurmrestd_binary to {path}."
        problem = Problem(ERROR, CODE, "slurmrestd", None, found, _EFFECT, remedy)
        return UndeclaredSetting("slurmrestd_binary", path, problem)
    return None
