# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Oracles: containers with the daemons of one release of Slurm, each reached by two pipes."""

from __future__ import annotations

import base64
import json
import os
import pathlib
import re
import shlex
import subprocess
import tempfile
import threading
from typing import Any, Iterable, Mapping

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent


def collection_path() -> str:
    """A folder from which Python imports the collection, wherever the checkout is."""
    if ROOT.parts[-3:] == ("ansible_collections", "hpc", "slurm_jwt"):
        return str(ROOT.parents[2])
    folder = pathlib.Path(tempfile.mkdtemp(prefix="check-"))
    parent = folder / "ansible_collections" / "hpc"
    parent.mkdir(parents=True)
    (parent / "slurm_jwt").symlink_to(ROOT)
    return str(folder)


def available(releases: Iterable[str]) -> list[str]:
    """The releases that the lab has; prints those that it could not get, see slurmlab/images.py."""
    record = ROOT / ".work/lab/images.json"
    unavailable = json.loads(record.read_text(encoding="utf-8"))["unavailable"] if record.exists() else {}
    for release in set(releases) & set(unavailable):
        print(f"Slurm {release} is left out, because it is not available any more: {unavailable[release]}", flush=True)
    return [release for release in releases if release not in unavailable]


def year_and_month(version: str) -> tuple[int, int]:
    """Of the version that a daemon prints: Debian sid may have a newer Slurm than the lab calls it by."""
    match = re.search(r"(\d+)\.(\d+)", version)
    assert match, version
    return int(match[1]), int(match[2])


class Oracle:
    """The daemons of one release in a container of their own."""

    def __init__(self, release: str, through: str | None = None) -> None:
        command = container(release, through)
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.seconds: list[float] = []
        self.version: str = self._answer()["ready"]

    def ask(self, daemon: str, files: Mapping[str, bytes]) -> tuple[int | None, str]:
        """The exit code and the log of a daemon that exits because of these files; no code if it does not exit."""
        answer = self._ask({"daemon": daemon}, files)
        return answer["code"], answer["log"]

    def admit(self, files: Mapping[str, bytes], tokens: list[str]) -> dict[str, Any]:
        """How slurmctld with these files answers tokens; see oracle.py."""
        return self._ask({"tokens": tokens}, files)

    def close(self) -> None:
        assert self._process.stdin
        self._process.stdin.close()
        self._process.wait()

    def _ask(self, question: dict[str, Any], files: Mapping[str, bytes]) -> dict[str, Any]:
        question["files"] = {name: base64.b64encode(data).decode() for name, data in files.items()}
        assert self._process.stdin
        self._process.stdin.write(json.dumps(question).encode() + b"\n")
        self._process.stdin.flush()
        answer = self._answer()
        self.seconds.append(answer["seconds"])
        return answer

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit(f"check: the container ended with {self._process.wait()}; see above.")
        answer: dict[str, Any] = json.loads(line)
        return answer


def container(release: str, through: str | None) -> list[str]:
    """The command that runs the oracle with the daemons of this release."""
    if through:
        return [part.replace("{release}", release) for part in shlex.split(through)]
    enter = str(ROOT / "tests" / "lab" / "enter")
    listing = [enter, "podman", "images", "--format", "{{.Repository}}:{{.Tag}}", "localhost/slurm-jwt-lab"]
    images = subprocess.run(listing, check=True, capture_output=True, text=True).stdout.split()
    image = next((name for name in images if re.fullmatch(rf".*:{re.escape(release)}-[0-9a-f]{{12}}", name)), None)
    if image is None:
        raise SystemExit(f"check: no image for Slurm {release}; tests/lab/lab images {release} makes it.")
    return [
        enter,
        "podman",
        "run",
        "--rm",
        "--interactive",
        "--privileged",
        "--network=none",
        "--hostname=ctl1",
        "--init",
        "--ulimit=nofile=1024:1024",
        "--pids-limit=-1",
        "--ulimit=nproc=8192:8192",
        "--tmpfs=/oracle:mode=755",
        "--name",
        f"conformance-{release}-{os.getpid()}-{threading.get_ident()}",
        "--volume",
        f"{HERE}:/conformance:ro",
        image,
        "python3",
        "/conformance/oracle.py",
    ]
