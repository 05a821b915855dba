# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Inspects slurmctld's metrics and the key of their tokens on a controller. Private to this collection."""

from __future__ import annotations

import os
from typing import Any

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._conf.document import Conf
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._conf.openmetrics import DeclaredOpenMetrics, read
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files import paths as file_paths
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._inspect import conf_files, facts
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._inspect import openmetrics_problems as found_problems
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._inspect.host import Host
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._inspect.keys import KeyInspection
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._inspect.problems import Problem
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._slurm import processes
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._slurm.releases import has

# The uids and gids of nobody, which slurmctld does not answer. 99 is Slurm's own.
_NOBODY = {99, 65534}
VARIABLE = "slurm_jwt_openmetrics_key_path"


def inspect(host: Host, keys: KeyInspection, key: dict[str, Any] | None) -> dict[str, Any] | None:
    """The result "openmetrics"; null where there is no slurmctld. KEY: the cluster's own signing key."""
    if "slurmctld" not in host.components or host.slurm is None:
        return None
    conf = host.slurm.conf
    current, declared = read(conf), _declared(host, conf)
    path = declared.key_path if declared else current.key_path
    on = bool(declared and declared.users)
    found = _key(host, keys, path, on, path == current.key_path) if path else None
    if on and declared and host.release is not None and has(host.release, "http_auth"):
        users = {name: file_paths.find_user(name) for name in declared.users}
        host.problems += found_problems.users_missing([name for name, user in users.items() if user is None])
        host.problems += found_problems.users_unserved(
            [name for name, user in users.items() if user is not None and {user.uid, user.gid} & _NOBODY]
        )
        host.problems += found_problems.clear_text(facts.slurm_conf(host.slurm)["slurmctld_port"])
        if current.key_path and os.path.realpath(current.key_path) != os.path.realpath(declared.key_path):
            host.problems += found_problems.key_elsewhere(conf.path, declared.key_path, current.key_path)
        if found and key and found["fingerprint"] and found["fingerprint"] == key["fingerprint"]:
            host.problems += found_problems.same_key(declared.key_path, key["path"])
    process, in_force = host.running.get("slurmctld"), current.key_path
    loaded = "unknown"
    if process is not None and in_force and os.path.exists(in_force):
        loaded = processes.mapping(process.pid, in_force)
    return {
        "serves": current.serves,
        "users": current.users,
        "key_path": path,
        "key": found,
        "in_force": in_force,
        "key_loaded": loaded,
    }


def _key(host: Host, keys: KeyInspection, path: str, needed: bool, named: bool) -> dict[str, Any]:
    known = len(host.problems)
    found = keys.slots_of("slurmctld", path, VARIABLE, needed, named)
    host.problems[known:] = [found_problems.of_metrics_key(problem) for problem in host.problems[known:]]
    return found


def problems_of(host: Host, conf: Conf) -> list[Problem]:
    """What is wrong in slurm.conf, current or desired."""
    if "slurmctld" not in host.components or host.release is None or not has(host.release, "openmetrics"):
        return []
    current, declared = read(conf), _declared(host, conf)
    found = found_problems.open_to_all(conf, current, has(host.release, "http_auth"))
    if not has(host.release, "http_auth"):
        return found
    on = bool(declared and declared.users)
    found += found_problems.without_key(conf, current)
    found += found_problems.http_disabled(conf, current, on)
    found += found_problems.client_ids(conf, current, on)
    found += found_problems.one_file(conf, current, host.slurm.jwt.key_path if host.slurm else None, on)
    return found + _left_after_removal(host, conf)


def _left_after_removal(host: Host, conf: Conf) -> list[Problem]:
    """If JWT is removed, report settings that still make slurmctld load its key."""
    declared = host.options.declared or {}
    removes = "auth/jwt" in (declared.get("auth_alt_types_absent") or ())
    return found_problems.left_after_removal(conf, read(conf)) if removes else []


def _declared(host: Host, conf: Conf) -> DeclaredOpenMetrics | None:
    return conf_files.declared_openmetrics(host, conf)
