# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the inspections of keys, plugins and daemons ask of the host that they belong to. Private to this collection."""

from __future__ import annotations

from typing import Any, Protocol

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.paths import User
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._inspect.facts import ConfFile
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._inspect.node import Options, Run
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._inspect.problems import Problem
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._slurm.processes import Process, Unit
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._slurm.releases import Release


class Inspected(Protocol):
    """A host of daemons, as far as it is known already."""

    options: Options
    run: Run
    now: float
    components: list[str]
    problems: list[Problem]
    release: Release | None
    program: str | None
    slurm: ConfFile | None
    slurmdbd: ConfFile | None
    user: User | None
    """SlurmUser."""
    units: dict[str, Unit]
    running: dict[str, Process | None]
    uninstalled: set[str]
    """The daemons whose package is missing."""
    to_bring: dict[str, list[str]]
    """Daemon to what it asks for, is missing, and comes with a rollout."""

    def service(self, component: str) -> str:
        """The unit of a daemon, without .service."""

    def key_hosts(self) -> list[tuple[str, ConfFile]]:
        """The daemons of this host that load keys, and the file that tells each which."""

    def declared_parameters(self) -> dict[str, Any]:
        """The AuthAltParameters that the site declares."""

    def brings(self, component: str, what: str) -> None:
        """Note what a daemon's file asks for, is missing, and comes with a rollout."""

    def unavailable(self, names: list[str]) -> list[str]:
        """Those packages that no repository of this host has."""

    def conf_is_sound(self) -> bool:
        """Whether Slurm's clients can read slurm.conf."""

    def conf_for(self, program: str) -> str:
        """The slurm.conf that a program of Slurm is told to read."""
