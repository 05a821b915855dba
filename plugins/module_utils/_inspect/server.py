# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Inspects a host of slurmctld, slurmdbd or slurmrestd, which may be a node too. Private to this collection."""

from __future__ import annotations

import os
import sys
from typing import Any

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files import paths as file_paths
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.names import group_name
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._inspect import (
    clusters,
    conf_files,
    daemon_problems,
    distribution,
    environment,
    facts,
    interpreter,
    located_daemon,
    location,
    network,
    node,
    openmetrics,
    packages,
    proxy,
    release,
    room,
    units,
)
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._inspect.daemons import DaemonInspection
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._inspect.facts import ConfFile
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._inspect.host import Host, Options, Run
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._inspect.keys import KeyInspection
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._inspect.plugins import PluginInspection
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._inspect.problems import Problem
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._slurm import install_paths


def inspect(options: Options, run: Run) -> dict[str, Any]:
    """The result of slurm_jwt_info for a host of daemons."""
    host = Host(options, run)
    units.inspect(host)
    environment.inspect(host)
    # Locate all daemons. Only a mere node where everything is as declared does not need this.
    if not (location.is_as_declared(host) and host.components == ["node"]):
        location.follow(host, [_daemon(host, component) for component in host.components])
    slurm_conf, dbd_conf = conf_files.slurm_conf(host), _slurmdbd_conf(host)
    release.inspect(host)
    _report_uninstalled(host)
    slurm_user, key_path = _slurm_user(host), conf_files.key_path(host)
    keys = KeyInspection(host)
    differences = conf_files.differences(host, key_path, keys.jwks_path(), _problems_of)
    key = _key(host, keys, key_path)
    observation = {
        **release.capabilities(host),
        "os_family": distribution.family_of_host(),
        "conf": slurm_conf,
        "dbd_conf": dbd_conf,
        "slurm_user": slurm_user,
        "key_path": key_path,
        "key": key,
        "openmetrics": openmetrics.inspect(host, keys, key),
        "jwks": keys.jwks(),
        "state_dir": _state_dir(host),
        "plugins": PluginInspection(host).inspect(),
        "python": _python(host),
        "daemons": _daemons(host),
        "clusters": clusters.inspect(host),
        "proxy": proxy.inspect(options.proxy, host.command) if options.proxy else None,
        **differences,
    }
    room.inspect(host, differences["differences"], _folders_to_write(host, observation))
    return host.observation(**observation)


def _daemon(host: Host, component: str) -> located_daemon.LocatedDaemon:
    return location.slurmd(host) if component == "node" else units.daemon(host, component)


def _slurmdbd_conf(host: Host) -> dict[str, Any] | None:
    if "slurmdbd" not in host.components:
        return None
    path = host.options.dbd_conf_path
    if file_paths.inspect(path).kind == "missing":
        host.problems += daemon_problems.dbd_conf_missing(path)
        return {"path": path, "exists": False}
    host.slurmdbd = conf_files.load(host, "slurmdbd", path, "slurmdbd")
    return facts.slurmdbd_conf(host.slurmdbd) if host.slurmdbd else {"path": path, "exists": True}


def _report_uninstalled(host: Host) -> None:
    if "slurmrestd" in host.components and not install_paths.find_program("slurmrestd", host.options.bin_dirs):
        # The rollout installs its unit and plugins with it.
        host.uninstalled = {"slurmrestd"}
        host.problems += daemon_problems.no_slurmrestd(install_paths.find_elsewhere(["slurmrestd"]))


def _slurm_user(host: Host) -> dict[str, Any] | None:
    file = host.slurm if "slurmctld" in host.components else host.slurmdbd or host.slurm
    if file is None:
        return None
    name = file.conf.value("SlurmUser") or "root"
    host.user = user = file_paths.find_user(name)
    if user is None:
        host.problems += daemon_problems.no_slurm_user(host.components[0], name)
        return {"name": name, "exists": False, "uid": None, "gid": None, "group": None}
    return {"name": user.name, "exists": True, "uid": user.uid, "gid": user.gid, "group": group_name(user.gid)}


def _problems_of(host: Host, file: ConfFile) -> list[Problem]:
    problems = conf_files.problems_of(host, file)
    if file.kind == "slurm":
        problems += openmetrics.problems_of(host, file.conf)
    if file.kind == "slurmdbd":
        for path in file.conf.paths:
            included = path != file.conf.paths[0]
            place = file_paths.inspect(path)
            problems += daemon_problems.dbd_conf_attributes(path, place, host.user, host.release, included)
    return problems


def _key(host: Host, keys: KeyInspection, path: str | None) -> dict[str, Any] | None:
    if {"slurmctld", "slurmdbd"} & set(host.components):
        return keys.key(path) if path is not None else None
    node.report_key(host, path)
    return None


def _state_dir(host: Host) -> dict[str, Any] | None:
    if "slurmctld" not in host.components or host.slurm is None:
        return None
    path = facts.state_save_location(host.slurm.conf)
    place = file_paths.inspect(path)
    host.problems += daemon_problems.state_dir(path, place, host.user)
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as stream:
        mount = file_paths.mount_of(path, stream.read())
    return {
        **facts.attributes(place),
        "path": path,
        "exists": place.kind == "directory",
        "writable_by_others": daemon_problems.writable_by_others(place, host.user),
        "mount": mount.point,
        "source": mount.source,
        "fstype": mount.type,
        "network": network.is_network(mount.type),
        "identity": facts.identity(path),
    }


def _python(host: Host) -> dict[str, Any]:
    # The first entry of sys.path may be the module's own archive.
    folders = [folder for folder in sys.path if os.path.isdir(folder)]
    modules = {"pyjwt": "jwt", "cryptography": "cryptography"}
    versions = {library: install_paths.python_library(name, folders) for library, name in modules.items()}
    family = distribution.family_of_host()
    missing = [packages.of_library(library, family) for library, version in versions.items() if version is None]
    signs = "slurmctld" in host.components
    if versions["pyjwt"] is None and signs:
        host.problems += daemon_problems.pyjwt_missing("slurmctld", sys.executable)
    return node.python(
        **versions,
        served=interpreter.is_served(folders),
        distributions=interpreter.distributions(),
        unavailable=packages.unavailable(missing, host.command) if signs else [],
    )


def _daemons(host: Host) -> dict[str, Any]:
    inspection = DaemonInspection(host)
    daemons = {component: inspection.inspect(component) for component in host.components if component != "node"}
    return {**daemons, "slurmd": node.slurmd(host)} if "node" in host.components else daemons


def _folders_to_write(host: Host, observation: dict[str, Any]) -> dict[str, str]:
    """Folders besides those of configuration files, and the component that needs each."""
    if host.options.declared is None:
        return {}
    folders: dict[str, str] = {}
    declared, component = host.declared_parameters(), host.components[0]
    key, jwks = observation["key"], observation["jwks"]
    if key is not None and not key["exists"] and declared.get("jwt_key") is not False:
        folders[os.path.dirname(os.path.realpath(key["path"]))] = component
    if declared.get("jwks") and jwks is not None:
        folders[os.path.dirname(os.path.realpath(jwks["path"]))] = component
    metrics, users = observation["openmetrics"], (host.options.declared.get("openmetrics") or {}).get("users")
    if users and metrics and not metrics["key"]["exists"]:
        folders[os.path.dirname(os.path.realpath(metrics["key"]["path"]))] = "slurmctld"
    slurmrestd = observation["daemons"].get("slurmrestd")
    if slurmrestd and not slurmrestd["slurm_jwt"]:
        folders["/etc/systemd/system"] = "slurmrestd"
    return folders
