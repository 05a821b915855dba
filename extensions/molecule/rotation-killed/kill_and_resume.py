# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Kills a rotation at task after task, and each time runs it again: the cluster must end consistent.

One key on all holders and the one before it, nothing staged, the declared serial on record, a service token that both
daemons take, and slurmctld and slurmdbd the very processes that they were at the beginning.

    kill_and_resume.py CLUSTER_FOLDER SITE [--every N] [--method METHOD]
"""

from __future__ import annotations

import argparse
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
STATE = "/var/lib/slurm/slurmctld"
LEFT = ["jwt_hs256.key", "jwt_hs256.key.previous", "jwt_hs256.key.previous.record", "jwt_hs256.key.record"]
MOST = 200
"""More tasks than a rotation will ever have."""


class Cluster:
    def __init__(self, folder: pathlib.Path, site: pathlib.Path, method: str) -> None:
        self.folder, self.site, self.method = folder, site, method

    def on(self, host: str, command: str) -> str:
        ssh = ["ssh", "-n", "-F", str(self.folder / "ssh_config"), host, command]
        return subprocess.run(ssh, stdout=subprocess.PIPE, text=True, check=True).stdout.strip()

    def rotate(self, serial: str, kill_at: int | None = None, when: str = "before") -> tuple[int, str]:
        """The exit code, and what was said."""
        command = [
            "ansible-playbook", f"--inventory={self.folder}/inventory.yml", f"--extra-vars=@{self.site}",
            "hpc.slurm_jwt.rotate", f"--extra-vars=slurm_jwt_key_serial={serial}",
            f"--extra-vars=slurm_jwt_rotation_method={self.method}",
        ]  # fmt: skip
        environment = dict(os.environ, ANSIBLE_NOCOLOR="1")
        if kill_at is not None:
            environment.update(
                ANSIBLE_CALLBACK_PLUGINS=str(HERE), ANSIBLE_CALLBACKS_ENABLED="killer",
                KILL_AT=str(kill_at), KILL_WHEN=when,
            )  # fmt: skip
        done = subprocess.run(
            command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, check=False,
        )  # fmt: skip
        return done.returncode, done.stdout

    def processes(self) -> dict[str, str]:
        return {
            daemon: self.on(host, f"ps -C {daemon} -o pid=,lstart=")
            for host, daemon in (("ctl1", "slurmctld"), ("dbd1", "slurmdbd"))
        }

    def complaints(self, serial: str) -> list[str]:
        """Everything in which the cluster is not as a rotation leaves it."""
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
        token = self.on("svc1", "cat /etc/load.token")
        for client in ("sinfo -h", "sacctmgr -n list cluster"):
            try:
                # The service's host lacks the plugin that a client with SLURM_JWT needs.
                self.on("ctl1", f"SLURM_JWT={token} {client}")
            except subprocess.CalledProcessError as error:
                found.append(f"{client} with the service token ended with {error.returncode}")
        return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("site", type=pathlib.Path)
    parser.add_argument("--every", type=int, default=1, help="only every Nth point; default: all of them")
    parser.add_argument("--first", type=int, default=1, help="where to begin")
    parser.add_argument("--method", default="auto", choices=["auto", "reload", "restart"])
    arguments = parser.parse_args()
    cluster = Cluster(arguments.folder, arguments.site, arguments.method)
    before, killed, bad = cluster.processes(), 0, 0
    points = [(number, when) for number in range(1, MOST) for when in ("before", "during")]
    for number, when in points[arguments.first - 1 :: arguments.every]:
        serial, begin = f"{when}-{number}-{int(time.time())}", time.monotonic()
        code, said = cluster.rotate(serial, number, when)
        point = re.search(r"^killed .*", said, re.MULTILINE)
        if code != -signal.SIGKILL:
            if code or not killed:
                print(said)
                bad += 1
            if when == "before":
                # It came to its end: there is no such task.
                break
            # A task of one host only, or of none.
            continue
        killed += 1
        code, again = cluster.rotate(serial)
        complaints = cluster.complaints(serial) + ([] if code == 0 else [f"the next run ended with {code}:\n{again}"])
        if arguments.method == "auto" and cluster.processes() != before:
            complaints.append(f"daemons were restarted: {before} {cluster.processes()}")
            before = cluster.processes()
        bad += bool(complaints)
        print(f"{point[0] if point else '?'}: {'; '.join(complaints) or 'finished by the next run'}"
              f" ({time.monotonic() - begin:.0f} s)", flush=True)
    print(f"killed {killed} times, {bad} times badly", flush=True)
    return 1 if bad or not killed else 0


if __name__ == "__main__":
    sys.exit(main())
