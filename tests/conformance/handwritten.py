# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The configurations below cases/, as a site might have them, each with every way of editing."""

from __future__ import annotations

import pathlib

from generator import Case, ways

CASES = pathlib.Path(__file__).resolve().parent / "cases"


def hand_written() -> list[Case]:
    """One case for each folder, and the large one that need not be kept as a file."""
    cases = [_case(folder) for folder in sorted(CASES.iterdir()) if folder.is_dir()]
    model = next(case for case in cases if case.name == "commented-out")
    nodes = b"".join(
        b"NodeName=node%04d CPUs=64 Sockets=2 CoresPerSocket=16 ThreadsPerCore=2 RealMemory=256000 State=UNKNOWN\n"
        % number
        for number in range(1, 2001)
    )
    files = {"slurm.conf": model.files["slurm.conf"].replace(b"NodeName=n[1-16]", nodes + b"NodeName=n[1-16]")}
    return [*cases, model._replace(name="two-thousand-nodes", files=files)]


def _case(folder: pathlib.Path) -> Case:
    files = {str(file.relative_to(folder)): file.read_bytes() for file in sorted(folder.rglob("*")) if file.is_file()}
    daemon = "slurmdbd" if "slurmdbd.conf" in files else "slurmctld"
    return Case(folder.name, daemon, files, ways(daemon, "/n/new key"), frozenset())
