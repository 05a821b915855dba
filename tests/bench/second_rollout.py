# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A rollout that has nothing to do, compared with ansible -m ping on the same hosts."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from statistics import median
from typing import Any

from cluster import USER, Cluster, Failed, log, up
from figures import Cell, IsSelected, Measurement

CONTAINERS = ("node1", "node2", "node3", "node4")
GROUPS = {
    "slurmctld": ["ctl1"],
    "slurmdbd": ["dbd1"],
    "slurmrestd": ["rest1", "rest2"],
    "slurm_proxy": ["rest2"],
    "slurm_token_hosts": ["svc1"],
}
#: The kind of a host to the host that is counted. The proxy's host has slurmrestd and a service's token as well.
COUNTED = {"controller": "ctl1", "slurmdbd": "dbd1", "slurmrestd": "rest1", "proxy": "rest2", "services": "svc1"}
HOSTS = ",".join((*COUNTED.values(), *CONTAINERS))
DECLARED = {
    "slurm_jwt_proxy_lab_certificate": True,
    # The password is "lab".
    "slurm_jwt_proxy_basic_users": {USER: "$2b$08$zEQ6HLeUW1/vWMdImvBrT.6iCXQoGONUGX1vA2jC8eO.KPXOIRCN2"},
    "slurm_jwt_tokens_services": [
        {
            "name": "proxy",
            "user": "slurm",
            "allow_privileged": True,
            "dest": "/etc/slurm_jwt_proxy/token.conf",
            "format": "nginx",
            "reloads": ["nginx.service"],
            "reads_next": True,
            "renew": True,
            "hosts": ["slurm_proxy"],
        },
        {"name": "portal", "user": USER, "dest": "/etc/portal.token", "renew": True},
    ],
}
NODES = (1, 10, 50, 100, 500)
FORKS = 20

TEXT = f"""\
A controller, slurmdbd, slurmrestd, slurmrestd behind the proxy, a host of services and that many nodes, {FORKS} forks
for both. The nodes are {len(CONTAINERS)} containers under many names: each name has a separate SSH connection, opened
before the clock starts, but several share a host, and all share the machine with Ansible. So the hosts' own work
counts on both sides. The figures show how the two compare, not how long they take on a real cluster. Medians, in turn:
of three runs up to 100 nodes, of two with more. *Module runs* are counted in Ansible's log of what it executed over
SSH. The proxy's host has one inspection, and a proof each of slurmrestd and the proxy; it has a token with a timer as
well, which are two runs as on a host of services.
"""


def run(release: str, is_selected: IsSelected) -> Iterator[Cell]:
    with up(f"second-{release}", release, HOSTS) as cluster:
        for container in CONTAINERS:
            # Ansible opens many connections at once.
            cluster.put(container, "MaxStartups 500\n", "/etc/ssh/sshd_config.d/bench.conf")
            cluster.on(container, "systemctl reload ssh")
        declare(cluster, {group: {host: {} for host in hosts} for group, hosts in GROUPS.items()}, DECLARED)
        cluster.play("rollout")
        for number in NODES:
            if is_selected(str(number)):
                name_nodes(cluster, number)
                log(f"second rollout with {number} nodes")
                yield cell(cluster, number)


def declare(cluster: Cluster, groups: dict[str, dict[str, Any]], variables: dict[str, Any]) -> None:
    children = {group: {"hosts": hosts} for group, hosts in groups.items()}
    cluster.add_inventory(all={"vars": variables, "children": children})


def name_nodes(cluster: Cluster, number: int) -> None:
    """Replaces the lab's nodes with many names of the same containers, each with a separate connection."""
    names = {f"n{index:03}": CONTAINERS[index % len(CONTAINERS)] for index in range(number)}
    lab = (cluster.lab / "ssh_config").read_text()
    addresses = dict(re.findall(r"Host (\w+)\n    HostName (\S+)", lab))
    blocks = "".join(f"Host {name}\n    HostName {addresses[container]}\n" for name, container in names.items())
    config = cluster.lab / "ssh_config_of_many"
    config.write_text(blocks + lab.replace("/%h\n", "/%n\n").replace("ControlPersist 300", "ControlPersist 3600"))
    servers = {group: {host: {"ansible_host": addresses[host]} for host in hosts} for group, hosts in GROUPS.items()}
    connection = {"ansible_user": "root", "ansible_python_interpreter": "/usr/bin/python3",
                  "ansible_ssh_args": f"-F {config}", "ansible_ssh_pipelining": True}
    cluster.inventories = []
    nodes = {name: {"ansible_host": name} for name in names}
    declare(cluster, {**servers, "slurm_nodes": nodes}, {**connection, **DECLARED})


def cell(cluster: Cluster, number: int) -> Cell:
    ping(cluster)  # opens the connections
    runs = module_runs(cluster) if number <= 10 else {}
    pings, rollouts = [], []
    for _round in range(3 if number <= 100 else 2):
        pings.append(ping(cluster))
        rollouts.append(rollout(cluster))
    return Cell((cluster.release, number), {
        "ansible -m ping": f"{median(pings):.1f} s",
        "second rollout": f"{median(rollouts):.1f} s",
        "ratio": f"{median(rollouts) / median(pings):.2f}",
        "changed": 0,
        **{f"module runs, {kind}": count for kind, count in runs.items()},
    }, {"pings": pings, "rollouts": rollouts, "runs": runs})


def ping(cluster: Cluster) -> float:
    return cluster.ansible("ansible", "all", "--module-name=ansible.builtin.ping", f"--forks={FORKS}")[0]


def rollout(cluster: Cluster) -> float:
    seconds, output = cluster.ansible("ansible-playbook", "hpc.slurm_jwt.rollout", f"--forks={FORKS}")
    if re.search(r"changed=[1-9]", output):
        raise Failed(f"The second rollout changed something; {cluster.log_file} shows what.")
    return seconds


def module_runs(cluster: Cluster) -> dict[str, int]:
    """How many modules ran on a host of each kind. With pipelining, a module is one execution."""
    output = cluster.ansible("ansible-playbook", "hpc.slurm_jwt.rollout", f"--forks={FORKS}", "-vvv")[1]
    executed = Counter(re.findall(r"^<([^>]+)> SSH: EXEC .*/usr/bin/python3 && sleep 0", output, re.MULTILINE))
    lab = (cluster.lab / "ssh_config").read_text()
    addresses = dict(re.findall(r"Host (\w+)\n    HostName (\S+)", lab))
    servers = {kind: executed[addresses[host]] for kind, host in COUNTED.items()}
    return {**servers, "node": max(count for host, count in executed.items() if re.fullmatch(r"n\d+", host))}


MEASUREMENT = Measurement("second", "Second rollout", TEXT, ("Slurm", "nodes"), run, ("24.11",))
