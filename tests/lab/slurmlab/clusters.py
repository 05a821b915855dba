# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Clusters: a container for each host, a network for each cluster, and what people and Ansible need to reach them."""

from __future__ import annotations

import ipaddress
import json
import pathlib
import re
import secrets
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Callable, NamedTuple

import hosts as kinds
import images
import reach
from podman import CONTAINER, LABEL, RUN, lock, podman, succeeds
from progress import LabError, log, seconds, wait_for
from releases import Release, release_named

WORK = pathlib.Path(__file__).resolve().parents[3] / ".work" / "lab"

INOTIFY_INSTANCES = 1024
#: A label of a cluster's network: its hosts in the order of their addresses.
HOSTS_LABEL = f"{LABEL}-hosts"


class Cluster(NamedTuple):
    name: str
    release: Release
    hosts: tuple[str, ...] = kinds.DEFAULT_HOSTS
    #: Whether all hosts see one /etc/slurm.
    shares_conf: bool = False

    @property
    def folder(self) -> pathlib.Path:
        return WORK / self.name

    @property
    def control_sockets(self) -> pathlib.Path:
        return RUN / self.name


def container_of(cluster: str, host: str) -> str:
    return f"sjlab-{cluster}-{host}"


def _shared_state_of(cluster: str) -> str:
    return f"sjlab-{cluster}-state"


def _shared_conf_of(cluster: str) -> str:
    return f"sjlab-{cluster}-conf"


def _shares_state(cluster: Cluster, host: str) -> bool:
    """Several controllers share a StateSaveLocation, or the standbys would wait forever for its heartbeat."""
    controllers = kinds.of_kind(cluster.hosts, "ctl")
    return host in controllers and len(controllers) > 1


def up(cluster: Cluster) -> None:
    """Starts a new cluster without JWT. An earlier one of that name is removed first."""
    begin = seconds()
    built = {name: images.build(release_named(name)) for name in {_image_of(cluster, host) for host in cluster.hosts}}
    with lock(f"cluster-{cluster.name}"):
        _clear(cluster.name)
        _allow_many_hosts()
        log(cluster.name, f"starting {', '.join(cluster.hosts)} with Slurm {cluster.release.name}")
        reach.make_key(cluster)
        network, addresses = _make_network(cluster)
        reach.write(cluster, addresses)
        if len(kinds.of_kind(cluster.hosts, "ctl")) > 1:
            podman("volume", "create", "--label", f"{LABEL}={cluster.name}", _shared_state_of(cluster.name))
        if cluster.shares_conf:
            podman("volume", "create", "--label", f"{LABEL}={cluster.name}", _shared_conf_of(cluster.name))
        _each(cluster.hosts, lambda host: _start(cluster, host, built[_image_of(cluster, host)], network, addresses))
        _start_daemons(cluster)
        _wait_for_nodes(cluster)
    log(cluster.name, f"up after {seconds() - begin:.1f} s: Slurm {cluster.release.name}, without JWT")
    reach.explain(cluster)


def down(name: str) -> None:
    with lock(f"cluster-{name}"):
        if not _clear(name):
            log(name, "there is no such cluster")
        shutil.rmtree(WORK / name, ignore_errors=True)
        shutil.rmtree(RUN / name, ignore_errors=True)


def names() -> list[str]:
    """Every cluster that was started, whether its hosts run or not."""
    return sorted(network["labels"][LABEL] for network in _networks())


def _networks(cluster: str | None = None) -> list[dict[str, Any]]:
    """The networks of one cluster or of all. Their labels describe a cluster, because podman ps fails after a reboot:
    it searches for processes of containers that it believes to be running."""
    label = f"label={LABEL}={cluster}" if cluster else f"label={LABEL}"
    names = podman("network", "ls", "--filter", label, "--format", "{{.Name}}").split()
    networks: list[dict[str, Any]] = json.loads(podman("network", "inspect", *names)) if names else []
    return networks


def status() -> None:
    networks = _networks()
    if not networks:
        print("No cluster is running. Start one with: lab up RELEASE")
    for network in networks:
        name = network["labels"][LABEL]
        print(f"{name}:")
        for host, address in _addresses(network).items():
            print(f"  {host:8} {address:15} {_health(name, host)}")


