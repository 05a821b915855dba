# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs podman, and a lock for work that two labs must not do at the same time."""

from __future__ import annotations

import contextlib
import fcntl
import pathlib
import subprocess
from collections.abc import Iterator

from progress import LabError, log

#: The label of every container and network of the lab, with the cluster's name.
LABEL = "slurm-jwt-lab"
#: Short, because the paths of OpenSSH's control sockets below it are limited. The same for all clones of the
#: repository, like the names of containers.
RUN = pathlib.Path("/run/slurm-jwt-lab")

#: crun must not raise limits that the machine may not raise; systemd needs the rest.
CONTAINER = (
    "--systemd=always", "--privileged", "--pids-limit=-1", "--no-hosts",
    "--ulimit", "nofile=4096:4096", "--ulimit", "nproc=8192:8192",
)


def podman(*arguments: str, timeout: float = 120) -> str:
    """Returns podman's output. Raises LabError with its errors."""
    command = ("podman", *arguments)
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False)
    except FileNotFoundError:
        raise LabError("There is no podman here. Run tests/lab/prerequisites as root first.") from None
    except subprocess.TimeoutExpired:
        raise LabError(f"No answer in {timeout:.0f} s from: {' '.join(command)}") from None
    if done.returncode:
        raise LabError(f"{' '.join(command)}\nended with {done.returncode}: {done.stderr.strip()}{done.stdout.strip()}")
    return done.stdout.strip()


def succeeds(*arguments: str) -> bool:
    answer = subprocess.run(("podman", *arguments), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    return answer.returncode == 0


@contextlib.contextmanager
def lock(name: str) -> Iterator[None]:
    """An exclusive lock on this machine. Logs if it has to wait."""
    (RUN / "locks").mkdir(parents=True, exist_ok=True)
    with open(RUN / "locks" / name, "w", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            log(name, "another lab is working on this; waiting for it to finish")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield
