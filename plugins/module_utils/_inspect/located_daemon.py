# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Finds a site's Slurm from its running daemons and their units. Private to this collection.

Only root may decide which program root runs, or which file it edits. So only daemons of systemd services count. root
runs only programs that no other user can replace, and no world-writable file is proposed.
"""

from __future__ import annotations

import os
import re
import stat
from typing import Iterator, NamedTuple

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.folder import is_shared, write_acl
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._inspect import inventory_values
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._slurm import install_paths, processes, rest_unit
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._slurm.processes import Process
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._slurm.units import NO_UNIT, Unit

_SYSTEM_SERVICE = re.compile(rb"^[0-9]+:(?:name=systemd)?:/system\.slice/(?:[^/\n]+\.slice/)*([^/\n]+)\.service", re.M)
# Slurm's library contains the default path of slurm.conf.
_BUILT_CONF = re.compile(rb"\0(/[A-Za-z0-9_./+@-]+/slurm\.conf)\0")
# Copies of the controller's slurm.conf on a configless host: one below /run, and slurmd's in SlurmdSpoolDir.
_FETCHED = re.compile(r"/run/slurm/.*|.*/conf-cache/slurm\.conf")


class LocatedDaemon(NamedTuple):
    """One daemon of Slurm as it runs, or as its unit would start it."""

    component: str
    name: str
    service: str
    """Its unit, without .service."""
    unit: Unit
    process: Process | None
    program: str | None
    """The path with which it was started: a link such as /opt/slurm/current is not resolved."""
    conf: str | None
    """The slurm.conf that it reads, or would read."""


def locate(component: str, service: str, unit: Unit = NO_UNIT, process: Process | None = None) -> LocatedDaemon:
    """A daemon from its unit, and from its process if it runs."""
    name = install_paths.DAEMON_OF[component]
    if process is not None and not _runs(process, name):
        process = None
    program = program_of(process) if process else unit.program
    conf = process.conf if process else _conf_of_unit(unit)
    return LocatedDaemon(component, name, service, unit, process, program, conf)


def _runs(process: Process, name: str) -> bool:
    # Debian's alternatives have names such as slurmctld-wlm.
    return os.path.basename(program_of(process) or "").partition("-")[0] == name


def program_of(process: Process) -> str | None:
    """The path with which a process was started if it still leads to its program, else the program itself."""
    started = process.command[0] if process.command else ""
    if os.path.isabs(started) and os.path.realpath(started) == process.program:
        return started
    return process.program


def _conf_of_unit(unit: Unit) -> str | None:
    told = rest_unit.variable("SLURM_CONF", unit.environment, unit.environment_files)
    return told.value if told and told.value else None


def running(name: str, root: str = "/") -> Iterator[tuple[int, str]]:
    """The pids of processes of this name in a systemd service, each with its service."""
    folder = os.path.join(root, "proc")
    for entry in sorted((entry for entry in os.listdir(folder) if entry.isdigit()), key=int):
        if processes.read(os.path.join(folder, entry, "comm")) != name.encode()[:15] + b"\n":
            continue
        found = _SYSTEM_SERVICE.search(processes.read(os.path.join(folder, entry, "cgroup")) or b"")
        if found and inventory_values.is_unit(found[1].decode(errors="replace")):
            yield int(entry), found[1].decode()


def bin_dirs(program: str) -> list[str]:
    """The folders of a daemon's program and of the clients beside it, the clients' first."""
    folder = os.path.dirname(program)
    prefix, last = os.path.split(folder)
    clients = [os.path.join(prefix, "bin"), folder] if last == "sbin" else [folder]
    having = [each for each in clients if os.path.exists(os.path.join(each, "scontrol"))][:1]
    return list(dict.fromkeys([*having, folder]))


def built_conf(program: str) -> str | None:
    """The default slurm.conf of a build."""
    folder = install_paths.plugin_dir(None, program)
    data = (processes.read(os.path.join(folder, "libslurmfull.so")) if folder else None) or b""
    found = [os.fsdecode(path) for path in _BUILT_CONF.findall(data)]
    return next((path for path in found if not _FETCHED.fullmatch(path)), None)


def conf(daemon: LocatedDaemon) -> str | None:
    """The slurm.conf of a daemon, if it exists and may be proposed."""
    built = built_conf(daemon.program) if daemon.program and not daemon.conf else None
    path = daemon.conf or built
    if not path or _FETCHED.fullmatch(path) or not os.path.isfile(path):
        return None
    return path if inventory_values.is_path(path) and not _anybody_writes(path) else None


def dbd_conf(daemon: LocatedDaemon) -> str | None:
    """The slurmdbd.conf beside the slurm.conf of a slurmdbd; that slurm.conf need not exist."""
    slurm_conf = daemon.conf or (built_conf(daemon.program) if daemon.program else None)
    path = os.path.join(os.path.dirname(slurm_conf), "slurmdbd.conf") if slurm_conf else None
    if not path or not os.path.isfile(path):
        return None
    return path if inventory_values.is_path(path) and not _anybody_writes(path) else None


def only_root_writes(path: str) -> bool:
    """Whether only root can replace any part of a path."""
    return all(found.st_uid == 0 and not _others_write(name, found) for name, found in _ancestors(path))


def _anybody_writes(path: str) -> bool:
    return any(found.st_mode & 0o002 for dummy_name, found in _ancestors(path) if not stat.S_ISLNK(found.st_mode))


def _others_write(name: str, found: os.stat_result) -> bool:
    # A user who can replace a link can write to its folder.
    return not stat.S_ISLNK(found.st_mode) and is_shared(found, write_acl(name, found))


def _ancestors(path: str) -> Iterator[tuple[str, os.stat_result]]:
    """The path, what it resolves to, and all folders above both."""
    for one in dict.fromkeys((path, os.path.realpath(path))):
        while True:
            try:
                yield one, os.lstat(one)
            except OSError:
                # Anybody might create a missing path.
                yield one, os.stat_result((stat.S_IFREG | 0o002, 0, 0, 1, 65534, 65534, 0, 0, 0, 0))
            if one == "/":
                break
            one = os.path.dirname(one)
