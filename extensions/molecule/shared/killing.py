# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Kills a playbook at task after task, and each time runs it again: what kill_and_resume.py of each scenario shares."""

from __future__ import annotations

import argparse
import os
import pathlib
import re
import signal
import subprocess
import time

HERE = pathlib.Path(__file__).resolve().parent
MOST = 200
"""More tasks than a playbook will ever have."""


class Cluster:
    """The cluster that is worked on; complaints() says in what it is not as the playbook leaves it."""

    def __init__(self, folder: pathlib.Path, declared: list[str]) -> None:
        self.folder, self.declared = folder, declared

    def complaints(self, serial: str) -> list[str]:
        raise NotImplementedError

    def killed(self) -> list[str]:
        """What must not be so even before the next run."""
        return []

    def on(self, host: str, command: str) -> str:
        ssh = ["ssh", "-n", "-F", str(self.folder / "ssh_config"), host, command]
        return subprocess.run(ssh, stdout=subprocess.PIPE, text=True, check=True).stdout.strip()

    def attempt(self, serial: str, kill_at: int | None = None, when: str = "before") -> tuple[int, str]:
        """One run, by its serial: the exit code, and what was said."""
        return self.play("rotate", [*self.declared, f"slurm_jwt_key_serial={serial}"], kill_at, when)

    def play(
        self, playbook: str, declared: list[str], kill_at: int | None = None, when: str = "before"
    ) -> tuple[int, str]:
        command = [
            "ansible-playbook", f"--inventory={self.folder}/inventory.yml", f"hpc.slurm_jwt.{playbook}",
            *(f"--extra-vars={each}" for each in declared),
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

    def refusals_of_the_service(self) -> list[str]:
        """What the service token is refused for: by a host with the plugin that a client with SLURM_JWT needs."""
        token, found = self.on("svc1", "cat /etc/load.token"), []
        for client in ("sinfo -h", "sacctmgr -n list cluster"):
            try:
                self.on("ctl1", f"SLURM_JWT={token} {client}")
            except subprocess.CalledProcessError as error:
                found.append(f"{client} with the service token ended with {error.returncode}")
        return found


def arguments(doc: str, site: bool = True) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path, help="of the cluster")
    if site:
        parser.add_argument("site", type=pathlib.Path, help="the file with what the site declares")
    parser.add_argument("--every", type=int, default=1, help="only every Nth point; default: all of them")
    parser.add_argument("--first", type=int, default=1, help="where to begin")
    return parser


def kill_and_resume(cluster: Cluster, first: int, every: int, same_processes: bool) -> int:
    """Kill at each point in turn and run it again; 1 if any of them ended badly, or none was met."""
    before, killed, bad = cluster.processes(), 0, 0
    points = [(number, when) for number in range(1, MOST) for when in ("before", "during")]
    for number, when in points[first - 1 :: every]:
        serial, begin = f"{when}-{number}-{int(time.time())}", time.monotonic()
        code, said = cluster.attempt(serial, number, when)
        point = re.search(r"^killed .*", said, re.MULTILINE)
        if code != -signal.SIGKILL:
            if code or (when == "before" and not killed):
                print(said)
                bad += 1
            if when == "before":
                # It came to its end: there is no such task.
                break
            # A task of one host only, or of none.
            continue
        killed += 1
        complaints = cluster.killed()
        code, again = cluster.attempt(serial)
        complaints += cluster.complaints(serial) + ([] if code == 0 else [f"the next run ended with {code}:\n{again}"])
        if same_processes and cluster.processes() != before:
            complaints.append(f"daemons were restarted: {before} {cluster.processes()}")
            before = cluster.processes()
        bad += bool(complaints)
        print(f"{point[0] if point else '?'}: {'; '.join(complaints) or 'finished by the next run'}"
              f" ({time.monotonic() - begin:.0f} s)", flush=True)
    print(f"killed {killed} times, {bad} times badly", flush=True)
    return 1 if bad or not killed else 0
