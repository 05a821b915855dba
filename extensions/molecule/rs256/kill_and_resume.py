# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Kills an RSA rotation at task after task, and runs it again each time: the cluster must end consistent.

There is one private key, with the declared serial on record; all key hosts have the same key set, with the public half
of that key; and both daemons accept a service token of that key. The service's token is valid at any time, also before
the next run.

    kill_and_resume.py CLUSTER_FOLDER SITE --declared JSON [--every N]
"""

from __future__ import annotations

import base64
import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "shared"))

import killing

KEY, KEY_SET = "/etc/slurm/rs256.pem", "/etc/slurm/jwks.json"


class Cluster(killing.Cluster):
    def killed(self) -> list[str]:
        return [f"{problem}, before the next run" for problem in self.refusals_of_the_service()]

    def complaints(self, serial: str) -> list[str]:
        problems = []
        names = [name for name in self.on("ctl1", "ls -A /etc/slurm").split() if "rs256" in name]
        if names != ["rs256.pem", "rs256.pem.record"]:
            problems.append(f"ctl1 is left with {names}")
        record = json.loads(self.on("ctl1", f"cat {KEY}.record"))
        if record["serial"] != serial or "run" in record:
            problems.append(f"ctl1 has on record: {record}")
        sets = {host: self.on(host, f"cat {KEY_SET}") for host in ("ctl1", "ctl2", "dbd1")}
        if len(set(sets.values())) != 1:
            problems.append(f"different key sets: {sets}")
        modulus = self.on("ctl1", f"openssl rsa -in {KEY} -noout -modulus").partition("=")[2]
        signing = [key["kid"] for key in json.loads(sets["ctl1"])["keys"] if number(key["n"]) == int(modulus, 16)]
        header = json.loads(decoded(self.on("svc1", "cat /etc/load.token").partition(".")[0]))
        if [header["kid"]] != signing:
            problems.append(f"the service token is of {header['kid']}, and the key is {signing}")
        return problems + self.refusals_of_the_service()


def decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "===")


def number(text: str) -> int:
    return int.from_bytes(decoded(text), "big")


def main() -> int:
    parser = killing.arguments(__doc__)
    parser.add_argument("--declared", required=True, help="further declarations of the site, in JSON")
    options = parser.parse_args()
    cluster = Cluster(options.folder, [f"@{options.site}", options.declared])
    return killing.kill_and_resume(cluster, options.first, options.every, same_processes=False)


if __name__ == "__main__":
    sys.exit(main())
