# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Attacks on processes, units and journals, and locks that block root. See attacker.py."""

from __future__ import annotations

import contextlib
import fcntl
import glob
import os
import subprocess
import time
from typing import Any

from attacker import Attack, read

YOUNG = 1.0  # seconds in which a process may still execute another program


class Processes(Attack):
    """Reads the command line of every process while it runs, and its other files in /proc."""

    name = "processes"
    pause = 0.02

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.first_seen: dict[str, float] = {}

    def step(self) -> None:
        now = time.monotonic()
        pids = [name for name in os.listdir("/proc") if name.isdigit()]
        self.first_seen = {pid: self.first_seen.get(pid, now) for pid in pids}
        for pid, seen in self.first_seen.items():
            if now - seen < YOUNG:
                self.ledger.tried(self.name)
                line = read(f"/proc/{pid}/cmdline") or b""
                self.ledger.inspect(self.name, f"command line of {line[:60]!r}", line)
            if now == seen:
                self.read_inside(pid)

    def read_inside(self, pid: str) -> None:
        with contextlib.suppress(OSError):
            if os.stat(f"/proc/{pid}").st_uid == os.getuid():
                return
            for name in ("environ", "maps", "mem", "auxv"):
                if read(f"/proc/{pid}/{name}"):
                    self.ledger.gained(self.name, name, f"process {read(f'/proc/{pid}/comm')!r}")
            for name in os.listdir(f"/proc/{pid}/fd"):
                self.ledger.gained(self.name, "descriptors", f"{pid}: {os.readlink(f'/proc/{pid}/fd/{name}')}")


class Command(Attack):
    """Reads the output of programs."""

    pause = 5.0
    commands: tuple[tuple[str, ...], ...] = ()

    def step(self) -> None:
        for argv in self.commands:
            done = subprocess.run(argv, capture_output=True, stdin=subprocess.DEVNULL, timeout=30, check=False)
            self.ledger.tried(self.name)
            for line in done.stdout.splitlines():
                self.ledger.inspect(self.name, f"{' '.join(argv)}: {line[:60]!r}", line)


class Units(Command):
    """systemd shows everybody the environment of a unit, even if its file is private."""

    name = "units"
    commands = (("systemctl", "show", "--all", "*.service"), ("systemctl", "show-environment"))


class Journals(Command):
    name = "journals"
    commands = (("journalctl", "--no-pager", "--output=cat", "--lines=5000"),)


class Locks(Attack):
    """Locks every file and folder that others may lock, and keeps the locks."""

    name = "locks"
    pause = 0.2
    WHERE = (
        "/etc",
        "/etc/*token*",
        "/etc/slurm",
        "/etc/slurm/*",
        "/etc/slurm-jw*",
        "/etc/slurm-jw*/*",
        "/etc/slurm_jwt_proxy",
        "/etc/slurm_jwt_proxy/*",
        "/etc/systemd/system/slurmrestd.service.d/*",
        "/run/lock",
        "/run/slurm*",
        "/run/slurm*/*",
        "/tmp",
        "/usr/local/lib/slurm-jw*/*",
        "/var/lib/slurm",
        "/var/lib/slurm-jw*",
        "/var/lib/slurm/slurmctld",
        "/var/tmp",
    )

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.held: dict[str, int] = {}

    def step(self) -> None:
        for path in [*(path for pattern in self.WHERE for path in glob.glob(pattern)), *self.task.folders]:
            self.ledger.tried(self.name)
            with contextlib.suppress(OSError):
                self.lock(path)

    def lock(self, path: str) -> None:
        if path in self.held:
            if os.path.samestat(os.fstat(self.held[path]), os.stat(path)):
                return
            os.close(self.held.pop(path))
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # A read lock is possible on a file that is open for reading, and prevents write locks.
            with contextlib.suppress(OSError):
                fcntl.lockf(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            os.close(fd)
            raise
        self.held[path] = fd
        self.ledger.tried("locks held")
