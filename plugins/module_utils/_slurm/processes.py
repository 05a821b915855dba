# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The processes of Slurm's daemons, read from ``/proc``. Private to this collection."""

from __future__ import annotations

import os
import re
import time
from typing import NamedTuple

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._slurm import command_line
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._slurm.units import unit_name

# What the kernel adds to the name of a removed file.
_DELETED = " (deleted)"

# Both layouts of the control groups, the unified one first.
_CGROUPS = ("sys/fs/cgroup/system.slice", "sys/fs/cgroup/systemd/system.slice")


def usual_environment_files(service: str) -> list[str]:
    """The environment files that distributions give to that daemon's unit."""
    return [f"/etc/default/{service}", f"/etc/sysconfig/{service}"]


def sets_slurm_jwt(path: str) -> bool:
    """Whether a file such as /etc/environment or an EnvironmentFile= sets SLURM_JWT."""
    data = read(path) or b""
    # Almost no file sets it, and the pattern takes longer than reading the file.
    return b"SLURM_JWT" in data and re.search(rb"(?m)^[ \t]*(?:export[ \t]+)?SLURM_JWT[ \t]*=", data) is not None


class Process(NamedTuple):
    """A running process."""

    pid: int
    name: str
    uid: int
    started: float
    """Seconds since 1970, as exact as the kernel's tick."""
    command: tuple[str, ...]
    slurm_jwt: bool | None
    """Whether SLURM_JWT is in its environment; None if that cannot be read. The value is never used."""
    replaced: bool
    """Whether its program was replaced on disk."""
    conf: str | None
    """The slurm.conf that -f or SLURM_CONF names; None if neither does."""
    program: str | None = None
    """The file that it runs, without links."""


def inspect(pid: int, root: str = "/") -> Process | None:
    """The process of that number, or None if there is none."""
    folder = os.path.join(root, "proc", str(pid))
    stat, status = read(os.path.join(folder, "stat")), read(os.path.join(folder, "status"))
    if stat is None or status is None:
        return None
    # The name is in brackets and may itself contain brackets and blanks.
    name, rest = stat[stat.index(b"(") + 1 : stat.rindex(b")")], stat[stat.rindex(b")") + 2 :].split()
    uids = next((line.split() for line in status.splitlines() if line.startswith(b"Uid:")), [])
    environ = read(os.path.join(folder, "environ"))
    variables = (environ or b"").split(b"\0")
    words = (read(os.path.join(folder, "cmdline")) or b"").split(b"\0")[:-1]
    command = tuple(word.decode(errors="surrogateescape") for word in words)
    program = _link(os.path.join(folder, "exe"))
    return Process(
        pid=pid,
        name=name.decode(errors="replace"),
        uid=int(uids[2]) if len(uids) > 2 else -1,
        started=_booted() + int(rest[19]) / os.sysconf("SC_CLK_TCK"),
        command=command,
        slurm_jwt=None if environ is None else any(word.startswith(b"SLURM_JWT=") for word in variables),
        replaced=program.endswith(_DELETED),
        conf=command_line.conf(command) or _conf_of(variables),
        program=(program[: -len(_DELETED)] if program.endswith(_DELETED) else program) or None,
    )


def _conf_of(variables: list[bytes]) -> str | None:
    named = [word.partition(b"=")[2] for word in variables if word.startswith(b"SLURM_CONF=")]
    return os.fsdecode(named[0]) if named and named[0] else None


def mapping(pid: int, path: str, root: str = "/") -> str:
    """How a process has mapped that file. slurmctld and slurmdbd map their key as long as they run.

    "current": the file that is at the path now, shared: bytes written in place have an effect at once.
    "copied": that file, but as a private copy, which does not change. "replaced": a file that was there before.
    "absent": no file of that path. "unknown": the kernel does not say.
    """
    maps = read(os.path.join(root, "proc", str(pid), "maps"))
    if maps is None:
        return "unknown"
    resolved = os.fsencode(os.path.realpath(path))
    try:
        found = os.stat(path)
    except OSError:
        found = None
    answer = "absent"
    for line in maps.splitlines():
        fields = line.split(None, 5)
        if len(fields) < 6 or not fields[5].startswith(resolved):
            continue
        named = fields[5] == resolved
        if not named and fields[5] != resolved + b" (deleted)":
            continue
        same = found is not None and _same(found, fields[3], fields[4])
        # A file that was moved away and back is still the same, although the kernel calls it deleted.
        if same or (same is None and named):
            # proc(5): the last letter of the permissions is s for shared and p for private.
            return "current" if fields[1].endswith(b"s") else "copied"
        answer = "replaced"
    return answer


def _same(found: os.stat_result, device: bytes, inode: bytes) -> bool | None:
    """Whether a mapped file is the one at the path now. Another host that shares the folder may have replaced it.

    None if the kernel and stat() show different devices, as with overlays: then the numbers cannot be compared, and
    only the name counts.
    """
    major, dummy_colon, minor = device.partition(b":")
    comparable = (int(major, 16), int(minor, 16)) == (os.major(found.st_dev), os.minor(found.st_dev))
    return int(inode) == found.st_ino if comparable else None


def main_pid(service: str, program: str, pid_files: tuple[str, ...] = (), root: str = "/") -> int:
    """The pid of a daemon, without asking systemd, which would take too long; 0 for none."""
    for cgroup in _CGROUPS:
        numbers = read(os.path.join(root, cgroup, unit_name(service), "cgroup.procs"))
        for number in (numbers or b"").split():
            if _is(int(number), program, root):
                return int(number)
    for pid_file in pid_files:
        number = (read(os.path.join(root, pid_file.lstrip("/"))) or b"").strip()
        if number.isdigit() and _is(int(number), program, root):
            return int(number)
    return 0


def _is(pid: int, program: str, root: str) -> bool:
    # The kernel cuts names after 15 characters; Slurm's daemons name their main thread after themselves.
    return (read(os.path.join(root, "proc", str(pid), "comm")) or b"").strip() == program.encode()[:15]


def _booted() -> float:
    return time.time() - time.clock_gettime(time.CLOCK_BOOTTIME)


def read(path: str) -> bytes | None:
    """The content of a file; None if it cannot be read."""
    try:
        with open(path, "rb") as stream:
            return stream.read()
    except OSError:
        return None


def _link(path: str) -> str:
    try:
        return os.readlink(path)
    except OSError:
        return ""
