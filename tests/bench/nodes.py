# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What each node costs the host where Ansible runs, compared with ansible -m ping, up to thousands of nodes."""

from __future__ import annotations

import os
import re
import resource
import shlex
import subprocess
import time
from collections.abc import Iterator
from statistics import median
from typing import Any, NamedTuple

import picture
from cluster import HERE, ROOT, Cluster, Failed, log, up
from figures import Cell, IsSelected, Measurement

SERVERS = ("ctl1", "dbd1", "rest1")
REAL = "node1"
NODES = (10, 100, 1000, 5000)
#: Of so many nodes, so many are down.
DOWN = (5000, 100)
FORKS = 20
ROUNDS = 3
#: On a node, a program that runs Python and saves its output.
RECORDING_PYTHON = "/usr/local/bin/recording-python"
RECORD = "/run/recording-python"
#: RFC 5737: an address for documentation, which no host has.
NOBODY = "192.0.2.1"

TEXT = f"""\
A real controller, slurmdbd and slurmrestd, and nodes that answer at once: each is a connection of Ansible's type
`local` to a program that reads the module and prints a real node's answer (tests/bench/stand_in). So almost only the
host where Ansible runs is measured. `ansible -m ping` on the same hosts runs in turn, with {FORKS} forks for both.
*CPU* is user and system time of Ansible and all its processes. *Each node* is what a node adds to that, compared with
the line before. *Memory* is the largest of Ansible's processes. Medians of {ROUNDS} runs; the last line is one run, in
which the nodes that are down have an address where nobody answers, and `slurm_jwt_nodes_unreachable_max` allows them.
It must name them once and find nothing to do elsewhere. In the picture both scales are logarithmic.
"""


class Cost(NamedTuple):
    seconds: float
    cpu: float
    memory: float
    """MiB"""


def run(release: str, is_selected: IsSelected) -> Iterator[Cell]:
    with up(f"nodes-{release}", release, ",".join((*SERVERS, REAL))) as cluster:
        cluster.play("rollout")
        answer = cluster.lab / "node.json"
        answer.write_text(_answer(cluster), encoding="utf-8")
        before: dict[str, tuple[int, Cost]] = {}
        for number in NODES:
            if is_selected(str(number)):
                _name_nodes(cluster, number, str(answer))
                log(f"{number} nodes that answer at once")
                cell, costs = _cell(cluster, number, before)
                before = {name: (number, cost) for name, cost in costs.items()}
                yield cell
        label = f"{DOWN[0]}, {DOWN[1]} of them down"
        if is_selected(label):
            _name_nodes(cluster, DOWN[0], str(answer), DOWN[1])
            log(label)
            yield _cell_with_nodes_down(cluster, label)


def _answer(cluster: Cluster) -> str:
    """The answer of slurm_jwt_info on a real node, as it comes over the connection."""
    cluster.put(REAL, f'#!/bin/sh\n/usr/bin/python3 "$@" | tee {RECORD}\n', RECORDING_PYTHON, mode="0755")
    cluster.play("rollout", "--limit", REAL, "--extra-vars", f"ansible_python_interpreter={RECORDING_PYTHON}")
    return cluster.on(REAL, f"cat {RECORD}")


def _name_nodes(cluster: Cluster, number: int, answer: str, down: int = 0) -> None:
    variables = {
        "ansible_connection": "local", "ansible_pipelining": True, "ansible_become": False,
        "ansible_python_interpreter": str(HERE / "stand_in"),
    }
    hosts: dict[str, Any] = {f"n{index:04}": None for index in range(number)}
    for name in list(hosts)[:down]:
        hosts[name] = {"ansible_connection": "ssh", "ansible_host": NOBODY}
    cluster.inventories = cluster.inventories[:1]
    cluster.add_inventory(slurm_nodes={"children": {"stand_ins": {"hosts": hosts, "vars": variables}}})
    os.environ["ANSWER"] = answer


def _cell(cluster: Cluster, number: int, before: dict[str, tuple[int, Cost]]) -> tuple[Cell, dict[str, Cost]]:
    commands = {
        "ping": ("ansible", "all", "--module-name=ansible.builtin.ping", f"--forks={FORKS}"),
        "rollout": ("ansible-playbook", "hpc.slurm_jwt.rollout", f"--forks={FORKS}"),
    }
    measured: dict[str, list[Cost]] = {name: [] for name in commands}
    for _round in range(ROUNDS):
        for name, command in commands.items():
            measured[name].append(_measure(cluster, command))
    costs = {name: Cost(*(median(values) for values in zip(*each))) for name, each in measured.items()}
    values: dict[str, Any] = {}
    for name, cost in costs.items():
        each_node = ""
        if name in before:
            fewer, less = before[name]
            each_node = f"{1000 * (cost.cpu - less.cpu) / (number - fewer):.0f} ms"
        values.update(_values(name, cost, each_node))
    return Cell((cluster.release, number), values, measured), costs


def _cell_with_nodes_down(cluster: Cluster, label: str) -> Cell:
    allowed = f"--extra-vars=slurm_jwt_nodes_unreachable_max={DOWN[1]}"
    cost = _measure(cluster, ("ansible-playbook", "hpc.slurm_jwt.rollout", f"--forks={FORKS}", allowed))
    output = cluster.log_file.read_text(encoding="utf-8").rpartition("$ ansible-playbook")[2]
    if f"{DOWN[1]} node(s) cannot be reached" not in output or re.search(r"(changed|failed)=[1-9]", output):
        raise Failed(f"The rollout did not end as with all nodes; {cluster.log_file} shows why.")
    return Cell((cluster.release, label), _values("rollout", cost), cost)


def _values(name: str, cost: Cost, each_node: str = "") -> dict[str, str]:
    """The columns of one command. Without EACH_NODE there was no smaller number of nodes to compare with."""
    return {
        name: f"{cost.seconds:.1f} s",
        f"{name}, CPU": f"{cost.cpu:.1f} s",
        **({f"{name}, each node": each_node} if each_node else {}),
        f"{name}, memory": f"{cost.memory:.0f} MiB",
    }


def _picture(cells: list[dict[str, Any]]) -> str:
    cells = [cell for cell in cells if cell["labels"][1] in NODES]
    series = {
        name: [(float(cell["labels"][1]), float(cell["values"][f"{name}, CPU"].split()[0])) for cell in cells]
        for name in ("ping", "rollout")
    }
    return picture.lines(series, "nodes", "CPU seconds where Ansible runs")


def _measure(cluster: Cluster, words: tuple[str, ...]) -> Cost:
    command = [words[0], *(f"--inventory={path}" for path in cluster.inventories), *words[1:]]
    begin = time.monotonic()
    with open(cluster.log_file, "a", encoding="utf-8") as file:
        file.write(f"\n$ {shlex.join(words)}\n")
        file.flush()
        process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=file, stderr=file)
        _pid, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise Failed(f"{shlex.join(words)} failed; {cluster.log_file} shows why.")
    return Cost(time.monotonic() - begin, _cpu(used), used.ru_maxrss / 1024)


def _cpu(used: resource.struct_rusage) -> float:
    return used.ru_utime + used.ru_stime


MEASUREMENT = Measurement("nodes", "What a node costs", TEXT, ("Slurm", "nodes"), run, ("24.11",), _picture)
