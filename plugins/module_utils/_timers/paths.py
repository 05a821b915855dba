# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a timer, its program and what it writes are on a host. Private to this collection."""

from __future__ import annotations

import os
from typing import NamedTuple


class TimerPaths(NamedTuple):
    """The paths of one timer, or of one timer for each instance."""

    unit: str
    """Name of the units, before the @ of an instance."""
    program: str
    settings: str
    records: str
    units: str = "/etc/systemd/system"
    stamps: str = "/var/lib/systemd/timers"
    """Where systemd notes when a persistent timer last ran."""

    @property
    def folders(self) -> tuple[str, ...]:
        """Folders that only this timer uses."""
        return (self.program, self.settings, self.records)

    def timer_unit(self, instance: str = "") -> str:
        return f"{self._unit(instance)}.timer"

    def timer(self, instance: str = "") -> str:
        return os.path.join(self.units, self.timer_unit(instance))

    def service(self, instance: str = "") -> str:
        return os.path.join(self.units, f"{self._unit(instance)}.service")

    def settings_file(self, name: str) -> str:
        return os.path.join(self.settings, f"{name}.json")

    def record(self, name: str) -> str:
        return os.path.join(self.records, f"{name}.json")

    def boot_files(self, instance: str = "") -> tuple[str, ...]:
        """What systemd keeps of a timer: the link by which boots start it, and when it last ran."""
        timer = self.timer_unit(instance)
        return (
            os.path.join(self.units, "timers.target.wants", timer),
            os.path.join(self.stamps, f"stamp-{timer}"),
        )

    def _unit(self, instance: str) -> str:
        return f"{self.unit}@{instance}" if instance else self.unit


def paths_of(unit: str) -> TimerPaths:
    return TimerPaths(unit, f"/usr/local/lib/{unit}", f"/etc/{unit}", f"/var/lib/{unit}")
