# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The systemctl commands of the timer modules. Private to this collection."""

from __future__ import annotations

import os
from typing import Callable, Sequence

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._slurm import units as systemd_units
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._slurm.units import Unit


def works(timer: Unit) -> bool:
    """Whether a timer does what its file says, now and after the next boot."""
    return timer.active == "active" and timer.enabled == "enabled" and not timer.needs_reload


class Systemctl:
    """systemctl of this host. ``run`` returns a command's output, and ends the module if the command fails."""

    def __init__(self, path: str, run: Callable[[Sequence[str]], str]) -> None:
        self.path = path
        self._run = run

    def call(self, verb: str, *units: str) -> str:
        return self._run([self.path, verb, *(["--", *units] if units else [])])

    def timers(self, units: Sequence[str]) -> dict[str, Unit]:
        """The state of each timer, by its unit."""
        if not units:
            return {}
        output = self._run(systemd_units.show(units, self.path))
        return dict(zip(units, systemd_units.parse(output)))

    def start(self, idle: Sequence[str], rewritten: Sequence[str], reload: bool) -> None:
        """Enable and restart timers that do not work, and restart those whose files are new."""
        if reload:
            self.call("daemon-reload")
        if idle:
            self.call("enable", *idle)
        if idle or rewritten:
            self.call("restart", *dict.fromkeys([*idle, *rewritten]))


def remove_boot_files(paths: Sequence[str]) -> None:
    """Remove what systemd keeps of a timer whose unit is removed; ``systemctl disable`` needs the unit."""
    for path in paths:
        if os.path.lexists(path):
            os.unlink(path)
