# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A module that has nothing to do, compared with ansible.builtin.stat."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

from cluster import KEY, USER, WORK, Cluster, Failed, log, up
from figures import Cell, IsSelected, Measurement

HOST = "ctl1"
ROUNDS = 25
BASELINE = "stat"

#: Module and arguments, by the name in the table.
TASKS: dict[str, dict[str, dict[str, Any]]] = {
    BASELINE: {"ansible.builtin.stat": {"path": KEY}},
    "slurm_jwt_key": {"hpc.slurm_jwt.slurm_jwt_key": {"path": KEY, "owner": "slurm", "group": "slurm"}},
    "slurm_conf": {"hpc.slurm_jwt.slurm_conf": {
        "path": "/etc/slurm/slurm.conf",
        "lists": {"AuthAltTypes": {"present": ["auth/jwt"]}},
        "options": {"AuthAltParameters": {"present": {"jwt_key": KEY}}},
    }},
    "slurm_jwt_token": {"hpc.slurm_jwt.slurm_jwt_token": {
        "user": USER, "key_path": KEY, "dest": "/etc/slurm/token", "owner": USER, "lifespan": "1d",
    }},
    "slurm_jwt_info, as for a node": {"hpc.slurm_jwt.slurm_jwt_info": {"components": ["node"]}},
    # This asks slurmctld and systemd, too.
    "slurm_jwt_info, as for a controller": {"hpc.slurm_jwt.slurm_jwt_info": {"components": ["slurmctld"]}},
}

TEXT = f"""\
On a controller with JWT, over SSH with pipelining and an open connection: the time from the start of a task to its
result, as Ansible's own callback `junit` reports it, median of {ROUNDS}. The tasks of one playbook run in turn.
"""


def run(release: str, is_selected: IsSelected) -> Iterator[Cell]:
    with up(f"modules-{release}", release, "ctl1,dbd1,rest1,node1") as cluster:
        cluster.play("rollout")
        tasks = [{"name": name, **what} for name, what in TASKS.items() if name == BASELINE or is_selected(name)]
        playbook(cluster, tasks)  # makes what is missing
        log(f"{release}: {ROUNDS} rounds of {len(tasks)} modules")
        seconds = timed(cluster, tasks * ROUNDS)
        for name in (task["name"] for task in tasks):
            yield Cell((release, name), {
                "unchanged run": f"{1000 * median(seconds[name]):.0f} ms",
                "compared with stat": f"{median(seconds[name]) / median(seconds[BASELINE]):.2f} ×",
            }, seconds[name])


def playbook(cluster: Cluster, tasks: list[dict[str, Any]], **environment: str) -> str:
    path = cluster.lab / "modules.yml"
    path.write_text(json.dumps([{"hosts": HOST, "gather_facts": False, "tasks": tasks}]))
    return cluster.ansible("ansible-playbook", str(path), environment=environment)[1]


def timed(cluster: Cluster, tasks: list[dict[str, Any]]) -> dict[str, list[float]]:
    """The seconds of each task, by its name."""
    reports = WORK / "junit"
    for old in reports.glob("*.xml"):
        old.unlink()
    output = playbook(cluster, tasks, ANSIBLE_CALLBACKS_ENABLED="ansible.builtin.junit", JUNIT_OUTPUT_DIR=str(reports))
    if not re.search(rf"ok={len(tasks)} +changed=0 ", output):
        raise Failed(f"A module that had nothing to do changed something; {cluster.log_file} shows what.")
    return read(next(reports.glob("*.xml")), {task["name"] for task in tasks})


def read(report: Path, names: set[str]) -> dict[str, list[float]]:
    """The callback names a case "[ctl1] ctl1: NAME", and adds the task's arguments."""
    seconds: dict[str, list[float]] = {name: [] for name in names}
    for case in xml.etree.ElementTree.parse(report).getroot().iter("testcase"):
        task = str(case.get("name")).partition(": ")[2]
        seconds[next(name for name in names if f"{task} ".startswith(f"{name} "))].append(float(case.get("time") or 0))
    return seconds


MEASUREMENT = Measurement("modules", "A module's unchanged run", TEXT, ("Slurm", "module"), run)