def _health(name: str, host: str) -> str:
    """The state of a host, and its failed units."""
    command = ("podman", "exec", container_of(name, host), "systemctl", "--failed", "--no-legend", "--plain")
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False)
    if done.returncode:
        return "not running; start the cluster again"
    failed = [line.split()[0] for line in done.stdout.splitlines() if line]
    return f"failed: {', '.join(failed)}" if failed else "running"


def run(name: str, host: str, command: list[str], terminal: bool) -> int:
    """Runs a command on a host as root."""
    flags = ["--interactive", "--tty"] if terminal else ["--interactive"]
    return subprocess.call(["podman", "exec", *flags, container_of(name, host), *command])


def _each(hosts: tuple[str, ...], work: Callable[[str], None]) -> None:
    with ThreadPoolExecutor(max_workers=8) as pool:
        # Waits for all of them, and raises the first exception.
        list(pool.map(work, hosts))


def _clear(name: str) -> bool:
    """Removes everything of a cluster from podman, also after a reboot. Returns whether there was one."""
    networks = [network["name"] for network in _networks(name)]
    if networks:
        log(name, "removing the earlier cluster")
    # If the processes of a container are missing, podman notices that at the first attempt and removes it at the next.
    label = f"label={LABEL}={name}"
    wait_for(f"podman to remove the hosts of {name}",
             lambda: succeeds("rm", "--force", "--time", "0", "--filter", label), at_most=20)
    for volume in podman("volume", "ls", "--quiet", "--filter", label).split():
        podman("volume", "rm", "--force", volume)
    if networks:
        podman("network", "rm", "--force", *networks)
    reach.close(RUN / name)
    return bool(networks)


def _allow_many_hosts() -> None:
    """Each systemd needs a few inotify instances. If none is left, a host exits at once and silently."""
    limit = pathlib.Path("/proc/sys/fs/inotify/max_user_instances")
    if int(limit.read_text(encoding="utf-8")) < INOTIFY_INSTANCES:
        log("machine", f"raising fs.inotify.max_user_instances to {INOTIFY_INSTANCES}, until the next boot")
        limit.write_text(str(INOTIFY_INSTANCES), encoding="utf-8")


def _make_network(cluster: Cluster) -> tuple[str, dict[str, str]]:
    """Its name, and host -> address, which is known before the hosts exist: each gets a file with all of them.

    Never the same name twice: after a reboot podman believes that the addresses of the old network are in use."""
    name = f"sjlab-{cluster.name}-{secrets.token_hex(3)}"
    hosts = f"{HOSTS_LABEL}={' '.join(cluster.hosts)}"
    podman("network", "create", "--label", f"{LABEL}={cluster.name}", "--label", hosts, name)
    return name, _addresses(_networks(cluster.name)[0])


def _addresses(network: dict[str, Any]) -> dict[str, str]:
    first = ipaddress.ip_network(network["subnets"][0]["subnet"])[10]
    return {host: str(first + number) for number, host in enumerate(network["labels"].get(HOSTS_LABEL, "").split())}


def _image_of(cluster: Cluster, host: str) -> str:
    """The release of a host's image."""
    return kinds.kind_of(host).image or cluster.release.name


def _start(cluster: Cluster, host: str, image: str, network: str, addresses: dict[str, str]) -> None:
    container = container_of(cluster.name, host)
    shared = ("--volume", f"{_shared_state_of(cluster.name)}:{kinds.STATE}") if _shares_state(cluster, host) else ()
    if cluster.shares_conf:
        shared += ("--volume", f"{_shared_conf_of(cluster.name)}:{cluster.release.conf}")
    podman(
        "create", "--name", container, "--hostname", host, "--label", f"{LABEL}={cluster.name}",
        "--network", network, "--ip", addresses[host], *shared, *CONTAINER, image,
    )
    root = pathlib.Path(podman("mount", container))
    _write_files(cluster, host, root, addresses)
    podman("unmount", container)
    podman("start", container)


def _write_files(cluster: Cluster, host: str, root: pathlib.Path, addresses: dict[str, str]) -> None:
    """Writes the files that differ between hosts, before the host boots."""
    of_lab = (
        kinds.File("/root/.ssh/authorized_keys", (cluster.folder / "id.pub").read_text(), mode=0o600),
        # podman makes it writable for everybody, unlike any distribution.
        kinds.File("/etc/tmpfiles.d/lab.conf", "z /run 0755 root root\n"),
        kinds.File("/etc/hosts", "127.0.0.1 localhost\n" + "".join(f"{ip} {name}\n" for name, ip in addresses.items())),
    )
    for file in (*of_lab, *kinds.files(host, cluster.hosts, cluster.release)):
        path = root / file.path.lstrip("/")
        if cluster.shares_conf and file.path.startswith(f"{cluster.release.conf}/"):
            path = _folder_of(_shared_conf_of(cluster.name)) / path.name
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.write_text(file.text)
        path.chmod(file.mode)
        shutil.chown(path, *_ids(root, file.owner))
    for unit in kinds.units_at_boot(host, cluster.hosts):
        link = root / "etc/systemd/system/multi-user.target.wants" / f"{unit}.service"
        link.symlink_to(f"/lib/systemd/system/{unit}.service")


