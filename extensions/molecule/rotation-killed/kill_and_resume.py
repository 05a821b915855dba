# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Kills a rotation at task after task, and each time runs it again: the cluster must end consistent.

One key on all key hosts and the one before it, nothing staged, the declared serial on record, a service token that both
daemons take, and slurmctld and slurmdbd the very processes that they were at the beginning.

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
        found = []
        keys = {host: self.on(host, f"sha256sum < {STATE}/jwt_hs256.key") for host in ("ctl1", "ctl2", "dbd1")}
        if len(set(keys.values())) != 1:
            found.append(f"different keys: {keys}")
        for host in keys:
            names = [name for name in self.on(host, f"ls {STATE}").split() if name.startswith("jwt_")]
            if names != LEFT:
                found.append(f"{host} is left with {names}")
            record = json.loads(self.on(host, f"cat {STATE}/jwt_hs256.key.record"))
            if record["serial"] != serial or "run" in record:
                found.append(f"{host} has on record: {record}")
        for name in self.on("svc1", "ls /etc").split():
            if name.startswith("load.token."):
                found.append(f"svc1 is left with /etc/{name}")
        return found + self.refusals_of_the_service()


def main() -> int:
    parser = killing.arguments(__doc__)
    parser.add_argument("--method", default="auto", choices=["auto", "reload", "restart"])
    options = parser.parse_args()
    declared = [f"@{options.site}", f"slurm_jwt_rotation_method={options.method}"]
    cluster = Cluster(options.folder, declared)
    return killing.kill_and_resume(cluster, options.first, options.every, options.method == "auto")


if __name__ == "__main__":
    sys.exit(main())
