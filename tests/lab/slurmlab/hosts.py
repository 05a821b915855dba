# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The kinds of host that a cluster is made of: what runs on each, and which configuration files it has.

A host is named after its kind and numbered: ctl1, node2. A new kind of host is a new line in KINDS.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from images import CLUSTER_NAME, DATABASE_PASSWORD
from progress import LabError
from releases import Release


class Kind(NamedTuple):
    #: Its group in the inventory.
    group: str
    #: Units enabled before its first boot.
    at_boot: tuple[str, ...]
    #: The daemon that waits for those of the kinds above it in the table, and the port it listens on.
    daemon: str | None = None
    port: int = 0
    has_slurm_conf: bool = True


KINDS = {
    "dbd": Kind("slurmdbd", ("mariadb",), "slurmdbd", 6819, has_slurm_conf=False),
    "ctl": Kind("slurmctld", (), "slurmctld", 6817),
    "node": Kind("slurm_nodes", (), "slurmd", 6818),
    # slurmrestd is installed and not running: it has no use before the cluster has JWT.
    "rest": Kind("slurmrestd", ()),
    # A host of services that use tokens, and a client of Slurm.
    "svc": Kind("slurm_token_hosts", ()),
}
#: slurmctld's StateSaveLocation.
STATE = "/var/lib/slurm/slurmctld"
DEFAULT_HOSTS = ("ctl1", "dbd1", "rest1", "node1")


class File(NamedTuple):
    path: str
    text: str
    owner: str = "root"
    mode: int = 0o644


def kind_of(host: str) -> Kind:
    name = re.fullmatch(r"([a-z]+)[0-9]+", host)
    if not name or name[1] not in KINDS:
        raise LabError(f"The lab has no host {host!r}: a host is one of {', '.join(KINDS)} and a number, such as ctl1.")
    return KINDS[name[1]]


def of_kind(hosts: tuple[str, ...], kind: str) -> list[str]:
    return [host for host in hosts if kind_of(host) is KINDS[kind]]


def files(host: str, hosts: tuple[str, ...], release: Release) -> list[File]:
    """The configuration that a host has when the collection meets it."""
    if kind_of(host).has_slurm_conf:
        return [
            File("/etc/slurm/slurm.conf", slurm_conf(hosts)),
            *([File("/etc/slurm/cgroup.conf", release.cgroup_conf)] if release.cgroup_conf else []),
        ]
    return [File("/etc/slurm/slurmdbd.conf", slurmdbd_conf(host), "slurm", 0o600)]


def slurm_conf(hosts: tuple[str, ...]) -> str:
    """The same on every host, as slurmctld demands."""
    controllers = "".join(f"SlurmctldHost={host}\n" for host in of_kind(hosts, "ctl"))
    nodes = "".join(f"NodeName={host} CPUs=4 State=UNKNOWN\n" for host in of_kind(hosts, "node"))
    return f"""\
# The lab's cluster.
ClusterName={CLUSTER_NAME}
{controllers}SlurmUser=slurm
AuthType=auth/munge

StateSaveLocation={STATE}
SlurmdSpoolDir=/var/lib/slurm/slurmd
SlurmctldPidFile=/run/slurmctld.pid
SlurmdPidFile=/run/slurmd.pid
SlurmctldLogFile=/var/log/slurm/slurmctld.log
SlurmdLogFile=/var/log/slurm/slurmd.log

SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SlurmdParameters=config_overrides
MpiDefault=none
MailProg=/bin/true
ReturnToService=2

AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost={','.join(of_kind(hosts, 'dbd')[:1])}
JobAcctGatherType=jobacct_gather/none

{nodes}PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""


def slurmdbd_conf(host: str) -> str:
    return f"""\
# The lab's accounting.
AuthType=auth/munge
DbdHost={host}
SlurmUser=slurm
LogFile=/var/log/slurm/slurmdbd.log
PidFile=/run/slurmdbd.pid

StorageType=accounting_storage/mysql
StorageHost=localhost
StorageUser=slurm
StoragePass={DATABASE_PASSWORD}
StorageLoc=slurm_acct_db
"""
