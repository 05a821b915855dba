# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""To see what every user of a host can see of processes, units and journals, and to be in the way. See attacker.py."""

from __future__ import annotations

import contextlib
import fcntl
import glob
import os
import subprocess
import time
from typing import Any

from attacker import Attack, read

YOUNG = 1.0  # seconds for which a process may still become another program


class Processes(Attack):
    """Reads the command line of every process while it lives, and what else it does not keep to itself."""

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
                self.look_inside(pid)

    def look_inside(self, pid: str) -> None:
        with contextlib.suppress(OSError):
            if os.stat(f"/proc/{pid}").st_uid == os.getuid():
                return
            for name in ("environ", "maps", "mem", "auxv"):
                if read(f"/proc/{pid}/{name}"):
                    self.ledger.gained(self.name, name, f"process {read(f'/proc/{pid}/comm')!r}")
            for name in os.listdir(f"/proc/{pid}/fd"):
                self.ledger.gained(self.name, "descriptors", f"{pid}: {os.readlink(f'/proc/{pid}/fd/{name}')}")


class Command(Attack):
    """Reads what a program prints."""

    pause = 5.0
    commands: tuple[tuple[str, ...], ...] = ()

    def step(self) -> None:
        for argv in self.commands:
            done = subprocess.run(argv, capture_output=True, stdin=subprocess.DEVNULL, timeout=30, check=False)
            self.ledger.tried(self.name)
            for line in done.stdout.splitlines():
                self.ledger.inspect(self.name, f"{' '.join(argv)}: {line[:60]!r}", line)


class Units(Command):
    """What systemd tells everybody: the environment of a unit, whoever may read its file."""

    name = "units"
    commands = (("systemctl", "show", "--all", "*.service"), ("systemctl", "show-environment"))


class Journals(Command):
    name = "journals"
    commands = (("journalctl", "--no-pager", "--output=cat", "--lines=5000"),)


class Locks(Attack):
    """Locks every file and folder that somebody might want to lock, and never lets go."""

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
            # What is open for reading can be locked so that nobody gets a lock for writing.
            with contextlib.suppress(OSError):
                fcntl.lockf(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            os.close(fd)
            raise
        self.held[path] = fd
        self.ledger.tried("locks held")
