# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Kills a rotation at task after task, and runs it again each time: the cluster must end consistent.

All key hosts have the same current and previous key, nothing is staged, the declared serial is on record, both daemons
accept the service token, and slurmctld and slurmdbd are the same processes as in the beginning.

    kill_and_resume.py CLUSTER_FOLDER SITE [--every N] [--method METHOD]
"""

from __future__ import annotations

import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "shared"))

import killing

STATE = "/var/lib/slurm/slurmctld"
LEFT = ["jwt_hs256.key", "jwt_hs256.key.previous", "jwt_hs256.key.previous.record", "jwt_hs256.key.record"]


class Cluster(killing.Cluster):
    def complaints(self, serial: str) -> list[str]:
        problems = []
        keys = {host: self.on(host, f"sha256sum < {STATE}/jwt_hs256.key") for host in ("ctl1", "ctl2", "dbd1")}
        if len(set(keys.values())) != 1:
            problems.append(f"different keys: {keys}")
        for host in keys:
            names = [name for name in self.on(host, f"ls {STATE}").split() if name.startswith("jwt_")]
            if names != LEFT:
                problems.append(f"{host} is left with {names}")
            record = json.loads(self.on(host, f"cat {STATE}/jwt_hs256.key.record"))
            if record["serial"] != serial or "run" in record:
                problems.append(f"{host} has on record: {record}")
        for name in self.on("svc1", "ls /etc").split():
            if name.startswith("load.token."):
                problems.append(f"svc1 is left with /etc/{name}")
        return problems + self.refusals_of_the_service()


def main() -> int:
    parser = killing.arguments(__doc__)
    parser.add_argument("--method", default="auto", choices=["auto", "reload", "restart"])
    options = parser.parse_args()
    declared = [f"@{options.site}", f"slurm_jwt_rotation_method={options.method}"]
    cluster = Cluster(options.folder, declared)
    return killing.kill_and_resume(cluster, options.first, options.every, options.method == "auto")


if __name__ == "__main__":
    sys.exit(main())
