# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Kills a rollout at task after task on a cluster with one slurm.conf for all hosts, and runs it again each time.

After each kill, slurmctld must start with the file as it is, and the next run must succeed. Each point begins on a
cluster without JWT.

    kill_and_resume.py CLUSTER_FOLDER [--every N]
"""

from __future__ import annotations

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "shared"))

import killing

KEY = "/var/lib/slurm/slurmctld/jwt_hs256.key"


class Cluster(killing.Cluster):
    def attempt(self, serial: str, kill_at: int | None = None, when: str = "before") -> tuple[int, str]:
        if kill_at is not None:
            code, output = self.play("remove", [])
            if code:
                return code, output
        return self.play("rollout", [], kill_at, when)

    def killed(self) -> list[str]:
        """Restarts slurmctld before the next run."""
        state = self.on("ctl1", "systemctl restart slurmctld; sleep 2; systemctl is-active slurmctld; true")
        return [] if state == "active" else [f"slurmctld is {state}"]

    def complaints(self, serial: str) -> list[str]:
        keys = {self.on(host, f"sha256sum < {KEY}") for host in ("ctl1", "ctl2", "dbd1")}
        lines = self.on("node1", "grep -c ^AuthAlt /etc/slurm/slurm.conf; true")
        answers = self.on("ctl1", "SLURM_JWT=$(scontrol token lifespan=60 | cut -d= -f2) sinfo -h | wc -l")
        return [
            *(["different keys"] if len(keys) != 1 else []),
            *([f"slurm.conf has {lines} lines of JWT"] if lines != "2" else []),
            *([] if answers == "1" else ["sinfo with a token prints nothing"]),
        ]


def main() -> int:
    options = killing.arguments(__doc__, site=False).parse_args()
    return killing.kill_and_resume(Cluster(options.folder, []), options.first, options.every, same_processes=False)


if __name__ == "__main__":
    sys.exit(main())
