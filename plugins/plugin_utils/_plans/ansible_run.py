# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which run of Ansible this is, and whether another one is alive. Private to this collection.

A run is named HOST:BOOT:SPACE:PID:START, so a process that reuses the PID of a dead run is not mistaken for it. Whether
a run has ended is known only on the same host and in the same PID namespace (SPACE). It is unknown elsewhere, such as
in an execution environment, even if that has the name of its host.
"""

from __future__ import annotations

import getpass
import multiprocessing
import os

_BOOT = "/proc/sys/kernel/random/boot_id"


def this_run() -> str:
    """The name of this run."""
    pid = _main_process()
    return ":".join((os.uname().nodename, _boot(), _space(), str(pid), _start_of(pid) or "?"))


def by_whom() -> str:
    """The user who runs Ansible, or who called sudo for it."""
    try:
        user = os.environ.get("SUDO_USER") or getpass.getuser()
    except (KeyError, OSError):
        user = str(os.getuid())
    return f"{user}@{os.uname().nodename}"


def is_dead(run: str) -> bool | None:
    """Whether a run has ended; None if that cannot be determined here."""
    fields = run.split(":")
    if len(fields) != 5 or "?" in fields:
        return None
    host, boot, space, pid, start = fields
    if (host, space) != (os.uname().nodename, _space()) or not pid.isdigit():
        return None
    return boot != _boot() or _start_of(int(pid)) != start


def _main_process() -> int:
    """The PID of ansible-playbook itself, which forks workers that evaluate templates."""
    parent = multiprocessing.parent_process()
    return parent.pid if parent is not None and parent.pid is not None else os.getpid()


def _boot() -> str:
    try:
        with open(_BOOT, encoding="ascii") as stream:
            return stream.read().strip().partition("-")[0]
    except OSError:
        return "?"


def _space() -> str:
    """The PID namespace: process numbers mean nothing in another container."""
    try:
        return os.readlink("/proc/self/ns/pid").strip("pid:[]")
    except OSError:
        return "?"


def _start_of(pid: int) -> str | None:
    """Start time of a process, in ticks since boot; None if there is no such process, or it is a zombie."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as stream:
            # The name of the program, in parentheses, may contain anything.
            state, *fields = stream.read().rpartition(")")[2].split()
    except OSError:
        return None
    return None if state in "ZX" else fields[18]
