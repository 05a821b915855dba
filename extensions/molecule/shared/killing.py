# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Kills a playbook at task after task, and runs it again each time. Shared by the scenarios' kill_and_resume.py."""

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
"""More than the tasks of any playbook."""


class Cluster:
    """The cluster. complaints() lists differences from the state after a complete run."""

    def __init__(self, folder: pathlib.Path, declared: list[str]) -> None:
        self.folder, self.declared = folder, declared

    def complaints(self, serial: str) -> list[str]:
        raise NotImplementedError

    def killed(self) -> list[str]:
        """Problems before the next run."""
        return []

    def on(self, host: str, command: str) -> str:
        ssh = ["ssh", "-n", "-F", str(self.folder / "ssh_config"), host, command]
        return subprocess.run(ssh, stdout=subprocess.PIPE, text=True, check=True).stdout.strip()

    def attempt(self, serial: str, kill_at: int | None = None, when: str = "before") -> tuple[int, str]:
        """One run, by its serial: the exit code and the output."""
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
        """Refusals of the service token, on a host with the plugin that a client needs for SLURM_JWT."""
        token, problems = self.on("svc1", "cat /etc/load.token"), []
        for client in ("sinfo -h", "sacctmgr -n list cluster"):
            try:
                self.on("ctl1", f"SLURM_JWT={token} {client}")
            except subprocess.CalledProcessError as error:
                problems.append(f"{client} with the service token ended with {error.returncode}")
        return problems


def arguments(doc: str, site: bool = True) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path, help="the cluster's folder")
    if site:
        parser.add_argument("site", type=pathlib.Path, help="the file with the site's declarations")
    parser.add_argument("--every", type=int, default=1, help="only every Nth point; default: all of them")
    parser.add_argument("--first", type=int, default=1, help="the first point")
    return parser


def kill_and_resume(cluster: Cluster, first: int, every: int, same_processes: bool) -> int:
    """Kills at each point in turn and runs it again. Returns 1 if one of them failed, or there was no point."""
    before, killed, bad = cluster.processes(), 0, 0
    points = [(number, when) for number in range(1, MOST) for when in ("before", "during")]
    for number, when in points[first - 1 :: every]:
        serial, begin = f"{when}-{number}-{int(time.time())}", time.monotonic()
        code, output = cluster.attempt(serial, number, when)
        point = re.search(r"^killed .*", output, re.MULTILINE)
        if code != -signal.SIGKILL:
            if code or (when == "before" and not killed):
                print(output)
                bad += 1
            if when == "before":
                # The run is complete: there is no such task.
                break
            # A task on one host, or on none.
            continue
        killed += 1
        complaints = cluster.killed()
        code, again = cluster.attempt(serial)
        complaints += cluster.complaints(serial) + ([] if code == 0 else [f"the next run ended with {code}:\n{again}"])
        if same_processes and cluster.processes() != before:
            complaints.append(f"daemons were restarted: {before} {cluster.processes()}")
            before = cluster.processes()
        bad += bool(complaints)
        print(f"{point[0] if point else '?'}: {'; '.join(complaints) or 'completed by the next run'}"
              f" ({time.monotonic() - begin:.0f} s)", flush=True)
    print(f"killed {killed} times, {bad} failed", flush=True)
    return 1 if bad or not killed else 0
