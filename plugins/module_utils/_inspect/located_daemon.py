# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a site has its Slurm, according to its running daemons and their units. Private to this collection.

Nobody but root may decide which program root runs, or which file it edits. So only daemons of a systemd service are
believed, and only paths that nobody else can write to.
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
# A build has the path of its slurm.conf in its library.
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
    """As it was started, so that a link such as /opt/slurm/current stays one."""
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
    """The program of a process by the path with which it was started, if that still leads to it."""
    started = process.command[0] if process.command else ""
    if os.path.isabs(started) and os.path.realpath(started) == process.program:
        return started
    return process.program


def _conf_of_unit(unit: Unit) -> str | None:
    told = rest_unit.variable("SLURM_CONF", unit.environment, unit.environment_files)
    return told.value if told and told.value else None


def running(name: str, root: str = "/") -> Iterator[tuple[int, str]]:
    """The processes of that name that belong to a systemd service, each with its service."""
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
    """The slurmdbd.conf of a slurmdbd, which is next to its slurm.conf; that need not exist."""
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
                # What does not exist could be created by anybody.
                yield one, os.stat_result((stat.S_IFREG | 0o002, 0, 0, 1, 65534, 65534, 0, 0, 0, 0))
            if one == "/":
                break
            one = os.path.dirname(one)