def _folder_of(volume: str) -> pathlib.Path:
    """The path of a volume on this machine."""
    return pathlib.Path(podman("volume", "inspect", "--format", "{{.Mountpoint}}", volume).strip())


def _ids(root: pathlib.Path, owner: str) -> tuple[int, int]:
    user, _colon, group = owner.partition(":")
    entry = re.search(rf"^{user}:[^:]*:(\d+):(\d+):", (root / "etc/passwd").read_text(), re.MULTILINE)
    other = re.search(rf"^{group or 'root'}:[^:]*:(\d+):", (root / "etc/group").read_text(), re.MULTILINE)
    if not entry or not other:
        raise LabError(f"The image has no {owner}.")
    return int(entry[1]), int(other[1] if group else entry[2])


def _start_daemons(cluster: Cluster) -> None:
    """In the table's order, so that each daemon finds those that it needs. The first of a kind is the primary."""
    def enable(host: str) -> None:
        kind, container = kinds.kind_of(host), container_of(cluster.name, host)
        init = int(podman("inspect", "--format", "{{.State.Pid}}", container))
        wait_for(f"sshd on {host}", lambda: _listens(container, init, 22))
        if kind.daemon:
            podman("exec", container, "systemctl", "--quiet", "enable", "--now", kind.daemon)
            if kinds.listens(host, cluster.hosts):
                wait_for(f"{kind.daemon} on {host}", lambda: _listens(container, init, kind.port))
            log(cluster.name, f"{kind.daemon} runs on {host}")

    for name in kinds.KINDS:
        alike = kinds.of_kind(cluster.hosts, name)
        _each(tuple(alike[:1]), enable)
        _each(tuple(alike[1:]), enable)


def _listens(container: str, init: int, port: int) -> bool:
    """Whether a process listens, from the host's tables: a connection would leave an error in a Slurm daemon's log."""
    tables = [pathlib.Path(f"/proc/{init}/net/{name}") for name in ("tcp", "tcp6")]
    try:
        lines = [line.split() for table in tables if table.exists() for line in table.read_text().splitlines()[1:]]
        alive = init > 0 and pathlib.Path(f"/proc/{init}/exe").exists()
    except OSError:
        alive = False
    if not alive:
        raise LabError(f"{container} stopped while it booted. tests/lab/enter podman logs {container} may show why.")
    return any(line[1].endswith(f":{port:04X}") and line[3] == "0A" for line in lines)


def _wait_for_nodes(cluster: Cluster) -> None:
    nodes = kinds.of_kind(cluster.hosts, "node")
    if not nodes:
        return
    controller = container_of(cluster.name, kinds.of_kind(cluster.hosts, "ctl")[0])

    def are_idle() -> bool:
        states = subprocess.run(
            ("podman", "exec", controller, f"{cluster.release.programs}/bin/sinfo", "-hNo", "%T"),
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False,
        ).stdout
        return states.split() == [b"idle"] * len(nodes)

    wait_for(f"{', '.join(nodes)} to be idle", are_idle)


def checked(name: str) -> str:
    """Raises LabError if a cluster's name cannot be part of names of containers and of paths."""
    if not re.fullmatch(r"[a-z0-9][a-z0-9.-]{0,30}", name):
        raise LabError(f"{name!r} is no name for a cluster: lower case letters, digits, dots and hyphens.")
    return name


def of_arguments(release: str, name: str | None, hosts: str | None, shares_conf: bool = False) -> Cluster:
    chosen = tuple(hosts.split(",")) if hosts else kinds.DEFAULT_HOSTS
    for host in chosen:
        kinds.kind_of(host)
    if not kinds.of_kind(chosen, "ctl"):
        raise LabError("A cluster needs a controller: ctl1.")
    return Cluster(checked(name or release), release_named(release), chosen, shares_conf)
