# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How people and Ansible reach a cluster's hosts: SSH as root, with a key for each cluster."""

from __future__ import annotations

import json
import pathlib
import subprocess
from typing import TYPE_CHECKING, Any

import hosts as kinds

if TYPE_CHECKING:
    from clusters import Cluster


def make_key(cluster: Cluster) -> None:
    cluster.folder.mkdir(parents=True, exist_ok=True)
    cluster.control_sockets.mkdir(parents=True, exist_ok=True)
    # New hosts have the addresses of older ones.
    (cluster.folder / "known_hosts").unlink(missing_ok=True)
    if not (cluster.folder / "id").exists():
        subprocess.run(
            ("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", f"lab {cluster.name}", "-f", cluster.folder / "id"),
            check=True,
        )


def write(cluster: Cluster, addresses: dict[str, str]) -> None:
    """Writes ssh_config and inventory.yml. JSON is YAML and needs no library."""
    blocks = "".join(f"Host {host}\n    HostName {addresses[host]}\n" for host in cluster.hosts)
    (cluster.folder / "ssh_config").write_text(f"""\
{blocks}Host *
    User root
    IdentityFile {cluster.folder}/id
    IdentitiesOnly yes
    UserKnownHostsFile {cluster.folder}/known_hosts
    StrictHostKeyChecking accept-new
    LogLevel ERROR
    ControlMaster auto
    ControlPersist 300
    ControlPath {cluster.control_sockets}/%h
    ServerAliveInterval 15
""")
    groups: dict[str, Any] = {}
    for host in cluster.hosts:
        group = groups.setdefault(kinds.kind_of(host).group, {"hosts": {}})
        group["hosts"][host] = {"ansible_host": addresses[host]}
    variables = {
        "ansible_user": "root",
        "ansible_python_interpreter": "/usr/bin/python3",
        # In one file, which people can use as well.
        "ansible_ssh_args": f"-F {cluster.folder}/ssh_config",
        "ansible_ssh_pipelining": True,
        # Most sites have such variables. Without the facts nobody can evaluate them.
        "site_address": "{{ ansible_facts.default_ipv4.address }}",
        "site_rack": "{{ site_rack_of_this_host }}",
    }
    inventory = {"all": {"vars": variables, "children": groups}}
    (cluster.folder / "inventory.yml").write_text(json.dumps(inventory, indent=2) + "\n")


def close(control_sockets: pathlib.Path) -> None:
    """Closes connections to removed hosts. SSH would use them for new hosts with the same names."""
    for control_socket in control_sockets.glob("*"):
        command = ("ssh", "-o", f"ControlPath={control_socket}", "-O", "exit", "-q", "lab")
        subprocess.run(command, stderr=subprocess.DEVNULL, check=False)
        control_socket.unlink(missing_ok=True)


def explain(cluster: Cluster) -> None:
    name, folder = cluster.name, cluster.folder
    print(f"""
  log in            ssh -F {folder}/ssh_config {cluster.hosts[0]}
  run a command     tests/lab/lab run {name} {cluster.hosts[0]} -- sinfo
  use Ansible       ansible -i {folder}/inventory.yml all -m ping
  remove it         tests/lab/lab down {name}
""", flush=True)
