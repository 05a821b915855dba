# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A cluster of the lab for a measurement: started, used over SSH and by Ansible, and removed."""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

ROOT = pathlib.Path(__file__).resolve().parents[2]
WORK = ROOT / ".work" / "bench"
HERE = pathlib.Path(__file__).resolve().parent

KEY = "/var/lib/slurm/slurmctld/jwt_hs256.key"
USER = "alice"
#: Seconds that a command on a host may take.
AT_MOST = 300


class Failed(Exception):
    """A measurement failed. The text is for people."""


def log(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)


class Cluster:
    """A cluster, and a log of all its commands below .work/bench."""

    def __init__(self, name: str, release: str) -> None:
        self.name, self.release = name, release
        self.lab = ROOT / ".work" / "lab" / name
        self.log_file = WORK / f"{name}.log"
        self.inventories = [self.lab / "inventory.yml"]

    def ssh(self, host: str, *command: str) -> list[str]:
        return ["ssh", "-F", f"{self.lab}/ssh_config", host, *command]

    def on(self, host: str, command: str, given: str = "") -> str:
        """The output of a shell command on a host, as root. given is its standard input."""
        begin = time.monotonic()
        try:
            done = subprocess.run(
                self.ssh(host, command), input=given, capture_output=True, text=True, timeout=AT_MOST, check=False,
            )
        except subprocess.TimeoutExpired:
            raise Failed(f"{host}: {command}\ndid not end in {AT_MOST} s.") from None
        self.note(f"{host}$ {command}", done.stderr, time.monotonic() - begin)
        if done.returncode:
            raise Failed(f"{host}: {command}\nended with {done.returncode}: {done.stderr.strip()}{done.stdout.strip()}")
        return done.stdout.strip()

    def put(self, host: str, text: str, path: str, mode: str = "0644") -> None:
        self.on(host, f"install -D -m {mode} /dev/stdin {path}", text)

    def copy(self, host: str, folder: pathlib.Path, into: str) -> None:
        """Copies a folder of this machine below a folder of the host."""
        pack = ["tar", "-C", folder.parent, "-c", folder.name]
        archive = subprocess.run(pack, capture_output=True, check=True).stdout
        subprocess.run(self.ssh(host, f"mkdir -p {into} && tar -x -C {into}"), input=archive, check=True)

    def add_inventory(self, **groups: Any) -> None:
        """Adds to the lab's inventory. JSON is YAML and needs no library."""
        path = self.lab / f"more-{len(self.inventories)}.yml"
        path.write_text(json.dumps(groups, indent=2) + "\n")
        self.inventories.append(path)

    def ansible(self, *words: str, environment: dict[str, str] | None = None) -> tuple[float, str]:
        """Runs one of Ansible's programs on this cluster. Returns its seconds and its output."""
        command = [words[0], *(f"--inventory={path}" for path in self.inventories), *words[1:]]
        begin = time.monotonic()
        done = subprocess.run(
            command, cwd=ROOT, env={**os.environ, **(environment or {})}, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
        )
        seconds = time.monotonic() - begin
        self.note(f"$ {' '.join(words)}", done.stdout, seconds)
        if done.returncode:
            raise Failed(f"{' '.join(words)} failed on {self.name} with {self.release}; {self.log_file} shows why.")
        return seconds, done.stdout

    def note(self, command: str, output: str, seconds: float) -> None:
        with open(self.log_file, "a", encoding="utf-8") as file:
            file.write(f"\n{time.strftime('%H:%M:%S')} {command}\n{output}({seconds:.1f} s)\n")

    def play(self, playbook: str, *words: str) -> float:
        """Runs a playbook of the collection. Returns its seconds."""
        return self.ansible("ansible-playbook", f"hpc.slurm_jwt.{playbook}", *words)[0]


@contextlib.contextmanager
def up(name: str, release: str, hosts: str) -> Iterator[Cluster]:
    """A cluster without JWT."""
    cluster = Cluster(f"bench-{name}", release)
    WORK.mkdir(parents=True, exist_ok=True)
    log(f"starting {cluster.name} with Slurm {release}: {hosts}")
    with open(cluster.log_file, "w", encoding="utf-8") as file:
        def lab(*words: str) -> int:
            command = (ROOT / "tests/lab/lab", *words)
            return subprocess.call(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT)

        try:
            if lab("up", release, f"--name={cluster.name}", f"--hosts={hosts}"):
                raise Failed(f"The lab could not start the cluster; {cluster.log_file} shows why.")
            yield cluster
        finally:
            lab("down", cluster.name)


@contextlib.contextmanager
def service(cluster: Cluster, host: str, unit: str, command: str) -> Iterator[pathlib.PurePosixPath]:
    """Runs a command as a user's service on a host. Yields the file with its output."""
    output = pathlib.PurePosixPath(f"/run/{unit}.out")
    cluster.on(host, f"rm -f {output}; systemd-run --quiet --collect --unit={unit} --uid={USER} "
                     f"--property=StandardOutput=append:{output} {command}")
    try:
        yield output
    finally:
        cluster.on(host, f"systemctl stop {unit} || true")
