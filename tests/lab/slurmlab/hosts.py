# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The kinds of hosts in a cluster: what runs on each, and which configuration files it has.

A host's name is its kind and a number: ctl1, node2. To add a kind of host, add a line to KINDS.
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
    #: Units enabled before its first boot, on the first host of the kind.
    at_boot: tuple[str, ...]
    #: The daemon, which is started after those of the kinds above it in the table, and its port.
    daemon: str | None = None
    port: int = 0
    has_slurm_conf: bool = True
    #: Whether the daemon also listens on standbys, before one of them takes over.
    standby_listens: bool = True
    #: The release of its image, if it is not the cluster's.
    image: str | None = None


KINDS = {
    "dbd": Kind("slurmdbd", ("mariadb",), "slurmdbd", 6819, has_slurm_conf=False, standby_listens=False),
    "ctl": Kind("slurmctld", (), "slurmctld", 6817),
    "node": Kind("slurm_nodes", (), "slurmd", 6818),
    # slurmrestd is installed and not running: it is useless before the cluster has JWT.
    "rest": Kind("slurmrestd", ()),
    # A service host, which is a client of Slurm.
    "svc": Kind("slurm_token_hosts", ()),
    # An OpenID provider; nothing of it is installed. Debian sid has no glewlwyd.
    "idp": Kind("idp", (), has_slurm_conf=False, image="24.11"),
}
#: slurmctld's StateSaveLocation.
STATE = "/var/lib/slurm/slurmctld"
DEFAULT_HOSTS = ("ctl1", "dbd1", "rest1", "node1")
#: Seconds after which a standby slurmctld takes over.
TAKEOVER = 20


class File(NamedTuple):
    path: str
    text: str
    #: A user (with the user's group), or user:group.
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
    """The configuration of a host before the collection changes it."""
    if kind_of(host).has_slurm_conf:
        return [
            File(f"{release.conf}/slurm.conf", slurm_conf(hosts)),
            *([File(f"{release.conf}/cgroup.conf", release.cgroup_conf)] if release.cgroup_conf else []),
        ]
    dbds = of_kind(hosts, "dbd")
    if host not in dbds:
        return []
    owner, mode = (release.build.dbd_conf_owner, release.build.dbd_conf_mode) if release.build else ("slurm", 0o600)
    return [
        File(f"{release.conf}/slurmdbd.conf", slurmdbd_conf(dbds), owner, mode),
        *(database_for_all() if host == dbds[0] and len(dbds) > 1 else []),
    ]


def _is_first(host: str, hosts: tuple[str, ...]) -> bool:
    return host == next(other for other in hosts if kind_of(other) is kind_of(host))


def units_at_boot(host: str, hosts: tuple[str, ...]) -> tuple[str, ...]:
    return kind_of(host).at_boot if _is_first(host, hosts) else ()


def listens(host: str, hosts: tuple[str, ...]) -> bool:
    """Whether its daemon listens while the first of its kind runs."""
    return kind_of(host).standby_listens or _is_first(host, hosts)


def slurm_conf(hosts: tuple[str, ...]) -> str:
    """The same on every host, as slurmctld requires."""
    controllers = of_kind(hosts, "ctl")
    dbds = of_kind(hosts, "dbd")
    masters = _lines("SlurmctldHost={}", controllers)
    # The default is two minutes.
    takeover = _lines(f"SlurmctldTimeout={TAKEOVER}", controllers[1:2])
    accounting = (
        f"AccountingStorageType=accounting_storage/{'slurmdbd' if dbds else 'none'}\n"
        + _lines("AccountingStorageHost={}", dbds[:1])
        + _lines("AccountingStorageBackupHost={}", dbds[1:2])
    )
    # slurmctld 20.11 does not start without a node.
    nodes = _lines("NodeName={} CPUs=4 State=UNKNOWN", of_kind(hosts, "node")) or "NodeName=absent State=FUTURE\n"
    return f"""\
# The lab's cluster.
ClusterName={CLUSTER_NAME}
{masters}SlurmUser=slurm
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
{takeover}
{accounting}JobAcctGatherType=jobacct_gather/none

{nodes}PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""


def _lines(line: str, names: list[str]) -> str:
    return "".join(line.format(name) + "\n" for name in names)


def slurmdbd_conf(dbds: list[str]) -> str:
    """The same on every slurmdbd host; the second one is the standby."""
    backup = _lines("DbdBackupHost={}", dbds[1:2])
    return f"""\
# The lab's accounting.
AuthType=auth/munge
DbdHost={dbds[0]}
{backup}SlurmUser=slurm
LogFile=/var/log/slurm/slurmdbd.log
PidFile=/run/slurmdbd.pid

StorageType=accounting_storage/mysql
StorageHost={dbds[0] if backup else "localhost"}
StorageUser=slurm
StoragePass={DATABASE_PASSWORD}
StorageLoc=slurm_acct_db
"""


def database_for_all() -> list[File]:
    """Makes MariaDB accept slurmdbd from other hosts: the image's is for its own host."""
    statements = (
        f"CREATE USER IF NOT EXISTS slurm@'%' IDENTIFIED BY '{DATABASE_PASSWORD}';",
        "GRANT ALL ON slurm_acct_db.* TO slurm@'%';",
    )
    return [
        File("/etc/mysql/for-all.sql", "\n".join(statements) + "\n"),
        File("/etc/mysql/mariadb.conf.d/99-zz-for-all.cnf",
             "[mysqld]\nbind-address = 0.0.0.0\ninit-file = /etc/mysql/for-all.sql\n"),
    ]
